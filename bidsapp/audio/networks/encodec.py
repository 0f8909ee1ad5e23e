"""The encoder of EnCodec: what a codec keeps of a sound, without being told that it is music.

Source: Défossez et al. 2022, High fidelity neural audio compression, §3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from bidsapp.audio.networks.base import Layer
from bidsapp.audio.networks.model_folders import FolderNetwork, FrontEnd, read_json
from bidsapp.errors import InputInvalidError

WINDOW_S = 1.0


class Encodec(FolderNetwork):
    """Convolutions of the encoder, its recurrent layer and the latents that would be quantised.

    See `FolderNetwork` for the parameters. Layers: ``conv0`` (full rate), ``conv1`` … (after each
    reduction of the rate), ``lstm``, ``latents``; each channels × time.
    """

    name = "encodec"
    architecture = "EncodecModel"
    config_class = "EncodecConfig"
    model_types = ("encodec",)
    working_bytes = 48 << 20

    @classmethod
    def read_front_end(cls, config: Any, settings: Mapping[str, Any]) -> FrontEnd:
        """Read the rate from the model's configuration."""
        return FrontEnd(config.sampling_rate, round(WINDOW_S * config.sampling_rate), settings)

    @classmethod
    def list_layers(cls, config: Any) -> tuple[Layer, ...]:
        """List convolutions, recurrent layer and latents."""
        n_times, width = round(WINDOW_S * config.sampling_rate), config.num_filters
        layers = [Layer("conv0", "conv", n_times * width, width, n_times)]
        for number, ratio in enumerate(reversed(config.upsampling_ratios), start=1):
            n_times, width = -(-n_times // ratio), 2 * width
            layers.append(Layer(f"conv{number}", "conv", n_times * width, width, n_times))
        return (
            *layers,
            Layer("lstm", "recurrent", n_times * width, width, n_times),
            Layer("latents", "conv", n_times * config.hidden_size, config.hidden_size, n_times),
        )

    @classmethod
    def more_facts(cls, folder: Path) -> dict[str, object]:
        """Refuse what the app cannot feed: a stereo model.

        Raises
        ------
        InputInvalidError
            The model takes two channels.
        """
        n_channels = read_json(folder, "config.json").get("audio_channels", 1)
        if n_channels != 1:
            msg = (
                f"{folder}: takes {n_channels} audio channels, sounds are analysed as one; give a "
                f"mono model such as encodec_24khz"
            )
            raise InputInvalidError(msg)
        return {}

    def activations(self, waveforms: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield every layer of some windows."""
        modules = self.model.encoder.layers
        convolutions = [i for i, m in enumerate(modules) if type(m).__name__ == "EncodecConv1d"]
        recurrent = [i for i, m in enumerate(modules) if type(m).__name__ == "EncodecLSTM"]
        wanted = {*convolutions, *recurrent}
        values = waveforms[:, None]
        for index, module in enumerate(modules):
            values = module(values)
            if index in wanted:
                yield values
