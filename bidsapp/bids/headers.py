"""Number of volumes and repetition time from image headers, without reading image data."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bidsapp.bids.records import ImageKind, Problem, Run

_GIFTI_HEAD_BYTES = 65536
_POINTER_BYTES = 1024
#: no fMRI volume takes longer: larger zooms are milliseconds under a wrong unit
_LONGEST_TR_S = 100.0
_UNIT_S = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_CIFTI_UNIT_S = {"SECOND": 1.0, "MILLISECOND": 1e-3}


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Number of volumes, and seconds between them if the header says so."""

    n_trs: int
    tr_s: float | None


NO_CONTENT = (
    "has 0 bytes",
    "is a git-annex pointer without content",
    "is a link whose target is absent (git-annex?)",
)
"""What is wrong with files whose content was not fetched yet."""


def content_problem(path: Path) -> Problem | None:
    """Return what keeps a data file from being read: absent, dangling, empty, a pointer."""
    fetch = f"fetch its content with `datalad get {path}`"
    try:
        size = path.stat().st_size
        if size == 0:
            return Problem(path, NO_CONTENT[0], fetch)
        if size < _POINTER_BYTES and path.read_bytes().startswith(b"/annex/objects/"):
            return Problem(path, NO_CONTENT[1], fetch)
    except FileNotFoundError:
        if path.is_symlink():
            return Problem(path, NO_CONTENT[2], fetch)
        return Problem(path, "does not exist", "restore the file")
    except OSError as error:
        return Problem(path, f"cannot be read ({error})", "check permissions and mounts")
    return None


def time_axis(path: Path, kind: ImageKind) -> TimeAxis | Problem:
    """Return the time axis of a BOLD file from its header.

    Parameters
    ----------
    path
        NIfTI, GIFTI or CIFTI.
    kind
        Which of them.
    """
    problem = content_problem(path)
    if problem:
        return problem
    readers = {"volume": _volume, "gifti": _gifti, "cifti": _cifti}
    try:
        axis = readers[kind](path)
    except Exception as error:  # every library that reads headers has exceptions of its own
        return Problem(path, f"has no readable header ({error})", "restore or convert the file")
    if axis.n_trs < 2:
        what = f"holds {axis.n_trs} volume, not a time series"
        return Problem(path, what, "leave it out with --bids-filter-file")
    return axis


def _volume(path: Path) -> TimeAxis:
    import nibabel as nib

    header: Any = nib.load(path).header
    shape = header.get_data_shape()
    if len(shape) < 4:
        return TimeAxis(1, None)
    return TimeAxis(
        int(shape[3]), seconds(float(header.get_zooms()[3]), header.get_xyzt_units()[1])
    )


def n_units(run: Run) -> int:
    """Return how many vertices, grayordinates or voxels of the brain a run has, from headers.

    Parameters
    ----------
    run
        A run of any kind.

    Raises
    ------
    ValueError
        A header does not say it.
    """
    if run.kind == "volume":
        return n_mask_voxels(run)
    if run.kind == "cifti":
        from nibabel.nifti2 import Nifti2Header

        with run.bold[0].open("rb") as file:
            header: Any = Nifti2Header.from_fileobj(file, check=False)
        return int(header["dim"][6])
    return sum(vertex_counts(run.bold))


def vertex_counts(images: Iterable[Path]) -> tuple[int, ...]:
    """Return the vertices of each GIFTI file, from the first tags of its XML.

    Raises
    ------
    ValueError
        A header does not say it.
    """
    counts = []
    for path in images:
        with path.open("rb") as file:
            head = file.read(_GIFTI_HEAD_BYTES).decode("utf-8", errors="replace")
        counts.append(int(_required(r'<DataArray\b[^>]*?\bDim0\s*=\s*"(\d+)"', head)[1]))
    return tuple(counts)


def n_mask_voxels(run: Run) -> int:
    """Return how many voxels the brain mask of a volume run has.

    Without a readable mask it is the whole grid: an upper bound.

    Parameters
    ----------
    run
        A run in volume space.
    """
    import nibabel as nib
    import numpy as np

    if run.mask is not None and content_problem(run.mask) is None:
        with contextlib.suppress(Exception):  # as many as the libraries that read images have
            mask: Any = nib.load(run.mask)
            return int(np.count_nonzero(np.asanyarray(mask.dataobj)))
    header: Any = nib.load(run.bold[0]).header
    return int(np.prod(header.get_data_shape()[:3]))


def seconds(zoom: float, unit: str) -> float | None:
    """Return the fourth zoom of a NIfTI header in seconds; None if it says nothing.

    Headers that declare seconds but hold milliseconds are common: what is longer than any
    repetition time is taken for milliseconds.

    Parameters
    ----------
    zoom
        As stored.
    unit
        ``sec``, ``msec``, ``usec`` or ``unknown``.
    """
    value = zoom * _UNIT_S.get(unit, 1.0)
    if value > _LONGEST_TR_S and unit in ("sec", "unknown"):
        value /= 1000.0
    return value if value > 0 else None


def _gifti(path: Path) -> TimeAxis:
    with path.open("rb") as file:
        head = file.read(_GIFTI_HEAD_BYTES).decode("utf-8", errors="replace")
    n_arrays = int(_required(r'NumberOfDataArrays\s*=\s*"(\d+)"', head)[1])
    if n_arrays == 1:  # all volumes in one matrix
        columns = re.search(r'<DataArray\b[^>]*?\bDim1\s*=\s*"(\d+)"', head)
        return TimeAxis(int(columns[1]) if columns else 1, None)
    return TimeAxis(n_arrays, None)


def _required(pattern: str, text: str) -> re.Match[str]:
    match = re.search(pattern, text)
    if match is None:
        msg = f"nothing matches {pattern}"
        raise ValueError(msg)
    return match


def _cifti(path: Path) -> TimeAxis:
    from nibabel.nifti2 import Nifti2Header

    with path.open("rb") as file:
        header: Any = Nifti2Header.from_fileobj(file, check=False)
        file.seek(0)
        head = file.read(int(header["vox_offset"])).decode("utf-8", errors="replace")
    series = _required(r"<MatrixIndicesMap\b[^>]*CIFTI_INDEX_TYPE_SERIES[^>]*>", head)[0]
    n_trs = int(_required(r'NumberOfSeriesPoints\s*=\s*"(\d+)"', series)[1])
    step = re.search(r'SeriesStep\s*=\s*"([-+.\deE]+)"', series)
    exponent = re.search(r'SeriesExponent\s*=\s*"(-?\d+)"', series)
    unit = re.search(r'SeriesUnit\s*=\s*"(\w+)"', series)
    if step is None or (unit and unit[1] not in _CIFTI_UNIT_S):
        return TimeAxis(n_trs, None)
    value = float(step[1]) * 10.0 ** int(exponent[1] if exponent else 0)
    return TimeAxis(n_trs, seconds(value * _CIFTI_UNIT_S[unit[1] if unit else "SECOND"], "sec"))
