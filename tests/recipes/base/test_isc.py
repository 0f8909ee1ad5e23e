"""Inter-subject correlation on the clock of the sounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidsapp.brain.geometry import UnitSpace
from bidsapp.recipes.base.isc import ParcelCourses, ParcelIsc, isc_columns, parcel_isc
from bidsapp.results.cautions import Caution
from bidsapp.results.kinds import Column, Labels, Table, summary
from bidsapp.results.read import Results
from bidsapp.results.write import Output

N_PARCELS, N = 3, 150
PIECES = ("lament.flac", "storm.flac")
LABELS = Labels(desc="toyparcels", title="Parcels", says="Parcels.", by_network=False)
COURSES = Table(
    desc="toycourses",
    title="Courses",
    says="Courses.",
    columns=(Column("piece", text=True), Column("repeat"), Column("stim_time_s")),
    further="mean of a parcel",
    by_network=False,
)
SUMMARY = summary("toy", "participant")
Rows = list[dict[str, Any]]
Correlate = Callable[[list[Rows], list[np.ndarray]], tuple[ParcelIsc | None, list[Caution]]]
SHARED = np.random.default_rng(9).standard_normal((len(PIECES), N))


def courses(
    number: int, *, shift: float = 0.0, pieces: tuple[str, ...] = PIECES, first: int = 0
) -> list[dict[str, Any]]:
    """Rows of one participant: parcel 1 shares the sound's signal, 2 is noise, 3 is constant."""
    rng = np.random.default_rng(number)
    rows = []
    for repeat in (1, 2):
        for piece in pieces:
            for volume in range(first, N):
                shared = SHARED[PIECES.index(piece), volume]
                offset = 100.0 * PIECES.index(piece)  # a difference between pieces is no tracking
                values = [shared + rng.standard_normal(), offset + rng.standard_normal(), 1.0]
                rows.append(
                    {
                        "piece": piece,
                        "repeat": repeat,
                        "stim_time_s": round(0.5 + volume + shift, 3),
                        **{f"parcel{k + 1:03d}": value for k, value in enumerate(values)},
                    }
                )
    return rows


@pytest.fixture
def parcels(toy: UnitSpace) -> np.ndarray:
    labels = np.arange(toy.n_units) * N_PARCELS // toy.n_units
    labels[5] = -1
    return labels


@pytest.fixture
def correlate(write_participants: Callable[..., Path], toy: UnitSpace) -> Correlate:
    """Return a function of the participants' courses and parcels."""

    def run(tables: list[Rows], parcels: list[np.ndarray]) -> Any:
        def writer(rows: Rows, labels: np.ndarray) -> Callable[[Output], None]:
            def write(out: Output) -> None:
                names = [f"parcel{k + 1:03d}" for k in range(int(labels.max()) + 1)]
                out.write(LABELS, labels + 1, names=names)
                out.write(COURSES, rows)
                out.write(SUMMARY, {})

            return write

        root = write_participants(*map(writer, tables, parcels))
        catalogue = (LABELS, COURSES, SUMMARY)
        people = [Results(root, "toy", catalogue, f"{k + 1:02d}") for k in range(len(tables))]
        (at,) = people[0].spaces
        return parcel_isc(people, ParcelCourses(at, LABELS, COURSES), toy)

    return run


def test_shared_responses_are_found(
    correlate: Correlate, toy: UnitSpace, parcels: np.ndarray
) -> None:
    n = 8
    shifts = [0.0, 0.4, -0.2, 0.1, 0.0, -0.1, 0.3, -0.4]
    tables = [courses(k, shift=shift) for k, shift in enumerate(shifts)]
    isc, cautions = correlate(tables, [parcels] * n)
    assert isc is not None
    assert cautions == []
    assert isc.n_rows == len(PIECES) * N
    # two repeats averaged: signal 1, noise 1/2 each; the others' mean has noise 1/14
    expected = 1 / np.sqrt(1.5 * (1 + 0.5 / (n - 1)))
    assert isc.r[0] == pytest.approx(expected, abs=0.07)
    assert abs(isc.r[1]) < 0.15
    assert np.isnan(isc.r[2])
    columns = isc_columns(isc, toy)
    assert columns["n_units"] == np.bincount(parcels[parcels >= 0]).tolist()
    assert columns["structure"] == ["L", "L", "R"]
    assert columns["n"][0] == n


def test_shuffled_time_is_not_shared(correlate: Correlate, parcels: np.ndarray) -> None:
    tables = []
    for number in range(6):
        rows = courses(number)
        order = np.random.default_rng(number).permutation(len(rows))
        mixed = [
            {**row, "parcel001": rows[other]["parcel001"]}
            for row, other in zip(rows, order, strict=True)
        ]
        tables.append(mixed)
    isc, _ = correlate(tables, [parcels] * 6)
    assert isc is not None
    assert abs(isc.r[0]) < 0.15


def test_only_what_all_heard_counts(correlate: Correlate, parcels: np.ndarray) -> None:
    tables = [courses(0), courses(1, pieces=PIECES[:1]), courses(2, first=20)]
    isc, _ = correlate(tables, [parcels] * 3)
    assert isc is not None
    assert isc.n_rows == N - 20


def test_nothing_that_all_heard(correlate: Correlate, parcels: np.ndarray) -> None:
    tables = [courses(0), courses(1, pieces=PIECES[:1]), courses(2, pieces=PIECES[1:])]
    isc, (caution,) = correlate(tables, [parcels] * 3)
    assert isc is None
    assert "only 0 moments" in caution.text


def test_other_parcels_are_left_out_by_name(correlate: Correlate, parcels: np.ndarray) -> None:
    tables = [courses(k) for k in range(3)]
    other = np.where(parcels >= 0, (parcels + 1) % N_PARCELS, -1)
    slightly = parcels.copy()
    slightly[:20] = -1
    isc, (caution,) = correlate(tables, [parcels, other, slightly])
    assert isc is not None
    assert "sub-02 has other parcels (0%" in caution.text
    assert isc.n[0] == 2


def test_one_participant_shares_nothing(correlate: Correlate, parcels: np.ndarray) -> None:
    assert correlate([courses(0)], [parcels]) == (None, [])


def test_missing_parcel_of_one_participant(correlate: Correlate, parcels: np.ndarray) -> None:
    tables = [courses(k) for k in range(4)]
    for row in tables[3]:
        row["parcel001"] = np.nan
    isc, _ = correlate(tables, [parcels] * 4)
    assert isc is not None
    assert isc.n[:2].tolist() == [3, 4]
