"""From sounds to channel courses: every layer as one time course per channel, kept on disk.

A convolutional layer of 64 channels becomes 64 numbers per frame, its activations averaged over
the time that belongs to the frame (and over mel, where there is any).

Source: Thielen et al., Deep neural network: activations per layer of size 64 to 512.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsapp.audio.io import content_hash
from bidsapp.audio.networks.base import Network
from bidsapp.features.banks import (
    Bank,
    bank_key,
    check_names,
    read_index,
    read_sounds,
    write_index,
)
from bidsapp.progress import track
from bidsapp.scratch import make_once

Floats = npt.NDArray[np.float32]

_VERSION = "courses 1"
_FRAMES_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class CourseBank(Bank):
    """The channel averages of every layer of one network."""

    def course(self, layer_index: int) -> Floats:
        """Channel averages (n_frames, n_channels) of a layer; `layer_index` counts from 0."""
        values: Floats = np.load(self.folder / _course_name(layer_index), mmap_mode="r")
        return values


def extract_courses(
    stimuli: Sequence[tuple[str, Path]],
    network: Network,
    cache_dir: Path,
    *,
    memory_bytes: int,
    device: str = "cpu",
    quiet: bool = False,
) -> CourseBank:
    """Run a network over sounds and keep its channel averages, or read an earlier call's.

    Parameters
    ----------
    stimuli, network, cache_dir, memory_bytes, device, quiet
        As `bidsapp.features.extract.extract` takes them; both may share a folder.

    Raises
    ------
    InputInvalidError, InputMissingError
        As `bidsapp.features.extract.extract`.
    """
    check_names([name for name, _ in stimuli])
    key = bank_key(network, [_VERSION, *(content_hash(path) for _, path in stimuli)])

    def make(folder: Path) -> None:
        times: list[npt.NDArray[np.float64]] = []
        sounds = track(
            read_sounds(stimuli, network),
            total=len(stimuli),
            label=f"{network.name}: channels of sounds",
            quiet=quiet,
        )
        parts: list[list[Floats]] = [[] for _ in network.layers]
        for frames in _portions(sounds, times):
            averages = network.channels(
                frames, memory_bytes=memory_bytes, device=device, scratch_dir=folder
            )
            for index, values in averages:
                parts[index].append(values)
        for index, part in enumerate(parts):
            np.save(folder / _course_name(index), np.concatenate(part))
        write_index(folder, stimuli, network, times)

    folder = cache_dir / f"{network.name}-courses-{key[:20]}"
    make_once(folder, make)
    pieces = tuple(name for name, _ in stimuli)
    return CourseBank(pieces=pieces, key=key, **read_index(folder, network))


def _portions(
    sounds: Iterable[tuple[Floats, npt.NDArray[np.float64]]],
    times: list[npt.NDArray[np.float64]],
) -> Iterator[Floats]:
    """Cut and join the frames of sounds into portions of bounded size; note their times."""
    waiting: list[Floats] = []
    for frames, times_s in sounds:
        times.append(times_s)
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            part = frames[start : start + _FRAMES_AT_ONCE]
            if sum(map(len, waiting)) + len(part) > _FRAMES_AT_ONCE:
                yield np.concatenate(waiting)
                waiting = []
            waiting.append(part)
    if waiting:
        yield np.concatenate(waiting)


def _course_name(layer_index: int) -> str:
    return f"course-{layer_index + 1:02d}.npy"
