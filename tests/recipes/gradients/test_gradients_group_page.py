"""The page of a group of `gradients`: whole, and true to its maps and tables."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients.report import report
from bidsapp.recipes.gradients.report.group_maps import (
    components,
    gradients,
    inference,
    inference_maps,
)
from bidsapp.recipes.gradients.report.group_profiles import noise_ceiling, ratings, stability
from bidsapp.recipes.gradients.report.group_tests import (
    participants_alignment,
    spin_tests,
)
from bidsapp.recipes.gradients.report.view import (
    GroupView,
    correlation,
    reference_title,
    views,
)
from bidsapp.report.html import Page, Picture, Prose, Section, Table, render, write_page
from bidsapp.report.methods import Methods
from bidsapp.report.tables import rows_of
from bidsapp.results.read import Results
from tests.recipes.gradients.group_study import LAYERS, analyse_group, mni
from tests.report.browser import CHROMIUM, check_page

LIMIT_BYTES = 15_000_000
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Six participants on fsaverage5."""
    return analyse_group(tmp_path_factory.mktemp("group"))


@pytest.fixture(scope="module")
def view(results: Results) -> GroupView:
    (view,) = views(results, GroupView)
    return view


@pytest.fixture(scope="module")
def made(results: Results) -> tuple[Page, Methods]:
    return report(results)


@pytest.fixture(scope="module")
def source(made: tuple[Page, Methods]) -> str:
    return html.unescape(render(made[0]))


def pictures(section: Section | None) -> list[Picture]:
    assert section is not None
    return [part for part in section.parts if isinstance(part, Picture)]


def tables(section: Section | None) -> list[Table]:
    assert section is not None
    return [part for part in section.parts if isinstance(part, Table)]


def sections(page: Page) -> dict[str, Section]:
    every = [*page.sections, *(child for item in page.sections for child in item.children)]
    return {section.title: section for section in every}


class TestPage:
    """The whole page."""

    def test_it_has_its_sections_in_order(self, made: tuple[Page, Methods]) -> None:
        page, _ = made
        assert page.title == "Encoding of music by layer · group, N = 6"
        assert [section.title for section in page.sections] == [
            "At a glance",
            "Cautions",
            "Participants",
            "Interactive cortex",
            "Results: VGGish",
            "Ratings",
            "What each test does and does not show",
            "Methods text",
            "Fidelity to the paper",
            "About",
        ]
        (found,) = (item for item in page.sections if item.title.startswith("Results"))
        assert [child.title for child in found.children] == [
            "Maximal prediction accuracy",
            "Representational gradients",
            "Against displaced music",
            "Beyond acoustics",
            "Spin tests",
            "Known axes of the cortex",
            "Alignment of participants",
            "Layer profiles of regions",
            "Stability of the best layer",
            "Components over layers",
            "Tests over participants at each vertex",
            "Noise ceiling",
        ]

    def test_it_is_small_and_nothing_missing_leaks_into_words(self, source: str) -> None:
        assert len(source.encode()) < LIMIT_BYTES
        plain = re.sub(r"data:image[^\"]+", "", source)
        plain = re.sub(r"<(script|style).*?</\1>", "", plain, flags=re.DOTALL)
        words = re.sub(r"<[^>]+>", " ", plain)
        assert not re.search(r"\b(nan|inf)\b|\bNone\b(?! is)", words)

    def test_who_is_left_out_and_why(self, made: tuple[Page, Methods]) -> None:
        (table,) = tables(sections(made[0])["Participants"])
        labels = [row[0].text for row in table.rows]
        assert labels == ["01", "02", "03", "04", "05", "06", "99"]
        glance = sections(made[0])["At a glance"].parts[0]
        assert glance.items[0].remark == "1 left out"  # type: ignore[union-attr]

    def test_every_picture_has_words_and_every_anchor_is_unique(self, source: str) -> None:
        alts = re.findall(r"<img [^>]*alt=\"([^\"]*)\"", source)
        assert len(alts) == source.count("<img ") >= 12
        assert min(map(len, alts)) > 25
        ids = re.findall(r'\sid="([^"]+)"', source)
        assert len(ids) == len(set(ids))

    def test_methods_say_what_ran_and_cite_it(self, made: tuple[Page, Methods]) -> None:
        _, methods = made
        for words in (
            "6 participants took part in the group analysis; 1 was left out",
            "24 layers of VGGish",
            "random weights (seed 0)",
            "Acoustic baselines (mel, loudness, spectral)",
            "199 random rotations of the complete reference map",
            "As a sensitivity analysis the layer map was rotated",
            "continuous ratings emotionality, enjoyment; raters are the sample",
        ):
            assert words in methods.text, words
        assert "None" not in methods.text
        assert {"kim_gradients", "margulies2016", "hershey2017"} <= set(methods.references)


class TestSpin:
    """Numbers of the spin test, wherever they are printed."""

    def test_they_are_those_of_the_table(self, view: GroupView, source: str) -> None:
        rows = rows_of(view.spins, lags="positive", map="centroid", hemisphere="both")
        row = rows_of(rows, direction="reference rotated", reference="gradient1").iloc[0]
        words = view.spin_words("positive", "centroid")
        assert words.startswith(f"spin \u03c1 = {row['r']:.2f}, p ")
        (figure,) = pictures(gradients(view))
        assert f"Centroid layer, music before the response:   {words}" in figure.alt
        data = re.search(r'id="cortex-data">(.*?)</script>', source, re.DOTALL)
        assert data
        first = json.loads(data[1])["maps"][0]
        assert first["note"] == f"With functional gradient 1: {words}."

    def test_a_p_at_its_floor_is_an_upper_bound(self, view: GroupView) -> None:
        row = view.spin_row("positive", "centroid")
        assert row is not None
        assert row["p"] == pytest.approx(1 / 200)
        assert "p \u2264 0.0050" in view.spin_words("positive", "centroid")

    def test_every_row_is_shown(self, view: GroupView) -> None:
        main, rest, baseline = tables(spin_tests(view))
        assert len(main.rows) == 8  # 2 lags x 2 maps x 2 references
        assert len(main.rows) + len(rest.rows) == len(view.spins)
        assert "mel, loudness, spectral" in baseline.caption

    def test_one_histogram_for_each_main_test(self, view: GroupView) -> None:
        (figure,) = pictures(spin_tests(view))
        assert figure.alt.count("p_FWE (across maps)") == 4

    def test_participants_are_shown_one_by_one(self, view: GroupView) -> None:
        section = participants_alignment(view)
        (figure,) = pictures(section)
        assert figure.caption.startswith("One dot per participant (6)")
        (table,) = tables(section)
        assert len(table.rows) == 8


class TestMaps:
    """Maps are those that were written."""

    def test_hemispheres_are_not_mixed_up(self, view: GroupView) -> None:
        values = view.layer_map("positive", "centroid")
        assert values is not None
        for side, part in zip("LR", np.split(values, 2), strict=True):
            name = f"hemi-{side}_*model-vggish_stat-centroid_desc-gradientspositivelags_*.gii"
            (path,) = view.results.root.rglob(f"group/{name}")
            np.testing.assert_array_equal(part, nib.load(path).darrays[0].data)

    def test_planted_layers_follow_the_gradient(self, view: GroupView) -> None:
        row = view.spin_row("positive", "centroid")
        control = view.spin_row("negative", "centroid")
        assert row is not None
        assert control is not None
        assert row["r"] > 0.5 > abs(control["r"])

    def test_tests_over_participants_are_outlined_but_not_their_number(
        self, view: GroupView
    ) -> None:
        made = {each.title: each for each in inference_maps(view)}
        assert list(made) == [
            "Largest t over 24 layers",
            "Smallest corrected p over layers",
            "Largest effect size over 24 layers",
            "Participants with a value",
        ]
        assert [each.outlined for each in made.values()] == [True, True, True, False]
        p = made["Smallest corrected p over layers"]
        assert np.nanmin(p.values) == pytest.approx(view.summary["sign_flips"]["smallest_p"])

    def test_components_name_their_share_of_variance(self, view: GroupView) -> None:
        colours, loadings, topographies = pictures(components(view))
        assert "music before the response" in colours.alt
        assert "component 1 is largest at" in loadings.alt
        frame = view.table(declared.LOADINGS)
        share = rows_of(frame, lags="positive", component=1)["explained"].iloc[0]
        assert f"component 1 ({100 * share:.0f} % of the variance)" in topographies.alt

    def test_the_ceiling_is_compared_with_the_best_layer(self, view: GroupView) -> None:
        section = noise_ceiling(view)
        assert re.search(r"best layer reaches \d+ % of it", pictures(section)[0].caption)
        (table,) = tables(section)
        assert len(table.rows) == len(view.table(declared.ISC))
        assert "best layer, mean r" in [column.head for column in table.columns]


def test_stability_and_ratings_name_layers(view: GroupView, results: Results) -> None:
    (figure,) = pictures(stability(view))
    assert re.search(rf"Cortex: ({'|'.join(LAYERS)}) in \d+ %", figure.alt)
    (section,) = ratings(results)
    (figure,) = pictures(section)
    assert re.search(r"emotionality: best 0\.\d+ in conv2", figure.alt)


def test_one_participant_without_ratings(tmp_path: Path) -> None:
    results = analyse_group(tmp_path, n=1, ratings=False, left_out=False)
    page, methods = report(results)
    assert page.title == "Encoding of music by layer · group, N = 1"
    text = re.sub(r"\s+", " ", html.unescape(render(page)))
    for words in (
        "There was no test over participants",
        "Not tested: that needs two participants",
        "No inter-subject correlation",
    ):
        assert words in text
    assert "Ratings" not in sections(page)
    assert "sign flips" not in methods.text


def test_volumes_show_what_was_projected_and_slices(tmp_path: Path) -> None:
    results = analyse_group(tmp_path, units=mni(), n=3, n_rotations=99)
    (view,) = views(results, GroupView)
    page, _ = report(results)
    # three participants cannot pass a test of sign flips: its statistics are not drawn
    assert [each.title for each in inference_maps(view)] == ["Participants with a value"]
    assert "smallest possible p of sign flips is 0.125" in str(inference(view).parts[0])
    (accuracy,) = (
        child
        for item in page.sections
        for child in item.children
        if child.title == "Maximal prediction accuracy"
    )
    (on_surface,) = (part for part in page.answer if isinstance(part, Picture))
    assert "determined after projection" in on_surface.caption
    assert accuracy.parts[0] == Prose("The figure stands at the top of this page.")
    (in_slices,) = pictures(accuracy)
    assert in_slices.caption.startswith("Axial slices")
    pattern = "hemi-L_*model-vggish_stat-centroid_label-*_desc-gradientspositivelagsprojected*.gii"
    (path,) = results.root.rglob(pattern)
    values = view.layer_map("positive", "centroid")
    assert values is not None
    np.testing.assert_array_equal(values[:10242], nib.load(path).darrays[0].data)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_in_a_browser(made: tuple[Page, Methods], tmp_path: Path) -> None:
    seen = check_page(write_page(made[0], tmp_path / "page.html"), tmp_path)
    assert seen["images"] >= 12


def test_words() -> None:
    assert correlation(-0.002) == "0.00"
    assert correlation(-0.254) == "\u22120.25"
    assert reference_title("user2") == "map given by the user 2"
    assert reference_title("gradient1") == "functional gradient 1"
