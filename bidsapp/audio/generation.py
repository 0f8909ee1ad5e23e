"""Music from an embedding, by a generator that was trained on embeddings of that space.

A generator is anything with the four members of `Generator`. The one here runs the latent
diffusion models AudioLDM and MusicLDM of the diffusers library, whose condition is one vector of
CLAP: the decoded embedding takes the place of the embedded prompt.

Source: Denk et al. 2025, music retrieval and music reconstruction (section 3.3): one embedding per
clip, averaged over its windows; Liu et al. 2023, AudioLDM, §2; Chen et al. 2024, MusicLDM, §3.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from bidsapp.audio.networks.clap import space_id
from bidsapp.audio.networks.model_folders import import_transformers, read_json, unwrap
from bidsapp.bids.atomic import write_bytes, write_json
from bidsapp.errors import InputInvalidError, InputMissingError, ResourceUnavailableError

Floats = npt.NDArray[np.floating]
Singles = npt.NDArray[np.float32]

PIPELINES: Final = ("AudioLDMPipeline", "MusicLDMPipeline")
_LIBRARIES: Final = {"diffusers", "transformers", None}
_PEAK: Final = 0.9
"""Largest sample of a written sound; the gain that leads to it is in the sidecar."""


class Generator(Protocol):
    """Makes a sound from a vector of length 1.

    Attributes
    ----------
    space
        Name of the embedding space it was trained on (see `bidsapp.audio.networks.clap.space_id`).
    sampling_hz
        Rate of its sounds.
    facts
        What it is, for the sidecar.
    """

    space: str
    sampling_hz: int
    facts: Mapping[str, object]

    def generate(self, embedding: Singles, duration_s: float, seed: int) -> Singles:
        """Return samples (n_samples,) for an embedding (n_dimensions,)."""


@dataclass(frozen=True, slots=True)
class DiffusionSettings:
    """How a diffusion model is run.

    Attributes
    ----------
    n_steps
        Denoising steps.
    guidance
        Weight of the condition against the empty prompt; 1 leaves the empty prompt out.
    device
        ``cpu`` or a CUDA device.
    """

    n_steps: int = 200
    guidance: float = 2.5
    device: str = "cpu"


class DiffusionGenerator:
    """AudioLDM or MusicLDM from a local folder.

    Parameters
    ----------
    folder
        Pipeline as diffusers saves it.
    settings
        How it is run.

    Raises
    ------
    ResourceUnavailableError
        diffusers or transformers is not installed.
    InputMissingError
        The folder holds no pipeline.
    InputInvalidError
        It is another pipeline, wants code of its own, or cannot be loaded.
    """

    def __init__(self, folder: Path, settings: DiffusionSettings | None = None) -> None:
        self.settings = settings or DiffusionSettings()
        name = _class_name(folder)
        self.space = space_id(folder / "text_encoder")
        self._pipe = _load(folder, name).to(self.settings.device, torch.float32)
        self._pipe.set_progress_bar_config(disable=True)
        self.sampling_hz = int(self._pipe.vocoder.config.sampling_rate)
        self.facts: Mapping[str, object] = {
            "pipeline": name,
            "folder": folder.name,
            "space": self.space,
            "n_steps": self.settings.n_steps,
            "guidance": self.settings.guidance,
        }
        self._empty = self._embed_empty_prompt()

    def generate(self, embedding: Singles, duration_s: float, seed: int) -> Singles:
        """Generate one sound.

        Parameters
        ----------
        embedding
            (n_dimensions,) of length 1.
        duration_s
            Length of the sound in seconds.
        seed
            Of the noise it begins with; the same seed gives the same samples on one machine.

        Returns
        -------
        numpy.ndarray
            (n_samples,) float32 at `sampling_hz`.

        Raises
        ------
        InputInvalidError
            The embedding has another size.
        """
        if embedding.shape != (self._empty.shape[1],):
            msg = (
                f"embedding of shape {embedding.shape}; the generator's have "
                f"{self._empty.shape[1]} dimensions"
            )
            raise InputInvalidError(msg)
        given = torch.from_numpy(np.array(embedding, np.float32))[None].to(self.settings.device)
        with torch.no_grad():
            sounds = self._pipe(
                prompt_embeds=given,
                negative_prompt_embeds=self._empty,
                num_inference_steps=self.settings.n_steps,
                guidance_scale=self.settings.guidance,
                audio_length_in_s=duration_s,
                generator=torch.Generator().manual_seed(seed),
            ).audios
        samples: Singles = np.asarray(sounds[0], np.float32)
        return samples

    def _embed_empty_prompt(self) -> torch.Tensor:
        """Embed the empty prompt, against which the condition is weighed, as (1, n_dimensions)."""
        encoder = self._pipe.text_encoder
        words = self._pipe.tokenizer("", return_tensors="pt").to(self.settings.device)
        inputs = {"input_ids": words["input_ids"], "attention_mask": words["attention_mask"]}
        with torch.no_grad():
            if hasattr(encoder, "get_text_features"):
                features = unwrap(encoder.get_text_features(**inputs))
            else:
                features = encoder(**inputs).text_embeds
        empty: torch.Tensor = torch.nn.functional.normalize(features, dim=-1)
        return empty


def average_embedding(windows: Floats) -> Singles:
    """Average the embeddings of a clip's windows and give the mean length 1.

    Parameters
    ----------
    windows
        (n_windows, n_dimensions) or (n_dimensions,).

    Raises
    ------
    InputInvalidError
        The mean is zero or not finite.
    """
    mean = np.atleast_2d(np.asarray(windows, np.float64)).mean(axis=0)
    length = float(np.linalg.norm(mean))
    if not np.isfinite(length) or length == 0:
        msg = "the embedding of the clip is zero or not finite; nothing can be generated from it"
        raise InputInvalidError(msg)
    unit: Singles = np.asarray(mean / length, np.float32)
    return unit


def write_samples(
    generator: Generator,
    embedding: Floats,
    space: str,
    folder: Path,
    name: str,
    *,
    n_samples: int = 3,
    duration_s: float = 10.0,
    seed: int = 0,
    about: Mapping[str, object] | None = None,
) -> list[Path]:
    """Generate sounds from one embedding and write them with their sidecars.

    Parameters
    ----------
    generator
        Of the embedding's space.
    embedding
        (n_windows, n_dimensions) or (n_dimensions,); windows are averaged.
    space
        Name of its space: ``weights["space"]`` of the network `clap`.
    folder
        To write to; made if needed.
    name
        Beginning of the file names: ``NAME_sample-1.flac`` and ``.json``.
    n_samples
        Sounds; number i begins with the noise of seed ``seed + i``, the same for all embeddings.
    duration_s
        Length of each in seconds.
    seed
        Of the first.
    about
        What else the sidecars shall say: clip, participant.

    Returns
    -------
    list of Path
        The FLAC files (16 bits, largest sample .9).

    Raises
    ------
    InputInvalidError
        The embedding is of another space or size, or a sound is silent or not finite.
    OutputError
        The folder cannot be written.
    """
    if not generator.space or space != generator.space:
        msg = (
            f"{name}: the embedding is of space {space or 'unknown'}, the generator was trained "
            f"on {generator.space or 'unknown'}; decode embeddings of the generator's CLAP (the "
            f"text_encoder folder of MusicLDM, clap-music-speech for AudioLDM)"
        )
        raise InputInvalidError(msg)
    condition = average_embedding(embedding)
    paths = []
    for number in range(n_samples):
        sound = generator.generate(condition, duration_s, seed + number)
        peak = float(np.abs(sound).max()) if sound.size else 0.0
        if not np.isfinite(peak) or peak == 0:
            msg = f"{name}: generated sound {number + 1} is silent or not finite; try another seed"
            raise InputInvalidError(msg)
        gain = _PEAK / peak
        path = folder / f"{name}_sample-{number + 1}.flac"
        write_bytes(path, _flac(sound * np.float32(gain), generator.sampling_hz))
        sidecar = {
            **(about or {}),
            "generator": dict(generator.facts),
            "seed": seed + number,
            "duration_s": sound.size / generator.sampling_hz,
            "gain": gain,
            "embedding": condition.tolist(),
        }
        write_json(path.with_suffix(".json"), sidecar)
        paths.append(path)
    return paths


def _flac(samples: Singles, sampling_hz: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sampling_hz, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def generator_space(folder: Path) -> str:
    """Name the embedding space of a generator without loading it.

    Parameters
    ----------
    folder
        Pipeline as diffusers saves it.

    Raises
    ------
    ResourceUnavailableError
        diffusers or transformers is not installed.
    InputMissingError
        The folder holds no pipeline.
    InputInvalidError
        It is another pipeline, or wants code of its own.
    """
    _class_name(folder)
    _import_diffusers()
    return space_id(folder / "text_encoder")


def _class_name(folder: Path) -> str:
    """Read which pipeline a folder holds; its weights alone do not tell."""
    index = read_json(folder, "model_index.json")
    if not index:
        msg = (
            f"{folder}: no model_index.json here; name the folder of an AudioLDM or MusicLDM "
            f"pipeline, such as `musicotopy-tools fetch musicldm` fills"
        )
        raise InputMissingError(msg)
    name = str(index.get("_class_name"))
    if name not in PIPELINES:
        msg = f"{folder}: is a {name}; a generator must be {' or '.join(PIPELINES)}"
        raise InputInvalidError(msg)
    parts = {key: value for key, value in index.items() if isinstance(value, list)}
    foreign = [key for key, value in parts.items() if value[:1] and value[0] not in _LIBRARIES]
    if foreign:
        msg = (
            f"{folder}: its {foreign[0]} comes from {parts[foreign[0]][0]}, which is code outside "
            f"diffusers and transformers; it is not run"
        )
        raise InputInvalidError(msg)
    return name


def _import_diffusers() -> Any:
    """Import diffusers and the transformers it is used with."""
    import_transformers("generation of music")
    try:
        import diffusers
    except ImportError as error:
        msg = (
            f"generation of music: needs the package diffusers ({error}); "
            f"pip install 'musicotopy[embeddings]'"
        )
        raise ResourceUnavailableError(msg) from error
    return diffusers


def _load(folder: Path, name: str) -> Any:
    diffusers = _import_diffusers()
    diffusers.logging.set_verbosity_error()
    diffusers.logging.disable_progress_bar()
    try:
        return getattr(diffusers, name).from_pretrained(folder, local_files_only=True)
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        msg = f"{folder}: cannot be loaded as {name} ({reason}); fetch it again"
        raise InputInvalidError(msg) from error
