"""Small writers of the simulated tree: JSON, TSV, gzipped TSV and a tiny raw BOLD."""

from __future__ import annotations

import gzip
import json
import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt


@contextmanager
def whole_or_absent(folder: Path) -> Iterator[Path]:
    """Yield a folder to write to; what is in it appears in `folder` when all is written.

    Parameters
    ----------
    folder
        Where the dataset is to be. Where writing fails it is left as it was: absent, or without
        what was written.
    """
    existed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
    try:
        yield part
        last = "dataset_description.json"  # what makes it a dataset
        for path in sorted(part.iterdir(), key=lambda path: (path.name == last, path.name)):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if not existed and not any(folder.iterdir()):
            folder.rmdir()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content`, indented."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


def write_tsv(path: Path, columns: Mapping[str, Iterable[Any]]) -> None:
    """Write a table with a header; NaN and None become ``n/a``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = zip(*columns.values(), strict=True)
    lines = ["\t".join(columns), *("\t".join(map(_cell, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def write_tsv_gz(path: Path, columns: npt.NDArray[np.float64]) -> None:
    """Write (n_samples, n_columns) without a header, gzipped without name and time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join("\t".join(map(_cell, row)) + "\n" for row in columns)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        file.write(text.encode())


def write_tiny_bold(path: Path, n_trs: int, tr_s: float, seed: Sequence[int]) -> None:
    """Write a 4 × 4 × 4 stand-in for raw BOLD with a true header (volumes and TR)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(seed).integers(900, 1100, (4, 4, 4, n_trs)).astype(np.int16)
    image = nib.Nifti1Image(data, np.diag([48.0, 48.0, 48.0, 1.0]))
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((48.0, 48.0, 48.0, tr_s))
    nib.save(image, path)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return "n/a"
    if isinstance(value, float | np.floating):
        return f"{value:.7g}"
    return str(value)
