"""From sound files to a bank of Gram matrices, computed once and kept.

A bank lies in a folder named by what made it: the network with its parameters, and the bytes of
the sounds in their order. A folder that exists is complete.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.audio.io import content_hash
from bidsapp.audio.networks.base import Network
from bidsapp.bids.atomic import new_matrix
from bidsapp.errors import InputInvalidError
from bidsapp.features.banks import (
    Bank,
    bank_key,
    check_names,
    read_index,
    read_sounds,
    write_index,
)
from bidsapp.features.gram import Pca, accumulate, gram_pca
from bidsapp.progress import track
from bidsapp.scratch import make_once

__all__ = ["FeatureBank", "bank_key", "extract"]


@dataclass(frozen=True, slots=True)
class FeatureBank(Bank):
    """One Gram matrix for each layer of one network."""

    def gram(self, layer_index: int) -> npt.NDArray[np.float64]:
        """Inner products (n_frames, n_frames) of a layer's features, mapped from disk.

        Features are centred over all frames. `layer_index` counts from 0.
        """
        matrix: npt.NDArray[np.float64] = np.load(
            self.folder / _gram_name(layer_index), mmap_mode="r"
        )
        return matrix

    def components(self, layer_index: int, rows: npt.NDArray[Any], n_components: int) -> Pca:
        """Principal components of a layer, see `gram_pca`.

        Raises
        ------
        InputInvalidError
            The features are the same in all of these frames.
        """
        try:
            return gram_pca(self.gram(layer_index), rows, n_components)
        except ValueError as error:
            name = self.layers[layer_index].name
            msg = f"{self.network}, layer {name}: {error}; use other sounds or leave the layer out"
            raise InputInvalidError(msg) from error


def extract(
    stimuli: Sequence[tuple[str, Path]],
    network: Network,
    cache_dir: Path,
    *,
    memory_bytes: int,
    device: str = "cpu",
    quiet: bool = False,
) -> FeatureBank:
    """Run a network over sounds, or read what an earlier call has left.

    Parameters
    ----------
    stimuli
        (stim_file, path) of each piece, in the order in which frames shall stand.
    network
        The network.
    cache_dir
        Folder for banks; several processes may share it: one computes, the others wait.
    memory_bytes
        Bound on what is held at once beyond the network's frames.
    device
        ``cpu`` or ``cuda``.
    quiet
        Show no progress.

    Raises
    ------
    InputInvalidError
        There is no stimulus, a name comes twice, or a sound is shorter than one window.
    InputMissingError, InputInvalidError
        A sound cannot be read (see `bidsapp.audio.io.load_audio`).
    """
    check_names([name for name, _ in stimuli])
    key = bank_key(network, [content_hash(path) for _, path in stimuli])

    def make(folder: Path) -> None:
        sounds = track(
            read_sounds(stimuli, network), total=len(stimuli), label="Sounds", quiet=quiet
        )
        parts, times = map(list, zip(*sounds, strict=True))  # views where windows overlap
        write_index(folder, stimuli, network, times)
        frames = _together(parts, folder, memory_bytes // 4)
        parts.clear()
        _write_grams(folder, network, frames, memory_bytes, device, quiet)

    folder = cache_dir / f"{network.name}-{key[:20]}"
    make_once(folder, make)
    pieces = tuple(name for name, _ in stimuli)
    return FeatureBank(pieces=pieces, key=key, **read_index(folder, network))


def _together(
    parts: Sequence[npt.NDArray[np.float32]], folder: Path, limit_bytes: int
) -> npt.NDArray[np.float32]:
    """Join the frames of all sounds, in an unnamed file where they exceed the limit."""
    if sum(part.nbytes for part in parts) <= limit_bytes:
        return np.concatenate(parts)
    shape = sum(map(len, parts)), *parts[0].shape[1:]
    with tempfile.TemporaryFile(dir=folder) as file:
        frames = np.memmap(file, np.float32, "w+", shape=shape)
    start = 0
    for part in parts:
        frames[start : start + len(part)] = part
        start += len(part)
    return frames


def _write_grams(
    folder: Path,
    network: Network,
    frames: npt.NDArray[np.float32],
    memory_bytes: int,
    device: str,
    quiet: bool,
) -> None:
    n = len(frames)
    paths = [folder / _gram_name(index) for index in range(len(network.layers))]
    for path in paths:
        new_matrix(path, (n, n), np.float64)
    blocks: Iterator[tuple[int, torch.Tensor]] = network.blocks(
        frames, memory_bytes=memory_bytes, device=device, scratch_dir=folder
    )
    total = network.n_blocks(n, memory_bytes)
    label = f"{network.name}: {n} frames, {len(paths)} layers"
    for index, columns in track(blocks, total=total, label=label, quiet=quiet):
        # mapped anew for every block: pages of layers not at work are the system's to reclaim
        accumulate(np.load(paths[index], mmap_mode="r+"), columns)


def _gram_name(layer_index: int) -> str:
    return f"gram-{layer_index + 1:02d}.npy"
