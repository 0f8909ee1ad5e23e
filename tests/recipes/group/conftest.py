"""Output folders of the participant level, made with the project's own writers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bidsapp.recipes.gradients.group.settings import GroupSettings

from bidsapp.bids.atomic import write_image, write_json, write_tsv
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.names import build_path
from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace, surface_units
from bidsapp.brain.maps import label_images, to_images
from bidsapp.brain.references import reference_map
from bidsapp.config import Config
from bidsapp.recipes.group_inputs import GroupAnalysis, GroupInputs

LAYERS = ("conv1", "conv2", "pool1", "conv3", "fc1", "fc2")
Scores = Mapping[tuple[str, str], np.ndarray]


def write_participant(
    output: Path,
    subject: str,
    units: UnitSpace,
    scores: Scores,
    *,
    layers: tuple[str, ...] = LAYERS,
    code: str = "aaaa1111",
    seed: int = 0,
    weights: Mapping[str, Any] | None = None,
    courses: list[dict[str, Any]] | None = None,
    parcels: np.ndarray | None = None,
    ratings: list[dict[str, Any]] | None = None,
    version: str = "0.1.0",
) -> None:
    """Write what the group level reads of one participant.

    `scores` maps (model, lags) to r (n_layers, n_units).
    """
    space = {"sub": subject, **units.entities}
    common = {"ConfigurationHash": code}
    models = list(dict.fromkeys(model for model, _ in scores))
    lags = {label for _, label in scores}

    def place(entities: Mapping[str, str], suffix: str, extension: str) -> Path:
        path = output / build_path(entities, suffix, extension)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    for (model, label), r in scores.items():
        for item in to_images(r, units, layers):
            names = {**space, **item.entities, "model": model, "stat": "r", "desc": label}
            write_image(place(names, "statmap", item.extension), item.image)
            write_json(place(names, "statmap", ".json"), {**common, "Columns": list(layers)})
    if parcels is not None:
        names_of = [f"parcel{k + 1:03d}" for k in range(int(parcels.max()) + 1)]
        for item in label_images(parcels + 1, units, names_of):
            names = {**space, **item.entities, "desc": "parcels"}
            write_image(place(names, "dseg", item.extension), item.image)
    if courses is not None:
        write_tsv(place({**space, "desc": "parcelcourses"}, "stats", ".tsv"), courses)
    if ratings is not None:
        for model in models:
            names = {"sub": subject, "model": model, "desc": "ratings"}
            write_tsv(place(names, "stats", ".tsv"), ratings)
            write_json(place(names, "stats", ".json"), common)
    summary = {
        **common,
        "recipe": "gradients",
        "version": version,
        "subject": subject,
        "space": units.space,
        "settings": {
            "networks": models,
            "lags_s": [4, 5, 6],
            "control_lags_s": [-6, -5, -4] if "negative" in lags else [],
        },
        "config": {"random_seed": seed},
        "weights": weights or {model: {"source": "random", "seed": 0} for model in models},
        "n_units": units.n_units,
        "n_rows": dict.fromkeys(lags, 384),
        "runs": [{"name": f"sub-{subject}_task-music", "n_trs": 248}],
    }
    write_json(place({**space, "desc": "summary"}, "stats", ".json"), summary)


def dataset_of(folder: Path) -> Dataset:
    """Return a dataset that nothing is read from."""
    return Dataset(bids_dir=folder, root=folder, fmriprep=None, layout="raw")


@pytest.fixture(scope="session")
def toy() -> UnitSpace:
    """Return a mesh that is small and has no cortex here."""
    return surface_units(162, 162, space="toy")


@pytest.fixture(scope="session")
def write() -> Callable[..., None]:
    return write_participant


@pytest.fixture
def toy_group(tmp_path: Path, toy: UnitSpace) -> Callable[..., Path]:
    """Return a function that writes participants 01, 02, … on the toy mesh.

    Keywords given as a list hold one value per participant.
    """

    def make(n: int = 3, **options: Any) -> Path:
        output = tmp_path / "out"
        for number in range(n):
            rng = np.random.default_rng(number)
            scores = {
                ("vggish", lags): 0.1 * rng.standard_normal((len(LAYERS), toy.n_units))
                for lags in ("positive", "negative")
            }
            own = {
                key: value[number] if isinstance(value, list) else value
                for key, value in options.items()
            }
            write_participant(output, f"{number + 1:02d}", own.pop("units", toy), scores, **own)
        return output

    return make


@pytest.fixture(scope="session")
def fsaverage5() -> UnitSpace:
    return surface_units(10242, 10242, space="fsaverage5")


@pytest.fixture(scope="session")
def gradient(fsaverage5: UnitSpace) -> np.ndarray:
    return reference_map("gradient1", fsaverage5)


@pytest.fixture(scope="session")
def make_analysis() -> Callable[..., GroupAnalysis]:
    """Return a function that makes the job of some inputs."""

    def make(
        inputs: GroupInputs, target: Path, settings: GroupSettings, **config: Any
    ) -> GroupAnalysis:
        output = inputs.participants[0].output_dir
        chosen = Config(
            bids_dir=output,
            output_dir=output,
            analysis_level=("group",),
            device="cpu",
            nprocs=1,
            quiet=True,
            **config,
        )
        staging = Staging(target, "gradients_group")
        return GroupAnalysis(
            "gradients",
            dataset_of(output),
            chosen,
            settings,
            inputs,
            "cafe0001",
            staging,
            target / ".work",
            output,
        )

    return make
