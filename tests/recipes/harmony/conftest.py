"""A small simulated study, analysed once by the app."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bidsapp.cli.app import main
from bidsapp.simulate.dataset import MusicOptions, simulate
from bidsapp.simulate.features import Stimuli
from bidsapp.simulate.signals import LayerFeatures


@dataclass(frozen=True)
class Study:
    """Where data and results lie."""

    data: Path
    out: Path


def noise_features(stimuli: Stimuli) -> LayerFeatures:
    """Two layers of random components: responses to them are planted."""
    import soundfile

    counts = [int((soundfile.info(path).duration - 0.96) / 0.48) + 1 for _, path in stimuli]
    rng = np.random.default_rng(0)
    scores = [rng.standard_normal((sum(counts), 10)) for _ in range(2)]
    return LayerFeatures(
        network="stand-in",
        layers=("a", "b"),
        pieces=tuple(name for name, _ in stimuli),
        frame_piece=np.repeat(np.arange(len(counts)), counts),
        frame_time_s=np.concatenate([0.48 + 0.48 * np.arange(n) for n in counts]),
        scores=tuple(layer - layer.mean(axis=0) for layer in scores),
    )


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two participants who heard three pieces of 24 s, 12 mm voxels, both levels."""
    folder = tmp_path_factory.mktemp("harmony")
    options = MusicOptions.quick(
        n_participants=2, n_pieces=3, piece_s=24.0, spaces=("MNI152NLin2009cAsym",)
    )
    simulate(folder / "data", options, features=noise_features, quiet=True)
    words = [str(folder / "data"), str(folder / "out"), "participant", "group", "-q"]
    words += ["--recipe", "harmony", "--weights", "random", "-w", str(folder / "work")]
    changes = [
        "min_block_s=10",
        "n_components=3",
        "n_parcels=6",
        "n_shifts=9",
        "max_inner_folds=2",
    ]
    for change in (*changes, "ratings_are=felt"):
        words += ["--set", f"harmony.{change}"]
    assert main(words) == 0
    return Study(folder / "data", folder / "out")
