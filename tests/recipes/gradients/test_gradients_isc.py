"""Inter-subject correlation on the clock of the sounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidsapp.brain.geometry import UnitSpace
from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.base.isc import ParcelCourses, ParcelIsc, isc_columns, parcel_isc
from bidsapp.recipes.gradients import results as declared
from bidsapp.results.cautions import Caution

Find = Callable[..., list[GroupInputs]]
N_PARCELS, N = 3, 150
PIECES = ("lament.flac", "storm.flac")
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


def correlate(inputs: GroupInputs, units: UnitSpace) -> tuple[ParcelIsc | None, list[Caution]]:
    where = ParcelCourses(inputs.at, declared.PARCEL_LABELS, declared.COURSES)
    return parcel_isc(inputs.participants, where, units)


@pytest.fixture
def parcels(toy: UnitSpace) -> np.ndarray:
    labels = np.arange(toy.n_units) * N_PARCELS // toy.n_units
    labels[5] = -1
    return labels


def test_shared_responses_are_found(
    toy_group: Callable[..., Path], find: Find, toy: UnitSpace, parcels: np.ndarray
) -> None:
    n = 8
    shifts = [0.0, 0.4, -0.2, 0.1, 0.0, -0.1, 0.3, -0.4]
    output = toy_group(
        n, courses=[courses(k, shift=shift) for k, shift in enumerate(shifts)], parcels=parcels
    )
    (inputs,) = find(output)
    found, notes = correlate(inputs, toy)
    assert found is not None
    assert notes == []
    assert found.n_rows == len(PIECES) * N
    # two repeats averaged: signal 1, noise 1/2 each; the others' mean has noise 1/14
    expected = 1 / np.sqrt(1.5 * (1 + 0.5 / (n - 1)))
    assert found.r[0] == pytest.approx(expected, abs=0.07)
    assert abs(found.r[1]) < 0.15
    assert np.isnan(found.r[2])
    columns = isc_columns(found, toy)
    assert list(columns["n_units"]) == np.bincount(parcels[parcels >= 0]).tolist()
    assert list(columns["structure"]) == ["L", "L", "R"]
    assert columns["n"][0] == n


def test_shuffled_time_is_not_shared(
    toy_group: Callable[..., Path], find: Find, toy: UnitSpace, parcels: np.ndarray
) -> None:
    tables = []
    for number in range(6):
        rows = courses(number)
        order = np.random.default_rng(number).permutation(len(rows))
        mixed = [
            {**row, "parcel001": rows[other]["parcel001"]}
            for row, other in zip(rows, order, strict=True)
        ]
        tables.append(mixed)
    (inputs,) = find(toy_group(6, courses=tables, parcels=parcels))
    found, _ = correlate(inputs, toy)
    assert found is not None
    assert abs(found.r[0]) < 0.15


def test_only_what_all_heard_counts(
    toy_group: Callable[..., Path], find: Find, toy: UnitSpace, parcels: np.ndarray
) -> None:
    tables = [courses(0), courses(1, pieces=PIECES[:1]), courses(2, first=20)]
    (inputs,) = find(toy_group(3, courses=tables, parcels=parcels))
    found, _ = correlate(inputs, toy)
    assert found is not None
    assert found.n_rows == N - 20
    tables[2] = courses(2, pieces=PIECES[1:])
    (inputs,) = find(toy_group(3, courses=tables, parcels=parcels))
    found, notes = correlate(inputs, toy)
    assert found is None
    assert "only 0 moments" in notes[0].text


def test_other_parcels_are_left_out_by_name(
    toy_group: Callable[..., Path], find: Find, toy: UnitSpace, parcels: np.ndarray
) -> None:
    tables = [courses(k) for k in range(3)]
    other = np.where(parcels >= 0, (parcels + 1) % N_PARCELS, -1)
    slightly = parcels.copy()
    slightly[:20] = -1
    output = toy_group(3, courses=tables, parcels=[parcels, other, slightly])
    found, notes = correlate(find(output)[0], toy)
    assert found is not None
    assert len(notes) == 1
    assert "sub-02 has other parcels (0%" in notes[0].text
    assert found.n[0] == 2


def test_missing_parcel_of_one_participant(
    toy_group: Callable[..., Path], find: Find, toy: UnitSpace, parcels: np.ndarray
) -> None:
    tables = [courses(k) for k in range(4)]
    for row in tables[3]:
        row["parcel001"] = np.nan
    (inputs,) = find(toy_group(4, courses=tables, parcels=parcels))
    found, _ = correlate(inputs, toy)
    assert found is not None
    assert found.n[:2].tolist() == [3, 4]
