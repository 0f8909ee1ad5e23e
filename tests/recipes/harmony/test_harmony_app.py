"""Both levels of `harmony` on a small study: what is written agrees with itself and is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bidsapp.models.harmonic.names import PITCH_CLASSES, QUADRANTS
from bidsapp.recipes import RECIPES, truth_checks
from bidsapp.recipes.harmony import results as declared
from bidsapp.results.read import Results
from bidsapp.simulate.truth import check_truth, findings
from tests.report.browser import CHROMIUM, check_page

CATALOGUE = RECIPES["harmony"].results


@pytest.fixture(scope="module")
def own(study) -> Results:
    return Results(study.out, "harmony", CATALOGUE, "01")


@pytest.fixture(scope="module")
def group(study) -> Results:
    return Results(study.out, "harmony", CATALOGUE)


def test_every_network_has_maps_and_tables(own: Results) -> None:
    (space,) = own.spaces
    assert set(own.networks(space)) == {"harmonic", "consonance", "baseline"}
    for network in own.networks(space):
        maps = own.maps(declared.SCORE, space, network)
        assert len(maps.values) == len(own.layers(network, space))
        assert np.nanmax(np.abs(maps.values)) <= 1
        parcels = own.table(declared.PARCELS, space, network)
        assert len(parcels) == len(maps.values) * own.facts(space)["n_parcels"]
        assert parcels["p"].dropna().between(0.1, 1).all()
        assert len(own.table(declared.PROFILE, space, network)) == len(maps.values)


def test_unique_contributions_are_differences_and_fill_their_parcels(own: Results) -> None:
    (space,) = own.spaces
    table = own.table(declared.UNIQUE_PARCELS, space)
    np.testing.assert_allclose(
        table["unique_harmony"], table["r_joint"] - table["r_acoustics"], atol=1e-5
    )
    np.testing.assert_allclose(
        table["unique_acoustics"], table["r_joint"] - table["r_harmony"], atol=1e-5
    )
    parcels = own.values(declared.PARCEL_LABELS, space)[0]
    harmony = own.values(declared.UNIQUE, space)[0]
    for row in table.itertuples():
        values = harmony[parcels == row.parcel]
        np.testing.assert_allclose(values, row.unique_harmony, atol=1e-5)


def test_courses_and_maps_of_all_sounds_are_written(own: Results) -> None:
    courses, maps = own.table(declared.COURSES), own.table(declared.GRADCAM)
    assert courses["piece"].nunique() == own.facts()["n_sounds"] == 3
    np.testing.assert_allclose(courses[list(QUADRANTS)].sum(axis=1), 1.0, atol=1e-4)
    assert courses[["piece", "time_s"]].equals(maps[["piece", "time_s"]])
    assert (maps[list(PITCH_CLASSES)].to_numpy() >= 0).all()
    similarity = own.table(declared.SIMILARITY)
    assert (similarity["piece"] != similarity["candidate"]).all()
    assert similarity["similarity"].between(0, 1).all()


def test_the_group_averages_its_participants(group: Results, study) -> None:
    (space,) = group.spaces
    units = group.units(space)
    participants = [Results(study.out, "harmony", CATALOGUE, label) for label in ("01", "02")]
    for network in group.networks(space):
        each = [item.values(declared.SCORE, space, network, units=units) for item in participants]
        mean = np.tanh(np.mean([np.arctanh(values) for values in each], axis=0))
        known = np.isfinite(mean)
        averaged = group.values(declared.MEAN, space, network)
        np.testing.assert_allclose(averaged[known], mean[known], atol=1e-5)
        p = group.values(declared.P_FWE, space, network)
        assert np.nanmin(p) >= 0.25
    unique = group.table(declared.PARTICIPANTS, space)
    assert unique["participant"].tolist() == ["01", "02"]
    assert np.isfinite(unique["unique_harmony"]).all()


def test_ratings_are_tested_over_raters_against_displaced_music(group: Results, study) -> None:
    participants = [Results(study.out, "harmony", CATALOGUE, label) for label in ("01", "02")]
    for network in group.networks():
        rows = group.table(declared.GROUP_RATINGS, network=network)
        assert len(rows)
        assert rows["p"].between(0.1, 1).all()
        assert (rows["p_fwe"] >= rows["p"]).all()
        tables = [item.table(declared.RATINGS, network=network) for item in participants]
        keys = ["rating", "layer_index"]
        means = [table[table["piece"] == "mean"].set_index(keys)["r"] for table in tables]
        of_group = rows.set_index(keys)["mean_r"]
        expected = np.tanh(np.mean([np.arctanh(r.loc[of_group.index]) for r in means], axis=0))
        np.testing.assert_allclose(of_group, expected, atol=1e-5)
        null = participants[0].table(declared.RATINGS_NULL, network=network)
        assert len(null) == 9 * len(means[0])


def test_pages_say_what_was_done_and_what_to_doubt(own: Results, study) -> None:
    pages = {
        name: (study.out / f"{name}_harmony.html").read_text(encoding="utf-8")
        for name in ("sub-01", "group")
    }
    for text in pages.values():
        assert "Unique contributions" in text
        assert "A theory-based explainable deep learning architecture" in text
        assert "banded ridge" in text
        assert "harmonic network has random weights" in text
    assert "Moments and candidates" in pages["sub-01"]
    assert pages["sub-01"].count("<audio") == pages["sub-01"].count('class="picture timed"') == 3
    assert "<audio" not in pages["group"]
    untested = "without it. Not tested: sign flips of so few participants"
    assert untested in pages["group"]
    assert ">Significant voxels<" in pages["sub-01"]
    assert "Significant voxels" not in pages["group"]
    assert "need at least" not in pages["group"]
    assert "its quadrants mean nothing" in pages["sub-01"]
    assert "9 circular shifts" in pages["sub-01"]
    assert "Only 3 pieces" in {item.title for item in own.cautions()}


def test_a_network_alone_has_no_unique_contributions() -> None:
    faithful = RECIPES["harmony"].variants["faithful"]
    assert faithful.networks == ("harmonic",)


def test_the_planted_truth_is_compared(study) -> None:
    found = check_truth(study.data, study.out, truth_checks())
    lines = [line for line in findings(found, truth_checks()) if "harmonic" in line]
    assert any("where a response is planted" in line for line in lines)
    for entry in found["harmony"]["participants"]:
        assert abs(entry["null_r"]) < 0.3


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("name", ["sub-01_harmony.html", "group_harmony.html"])
def test_pages_are_whole_in_a_browser(study, name: str, tmp_path: Path) -> None:
    check_page(study.out / name, tmp_path)
