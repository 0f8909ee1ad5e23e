"""CLAP: one space for music and words.

A Swin transformer (HTS-AT) over log-mel spectrograms of 10 s at 48 kHz, and a projection into the
512 dimensions that its text tower shares. Windows are of the full length, so nothing is padded
and nothing is cropped at random.

Source: Wu et al. 2023, Large-scale contrastive language-audio pretraining with feature fusion and
keyword-to-caption augmentation, §3; Chen et al. 2022, HTS-AT, §2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import normalize, pad

from bidsapp.audio.networks.base import Layer
from bidsapp.audio.networks.front_end import MelFrontEnd
from bidsapp.audio.networks.model_folders import (
    FolderNetwork,
    FrontEnd,
    import_transformers,
    load_model,
    read_tensors,
)
from bidsapp.errors import InputInvalidError

Floats = npt.NDArray[np.float32]

EMBEDDING = "embedding"
"""The layer that music and words share."""
_CHUNKS = 4
"""HTS-AT lays this many stretches of time on top of each other to make its image square."""
_AT_ONCE = 32


class Clap(FolderNetwork):
    """The audio tower of CLAP; see `FolderNetwork` for the parameters.

    Layers: ``patches``, ``stage1`` … (channels × time × bands), ``pooled``, and ``embedding``,
    which has length 1.
    """

    name = "clap"
    architecture = "ClapAudioModelWithProjection"
    config_class = "ClapAudioConfig"
    model_types = ("clap", "clap_audio_model")
    working_bytes = 64 << 20

    @classmethod
    def read_front_end(cls, config: Any, settings: Mapping[str, Any]) -> FrontEnd:
        """Read the constants; those of the library where the folder has none."""
        rate = int(settings.get("sampling_rate", 48_000))
        window = int(settings.get("nb_max_samples", 10 * rate))
        return FrontEnd(rate, window, settings)

    @classmethod
    def list_layers(cls, config: Any) -> tuple[Layer, ...]:
        """List patches, stages, pooled output and embedding."""
        n_stages = len(config.depths)
        side, width = config.spec_size // config.patch_stride[0], config.patch_embeds_hidden_size
        layers = [_map_layer("patches", width, side)]
        for stage in range(1, n_stages + 1):
            halvings = min(stage, n_stages - 1)
            layers.append(_map_layer(f"stage{stage}", width << halvings, side >> halvings))
        return (
            *layers,
            Layer("pooled", "pool", width << (n_stages - 1)),
            Layer(EMBEDDING, "fc", config.projection_dim),
        )

    @classmethod
    def more_facts(cls, folder: Path) -> dict[str, object]:
        """Name the embedding space, so that generators and captions can be held against it."""
        return {"space": space_id(folder)}

    def spectrogram(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Log-mel spectrograms (n, n_spectra, n_mels) in dB of (n, n_samples) waveforms.

        Fused models were trained on triangles of peak 1 on the HTK scale, the others on triangles
        of equal area on Slaney's.
        """
        settings = self.front_end.settings
        fused = bool(self.model.config.enable_fusion)
        bands = MelFrontEnd(
            sampling_hz=self.sampling_hz,
            n_fft=int(settings.get("fft_window_size", 1024)),
            win_length=int(settings.get("fft_window_size", 1024)),
            hop_length=int(settings.get("hop_length", 480)),
            n_mels=int(settings.get("feature_size", 64)),
            lowest_hz=float(settings.get("frequency_min", 0)),
            highest_hz=float(settings.get("frequency_max", 14_000)),
            scale="htk" if fused else "slaney",
            norm="none" if fused else "slaney",
            compression="db",
        )
        half = bands.n_fft // 2
        return bands(pad(waveforms[:, None], (half, half), mode="reflect")[:, 0])

    def activations(self, waveforms: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield every layer of some windows."""
        n = len(waveforms)
        spectra = self.spectrogram(waveforms)[:, None]
        fused = bool(self.model.config.enable_fusion)
        outputs = self.model(
            input_features=spectra.repeat(1, _CHUNKS, 1, 1) if fused else spectra,
            is_longer=torch.zeros(n, 1, dtype=torch.bool, device=waveforms.device),
            output_hidden_states=True,
        )
        for image in outputs.hidden_states:
            yield _in_time(image)
        yield outputs.last_hidden_state.flatten(2).mean(dim=2)
        yield normalize(outputs.audio_embeds, dim=-1)


def space_id(folder: Path) -> str:
    """Name the space of a CLAP by the SHA-256 of its text projection in half precision.

    Two folders of one training have the same, in whatever precision they are stored and whatever
    else is in them; vectors of different spaces must not be compared.

    Parameters
    ----------
    folder
        Of a CLAP, or of the text tower in a generator's pipeline.

    Returns
    -------
    str
        ``clap-`` and 16 hexadecimal digits; empty if the folder holds no text projection.
    """
    tensors = read_tensors(folder, "text_projection.")
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].to(torch.float16).numpy().tobytes())
    return f"clap-{digest.hexdigest()[:16]}" if tensors else ""


def embed_texts(folder: Path, texts: Sequence[str]) -> Floats:
    """Embed captions into the space of the music.

    Parameters
    ----------
    folder
        Of a whole CLAP with its tokenizer, as ``--weights`` takes it.
    texts
        Captions; the tokenizer cuts what is longer than the model takes (77 tokens).

    Returns
    -------
    numpy.ndarray
        (n_texts, 512) float32, each of length 1.

    Raises
    ------
    ResourceUnavailableError, InputMissingError, InputInvalidError
        As `load_model`; also if there is no tokenizer, or a caption is empty.
    """
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            msg = f"caption {number} of {len(texts)} is empty; write one or leave its sound out"
            raise InputInvalidError(msg)
    kinds = ("clap", "clap_text_model")
    tower = load_model(folder, "ClapTextModelWithProjection", kinds, "clap")
    try:
        tokenizer = import_transformers("clap").AutoTokenizer.from_pretrained(
            folder, local_files_only=True
        )
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        msg = f"{folder}: has no tokenizer that can be loaded ({reason}); fetch the folder again"
        raise InputInvalidError(msg) from error
    longest = min(77, tower.config.max_position_embeddings - 2)
    parts = [np.empty((0, tower.config.projection_dim), np.float32)]
    for start in range(0, len(texts), _AT_ONCE):
        tokens = tokenizer(
            list(texts[start : start + _AT_ONCE]),
            padding=True,
            truncation=True,
            max_length=longest,
            return_tensors="pt",
        )
        with torch.no_grad():
            outputs = tower(tokens["input_ids"], attention_mask=tokens["attention_mask"])
        parts.append(normalize(outputs.text_embeds, dim=-1).numpy())
    return np.concatenate(parts)


def _map_layer(name: str, n_channels: int, side: int) -> Layer:
    """Describe a square image of the transformer as channels × time × bands."""
    return Layer(name, "attention", n_channels * side * side, n_channels, _CHUNKS * side)


def _in_time(image: torch.Tensor) -> torch.Tensor:
    """Unfold a square image (n, channels, 4 · bands, times / 4) along time.

    Returns (n, channels, times, bands).
    """
    n, channels, side, _ = image.shape
    chunks = image.reshape(n, channels, _CHUNKS, side // _CHUNKS, side)
    return chunks.transpose(3, 4).reshape(n, channels, _CHUNKS * side, side // _CHUNKS)
