from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

SMALL_PIPELINE = {
    "extractor_conv_layer_config": [(12, 10, 5), *[(12, 3, 2)] * 4, *[(12, 2, 2)] * 2],
    "encoder_embed_dim": 16,
    "encoder_pos_conv_kernel": 16,
    "encoder_pos_conv_groups": 4,
    "encoder_num_layers": 3,
    "encoder_num_heads": 4,
    "encoder_ff_interm_features": 24,
}
"""Sizes of torchaudio's bundles in these tests; times, norms and preprocessing stay theirs."""

settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def sine() -> npt.NDArray[np.float32]:
    """Three seconds of 1 kHz at 16 kHz, the sound of the release's smoke test."""
    return np.sin(2 * np.pi * 1000 * np.arange(48_000) / 16_000).astype(np.float32)


@pytest.fixture(scope="session")
def music() -> npt.NDArray[np.float32]:
    """Five seconds at 16 kHz: gliding harmonics with a pulse and some noise."""
    rng = np.random.default_rng(7)
    time = np.arange(80_000) / 16_000
    pitch = 220 * 2 ** (0.5 * np.sin(0.9 * time) + 0.2 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / 16_000
    tone = sum(np.sin(k * phase) / k for k in range(1, 9))
    pulse = 0.2 + 0.8 * (np.sin(2 * np.pi * 2.3 * time) > 0)
    return (0.1 * tone * pulse + 0.01 * rng.standard_normal(time.size)).astype(np.float32)


@pytest.fixture(autouse=True)
def small_pipelines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make torchaudio's self-supervised networks small; the loader reads sizes from there."""
    from torchaudio import pipelines

    from bidsapp.audio.networks.self_supervised import PIPELINES

    for name in PIPELINES.values():
        bundle = getattr(pipelines, name)
        monkeypatch.setattr(bundle, "_params", bundle._params | SMALL_PIPELINE)
