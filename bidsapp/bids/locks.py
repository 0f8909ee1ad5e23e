"""Locks that the kernel releases when their process dies, on local and on network file systems.

A folder is locked itself, so that no lock file stays. NFS grants exclusive locks only on files
that are open for writing: there a lock file stands in for the folder. Where a file system has no
locks at all, work goes on without: results are still whole or absent, since every file appears
by a rename, but two runs may then do the same job twice, and of two that add to a shared table
at once one may have to be repeated.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ELSEWHERE = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES})
"""What `flock` says when another process holds the lock."""


@dataclass(frozen=True, slots=True)
class Lock:
    """An open handle.

    Attributes
    ----------
    handle
        File descriptor; closing it releases the lock.
    is_exclusive
        False where the file system has no locks.
    """

    handle: int
    is_exclusive: bool

    def release(self) -> None:
        """Let others have it."""
        os.close(self.handle)


def lock_folder(folder: Path, spare: Path, *, wait: bool) -> Lock | None:
    """Lock a folder; None if another process holds it and `wait` is false.

    Parameters
    ----------
    folder
        Must exist; it is made again if its owner removes it while we wait.
    spare
        Lock file that stands in for it on file systems that lock no folders (NFS).
    wait
        Wait for the other process.

    Raises
    ------
    OSError
        The folder cannot be opened.
    """
    while True:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        refusal = _flock(handle, wait=wait)
        if refusal == errno.EBADF:  # NFS: not open for writing
            os.close(handle)
            return lock_file(spare, wait=wait)
        if refusal in _ELSEWHERE:
            os.close(handle)
            return None
        if refusal:
            return Lock(handle, is_exclusive=False)
        try:
            if os.fstat(handle).st_ino == folder.stat().st_ino:
                return Lock(handle, is_exclusive=True)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
        os.close(handle)  # its owner removed the folder while we waited


def lock_file(path: Path, *, wait: bool) -> Lock | None:
    """Lock a file, which is made if absent and stays; None if another process holds it.

    Parameters
    ----------
    path
        Lock file.
    wait
        Wait for the other process.

    Raises
    ------
    OSError
        The file cannot be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    refusal = _flock(handle, wait=wait)
    if refusal in _ELSEWHERE:
        os.close(handle)
        return None
    return Lock(handle, is_exclusive=not refusal)


@contextlib.contextmanager
def holding(path: Path) -> Iterator[Lock]:
    """Wait for the lock of a file and hold it.

    Parameters
    ----------
    path
        Lock file, made if absent.
    """
    lock = lock_file(path, wait=True)
    assert lock is not None
    try:
        yield lock
    finally:
        lock.release()


def _flock(handle: int, *, wait: bool) -> int:
    """Return 0 if the handle is locked now, else the number of the error."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        return error.errno or errno.ENOLCK
    return 0
