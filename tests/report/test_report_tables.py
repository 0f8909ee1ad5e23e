"""Tables of pages follow from frames and declared columns."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.report.tables import by_layer, choose, interval, numbered, rows_of, show, table
from bidsapp.results.kinds import Column
from tests.report.toy import LAYERS, PARCELS, ROWS


def texts(made: object) -> list[list[str]]:
    return [[cell.text for cell in row] for row in made.rows]  # type: ignore[attr-defined]


def test_titles_units_digits_and_kinds_are_those_declared() -> None:
    made = table(ROWS, PARCELS.columns, "Parcels")
    assert [(column.head, column.holds) for column in made.columns] == [
        ("parcel", "word"),
        ("layer index", "numeric"),
        ("best layer", "word"),
        ("r", "numeric"),
        ("p family-wise", "numeric"),
        ("radius (mm)", "numeric"),
        ("note", "prose"),
    ]
    assert texts(made) == [
        ["NA", "3", "fc1", "0.125", "0.0025", "6.2", "a < b"],
        ["A1", "1", "conv1", "\u22120.050", "0.250", "7.0", ""],
        ["V1", "\u2013", "\u2013", "\u2013", "\u2013", "\u2013", "\u2013"],
    ]
    assert made.caption == "Parcels"


def test_a_missing_number_sorts_last_and_is_never_zero() -> None:
    made = table(ROWS, choose(PARCELS.columns, "r"))
    keys = [row[0].key for row in made.rows]
    assert keys == [0.125, -0.05, math.inf]


def test_columns_without_a_value_or_without_data_are_left_out() -> None:
    frame = ROWS.assign(radius_mm=np.nan).drop(columns="note")
    heads = [column.head for column in table(frame, PARCELS.columns).columns]
    assert "radius (mm)" not in heads
    assert "note" not in heads
    kept = [column.head for column in table(frame, PARCELS.columns, keep_empty=True).columns]
    assert "radius (mm)" in kept


def test_an_empty_frame_makes_a_table_without_rows() -> None:
    made = table(ROWS.iloc[:0], PARCELS.columns, keep_empty=True)
    assert len(made.columns) == len(PARCELS.columns)
    assert made.rows == []


def test_chosen_columns_keep_the_asked_order_and_must_exist() -> None:
    assert [column.name for column in choose(PARCELS.columns, "r", "parcel")] == ["r", "parcel"]
    with pytest.raises(KeyError, match="rho"):
        choose(PARCELS.columns, "rho")


def test_cells_made_by_hand_replace_those_of_the_column() -> None:
    made = table(
        ROWS, choose(PARCELS.columns, "layer"), cells={"layer": numbered("layer_index", "layer")}
    )
    assert texts(made) == [["3 fc1"], ["1 conv1"], ["\u2013"]]
    assert [row[0].key for row in made.rows] == [3.0, 1.0, math.inf]


def test_intervals_stand_beside_their_value() -> None:
    make = interval("mean", "low", "high", 2)
    assert make({"mean": 0.3, "low": 0.2, "high": 0.4}).text == "0.30 (0.20 \u2013 0.40)"
    assert make({"mean": 0.3, "low": np.nan, "high": np.nan}).text == "0.30"
    assert make({"mean": 0.3, "low": 0.2, "high": 0.4}).key == 0.3


def test_truth_is_yes_and_no() -> None:
    column = Column("included")
    assert [show(value, column).text for value in (True, np.False_)] == ["yes", "no"]


@pytest.mark.parametrize(
    ("p", "text"), [(0.0004, "0.0004"), (0.049, "0.049"), (0.0499, "0.0499"), (1.0, "1.000")]
)
def test_p_values_have_more_digits_where_they_are_small(p: float, text: str) -> None:
    assert show(p, Column("p_fwe", by="sign_flip")).text == text


def test_only_tested_columns_are_p_values() -> None:
    assert show(0.0004, Column("p95_rho", digits=2)).text == "0.0004"


def test_rows_of_a_missing_column_are_none() -> None:
    assert len(rows_of(ROWS, parcel="A1")) == 1
    assert rows_of(ROWS, lags="positive").empty
    assert rows_of(ROWS, parcel="A1", layer="fc1").empty


@given(st.permutations(range(3)), st.sets(st.integers(0, 2)))
def test_values_follow_the_layers_whatever_the_order_of_rows(
    order: list[int], kept: set[int]
) -> None:
    frame = pd.DataFrame({"layer": LAYERS, "r": [0.0, 0.1, 0.2]}).iloc[order]
    frame = frame[frame["layer"].isin([LAYERS[place] for place in kept])]
    values = by_layer(frame, "r", LAYERS)
    if not kept:
        assert values is None
    else:
        assert values is not None
        expected = [place / 10 if place in kept else np.nan for place in range(3)]
        np.testing.assert_allclose(values, expected)


def test_the_floor_of_a_p_value_can_differ_between_rows() -> None:
    frame = pd.DataFrame({"p": [0.025, 0.025, 0.01, np.nan], "least": [0.025, 0.01, 0.01, 0.01]})
    made = table(frame, (Column("p", by="label_shift"),), floor="least")
    texts = [row[0].text for row in made.rows]
    assert texts == ["\u2264\u20090.025", "0.025", "\u2264\u20090.010", "\u2013"]


def test_a_p_value_at_its_floor_says_so() -> None:
    columns = (Column("p", by="sign_flip"), Column("q", by="sign_flip_fdr"), Column("r"))
    frame = pd.DataFrame({"p": [0.025, 0.05], "q": [0.025, 0.05], "r": [0.025, 0.01]})
    made = table(frame, columns, floor=1 / 40)
    assert texts(made) == [["\u2264\u20090.025", "0.025", "0.025"], ["0.050", "0.050", "0.010"]]
    assert [row[0].key for row in made.rows] == [0.025, 0.05]
    assert texts(table(frame, columns))[0][0] == "0.025"
