"""The pages of `rsa`: whole, readable offline, and true to what was written."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bidsapp.brain.geometry import UnitSpace, surface_units, volume_units
from bidsapp.errors import InputMissingError
from bidsapp.recipes import RECIPES
from bidsapp.recipes.rsa import results as declared
from bidsapp.recipes.rsa.figures.items import ranks, relative
from bidsapp.recipes.rsa.report import items, layers, people, report
from bidsapp.recipes.rsa.report.items import rank_correlations
from bidsapp.recipes.rsa.report.view import RsaView
from bidsapp.recipes.rsa.settings import GROUP_VARIANTS
from bidsapp.report.html import Page, Section, render, write_page
from bidsapp.report.sections import pairs
from bidsapp.results.cautions import Caution
from bidsapp.results.read import Results
from tests.report.browser import CHROMIUM, check_page

RECIPE = RECIPES["rsa"]
made = functools.cache(report)
_SCRIPTS = re.compile(r"<script.*?</script>|base64,[^\"]+", re.DOTALL)
COMMON = ("maps", "peaks", "profile", "distributions", "assignments", "beyond", "null")
OWN = (*COMMON[:-2], "delay", *COMMON[-2:])


def read(root: Path, subject: str = "") -> Results:
    return Results(root, "rsa", RECIPE.results, subject)


def views(results: Results) -> list[RsaView]:
    return [RsaView(results, pair) for pair in pairs(results)]


def anchors(page: Page) -> list[str]:
    def walk(sections: Iterator[Section]) -> Iterator[str]:
        for section in sections:
            yield section.anchor
            yield from walk(iter(section.children))

    return list(walk(iter(page.sections)))


def planted_scores(units: UnitSpace) -> np.ndarray:
    """Scores that are higher in a strip, where layers deepen along x."""
    x, y, _ = units.coordinates_mm().T
    layer = np.floor(3 * np.argsort(np.argsort(x)) / len(x)).astype(int)
    scores = np.random.default_rng(0).normal(0.01, 0.02, (3, units.n_units))
    inside = np.abs(y - np.median(y)) < 0.25 * np.ptp(y)
    scores[:, inside] += 0.3 - 0.03 * np.abs(np.arange(3)[:, None] - layer[inside])
    return scores


@pytest.fixture(scope="session")
def make_person(people, person, models) -> Callable:
    """Return a function that makes a participant with planted scores in a space."""

    def make(units: UnitSpace, **changes):
        patterns = np.random.default_rng(1).standard_normal((24, units.n_units))
        size = np.full(units.n_units, 20.0)
        size[:40] = np.nan
        given = {"networks": ("resnet1d",), "score": planted_scores(units)}
        given |= {"untrained": 0.5 * given["score"], "nuisance": models[:2].round(6)}
        return person(units, patterns, models.round(6), size, **{**given, **changes})

    return make


@pytest.fixture(scope="session")
def on_surface(make_person, write, tmp_path_factory) -> Results:
    """A participant on fsaverage5 whose layers differ significantly from permuted clips."""
    folder = tmp_path_factory.mktemp("surface")
    person = make_person(surface_units(10242, 10242, space="fsaverage5", density="10k"))
    write(folder, [person])
    return read(folder, "01")


@pytest.fixture(scope="session")
def in_volume(make_person, write, units, tmp_path_factory) -> Callable[..., Results]:
    """Return a function that writes a participant in MNI space, with changes."""

    def make(**changes) -> Results:
        folder = tmp_path_factory.mktemp("volume")
        write(folder, [make_person(changes.pop("units", units), **changes)])
        return read(folder, "01")

    return make


@pytest.fixture(scope="session")
def of_group(people, write, grouped, tmp_path_factory) -> Results:
    """A group in MNI space with untrained networks, by the robust variant."""
    folder = tmp_path_factory.mktemp("group")
    persons = people(4)
    for person in persons:
        person.untrained = np.full((3, person.units.n_units), 0.005)
    write(folder, persons)
    grouped(folder)
    return read(folder)


@pytest.fixture(scope="session")
def of_faithful_group(people, write, grouped, tmp_path_factory) -> Results:
    """A group that heard the clips in one order, by the paper's test."""
    folder = tmp_path_factory.mktemp("faithful")
    persons = people(4)
    for person in persons:
        person.order = persons[0].order
        person.variant = "faithful"
        person.settings = {"drop_s": 12.0}
        person.weights = {"source": "random", "seed": 3}
    write(folder, persons)
    settings = dataclasses.replace(GROUP_VARIANTS["faithful"], n_permutations=50, axis_bins=4)
    return grouped(folder, settings, "faithful")


# ------------------------------------------------------------------ pages


def test_a_participants_page_has_its_sections_in_order(on_surface: Results) -> None:
    page, _ = made(on_surface)
    assert page.title == "Similarity of music in searchlights and layers · sub-01"
    (pair,) = pairs(on_surface)
    assert anchors(page) == [
        *("glance", "cautions", "items", "dissimilarities", "matrices", "lag", "searchlights"),
        *("cortex-section", f"results-{pair.space.anchor}-resnet1d", *OWN),
        *("claims", "methods", "references", "bibtex", "about"),
    ]


def test_a_groups_page_has_its_sections_in_order(of_group: Results) -> None:
    page, _ = made(of_group)
    assert page.title == "Similarity of music in searchlights and layers · group, N = 4"
    assert anchors(page) == [
        *("glance", "cautions", "participants", "items", "cortex-section"),
        *("results-MNI152NLin2009cAsym-2-toy", *COMMON, "gyrus", "hemispheres", "confidence"),
        *("ceiling", "claims", "methods", "references", "bibtex", "about"),
    ]


def test_pages_are_offline_and_every_picture_is_described(
    on_surface: Results, of_group: Results, of_faithful_group: Results
) -> None:
    for results in (on_surface, of_group, of_faithful_group):
        page, methods = made(results)
        html = render(page)
        assert not re.search(r'src="(https?:)?//', html)
        # links are addresses of cited works, and follow no text but theirs
        links = re.findall(r'href="((?:https?:)?//[^"]*)">([^<]*)<', html)
        assert len(links) == len(re.findall(r'href="(?:https?:)?//', html)) > 0
        for address, text in links:
            assert address in (f"https://doi.org/{text[4:]}", f"https://arxiv.org/abs/{text[6:]}")
        described = re.findall(r'<img[^>]* alt="([^"]*)"', html)
        assert len(described) >= 8
        assert min(map(len, described)) > 10
        assert not re.search(r"\bnan\b", _SCRIPTS.sub("", html))
        assert "{" not in methods.text


def test_two_networks_have_sections_of_their_own(in_volume) -> None:
    page, _ = made(in_volume(networks=("resnet1d", "musicnn")))
    names = anchors(page)
    assert len(set(names)) == len(names)
    assert {"maps-1", "maps-2", "matrices-1", "matrices-2"} <= set(names)


def test_cautions_of_the_summary_are_shown_the_serious_first(in_volume) -> None:
    told = (Caution("note", "Small", "Some are small."), Caution("serious", "Grave", "Stop."))
    page, _ = made(in_volume(cautions=told))
    section = next(item for item in page.sections if item.anchor == "cautions")
    assert [note.title for note in section.parts[1].items] == ["Grave", "Small"]
    assert any("Grave" in note.text for note in page.banners)


def test_missing_results_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="no finished results of rsa"):
        read(tmp_path)


# ------------------------------------------------------------------ what was not done


def test_nothing_that_was_not_done_is_shown(in_volume) -> None:
    results = in_volume(untrained=None, n_permutations=0)
    (view,) = views(results)
    assert view.null.size == 0
    assert view.gain is None
    assert view.p_fwe is None
    assert results.maps(declared.SIGNIFICANT, view.pair.space, view.pair.network) is None
    page, methods = made(results)
    assert "claims" not in anchors(page)
    assert "Inference." not in methods.text
    assert "As a control" not in methods.text
    assert "A second test" not in methods.text
    text = render(page)
    assert "It was not tested whether clips that layers" in text
    assert "Nothing was tested: best and centroid layers are undefined; opacity scales" in text
    assert "is not shown" not in text
    assert "is significant" not in text
    assert "(family-wise p" not in text
    labels = [number.label for number in page.sections[0].parts[0].items]
    assert "Most frequent best layer" not in labels
    assert not [label for label in labels if label.startswith("Significant")]


def test_maps_of_no_templates_space_are_said_not_to_be_drawn(in_volume) -> None:
    units = volume_units(np.ones((6, 6, 6), dtype=bool), np.eye(4) * [8, 8, 8, 1], space="T1w")
    page, _ = made(in_volume(units=units))
    assert "peaks" in anchors(page)
    (view,) = views(in_volume(units=units))
    table = layers.peaks(view).parts[0]
    assert {row[3].text for row in table.rows} == {"\u2013"}


def test_one_order_of_the_clips_gives_no_p_over_participants(of_faithful_group: Results) -> None:
    (view,) = views(of_faithful_group)
    assert "not tested" in str(people.hemispheres(view).parts[0])
    table = people.hemispheres(view).parts[1]
    assert "p" not in [column.head for column in table.columns]
    assert "One order of the clips" in {item.title for item in of_faithful_group.cautions()}


# ------------------------------------------------------------------ numbers


def test_the_papers_test_is_shown_beside_the_permutation(of_faithful_group: Results) -> None:
    (view,) = views(of_faithful_group)
    assert view.by_maximum
    observed, expected = view.maxima
    text = str(layers.null(view).parts[0].caption)
    assert f"{observed:.4f}" in text
    assert f"{expected:.4f}" in text
    page, methods = made(of_faithful_group)
    labels = [number.label for number in page.sections[0].parts[0].items]
    assert labels.count("Significant voxels") == 2
    assert "the expected t is" in " ".join(item.text for item in of_faithful_group.cautions())
    assert "As in the paper" in methods.text


def test_random_weights_change_names(of_faithful_group: Results, on_surface: Results) -> None:
    (view,) = views(of_faithful_group)
    assert view.gain_title == "This seed \u2212 other seeds"
    page, methods = made(of_faithful_group)
    assert "random weights (seed 3)" in dict(page.meta).values()
    assert "Because the weights were random" in methods.text
    (view,) = views(on_surface)
    assert view.gain_title == "Trained \u2212 untrained"


def test_the_view_is_what_was_written(on_surface: Results) -> None:
    (view,) = views(on_surface)
    expected = planted_scores(view.units)
    np.testing.assert_allclose(view.scores[:, 40:], expected[:, 40:], atol=1e-6)
    assert np.isnan(view.scores[:, :40]).all()
    np.testing.assert_allclose(view.gain[:, 40:], 0.5 * expected[:, 40:], atol=1e-6)
    np.testing.assert_array_equal(view.passing_clips, view.significant)
    assert view.significant.any()


def test_peaks_lie_where_the_scores_are(in_volume) -> None:
    (view,) = views(in_volume())
    (table,) = layers.peaks(view).parts
    first = table.rows[0]
    unit = int(np.nanargmax(np.where(view.significant, view.largest, np.nan)))
    np.testing.assert_allclose([cell.key for cell in first[:3]], view.units.coordinates_mm()[unit])
    assert first[5].key == pytest.approx(view.largest[unit], abs=1e-6)
    places = np.array([[cell.key for cell in row[:3]] for row in table.rows])
    distance = np.linalg.norm(places[:, None] - places, axis=-1)
    assert distance[np.triu_indices(len(places), 1)].min() >= 20


def test_shares_of_best_layers_are_those_of_the_map(of_group: Results) -> None:
    (view,) = views(of_group)
    caption = str(layers.assignments(view).parts[0].caption)
    counts = [int(np.isfinite(view.best[view.units.structure == side]).sum()) for side in "LR"]
    assert f"the {counts[0]} on the left, {counts[1]} on the right" in caption


def test_items_say_which_pairs_count(on_surface: Results, of_faithful_group: Results) -> None:
    assert "Only pairs of two clips" in items.item_words(on_surface)
    assert "All pairs are compared" in items.item_words(of_faithful_group)


def test_methods_cite_what_was_used(on_surface: Results, of_group: Results) -> None:
    _, own = made(on_surface)
    for key in (
        *("thielen2016", "guclu2016", "kriegeskorte2008", "nili2014", "oosterhof2016", "law2009"),
        *("he2016", "friston1998", "phipson2010"),
    ):
        assert key in own.references
    assert "pons2019" not in own.references
    assert "240" in own.text
    assert "partialling out the ranks of matrices of n0, n1" in own.text
    _, together = made(of_group)
    assert "4 participants" in together.text
    assert "benjamini1995" in together.references
    for text in (own, together):
        assert all(
            f"[{n}" in text.text or f", {n}" in text.text
            for n in range(1, len(text.references) + 1)
        )


# ------------------------------------------------------------------ small functions


def test_rank_correlations_leave_constant_rows_out() -> None:
    rows = np.array([[1.0, 2, 3, 4], [4.0, 3, 2, 1], [1.0, 1, 1, 1], [np.nan, 1, 2, 3]])
    correlations = rank_correlations(rows)
    np.testing.assert_allclose(correlations[:2, :2], [[1, -1], [-1, 1]])
    assert np.isnan(correlations[2:]).all()


def test_layers_of_other_scale_have_one_profile() -> None:
    values, n_pairs = np.array([1.0, 3.0, np.nan]), np.array([3.0, 1.0, 2.0])
    for scale in (1.0, 40.0):
        np.testing.assert_allclose(relative(scale * values, n_pairs), [1 / 1.5, 2.0, np.nan])
    assert np.isnan(relative(np.zeros(3), n_pairs)).all()


def test_ranks_keep_what_is_missing() -> None:
    np.testing.assert_array_equal(
        ranks(np.array([3.0, np.nan, 1.0, 2.0])), [1.0, np.nan, 0.0, 0.5]
    )


# ------------------------------------------------------------------ in a browser


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("level", ["participant", "group"])
def test_a_browser_shows_the_whole_page(
    level: str, on_surface: Results, of_group: Results, tmp_path: Path
) -> None:
    page, _ = made(on_surface if level == "participant" else of_group)
    seen = check_page(write_page(page, tmp_path / "page.html"), tmp_path)
    assert seen["images"] >= 8
    assert set(anchors(page)) <= set(seen["sections"])
