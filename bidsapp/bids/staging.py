"""Results that appear together or not at all.

A job (one participant, one group) writes into ``OUTPUT/.staging-<job>/`` under the names
its files will have. `Staging.publish` then renames them into place. A run that is killed while it
works leaves a staging folder, which the next run removes; one that is killed while it publishes
leaves a journal, and the next run finishes the renames. Participants do not touch each other.

A journal may come from elsewhere, as anything that lies in a folder. One that cannot be read is no
journal (the job is done again); one that names a file outside the output folder, by its path or
through a link, is refused before anything is moved or removed.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bidsapp.bids.atomic import inside, output_errors, spare_lock, write_json
from bidsapp.bids.locks import Lock, lock_folder
from bidsapp.errors import InputInvalidError, OutputError

LOGGER = logging.getLogger("musicotopy")
_PREFIX = ".staging-"
_JOURNAL = ".publish"
_UNUSUAL = re.compile(r"[^A-Za-z0-9+_-]")


class Staging:
    """Files of one job that appear together or not at all.

    Use it as a context; without `publish` nothing appears.

    Parameters
    ----------
    output_dir
        Output folder; it is made if absent.
    job
        Name of the job, for example ``gradients_sub-01``.
    wait
        If another process works on the same job, wait until it has ended.

    Raises
    ------
    OutputError
        The folder cannot be written, or another process works on the same job.
    """

    def __init__(self, output_dir: Path, job: str, *, wait: bool = False) -> None:
        self.output_dir = output_dir
        self.job = job
        self.folder = output_dir / (_PREFIX + _UNUSUAL.sub("+", job))
        self._wait = wait
        self._lock: Lock | None = None

    def __enter__(self) -> Self:
        with output_errors(self.output_dir):
            if self.folder.is_symlink():
                self.folder.unlink()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._locked()
            try:
                _roll_forward(self.folder, self.output_dir)
                _empty(self.folder)
            except BaseException:
                self._lock.release()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not (self.folder / _JOURNAL).exists():  # else the next run finishes the renames
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _locked(self) -> Lock:
        spare = spare_lock(self.output_dir, self.folder.name.removeprefix(_PREFIX))
        lock = lock_folder(self.folder, spare, wait=False)
        if lock is None and self._wait:
            LOGGER.warning("%s: another process is at work on it; waiting", self.job)
            lock = lock_folder(self.folder, spare, wait=True)
        if lock is None:
            msg = (
                f"another process is writing {self.job} into {self.output_dir}; "
                "wait for it, or choose another output folder"
            )
            raise OutputError(msg)
        self.folder.mkdir(parents=True, exist_ok=True)
        return lock

    def path(self, relative: str) -> Path:
        """Return where to write the file that will be ``OUTPUT/relative``.

        Raises
        ------
        InputInvalidError
            The path leads out of the output folder.
        """
        clean = inside(relative)
        target = self.folder / clean
        with output_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def files(self) -> list[str]:
        """Return what was written so far, relative to the output folder, sorted."""
        return sorted(
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file() and path != self.folder / _JOURNAL
        )

    def publish(self, *, replaces: Sequence[str] = ()) -> list[str]:
        """Move every file into place and return their names.

        Parameters
        ----------
        replaces
            Files of an earlier result, relative to the output folder, that are removed unless
            they are written anew.
        """
        files = self.files()
        stale = sorted({inside(name) for name in replaces} - set(files))
        with output_errors(self.output_dir):
            # from here on the result is complete: who finds the journal finishes the renames
            write_json(self.folder / _JOURNAL, {"remove": stale, "move": files})
            _roll_forward(self.folder, self.output_dir)
        return files


def clean_leftovers(output_dir: Path) -> list[str]:
    """Finish or remove what killed runs left behind; jobs that others work on are left alone.

    Returns
    -------
    list of str
        Names of the jobs that were cleaned up.
    """
    cleaned = []
    for folder in sorted(output_dir.glob(f"{_PREFIX}*")):
        with output_errors(folder):
            if folder.is_symlink() or not folder.is_dir():
                folder.unlink()
                continue
            name = folder.name.removeprefix(_PREFIX)
            lock = lock_folder(folder, spare_lock(output_dir, name), wait=False)
            if lock is None:
                continue
            try:
                if lock.is_exclusive:  # else its owner may be alive; the job itself cleans up
                    _roll_forward(folder, output_dir)
                    shutil.rmtree(folder, ignore_errors=True)
                    cleaned.append(name)
            finally:
                lock.release()
    return cleaned


def refuse_leftovers(output_dir: Path) -> None:
    """Refuse an output folder in which a journal names files outside it; nothing is changed.

    Raises
    ------
    OutputError
        The message names the file.
    """
    for folder in sorted(output_dir.glob(f"{_PREFIX}*")):
        plan = None if folder.is_symlink() else _read_journal(folder / _JOURNAL)
        if plan is not None:
            _require_names(folder, output_dir, *plan)


def _require_names(
    folder: Path, output_dir: Path, remove: Sequence[str], move: Sequence[str]
) -> None:
    """Refuse a journal that names a file outside the output folder or the folder it lies in."""
    for name in (*remove, *move):
        _require_inside(output_dir, name)
    for name in move:
        _require_inside(folder, name)


def _roll_forward(folder: Path, output_dir: Path) -> None:
    """Finish the renames of a journal, if there is one; safe to repeat."""
    journal = folder / _JOURNAL
    if not journal.exists() and not journal.is_symlink():
        return
    plan = _read_journal(journal)
    if plan is None:
        LOGGER.warning("%s: cannot be read; its job is done again", journal)
        journal.unlink()
        return
    remove, move = plan
    _require_names(folder, output_dir, remove, move)
    for name in remove:
        (output_dir / name).unlink(missing_ok=True)
    for name in move:
        source, target = folder / name, output_dir / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
    journal.unlink()


def _read_journal(journal: Path) -> tuple[list[str], list[str]] | None:
    """Return what to remove and what to move; None if it is no journal."""
    try:
        if journal.is_symlink():
            return None
        plan = json.loads(journal.read_text("utf-8"))
        remove, move = plan["remove"], plan["move"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    lists = isinstance(remove, list) and isinstance(move, list)
    return (remove, move) if lists and all(isinstance(n, str) for n in (*remove, *move)) else None


def _require_inside(root: Path, name: str) -> None:
    """Refuse a file of a journal that would lie outside `root`, also through a link.

    Raises
    ------
    OutputError
        It would.
    """
    try:
        inside_root = (root / inside(name)).parent.resolve().is_relative_to(root.resolve())
    except InputInvalidError:
        inside_root = False
    if not inside_root:
        msg = (
            f"{root} was left with a journal that names {name!r}, which lies outside; nothing "
            "was moved or removed: choose another output folder, or remove its .staging-* folders"
        )
        raise OutputError(msg)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
