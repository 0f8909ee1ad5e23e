"""A stand-in network: smooth random layers, each sharing part of its neighbour."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.simulate.features import Stimuli
from bidsapp.simulate.signals import LayerFeatures

N_LAYERS = 6


def stand_in_features(stimuli: Stimuli) -> LayerFeatures:
    """Six layers of ten smooth components; neighbours share half of their variance."""
    import soundfile

    hop_s = 0.48
    pieces, times = [], []
    for number, (_, path) in enumerate(stimuli):
        n_frames = int((soundfile.info(path).duration - 0.96) / hop_s) + 1
        pieces.append(np.full(n_frames, number))
        times.append(0.48 + hop_s * np.arange(n_frames))
    frame_piece = np.concatenate(pieces)
    rng = np.random.default_rng(3)
    shocks = rng.standard_normal((N_LAYERS + 1, len(frame_piece), 10))
    for frame in range(1, len(frame_piece)):
        shocks[:, frame] = 0.9 * shocks[:, frame - 1] + 0.44 * shocks[:, frame]
    scores = tuple(
        (mixed - mixed.mean(axis=0)) / np.sqrt(mixed.var(axis=0).sum())
        for mixed in (shocks[layer] + shocks[layer + 1] for layer in range(N_LAYERS))
    )
    return LayerFeatures(
        network="vggish",
        layers=tuple(f"layer{number}" for number in range(1, N_LAYERS + 1)),
        pieces=tuple(name for name, _ in stimuli),
        frame_piece=frame_piece,
        frame_time_s=np.concatenate(times),
        scores=scores,
    )


@pytest.fixture(scope="session")
def stand_in():
    return stand_in_features
