"""A network that is a table: features that a user has computed stand in for layers.

Any model of any framework, captions, MIDI or annotations become layers by way of a file (see
`bidsapp.audio.feature_tables` for its forms).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsapp.audio.feature_tables import features_of, read_features, sampling_of
from bidsapp.audio.io import content_hash
from bidsapp.audio.networks.base import Layer
from bidsapp.audio.networks.descriptors import DescriptorNetwork
from bidsapp.errors import InputInvalidError

Floats = npt.NDArray[np.float32]


class TableNetwork(DescriptorNetwork):
    """Layers read from a table or from arrays.

    Parameters
    ----------
    path
        Table, NPZ or folder.
    name
        Label of its results.

    Raises
    ------
    InputMissingError, InputInvalidError, ResourceUnavailableError
        As `read_features`.
    """

    sampling_hz = 1

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._path = path
        self._sounds = read_features(path)
        first = next(iter(self._sounds.values()))
        self.layers = tuple(
            Layer(layer, "table", values.shape[1]) for layer, values in first.layers.items()
        )
        self.hop_s, self.window_s = sampling_of(self._sounds)
        self.weights = {"source": "table", "file": path.name, "sha256": _hash(path)}

    def frames(self, waveform: Floats) -> Floats:
        """Refuse: features belong to a sound by its name, not by its samples."""
        msg = f"{self._path}: features of a table are found by the name of the sound"
        raise InputInvalidError(msg)

    def read_sound(self, name: str, path: Path) -> tuple[Floats, npt.NDArray[np.float64]]:
        """Return the rows of one sound, all layers side by side, and their times.

        Raises
        ------
        InputMissingError
            The table has no such sound.
        """
        sound = features_of(self._path, self._sounds, name)
        return np.hstack([sound.layers[layer.name] for layer in self.layers]), sound.times_s


def _hash(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files."""
    if path.is_file():
        return content_hash(path)
    files = sorted(item for item in path.rglob("*") if item.is_file())
    lines = (f"{content_hash(file)} {file.relative_to(path).as_posix()}" for file in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
