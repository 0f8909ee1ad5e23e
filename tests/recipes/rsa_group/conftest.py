"""Output folders of the participant level of `rsa`, made with the project's own writers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidsapp.bids.atomic import write_image, write_json, write_tsv
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.names import build_path
from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace, volume_units
from bidsapp.brain.maps import to_images
from bidsapp.config import Config
from bidsapp.models.rdm import rdm
from bidsapp.recipes.group_inputs import GroupAnalysis
from bidsapp.recipes.rsa.group.inputs import GroupInputs
from bidsapp.recipes.rsa.group.settings import GroupSettings
from bidsapp.recipes.rsa.outputs import rdm_rows

LAYERS = ("conv1", "conv2", "fc")
N_CLIPS, PER_CLIP, N_CHANNELS = 6, 4, 12
N_ITEMS = N_CLIPS * PER_CLIP
CLIPS = tuple(f"clip{k}.wav" for k in range(N_CLIPS))


@dataclass
class Person:
    """What is written of one participant; tests change what they need."""

    units: UnitSpace
    patterns: np.ndarray
    models: np.ndarray
    size: np.ndarray
    clips: Sequence[str] = CLIPS
    code: str = "aaaa1111"
    seed: int = 0
    order: Sequence[str] = CLIPS
    shift_s: float = 0.0
    untrained: np.ndarray | None = None
    nuisance: np.ndarray | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    layers: Sequence[str] = LAYERS


def write_person(output: Path, subject: str, person: Person) -> None:
    """Write what the group level reads of one participant."""
    units = person.units
    space = {"sub": subject, **units.entities}
    common = {"ConfigurationHash": person.code}
    per_clip = len(person.patterns) // len(person.clips)

    def place(entities: Mapping[str, str], suffix: str, extension: str) -> Path:
        path = output / build_path(entities, suffix, extension)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def maps(values: np.ndarray, columns: Sequence[str], **entities: str) -> None:
        for item in to_images(np.asarray(values, np.float32), units, columns):
            names = {**space, **item.entities, **entities}
            write_image(place(names, "statmap", item.extension), item.image)
            write_json(place(names, "statmap", ".json"), {**common, "Columns": list(columns)})

    def table(rows: Any, **entities: str) -> None:
        write_tsv(place({"sub": subject, **entities}, "stats", ".tsv"), list(rows))

    maps(
        person.patterns, [f"i{k}" for k in range(len(person.patterns))], stat="pattern", desc="rsa"
    )
    maps(person.size[None], ["size"], stat="size", desc="rsa")
    rho = np.where(np.isfinite(person.size), 0.02, np.nan) * np.ones((len(person.layers), 1))
    maps(rho, person.layers, model="toy", stat="rho", desc="rsa")
    if person.untrained is not None:
        maps(person.untrained, person.layers, model="toy", stat="rho", desc="rsauntrained")
    table(
        (
            {
                "item": k + 1,
                "clip": person.clips[k // per_clip],
                "time_s": 13.0 + 2 * (k % per_clip) + person.shift_s,
                "n_repeats": 2,
            }
            for k in range(len(person.patterns))
        ),
        desc="rsaitems",
    )
    table(rdm_rows(person.models, tuple(person.layers)), model="toy", desc="rsamodels")
    if person.nuisance is not None:
        names = tuple(f"n{k}" for k in range(len(person.nuisance)))
        table(rdm_rows(person.nuisance, names), desc="rsanuisance")
    table(
        (
            {"run": "run-1", "stim_file": clip, "onset_s": 30.0 * k, "stim_start_s": 0}
            for k, clip in enumerate(person.order)
        ),
        desc="rsaalignment",
    )
    settings = {
        "networks": ["toy"],
        "pairs": "between-clip",
        "dissimilarity": "spearman",
        "comparison": "spearman",
        "searchlight_count": 20,
        "searchlight_radius_mm": 0.0,
        "drop_s": 12.0,
        **person.settings,
    }
    summary = {
        **common,
        "recipe": "rsa",
        "version": "0.1.0",
        "subject": subject,
        "space": units.space,
        "settings": settings,
        "config": {"random_seed": person.seed},
        "weights": {"toy": {"source": "file"}},
        "n_units": units.n_units,
        "units_hash": units.identity(),
        "n_repeats": [2, 2],
        "lag_model_mean_rho": 0.01,
        "runs": [{"name": f"sub-{subject}_task-music", "n_trs": 248, "tr_s": 2.0}],
    }
    write_json(place({**space, "desc": "rsasummary"}, "stats", ".json"), summary)


def toy_space() -> UnitSpace:
    """Return two blocks of voxels of 8 mm, on both sides of the midline."""
    mask = np.ones((16, 6, 5), dtype=bool)
    mask[6:10] = False
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = -60, -28, -16
    return volume_units(mask, affine, space="MNI152NLin2009cAsym", resolution="2")


@pytest.fixture(scope="session")
def person() -> type[Person]:
    return Person


@pytest.fixture(scope="session")
def units() -> UnitSpace:
    return toy_space()


@pytest.fixture(scope="session")
def features() -> np.ndarray:
    """Return channels of three layers, (n_layers, n_items, n_channels)."""
    rng = np.random.default_rng(7)
    clip = np.repeat(rng.standard_normal((len(LAYERS), N_CLIPS, N_CHANNELS)), PER_CLIP, axis=1)
    return clip + 0.5 * rng.standard_normal((len(LAYERS), N_ITEMS, N_CHANNELS))


@pytest.fixture(scope="session")
def models(features: np.ndarray) -> np.ndarray:
    return np.stack([rdm(layer, "pearson") for layer in features])


@pytest.fixture(scope="session")
def planted(units: UnitSpace) -> np.ndarray:
    """Return the layer planted in each unit: 2 at the left, none at the right."""
    return np.where(units.structure == "L", 2, 0)


@pytest.fixture(scope="session")
def people(
    units: UnitSpace, features: np.ndarray, models: np.ndarray, planted: np.ndarray
) -> Callable[..., list[Person]]:
    """Return a function that draws participants: noise, and the planted layer unless null."""

    def draw(n: int, *, null: bool = False, seed: int = 0, gain: float = 1.0) -> list[Person]:
        found = []
        for number in range(n):
            rng = np.random.default_rng((seed, number))
            patterns = rng.standard_normal((N_ITEMS, units.n_units))
            if not null:
                weights = rng.standard_normal((N_CHANNELS, units.n_units)) / np.sqrt(N_CHANNELS)
                where = planted == 2
                patterns[:, where] += gain * (features[1] @ weights)[:, where]
            order = list(rng.permutation(CLIPS))
            size = np.full(units.n_units, 20.0)
            found.append(Person(units, patterns, models.round(6), size, order=order))
        return found

    return draw


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Sequence[Person]], Path]:
    """Return a function that writes participants 01, 02, … and returns the output folder."""

    def make(persons: Sequence[Person]) -> Path:
        output = tmp_path / "out"
        for number, person in enumerate(persons, start=1):
            write_person(output, f"{number:02d}", person)
        return output

    return make


@pytest.fixture(scope="session")
def make_analysis() -> Callable[..., GroupAnalysis[GroupInputs]]:
    """Return a function that makes the job of some inputs."""

    def make(
        inputs: GroupInputs, target: Path, settings: GroupSettings, **config: Any
    ) -> GroupAnalysis[GroupInputs]:
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
        dataset = Dataset(bids_dir=output, root=output, fmriprep=None, layout="raw")
        return GroupAnalysis(
            "rsa",
            dataset,
            chosen,
            settings,
            inputs,
            "cafe0001",
            Staging(target, "rsa_group"),
            target / ".work",
            output,
        )

    return make
