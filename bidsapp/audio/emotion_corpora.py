"""Corpora of music with ratings of valence and arousal: DEAM, Soundtracks, and any table.

``dynamic``
    ratings that follow the music, one value every half second.
``static``
    one value for a whole excerpt.
``perceived``, ``felt``
    what raters heard expressed, or what they felt. DEAM and Soundtracks hold perceived emotion.

Source: Aljanaki, Yang and Soleymani 2017, PLoS ONE 12, e0173392 (DEAM); Eerola and Vuoskoski
2011, Psychol Music 39, 18-49 (Soundtracks).
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError, InputMissingError, UsageError

Floats = npt.NDArray[np.float64]
Rows = list[dict[str, str]]

TABLE = "ratings.tsv"
SOUND_TYPES = (".wav", ".flac", ".ogg", ".mp3")
KINDS = ("perceived", "felt")
_SAMPLE = re.compile(r"^sample_(\d+)ms$")
_ABSENT = ("", "n/a", "nan", "na")
_SAME_TRACK = {("set2", 10): 95, ("set2", 84): 88}
"""Excerpts of Soundtracks that are the same, or from the same track: number → the other one."""


@dataclass(frozen=True, eq=False)
class RatedSound:
    """One sound with its ratings.

    Attributes
    ----------
    path
        Sound file.
    song
        What it is cut from; sounds of one song are never on both sides of a fold.
    times_s
        (n,) start of each rating in seconds from the start of the file; empty for static ratings.
    valence, arousal
        (n,), or (1,) for static ratings; NaN where missing.
    spread
        Standard deviation over raters of valence and arousal; NaN if unknown.
    n_raters
        Of a mean rating; 0 if unknown.
    """

    path: Path
    song: str
    times_s: Floats
    valence: Floats
    arousal: Floats
    spread: tuple[float, float] = (np.nan, np.nan)
    n_raters: int = 0


@dataclass(frozen=True, eq=False)
class RatedCorpus:
    """Sounds with ratings.

    Attributes
    ----------
    name
        Of the reader that made it.
    sounds
        In the order of the table.
    thresholds
        Middle of the scale of valence and of arousal.
    kind
        ``perceived`` or ``felt``.
    notes
        What was left out, and why.
    """

    name: str
    sounds: tuple[RatedSound, ...]
    thresholds: tuple[float, float]
    kind: str
    notes: tuple[str, ...] = field(default=())

    def identity(self) -> str:
        """SHA-256 of all ratings, songs and names of files."""
        digest = hashlib.sha256(repr((self.name, self.thresholds, self.kind)).encode())
        for sound in self.sounds:
            digest.update(f"{sound.path.name} {sound.song}\n".encode())
            for values in (sound.times_s, sound.valence, sound.arousal):
                digest.update(np.ascontiguousarray(values, np.float64).tobytes())
        return digest.hexdigest()


def read_ratings(
    folder: Path, annotations: str, *, arousal: str = "energy", static: bool = False
) -> RatedCorpus:
    """Read the declaration of a corpus; no sound is opened.

    Parameters
    ----------
    folder
        Corpus as published and unpacked, or a folder with a table.
    annotations
        ``deam``, ``soundtracks``, ``table`` (``ratings.tsv`` in `folder`), or the path of a table.
    arousal
        Column of Soundtracks that is taken for arousal: ``energy`` or ``tension``.
    static
        Of DEAM, take one rating per song instead of those that follow the music.

    Raises
    ------
    UsageError
        No reader has this name.
    InputMissingError
        Folder, tables or all sounds are not there.
    InputInvalidError
        A table cannot be used.
    """
    if not folder.is_dir():
        msg = f"{folder}: there is no such folder; name the unpacked corpus with --corpus"
        raise InputMissingError(msg)
    if annotations == "deam":
        corpus = _deam_static(folder) if static else _deam_dynamic(folder)
    elif annotations == "soundtracks":
        corpus = _soundtracks(folder, arousal)
    elif annotations == "table":
        corpus = _table(folder / TABLE, folder)
    elif Path(annotations).suffix in (".tsv", ".csv"):
        corpus = _table(Path(annotations), folder)
    else:
        msg = f"--annotations {annotations}: choose deam, soundtracks, table, or name a .tsv file"
        raise UsageError(msg)
    return _present(corpus, folder)


def _present(corpus: RatedCorpus, folder: Path) -> RatedCorpus:
    """Leave out sounds whose file is not there."""
    there = [s for s in corpus.sounds if s.path.is_file() and s.path.stat().st_size]
    if not there:
        first = f", such as {corpus.sounds[0].path}" if corpus.sounds else ""
        msg = f"{folder}: none of its {len(corpus.sounds)} rated sounds is there{first}"
        raise InputMissingError(msg)
    absent = len(corpus.sounds) - len(there)
    notes = [f"{absent} of {len(corpus.sounds)} rated sounds are absent or empty and left out"]
    kept = (*corpus.notes, *(notes if absent else []))
    return RatedCorpus(corpus.name, tuple(there), corpus.thresholds, corpus.kind, kept)


def _deam_dynamic(folder: Path) -> RatedCorpus:
    paths = {name: _one(folder, f"{name}.csv", "dynamic") for name in ("valence", "arousal")}
    series = {name: _wide(path) for name, path in paths.items()}
    index, sounds, n_short = _sounds(folder), [], 0
    for song, (times_s, valence) in series["valence"].items():
        if song not in series["arousal"]:
            n_short += 1
            continue
        other_times, arousal = series["arousal"][song]
        common, own, other = np.intersect1d(times_s, other_times, return_indices=True)
        if not common.size:
            n_short += 1
            continue
        sounds.append(
            RatedSound(_sound(index, folder, song), song, common, valence[own], arousal[other])
        )
    notes = (f"{n_short} songs lack valence or arousal and are left out",) if n_short else ()
    return RatedCorpus("deam", tuple(sounds), (0.0, 0.0), "perceived", notes)


def _deam_static(folder: Path) -> RatedCorpus:
    paths = sorted(folder.rglob("static_annotations*.csv"))
    if not paths:
        msg = f"{folder}: holds no static_annotations_averaged_songs_*.csv; unpack annotations.zip"
        raise InputMissingError(msg)
    index, sounds = _sounds(folder), []
    for path in paths:
        for number, row in enumerate(_rows(path, ("song_id", "valence_mean", "arousal_mean")), 2):
            song = _whole(row["song_id"], path, number)
            spread = tuple(
                _number(row.get(f"{name}_std", ""), path, number)
                for name in ("valence", "arousal")
            )
            sounds.append(
                RatedSound(
                    _sound(index, folder, song),
                    song,
                    np.empty(0),
                    np.array([_number(row["valence_mean"], path, number)]),
                    np.array([_number(row["arousal_mean"], path, number)]),
                    (spread[0], spread[1]),
                    10,
                )
            )
    return RatedCorpus("deam", tuple(sounds), (5.0, 5.0), "perceived")


def _soundtracks(folder: Path, arousal: str) -> RatedCorpus:
    if arousal not in ("energy", "tension"):
        msg = f"--arousal {arousal}: choose energy or tension"
        raise UsageError(msg)
    index, sounds = _sounds(folder), []
    for name in ("set1", "set2"):
        for path in sorted(folder.rglob(f"mean_ratings_{name}.csv")):
            for line, row in enumerate(_rows(path, ("number", "valence", arousal)), 2):
                if not row["number"].strip():
                    continue
                number = int(_whole(row["number"], path, line))
                track = _SAME_TRACK.get((name, number), number)
                album = row.get("soundtrack", "").strip()
                sounds.append(
                    RatedSound(
                        _sound(index, folder, f"{number:03d}", near=name),
                        f"{name} {album or track}",
                        np.empty(0),
                        np.array([_number(row["valence"], path, line)]),
                        np.array([_number(row[arousal], path, line)]),
                    )
                )
    if not sounds:
        older = next(iter(sorted(folder.rglob("mean_ratings_set*.xls*"))), None)
        what = f"save {older.name} as .csv" if older else "unpack the ratings of set 1 or set 2"
        msg = f"{folder}: holds no mean_ratings_set1.csv or mean_ratings_set2.csv; {what}"
        raise InputMissingError(msg)
    return RatedCorpus("soundtracks", tuple(sounds), (5.0, 5.0), "perceived")


def _table(path: Path, folder: Path) -> RatedCorpus:
    """Read a table with one row per sound, or per stretch of a sound."""
    rows = _rows(path, ("path", "valence", "arousal"))
    grouped: dict[str, list[tuple[float, float, float]]] = {}
    first: dict[str, tuple[dict[str, str], int]] = {}
    timed = "onset" in rows[0]
    for line, row in enumerate(rows, 2):
        name = row["path"].strip()
        first.setdefault(name, (row, line))
        onset = _number(row["onset"], path, line) if timed else 0.0
        if not onset >= 0:
            msg = f"{path}: line {line}: onset {row['onset'] or 'missing'}; give seconds from 0 on"
            raise InputInvalidError(msg)
        if not timed and name in grouped:
            msg = f"{path}: line {line}: {name} stands twice; add a column onset (s) or remove one"
            raise InputInvalidError(msg)
        rating = [_number(row[column], path, line) for column in ("valence", "arousal")]
        grouped.setdefault(name, []).append((onset, rating[0], rating[1]))
    kinds = {row.get("kind", "").strip() or "perceived" for row in rows}
    if len(kinds) > 1 or not kinds <= set(KINDS):
        given = ", ".join(sorted(kinds))
        msg = f"{path}: kind {given}; write perceived or felt, the same in all rows"
        raise InputInvalidError(msg)
    thresholds = []
    for name in ("valence", "arousal"):
        column = {row.get(f"{name}_middle", "").strip() or "0" for row in rows}
        if len(column) > 1:
            msg = f"{path}: {name}_middle has {len(column)} values; a scale has one middle"
            raise InputInvalidError(msg)
        thresholds.append(_number(column.pop(), path, 2))
        if not np.isfinite(thresholds[-1]):
            msg = f"{path}: {name}_middle is no number; give the middle of the scale"
            raise InputInvalidError(msg)
    sounds = []
    for name, values in grouped.items():
        row, line = first[name]
        columns = np.array(sorted(values)).T
        spread = [_number(row.get(f"{c}_std", ""), path, line) for c in ("valence", "arousal")]
        raters = _number(row.get("n_raters", ""), path, line)
        sounds.append(
            RatedSound(
                folder / name,
                row.get("song", "").strip() or name,
                columns[0] if timed else np.empty(0),
                columns[1],
                columns[2],
                (spread[0], spread[1]),
                int(raters) if np.isfinite(raters) else 0,
            )
        )
    return RatedCorpus("table", tuple(sounds), (thresholds[0], thresholds[1]), kinds.pop())


def _wide(path: Path) -> dict[str, tuple[Floats, Floats]]:
    """Read song → times in s and values of a table with a column for each time.

    Songs end at different columns; rows may be shorter or longer than the header.
    """
    lines = [
        [cell.strip() for cell in line]
        for line in csv.reader(_text(path).splitlines())
        if any(cell.strip() for cell in line)
    ]
    if len(lines) < 2 or "song_id" not in lines[0]:
        msg = f"{path}: lacks the column song_id or has no rows; this is not DEAM's dynamic table"
        raise InputInvalidError(msg)
    header = lines[0]
    samples = [(position, _SAMPLE.match(name)) for position, name in enumerate(header)]
    columns = [(position, int(name[1]) / 1000.0) for position, name in samples if name]
    if not columns:
        msg = (
            f"{path}: has no columns sample_15000ms, sample_15500ms, …; give DEAM's dynamic table"
        )
        raise InputInvalidError(msg)
    out = {}
    for number, cells in enumerate(lines[1:], 2):
        named = header.index("song_id")
        song = _whole(cells[named] if named < len(cells) else "", path, number)
        inside = [(position, second) for position, second in columns if position < len(cells)]
        times_s = np.array([second for _, second in inside])
        values = np.array([_number(cells[position], path, number) for position, _ in inside])
        known = np.isfinite(values)
        out[song] = (times_s[known], values[known])
    return out


def _rows(path: Path, needed: Sequence[str]) -> Rows:
    """Read rows of a table, heads and cells without stray spaces, heads in lower case."""
    if not path.is_file():
        msg = f"{path}: is not there; give a table with columns {', '.join(needed)}"
        raise InputMissingError(msg)
    text = _text(path)
    first = text.partition("\n")[0]
    separator = max("\t;,", key=first.count)
    lines = list(csv.reader(text.splitlines(), delimiter=separator))
    header = [name.strip().lower() for name in lines[0]] if lines else []
    missing = [name for name in needed if name not in header]
    if missing:
        msg = f"{path}: lacks the column {missing[0]}; columns {', '.join(needed)} are needed"
        raise InputInvalidError(msg)
    rows = [
        dict(zip(header, [cell.strip() for cell in [*line, *[""] * len(header)]], strict=False))
        for line in lines[1:]
        if any(cell.strip() for cell in line)
    ]
    if not rows:
        msg = f"{path}: has no rows; fill in columns {', '.join(needed)}"
        raise InputInvalidError(msg)
    return rows


def _text(path: Path) -> str:
    """Read a table as text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path}: is no text ({error.reason} at byte {error.start}); save it as UTF-8"
        raise InputInvalidError(msg) from error


def _number(text: str, path: Path, line: int) -> float:
    """Parse a cell; NaN where it is empty."""
    if text.strip().lower() in _ABSENT:
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        msg = f"{path}: line {line}: {text.strip()!r} is no number; correct the cell"
        raise InputInvalidError(msg)
    return value


def _whole(text: str, path: Path, line: int) -> str:
    """Parse a cell that names a song by a whole number, such as ``2`` or ``2.0``."""
    value = _number(text, path, line)
    if not value.is_integer():
        msg = f"{path}: line {line}: {text.strip()!r} is no number of a song; correct the cell"
        raise InputInvalidError(msg)
    return str(int(value))


def _one(folder: Path, name: str, part: str) -> Path:
    """Find the file of this name under a folder whose name contains `part`."""
    paths = [p for p in sorted(folder.rglob(name)) if part in str(p.parent.relative_to(folder))]
    paths = paths or sorted(folder.glob(name))
    if not paths:
        msg = f"{folder}: holds no {part} …/{name}; unpack DEAM's annotations there"
        raise InputMissingError(msg)
    return paths[0]


def _sounds(folder: Path) -> dict[str, list[Path]]:
    """Return all sound files below a folder by name without ending."""
    index: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SOUND_TYPES:
            index.setdefault(path.stem, []).append(path)
    return index


def _sound(index: Mapping[str, list[Path]], folder: Path, stem: str, near: str = "") -> Path:
    """Return the file of a sound; where there is none, the name it should have."""
    paths = index.get(stem, [])
    close = [p for p in paths if near in re.sub(r"[\s_-]", "", str(p.relative_to(folder)).lower())]
    return (close or paths or [folder / f"{stem}.mp3"])[0]
