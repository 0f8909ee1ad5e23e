"""Small simulated films with emotions, and functions that analyse their participants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bidsapp.recipes.emotion3d.group.analyse import analyse_group
from bidsapp.recipes.emotion3d.group.collect import collect_group
from bidsapp.recipes.emotion3d.group.settings import VARIANTS as GROUP_VARIANTS

from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.staging import Staging
from bidsapp.config import Config
from bidsapp.recipes.analysis import Analysis
from bidsapp.recipes.base.settings import override
from bidsapp.recipes.emotion3d.participant import analyse, collect_participant
from bidsapp.recipes.emotion3d.settings import VARIANTS
from bidsapp.recipes.group_inputs import GroupAnalysis
from bidsapp.simulate.dataset import simulate
from bidsapp.simulate.emotions import EmotionsOptions

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


def run_participant(
    data: Path,
    output: Path,
    subject: str = "01",
    variant: str = "robust",
    config: dict[str, Any] | None = None,
    space: str = SPACE,
    **changes: Any,
) -> Path:
    """Analyse one participant; keywords are settings, the result is the output folder."""
    made = make_config(data, output, variant=variant, **(config or {}))
    dataset = open_dataset(data)
    settings = override(VARIANTS[variant], "emotion3d", {**QUICK, **changes})
    inputs = collect_participant(dataset, subject, space, made, settings)
    output.mkdir(parents=True, exist_ok=True)
    with Staging(output, f"unit-{subject}") as staging:
        analyse(
            Analysis(
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
    return output


def run_group(data: Path, output: Path, subjects: list[str], **changes: Any) -> Path:
    """Analyse the finished participants of an output folder; the result is their folder."""
    config = make_config(data, output, analysis_level=("group",))
    dataset = open_dataset(data)
    (inputs,) = collect_group(dataset, subjects, config)
    settings = override(GROUP_VARIANTS["robust"], "emotion3d_group", changes)
    with Staging(output, "group") as staging:
        analyse_group(
            GroupAnalysis(
                recipe="emotion3d",
                dataset=dataset,
                config=config,
                settings=settings,
                inputs=inputs,
                configuration_hash="01234567",
                staging=staging,
                scratch=config.scratch_dir,
                output_dir=output,
            )
        )
        staging.publish()
    return output / "group"


def read_result(folder: Path, label: str) -> pd.DataFrame:
    """Read the only table with a label in a folder."""
    (path,) = folder.glob(f"*desc-{label}_stats.tsv")
    return pd.read_table(path, na_values="n/a", dtype={"participant": str})


def balanced(table: pd.DataFrame, split: str, decoder: str) -> pd.Series:
    """Return the row with the balanced accuracy of a decoder under a split."""
    chosen = table[
        (table.split == split)
        & (table.decoder == decoder)
        & (table.measure == "balanced_accuracy")
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


Run = Callable[..., Path]


@pytest.fixture(scope="session")
def participant() -> Run:
    """`run_participant`."""
    return run_participant


@pytest.fixture(scope="session")
def group() -> Run:
    """`run_group`."""
    return run_group


@pytest.fixture(scope="session")
def result() -> Callable[[Path, str], pd.DataFrame]:
    """`read_result`."""
    return read_result


@pytest.fixture(scope="session")
def score() -> Callable[[pd.DataFrame, str, str], pd.Series]:
    """`balanced`."""
    return balanced


@pytest.fixture(scope="session")
def config() -> Callable[..., Config]:
    """`make_config`."""
    return make_config


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
