"""Files written at once, byte for byte the same every time.

Readers see the old content or the new, never a part. Missing values are ``n/a`` in tables, null
in JSON, NaN in images; gzipped files hold neither a time nor a name.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import math
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from bidsapp.bids.locks import lock_folder
from bidsapp.errors import InputInvalidError, OutputError

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

Row = Mapping[str, object]


@contextlib.contextmanager
def output_lock(output_dir: Path) -> Iterator[None]:
    """Hold the lock of the files that all jobs share (``dataset_description.json``, ...)."""
    with output_errors(output_dir):
        output_dir.mkdir(parents=True, exist_ok=True)
        lock = lock_folder(output_dir, spare_lock(output_dir, "output"), wait=True)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def spare_lock(output_dir: Path, name: str) -> Path:
    """Return the lock file of an output folder where folders cannot be locked."""
    return output_dir / "logs" / "locks" / f"{name}.lock"


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
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
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


def write_tsv_gz(path: Path, values: Iterable[Iterable[float]]) -> None:
    """Write a continuous recording: gzipped columns without header, time and name left out.

    Parameters
    ----------
    path
        ``.tsv.gz``; the sidecar has to list the columns.
    values
        (n_samples, n_columns).
    """
    text = "".join("\t".join(map(_cell, row)) + "\n" for row in values)
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


def new_matrix(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """Make a ``.npy`` of zeros to be mapped, with all its room on disk taken now.

    A mapped file that has no room kills the process that writes to it.

    Parameters
    ----------
    path
        New file.
    shape, dtype
        As for numpy.

    Raises
    ------
    OutputError
        The disk is full, or the file cannot be written.
    """
    import numpy as np

    with output_errors(path):
        np.lib.format.open_memmap(path, "w+", dtype, shape).flush()
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def inside(relative: str) -> str:
    """Return a POSIX path relative to the output folder, made clean.

    Raises
    ------
    InputInvalidError
        It leads out of the folder.
    """
    clean = PurePosixPath(relative)
    if clean.is_absolute() or ".." in clean.parts or not clean.parts or "\0" in relative:
        msg = f"{relative!r} is not a path inside the output folder"
        raise InputInvalidError(msg)
    return clean.as_posix()


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
