"""What sections see of one network in one space is what was written of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bidsapp.errors import InputMissingError
from bidsapp.report.sections import pairs, space_pairs
from bidsapp.report.view import View
from bidsapp.results.read import Results
from tests.report.toy import (
    BEST,
    LAYERS,
    PARCELS,
    PARTICIPANTS,
    PASSED,
    SCORE,
    scores_of,
    surface,
    volume,
    write_toy,
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_toy(tmp_path_factory.mktemp("toy"), [volume(), surface()])


def test_maps_are_read_on_the_units_of_the_space(results: Results) -> None:
    on_surface, in_volume = (View(results, pair) for pair in pairs(results))
    whole = scores_of(volume())
    known = np.isfinite(whole).any(axis=0)  # voxels of a volume are those with a value
    for view, expected in ((on_surface, scores_of(surface())), (in_volume, whole[:, known])):
        scores = view.maps(SCORE)
        assert scores is not None
        np.testing.assert_allclose(scores, expected, rtol=1e-6)
        n_units = view.units.n_units
        best, mask = view.single(BEST), view.mask(PASSED)
        assert best is not None
        assert mask is not None
        assert best.shape == mask.shape == (n_units,)
        np.testing.assert_array_equal(mask, expected[0] > 0.05)
    assert (on_surface.word, in_volume.words) == ("vertex", "voxels")
    assert on_surface.suffix != in_volume.suffix


def test_facts_are_those_of_the_summary(results: Results) -> None:
    view = View(results, pairs(results)[0])
    assert view.layers == LAYERS
    assert view.is_random
    assert not view.is_group
    assert view.settings["n_shifts"] == 99
    assert view.summary["subject"] == "01"
    assert view.count(np.array([True, False])) == "1 vertex"


def test_tables_of_the_network_and_of_the_space(results: Results, tmp_path: Path) -> None:
    view = View(results, pairs(results)[0])
    assert view.table(PARCELS)["parcel"].tolist() == ["NA", "A1", "V1"]
    group = write_toy(tmp_path, [volume()], subject="")
    (pair,) = pairs(group)
    assert View(group, pair).table(PARTICIPANTS)["participant"].tolist() == ["01", "02", "03"]


def test_what_was_not_written_is_none_or_empty(tmp_path: Path) -> None:
    results = write_toy(tmp_path, [volume()], tested=False)
    view = View(results, pairs(results)[0])
    assert view.mask(PASSED) is None
    assert view.table(PARTICIPANTS).empty


def test_the_declaration_is_that_of_the_level(results: Results, tmp_path: Path) -> None:
    own = View(results, pairs(results)[0])
    group = write_toy(tmp_path, [volume()], subject="")
    of_group = View(group, pairs(group)[0])
    assert own.by_level(SCORE, BEST) is SCORE
    assert of_group.by_level(SCORE, BEST) is BEST


def test_a_table_is_shown_with_its_declared_columns_and_sentence(results: Results) -> None:
    view = View(results, pairs(results)[0])
    shown = view.tabled(PARCELS)
    assert shown.caption == PARCELS.says
    assert [column.name for column in shown.columns] == PARCELS.header
    assert len(shown.rows) == 3
    some = view.tabled(PARCELS, "Two.", view.table(PARCELS).iloc[:2])
    assert (some.caption, len(some.rows)) == ("Two.", 2)


def test_maps_that_are_always_written_are_missed(results: Results, tmp_path: Path) -> None:
    view = View(results, pairs(results)[0])
    np.testing.assert_array_equal(view.values(SCORE), view.maps(SCORE))
    lost = write_toy(tmp_path, [volume()], tested=False)
    with pytest.raises(InputMissingError, match="toypassed"):
        View(lost, pairs(lost)[0]).values(PASSED)


def test_spaces_are_numbered_where_there_are_several(results: Results, tmp_path: Path) -> None:
    first, second = space_pairs(results)
    assert (first.network, first.suffix, second.suffix) == ("", "-1", "-2")
    (alone,) = space_pairs(write_toy(tmp_path, [volume()]))
    assert alone.suffix == ""


def test_a_result_is_somewhere_or_nowhere(results: Results, tmp_path: Path) -> None:
    assert results.anywhere(PASSED)
    assert not write_toy(tmp_path, [volume()], tested=False).anywhere(PASSED)
