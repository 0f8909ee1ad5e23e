"""Intermediate values that are kept on disk, so that a stopped analysis goes on where it was.

A `Scratch` is a folder whose name contains a key of everything its content depends on. What is
in it is complete: values are written under another name and moved into place. A value that is
there is read instead of being computed again, and is equal to it bit for bit.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import pickle
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from bidsapp.bids.atomic import new_matrix, output_errors, write_bytes
from bidsapp.bids.locks import holding
from bidsapp.errors import InputInvalidError
from bidsapp.progress import track

Array = npt.NDArray[Any]
T = TypeVar("T")


def identity(*parts: object) -> str:
    """Return one key (20 hexadecimal digits) of values.

    Parameters
    ----------
    *parts
        Texts, bytes, numbers, None, paths (as text), arrays (type, shape and content),
        dataclasses (name and fields), mappings and sequences of these. A list and a tuple of the
        same values have the same key; 1, 1.0, True and "1" have four.

    Raises
    ------
    TypeError
        A value is of another kind.
    """
    digest = hashlib.blake2b(digest_size=10)
    for piece in _pieces(parts):
        digest.update(len(piece).to_bytes(8, "little"))
        digest.update(piece)
    return digest.hexdigest()


def _pieces(value: object) -> Iterator[bytes]:
    """Yield the kind and the content of a value, and of all that it holds."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float | os.PathLike):
        yield type(value).__name__.encode() if not isinstance(value, os.PathLike) else b"path"
        yield (os.fspath(value) if isinstance(value, os.PathLike) else repr(value)).encode()
    elif isinstance(value, bytes):
        yield from (b"bytes", value)
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield from (b"array", f"{value.dtype.str} {value.shape}".encode())
        yield np.ascontiguousarray(value).tobytes()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from (b"dataclass", type(value).__name__.encode())
        yield from _pieces({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    elif isinstance(value, Mapping):
        yield from (b"mapping", str(len(value)).encode())
        for key, item in value.items():
            yield from _pieces(key)
            yield from _pieces(item)
    elif isinstance(value, Sequence):
        yield from (b"sequence", str(len(value)).encode())
        for item in value:
            yield from _pieces(item)
    else:
        msg = f"{type(value).__name__} cannot be part of a key"
        raise TypeError(msg)


@dataclasses.dataclass(frozen=True)
class Scratch:
    """A folder of intermediate values.

    Attributes
    ----------
    folder
        Named by everything that its content depends on; made when it is first written to.
    quiet
        Show no progress.
    """

    folder: Path
    quiet: bool = True

    @classmethod
    def of(cls, root: Path, kind: str, *parts: object, quiet: bool = True) -> Scratch:
        """Return the scratch of what depends on `parts` (see `identity`): ``root/kind-key``."""
        return cls(root / f"{kind}-{identity(*parts)}", quiet)

    def path(self, name: str) -> Path:
        """Return where a file of this scratch lies."""
        return self.folder / name

    def array(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        make: Callable[[Array], None],
    ) -> Array:
        """Return an array mapped from disk, filled by `make` if it is not there yet.

        Parameters
        ----------
        name
            Of the array.
        shape, dtype
            Of the array.
        make
            Fills the array of zeros that it is given, which is mapped from disk.

        Raises
        ------
        OutputError
            The disk is full, or the folder cannot be written.
        """
        path = self.path(f"{name}.npy")
        with self._once(path) as part:
            if part is not None:
                new_matrix(part, shape, dtype)
                out = np.load(part, mmap_mode="r+")
                make(out)
                out.flush()
                del out
        kept: Array = np.load(path, mmap_mode="r")
        return kept

    def room(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """Return an array of zeros mapped from disk, made anew, which holds no memory.

        Parameters
        ----------
        name, shape
            Of the array.

        Raises
        ------
        OutputError
            The disk is full, or the folder cannot be written.
        """
        path = self.path(f"{name}-{secrets.token_hex(6)}.npy")
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        new_matrix(path, shape, np.float64)
        made: npt.NDArray[np.float64] = np.load(path, mmap_mode="r+")
        return made

    def resume(
        self,
        name: str,
        n: int,
        step: Callable[[range], npt.ArrayLike],
        *,
        row: tuple[int, ...] = (),
        at_once: int = 1,
        what: str = "",
    ) -> npt.NDArray[np.float64]:
        """Compute `n` rows a few at a time, going on after the rows that are kept already.

        Parameters
        ----------
        name
            Under which the rows are kept, all that are done after each step.
        n
            Rows. More may be asked for later; rows must not depend on their number.
        step
            From the numbers of some rows to their values, (len(rows), *row).
        row
            Shape of one row.
        at_once
            Rows of a step; must not change their values.
        what
            For the progress bar, instead of the name.

        Returns
        -------
        array of shape (n, *row)
        """
        done = self.load(name)
        rows = np.zeros((0, *row)) if done is None else done["rows"][:n]
        firsts = range(len(rows), n, at_once)
        for first in track(firsts, total=len(firsts), label=what or name, quiet=self.quiet):
            values = np.asarray(step(range(first, min(first + at_once, n))), np.float64)
            rows = np.concatenate([rows, values.reshape(-1, *row)])
            self.save(name, {"rows": rows})
        return np.asarray(rows, np.float64)

    def kept(self, name: str, kind: Callable[..., T], make: Callable[[], T]) -> T:
        """Return a dataclass of arrays, made by `make` if it is not there yet.

        Parameters
        ----------
        name
            Under which its arrays are kept.
        kind
            The dataclass.
        make
            Computes it.
        """
        arrays = self.load(name)
        if arrays is None:
            arrays = {key: np.asarray(value) for key, value in vars(make()).items()}
            self.save(name, arrays)
        return kind(**arrays)

    def save(self, name: str, arrays: Mapping[str, npt.ArrayLike]) -> None:
        """Keep named arrays at once; what had this name before is replaced."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **{k: np.asarray(v) for k, v in arrays.items()})
        write_bytes(self.path(f"{name}.npz"), buffer.getvalue())

    def load(self, name: str) -> dict[str, Array] | None:
        """Return the arrays kept by `save`; None if there are none, or the file is damaged."""
        try:
            with np.load(self.path(f"{name}.npz"), allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def checkpoint(self, name: str) -> FileCheckpoint:
        """Return where the state of one training run is kept."""
        return FileCheckpoint(self.path(f"{name}.pt"))

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _once(self, path: Path) -> Iterator[Path | None]:
        """Yield a name to write a file under that is then moved to `path`; None if it is there.

        Of several processes the first one makes the file, and the others wait for it.
        """
        if path.exists():
            yield None
            return
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with holding(path.with_name(f".{path.name}.lock")) as lock:
            if path.exists():
                yield None
                return
            suffix = "" if lock.is_exclusive else f"-{secrets.token_hex(6)}"
            part = path.with_name(f".{path.stem}{suffix}.part{path.suffix}")
            try:
                yield part
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)


@dataclasses.dataclass(frozen=True)
class FileCheckpoint:
    """The state of one training run in a file (see `bidsapp.models.training_loop.Checkpoint`).

    Attributes
    ----------
    path
        The file.
    """

    path: Path

    def load(self) -> dict[str, Any] | None:
        """Return the last state, on the CPU, or None.

        Raises
        ------
        InputInvalidError
            The file is no checkpoint, or cut off.
        """
        if not self.path.is_file():
            return None
        import torch

        try:
            state: dict[str, Any] = torch.load(self.path, weights_only=True, map_location="cpu")
        except (RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
            msg = f"{self.path}: cannot be read as a checkpoint; remove it to begin anew"
            raise InputInvalidError(msg) from error
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the state at once."""
        import torch

        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        write_bytes(self.path, buffer.getvalue())


def make_once(folder: Path, make: Callable[[Path], None]) -> None:
    """Have a folder filled unless it is there; a folder that is there is complete.

    Parameters
    ----------
    folder
        Where the result belongs. Of several processes the first one makes it, and the others
        wait for it.
    make
        Fills the empty folder it is given, which is then moved into place; if it fails, nothing
        is left.
    """
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with holding(folder.parent / f"{folder.name}.lock") as lock:
        if not folder.is_dir():
            _make(folder, make, alone=lock.is_exclusive)


def _make(folder: Path, make: Callable[[Path], None], *, alone: bool) -> None:
    """Fill a folder under another name and move it into place.

    Without locks several processes may do so at once: the first to end counts.
    """
    for leftover in folder.parent.glob(f".{folder.name}-*") if alone else ():
        shutil.rmtree(leftover, ignore_errors=True)
    partial = folder.with_name(f".{folder.name}-{secrets.token_hex(6)}")
    partial.mkdir()
    try:
        make(partial)
        if not folder.is_dir():
            partial.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
