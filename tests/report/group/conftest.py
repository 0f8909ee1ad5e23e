"""Group results for the report: synthetic participants, analysed by the real group level."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bidsapp.recipes.gradients.group.analyse import analyse_group
from bidsapp.recipes.gradients.group.collect import find_group
from bidsapp.recipes.gradients.group.settings import GroupSettings

from bidsapp.bids.atomic import write_image, write_json, write_tsv
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.names import build_path
from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace, surface_units, volume_units
from bidsapp.brain.maps import label_images, to_images
from bidsapp.brain.references import reference_map
from bidsapp.config import Config
from bidsapp.recipes.group_inputs import GroupAnalysis

LAYERS = (
    *("InputBatch", "conv1", "relu", "pool1", "conv2", "relu2", "pool2"),
    *("conv3_1", "relu3_1", "conv3_2", "relu3_2", "pool3"),
    *("conv4_1", "relu4_1", "conv4_2", "relu4_2", "pool4"),
    *("fc1_1", "relu5_1", "fc1_2", "relu5_2", "fc2", "EmbeddingBatch", "output"),
)
BASELINE = ("mel", "loudness", "spectral")
N_PARCELS = 30
N_ROWS = 240
EARS = np.array([52.0, -20.0, 8.0])


def mni_units() -> UnitSpace:
    """Coarse voxels (6 mm) of an ellipsoid the size of a brain."""
    affine = np.diag([6.0, 6.0, 6.0, 1.0])
    affine[:3, 3] = [-78, -112, -70]
    places = np.indices((27, 33, 27)).reshape(3, -1).T * 6.0 + affine[:3, 3]
    inside = (((places - [0, -18, 8]) / [72, 90, 70]) ** 2).sum(axis=1) < 1
    return volume_units(inside.reshape(27, 33, 27), affine, space="MNI152NLin2009cAsym")


class Participants:
    """Writes what the group level reads of participants whose tuning follows gradient 1."""

    def __init__(self, output: Path, units: UnitSpace, *, effect: float, ratings: bool) -> None:
        self.output, self.units = output, units
        self.effect, self.ratings = effect, ratings
        self.points = np.nan_to_num(self._points())
        distance = np.linalg.norm(np.abs(self.points) * [1, 0, 0] + self.points * [0, 1, 1] - EARS,
                                  axis=1)  # fmt: skip
        self.strength = 0.25 + np.exp(-((distance / 45) ** 2))
        if units.kind == "gifti":
            gradient = reference_map("gradient1", units)
            self.known = np.isfinite(gradient)
            rank = np.nan_to_num(gradient).argsort().argsort() / len(gradient)
        else:
            self.known = np.ones(units.n_units, bool)
            rank = np.clip(distance / 110, 0, 1)
        self.tuning = 2 + 20 * rank
        centres = self.points[self.known][:: max(1, int(self.known.sum()) // N_PARCELS)]
        gaps = np.stack([np.linalg.norm(self.points - centre, axis=1) for centre in centres])
        self.parcels = np.where(self.known, gaps.argmin(axis=0), -1)
        self.shared = np.random.default_rng(99).standard_normal((N_ROWS, len(centres)))

    def _points(self) -> np.ndarray:
        if self.units.kind != "gifti":
            return self.units.coordinates_mm()
        from nilearn.datasets import load_fsaverage

        mesh = load_fsaverage("fsaverage5")["pial"]
        return np.concatenate([mesh.parts[side].coordinates for side in ("left", "right")])

    def write(self, subject: str, *, code: str = "aaaa1111") -> None:
        random = np.random.default_rng(int(subject))
        models = {"vggish": LAYERS, "baseline": BASELINE}
        for model, layers in models.items():
            for lags in ("positive", "negative"):
                self._scores(subject, model, layers, lags, random, code)
        names = [f"parcel{k + 1:03d}" for k in range(self.shared.shape[1])]
        for item in label_images(self.parcels + 1, self.units, names):
            self._image({"sub": subject, **item.entities, "desc": "parcels"}, "dseg", item)
        self._courses(subject, random)
        if self.ratings:
            self._ratings(subject, random, code)
        summary = {
            "ConfigurationHash": code, "recipe": "gradients", "variant": "robust",
            "version": "0.1.0", "subject": subject,
            "space": "fsaverage5" if self.units.kind == "gifti" else self.units.space,
            "settings": {
                "networks": list(models), "lags_s": [4, 5, 6], "control_lags_s": [-6, -5, -4],
                "n_components": 50, "hop_s": 0.48, "pca_fit": "train", "centre": "block",
            },
            "config": {"random_seed": 0, "high_pass_hz": 1 / 128, "smoothing_fwhm_mm": 0.0},
            "weights": {"vggish": {"source": "random", "seed": 0}},
            "n_units": self.units.n_units,
            "n_rows": {"positive": 911, "negative": 911},
            "runs": [{"name": f"sub-{subject}_task-{name}", "n_trs": n_trs, "preprocessed": True}
                     for name, n_trs in (("happy", 180), ("sadshort", 256), ("sadlong", 515))],
        }  # fmt: skip
        write_json(self._place({"sub": subject, "desc": "summary"}, "stats", ".json"), summary)

    def _place(
        self, entities: Mapping[str, str], suffix: str, extension: str, *, spaced: bool = True
    ) -> Path:
        space = self.units.entities if spaced else {}
        path = self.output / build_path({**space, **entities}, suffix, extension)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _image(self, entities: Mapping[str, str], suffix: str, item: Any, **facts: Any) -> None:
        write_image(self._place(entities, suffix, item.extension), item.image)
        write_json(self._place(entities, suffix, ".json"), facts)

    def _scores(
        self, subject: str, model: str, layers: tuple[str, ...], lags: str,
        random: np.random.Generator, code: str,
    ) -> None:  # fmt: skip
        index = np.arange(1, len(layers) + 1)[:, None] * (1 if model == "vggish" else 4)
        own = self.tuning + random.normal(0, 1.5)
        shape = np.exp(-(((index - own) / 8) ** 2))
        height = self.effect * (1.0 if lags == "positive" else 0.0)
        noise = random.normal(0, 0.03, (len(layers), self.units.n_units))
        noise += random.normal(0, 0.02, self.units.n_units)
        r = np.where(self.known, height * shape * self.strength + noise, np.nan)
        for item in to_images(r.astype(np.float32), self.units, layers):
            names = {"sub": subject, **item.entities, "model": model, "stat": "r", "desc": lags}
            self._image(names, "statmap", item, Columns=list(layers), ConfigurationHash=code)

    def _courses(self, subject: str, random: np.random.Generator) -> None:
        noise = random.standard_normal(self.shared.shape) * np.linspace(1, 4, self.shared.shape[1])
        table = pd.DataFrame(self.shared + noise).add_prefix("parcel")
        table.insert(0, "stim_time_s", np.arange(N_ROWS, dtype=float))
        table.insert(0, "repeat", 1)
        table.insert(0, "piece", "happy.wav")
        path = self._place({"sub": subject, "desc": "parcelcourses"}, "stats", ".tsv")
        write_tsv(path, table.to_dict("records"))

    def _ratings(self, subject: str, random: np.random.Generator, code: str) -> None:
        rows = []
        for rating, peak in (("emotionality", 5), ("enjoyment", 14)):
            for lags, height in (("positive", 0.35), ("negative", 0.02)):
                own = random.normal(0, 0.08)
                for number, layer in enumerate(LAYERS, start=1):
                    r = height * np.exp(-(((number - peak) / 6) ** 2)) + own
                    rows.append(
                        {"rating": rating, "rater": f"sub-{subject}", "lags": lags,
                         "layer": layer, "layer_index": number, "piece": "mean", "r": r,
                         "p": 0.1}
                    )  # fmt: skip
        entities = {"sub": subject, "model": "vggish", "desc": "ratings"}
        write_tsv(self._place(entities, "stats", ".tsv", spaced=False), rows)
        write_json(
            self._place(entities, "stats", ".json", spaced=False), {"ConfigurationHash": code}
        )


def write_group(
    root: Path,
    *,
    n: int = 6,
    units: UnitSpace | None = None,
    effect: float = 0.12,
    ratings: bool = True,
    left_out: bool = True,
    **settings: Any,
) -> Path:
    """Write participants and analyse them; return the output folder."""
    output = root / "out"
    chosen = units or surface_units(10242, 10242, space="fsaverage5")
    people = Participants(output, chosen, effect=effect, ratings=ratings)
    for number in range(1, n + 1):
        people.write(f"{number:02d}")
    if left_out:
        record = {
            "recipe": "gradients", "level": "participant", "subject": "99", "state": "failed",
            "space": "", "reason": "the sound is 12 s shorter than the run", "outputs": [],
        }  # fmt: skip
        write_json(output / "logs" / "jobs" / "gradients_sub-99.json", record)
    fidelity = output / "logs" / "fidelity.tsv"
    fidelity.parent.mkdir(parents=True, exist_ok=True)
    fidelity.write_text(
        "recipe\toption\tpaper\tused\tvariant\tsource\twhy\n"
        "gradients\tspin_statistic\tnot stated\tspearman\trobust\tFigure 5\tlayers are ordinal\n"
    )
    description = {
        "Name": "musicotopy", "GeneratedBy": [{"Name": "musicotopy", "Version": "0.1.0"}],
        "SourceDatasets": [{"Name": "Three pieces of film music"}],
    }  # fmt: skip
    (output / "dataset_description.json").write_text(json.dumps(description))
    numbers = {"n_rotations": 199, "n_swapped_rotations": 49, "n_bootstrap": 100, "n_flips": 64}
    for inputs in find_group(output):
        config = Config(
            bids_dir=root, output_dir=output, analysis_level=("group",), device="cpu", nprocs=1,
            quiet=True,
        )  # fmt: skip
        staging = Staging(output, "gradients_group")
        analysis = GroupAnalysis(
            "gradients", dataset_of(output),
            config, GroupSettings(**{**numbers, **settings}), inputs, "cafe0001", staging,
            root / "scratch", output,
        )  # fmt: skip
        with staging:
            analyse_group(analysis)
            staging.publish()
    return output


def dataset_of(folder: Path) -> Dataset:
    """Return a dataset that nothing is read from."""
    return Dataset(bids_dir=folder, root=folder, fmriprep=None, layout="raw")


@pytest.fixture(scope="session")
def make_group(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that writes and analyses a group."""

    def make(**changes: Any) -> Path:
        return write_group(tmp_path_factory.mktemp("group"), **changes)

    return make


@pytest.fixture(scope="session")
def analysed(make_group: Callable[..., Path]) -> Path:
    """Six participants on fsaverage5; not to be changed."""
    return make_group()


@pytest.fixture
def group_tree(analysed: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may change."""

    def others(folder: str, names: list[str]) -> list[str]:
        """Maps of participants, which the group report does not read."""
        return [name for name in names if folder.endswith("func") and "statmap" in name]

    return Path(shutil.copytree(analysed, tmp_path / "out", ignore=others))


@pytest.fixture(scope="session")
def mni() -> UnitSpace:
    """Coarse voxels in an MNI space."""
    return mni_units()
