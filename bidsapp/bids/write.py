"""The only writer of results: complete or absent, byte for byte the same every time.

A unit of work (one participant, one group) writes into ``OUTPUT/.staging-<unit>/`` under the names
its files will have. `Staging.publish` then renames them into place. A run that is killed while it
works leaves a staging folder, which the next run removes; one that is killed while it publishes
leaves a journal, and the next run finishes the renames. Participants do not touch each other.

Missing values are ``n/a`` in tables, ``null`` in JSON, NaN in images.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import io
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bidsapp.bids.names import check_label
from bidsapp.errors import InputInvalidError, OutputError

if TYPE_CHECKING:
    import pandas as pd

_PREFIX = ".staging-"
_JOURNAL = ".publish"
Row = Mapping[str, object]


class Staging:
    """Files of one unit of work that appear together or not at all.

    Use it as a context; without `publish` nothing appears.

    Parameters
    ----------
    output_dir
        Output folder; it is made if absent.
    unit
        Name of the unit, letters and digits and ``+-_``, for example ``sub-01_gradients``.

    Raises
    ------
    OutputError
        The folder cannot be written, or another process works on the same unit.
    """

    def __init__(self, output_dir: Path, unit: str) -> None:
        for part in unit.replace("_", "-").split("-"):
            check_label("unit", part)
        self.output_dir = output_dir
        self.unit = unit
        self.folder = output_dir / f"{_PREFIX}{unit}"
        self._lock: int | None = None
        self._published = False

    def __enter__(self) -> Self:
        with output_errors(self.output_dir):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self.folder, wait=False)
            if self._lock is None:
                msg = (
                    f"another process is writing {self.unit} into {self.output_dir}; "
                    "wait for it, or choose another output folder"
                )
                raise OutputError(msg)
            _roll_forward(self.folder, self.output_dir)
            _empty(self.folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def path(self, relative: str) -> Path:
        """Return where to write the file that will be ``OUTPUT/relative``.

        Raises
        ------
        InputInvalidError
            The path leads out of the output folder.
        """
        clean = _inside(relative)
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

    def publish(self, *, last: Sequence[str] = (), replaces: Sequence[str] = ()) -> list[str]:
        """Move every file into place and return their names.

        Parameters
        ----------
        last
            Files that go last: whoever sees them knows that the others are there.
        replaces
            Files of an earlier result, relative to the output folder, that are removed unless
            they are written anew.
        """
        files = self.files()
        ordered = [name for name in files if name not in last] + [
            name for name in last if name in files
        ]
        stale = sorted({_inside(name) for name in replaces} - set(files))
        with output_errors(self.output_dir):
            # from here on the result is complete: who finds the journal finishes the renames
            write_json(self.folder / _JOURNAL, {"remove": stale, "move": ordered})
            _roll_forward(self.folder, self.output_dir)
        self._published = True
        return ordered


def clean_leftovers(output_dir: Path) -> list[str]:
    """Finish or remove what killed runs left behind; units that others work on are left alone.

    Returns
    -------
    list of str
        Names of the units that were cleaned up.
    """
    cleaned = []
    for folder in sorted(output_dir.glob(f"{_PREFIX}*")):
        with output_errors(folder):
            lock = _lock(folder, wait=False)
            if lock is None:
                continue
            _roll_forward(folder, output_dir)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
        cleaned.append(folder.name.removeprefix(_PREFIX))
    return cleaned


@contextlib.contextmanager
def output_lock(output_dir: Path) -> Iterator[None]:
    """Hold the lock of the files that all units share (``dataset_description.json``, ...)."""
    with output_errors(output_dir):
        output_dir.mkdir(parents=True, exist_ok=True)
        lock = _lock(output_dir, wait=True)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


@contextlib.contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn a refusal of the file system into an `OutputError` that names the file."""
    try:
        yield
    except OSError as error:
        msg = f"{error.filename or path} cannot be written ({error.strerror or error}); "
        raise OutputError(msg + "check permissions, mounts and free space") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file at once: readers see the old content or the new, never a part."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text at once."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON object; NaN and infinities become null, arrays lists, paths text."""
    text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_tsv(
    path: Path, rows: Iterable[Row] | pd.DataFrame, columns: Sequence[str] | None = None
) -> None:
    """Write a table with a header; missing values are ``n/a``.

    Parameters
    ----------
    path
        ``.tsv``.
    rows
        Mappings from column to cell, or a table of pandas.
    columns
        Names in order; None for those of the first row.
    """
    records = _records(rows)
    names = list(columns if columns is not None else (records[0] if records else ()))
    lines = ["\t".join(names), *("\t".join(_cell(row.get(c)) for c in names) for row in records)]
    write_text(path, "\n".join(lines) + "\n")


def write_tsv_gz(path: Path, columns: Mapping[str, Iterable[float]]) -> None:
    """Write a continuous recording: gzipped columns without header, time and name left out.

    Parameters
    ----------
    path
        ``.tsv.gz``; the sidecar has to list the columns.
    columns
        Name to samples, all of one length.
    """
    lines = ("\t".join(map(_cell, row)) for row in zip(*columns.values(), strict=True))
    text = "".join(f"{line}\n" for line in lines)
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write(text.encode())
    write_bytes(path, buffer.getvalue())


def write_image(path: Path, image: Any) -> None:
    """Write an image of nibabel; gzipped ones without time and name.

    Parameters
    ----------
    path
        Its extension says the format (``.nii.gz``, ``.func.gii``, ``.dscalar.nii``).
    image
        ``nibabel`` image of that format.
    """
    data = image.to_bytes()
    if path.suffix == ".gz":
        data = gzip.compress(data, compresslevel=6, mtime=0)
    write_bytes(path, data)


def _inside(relative: str) -> str:
    clean = PurePosixPath(relative)
    if clean.is_absolute() or ".." in clean.parts or not clean.parts or "\0" in relative:
        msg = f"{relative!r} is not a path inside the output folder"
        raise InputInvalidError(msg)
    return clean.as_posix()


def _lock(folder: Path, *, wait: bool) -> int | None:
    """Lock a folder itself, so that no lock file stays; None if another process holds it.

    The kernel releases the lock when a process dies. File systems without locks are used
    unlocked.
    """
    while True:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            return handle
        try:
            if os.fstat(handle).st_ino == folder.stat().st_ino:
                return handle
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
        os.close(handle)  # its owner removed the folder while we waited


def _roll_forward(folder: Path, output_dir: Path) -> None:
    """Finish the renames of a journal, if there is one; safe to repeat."""
    journal = folder / _JOURNAL
    if not journal.exists():
        return
    plan = json.loads(journal.read_text("utf-8"))
    for name in plan["remove"]:
        (output_dir / name).unlink(missing_ok=True)
    for name in plan["move"]:
        source, target = folder / name, output_dir / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
    journal.unlink()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _records(rows: Iterable[Row] | pd.DataFrame) -> list[Row]:
    to_dict = getattr(rows, "to_dict", None)
    if to_dict is not None:
        records: list[Row] = to_dict(orient="records")
        return records
    return list(rows)  # type: ignore[arg-type]


def _cell(value: object) -> str:
    plain = _plain(value)
    if plain is None:
        return "n/a"
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, list):
        return "|".join(map(_cell, plain))
    return " ".join(str(plain).split()) if isinstance(plain, str) else repr(plain)


def _plain(value: object) -> Any:
    """Return a value as JSON knows it; numbers of numpy keep the digits of their own type."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) or (hasattr(value, "dtype") and not hasattr(value, "__len__")):
        return _number(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    to_list = getattr(value, "tolist", None)
    items = to_list() if to_list is not None else value
    if isinstance(items, Iterable):
        return [_plain(item) for item in items]
    if items is not value:
        return _plain(items)
    return None if str(value) in ("<NA>", "NaT") else str(value)


def _number(value: Any) -> float | int | bool | None:
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    if kind == "b":
        return bool(value)
    if kind in "iu":
        return int(value)
    if math.isnan(value) or math.isinf(value):
        return None
    # shortest text that gives the same float32, not the digits of its double
    return float(str(value)) if getattr(value, "itemsize", 8) < 8 else float(value)
