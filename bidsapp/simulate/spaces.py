"""The three kinds of BOLD file that fMRIPrep writes, as lists of units with coordinates.

A *unit* is a voxel inside the brain mask or a vertex of the cortex. ``index`` says where each
unit sits in the flattened grid of the files (voxels in C order; vertices left then right), so
that truth, maps and BOLD can be matched without knowing how anyone else orders units.
"""

from __future__ import annotations

import gzip
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.affines import apply_affine

from bidsapp.resources import cortex_mask

Bulk = npt.NDArray[np.float32]
Namer = Callable[[dict[str, str], str, str], Path]

BASELINE = 1000.0
_STEP = 0.25  # BOLD is stored in steps of this size: 40 times below the noise, packs well

_COMPRESSION = 2
_GIFTI_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE GIFTI SYSTEM "http://www.nitrc.org/frs/download.php/115/gifti.dtd">
<GIFTI Version="1.0" NumberOfDataArrays="{n_trs}">
<MetaData>
<MD><Name>AnatomicalStructurePrimary</Name><Value>{structure}</Value></MD>
<MD><Name>TimeStep</Name><Value>{step_ms:f}</Value></MD>
</MetaData>
<LabelTable/>
"""
_ARRAY_HEAD = (
    '<DataArray Intent="NIFTI_INTENT_TIME_SERIES" DataType="NIFTI_TYPE_FLOAT32" '
    'ArrayIndexingOrder="RowMajorOrder" Dimensionality="1" Dim0="{n_vertices}" '
    'Encoding="GZipBase64Binary" Endian="LittleEndian" ExternalFileName="" '
    'ExternalFileOffset=""><MetaData/><Data>'
)
_ARRAY_TAIL = b"</Data></DataArray>\n"


class Space(Protocol):
    """What the simulation needs of a space."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def coordinates_mm(self) -> npt.NDArray[np.float64]: ...  # noqa: D102
    @property
    def index(self) -> npt.NDArray[np.int64]: ...  # noqa: D102
    @property
    def n_grid(self) -> int: ...  # noqa: D102

    def save(self, bold: Bulk, tr_s: float, namer: Namer) -> list[Path]:
        """Write (n_trs, n_units) BOLD to the files that `namer` names; return them."""
        ...


@dataclass(frozen=True)
class VolumeSpace:
    """Voxels of a brain mask.

    Attributes
    ----------
    name
        Template.
    mask
        (x, y, z) bool.
    affine
        Voxel to mm.
    resolution
        The ``res`` entity, if any.
    """

    name: str
    mask: npt.NDArray[np.bool_]
    affine: npt.NDArray[np.float64]
    resolution: str | None = None

    @property
    def index(self) -> npt.NDArray[np.int64]:
        """Flat C-order index of each unit."""
        return np.flatnonzero(self.mask.ravel())

    @property
    def n_grid(self) -> int:
        """Number of voxels of the grid."""
        return int(self.mask.size)

    @property
    def coordinates_mm(self) -> npt.NDArray[np.float64]:
        """(n_units, 3) template coordinates."""
        voxels = np.argwhere(self.mask)
        return np.asarray(apply_affine(self.affine, voxels), dtype=np.float64)

    def save(self, bold: Bulk, tr_s: float, namer: Namer) -> list[Path]:
        """Write int16 NIfTI and its mask."""
        entities = {"space": self.name} | ({"res": self.resolution} if self.resolution else {})
        path = namer({**entities, "desc": "preproc"}, "bold", ".nii.gz")
        self._write(path, np.rint(bold / _STEP).astype(np.int16), tr_s)
        mask = namer({**entities, "desc": "brain"}, "mask", ".nii.gz")
        self._write(mask, np.ones((1, self.mask.sum()), dtype=np.uint8), None)
        return [path, mask]

    def _write(self, path: Path, data: npt.NDArray[Any], tr_s: float | None) -> None:
        """Write (n_volumes, n_units) integers as they are, 3D without a TR."""
        header = nib.Nifti1Header()
        header.set_data_dtype(data.dtype)
        header.set_data_shape(self.mask.shape + ((len(data),) if tr_s else ()))
        header.set_sform(self.affine, code="mni")
        header.set_qform(self.affine, code="mni")
        header.set_xyzt_units("mm", "sec" if tr_s else None)
        header.set_zooms((*np.abs(np.diag(self.affine)[:3]), *((tr_s,) if tr_s else ())))
        header["scl_slope"], header["scl_inter"] = (_STEP if tr_s else 1.0), 0.0
        header["magic"], header["vox_offset"] = b"n+1", 352
        volume = np.zeros(self.mask.shape, dtype=data.dtype)
        with (
            path.open("wb") as raw,
            gzip.GzipFile("", "wb", compresslevel=_COMPRESSION, fileobj=raw, mtime=0) as file,
        ):
            file.write(header.binaryblock + b"\0" * 4)
            for units in data:
                volume[self.mask] = units
                file.write(volume.tobytes(order="F"))


@dataclass(frozen=True)
class GiftiSpace:
    """Cortical vertices of two hemispheres; the medial wall is zero in the files.

    Attributes
    ----------
    name
        As fMRIPrep spells it (``fsaverage5``).
    vertices_mm
        (n_left + n_right, 3).
    cortex
        (n_left + n_right,) bool.
    n_left
        Vertices of the left hemisphere.
    """

    name: str
    vertices_mm: npt.NDArray[np.float64]
    cortex: npt.NDArray[np.bool_]
    n_left: int

    @property
    def index(self) -> npt.NDArray[np.int64]:
        """Vertex number of each unit, left then right."""
        return np.flatnonzero(self.cortex)

    @property
    def n_grid(self) -> int:
        """Vertices of both hemispheres."""
        return len(self.cortex)

    @property
    def coordinates_mm(self) -> npt.NDArray[np.float64]:
        """(n_units, 3) coordinates on the white surface."""
        return self.vertices_mm[self.cortex]

    def save(self, bold: Bulk, tr_s: float, namer: Namer) -> list[Path]:
        """Write one ``.func.gii`` per hemisphere, one data array per volume."""
        full = np.zeros((len(bold), self.n_grid), dtype=np.float32)
        full[:, self.cortex] = np.rint(bold / _STEP) * _STEP
        halves = {"L": full[:, : self.n_left], "R": full[:, self.n_left :]}
        paths = []
        for hemisphere, data in halves.items():
            path = namer({"hemi": hemisphere, "space": self.name}, "bold", ".func.gii")
            path.write_bytes(_gifti(data, hemisphere, tr_s))
            paths.append(path)
        return paths


def _gifti(data: Bulk, hemisphere: str, tr_s: float) -> bytes:
    """Return (n_trs, n_vertices) as a GIFTI file, one array per volume.

    Source: GIFTI 1.0 (``GZipBase64Binary`` is base64 of a zlib stream). nibabel compresses at a
    level that takes seven times as long and saves 3 %.
    """
    structure = {"L": "CortexLeft", "R": "CortexRight"}[hemisphere]
    arrays = [
        b64encode(zlib.compress(volume.astype("<f4").tobytes(), _COMPRESSION)) for volume in data
    ]
    before = _ARRAY_HEAD.format(n_vertices=data.shape[1]).encode()
    head = _GIFTI_HEAD.format(n_trs=len(data), structure=structure, step_ms=1e3 * tr_s).encode()
    parts = [part for array in arrays for part in (before, array, _ARRAY_TAIL)]
    return b"".join([head, *parts, b"</GIFTI>\n"])


def mni_space(voxel_mm: int, name: str = "MNI152NLin2009cAsym") -> VolumeSpace:
    """Brain mask of the ICBM152 template that nilearn ships, at `voxel_mm` (isotropic)."""
    from nilearn.datasets import load_mni152_brain_mask

    image = load_mni152_brain_mask(resolution=voxel_mm)
    return VolumeSpace(name, np.asarray(image.dataobj) > 0, np.asarray(image.affine))


def template_space(name: str) -> VolumeSpace:
    """Brain mask on the 2 mm grid of TemplateFlow's templates (``res-2``: 97 × 115 × 97)."""
    from nilearn.datasets import load_mni152_brain_mask
    from nilearn.image import resample_img

    affine = np.array([[2.0, 0, 0, -96], [0, 2, 0, -132], [0, 0, 2, -78], [0, 0, 0, 1]])
    image = resample_img(
        load_mni152_brain_mask(resolution=2),
        target_affine=affine,
        target_shape=(97, 115, 97),
        interpolation="nearest",
    )
    return VolumeSpace(name, np.asarray(image.dataobj) > 0, affine, resolution="2")


def fsaverage5_space() -> GiftiSpace:
    """Return the fsaverage5 mesh that nilearn ships: 10 242 vertices in each hemisphere."""
    from nilearn.datasets import load_fsaverage

    parts = load_fsaverage("fsaverage5")["white_matter"].parts
    vertices = [np.asarray(parts[side].coordinates, dtype=np.float64) for side in parts]
    return GiftiSpace(
        "fsaverage5", np.concatenate(vertices), cortex_mask("fsaverage5"), len(vertices[0])
    )


def open_space(name: str, voxel_mm: int) -> Space:
    """Return ``fsaverage5``, or the brain of a volume template at `voxel_mm`."""
    return fsaverage5_space() if name == "fsaverage5" else mni_space(voxel_mm, name)
