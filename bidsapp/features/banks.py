"""Frames of sounds and what they are kept with: the parts that all banks of features share.

A bank is a folder, named by its network and sounds and made by `bidsapp.scratch.make_once`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.audio.io import audio_duration_s
from bidsapp.audio.networks.base import Layer, Network
from bidsapp.errors import InputInvalidError

Floats = npt.NDArray[np.float32]

_FACTS = "bank.json"
_PIECE = "frame_piece.npy"
_TIME = "frame_time_s.npy"


@dataclass(frozen=True, slots=True)
class Bank:
    """Frames of several sounds, and what one network says of them, kept in a folder.

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
        Where the values lie.
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


def bank_key(network: Network, sound_hashes: Iterable[str]) -> str:
    """SHA-256 of the network's identity and the sounds' hashes in order."""
    parts = [network.identity(), *sound_hashes]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def check_names(names: Sequence[str]) -> None:
    """Refuse an empty list of sounds and names that come twice.

    Raises
    ------
    InputInvalidError
        In either case.
    """
    if not names:
        raise InputInvalidError("no sounds to run a network on; check --stimuli-dir")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"sound {twice[0]} is listed twice; list each sound once"
        raise InputInvalidError(msg)


def read_sounds(
    stimuli: Sequence[tuple[str, Path]], network: Network
) -> Iterator[tuple[Floats, npt.NDArray[np.float64]]]:
    """Yield frames (n_frames, …) and their times (n_frames,) of each sound.

    Raises
    ------
    InputInvalidError, InputMissingError
        As `Network.read_sound`.
    """
    for name, path in stimuli:
        yield network.read_sound(name, path)


def write_index(
    folder: Path,
    stimuli: Sequence[tuple[str, Path]],
    network: Network,
    times_s: Sequence[npt.NDArray[np.float64]],
) -> None:
    """Write what a bank is made of, and piece and time of every frame.

    Parameters
    ----------
    folder
        The bank.
    stimuli
        (stim_file, path) of each piece.
    network
        The network.
    times_s
        Times (n_frames,) of the frames of each piece.
    """
    np.save(folder / _PIECE, np.repeat(np.arange(len(times_s)), [len(part) for part in times_s]))
    np.save(folder / _TIME, np.concatenate(times_s))
    facts = {
        "network": network.name,
        "layers": [asdict(layer) for layer in network.layers],
        "weights": dict(network.weights),
        "window_s": network.window_s,
        "hop_s": network.hop_s,
        "piece_s": [audio_duration_s(path) for _, path in stimuli],
    }
    (folder / _FACTS).write_text(json.dumps(facts, indent=2))


def read_index(folder: Path, network: Network) -> Mapping[str, Any]:
    """Read what `write_index` wrote, as arguments of a bank; layers are the network's.

    Raises
    ------
    InputInvalidError
        The folder is damaged.
    """
    try:
        facts = json.loads((folder / _FACTS).read_text())
        facts["layers"] = network.layers
        facts["piece_s"] = tuple(facts["piece_s"])
        frames = {"frame_piece": np.load(folder / _PIECE), "frame_time_s": np.load(folder / _TIME)}
    except (OSError, ValueError, KeyError, EOFError) as error:
        msg = (
            f"{folder}: these cached features are damaged ({error}); remove the folder, run again"
        )
        raise InputInvalidError(msg) from error
    return {**facts, **frames, "folder": folder}
