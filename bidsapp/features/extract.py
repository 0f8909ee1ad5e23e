"""From sound files to a bank of Gram matrices, computed once and kept.

A bank lies in a folder named by what made it: the network with its parameters, and the bytes of
the sounds in their order. A folder that exists is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from filelock import FileLock

from bidsapp.audio.io import audio_duration_s, content_hash, load_audio
from bidsapp.audio.networks.base import Layer, Network
from bidsapp.errors import InputInvalidError
from bidsapp.features.gram import accumulate
from bidsapp.progress import track

_FACTS = "bank.json"
_PIECE = "frame_piece.npy"
_TIME = "frame_time_s.npy"


@dataclass(frozen=True, slots=True)
class FeatureBank:
    """Frames of several sounds, and one Gram matrix for each layer of one network.

    Attributes
    ----------
    network
        Name of the network.
    layers
        Its layers.
    weights
        Where its parameters come from.
    window_s, hop_s
        Sound one frame sees, and time between frames, in seconds.
    pieces
        The sounds (stim_file), in the order in which their frames stand.
    piece_s
        Their lengths in seconds.
    frame_piece
        (n_frames,) position in `pieces`.
    frame_time_s
        (n_frames,) centre of the frame, from the start of the sound.
    key
        Hash of all that the values depend on.
    folder
        Where the matrices lie.
    """

    network: str
    layers: tuple[Layer, ...]
    weights: Mapping[str, object]
    window_s: float
    hop_s: float
    pieces: tuple[str, ...]
    piece_s: tuple[float, ...]
    frame_piece: npt.NDArray[np.intp]
    frame_time_s: npt.NDArray[np.float64]
    key: str
    folder: Path

    @property
    def n_frames(self) -> int:
        """Frames of all pieces."""
        return len(self.frame_piece)

    def gram(self, layer_index: int) -> npt.NDArray[np.float64]:
        """Inner products (n_frames, n_frames) of a layer's features, mapped from disk.

        Features are centred over all frames. `layer_index` counts from 0.
        """
        matrix: npt.NDArray[np.float64] = np.load(
            self.folder / _gram_name(layer_index), mmap_mode="r"
        )
        return matrix


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
    _check_names([name for name, _ in stimuli])
    hashes = [content_hash(path) for _, path in stimuli]
    key = bank_key(network, hashes)
    folder = cache_dir / f"{network.name}-{key[:20]}"
    if not folder.is_dir():
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(cache_dir / f"{folder.name}.lock"):
            if not folder.is_dir():
                _compute(stimuli, network, folder, memory_bytes, device, quiet)
    return _load(folder, tuple(name for name, _ in stimuli), key)


def bank_key(network: Network, sound_hashes: Iterable[str]) -> str:
    """SHA-256 of the network's identity and the sounds' hashes in order."""
    parts = [network.identity(), *sound_hashes]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise InputInvalidError("no sounds to run a network on; check --stimuli-dir")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"sound {twice[0]} is listed twice; list each sound once"
        raise InputInvalidError(msg)


def _compute(
    stimuli: Sequence[tuple[str, Path]],
    network: Network,
    folder: Path,
    memory_bytes: int,
    device: str,
    quiet: bool,
) -> None:
    """Write a bank into a temporary folder and move it into place; the lock is held."""
    for leftover in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = folder.with_name(f".{folder.name}-{os.getpid()}")
    partial.mkdir()
    try:
        frames = list(
            track(_frames(stimuli, network), total=len(stimuli), label="Sounds", quiet=quiet)
        )
        _write_index(partial, stimuli, network, frames)
        _write_grams(partial, network, np.concatenate(frames), memory_bytes, device, quiet)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _frames(
    stimuli: Sequence[tuple[str, Path]], network: Network
) -> Iterator[npt.NDArray[np.float32]]:
    for _, path in stimuli:
        waveform = load_audio(path, network.sampling_hz)
        frames = network.frames(waveform)
        if len(frames) == 0:
            msg = (
                f"{path}: {waveform.size / network.sampling_hz:.2f} s of sound, less than one "
                f"window of {network.name} ({network.window_s:.3f} s); leave it out"
            )
            raise InputInvalidError(msg)
        yield frames


def _write_index(
    folder: Path,
    stimuli: Sequence[tuple[str, Path]],
    network: Network,
    frames: Sequence[npt.NDArray[np.float32]],
) -> None:
    counts = [len(part) for part in frames]
    np.save(folder / _PIECE, np.repeat(np.arange(len(counts)), counts))
    np.save(folder / _TIME, np.concatenate([network.frame_times_s(n) for n in counts]))
    facts = {
        "network": network.name,
        "layers": [asdict(layer) for layer in network.layers],
        "weights": dict(network.weights),
        "window_s": network.window_s,
        "hop_s": network.hop_s,
        "piece_s": [audio_duration_s(path) for _, path in stimuli],
    }
    (folder / _FACTS).write_text(json.dumps(facts, indent=2))


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
        np.lib.format.open_memmap(path, "w+", np.float64, (n, n)).flush()
    blocks: Iterator[tuple[int, torch.Tensor]] = network.blocks(
        frames, memory_bytes=memory_bytes, device=device, scratch_dir=folder
    )
    total = network.n_blocks(n, memory_bytes)
    label = f"{network.name}: {n} frames, {len(paths)} layers"
    for index, columns in track(blocks, total=total, label=label, quiet=quiet):
        # mapped anew for every block: pages of layers not at work are the system's to reclaim
        accumulate(np.load(paths[index], mmap_mode="r+"), columns)


def _load(folder: Path, pieces: tuple[str, ...], key: str) -> FeatureBank:
    facts = json.loads((folder / _FACTS).read_text())
    return FeatureBank(
        network=facts["network"],
        layers=tuple(Layer(**layer) for layer in facts["layers"]),
        weights=facts["weights"],
        window_s=facts["window_s"],
        hop_s=facts["hop_s"],
        pieces=pieces,
        piece_s=tuple(facts["piece_s"]),
        frame_piece=np.load(folder / _PIECE),
        frame_time_s=np.load(folder / _TIME),
        key=key,
        folder=folder,
    )


def _gram_name(layer_index: int) -> str:
    return f"gram-{layer_index + 1:02d}.npy"
