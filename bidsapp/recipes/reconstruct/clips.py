"""The clips of one participant, their windows, genres and folds.

``window``
    a stretch of a clip that has one embedding. Windows lie inside their clip.

A clip that was heard several times is one clip: its responses are averaged, and all of its
presentations stand on one side of every fold, whichever run they belong to.

Source: Denk et al. 2025, music embedding prediction from fMRI data.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.records import Run
from bidsapp.bids.stimuli import read_catalogue, stimuli_folders
from bidsapp.config import Config
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.base.clips import ROUNDING_S, Clip, Hearing, hearings
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.stats.folds import Fold

NO_GENRE = ""
_N_INNER = 5
_LEAST_SHARE = 0.8
"""Of the usual length: shorter clips are left out, for all have the same windows."""


@dataclass(frozen=True)
class ReconstructInputs(Inputs):
    """Inputs with the genre of each sound.

    Attributes
    ----------
    genres
        Sound (stim_file) → genre, as far as known.
    """

    genres: Mapping[str, str] = field(default_factory=dict)

    def identity(self) -> str:
        """Return a hash of the input, genres included."""
        digest = hashlib.blake2b(super().identity().encode(), digest_size=8)
        digest.update(repr(sorted(self.genres.items())).encode())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips in the order of their names.

    Attributes
    ----------
    clips
        The clips.
    genre
        Of each; `NO_GENRE` where it is not known.
    hearings
        Presentations of each.
    window_start_s
        (n_windows,) beginning of the windows in a clip.
    left_out
        One sentence for each clip or group of presentations that cannot be used.
    """

    clips: tuple[Clip, ...]
    genre: tuple[str, ...]
    hearings: tuple[tuple[Hearing, ...], ...]
    window_start_s: NDArray[np.float64]
    left_out: tuple[str, ...]

    @property
    def n_windows(self) -> int:
        """Windows of each clip."""
        return len(self.window_start_s)

    @property
    def has_genres(self) -> bool:
        """Whether there are at least two genres."""
        return len(set(self.genre) - {NO_GENRE}) > 1

    def take(self, kept: NDArray[np.bool_], why: str) -> Clips:
        """Return some of the clips; the others are left out for the reason given."""
        chosen = np.flatnonzero(kept)
        names = [clip.name for clip, own in zip(self.clips, kept, strict=True) if not own]
        return Clips(
            tuple(self.clips[k] for k in chosen),
            tuple(self.genre[k] for k in chosen),
            tuple(self.hearings[k] for k in chosen),
            self.window_start_s,
            (*self.left_out, *(f"{name} is left out: {why}." for name in names)),
        )


def prepare(
    dataset: Dataset, inputs: Inputs, settings: ReconstructSettings, config: Config
) -> ReconstructInputs:
    """Add the genres of the sounds, and check that there are clips to decode.

    Parameters
    ----------
    dataset
        For the catalogue ``stimuli.tsv``.
    inputs
        What was collected.
    settings
        How sounds become clips.
    config
        Folder of the stimuli.

    Raises
    ------
    InputInvalidError
        There are too few clips for the folds, or no run of the test task.
    """
    catalogue, problems = read_catalogue(stimuli_folders(dataset, config.stimuli_dir))
    known = {name: values[0] for name, values in catalogue.values("genre").items()}
    pieces = [name for name, _ in inputs.sounds]
    folders = {name: PurePosixPath(name).parent.name for name in pieces}
    if not known and len(set(folders.values())) > 1:
        known = folders
    fields = {item.name: getattr(inputs, item.name) for item in dataclasses.fields(Inputs)}
    fields["problems"] = (*inputs.problems, *problems)
    prepared = ReconstructInputs(
        **fields, genres={name: known[name] for name in pieces if known.get(name)}
    )
    clips = make_clips(prepared, settings)
    make_blocks(clips, prepared.runs, settings, inputs.subject)
    return prepared


def make_clips(inputs: ReconstructInputs, settings: ReconstructSettings) -> Clips:
    """Find the clips that a participant heard.

    Parameters
    ----------
    inputs
        Runs, presentations, genres.
    settings
        ``clip_s``, ``drop_first_s``, ``embedding_window_s``, ``step_s``.

    Raises
    ------
    InputInvalidError
        No clip is as long as a window.
    """
    window_s = settings.embedding_window_s
    by_clip: dict[tuple[str, float], list[Hearing]] = defaultdict(list)
    everything = hearings(inputs, settings.clip_s)
    first_s: dict[int, float] = {}
    for hearing in everything:
        first_s.setdefault(hearing.run, hearing.onset_s)
        if hearing.onset_s >= first_s[hearing.run] + settings.drop_first_s - ROUNDING_S:
            by_clip[hearing.key].append(hearing)
    lengths = {key: max(item.length_s for item in own) for key, own in by_clip.items()}
    long_enough = [x for x in lengths.values() if x >= window_s - ROUNDING_S]
    if not long_enough:
        msg = (
            f"sub-{inputs.subject}: none of {len(lengths)} clips lasts {window_s:g} s; lower "
            "reconstruct.embedding_window_s"
        )
        raise InputInvalidError(msg)
    least_s = max(window_s, _LEAST_SHARE * float(np.median(long_enough)))
    kept = sorted(key for key, x in lengths.items() if x >= least_s - ROUNDING_S)
    common_s = min(lengths[key] for key in kept)
    n_windows = 1 + math.floor((common_s - window_s + ROUNDING_S) / settings.step_s)
    notes, heard = [], []
    for key in kept:
        complete = [x for x in by_clip[key] if x.length_s >= common_s - ROUNDING_S]
        heard.append(tuple(complete))
        n_cut = len(by_clip[key]) - len(complete)
        if n_cut:
            name = _name(key, by_clip)
            notes.append(f"{n_cut} presentations of {name} are left out: they are cut short.")
    notes += [
        f"{_name(key, by_clip)} is left out: it lasts {x:.2f} s, less than {least_s:g} s."
        for key, x in sorted(lengths.items())
        if key not in kept
    ]
    return Clips(
        tuple(Clip(_name(key, by_clip), *key) for key in kept),
        tuple(inputs.genres.get(piece, NO_GENRE) for piece, _ in kept),
        tuple(heard),
        settings.step_s * np.arange(n_windows, dtype=np.float64),
        tuple(notes),
    )


def _name(key: tuple[str, float], by_clip: Mapping[tuple[str, float], object]) -> str:
    """Name a clip by its sound, and by its beginning where the sound has several clips."""
    piece, start_s = key
    alone = sum(other == piece for other, _ in by_clip) == 1
    return piece if alone else f"{piece}@{start_s:g}s"


def make_blocks(
    clips: Clips, runs: Sequence[Run], settings: ReconstructSettings, subject: str
) -> tuple[NDArray[np.int64], tuple[Fold, ...]]:
    """Divide the clips into the blocks that are held out together.

    All clips of one sound are in one block, and genres are spread evenly over blocks. The order
    of the sounds' names decides, so that participants who heard the same clips have the same
    blocks.

    Parameters
    ----------
    clips
        To divide.
    runs
        Of the participant, for their tasks.
    settings
        ``n_folds``; ``test_task``: clips heard in it are held out, the others trained on.
    subject
        For messages.

    Returns
    -------
    block
        (n_clips,) from 0.
    folds
        Each holds out one block. Inner folds hold out each of the other blocks.

    Raises
    ------
    InputInvalidError
        There are too few sounds, or no run of the test task.
    """
    pieces = np.array([clip.piece for clip in clips.clips])
    if not settings.test_task:
        block = _deal(pieces, clips.genre, settings.n_folds)
        n_blocks = settings.n_folds
        _check(subject, pieces, block, n_blocks, 2)
        whole = range(n_blocks)
        folds = tuple(Fold((k,), tuple((j,) for j in whole if j != k)) for k in whole)
        return block, folds
    tasks = [{runs[item.run].task for item in own} for own in clips.hearings]
    is_test = np.array([settings.test_task in own for own in tasks])
    is_test = np.isin(pieces, pieces[is_test])
    if not is_test.any() or is_test.all():
        known = ", ".join(sorted(set().union(*tasks)))
        msg = (
            f"sub-{subject}: reconstruct.test_task={settings.test_task!r} must be one of several "
            f"tasks of its runs ({known}); leave it empty for cross-validation"
        )
        raise InputInvalidError(msg)
    block = np.full(len(pieces), _N_INNER)
    genres = [genre for genre, own in zip(clips.genre, is_test, strict=True) if not own]
    block[~is_test] = _deal(pieces[~is_test], genres, _N_INNER)
    _check(subject, pieces, block, _N_INNER + 1, 2)
    return block, (Fold((_N_INNER,), tuple((k,) for k in range(_N_INNER))),)


def _check(
    subject: str, pieces: NDArray[np.str_], block: NDArray[np.int64], n_blocks: int, least: int
) -> None:
    n = min(len(set(pieces[block == k])) for k in range(n_blocks))
    if n < least:
        msg = (
            f"sub-{subject}: {len(set(pieces))} sounds do not fill {n_blocks} folds with {least} "
            "each; lower reconstruct.n_folds, or cut long sounds with reconstruct.clip_s"
        )
        raise InputInvalidError(msg)


def _deal(pieces: NDArray[np.str_], genres: Sequence[str], n_blocks: int) -> NDArray[np.int64]:
    """Deal sounds, sorted by genre and name, into blocks in turn."""
    genre_of = dict(zip(pieces.tolist(), genres, strict=True))
    order = sorted(genre_of, key=lambda piece: (genre_of[piece], piece))
    block_of = {piece: number % n_blocks for number, piece in enumerate(order)}
    return np.array([block_of[piece] for piece in pieces.tolist()], np.int64)


def genre_groups(clips: Clips, fold: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the held-out clips of each fold and genre a number.

    Parameters
    ----------
    clips
        With genres.
    fold
        (n_clips,) fold that holds each clip out; -1 for none.

    Returns
    -------
    array, (n_clips,)
        -1 for clips that are never held out or have no genre.
    """
    numbers: dict[tuple[int, str], int] = {}
    return np.array(
        [
            numbers.setdefault((int(own), genre), len(numbers)) if own >= 0 and genre else -1
            for own, genre in zip(fold, clips.genre, strict=True)
        ]
    )
