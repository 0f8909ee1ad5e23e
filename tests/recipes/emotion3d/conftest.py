"""Small simulated films with emotions, and functions that analyse their participants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.staging import Staging
from bidsapp.config import Config
from bidsapp.recipes import RECIPES
from bidsapp.recipes.base.group import GroupInputs, collect_group
from bidsapp.recipes.base.inputs import collect_participant
from bidsapp.recipes.base.settings import override
from bidsapp.recipes.base.study import GroupStudy, ParticipantStudy
from bidsapp.recipes.emotion3d.group import group as analyse_group
from bidsapp.recipes.emotion3d.inputs import EmotionInputs
from bidsapp.recipes.emotion3d.participant import participant as analyse
from bidsapp.recipes.emotion3d.report import report
from bidsapp.recipes.emotion3d.settings import GROUP_VARIANTS, VARIANTS, Emotion3dSettings
from bidsapp.report.html import Page
from bidsapp.report.methods import Methods
from bidsapp.results.kinds import Table
from bidsapp.results.read import Results
from bidsapp.simulate.dataset import simulate
from bidsapp.simulate.emotions import EmotionsOptions

RECIPE = RECIPES["emotion3d"]
SPACE = "MNI152NLin2009cAsym"
QUICK: dict[str, Any] = {
    "denoise": False,
    "n_shifts": 20,
    "n_cnn_shifts": 0,
    "n_seeds": 0,
    "n_components": 50,
    "n_parcels": 40,
    "n_embedding_shifts": 50,
    "scan_lags_s": [],
    "explain_per_class": 0,
}
#: a bit of everything that a report shows
EVERYTHING: dict[str, Any] = {
    "n_shifts": 9,
    "n_seeds": 1,
    "epochs": 3,
    "n_cnn_shifts": 1,
    "shuffled": True,
    "explain_per_class": 1,
    "n_baselines": 1,
    "scan_lags_s": [0, 4, 8],
}


def make_config(data: Path, output: Path, **changes: Any) -> Config:
    """Return a small configuration whose scratch folder is shared by all outputs of a dataset."""
    values = {
        "bids_dir": data,
        "output_dir": output,
        "analysis_level": ("participant",),
        "omp_nthreads": 1,
        "nprocs": 1,
        "mem": "2G",
        "device": "cpu",
        "work_dir": output / ".work",
        "quiet": True,
        **changes,
    }
    return Config(**values)


def collect(
    data: Path, config: Config, settings: Emotion3dSettings, subject: str = "01"
) -> EmotionInputs:
    """Collect the input of one participant."""
    inputs = collect_participant(RECIPE, open_dataset(data), subject, SPACE, config, settings)
    assert isinstance(inputs, EmotionInputs)
    return inputs


def run_participant(
    data: Path,
    output: Path,
    subject: str = "01",
    variant: str = "robust",
    config: dict[str, Any] | None = None,
    space: str = SPACE,
    **changes: Any,
) -> Results:
    """Analyse one participant; keywords are settings."""
    made = make_config(data, output, variant=variant, **(config or {}))
    dataset = open_dataset(data)
    settings = override(VARIANTS[variant], "emotion3d", {**QUICK, **changes})
    inputs = collect_participant(RECIPE, dataset, subject, space, made, settings)
    output.mkdir(parents=True, exist_ok=True)
    with Staging(output, f"job-{subject}") as staging:
        analyse(
            ParticipantStudy(
                recipe="emotion3d",
                dataset=dataset,
                config=made,
                settings=settings,
                inputs=inputs,
                configuration_hash="01234567",
                staging=staging,
                scratch=made.scratch_dir,
            )
        )
        staging.publish()
    return Results(output, "emotion3d", RECIPE.results, subject)


def collect_of_group(data: Path, config: Config, subjects: list[str]) -> GroupInputs:
    """Collect the finished participants of an output folder."""
    (inputs,) = collect_group(RECIPE, open_dataset(data), subjects, config)
    return inputs


def run_group(data: Path, output: Path, subjects: list[str], **changes: Any) -> Results:
    """Analyse the finished participants of an output folder; keywords are settings."""
    config = make_config(data, output, analysis_level=("group",))
    with Staging(output, "group") as staging:
        analyse_group(
            GroupStudy(
                recipe="emotion3d",
                dataset=open_dataset(data),
                config=config,
                settings=override(GROUP_VARIANTS["robust"], "emotion3d_group", changes),
                inputs=collect_of_group(data, config, subjects),
                configuration_hash="01234567",
                staging=staging,
                scratch=config.scratch_dir,
            )
        )
        staging.publish()
    return Results(output, "emotion3d", RECIPE.results)


def read_table(results: Results, table: Table) -> pd.DataFrame:
    """Read a table in the only space."""
    (space,) = results.spaces
    return results.table(table, space)


def balanced(table: pd.DataFrame, split: str, decoder: str) -> pd.Series:
    """Return the row with the balanced accuracy of a decoder under a split."""
    chosen = table[
        (table.split == split)
        & (table.decoder == decoder)
        & (table.measure == "balanced_accuracy")
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


Run = Callable[..., Results]


@pytest.fixture(scope="session")
def participant() -> Run:
    """`run_participant`."""
    return run_participant


@pytest.fixture(scope="session")
def group() -> Run:
    """`run_group`."""
    return run_group


@pytest.fixture(scope="session")
def result() -> Callable[[Results, Table], pd.DataFrame]:
    """`read_table`."""
    return read_table


@pytest.fixture(scope="session")
def score() -> Callable[[pd.DataFrame, str, str], pd.Series]:
    """`balanced`."""
    return balanced


@pytest.fixture(scope="session")
def config() -> Callable[..., Config]:
    """`make_config`."""
    return make_config


@pytest.fixture(scope="session")
def inputs_of() -> Callable[..., EmotionInputs]:
    """`collect`."""
    return collect


@pytest.fixture(scope="session")
def group_inputs_of() -> Callable[..., GroupInputs]:
    """`collect_of_group`."""
    return collect_of_group


@pytest.fixture(scope="session")
def written(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both levels of a film with two participants, with a bit of everything: output folder."""
    output = tmp_path_factory.mktemp("written")
    for subject in ("01", "02"):
        run_participant(film, output, subject, **EVERYTHING)
    run_group(film, output, ["01", "02"], n_shifts=19, cnn=True, n_cnn_shifts=1, epochs=2)
    return output


@pytest.fixture(scope="session")
def reports(written: Path) -> dict[str, tuple[Page, Methods]]:
    """Page and methods of a participant (``01``), with a leaky split, and of the group (empty)."""
    return {
        subject: report(Results(written, "emotion3d", RECIPE.results, subject))
        for subject in ("01", "")
    }


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two participants with strong patterns in three overlapping runs."""
    folder = tmp_path_factory.mktemp("film") / "data"
    options = EmotionsOptions.quick(snr=6.0, n_participants=2, n_runs=3, run_s=160.0, voxel_mm=14)
    simulate(folder, options, quiet=True)
    return folder


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One participant of slowly wandering noise without any pattern."""
    folder = tmp_path_factory.mktemp("noise") / "data"
    options = EmotionsOptions.quick(snr=0.0, leak=True, n_participants=1, run_s=160.0, voxel_mm=14)
    simulate(folder, options, quiet=True)
    return folder
