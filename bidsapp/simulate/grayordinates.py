"""The fsLR-91k space of CIFTI files: cortex of two hemispheres and nineteen boxes of voxels.

The counts are those of the real space (29 696 + 29 716 vertices and 31 870 voxels), so files have
the size of real ones. Cortex comes from the shipped mesh, whose medial wall is drawn a little
wider: the missing vertices are those nearest to cortex. Each subcortical structure is a blob of
the right number of voxels around its centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.affines import apply_affine

from bidsapp.resources import N_VERTICES, cortex_mask, fslr_midthickness
from bidsapp.simulate.spaces import Bulk, Namer

_SIDES = ("LEFT", "RIGHT")
_N_CORTEX = (29_696, 29_716)
_GRID = (91, 109, 91)
_AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])

#: Structure, number of voxels in the 91k space, and a point within it (MNI, mm).
#: Source: brain models of the Human Connectome Project's 91k grayordinates.
_STRUCTURES: tuple[tuple[str, int, tuple[float, float, float]], ...] = (
    ("ACCUMBENS_LEFT", 135, (-9, 12, -7)),
    ("ACCUMBENS_RIGHT", 140, (9, 12, -7)),
    ("AMYGDALA_LEFT", 315, (-23, -5, -18)),
    ("AMYGDALA_RIGHT", 332, (23, -4, -18)),
    ("BRAIN_STEM", 3472, (0, -29, -32)),
    ("CAUDATE_LEFT", 728, (-13, 11, 10)),
    ("CAUDATE_RIGHT", 755, (14, 11, 10)),
    ("CEREBELLUM_LEFT", 8709, (-24, -64, -36)),
    ("CEREBELLUM_RIGHT", 9144, (24, -64, -36)),
    ("DIENCEPHALON_VENTRAL_LEFT", 706, (-10, -16, -9)),
    ("DIENCEPHALON_VENTRAL_RIGHT", 712, (10, -16, -9)),
    ("HIPPOCAMPUS_LEFT", 764, (-26, -23, -14)),
    ("HIPPOCAMPUS_RIGHT", 795, (27, -22, -14)),
    ("PALLIDUM_LEFT", 297, (-20, -5, -1)),
    ("PALLIDUM_RIGHT", 260, (20, -4, -1)),
    ("PUTAMEN_LEFT", 1060, (-25, 2, 0)),
    ("PUTAMEN_RIGHT", 1010, (26, 2, 0)),
    ("THALAMUS_LEFT", 1288, (-11, -19, 7)),
    ("THALAMUS_RIGHT", 1248, (11, -18, 7)),
)


@dataclass(frozen=True)
class CiftiSpace:
    """fsLR-91k. The units are all grayordinates, in file order."""

    name: str = "fsLR"

    @cached_property
    def axis(self) -> Any:
        """Return the `nibabel.cifti2.BrainModelAxis` of the files."""
        cortex, voxels = _cortices(), _blobs()
        n_voxels = sum(map(len, voxels.values()))
        names, counts = [*cortex, *voxels], [len(x) for x in (*cortex.values(), *voxels.values())]
        return nib.cifti2.BrainModelAxis(
            name=np.repeat(names, counts),
            vertex=np.concatenate([*cortex.values(), np.full(n_voxels, -1)]),
            voxel=np.concatenate([np.full((sum(_N_CORTEX), 3), -1), *voxels.values()]),
            affine=_AFFINE,
            volume_shape=_GRID,
            nvertices=dict.fromkeys(cortex, N_VERTICES["fsLR32k"]),
        )

    @cached_property
    def coordinates_mm(self) -> npt.NDArray[np.float64]:
        """(91 282, 3) midthickness vertices and voxel centres."""
        (left, _), (right, _) = fslr_midthickness()
        vertex, n_left = self.axis.vertex, _N_CORTEX[0]
        n_cortex = sum(_N_CORTEX)
        return np.concatenate(
            [
                left[vertex[:n_left]],
                right[vertex[n_left:n_cortex]],
                apply_affine(_AFFINE, self.axis.voxel[n_cortex:]),
            ]
        )

    @property
    def index(self) -> npt.NDArray[np.int64]:
        """All grayordinates."""
        return np.arange(self.n_grid)

    @property
    def n_grid(self) -> int:
        """Number of grayordinates."""
        return len(self.axis)

    def save(self, bold: Bulk, tr_s: float, namer: Namer) -> list[Path]:
        """Write int16 ``.dtseries.nii``."""
        series = nib.cifti2.SeriesAxis(0.0, tr_s, len(bold), "SECOND")
        image = nib.Cifti2Image(np.rint(bold).astype(np.int16), (series, self.axis))
        image.nifti_header.set_data_dtype(np.int16)
        path = namer({"space": self.name, "den": "91k"}, "bold", ".dtseries.nii")
        nib.save(image, path)
        return [path]


def _cortices() -> dict[str, npt.NDArray[np.int64]]:
    """Vertices of either hemisphere: the shipped cortex and the nearest ones of its wall."""
    from scipy.spatial import cKDTree

    chosen = {}
    halves = np.split(cortex_mask("fsLR32k"), 2)
    surfaces = fslr_midthickness()
    for side, count, cortex, surface in zip(_SIDES, _N_CORTEX, halves, surfaces, strict=True):
        wall = np.flatnonzero(~cortex)
        distance, _ = cKDTree(surface[0][cortex]).query(surface[0][wall])
        added = wall[np.argsort(distance, kind="stable")[: count - int(cortex.sum())]]
        chosen[f"CORTEX_{side}"] = np.sort(np.concatenate([np.flatnonzero(cortex), added]))
    return chosen


def _blobs() -> dict[str, npt.NDArray[np.int64]]:
    """Voxels of each structure: the nearest to its centre that are still free."""
    grid = np.argwhere(np.ones(_GRID, dtype=bool))
    places = apply_affine(_AFFINE, grid)
    free = np.ones(len(grid), dtype=bool)
    chosen = {}
    for structure, count, centre in _STRUCTURES:
        distance = np.where(free, ((places - np.array(centre)) ** 2).sum(axis=1), np.inf)
        nearest = np.sort(np.argpartition(distance, count)[:count])
        free[nearest] = False
        chosen[structure] = grid[nearest]
    return chosen
