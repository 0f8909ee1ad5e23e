"""Corpora of tagged clips: where the sounds lie, what they are tagged with, which are tested on.

Three readers: ``table`` for any folder with a ``clips.tsv``, ``magnatagatune`` for MagnaTagATune
as published, ``magtag5k`` for the same files with their tags cleaned.

Source: Law et al. 2009, Evaluation of algorithms using games (MagnaTagATune); Marques et al.
2011, Additional evidence that common low-level features of individual audio frames are not
representative of music genre (Magtag5k); splits as Dieleman and Schrauwen 2014.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from bidsapp.audio.tag_cleaning import contradictory, merged, richest_of_each
from bidsapp.errors import InputInvalidError, InputMissingError, UsageError

Bools = npt.NDArray[np.bool_]

TABLE = "clips.tsv"
ANNOTATIONS = "annotations_final.csv"
CLIP_INFO = "clip_info_final.csv"
SPLITS = ("train", "validation", "test")

_PARTS = {
    **dict.fromkeys("0123456789ab", "train"),
    "c": "validation",
    **dict.fromkeys("def", "test"),
}


@dataclass(frozen=True)
class Corpus:
    """Clips with tags.

    Attributes
    ----------
    name
        Of the reader that made it.
    tags
        From the most frequent one on.
    paths
        (n_clips,) sound files.
    labels
        (n_clips, n_tags) whether a clip has a tag.
    split
        (n_clips,) of `SPLITS`.
    songs
        (n_clips,) what the clip is cut from; empty where unknown.
    notes
        What was left out.
    """

    name: str
    tags: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: Bools
    split: npt.NDArray[np.str_]
    songs: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def clips(self, split: str) -> npt.NDArray[np.intp]:
        """Positions of the clips of one split."""
        return np.flatnonzero(self.split == split)

    def identity(self) -> str:
        """SHA-256 of everything training can see of the corpus but the sounds themselves."""
        digest = hashlib.sha256("\n".join(self.tags).encode())
        for path, row, split in zip(self.paths, self.labels, self.split, strict=True):
            if split != "test":
                digest.update(f"{path.name} {split} {row.tobytes().hex()}\n".encode())
        return digest.hexdigest()

    def shared_songs(self) -> int:
        """Songs with clips in more than one split: what is learnt of them helps in the test."""
        splits: dict[str, set[str]] = {}
        for song, split in zip(self.songs, self.split, strict=True):
            splits.setdefault(song, set()).add(str(split))
        splits.pop("", None)
        return sum(len(found) > 1 for found in splits.values())


def read_corpus(folder: Path, reader: str = "auto", n_tags: int = 50) -> Corpus:
    """Read the declaration of a corpus; no sound is opened.

    Parameters
    ----------
    folder
        With ``clips.tsv`` (columns path, tags separated by ``|``, split, and song if known), or
        with MagnaTagATune's ``annotations_final.csv``, ``clip_info_final.csv`` and sounds.
    reader
        Key of `READERS`, or ``auto``.
    n_tags
        How many of the most frequent tags are kept, counted over the whole corpus.

    Raises
    ------
    UsageError
        No reader has this name.
    InputMissingError
        The tables, or all sounds, are not there.
    InputInvalidError
        A table cannot be used.
    """
    if reader == "auto":
        reader = "table" if (folder / TABLE).is_file() else "magnatagatune"
    if reader not in READERS:
        msg = f"--reader {reader}: no such reader; known are auto, {', '.join(READERS)}"
        raise UsageError(msg)
    corpus = READERS[reader](folder, n_tags)
    for split in ("train", "validation"):
        if not corpus.clips(split).size:
            msg = f"{folder}: no clip of split {split} was found; training needs some"
            raise InputInvalidError(msg)
    return corpus


def _table(folder: Path, n_tags: int) -> Corpus:
    path = folder / TABLE
    table = _read(path)
    _require(path, table, ("path", "tags", "split"))
    wrong = sorted(set(table["split"]) - set(SPLITS))
    if wrong:
        msg = f"{path}: split {wrong[0]!r}; write one of {', '.join(SPLITS)}"
        raise InputInvalidError(msg)
    lists = [[tag.strip() for tag in text.split("|") if tag.strip()] for text in table["tags"]]
    names = sorted({tag for tags in lists for tag in tags})
    labels = np.array([[name in tags for name in names] for tags in lists], dtype=bool)
    songs = list(table["song"]) if "song" in table else [""] * len(table)
    paths = [folder / text for text in table["path"]]
    return _corpus("table", path, names, paths, labels, list(table["split"]), songs, n_tags)


def _magnatagatune(folder: Path, n_tags: int) -> Corpus:
    names, paths, labels, split, songs = _published(folder)
    path = folder / ANNOTATIONS
    return _corpus("magnatagatune", path, names, paths, labels, split, songs, n_tags)


def _magtag5k(folder: Path, n_tags: int) -> Corpus:
    names, paths, labels, split, songs = _published(folder)
    if not any(songs):
        msg = f"{folder / CLIP_INFO}: is not there; cleaned tags need the songs of the clips"
        raise InputMissingError(msg)
    kept = ~contradictory(names, labels)
    names, labels = merged(names, labels)
    kept &= labels.any(axis=1)
    kept &= richest_of_each(songs, np.where(kept, labels.sum(axis=1), -1))
    rows = np.flatnonzero(kept)
    return _corpus(
        "magtag5k",
        folder / ANNOTATIONS,
        names,
        [paths[row] for row in rows],
        labels[rows],
        [split[row] for row in rows],
        [songs[row] for row in rows],
        n_tags,
    )


def _published(folder: Path) -> tuple[list[str], list[Path], Bools, list[str], list[str]]:
    """All tags, sound files, labels, splits and songs of MagnaTagATune's tables."""
    path = folder / ANNOTATIONS
    table = _read(path)
    _require(path, table, ("clip_id", "mp3_path"))
    names = [name for name in table.columns if name not in ("clip_id", "mp3_path")]
    labels = (table[names] == "1").to_numpy()
    parts = [text[:1] for text in table["mp3_path"]]
    unknown = sorted(set(parts) - set(_PARTS))
    if unknown:
        msg = f"{path}: mp3_path in part {unknown[0]!r}; MagnaTagATune has parts 0 to f"
        raise InputInvalidError(msg)
    root = folder / "mp3" if (folder / "mp3").is_dir() else folder
    songs = dict.fromkeys(table["clip_id"], "")
    if (folder / CLIP_INFO).is_file():
        info = _read(folder / CLIP_INFO)
        _require(folder / CLIP_INFO, info, ("clip_id", "artist", "album", "title"))
        labelled = zip(info["clip_id"], info["artist"], info["album"], info["title"], strict=True)
        songs |= {clip: " / ".join(song) for clip, *song in labelled}
    return (
        names,
        [root / text for text in table["mp3_path"]],
        labels,
        [_PARTS[part] for part in parts],
        [songs[clip] for clip in table["clip_id"]],
    )


def _corpus(
    name: str,
    table: Path,
    names: list[str],
    paths: list[Path],
    labels: Bools,
    split: list[str],
    songs: list[str],
    n_tags: int,
) -> Corpus:
    """Keep the most frequent tags, and the clips whose sound is there."""
    if not names:
        msg = f"{table}: holds no tags; fill in what the clips are tagged with"
        raise InputInvalidError(msg)
    chosen = np.argsort(-labels.sum(axis=0), kind="stable")[:n_tags]
    rows = [row for row, path in enumerate(paths) if path.is_file() and path.stat().st_size]
    if not rows:
        msg = f"{table}: none of its {len(paths)} sounds is there, such as {paths[0]}"
        raise InputMissingError(msg)
    absent = len(paths) - len(rows)
    notes = (f"{absent} of {len(paths)} sounds are absent or empty and left out",)
    return Corpus(
        name=name,
        tags=tuple(names[tag] for tag in chosen),
        paths=tuple(paths[row] for row in rows),
        labels=labels[rows][:, chosen],
        split=np.array([split[row] for row in rows]),
        songs=tuple(songs[row] for row in rows),
        notes=notes if absent else (),
    )


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        msg = f"{path}: is not there; give a folder with {TABLE} or {ANNOTATIONS}"
        raise InputMissingError(msg)
    try:
        return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        msg = f"{path}: is no table of tab-separated columns ({error})"
        raise InputInvalidError(msg) from error


def _require(path: Path, table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in table]
    if missing or table.empty:
        what = f"lacks the column {missing[0]}" if missing else "has no rows"
        msg = f"{path}: {what}; columns {', '.join(columns)} are needed"
        raise InputInvalidError(msg)


READERS: Mapping[str, Callable[[Path, int], Corpus]] = MappingProxyType(
    {"table": _table, "magnatagatune": _magnatagatune, "magtag5k": _magtag5k}
)
