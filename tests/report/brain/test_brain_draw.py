"""One list of maps becomes figures, slices and the viewer, with the same scales."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bidsapp.brain.geometry import volume_units
from bidsapp.report.brain.draw import NOT_DRAWN, BrainMap, cortex_row, draw
from bidsapp.report.brain.viewer import MapGroup, layer_maps, viewer
from bidsapp.report.html import Embedded, Part, Picture, Prose, Section
from bidsapp.results.kinds import CORRELATION, LAYER, P_VALUE, Scale
from tests.report.toy import BEST, LAYERS, SCORE, P, scores_of, surface, volume


def brain_maps(units: Any) -> list[BrainMap]:
    scores = scores_of(units)
    best = np.where(np.isfinite(scores[0]), 1 + np.arange(units.n_units) % 3, 0)
    return [
        BrainMap.of(SCORE, scores[0], LAYERS, title="Largest r"),
        BrainMap.of(BEST, best, LAYERS),
        BrainMap.of(P, np.full(units.n_units, 0.01), title="p", in_slices=False),
    ]


def pictures(parts: list[Part]) -> list[Picture]:
    return [part for part in parts if isinstance(part, Picture)]


class TestDeclaredMaps:
    """A map takes title and scale from its declaration."""

    def test_labels_are_ordinal_and_zero_is_none(self) -> None:
        made = BrainMap.of(BEST, np.array([0, 1, 3]), LAYERS)
        assert made.ordinal
        assert made.title == "Best layer"
        np.testing.assert_array_equal(made.values, [np.nan, 1, 3])

    def test_zero_is_a_score(self) -> None:
        made = BrainMap.of(SCORE, np.array([0.0, np.nan]))
        assert not made.ordinal
        assert made.is_defined
        assert made.values[0] == 0

    def test_p_values_are_drawn_as_minus_log10(self) -> None:
        made = BrainMap.of(P, np.array([0.01, np.nan]))
        np.testing.assert_allclose(made.drawn, [2, np.nan])
        assert made.described() == "family-wise p, 2.000 to 2.000"

    def test_only_scores_fade(self) -> None:
        assert BrainMap("a", np.ones(2), CORRELATION).graded
        assert not BrainMap("a", np.ones(2), LAYER).graded


class TestFigures:
    """Figures of the cortex and slices."""

    def test_a_surface_has_a_cortex_and_no_slices(self) -> None:
        parts = draw(brain_maps(surface()), surface(), None, "How to read it.")
        (figure,) = pictures(parts)
        assert len(parts) == 1
        assert figure.caption == "How to read it. Inflated surface of fsaverage5."
        for words in ("largest r, ", "best layer, 1.000 to 3.000", "p, 2.000"):
            assert words in figure.alt

    def test_a_volume_has_slices_of_the_maps_that_are_worth_them(self) -> None:
        found = pictures(draw(brain_maps(volume()), volume()))
        assert len(found) == 3  # cortex, two maps
        assert [each.alt.partition(":")[0] for each in found[1:]] == ["Axial slices"] * 2

    def test_slices_alone(self) -> None:
        found = pictures(draw(brain_maps(volume()), volume(), projected=False))
        assert len(found) == 2

    def test_maps_without_a_value_are_left_out(self) -> None:
        empty = BrainMap("Nothing", np.full(surface().n_units, np.nan))
        assert draw([empty], surface()) == []
        (figure,) = pictures(draw([empty, brain_maps(surface())[0]], surface()))
        assert "nothing" not in figure.alt

    def test_native_volumes_have_slices_only(self) -> None:
        units = volume_units(np.ones((6, 6, 6), dtype=bool), np.diag([4.0, 4, 4, 1]), space="T1w")
        found = draw([BrainMap("r", np.linspace(0, 1, 216))], units)
        assert [type(part) for part in found] == [Picture]

    def test_what_cannot_be_drawn_is_said(self) -> None:
        from bidsapp.brain.geometry import surface_units

        units = surface_units(642, 642, space="fsnative")
        (part,) = draw([BrainMap("r", np.ones(1284))], units)
        assert isinstance(part, Prose)
        assert part.text == NOT_DRAWN

    def test_the_mask_of_the_figure_or_of_the_map_is_outlined(self) -> None:
        units = surface()
        mask, other = np.zeros((2, units.n_units), dtype=bool)
        mask[:50], other[-7:] = True, True
        score = brain_maps(units)[0]
        row = cortex_row(score, units, mask)
        assert row is not None
        assert row.emphasis is not None
        assert row.emphasis["L"].sum() == 50
        row = cortex_row(replace(score, mask=other), units, mask)
        assert row is not None
        assert row.emphasis is not None
        assert (row.emphasis["L"].sum(), row.emphasis["R"].sum()) == (0, 7)
        row = cortex_row(replace(score, outlined=False), units, mask)
        assert row is not None
        assert row.emphasis is None

    def test_a_map_may_lie_on_other_units_than_its_figure(self) -> None:
        inflated = replace(brain_maps(surface())[0], units=surface())
        row = cortex_row(inflated, volume(), np.ones(volume().n_units, dtype=bool))
        assert row is not None
        assert row.emphasis is None  # the mask lies on the voxels
        np.testing.assert_array_equal(row.values["L"], inflated.values[:10242])

    def test_ticks_and_ends_can_be_given(self) -> None:
        made = BrainMap("n", np.arange(3.0), ends=(0, 12), ticks={0.0: "none", 12.0: "all"})
        assert made.look().ticks == {0.0: "none", 12.0: "all"}
        assert made.look().high == 12


def listed(section: Section) -> list[dict[str, Any]]:
    (embedded,) = (part for part in section.parts if isinstance(part, Embedded))
    match = re.search(r'type="application/json"[^>]*>(.*?)</script>', str(embedded.markup), re.S)
    assert match
    entries: list[dict[str, Any]] = json.loads(match[1])["maps"]
    return entries


class TestViewer:
    """The interactive cortex."""

    def group(self, title: str, *, layers: bool = True) -> MapGroup:
        units = surface()
        single = layer_maps(scores_of(units), LAYERS, CORRELATION) if layers else []
        return MapGroup(title, units, brain_maps(units), single)

    def test_it_lists_the_maps_of_a_group_then_its_single_layers(self) -> None:
        entries = listed(viewer([self.group("VGGish")]))
        assert [entry["title"] for entry in entries] == [
            "Largest r", "Best layer", "p", "1 conv1", "2 pool1", "3 fc1",
        ]  # fmt: skip
        assert [entry["place"] for entry in entries] == [0, 0, 0, 1, 2, 3]
        assert {entry["series"] for entry in entries} == {"VGGish"}
        assert {entry["group"] for entry in entries} == {"VGGish", "VGGish, single layers"}
        assert entries[1]["names"] == list(LAYERS)

    def test_single_layers_share_one_scale(self) -> None:
        ends = {(entry["low"], entry["high"]) for entry in listed(viewer([self.group("a")]))[3:]}
        assert len(ends) == 1

    def test_scales_are_those_of_the_figures(self) -> None:
        (entry, *_) = listed(viewer([self.group("a")]))
        made = brain_maps(surface())[0].look()
        assert (entry["low"], entry["high"], entry["label"]) == (made.low, made.high, made.label)

    def test_a_group_without_layers_is_no_series(self) -> None:
        assert all("series" not in entry for entry in
                   listed(viewer([self.group("a", layers=False)])))  # fmt: skip

    def test_the_file_stays_small_and_says_what_it_lacks(self) -> None:
        section = viewer([self.group(name) for name in "abcd"], [self.group("ref", layers=False)])
        entries = listed(section)
        assert {entry["group"][0] for entry in entries} == {"a", "b", "c", "r"}
        assert [entry["group"] for entry in entries if entry.get("place")] == [
            "a, single layers"
        ] * 3
        (sentence,) = (part for part in section.parts if isinstance(part, Prose))
        assert sentence.text.endswith(": d.")

    def test_headings_and_notes_of_maps(self) -> None:
        made = replace(brain_maps(surface())[0], heading="negative lags", note="A control.")
        (entry,) = listed(viewer([MapGroup("VGGish", surface(), [made])]))
        assert entry["group"] == "VGGish, negative lags"
        assert entry["note"] == "A control."

    def test_three_columns_are_colours(self) -> None:
        made = BrainMap("Components", np.full((surface().n_units, 3), 0.5))
        (entry,) = listed(viewer([MapGroup("a", surface(), [made])]))
        assert entry["kind"] == "rgb"

    def test_spaces_that_cannot_be_drawn_are_said(self) -> None:
        units = volume_units(np.ones((3, 3, 3), dtype=bool), np.eye(4), space="T1w")
        section = viewer([MapGroup("a", units, [BrainMap("r", np.ones(27))])])
        (part,) = section.parts
        assert isinstance(part, Prose)


@pytest.mark.parametrize("scale", [CORRELATION, P_VALUE, Scale("t", least=1.0)])
def test_limits_of_single_layers_hold_their_maximum(scale: Scale) -> None:
    maps = layer_maps(np.array([[0.1, 0.2], [0.3, np.nan]]), ("a", "b"), scale)
    assert len({each.ends for each in maps}) == 1
