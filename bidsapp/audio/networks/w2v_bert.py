"""w2v-BERT 2.0: layers of a conformer trained on speech of many languages, without labels.

Source: Chung et al. 2021, w2v-BERT, §3; Barrault et al. 2023, Seamless, §3.1. Denk et al. 2025
average such tokens over time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from bidsapp.audio.networks.ast import kaldi_log_mel
from bidsapp.audio.networks.base import Layer
from bidsapp.audio.networks.model_folders import WINDOW_S, FolderNetwork

_FRAME_S, _STEP_S = 0.025, 0.010
_POVEY = 0.85
"""Kaldi's own window is a Hann window to this power."""
_INTEGERS = 2.0**15
"""Kaldi takes samples as integers of 16 bits."""
_SMALL = 1e-7


class W2vBert(FolderNetwork):
    """Projection of the spectra and every block; see `FolderNetwork` for the parameters.

    Layers: ``projection``, ``block1`` …, each channels × time.
    """

    name = "w2vbert"
    architecture = "Wav2Vec2BertModel"
    config_class = "Wav2Vec2BertConfig"
    model_types = ("wav2vec2-bert",)
    working_bytes = 64 << 20

    @classmethod
    def list_layers(cls, config: Any) -> tuple[Layer, ...]:
        """List the projection and the blocks."""
        stride = config.feature_projection_input_dim // _n_mels(config)
        n_times = (int((WINDOW_S - _FRAME_S) / _STEP_S + 1e-6) + 1) // stride
        width = config.hidden_size
        names = ("projection", *(f"block{n}" for n in range(1, config.num_hidden_layers + 1)))
        return tuple(Layer(name, "attention", width * n_times, width, n_times) for name in names)

    def spectrogram(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Pairs of normalised log-mel spectra (n, n_times, 2 n_mels) of (n, n_samples) waveforms.

        Every mel band has mean 0 and variance 1 over the window.
        """
        config = self.model.config
        n_mels = _n_mels(config)
        bands = kaldi_log_mel(_INTEGERS * waveforms, self.sampling_hz, n_mels, window_power=_POVEY)
        variance = bands.var(dim=1, keepdim=True)
        bands = (bands - bands.mean(dim=1, keepdim=True)) / torch.sqrt(variance + _SMALL)
        stride = config.feature_projection_input_dim // n_mels
        n_times = bands.shape[1] // stride
        return bands[:, : stride * n_times].reshape(len(bands), n_times, stride * n_mels)

    def activations(self, waveforms: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield every layer of some windows."""
        outputs = self.model(self.spectrogram(waveforms), output_hidden_states=True)
        for tokens in outputs.hidden_states:
            yield tokens.transpose(1, 2)


def _n_mels(config: Any) -> int:
    """Bands of one spectrum: two spectra are one input."""
    return int(config.feature_projection_input_dim) // 2
