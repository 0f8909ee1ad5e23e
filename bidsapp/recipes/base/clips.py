"""Which clip was heard when.

``clip``
    a stretch of a sound that was heard: the whole sound, or a part of given length.
``hearing``
    one presentation of a clip.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bidsapp.bids.records import Presentation, Run
from bidsapp.features.timeline import heard_until_s
from bidsapp.recipes.base.inputs import Inputs

ROUNDING_S = 1e-6
"""Differences in time that are rounding."""


@dataclass(frozen=True)
class Clip:
    """A stretch of a sound.

    Attributes
    ----------
    name
        For tables and figures.
    piece
        The sound (stim_file).
    start_s
        Its beginning in the sound.
    """

    name: str
    piece: str
    start_s: float


@dataclass(frozen=True)
class Stretch:
    """What one presentation played: as far back as a response can reach.

    Attributes
    ----------
    piece
        The sound.
    start_s, length_s
        Where in the sound, and how long.
    """

    piece: str
    start_s: float
    length_s: float


@dataclass(frozen=True)
class Hearing:
    """One presentation of a clip.

    Attributes
    ----------
    piece, start_s
        The clip: sound, and beginning in it.
    run
        Position of the run.
    onset_s
        When the clip began, in run time.
    length_s
        How much of it was both heard and scanned.
    stretch
        What was played without a break around it.
    place
        How many clips came before it in the run.
    """

    piece: str
    start_s: float
    run: int
    onset_s: float
    length_s: float
    stretch: Stretch
    place: int = 0

    @property
    def key(self) -> tuple[str, float]:
        """What repeats of a clip share."""
        return self.piece, round(self.start_s, 2)


def hearings(inputs: Inputs, clip_s: float) -> list[Hearing]:
    """List all presentations of clips, run by run in order of time.

    Parameters
    ----------
    inputs
        Runs and presentations.
    clip_s
        Length of the clips that longer sounds are cut into; 0 for whole sounds.
    """
    durations = {row["stim_file"]: float(row["sound_s"]) for row in inputs.alignment}
    found: list[Hearing] = []
    for number, run in enumerate(inputs.runs):
        shown = [item for item in inputs.presentations if item.run_name == run.name]
        here = [
            hearing
            for item in shown
            for hearing in _clips_of(item, number, run, shown, durations, clip_s)
        ]
        here.sort(key=lambda hearing: hearing.onset_s)
        found += [replace(hearing, place=place) for place, hearing in enumerate(here)]
    return found


def _clips_of(
    shown: Presentation,
    number: int,
    run: Run,
    presentations: Sequence[Presentation],
    durations: Mapping[str, float],
    clip_s: float,
) -> Iterator[Hearing]:
    played_s = heard_until_s(shown, presentations, durations) - shown.onset_s
    heard_s = min(played_s, run.scan_end_s - shown.onset_s)
    stretch = Stretch(shown.piece, shown.stim_start_s, round(played_s, 3))
    for start_s, length_s in cuts(shown.stim_start_s, heard_s, clip_s):
        onset_s = shown.onset_s + start_s - shown.stim_start_s
        yield Hearing(shown.piece, start_s, number, onset_s, length_s, stretch)


def cuts(start_s: float, length_s: float, clip_s: float) -> list[tuple[float, float]]:
    """Cut a stretch of a sound into clips that start at multiples of `clip_s` in the sound.

    Parameters
    ----------
    start_s, length_s
        The stretch.
    clip_s
        Length of a clip; a stretch that is not longer, or any with 0, is one clip.

    Returns
    -------
    list of (start_s, length_s)
        Complete clips only.
    """
    if clip_s <= 0 or length_s <= clip_s + ROUNDING_S:
        return [(start_s, length_s)]
    first = math.ceil((start_s - ROUNDING_S) / clip_s)
    last = math.floor((start_s + length_s + ROUNDING_S) / clip_s)
    return [(number * clip_s, clip_s) for number in range(first, last)]
