"""Inter-subject correlation of parcels: how much of the response the group shares.

Participants who heard the same sounds are compared on the clock of the sounds: rows are matched
by piece and time in it, repeats averaged, pieces centred. Each participant is correlated with the
mean of the others, which bounds what a model of the sound can explain. Volumes are matched to the
nearest moment at which the first participant was sampled, so up to half a TR apart.

Source: Nastase et al. (2019), Soc Cogn Affect Neurosci 14, 667-685.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.maps import read_maps
from bidsapp.recipes.gradients.group.inputs import GroupInputs
from bidsapp.recipes.group_inputs import ParticipantResult
from bidsapp.stats.group import FisherMean
from bidsapp.stats.isc import InterSubjectSum

if TYPE_CHECKING:
    import pandas as pd

_TIMES = ["piece", "repeat", "stim_time_s"]
_MIN_ROWS = 20
MIN_AGREEMENT = 0.8
"""Share of units that must carry the same parcel number in two participants."""


@dataclass(frozen=True, eq=False)
class ParcelIsc:
    """Inter-subject correlation of each parcel.

    Attributes
    ----------
    labels
        (n_units,) parcel from 0, -1 for none: those of the first participant.
    r, n
        (n_parcels,) mean over participants (Fisher z) and their number.
    n_rows
        Volumes that all participants heard.
    """

    labels: NDArray[np.integer[Any]]
    r: NDArray[np.float64]
    n: NDArray[np.int64]
    n_rows: int


def parcel_isc(inputs: GroupInputs, units: UnitSpace) -> tuple[ParcelIsc | None, list[str]]:
    """Correlate each participant's parcels with the mean of the others.

    Parameters
    ----------
    inputs
        Participants; those without parcel time courses, or with other parcels, are left out.
    units
        Of the data.

    Returns
    -------
    ParcelIsc or None
        None with fewer than two participants or too little in common.
    list of str
        What was left out and why.
    """
    kept, labels, notes = _comparable(inputs, units)
    if len(kept) < 2:
        if not kept:
            notes = ["No inter-subject correlation: no participant has parcel time courses."]
        elif len(inputs.participants) > 1:
            notes.append("No inter-subject correlation: fewer than two comparable participants.")
        return None, notes
    clock = _clock(kept[0])
    common = _common_rows(kept, clock)
    if len(common) < _MIN_ROWS:
        notes.append(
            f"No inter-subject correlation: only {len(common)} moments of sound were heard by all."
        )
        return None, notes
    n_parcels = int(labels.max()) + 1
    total = InterSubjectSum(len(common), n_parcels)
    for one in kept:
        total.add(_responses(one, clock, common))
    mean = FisherMean((n_parcels,))
    for one in kept:
        mean.add(total.correlate(_responses(one, clock, common)))
    return ParcelIsc(labels, mean.mean_r, mean.z.n, len(common)), notes


def _comparable(
    inputs: GroupInputs, units: UnitSpace
) -> tuple[list[ParticipantResult], NDArray[np.integer[Any]], list[str]]:
    """Participants whose parcels are those of the first one, these parcels, and notes."""
    kept: list[ParticipantResult] = []
    notes: list[str] = []
    reference = np.full(units.n_units, -1)
    for one in inputs.participants:
        paths = one.image({"desc": "parcels"}, "dseg", inputs.label_extension)
        courses = one.file({"desc": "parcelcourses"}, "stats", ".tsv")
        if not (courses.is_file() and all(path.is_file() for path in paths)):
            notes.append(f"sub-{one.subject} has no parcel time courses: left out of the ISC.")
            continue
        labels = read_maps(paths, units).values[0]
        labels = np.where(np.isfinite(labels), labels, 0).astype(int) - 1
        if kept:
            both = (labels >= 0) & (reference >= 0)
            same = float((labels == reference)[both].mean()) if both.any() else 0.0
            if same < MIN_AGREEMENT or labels.max() != reference.max():
                notes.append(
                    f"sub-{one.subject} has other parcels ({same:.0%} of the units agree): left "
                    "out of the ISC; use an atlas to compare participants with other masks."
                )
                continue
        else:
            reference = labels
        kept.append(one)
    return kept, reference, notes


def _read(one: ParticipantResult, columns: list[str] | None = None) -> pd.DataFrame:
    import pandas as pd

    path = one.file({"desc": "parcelcourses"}, "stats", ".tsv")
    return pd.read_csv(
        path,
        sep="\t",
        usecols=columns,
        dtype={"piece": str},
        na_values=["n/a"],
        keep_default_na=False,
    )


@dataclass(frozen=True)
class _Clock:
    """Moments of the first participant's sampling, to which the others' volumes are matched.

    Attributes
    ----------
    step_s
        Seconds between rows.
    first_s
        Piece → time in it of its first row.
    """

    step_s: float
    first_s: pd.Series[float]

    def moments(self, table: pd.DataFrame) -> list[pd.Series[Any]]:
        """Piece and number of the moment that each row is nearest to; NaN for other pieces."""
        steps = (table["stim_time_s"] - table["piece"].map(self.first_s)) / self.step_s
        return [table["piece"], np.floor(steps + 0.5).rename("moment")]


def _clock(one: ParticipantResult) -> _Clock:
    table = _read(one, _TIMES)
    gaps = table.groupby(["piece", "repeat"])["stim_time_s"].diff()
    first = table[table["repeat"] == 1].groupby("piece")["stim_time_s"].min()
    return _Clock(float(gaps[gaps > 0].median()), first)


def _common_rows(kept: list[ParticipantResult], clock: _Clock) -> pd.Index[Any]:
    """Piece and number of the moments that all participants heard."""
    common = None
    for one in kept:
        table = _read(one, _TIMES)
        index = table.groupby(clock.moments(table)).size().index
        common = index if common is None else common.intersection(index)
    assert common is not None
    return common.sort_values()


def _responses(
    one: ParticipantResult, clock: _Clock, common: pd.Index[Any]
) -> NDArray[np.float64]:
    """(n_rows, n_parcels) responses at the common moments, centred inside each piece."""
    table = _read(one)
    mean = table.drop(columns=_TIMES).groupby(clock.moments(table)).mean().loc[common]
    centred = mean - mean.groupby(level="piece").transform("mean")
    return np.asarray(centred, dtype=np.float64)


def isc_rows(found: ParcelIsc, units: UnitSpace) -> Iterator[dict[str, Any]]:
    """Yield one row per parcel."""
    xyz = units.coordinates_mm()
    for parcel, (r, n) in enumerate(zip(found.r, found.n, strict=True)):
        here = np.flatnonzero(found.labels == parcel)
        x, y, z = xyz[here].mean(axis=0) if here.size else (np.nan,) * 3
        yield {
            "parcel": parcel + 1,
            "structure": str(units.structure[here[0]]) if here.size else None,
            "x": x,
            "y": y,
            "z": z,
            "n_units": int(here.size),
            "isc": r,
            "n": int(n),
        }
