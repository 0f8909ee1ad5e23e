"""Which volumes are which item of which clip.

``item``
    a row of a dissimilarity matrix: the k-th volume of a clip (see `bidsapp.recipes.base.clips`)
    after its beginning is dropped, or all those volumes together.

In every hearing items are counted from the first volume that is at least ``drop_s`` after the
onset, which is the volume nearest to ``drop_s + (k + 1/2) TR``. Permutations of clips need the
same number of volumes in every clip: those that the shortest has, too, are tested, and so are the
means of whole clips made of these alone.

Source: Thielen et al., Representational Similarity Analysis (repetitions averaged, the first six
seconds dropped, clips stacked).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.records import Run
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.base.clips import ROUNDING_S, Clip, Hearing, Stretch, hearings
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.rsa.settings import RsaSettings
from bidsapp.stats.rsa.order import OrderCheck, check_orders

_SHORT = 0.5
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Items:
    """Rows of the dissimilarity matrices, clip after clip.

    Attributes
    ----------
    clips
        The clips, in the order of their names.
    clip
        (n_items,) position in `clips`.
    time_s
        (n_items,) mean time since the clip began.
    row
        (n_items, n_hearings, n_volumes) row of the BOLD matrix, -1 where there is none. Patterns
        are averaged over the last two axes.
    run, place
        (n_items, n_hearings) position of the run, and of the clip in the run; -1 for none.
    stretch
        (n_items, n_hearings) position in `stretches`, -1 for none.
    stretches
        What was played, for the predicted responses.
    stretch_time_s, run_time_s
        (n_items, n_hearings, n_volumes) time of each volume since its stretch began, and since
        its run began; NaN where there is none.
    tr_s
        Repetition time.
    tested
        (n_items,) volumes that every clip has, which permutations of clips can exchange.
    n_volumes_per_clip
        Volumes that every clip has.
    n_trimmed
        Volumes of longer clips beyond these.
    left_out
        One sentence for each clip or hearing that could not be used.
    """

    clips: tuple[Clip, ...]
    clip: Ints
    time_s: Floats
    row: Ints
    run: Ints
    place: Ints
    stretch: Ints
    stretches: tuple[Stretch, ...]
    stretch_time_s: Floats
    run_time_s: Floats
    tr_s: float
    tested: NDArray[np.bool_]
    n_volumes_per_clip: int
    n_trimmed: int
    left_out: tuple[str, ...]

    @property
    def n_items(self) -> int:
        """Rows of the matrices."""
        return len(self.clip)

    @property
    def n_repeats(self) -> Ints:
        """(n_items,) hearings that are averaged."""
        return np.asarray((self.stretch >= 0).sum(axis=1))

    @property
    def n_complete(self) -> int:
        """Hearings that all items have: independent measurements for crossnobis."""
        return int(self.n_repeats.min())

    def by_run(self, values: Floats) -> Floats:
        """Sort values of hearings by the run they belong to.

        Parameters
        ----------
        values
            (n_items, n_hearings); NaN is missing.

        Returns
        -------
        array, (n_rows, n_items)
            One row per run, more where a run has several hearings of a clip; NaN is missing.
        """
        rows: dict[tuple[int, int], Floats] = {}
        for item, runs in enumerate(self.run):
            seen: dict[int, int] = defaultdict(int)
            for hearing, run in enumerate(runs):
                if run < 0:
                    continue
                key = (int(run), seen[int(run)])
                seen[int(run)] += 1
                row = rows.setdefault(key, np.full(self.n_items, np.nan))
                row[item] = values[item, hearing]
        return np.array([rows[key] for key in sorted(rows)])


def make_items(inputs: Inputs, settings: RsaSettings) -> Items:
    """Find the items of one participant.

    Parameters
    ----------
    inputs
        Runs and presentations.
    settings
        ``clip_s``, ``drop_s``, ``item_unit``, ``average_repeats``.

    Returns
    -------
    Items

    Raises
    ------
    InputInvalidError
        Fewer than two clips are long enough.
    """
    by_clip: dict[tuple[str, float], list[Hearing]] = defaultdict(list)
    for hearing in hearings(inputs, settings.clip_s):
        by_clip[hearing.key].append(hearing)
    tr_s = max(run.tr_s for run in inputs.runs)
    counts = {
        key: _count(max(one.length_s for one in several), settings.drop_s, tr_s)
        for key, several in by_clip.items()
    }
    typical = float(np.median([n for n in counts.values() if n > 0] or [0]))
    kept = sorted(key for key, n in counts.items() if n > 0 and n >= _SHORT * typical)
    if len(kept) < 2:
        msg = (
            f"sub-{inputs.subject}: {len(kept)} of {len(counts)} clips have a volume after the "
            f"first {settings.drop_s:g} s, at least 2 are needed; lower rsa.drop_s, or cut long "
            "sounds with rsa.clip_s"
        )
        raise InputInvalidError(msg)
    per_clip = min(counts[key] for key in kept)
    dropped = [key for key in sorted(counts) if key not in kept]
    notes = [
        f"{_name(key, by_clip)} is left out: {counts[key]} volumes after the first "
        f"{settings.drop_s:g} s, other clips have {typical:g}."
        for key in dropped
    ]
    builder = _Builder(inputs.runs, settings.drop_s, per_clip)
    every = settings.item_unit == "tr"
    table = []
    for key in kept:
        wanted = counts[key] if every else per_clip
        rows = [(one, builder.volumes(one, wanted)) for one in by_clip[key]]
        complete = [(one, found) for one, found in rows if found is not None]
        if len(complete) < len(rows):
            notes.append(
                f"{len(rows) - len(complete)} of {len(rows)} presentations of "
                f"{_name(key, by_clip)} are left out: they are cut short."
            )
        table.append(complete)
    clips = tuple(Clip(_name(key, by_clip), *key) for key in kept)
    n_trimmed = sum(counts[key] - per_clip for key in kept)
    return builder.items(clips, table, settings, tr_s, n_trimmed, tuple(notes))


def _count(length_s: float, drop_s: float, tr_s: float) -> int:
    """Volumes that any phase of the volumes leaves after `drop_s`."""
    return max(0, math.floor((length_s - drop_s) / tr_s + ROUNDING_S))


def _name(key: tuple[str, float], known: Mapping[tuple[str, float], Any]) -> str:
    piece, start_s = key
    alone = sum(other == piece for other, _ in known) == 1
    return piece if alone else f"{piece}@{start_s:g}s"


_Volumes = tuple[Ints, Floats, Floats]


class _Builder:
    """Turns hearings into rows of the BOLD matrix."""

    def __init__(self, runs: Sequence[Run], drop_s: float, per_clip: int) -> None:
        self.runs, self.drop_s, self.per_clip = runs, drop_s, per_clip
        self.starts = np.concatenate([[0], np.cumsum([run.n_trs for run in runs])])

    def volumes(self, hearing: Hearing, wanted: int) -> _Volumes | None:
        """Rows, times in the clip, and times in the run, (wanted,) each; None if too few."""
        run = self.runs[hearing.run]
        times = run.volume_times_s
        since = times - hearing.onset_s
        usable = (since >= self.drop_s - ROUNDING_S) & (since < hearing.length_s - ROUNDING_S)
        found = np.flatnonzero(usable)[:wanted]
        if found.size < wanted:
            return None
        return self.starts[hearing.run] + found, since[found], times[found]

    def items(
        self,
        clips: tuple[Clip, ...],
        table: Sequence[Sequence[tuple[Hearing, _Volumes]]],
        settings: RsaSettings,
        tr_s: float,
        n_trimmed: int,
        notes: tuple[str, ...],
    ) -> Items:
        """Lay out hearings (clip by clip) as items."""
        if not settings.average_repeats:
            fewest = min(map(len, table))
            groups = [(c, [one]) for c, several in enumerate(table) for one in several[:fewest]]
        else:
            groups = [(c, list(several)) for c, several in enumerate(table)]
        as_volumes = settings.item_unit == "tr"
        lengths = np.array([several[0][1][0].size for _, several in groups])
        n_volumes = 1 if as_volumes else self.per_clip
        n_rows = int(lengths.max()) // n_volumes
        n_hearings = max(len(several) for _, several in groups)
        shape = (len(groups), n_hearings, n_rows, n_volumes)
        row = np.full(shape, -1, dtype=np.int64)
        clip_time, sound_time, run_time = (np.full(shape, np.nan) for _ in range(3))
        run, place, stretch = (np.full((*shape[:2], n_rows), -1, dtype=np.int64) for _ in range(3))
        stretches: dict[Stretch, int] = {}
        for g, (_, several) in enumerate(groups):
            for h, (hearing, (rows, since, times)) in enumerate(several):
                at = (g, h, slice(rows.size // n_volumes))
                row[at] = rows.reshape(-1, n_volumes)
                clip_time[at] = since.reshape(-1, n_volumes)
                lead_s = hearing.start_s - hearing.stretch.start_s
                sound_time[at] = clip_time[at] + lead_s
                run_time[at] = times.reshape(-1, n_volumes)
                run[at], place[at] = hearing.run, hearing.place
                stretch[at] = stretches.setdefault(hearing.stretch, len(stretches))
        number = np.arange(n_rows)
        there = (number < lengths[:, None] // n_volumes).ravel()

        def by_item(values: NDArray[Any]) -> NDArray[Any]:
            moved = np.moveaxis(values, 2, 1)
            return np.ascontiguousarray(moved.reshape(-1, *moved.shape[2:])[there])

        return Items(
            clips=clips,
            clip=np.repeat([c for c, _ in groups], n_rows).astype(np.int64)[there],
            time_s=np.asarray(np.nanmean(by_item(clip_time), axis=(1, 2))),
            row=by_item(row),
            run=by_item(run),
            place=by_item(place),
            stretch=by_item(stretch),
            stretches=tuple(stretches),
            stretch_time_s=by_item(sound_time),
            run_time_s=by_item(run_time),
            tr_s=tr_s,
            tested=np.tile(number < self.per_clip, len(groups))[there],
            n_volumes_per_clip=self.per_clip,
            n_trimmed=n_trimmed,
            left_out=notes,
        )


def run_orders(inputs: Inputs, items: Items, clip_s: float) -> OrderCheck:
    """Compare the orders of the clips in the runs of a participant.

    Parameters
    ----------
    inputs
        Runs and presentations.
    items
        The clips.
    clip_s
        Length of the clips that longer sounds are cut into (s).
    """
    names = [(clip.piece, round(clip.start_s, 2)) for clip in items.clips]
    orders: list[list[int]] = [[] for _ in inputs.runs]
    for hearing in hearings(inputs, clip_s):
        if hearing.key in names:
            orders[hearing.run].append(names.index(hearing.key))
    return check_orders([[order] for order in orders if order])


def item_patterns(data: NDArray[Any], row: Ints, columns: slice) -> NDArray[np.float32]:
    """Average the volumes of each item.

    Parameters
    ----------
    data
        (n_trs_total, n_units) clean BOLD, z-scored run by run.
    row
        (n_items, ...) rows to average; -1 for none.
    columns
        Units to take.

    Returns
    -------
    array, (n_items, n)
    """
    flat = row.reshape(len(row), -1)
    total = np.zeros((len(flat), len(range(*columns.indices(data.shape[1])))))
    for part in flat.T:
        there = part >= 0
        total[there] += data[part[there], columns]
    return np.asarray(total / (flat >= 0).sum(axis=1, keepdims=True), dtype=np.float32)
