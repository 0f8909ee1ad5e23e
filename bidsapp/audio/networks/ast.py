"""The audio spectrogram transformer: patches of 10 s of spectrogram, and classes of AudioSet.

Source: Gong, Chung and Glass 2021, AST: audio spectrogram transformer, §2.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
from torch.nn.functional import pad

from bidsapp.audio.networks.base import Layer
from bidsapp.audio.networks.model_folders import WINDOW_S, FolderNetwork, import_transformers

_FRAME_S, _STEP_S, _N_FFT = 0.025, 0.010, 512
_PREEMPHASIS = 0.97
_LOWEST_HZ = 20.0
_SMALLEST = torch.finfo(torch.float32).eps
_SPECIAL = 2
"""Tokens before the patches: class and distillation."""


class AudioSpectrogramTransformer(FolderNetwork):
    """AST; see `FolderNetwork` for the parameters.

    Layers: ``patches``, ``block1`` … (channels × time × bands; steps in the padding beyond 10 s
    are left out) and ``logits`` of the classes.
    """

    name = "ast"
    architecture = "ASTForAudioClassification"
    config_class = "ASTConfig"
    model_types = ("audio-spectrogram-transformer",)
    working_bytes = 96 << 20

    @classmethod
    def default_config(cls) -> Any:
        """Make the configuration of the published size: 12 blocks, 527 classes."""
        return import_transformers(cls.name).ASTConfig(num_labels=527)

    @classmethod
    def list_layers(cls, config: Any) -> tuple[Layer, ...]:
        """List patches, blocks and logits."""
        n_times, n_bands, width = _n_heard(config), _n_bands(config), config.hidden_size
        names = ("patches", *(f"block{n}" for n in range(1, config.num_hidden_layers + 1)))
        maps = (
            Layer(name, "attention", width * n_times * n_bands, width, n_times) for name in names
        )
        return (*maps, Layer("logits", "fc", config.num_labels))

    @classmethod
    def list_classes(cls, config: Any) -> tuple[str, ...]:
        """List the classes of the logits."""
        return tuple(str(config.id2label[k]) for k in range(config.num_labels))

    def spectrogram(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Normalised log-mel spectrograms (n, max_length, n_mels) of (n, n_samples) waveforms."""
        settings, config = self.front_end.settings, self.model.config
        bands = kaldi_log_mel(waveforms, self.sampling_hz, config.num_mel_bins)
        bands = pad(bands, (0, 0, 0, config.max_length - bands.shape[1]))
        if not settings.get("do_normalize", True):
            return bands
        mean, sd = float(settings.get("mean", -4.2677393)), float(settings.get("std", 4.5689974))
        return (bands - mean) / (2 * sd)

    def activations(self, waveforms: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield every layer of some windows."""
        config = self.model.config
        outputs = self.model(self.spectrogram(waveforms), output_hidden_states=True)
        for tokens in outputs.hidden_states:
            patches = tokens[:, _SPECIAL:].unflatten(1, (_n_bands(config), -1))
            yield patches[:, :, : _n_heard(config)].permute(0, 3, 2, 1)
        yield outputs.logits


def kaldi_log_mel(
    waveforms: torch.Tensor, sampling_hz: int, n_mels: int, window_power: float = 1.0
) -> torch.Tensor:
    """Log-mel spectra as Kaldi computes them, without dither.

    Frames of 25 ms every 10 ms, no padding; mean removed, pre-emphasis .97, symmetric Hann
    window to some power, power spectra, triangles of peak 1 that are straight on the mel axis from
    20 Hz on.

    Parameters
    ----------
    waveforms
        (n, n_samples) float32.
    sampling_hz
        Their rate in Hz.
    n_mels
        Bands.
    window_power
        Of the window: 1 for a Hann window, .85 for Kaldi's own.

    Returns
    -------
    torch.Tensor
        (n, n_spectra, n_mels) float32, natural logarithm.
    """
    size, step = round(_FRAME_S * sampling_hz), round(_STEP_S * sampling_hz)
    frames = waveforms.unfold(1, size, step)
    frames = frames - frames.mean(dim=2, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], dim=2)
    window = torch.hann_window(size, periodic=False, device=waveforms.device) ** window_power
    spectra = torch.fft.rfft((frames - _PREEMPHASIS * before) * window, _N_FFT)
    power = spectra.real**2 + spectra.imag**2
    filters = _triangles(sampling_hz, n_mels).to(waveforms.device)
    return torch.log((power @ filters).clamp_min(_SMALLEST))


@lru_cache(maxsize=4)
def _triangles(sampling_hz: int, n_mels: int) -> torch.Tensor:
    """Make Kaldi's filters, (1 + n_fft / 2, n_mels)."""
    hz = torch.arange(_N_FFT // 2 + 1, dtype=torch.float64) * sampling_hz / _N_FFT
    mel, ends = (
        1127.0 * torch.log(1.0 + values / 700.0)
        for values in (hz, torch.tensor([_LOWEST_HZ, sampling_hz / 2], dtype=torch.float64))
    )
    edges = torch.linspace(float(ends[0]), float(ends[1]), n_mels + 2, dtype=torch.float64)
    width = edges[1] - edges[0]
    rising, falling = (mel[:, None] - edges[:-2]) / width, (edges[2:] - mel[:, None]) / width
    filters = torch.minimum(rising, falling).clamp_min(0.0)
    filters[-1] = 0.0  # Kaldi leaves out half the sampling rate
    return filters.float()


def _n_bands(config: Any) -> int:
    return int((config.num_mel_bins - config.patch_size) // config.frequency_stride + 1)


def _n_heard(config: Any) -> int:
    """Count the steps in time whose patches begin and end within the 10 s."""
    n_spectra = int((WINDOW_S - _FRAME_S) / _STEP_S) + 1
    return int((min(n_spectra, config.max_length) - config.patch_size) // config.time_stride + 1)
