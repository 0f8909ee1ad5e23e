"""A small simulated study, analysed once by the app."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bidsapp.audio.corpus_index import build_index
from bidsapp.audio.networks import get_network
from bidsapp.cli.app import main
from bidsapp.simulate.dataset import simulate
from bidsapp.simulate.genres import GenresOptions
from bidsapp.simulate.music import compose, write_piece


def write_captions(folder: Path) -> Path:
    """Write a second embedding, which knows nothing of the sounds, as captions would be given."""
    rng = np.random.default_rng(3)
    sounds = sorted((folder / "data" / "stimuli").rglob("*.flac"))
    arrays = {}
    for sound in sounds:
        name = sound.relative_to(folder / "data" / "stimuli").as_posix()
        arrays[f"{name}/time"] = np.array([5.0])
        arrays[f"{name}/text"] = rng.standard_normal((1, 6))
    np.savez(folder / "captions.npz", **arrays)
    return folder / "captions.npz"


@dataclass(frozen=True)
class Study:
    """Where data and results lie."""

    data: Path
    out: Path
    work: Path


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two participants who heard 24 clips of 10 s, 12 mm voxels, both levels."""
    folder = tmp_path_factory.mktemp("reconstruct")
    options = GenresOptions.quick(n_pieces=24, piece_s=10.0, voxel_mm=12, snr=8.0, layer="mel")
    simulate(folder / "data", options, cache_dir=folder / "work" / "features", quiet=True)
    corpus = [write_piece(compose(number, 9.0, seed=7), folder / "corpus") for number in range(6)]
    named = [
        (f"{path.stem}.other.flac", path.rename(path.with_name(f"{path.stem}.other.flac")))
        for path in corpus
    ]
    baseline = get_network("baseline", hop_s=0.5)
    names = [layer.name for layer in baseline.layers]
    options_of = {"window_s": 6.0, "hop_s": 1.5, "memory_bytes": 1 << 28, "quiet": True}
    build_index(named, folder / "index", baseline, names.index("mel"), **options_of)
    words = [str(folder / "data"), str(folder / "out"), "participant", "group", "-q"]
    words += ["--recipe", "reconstruct", "-w", str(folder / "work")]
    words += ["--network", "baseline", f"features:{write_captions(folder)}"]
    changes = [
        "embedding_layer=mel",
        "embedding_window_s=6",
        "clip_s=10",
        "n_folds=3",
        "n_parcels=12",
        "n_best=2",
        "n_exchanges=99",
        "n_weights=40",
        "n_players=2",
        f"corpus={folder / 'index'}",
        f"corpus_sounds={folder / 'corpus'}",
        "curve_shifts_s=[0, 5]",
        "curve_lengths_s=[3]",
        "log10_alpha=[0, 2, 3, 4]",
    ]
    for change in changes:
        words += ["--set", f"reconstruct.{change}"]
    assert main(words) == 0
    return Study(folder / "data", folder / "out", folder / "work")
