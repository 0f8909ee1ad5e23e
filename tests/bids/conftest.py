"""Small trees built from lists."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import soundfile


class Tree:
    """A folder to fill: text, JSON, tables and images with true headers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def text(self, relative: str, content: str = "") -> Path:
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def json(self, relative: str, content: object) -> Path:
        return self.text(relative, json.dumps(content))

    def tsv(self, relative: str, *rows: str) -> Path:
        """Rows with cells separated by spaces; ``_`` is a cell of nothing."""
        lines = ("\t".join("" if c == "_" else c for c in row.split(" ")) for row in rows)
        return self.text(relative, "\n".join(lines) + "\n")

    def gz(self, relative: str, rows: list[list[object]]) -> Path:
        path = self.text(relative)
        lines = "".join("\t".join(map(str, row)) + "\n" for row in rows)
        path.write_bytes(gzip.compress(lines.encode(), mtime=0))
        return path

    def description(self, **fields: Any) -> Path:
        return self.json(
            "dataset_description.json", {"Name": "A dataset", "BIDSVersion": "1.8.0"} | fields
        )

    def fmriprep_description(self) -> Path:
        return self.description(
            DatasetType="derivative", GeneratedBy=[{"Name": "fMRIPrep", "Version": "23.1.0"}]
        )

    def volume(self, relative: str, n_trs: int = 20, tr: float = 2.0, unit: str = "sec") -> Path:
        image = nib.Nifti1Image(np.zeros((2, 2, 2, n_trs), np.int16), np.eye(4))
        image.header.set_xyzt_units("mm", unit)
        image.header.set_zooms((1.0, 1.0, 1.0, tr))
        return self._save(relative, image)

    def mask(self, relative: str) -> Path:
        data = np.zeros((2, 2, 2), np.uint8)
        data[0] = 1
        return self._save(relative, nib.Nifti1Image(data, np.eye(4)))

    def gifti(self, relative: str, n_trs: int = 20, n_vertices: int = 4) -> Path:
        arrays = [
            nib.gifti.GiftiDataArray(
                np.zeros(n_vertices, np.float32), intent="NIFTI_INTENT_TIME_SERIES"
            )
            for _ in range(n_trs)
        ]
        return self._save(relative, nib.gifti.GiftiImage(darrays=arrays))

    def cifti(self, relative: str, n_trs: int = 20, tr: float = 2.0) -> Path:
        from nibabel import cifti2

        series = cifti2.SeriesAxis(start=0, step=tr, size=n_trs, unit="SECOND")
        brain = cifti2.BrainModelAxis.from_mask(
            np.ones(3, bool), name="CIFTI_STRUCTURE_CORTEX_LEFT"
        )
        image = cifti2.Cifti2Image(np.zeros((n_trs, 3), np.float32), header=(series, brain))
        return self._save(relative, image)

    def wav(self, relative: str, seconds: float = 1.0) -> Path:
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(int(seconds * 1000), np.float32), 1000)
        return path

    def fmriprep_run(
        self, acquisition: str, folder: str = "sub-01/func", tr: float = 2.0, n_trs: int = 20
    ) -> None:
        """One run as fMRIPrep 23 writes it: MNI volume, fsaverage5, fsLR, mask, confounds."""
        base = f"{folder}/{acquisition}"
        mni = f"{base}_space-MNI152NLin2009cAsym_res-2"
        self.volume(f"{mni}_desc-preproc_bold.nii.gz", n_trs, tr)
        self.json(f"{mni}_desc-preproc_bold.json", {"RepetitionTime": tr})
        self.mask(f"{mni}_desc-brain_mask.nii.gz")
        for hemi in "LR":
            surface = f"{base}_hemi-{hemi}_space-fsaverage5_bold"
            self.gifti(f"{surface}.func.gii", n_trs)
            self.json(f"{surface}.json", {"RepetitionTime": tr})
        self.cifti(f"{base}_space-fsLR_den-91k_bold.dtseries.nii", n_trs, tr)
        self.tsv(f"{base}_desc-confounds_timeseries.tsv", "trans_x", *["0.0"] * n_trs)

    def _save(self, relative: str, image: Any) -> Path:
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(image, path)
        return path


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Tree]:
    """A maker of trees below a fresh folder."""
    return lambda name: Tree(tmp_path / name)


@pytest.fixture
def study(tree: Callable[[str], Tree]) -> tuple[Tree, Tree]:
    """A raw dataset with two participants, and fMRIPrep of the first inside it."""
    raw = tree("study")
    raw.description()
    raw.json("task-music_bold.json", {"RepetitionTime": 2.0, "TaskName": "music"})
    prep = Tree(raw.root / "derivatives" / "fmriprep")
    prep.fmriprep_description()
    for number in (1, 2):
        name = f"sub-01_task-music_run-{number}"
        raw.volume(f"sub-01/func/{name}_bold.nii.gz")
        prep.fmriprep_run(name)
    raw.volume("sub-02/func/sub-02_task-music_run-1_bold.nii.gz")
    return raw, prep
