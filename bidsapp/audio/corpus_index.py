"""Embeddings of a corpus of music, computed once and mapped from disk.

A folder with

``embeddings.npy``
    (n_windows, n_dimensions) float16, each row of length 1;
``windows.tsv``
    file, start in seconds and length of the embedding before it was scaled to 1, row by row;
``index.json``
    the network, layer, window and hop, the sounds left out and why, and a hash of everything that
    the embeddings depend on.

Sounds are embedded in portions that are kept as they are done, so that a stopped run goes on
where it was. A folder that holds ``index.json`` is complete.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.audio.embeddings import frames_of_windows, window_means
from bidsapp.audio.io import content_hash
from bidsapp.audio.networks.base import Network
from bidsapp.bids.atomic import new_matrix, output_lock, write_json, write_tsv
from bidsapp.errors import InputInvalidError, InputMissingError, OutputError
from bidsapp.progress import track
from bidsapp.scratch import Scratch, identity

Sound = tuple[str, Path]

EMBEDDINGS, WINDOWS, INDEX = "embeddings.npy", "windows.tsv", "index.json"
_VERSION = 1
_PORTION = 32
"""Sounds between two times that results are kept."""
_FRAMES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class CorpusIndex:
    """An index as it was read.

    Attributes
    ----------
    folder
        Where it lies.
    embeddings
        (n_windows, n_dimensions) float16, mapped from disk; rows of length 1.
    files
        Name of each piece, relative to the folder of the corpus.
    pieces
        (n_windows,) position of each window's piece in `files`, increasing.
    starts_s
        (n_windows,) beginning of each window in its piece, in seconds.
    facts
        Content of ``index.json``.
    """

    folder: Path
    embeddings: npt.NDArray[np.float16]
    files: tuple[str, ...]
    pieces: npt.NDArray[np.int64]
    starts_s: npt.NDArray[np.float64]
    facts: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> CorpusIndex:
        """Read an index.

        Raises
        ------
        InputMissingError
            The folder holds no complete index.
        InputInvalidError
            Its parts do not belong together.
        """
        if not (folder / INDEX).is_file():
            msg = (
                f"{folder}: holds no complete index; make one with `musicotopy-tools index CORPUS "
                f"{folder} --network NAME`"
            )
            raise InputMissingError(msg)
        try:
            facts = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            embeddings = np.load(folder / EMBEDDINGS, mmap_mode="r")
            with (folder / WINDOWS).open(encoding="utf-8", newline="") as table:
                rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
            names = list(dict.fromkeys(row["file"] for row in rows))
            n_windows = int(facts["n_windows"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            msg = f"{folder}: cannot be read ({error}); remove it and make the index again"
            raise InputInvalidError(msg) from error
        place = {name: number for number, name in enumerate(names)}
        if len(rows) != len(embeddings) or len(rows) != n_windows:
            msg = (
                f"{folder}: {WINDOWS} has {len(rows)} rows, {EMBEDDINGS} {len(embeddings)}, "
                f"{INDEX} says {n_windows}; remove the folder and make the index again"
            )
            raise InputInvalidError(msg)
        return cls(
            folder,
            embeddings,
            tuple(names),
            np.array([place[row["file"]] for row in rows], np.int64),
            np.array([float(row["start_s"]) for row in rows]),
            facts,
        )

    def refuse_other_space(self, network: Network, layer: int) -> None:
        """Refuse embeddings of another network, of other weights or of another layer.

        Raises
        ------
        InputInvalidError
            They are not those of the index.
        """
        asked = space_facts(network, layer)
        other = {key for key, value in asked.items() if self.facts["space"].get(key) != value}
        if other:
            key = sorted(other)[0]
            msg = (
                f"{self.folder}: the index has {key} {self.facts['space'].get(key)!r}, the run "
                f"{asked[key]!r}; vectors of different embeddings cannot be compared: make an "
                f"index with the network, weights and layer of the run"
            )
            raise InputInvalidError(msg)


def space_facts(network: Network, layer: int) -> dict[str, Any]:
    """Say what decides whether two embeddings can be compared: network, weights, layer."""
    weights = json.loads(json.dumps(dict(network.weights)))
    weights.pop("file", None)
    return {
        "network": network.name,
        "version": network.version,
        "layer": network.layers[layer].name,
        "n_dimensions": network.layers[layer].n_channels,
        "weights": weights,
    }


def build_index(
    sounds: Sequence[Sound],
    folder: Path,
    network: Network,
    layer: int,
    *,
    window_s: float,
    hop_s: float,
    memory_bytes: int,
    device: str = "cpu",
    quiet: bool = False,
) -> CorpusIndex:
    """Embed every window of a corpus, or read the index that is there.

    Parameters
    ----------
    sounds
        Name and path of each piece. Pieces that cannot be read, or are shorter than a window, are
        left out and noted.
    folder
        Of the index; made if needed. Portions of a stopped run of the same settings are used.
    network
        Its layer is the embedding.
    layer
        Position of the layer.
    window_s, hop_s
        Length of a window and time between windows, in seconds.
    memory_bytes
        Bound on the activations held at once.
    device
        Where the network runs.
    quiet
        Show no progress.

    Raises
    ------
    InputMissingError
        There is no sound.
    InputInvalidError
        No sound has a whole window.
    OutputError
        The folder holds an index of other sounds or settings, or cannot be written.
    """
    if not sounds:
        msg = "the corpus has no sound; name a folder with sounds"
        raise InputMissingError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    with output_lock(folder):
        listed = [(name, path.stat().st_size) for name, path in sounds]
        settings = {"space": space_facts(network, layer), "window_s": window_s, "hop_s": hop_s}
        key = identity(_VERSION, json.dumps(settings, sort_keys=True), listed)
        if (folder / INDEX).is_file():
            return _same_or_refuse(folder, key)
        scratch = Scratch(folder / f".portions-{key}")
        portions = [sounds[i : i + _PORTION] for i in range(0, len(sounds), _PORTION)]
        label = f"{network.name}: {len(sounds)} pieces"
        options = {"window_s": window_s, "hop_s": hop_s}
        for number, portion in enumerate(
            track(portions, total=len(portions), label=label, quiet=quiet)
        ):
            if scratch.load(f"{number:06d}") is None:
                values = _embed(portion, network, layer, memory_bytes, device, **options)
                scratch.save(f"{number:06d}", values)
        _join(folder, scratch, len(portions), {**settings, "key": key})
        scratch.remove()
    return CorpusIndex.open(folder)


def _same_or_refuse(folder: Path, key: str) -> CorpusIndex:
    index = CorpusIndex.open(folder)
    if index.facts["key"] != key:
        msg = (
            f"{folder}: holds an index of other sounds, or of another network, layer, window or "
            f"hop; name another folder or remove it"
        )
        raise OutputError(msg)
    return index


def _embed(
    sounds: Sequence[Sound],
    network: Network,
    layer: int,
    memory_bytes: int,
    device: str,
    *,
    window_s: float,
    hop_s: float,
) -> dict[str, npt.ArrayLike]:
    """Embed the windows of some sounds."""
    rows: list[npt.NDArray[np.float64]] = []
    windows: list[tuple[str, float]] = []
    hashes: list[str] = []
    left_out: list[tuple[str, str]] = []
    for name, path in sounds:
        try:
            digest = content_hash(path)
            frames, times_s = network.read_sound(name, path)
            end_s = times_s[-1] + network.window_s / 2
            n = int((end_s - window_s) / hop_s + 1e-9) + 1 if end_s >= window_s - 1e-9 else 0
            starts_s = hop_s * np.arange(n, dtype=np.float64)
            of_windows = network.window_s, starts_s, window_s
            inside = [np.zeros(len(times_s), np.bool_), *frames_of_windows(times_s, *of_windows)]
            used = np.flatnonzero(np.any(inside, axis=0))
            values = _channels(network, layer, frames, used, memory_bytes, device)
        except (InputInvalidError, InputMissingError) as error:
            left_out.append((name, str(error)))
            continue
        means = window_means(values, times_s[used], *of_windows)
        known = np.isfinite(means).all(axis=1) & means.any(axis=1)
        if not known.any():
            why = f"{path}: {end_s:.1f} s of sound have no window of {window_s:g} s with a value"
            left_out.append((name, why))
            continue
        hashes.append(f"{digest} {name}")
        rows.append(means[known])
        windows += [(name, float(start)) for start in starts_s[known]]
    n_dimensions = network.layers[layer].n_channels
    means = np.concatenate([np.empty((0, n_dimensions)), *rows])
    length = np.linalg.norm(means, axis=1)
    return {
        "embeddings": (means / length[:, None]).astype(np.float16),
        "length": length,
        "files": np.array([name for name, _ in windows], np.str_),
        "starts_s": np.array([start for _, start in windows]),
        "hashes": np.array(hashes, np.str_),
        "left_out": np.array(left_out, np.str_).reshape(-1, 2),
    }


def _channels(
    network: Network,
    layer: int,
    frames: npt.NDArray[np.float32],
    used: npt.NDArray[np.int64],
    memory_bytes: int,
    device: str,
) -> npt.NDArray[np.float32]:
    """Channel averages of one layer in the frames that are used, a few frames at a time."""
    parts = [np.empty((0, network.layers[layer].n_channels), np.float32)]
    for start in range(0, len(used), _FRAMES_AT_ONCE):
        part = frames[used[start : start + _FRAMES_AT_ONCE]]
        every = network.channels(part, memory_bytes=memory_bytes, device=device)
        parts.append(next(values for index, values in every if index == layer))
    return np.concatenate(parts)


def _portions(scratch: Scratch, n: int) -> Iterator[dict[str, Any]]:
    for number in range(n):
        values = scratch.load(f"{number:06d}")
        if values is None:
            msg = f"{scratch.folder}: a portion has gone; run the same command again"
            raise OutputError(msg)
        yield values


def _join(folder: Path, scratch: Scratch, n_portions: int, facts: dict[str, Any]) -> None:
    """Write the index from its portions; ``index.json`` last."""
    sizes = [values["embeddings"].shape for values in _portions(scratch, n_portions)]
    n_windows = sum(size[0] for size in sizes)
    rows: list[dict[str, object]] = []
    hashes: list[str] = []
    left_out: dict[str, str] = {}
    embeddings = None
    part = folder / f".{EMBEDDINGS}"
    if n_windows:
        new_matrix(part, (n_windows, sizes[0][1]), np.float16)
        embeddings = np.load(part, mmap_mode="r+")
    for values in _portions(scratch, n_portions):
        if embeddings is not None:
            embeddings[len(rows) : len(rows) + len(values["embeddings"])] = values["embeddings"]
        cells = zip(values["files"], values["starts_s"], values["length"], strict=True)
        rows += [
            {"file": str(name), "start_s": float(start), "length": float(length)}
            for name, start, length in cells
        ]
        hashes += values["hashes"].tolist()
        left_out |= dict(values["left_out"].tolist())
    if embeddings is None:
        why = next(iter(left_out.values()))
        msg = f"none of {len(left_out)} sounds can be indexed; the first: {why}"
        raise InputInvalidError(msg)
    embeddings.flush()
    del embeddings
    part.replace(folder / EMBEDDINGS)
    write_tsv(folder / WINDOWS, rows, ("file", "start_s", "length"))
    counts = {"n_windows": n_windows, "n_pieces": len(hashes), "left_out": left_out}
    content = identity(facts["key"], sorted(hashes))
    write_json(folder / INDEX, {**facts, **counts, "content": content})
