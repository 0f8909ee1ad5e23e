"""A small bank of features with known layers, and runs that hear them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bidsapp.audio.networks.base import Layer
from bidsapp.bids.records import Presentation, Run
from bidsapp.features.extract import FeatureBank
from tests.runs import on_surface

N_PIECES, PIECE_S, HOP_S, TR_S = 4, 60.0, 0.5, 1.0


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def features(rng: np.random.Generator) -> list[np.ndarray]:
    """Three layers (n_frames, 12), smooth in time, independent of each other."""
    n = int(N_PIECES * PIECE_S / HOP_S)
    noise = rng.standard_normal((3, n + 8, 12))
    smooth = sum(noise[:, lag : lag + n] for lag in range(8))
    return list(np.asarray(smooth) / 8**0.5)


def make_bank(folder: Path, features: list[np.ndarray]) -> FeatureBank:
    """Write Gram matrices as `extract` does and return their bank."""
    folder.mkdir(parents=True, exist_ok=True)
    n_frames = len(features[0])
    for number, layer in enumerate(features):
        centred = layer - layer.mean(axis=0)
        np.save(folder / f"gram-{number + 1:02d}.npy", centred @ centred.T)
    per_piece = n_frames // N_PIECES
    return FeatureBank(
        network="toy",
        layers=tuple(Layer(f"layer{i}", "toy", 12) for i in range(len(features))),
        weights={"source": "random", "seed": 0},
        window_s=1.0,
        hop_s=HOP_S,
        pieces=tuple(f"piece{i}.wav" for i in range(N_PIECES)),
        piece_s=(PIECE_S,) * N_PIECES,
        frame_piece=np.repeat(np.arange(N_PIECES), per_piece),
        frame_time_s=np.tile((np.arange(per_piece) + 1) * HOP_S, N_PIECES),
        key=f"key-{folder.name}",
        folder=folder,
    )


@pytest.fixture
def bank(tmp_path: Path, features: list[np.ndarray]) -> FeatureBank:
    return make_bank(tmp_path / "bank", features)


@pytest.fixture
def runs() -> tuple[Run, ...]:
    """Two runs of 140 volumes, two pieces each."""
    return tuple(on_surface(name, tr_s=TR_S, n_trs=140) for name in "12")


@pytest.fixture
def presentations(runs: tuple[Run, ...]) -> tuple[Presentation, ...]:
    return tuple(
        Presentation(
            run_name=runs[piece // 2].name,
            onset_s=5.0 + 65.0 * (piece % 2),
            duration_s=PIECE_S,
            stim_file=f"piece{piece}.wav",
            path=Path(f"/sounds/piece{piece}.wav"),
        )
        for piece in range(N_PIECES)
    )
