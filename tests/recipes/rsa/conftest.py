"""Runs and presentations without files, a simulated participant, and groups of written ones.

What stands in an output folder was written by the recipe's own writers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidsapp.audio.networks.base import Layer
from bidsapp.bids.dataset import Dataset, open_dataset
from bidsapp.bids.records import Presentation, Run
from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace, volume_units
from bidsapp.config import Config
from bidsapp.features.align import alignment_table
from bidsapp.features.courses import CourseBank
from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import rdm
from bidsapp.recipes import RECIPES
from bidsapp.recipes.base.group import GroupInputs, collect_group
from bidsapp.recipes.base.inputs import Inputs, collect_participant
from bidsapp.recipes.base.settings import override
from bidsapp.recipes.base.study import GroupStudy, ParticipantStudy
from bidsapp.recipes.rsa import results as declared
from bidsapp.recipes.rsa.clip_tests import NetworkTest
from bidsapp.recipes.rsa.group import group
from bidsapp.recipes.rsa.items import make_items
from bidsapp.recipes.rsa.layer_models import LayerModels
from bidsapp.recipes.rsa.nuisances import Nuisances, lag_rdm
from bidsapp.recipes.rsa.participant import (
    NetworkScores,
    facts_of,
    lag_rows,
    participant,
    write_network,
    write_shared,
)
from bidsapp.recipes.rsa.search import Scores
from bidsapp.recipes.rsa.settings import VARIANTS, GroupSettings, RsaSettings
from bidsapp.results.cautions import Caution
from bidsapp.results.read import Results
from bidsapp.simulate.clips import ClipsOptions
from bidsapp.simulate.dataset import simulate
from bidsapp.stats.rsa.acoustics import acoustic_regression
from bidsapp.stats.rsa.inference import clip_test
from bidsapp.stats.rsa.pairs import pair_mask

RECIPE = RECIPES["rsa"]
SPACE = "MNI152NLin2009cAsym"
SMALL: dict[str, Any] = {
    "networks": ["musicnn"],
    "n_untrained": 0,
    "acoustics": [],
    "searchlight_count": 30,
    "n_permutations": 199,
}
LAYERS = ("conv1", "conv2", "fc")
N_CLIPS, PER_CLIP, N_CHANNELS = 6, 4, 12
N_ITEMS = N_CLIPS * PER_CLIP
CLIPS = tuple(f"clip{k}.wav" for k in range(N_CLIPS))
WEIGHTS = {"source": "file", "file": "tags.pt", "sha256": "ab" * 32}
FAST = GroupSettings(n_permutations=200, n_bootstrap=50, axis_bins=4)


# ------------------------------------------------------------------ inputs without files


def build_inputs(
    plays: Sequence[Sequence[tuple[str, float, float, float]]],
    *,
    tr_s: float = 2.0,
    n_trs: int = 100,
    start_time_s: float = 1.0,
    sound_s: float = 1000.0,
    subject: str = "01",
) -> Inputs:
    """Make inputs of runs that play (sound, onset, duration, start in the sound) each."""
    runs, presentations = [], []
    for number, played in enumerate(plays, start=1):
        entities = {"sub": subject, "task": "clips", "run": str(number)}
        bold = (Path(f"run-{number}_bold.nii.gz"),)
        run = Run(
            entities, SPACE, None, None, "volume", bold, None, None, tr_s, n_trs, start_time_s
        )
        runs.append(run)
        presentations += [
            Presentation(run.name, onset, duration, name, Path(name), start)
            for name, onset, duration, start in played
        ]
    names = dict.fromkeys(item.stim_file for item in presentations)
    alignment = tuple({"stim_file": name, "sound_s": sound_s} for name in names)
    return Inputs(subject, SPACE, tuple(runs), tuple(presentations), (), (), alignment, ())


@pytest.fixture(scope="session")
def make_inputs() -> Callable[..., Inputs]:
    """Make inputs of runs that play (sound, onset, duration, start in the sound) each."""
    return build_inputs


# ------------------------------------------------------------------ a simulated participant


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One participant, six clips of 20 s in three runs; its work folder is beside it."""
    folder = tmp_path_factory.mktemp("clips")
    options = ClipsOptions.quick(
        n_participants=1, n_runs=3, n_pieces=6, piece_s=20.0, voxel_mm=10, network="musicnn"
    )
    simulate(folder / "data", options, cache_dir=folder / "work" / "features", quiet=True)
    return folder


Analyse = Callable[..., Path]


@pytest.fixture(scope="session")
def analysed(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Analyse:
    """Analyse the simulated participant; keywords are settings, the result is its folder."""

    def run(variant: str = "robust", **changes: Any) -> Path:
        output = tmp_path_factory.mktemp("out")
        settings: RsaSettings = override(VARIANTS[variant], "rsa", {**SMALL, **changes})
        config = Config(
            bids_dir=clips / "data",
            output_dir=output,
            analysis_level=("participant",),
            weights="random",
            variant=variant,
            omp_nthreads=1,
            nprocs=1,
            mem="2G",
            device="cpu",
            work_dir=clips / "work",
            quiet=True,
        )
        dataset = open_dataset(config.bids_dir)
        with Staging(output, "job") as staging:
            study = ParticipantStudy(
                recipe="rsa",
                dataset=dataset,
                config=config,
                settings=settings,
                inputs=collect_participant(RECIPE, dataset, "01", SPACE, config, settings),
                configuration_hash=f"{abs(hash((settings, variant))):x}",
                staging=staging,
                scratch=clips / "work",
            )
            participant(study)
            staging.publish()
        return output / "sub-01" / "func"

    return run


@pytest.fixture(scope="session")
def robust(analysed: Analyse) -> Path:
    """Results of the robust variant with one untrained network, tested beyond acoustics."""
    return analysed(n_untrained=1, acoustics=["loudness", "onsets", "mel"])


@pytest.fixture(scope="session")
def faithful(analysed: Analyse) -> Path:
    """Results of the faithful variant."""
    return analysed("faithful")


# ------------------------------------------------------------------ written participants


@dataclass
class Person:
    """What is written of one participant; tests change what they need.

    Scores are `score` and do not follow from patterns and models: the group compares these anew.
    """

    units: UnitSpace
    patterns: np.ndarray
    models: np.ndarray
    size: np.ndarray
    clips: Sequence[str] = CLIPS
    clip_s: float = 20.0
    longer_s: Mapping[str, float] = field(default_factory=dict)
    code: str = "aaaa1111"
    seed: int = 0
    order: Sequence[str] = CLIPS
    shift_s: float = 0.0
    untrained: np.ndarray | None = None
    nuisance: np.ndarray | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    layers: Sequence[str] = LAYERS
    score: np.ndarray | None = None
    weights: Mapping[str, Any] = field(default_factory=lambda: dict(WEIGHTS))
    networks: Sequence[str] = ("toy",)
    n_permutations: int = 99
    variant: str = "robust"
    cautions: Sequence[Caution] = ()


def write_person(output: Path, subject: str, person: Person) -> None:
    """Write everything that the participant level writes."""
    settings = dataclasses.replace(
        VARIANTS[person.variant],
        networks=tuple(person.networks),
        searchlight_count=20,
        **person.settings,
    )
    durations = dict.fromkeys(person.clips, person.clip_s) | dict(person.longer_s)
    plays = [
        [
            (clip, 30.0 * k - person.shift_s + 2, durations[clip], 0.0)
            for k, clip in enumerate(order)
        ]
        for order in (person.order, person.order)
    ]
    inputs = build_inputs(plays, n_trs=124, sound_s=max(durations.values()), subject=subject)
    alignment, _ = alignment_table(inputs.runs, inputs.presentations, (0.0,), durations)
    inputs = dataclasses.replace(inputs, space=person.units.space, alignment=tuple(alignment))
    items = make_items(inputs, settings)
    pairs = pair_mask(items.clip, between_clip=settings.pairs == "between-clip")
    config = Config(
        bids_dir=output,
        output_dir=output,
        analysis_level=("participant",),
        variant=person.variant,
        random_seed=person.seed,
        device="cpu",
        quiet=True,
    )
    dataset = Dataset(bids_dir=output, root=output, fmriprep=None, layout="raw")
    known = np.isfinite(person.size)
    lights = Neighbourhoods.from_lists(
        [[centre] for centre in np.flatnonzero(known)],
        np.flatnonzero(known),
        9 + np.arange(known.sum()) % 7 / 7,
    )
    rdms = np.empty((0, pairs.size)) if person.nuisance is None else person.nuisance
    beside = Nuisances(tuple(f"n{k}" for k in range(len(rdms))), rdms, (), lag_rdm(items))
    networks = [_network(person, name, known) for name in person.networks]
    with Staging(output, f"rsa_sub-{subject}") as staging:
        study = ParticipantStudy(
            "rsa", dataset, config, settings, inputs, person.code, staging, output / ".work"
        )
        out = study.output(person.units)
        for network in networks:
            shares = np.linspace(0.1, 0.4, len(network.models.layers))
            write_network(out, network, settings, beside, shares)
        sizes = person.size[known][None]
        empty = np.empty((0, len(lights.centres)))
        scores = Scores(empty, empty, empty, empty, sizes)
        patterns = np.asarray(person.patterns, dtype=np.float32)
        number = np.arange(items.tested.sum())
        columns = {"loudness": np.sin(number * (1 + person.seed / 9))[:, None]}
        regression = acoustic_regression(columns, len(items.clips))
        write_shared(out, study, lights, scores, patterns, items, beside, regression)
        lags = lag_rows(lights, patterns, beside, items, networks[0].models, settings)
        out.write(declared.LAG, lags)
        summary = study.summary(
            person.units,
            networks={
                network.models.bank.network: facts_of(network, settings) for network in networks
            },
            cautions=person.cautions,
            mask="brain mask",
            n_searchlights=int(known.sum()),
            median_radius_mm=9.5,
            n_items=items.n_items,
            n_tested=int(items.tested.sum()),
            n_clips=len(items.clips),
            n_volumes_per_clip=items.n_volumes_per_clip,
            n_repeats=[2, 2],
            n_pairs=int(pairs.sum()),
            nuisance=list(beside.names),
            acoustics=["loudness"],
            n_permutations=person.n_permutations,
            enumerated=False,
            smallest_p=1 / (person.n_permutations + 1),
            orders_of_runs=1,
            lag_model_mean_rho=0.021,
        )
        out.write(declared.SUMMARY, summary)
        staging.publish()


def _network(person: Person, name: str, known: np.ndarray) -> NetworkScores:
    layers = tuple(Layer(layer, "conv", 640, 64) for layer in person.layers)
    empty = np.empty(0)
    bank = CourseBank(
        name, layers, person.weights, 1.0, 0.5, (), (), empty, empty, "key", Path("nowhere")
    )
    score = np.full((len(layers), known.size), 0.02) if person.score is None else person.score
    score = np.where(known, score, np.nan)
    null = np.linspace(0.05, 0.2, person.n_permutations)
    test = None
    if person.n_permutations:
        exceed = (score[..., None] <= null).sum(axis=-1)
        expected = np.where(known, 0.0456, np.nan)
        test = NetworkTest(score, clip_test(score, exceed, null), null, expected, expected)
    untrained = np.empty((0, *score.shape)) if person.untrained is None else person.untrained[None]
    shrunk = np.array([0.5, 0.8, 0.9, 0.4]) if person.variant == "robust" else np.empty(0)
    return NetworkScores(
        models=LayerModels(bank, person.models),
        score=score,
        raw=score + 0.01,
        untrained=np.asarray(untrained, dtype=np.float32),
        delayed=np.asarray(shrunk[:, None, None] * score, dtype=np.float32),
        test=test,
        beyond=test,
        significant=test.test.significant if test else np.zeros(known.size, dtype=bool),
    )


def toy_space() -> UnitSpace:
    """Return two blocks of voxels of 8 mm, on both sides of the midline."""
    mask = np.ones((16, 6, 5), dtype=bool)
    mask[6:10] = False
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = -60, -28, -16
    return volume_units(mask, affine, space=SPACE, resolution="2")


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
        drawn = []
        for number in range(n):
            rng = np.random.default_rng((seed, number))
            patterns = rng.standard_normal((N_ITEMS, units.n_units))
            if not null:
                weights = rng.standard_normal((N_CHANNELS, units.n_units)) / np.sqrt(N_CHANNELS)
                where = planted == 2
                patterns[:, where] += gain * (features[1] @ weights)[:, where]
            order = [str(clip) for clip in rng.permutation(CLIPS)]
            size = np.full(units.n_units, 20.0)
            drawn.append(Person(units, patterns, models.round(6), size, order=order))
        return drawn

    return draw


def write_people(output: Path, persons: Sequence[Person]) -> Path:
    """Write participants 01, 02, … and return the output folder."""
    for number, person in enumerate(persons, start=1):
        write_person(output, f"{number:02d}", person)
    return output


@pytest.fixture(scope="session")
def write() -> Callable[[Path, Sequence[Person]], Path]:
    """Write participants 01, 02, … into a folder."""
    return write_people


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Sequence[Person]], Path]:
    """Return a function that writes participants and returns the output folder."""
    return lambda persons: write_people(tmp_path / "out", persons)


# ------------------------------------------------------------------ groups


def group_config(output: Path, **changes: Any) -> Config:
    """Return the configuration of a group level."""
    fixed = {"bids_dir": output, "output_dir": output, "analysis_level": ("group",)}
    return Config(**fixed, device="cpu", nprocs=1, quiet=True, **changes)


def find_group(output: Path, **changes: Any) -> list[GroupInputs]:
    """Collect the participants of an output folder."""
    dataset = Dataset(bids_dir=output, root=output, fmriprep=None, layout="raw")
    return collect_group(RECIPE, dataset, [], group_config(output, **changes))


def run_group(output: Path, settings: GroupSettings = FAST, variant: str = "robust") -> Results:
    """Run the group level on the participants of a folder and return its results."""
    dataset = Dataset(bids_dir=output, root=output, fmriprep=None, layout="raw")
    config = group_config(output, variant=variant)
    for inputs in find_group(output):
        with Staging(output, "rsa_group") as staging:
            work = output / ".work"
            group(GroupStudy("rsa", dataset, config, settings, inputs, "cafe0001", staging, work))
            staging.publish()
    return Results(output, "rsa", RECIPE.results)


@pytest.fixture(scope="session")
def collected() -> Callable[..., list[GroupInputs]]:
    """Collect the participants of an output folder; keywords are options."""
    return find_group


@pytest.fixture(scope="session")
def fast() -> GroupSettings:
    """Settings of a quick group level."""
    return FAST


@pytest.fixture(scope="session")
def grouped() -> Callable[..., Results]:
    """Run the group level on the participants of a folder and return its results."""
    return run_group


@pytest.fixture
def run(written: Callable[..., Path]) -> Callable[..., Results]:
    """Write participants, run the group level and return its results."""

    def start(persons: Any, settings: GroupSettings = FAST, variant: str = "robust") -> Results:
        return run_group(written(persons), settings, variant)

    return start
