"""Open BOLD images of the three kinds and stream them as time × units blocks.

No more of a file is in memory than asked for, and each file is read once: a gzipped volume in
slabs of volumes (one pass of decompression), a CIFTI file in slabs of grayordinates (time runs
fastest in it), a GIFTI file whole (its arrays are compressed XML).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import nibabel as nib
import numpy as np

from bidsapp.errors import InputInvalidError, InputMissingError, ResumableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bidsapp.bids.records import Run

_TAIL_BYTES = 1 << 20
#: Bytes one voxel of a slab needs while it is read: scaled float64, float32 copy, file bytes.
_SLAB_BYTES = 24


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of a run's time × units matrix.

    Attributes
    ----------
    rows, columns
        Where it belongs.
    values
        (n_rows, n_columns) float32.
    unsmoothed
        The same before smoothing, by which constant and missing units are recognised; the same
        array when nothing was smoothed.
    """

    rows: slice
    columns: slice
    values: NDArray[np.float32]
    unsmoothed: NDArray[np.float32]


def open_image(path: Path) -> Any:
    """Open an image without reading its data.

    Parameters
    ----------
    path
        NIfTI, GIFTI or CIFTI file.

    Returns
    -------
    nibabel.spatialimages.SpatialImage
        Neither memory-mapped nor cached; its file stays open, so that slices taken in order
        decompress it once.

    Raises
    ------
    InputMissingError
        The file is absent, a dangling annex link, or empty.
    InputInvalidError
        It is not a readable image.
    """
    check_present(path)
    try:
        if path.name.endswith(".gii"):
            return nib.load(path)
        return nib.load(path, mmap=False, keep_file_open=True)
    except Exception as error:
        raise unreadable(path, error) from error


def check_present(path: Path) -> None:
    """Refuse files without content.

    Parameters
    ----------
    path
        Any input file.

    Raises
    ------
    InputMissingError
        It is absent, a dangling link, or has 0 bytes.
    """
    if path.is_file() and path.stat().st_size > 0:
        return
    if path.is_file():
        what = "has 0 bytes"
    elif path.is_symlink():
        what = "is a link to content that is not here"
    else:
        what = "does not exist"
    msg = f"{path} {what}; fetch it (datalad get) or leave this run out."
    raise InputMissingError(msg)


def unreadable(path: Path, error: Exception) -> InputInvalidError:
    """Return the error of a file that is no readable image, with the library's reason."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    reason = reason.replace(", got 0 bytes from ", " and it ends before; ").rstrip("; ")
    msg = f"{path} cannot be read as an image ({reason}); fetch or convert it again."
    return InputInvalidError(msg)


def gifti_vertices(path: Path) -> int:
    """Count the vertices of a functional GIFTI by its first XML tags alone.

    Parameters
    ----------
    path
        ``.func.gii`` file.

    Returns
    -------
    int
        Length of the first data array.

    Raises
    ------
    InputMissingError, InputInvalidError
        As `open_image`.
    """
    check_present(path)
    try:
        for _, element in ET.iterparse(path, events=("start",)):
            if element.tag == "DataArray":
                return int(element.attrib["Dim0"])
    except (ET.ParseError, KeyError, ValueError) as error:
        raise unreadable(path, error) from error
    msg = f"{path} holds no data array; make it again or leave this run out."
    raise InputInvalidError(msg)


def read_gifti(path: Path) -> NDArray[np.float32]:
    """Time series of one hemisphere.

    Parameters
    ----------
    path
        ``.func.gii`` file.

    Returns
    -------
    (n_trs, n_vertices) array
        float32.

    Raises
    ------
    InputMissingError, InputInvalidError
        As `open_image`; also if volumes differ in their number of vertices.
    """
    arrays = [array.data for array in open_image(path).darrays]
    sizes = sorted({array.shape[0] for array in arrays})
    if len(sizes) > 1:
        msg = f"{path} holds arrays of {sizes[0]} to {sizes[-1]} vertices; fetch or make it again."
        raise InputInvalidError(msg)
    if len(arrays) == 1 and arrays[0].ndim == 2:
        return np.ascontiguousarray(arrays[0].T, dtype=np.float32)
    return np.stack(arrays).astype(np.float32, copy=False)


def stream_gifti(run: Run) -> Iterator[Block]:
    """Read a pair of hemispheres, left first.

    Parameters
    ----------
    run
        Of kind ``gifti``.

    Yields
    ------
    Block
        One hemisphere, all time points.
    """
    start = 0
    for path in run.bold:
        values = read_gifti(path)
        _check_length(path, values.shape[0], run)
        columns = slice(start, start + values.shape[1])
        yield Block(slice(0, values.shape[0]), columns, values, values)
        start = columns.stop


def stream_cifti(run: Run, memory_bytes: int) -> Iterator[Block]:
    """Read a dense time series in slabs of grayordinates.

    Parameters
    ----------
    run
        Of kind ``cifti``.
    memory_bytes
        Bound on what is held at once.

    Yields
    ------
    Block
        All time points of some grayordinates.
    """
    data = open_image(run.bold[0]).dataobj
    n_trs, n_units = data.shape
    _check_length(run.bold[0], n_trs, run)
    step = max(1, min(n_units, memory_bytes // (_SLAB_BYTES * n_trs)))
    for start in range(0, n_units, step):
        columns = slice(start, min(start + step, n_units))
        values = read_slab(run.bold[0], data, (slice(None), columns))
        yield Block(slice(0, n_trs), columns, values, values)


def stream_volume(
    run: Run, mask: NDArray[np.bool_], memory_bytes: int, smoothing_fwhm_mm: float
) -> Iterator[Block]:
    """Read a 4D volume in slabs of time.

    Parameters
    ----------
    run
        Of kind ``volume``.
    mask
        (x, y, z); the units are its True voxels in C order.
    memory_bytes
        Bound on what is held at once.
    smoothing_fwhm_mm
        Full width at half maximum of a Gaussian, in mm; 0 for no smoothing. Voxels that are
        not finite stay so.

    Yields
    ------
    Block
        All units of some volumes.

    Raises
    ------
    ResumableError
        Not even one volume fits the bound.
    """
    path = run.bold[0]
    image = open_image(path)
    x, y, z, n_trs = image.shape
    _check_length(path, n_trs, run)
    voxel_bytes = _SLAB_BYTES * (3 if smoothing_fwhm_mm else 1)
    step = min(n_trs, memory_bytes // (voxel_bytes * x * y * z))
    if step < 1:
        need = voxel_bytes * x * y * z
        msg = f"{path} needs {need / 2**20:.0f} MiB for one volume; give more with --mem."
        raise ResumableError(msg)
    positions = flat_positions(mask)
    for start in range(0, n_trs, step):
        rows = slice(start, min(start + step, n_trs))
        slab = read_slab(path, image.dataobj, (Ellipsis, rows))
        raw = take_units(slab, positions)
        values = raw
        if smoothing_fwhm_mm:
            smooth = _smooth(slab, image.affine, smoothing_fwhm_mm)
            values = np.where(np.isfinite(raw), take_units(smooth, positions), np.nan)
        yield Block(rows, slice(0, positions.size), values, raw)
    _check_sum(path, image)


def _check_sum(path: Path, image: Any) -> None:
    """Read a gzipped file to its end, where its checksum stands, which nibabel never reaches.

    Raises
    ------
    InputInvalidError
        The checksum is not that of the data.
    """
    if path.suffix != ".gz":
        return
    try:
        with image.dataobj._get_fileobj() as file:
            while file.read(_TAIL_BYTES):
                pass
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise unreadable(path, error) from error


def flat_positions(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where the units lie in a Fortran-ordered volume (as NIfTI stores it).

    Parameters
    ----------
    mask
        (x, y, z).

    Returns
    -------
    (n_units,) array
        Positions in Fortran order of the voxels that are True, listed in C order.
    """
    return np.ravel_multi_index(np.nonzero(mask), mask.shape, order="F")


def take_units(slab: NDArray[np.float32], positions: NDArray[np.intp]) -> NDArray[np.float32]:
    """Bring a slab of volumes into time × units.

    Parameters
    ----------
    slab
        (x, y, z, n).
    positions
        As `flat_positions` gives them.

    Returns
    -------
    (n, n_units) array
        float32.
    """
    flat = slab.T.reshape(slab.shape[-1], -1)
    return np.take(flat, positions, axis=1)


def _check_length(path: Path, n_trs: int, run: Run) -> None:
    if n_trs != run.n_trs:
        msg = f"{path} has {n_trs} volumes where {run.n_trs} were expected; leave this run out."
        raise InputInvalidError(msg)


def _smooth(
    slab: NDArray[np.float32], affine: NDArray[np.float64], fwhm_mm: float
) -> NDArray[np.float32]:
    from nilearn.image import smooth_img

    smooth = smooth_img(nib.Nifti1Image(slab, affine), fwhm_mm)
    return np.asarray(smooth.dataobj, dtype=np.float32)


def read_slab(
    path: Path, data: Any, index: Any = ..., *, dtype: type = np.float32
) -> NDArray[Any]:
    """Read a part of an image's data.

    Parameters
    ----------
    path
        Of the image, for messages.
    data
        ``dataobj`` of an image.
    index
        Which part; all of it by default.
    dtype
        Of the result.

    Raises
    ------
    InputInvalidError
        The data are truncated or damaged.
    """
    try:
        return np.asarray(data[index], dtype=dtype)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise unreadable(path, error) from error
