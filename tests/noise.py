"""Features to plant where the truth is not looked at."""

from __future__ import annotations

import numpy as np
import soundfile

from bidsapp.simulate.features import Stimuli
from bidsapp.simulate.signals import LayerFeatures


def noise_features(stimuli: Stimuli, n_layers: int = 3) -> LayerFeatures:
    """Layers of ten random components at the rate of VGGish."""
    counts = [int((soundfile.info(path).duration - 0.96) / 0.48) + 1 for _, path in stimuli]
    rng = np.random.default_rng(0)
    scores = [rng.standard_normal((sum(counts), 10)) for _ in range(n_layers)]
    return LayerFeatures(
        network="stand-in",
        layers=tuple("abc"[:n_layers]),
        pieces=tuple(name for name, _ in stimuli),
        frame_piece=np.repeat(np.arange(len(counts)), counts),
        frame_time_s=np.concatenate([0.48 + 0.48 * np.arange(n) for n in counts]),
        scores=tuple(layer - layer.mean(axis=0) for layer in scores),
    )
