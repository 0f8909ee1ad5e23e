"""Participants of `gradients` on any units, written by the real writer, and groups of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace
from bidsapp.config import Config
from bidsapp.recipes import RECIPES
from bidsapp.recipes.base.group import GroupInputs, collect_group
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.settings import VARIANTS, GradientsGroupSettings
from bidsapp.results.write import Output

RECIPE = RECIPES["gradients"]
LAYERS = ("conv1", "conv2", "pool1", "conv3", "fc1", "fc2")
Scores = Mapping[tuple[str, str], np.ndarray]
N_PARCELS = 12


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
    courses: Sequence[Mapping[str, Any]] | None = None,
    parcels: np.ndarray | None = None,
    ratings: Sequence[Mapping[str, Any]] | None = None,
    ratings_null: Sequence[Mapping[str, Any]] | None = None,
    version: str = "0.1.0",
) -> None:
    """Write what the group level reads of one participant.

    `scores` maps (network, lags) to r (n_layers, n_units).
    """
    networks = list(dict.fromkeys(network for network, _ in scores))
    lags = list(dict.fromkeys(label for _, label in scores))
    settings = dataclasses.replace(VARIANTS["robust"], networks=tuple(networks))
    if "negative" not in lags:
        settings = dataclasses.replace(settings, control_lags_s=())
    standard = np.arange(units.n_units) * N_PARCELS // units.n_units
    labels = standard if parcels is None else parcels
    names = [f"parcel{k + 1:03d}" for k in range(int(labels.max()) + 1)]
    if courses is None:
        heard = {"piece": "none", "repeat": 1}
        silent = dict.fromkeys(names, 0.0)
        courses = [{**heard, "stim_time_s": float(k), **silent} for k in (0, 1)]
    with Staging(output, f"gradients_sub-{subject}") as staging:
        common = {"ConfigurationHash": code}
        out = Output(staging, units, subject=subject, common=common)
        for (network, label), r in scores.items():
            out.write(declared.SCORE.of(label), r, network=network, names=layers)
        out.write(declared.PARCEL_LABELS, labels + 1, names=names)
        out.write(declared.COURSES, courses)
        shape = (len(layers), len(names))
        rng = np.random.default_rng(int(subject))
        arrays = {"observed": rng.normal(size=shape), "null": rng.normal(size=(19, *shape))}
        scaled = {name: 0.1 * values for name, values in arrays.items()}
        for network in networks:
            out.arrays(declared.NULL_SCORES, scaled, network=network)
        if "baseline" in networks:
            out.arrays(declared.BEYOND_SCORES, scaled, network="vggish")
        for network in networks if ratings is not None else ():
            out.write(declared.RATINGS, ratings, network=network)
            if ratings_null is not None:
                out.write(declared.RATINGS_NULL, ratings_null, network=network)
        record = weights or {network: {"source": "random", "seed": 0} for network in networks}
        summary = {
            "recipe": "gradients",
            "variant": "robust",
            "version": version,
            "level": "participant",
            "subject": subject,
            "space": units.space,
            "settings": dataclasses.asdict(settings),
            "config": {"random_seed": seed},
            "networks": {
                network: {"layers": list(layers), "weights": record[network]}
                for network in networks
            },
            "n_units": units.n_units,
            "conditions": lags,
            "n_rows": dict.fromkeys(lags, 384),
            "runs": [{"name": f"sub-{subject}_task-music", "n_trs": 248}],
            "cautions": [],
        }
        out.write(declared.SUMMARY, summary)
        staging.publish()


def dataset_of(folder: Path) -> Dataset:
    """Return a dataset that nothing is read from."""
    return Dataset(bids_dir=folder, root=folder, fmriprep=None, layout="raw")


def config_of(output: Path, **changes: Any) -> Config:
    """Return the configuration of a group level."""
    fixed: dict[str, Any] = {"bids_dir": output, "output_dir": output, "device": "cpu"}
    return Config(**fixed, analysis_level=("group",), nprocs=1, quiet=True, **changes)


def find_group(output: Path, subjects: Sequence[str] = (), **changes: Any) -> list[GroupInputs]:
    """Collect the participants of an output folder; keywords are options."""
    return collect_group(RECIPE, dataset_of(output), subjects, config_of(output, **changes))


@pytest.fixture(scope="session")
def find() -> Callable[..., list[GroupInputs]]:
    return find_group


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
def make_study() -> Callable[..., GroupStudy]:
    """Return a function that makes the job of some inputs."""

    def make(
        inputs: GroupInputs, target: Path, settings: GradientsGroupSettings, **changes: Any
    ) -> GroupStudy:
        config = config_of(inputs.participants[0].root, **changes)
        staging = Staging(target, "gradients_group")
        dataset = dataset_of(config.output_dir)
        return GroupStudy(
            "gradients", dataset, config, settings, inputs, "cafe0001", staging, target / ".work"
        )

    return make
