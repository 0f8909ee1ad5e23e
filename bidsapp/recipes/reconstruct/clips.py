"""The clips of one participant, their windows and genres.

``window``
    a stretch of a clip that has one embedding. Windows lie inside their clip.

A clip that was heard several times is one clip: its responses are averaged, and all of its
presentations stand on one side of every fold, whichever run they belong to.

Source: Denk et al. 2025, music embedding prediction from fMRI data.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bidsapp.errors import InputInvalidError
from bidsapp.recipes.base.clips import ROUNDING_S, Clip, Hearing, hearings
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.reconstruct.settings import ReconstructSettings

NO_GENRE = ""
_LEAST_SHARE = 0.8
"""Of the usual length: shorter clips are left out, for all have the same windows."""


@dataclass(frozen=True)
class ReconstructInputs(Inputs):
    """Inputs with the genre and the order of the sounds.

    Attributes
    ----------
    genres
        Sound (stim_file) → genre, as far as known.
    heard
        Sounds in the order in which the first participant of the dataset heard them; empty for
        the participant's own order.
    """

    genres: Mapping[str, str] = field(default_factory=dict)
    heard: tuple[str, ...] = ()

    def identity(self) -> str:
        """Return a hash of the input, genres and order included."""
        digest = hashlib.blake2b(super().identity().encode(), digest_size=8)
        digest.update(repr((sorted(self.genres.items()), self.heard)).encode())
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
