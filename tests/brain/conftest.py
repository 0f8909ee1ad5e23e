"""Small runs of every kind, written with nibabel, from known numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.cifti2 import BrainModelAxis, SeriesAxis
from nibabel.gifti import GiftiDataArray, GiftiImage

from bidsapp.bids.records import Run

AFFINE = np.array([[-3.0, 0, 0, 12], [0, 3, 0, -9], [0, 0, 3, -6], [0, 0, 0, 1]])
SHAPE = (8, 7, 5)
TR_S = 1.5


def brain_models(n_left: int = 20, n_right: int = 18, n_deep: int = 6) -> BrainModelAxis:
    """Two hemispheres of 24 vertices without their medial wall, and a piece of thalamus."""
    left = BrainModelAxis.from_surface(np.arange(n_left), 24, "CIFTI_STRUCTURE_CORTEX_LEFT")
    right = BrainModelAxis.from_surface(np.arange(n_right), 24, "CIFTI_STRUCTURE_CORTEX_RIGHT")
    if not n_deep:
        return left + right
    voxels = np.argwhere(np.ones((n_deep, 1, 1)))
    deep = BrainModelAxis(
        "CIFTI_STRUCTURE_THALAMUS_LEFT", voxel=voxels, affine=AFFINE, volume_shape=SHAPE
    )
    return left + right + deep


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Positive float32 noise around 1000."""
    return (1000 + 10 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


@dataclass
class Maker:
    """Write runs into a folder."""

    folder: Path
    affine = AFFINE
    shape = SHAPE
    tr_s = TR_S

    noise = staticmethod(noise)
    brain_models = staticmethod(brain_models)

    def mask(self) -> np.ndarray:
        return np.random.default_rng(0).random(self.shape) > 0.4

    def plain(self, kind: str, n_trs: int = 40, seed: int = 0, **changes: object) -> Run:
        """A run of any kind, of noise."""
        if kind == "volume":
            data = noise(*SHAPE, n_trs, seed=seed)
            return self.volume(f"v{seed}", data, self.mask(), **changes)
        if kind == "gifti":
            left, right = noise(n_trs, 30, seed=seed), noise(n_trs, 28, seed=seed + 100)
            return self.gifti(f"g{seed}", left, right, space="fsnative", **changes)
        return self.cifti(f"c{seed}", noise(n_trs, 44, seed=seed), **changes)

    def run(self, kind: str, bold: tuple[Path, ...], n_trs: int, **changes: object) -> Run:
        spaces = {"volume": "MNI152NLin2009cAsym", "gifti": "fsaverage5", "cifti": "fsLR"}
        values: dict[str, object] = {
            "entities": {
                "sub": "01",
                "task": "music",
                "run": str(len(list(self.folder.iterdir()))),
            },
            "space": spaces[kind],
            "resolution": None,
            "density": "91k" if kind == "cifti" else None,
            "kind": kind,
            "bold": bold,
            "mask": None,
            "confounds": None,
            "tr_s": TR_S,
            "n_trs": n_trs,
        }
        return Run(**(values | changes))  # type: ignore[arg-type]

    def volume(
        self,
        name: str,
        data: np.ndarray,
        mask: np.ndarray | None = None,
        affine: np.ndarray = AFFINE,
        extension: str = ".nii.gz",
        **changes: object,
    ) -> Run:
        path = self.folder / f"{name}_bold{extension}"
        nib.save(nib.Nifti1Image(data, affine), path)
        if mask is not None:
            mask_path = self.folder / f"{name}_mask.nii.gz"
            nib.save(nib.Nifti1Image(mask.astype(np.uint8), affine), mask_path)
            changes["mask"] = mask_path
        return self.run("volume", (path,), data.shape[3], **changes)

    def gifti(self, name: str, left: np.ndarray, right: np.ndarray, **changes: object) -> Run:
        paths = []
        for hemi, data in (("L", left), ("R", right)):
            path = self.folder / f"{name}_hemi-{hemi}_bold.func.gii"
            arrays = [
                GiftiDataArray(
                    row.astype(np.float32),
                    intent="NIFTI_INTENT_TIME_SERIES",
                    datatype="NIFTI_TYPE_FLOAT32",
                )
                for row in data
            ]
            nib.save(GiftiImage(darrays=arrays), path)
            paths.append(path)
        return self.run("gifti", tuple(paths), left.shape[0], **changes)

    def cifti(
        self, name: str, data: np.ndarray, axis: BrainModelAxis | None = None, **changes: object
    ) -> Run:
        path = self.folder / f"{name}_bold.dtseries.nii"
        axes = (SeriesAxis(0, TR_S, len(data)), axis or brain_models())
        nib.save(nib.Cifti2Image(data.astype(np.float32), axes), path)
        return self.run("cifti", (path,), len(data), **changes)

    def surfaces(self, size: int = 24) -> tuple[Path, Path]:
        """A mesh of points for each hemisphere, left and right of the middle."""
        points = np.random.default_rng(5).uniform(1, 50, (size, 3)).astype(np.float32)
        paths = []
        for hemi, side in (("L", -1), ("R", 1)):
            at = points * np.float32([side, 1, 1])
            array = GiftiDataArray(at, "NIFTI_INTENT_POINTSET")
            path = self.folder.parent / f"{size}_hemi-{hemi}_midthickness.surf.gii"
            nib.save(GiftiImage(darrays=[array]), path)
            paths.append(path)
        return paths[0], paths[1]

    def confounds(self, name: str, n_trs: int, seed: int = 0, suffix: str = "timeseries") -> Path:
        rng = np.random.default_rng(seed)
        motion = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
        columns = {}
        for column in [*motion, "csf", "white_matter", "global_signal"]:
            trace = rng.standard_normal(n_trs) * 0.05 + rng.standard_normal(n_trs).cumsum() * 0.01
            slope = np.r_[np.nan, np.diff(trace)]
            columns |= {
                column: trace,
                f"{column}_derivative1": slope,
                f"{column}_power2": trace**2,
                f"{column}_derivative1_power2": slope**2,
            }
        path = self.folder / f"sub-01_task-{name}_desc-confounds_{suffix}.tsv"
        pd.DataFrame(columns).to_csv(path, sep="\t", index=False, na_rep="n/a")
        return path


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    folder = tmp_path / "data"
    folder.mkdir()
    return Maker(folder)
