"""Runs and presentations without files, and a small simulated dataset of clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.records import Presentation, Run
from bidsapp.bids.staging import Staging
from bidsapp.config import Config
from bidsapp.recipes.analysis import Analysis
from bidsapp.recipes.base.settings import override
from bidsapp.recipes.inputs import Inputs
from bidsapp.recipes.rsa.participant import analyse, collect_participant
from bidsapp.recipes.rsa.settings import VARIANTS, RsaSettings
from bidsapp.simulate.clips import ClipsOptions
from bidsapp.simulate.dataset import simulate

SPACE = "MNI152NLin2009cAsym"
SMALL: dict[str, Any] = {
    "networks": ["musicnn"],
    "n_untrained": 0,
    "searchlight_count": 30,
    "n_permutations": 199,
}


def build_inputs(
    plays: Sequence[Sequence[tuple[str, float, float, float]]],
    *,
    tr_s: float = 2.0,
    n_trs: int = 100,
    start_time_s: float = 1.0,
    sound_s: float = 1000.0,
) -> Inputs:
    """Make inputs of runs that play (sound, onset, duration, start in the sound) each."""
    runs, presentations = [], []
    for number, played in enumerate(plays, start=1):
        entities = {"sub": "01", "task": "clips", "run": str(number)}
        run = Run(entities, SPACE, None, None, "volume", (), None, None, tr_s, n_trs, start_time_s)
        runs.append(run)
        presentations += [
            Presentation(run.name, onset, duration, name, Path(name), start)
            for name, onset, duration, start in played
        ]
    names = dict.fromkeys(item.stim_file for item in presentations)
    alignment = tuple({"stim_file": name, "sound_s": sound_s} for name in names)
    return Inputs("01", SPACE, tuple(runs), tuple(presentations), (), alignment, ())


@pytest.fixture(scope="session")
def make_inputs() -> Callable[..., Inputs]:
    """Make inputs of runs that play (sound, onset, duration, start in the sound) each."""
    return build_inputs


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
        analysis = make_analysis(clips, output, settings, variant)
        with Staging(output, "unit") as staging:
            analyse(Analysis(**{**vars(analysis), "staging": staging}))
            staging.publish()
        return output / "sub-01" / "func"

    return run


def make_analysis(
    clips: Path, output: Path, settings: RsaSettings, variant: str = "robust"
) -> Analysis[Inputs]:
    """Make the job of the simulated participant; its staging is to be replaced."""
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
    return Analysis(
        recipe="rsa",
        dataset=dataset,
        config=config,
        settings=settings,
        inputs=collect_participant(dataset, "01", SPACE, config, settings),
        configuration_hash=f"{abs(hash((settings, variant))):x}",
        staging=None,  # type: ignore[arg-type]
        scratch=clips / "work",
    )


@pytest.fixture(scope="session")
def robust(analysed: Analyse) -> Path:
    """Results of the robust variant with one untrained network."""
    return analysed(n_untrained=1)


@pytest.fixture(scope="session")
def faithful(analysed: Analyse) -> Path:
    """Results of the faithful variant."""
    return analysed("faithful")
