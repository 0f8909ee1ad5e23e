"""What every network offers: layers, frames, and all activations as a stream of columns.

``frame``
    one window of sound, stamped with the time of its centre.
``block``
    all frames × a slice of one layer's features. A network yields its activations as blocks, in
    an order of its own, and never holds a whole layer: who wants Gram matrices adds them up.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.audio.io import load_audio
from bidsapp.errors import InputInvalidError

INPUT = "input"
"""Kind of the layer that is the network's input."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer space.

    Attributes
    ----------
    name
        As the network's authors call it.
    kind
        What it computes (``input``, ``conv``, ``relu``, ``pool``, ``fc``, …).
    n_features
        Its size for one frame, laid out (n_times, …, n_channels).
    n_channels
        Maps, bands or neurons that it repeats over time; each feature for itself if left out.
    n_times
        Time steps within the window; 1 where the layer sees the window as a whole.
    """

    name: str
    kind: str
    n_features: int
    n_channels: int = 0
    n_times: int = 1

    def __post_init__(self) -> None:
        if not self.n_channels:
            object.__setattr__(self, "n_channels", self.n_features // self.n_times)


class Network(ABC):
    """A sound goes in, one vector per frame and layer comes out.

    Attributes
    ----------
    name
        Key of the registry.
    layers
        In order from superficial to deep; blocks name them by position from 0.
    sampling_hz
        Rate of the waveforms it takes.
    window_s, hop_s
        Sound one frame sees, and time between two frames, in seconds.
    weights
        Where the parameters come from: seed, or file and SHA-256.
    version
        Raised whenever the code changes what the network computes.
    classes
        Names of what its last layer tells, in order; empty where it tells none.
    """

    name: str
    layers: tuple[Layer, ...]
    sampling_hz: int
    window_s: float
    hop_s: float
    weights: Mapping[str, object]
    version: int = 1
    classes: tuple[str, ...] = ()

    @abstractmethod
    def frames(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Cut a waveform into frames.

        Parameters
        ----------
        waveform
            Samples (n_samples,) at `sampling_hz`.

        Returns
        -------
        numpy.ndarray
            (n_frames, …), float32. Frame i sees ``window_s`` seconds from ``i * hop_s`` on; sound
            that fills no whole window is left out, so n_frames may be 0.
        """

    def read_sound(
        self, name: str, path: Path
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """Return the frames of one sound.

        Parameters
        ----------
        name
            The sound's name (stim_file).
        path
            Its file.

        Returns
        -------
        frames
            As `frames` returns them.
        times_s
            (n_frames,) centre of each frame in seconds from the start of the sound.

        Raises
        ------
        InputInvalidError
            The sound is shorter than one window.
        InputMissingError, InputInvalidError
            It cannot be read (see `bidsapp.audio.io.load_audio`).
        """
        waveform = load_audio(path, self.sampling_hz)
        frames = self.frames(waveform)
        if len(frames) == 0:
            msg = (
                f"{path}: {waveform.size / self.sampling_hz:.2f} s of sound, less than one "
                f"window of {self.name} ({self.window_s:.3f} s); leave it out"
            )
            raise InputInvalidError(msg)
        return frames, self.frame_times_s(len(frames))

    @abstractmethod
    def blocks(
        self,
        frames: npt.NDArray[np.float32],
        *,
        memory_bytes: int,
        device: str = "cpu",
        scratch_dir: Path | None = None,
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield every feature of every layer exactly once.

        Parameters
        ----------
        frames
            (n_frames, …) as `frames` returns them; several sounds may be concatenated.
        memory_bytes
            Bound on the activations held at once, beyond `frames` and one layer's parameters.
        device
            Where the blocks are computed and live.
        scratch_dir
            Folder for what exceeds the bound; the system's temporary folder if None.

        Yields
        ------
        layer
            Position in `layers`.
        columns
            (n_frames, n) float32 features, some channels in full: (n_times, …, channels) in
            order; valid until the next block is asked for, and not to be written to. Sizes
            depend on `memory_bytes`, values only to rounding.
        """

    @abstractmethod
    def n_blocks(self, n_frames: int, memory_bytes: int) -> int:
        """Count what `blocks` will yield, for the progress bar."""

    def channels(
        self,
        frames: npt.NDArray[np.float32],
        *,
        memory_bytes: int,
        device: str = "cpu",
        scratch_dir: Path | None = None,
    ) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """Average every layer over time (and mel), channel by channel.

        Where a layer still has a time axis, a frame's average takes in the ``hop_s`` around its
        centre (see `central_times`), so that consecutive frames tile the sound; a layer that sees
        the window as a whole speaks for the whole window.

        Parameters
        ----------
        frames, memory_bytes, device, scratch_dir
            As `blocks` takes them.

        Yields
        ------
        layer
            Position in `layers`, each once, in any order.
        averages
            (n_frames, n_channels) float32.
        """
        parts: dict[int, list[npt.NDArray[np.float32]]] = {}
        blocks = self.blocks(
            frames, memory_bytes=memory_bytes, device=device, scratch_dir=scratch_dir
        )
        for index, columns in blocks:
            layer = self.layers[index]
            steps = layer.n_times, layer.n_features // (layer.n_times * layer.n_channels)
            cells = columns.reshape(len(frames), *steps, -1)
            averages = cells[:, self.central_times(layer)].mean(dim=(1, 2)).cpu().numpy()
            parts.setdefault(index, []).append(averages)
            if sum(part.shape[1] for part in parts[index]) == layer.n_channels:
                yield index, np.hstack(parts.pop(index))

    def central_times(self, layer: Layer) -> slice:
        """Time steps of a layer whose centre lies within half a hop of the window's centre.

        Always at least the innermost one or two.
        """
        step_s = self.window_s / layer.n_times
        from_centre = (np.arange(layer.n_times) + 0.5) * step_s - self.window_s / 2
        inside = np.flatnonzero(np.abs(from_centre) <= max(self.hop_s, step_s) / 2 + 1e-9)
        return slice(int(inside[0]), int(inside[-1]) + 1)

    def frame_times_s(self, n_frames: int) -> npt.NDArray[np.float64]:
        """Time of each frame's centre in seconds from the start of the sound, (n_frames,)."""
        return self.window_s / 2 + self.hop_s * np.arange(n_frames, dtype=np.float64)

    def identity(self) -> str:
        """SHA-256 of everything that changes the features of a given waveform."""
        facts = {
            "name": self.name,
            "version": self.version,
            "layers": [(layer.name, layer.kind, layer.n_features) for layer in self.layers],
            "sampling_hz": self.sampling_hz,
            "window_s": self.window_s,
            "hop_s": self.hop_s,
            "weights": dict(self.weights),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
