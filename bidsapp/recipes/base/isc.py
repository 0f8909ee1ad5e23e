"""Inter-subject correlation of parcels: how much of the response the group shares.

Participants who heard the same sounds are compared on the clock of the sounds: rows are matched
by piece and time in it, repeats averaged, pieces centred. Each participant is correlated with the
mean of the others. Volumes are matched to the
nearest moment at which the first participant was sampled, so up to half a TR apart.

Source: Nastase et al. (2019), Soc Cogn Affect Neurosci 14, 667-685.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.maps import read_maps
from bidsapp.results.cautions import Caution
from bidsapp.results.kinds import Labels, Table
from bidsapp.results.read import Results, Space
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


@dataclass(frozen=True)
class WrittenParcels:
    """Where the participants' parcels are written.

    Attributes
    ----------
    at
        The space.
    labels
        Declared result: the parcels.
    """

    at: Space
    labels: Labels


@dataclass(frozen=True)
class ParcelCourses(WrittenParcels):
    """Where the time courses of the participants' parcels are written, too.

    Attributes
    ----------
    courses
        Declared result: courses by piece, repeat and time in the sound.
    """

    courses: Table

    def read(self, participant: Results) -> pd.DataFrame:
        """Return the courses of a participant."""
        return participant.table(self.courses, self.at)


def parcel_isc(
    participants: Sequence[Results], where: ParcelCourses, units: UnitSpace
) -> tuple[ParcelIsc | None, list[Caution]]:
    """Correlate each participant's parcels with the mean of the others.

    Parameters
    ----------
    participants
        Those with other parcels than the first one are left out.
    where
        What they have written.
    units
        Of the data.

    Returns
    -------
    ParcelIsc or None
        None with fewer than two participants or too little in common.
    list of Caution
        What was left out and why.
    """
    kept, labels, left_out = same_parcels(participants, where, units)
    if len(kept) < 2:
        if len(participants) > 1:
            left_out.append(_none("fewer than two participants have the same parcels"))
        return None, left_out
    clock = _clock(where.read(kept[0]))
    common = _common_rows((where.read(item) for item in kept), clock)
    if len(common) < _MIN_ROWS:
        left_out.append(_none(f"only {len(common)} moments of sound were heard by all"))
        return None, left_out
    n_parcels = int(labels.max()) + 1
    total = InterSubjectSum(len(common), n_parcels)
    for participant in kept:  # one table at a time in memory
        total.add(_responses(where.read(participant), clock, common))
    mean = FisherMean((n_parcels,))
    for participant in kept:
        mean.add(total.correlate(_responses(where.read(participant), clock, common)))
    return ParcelIsc(labels, mean.mean_r, mean.z.n, len(common)), left_out


def _none(reason: str) -> Caution:
    return Caution("note", "No inter-subject correlation", f"It was not computed: {reason}.")


def same_parcels(
    participants: Sequence[Results], where: WrittenParcels, units: UnitSpace
) -> tuple[list[Results], NDArray[np.integer[Any]], list[Caution]]:
    """Keep participants whose parcels are those of the first one.

    Parameters
    ----------
    participants
        Of the group.
    where
        Where their parcels are written.
    units
        Of the group.

    Returns
    -------
    list of Results
        Those with the same parcels.
    ndarray, (n_units,)
        Parcel of each voxel or vertex from 0, -1 for none.
    list of Caution
        One for each participant that is left out.
    """
    kept: list[Results] = []
    cautions: list[Caution] = []
    reference = np.full(units.n_units, -1)
    for item in participants:
        paths = item.images(where.labels, where.at)
        labels = read_maps(paths, units).values[0]
        labels = np.where(np.isfinite(labels), labels, 0).astype(int) - 1
        if kept:
            both = (labels >= 0) & (reference >= 0)
            same = float((labels == reference)[both].mean()) if both.any() else 0.0
            if same < MIN_AGREEMENT or labels.max() != reference.max():
                text = (
                    f"sub-{item.subject} has other parcels ({same:.0%} of the units agree) and is "
                    "left out of comparisons of parcels; use an atlas to compare "
                    "participants with other masks."
                )
                cautions.append(Caution("caution", "Other parcels", text))
                continue
        else:
            reference = labels
        kept.append(item)
    return kept, reference, cautions


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


def _clock(table: pd.DataFrame) -> _Clock:
    gaps = table.groupby(["piece", "repeat"])["stim_time_s"].diff()
    first = table[table["repeat"] == 1].groupby("piece")["stim_time_s"].min()
    return _Clock(float(gaps[gaps > 0].median()), first)


def _common_rows(tables: Iterable[pd.DataFrame], clock: _Clock) -> pd.Index[Any]:
    """Piece and number of the moments that all participants heard."""
    common = None
    for table in tables:
        index = table.groupby(clock.moments(table)).size().index
        common = index if common is None else common.intersection(index)
    assert common is not None
    return common.sort_values()


def _responses(table: pd.DataFrame, clock: _Clock, common: pd.Index[Any]) -> NDArray[np.float64]:
    """(n_rows, n_parcels) responses at the common moments, centred inside each piece."""
    mean = table.drop(columns=_TIMES).groupby(clock.moments(table)).mean().loc[common]
    centred = mean - mean.groupby(level="piece").transform("mean")
    return np.asarray(centred, dtype=np.float64)


def parcel_places(labels: NDArray[np.integer[Any]], units: UnitSpace) -> dict[str, Any]:
    """Return where parcels are, as columns of a table, each (n_parcels,).

    Parameters
    ----------
    labels
        (n_units,) parcel from 0, -1 for none.
    units
        Of the labels.
    """
    xyz = units.coordinates_mm()
    members = [np.flatnonzero(labels == parcel) for parcel in range(int(labels.max()) + 1)]
    nowhere = np.full(3, np.nan)
    centres = np.array([xyz[some].mean(axis=0) if some.size else nowhere for some in members])
    x, y, z = centres.reshape(-1, 3).T
    sides = [str(units.structure[some[0]]) if some.size else None for some in members]
    sizes = [int(some.size) for some in members]
    return {"structure": sides, "x": x, "y": y, "z": z, "n_units": sizes}


def isc_columns(isc: ParcelIsc, units: UnitSpace) -> dict[str, Any]:
    """Return the columns of the table of inter-subject correlations, each (n_parcels,)."""
    return {**parcel_places(isc.labels, units), "isc": isc.r, "n": isc.n}
