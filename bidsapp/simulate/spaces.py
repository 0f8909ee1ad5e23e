"""The three kinds of BOLD file that fMRIPrep writes, as lists of units with coordinates.

A *unit* is a voxel inside the brain mask or a vertex of the cortex. ``index`` says where each
unit sits in the flattened grid of the files (voxels in C order; vertices left then right), so
that truth, maps and BOLD can be matched without knowing how anyone else orders units.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bidsapp.brain.untyped import nib

Floats = npt.NDArray[np.float32]
Namer = Callable[[dict[str, str], str, str], Path]

BASELINE = 1000.0
_STEP = 0.25  # BOLD is stored in steps of this size: 40 times below the noise, packs well


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

    def save(self, bold: Floats, tr_s: float, namer: Namer) -> list[Path]:
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
        return np.asarray(nib.affines.apply_affine(self.affine, voxels), dtype=np.float64)

    def save(self, bold: Floats, tr_s: float, namer: Namer) -> list[Path]:
        """Write int16 NIfTI and its mask."""
        entities = {"space": self.name} | ({"res": self.resolution} if self.resolution else {})
        steps = np.zeros((*self.mask.shape, len(bold)), dtype=np.int16)
        steps[self.mask] = np.rint(bold.T / _STEP).astype(np.int16)
        path = namer({**entities, "desc": "preproc"}, "bold", ".nii.gz")
        self._write(path, steps, tr_s, slope=_STEP)
        mask = namer({**entities, "desc": "brain"}, "mask", ".nii.gz")
        self._write(mask, self.mask.astype(np.uint8), None, slope=None)
        return [path, mask]

    def _write(
        self, path: Path, data: npt.NDArray[Any], tr_s: float | None, slope: float | None
    ) -> None:
        """Write integers as they are, with the slope in the header."""
        header: Any = nib.Nifti1Header()
        header.set_data_dtype(data.dtype)
        header.set_data_shape(data.shape)
        header.set_sform(self.affine, code="mni")
        header.set_qform(self.affine, code="mni")
        header.set_xyzt_units("mm", "sec" if tr_s else None)
        zooms = tuple(np.abs(np.diag(self.affine)[:3]))
        header.set_zooms(zooms + ((tr_s,) if tr_s else ()))
        header["scl_slope"], header["scl_inter"] = (slope or 1.0), 0.0
        header["magic"], header["vox_offset"] = b"n+1", 352
        with (
            path.open("wb") as raw,
            gzip.GzipFile("", "wb", compresslevel=4, fileobj=raw, mtime=0) as file,
        ):
            file.write(header.binaryblock + b"\0" * 4)
            file.write(data.tobytes(order="F"))


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

    def save(self, bold: Floats, tr_s: float, namer: Namer) -> list[Path]:
        """Write one ``.func.gii`` per hemisphere, one data array per volume."""
        full = np.zeros((len(bold), self.n_grid), dtype=np.float32)
        full[:, self.cortex] = np.rint(bold / _STEP) * _STEP
        halves = {"L": full[:, : self.n_left], "R": full[:, self.n_left :]}
        paths = []
        for hemisphere, data in halves.items():
            path = namer({"hemi": hemisphere, "space": self.name}, "bold", ".func.gii")
            image: Any = _gifti(data, hemisphere, tr_s)
            path.write_bytes(image.to_bytes())
            paths.append(path)
        return paths


def _gifti(data: Floats, hemisphere: str, tr_s: float) -> Any:
    structure = {"L": "CortexLeft", "R": "CortexRight"}[hemisphere]
    meta = nib.gifti.GiftiMetaData(
        {"AnatomicalStructurePrimary": structure, "TimeStep": f"{1e3 * tr_s:f}"}
    )
    arrays = [
        nib.gifti.GiftiDataArray(
            np.ascontiguousarray(volume),
            intent="NIFTI_INTENT_TIME_SERIES",
            datatype="NIFTI_TYPE_FLOAT32",
            encoding="GIFTI_ENCODING_B64GZ",
        )
        for volume in data
    ]
    return nib.gifti.GiftiImage(meta=meta, darrays=arrays)


def mni_space(voxel_mm: int, name: str = "MNI152NLin2009cAsym") -> VolumeSpace:
    """Brain mask of the ICBM152 template that nilearn ships, at `voxel_mm` (isotropic)."""
    from nilearn.datasets import load_mni152_brain_mask

    image = load_mni152_brain_mask(resolution=voxel_mm)
    return VolumeSpace(name, np.asarray(image.dataobj) > 0, np.asarray(image.affine))


def fsaverage5_space() -> GiftiSpace:
    """Return the fsaverage5 mesh that nilearn ships: 10 242 vertices in each hemisphere."""
    from nilearn.datasets import fetch_surf_fsaverage
    from nilearn.surface import load_surf_mesh

    surfaces = fetch_surf_fsaverage("fsaverage5")
    vertices, cortex = [], []
    for side in ("left", "right"):
        white = load_surf_mesh(surfaces[f"white_{side}"])
        flat = load_surf_mesh(surfaces[f"flat_{side}"])
        vertices.append(np.asarray(white.coordinates, dtype=np.float64))
        cortex.append(_cortex(np.asarray(white.faces), np.asarray(flat.faces)))
    return GiftiSpace(
        "fsaverage5", np.concatenate(vertices), np.concatenate(cortex), len(vertices[0])
    )


def _cortex(faces: npt.NDArray[Any], flat_faces: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """All but the medial wall: the largest patch that the flattened cortex leaves out."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_vertices = int(faces.max()) + 1
    left_out = np.ones(n_vertices, dtype=bool)
    left_out[np.unique(flat_faces)] = False
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = edges[left_out[edges].all(axis=1)]
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(n_vertices, n_vertices))
    _, label = connected_components(graph, directed=False)
    wall = label == np.bincount(label[left_out]).argmax()
    return np.asarray(~wall, dtype=np.bool_)
