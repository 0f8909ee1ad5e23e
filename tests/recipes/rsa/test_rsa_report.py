"""The reports of `rsa` as documents: what they say, from what was written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bidsapp.report.rsa import cautions, items, layers, maps, nulls, overview, peaks, text
from bidsapp.report.rsa.figures.chance import Chance
from bidsapp.report.rsa.figures.lag import relative
from bidsapp.report.rsa.figures.matrices import ranks
from bidsapp.report.rsa.read import load_group, load_participant, over_layers

from bidsapp.errors import InputMissingError
from bidsapp.recipes import RECIPES, load_function

MEGABYTES = 2**20


@pytest.fixture(scope="module")
def participant_html(participant_tree: Path, participant_page: Path) -> str:
    assert participant_page == participant_tree / "sub-01_rsa.html"
    assert participant_page.stat().st_size < 15 * MEGABYTES
    return participant_page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def group_html(group_tree: Path, group_page: Path) -> str:
    assert group_page == group_tree / "group_rsa.html"
    assert group_page.stat().st_size < 15 * MEGABYTES
    return group_page.read_text(encoding="utf-8")


def anchors(html: str) -> list[str]:
    return re.findall(r'<section id="([^"]+)"', html)


def test_sections_of_a_participant(participant_html: str) -> None:
    assert anchors(participant_html) == [
        *("glance", "distrust", "items", "dissimilarities", "matrices", "lag", "searchlights"),
        *("cortex-section", "results-fsaverage-10k-resnet1d", "maps", "peaks", "profile"),
        *("distributions", "assignments", "null", "methods", "fidelity", "about"),
    ]


def test_sections_of_a_group(group_html: str) -> None:
    assert anchors(group_html) == [
        *("glance", "distrust", "participants", "items", "cortex-section"),
        *("results-fsaverage-10k-resnet1d", "maps", "peaks", "profile", "distributions"),
        *("assignments", "null", "gyrus", "hemispheres", "confidence", "ceiling", "licences"),
        *("methods", "fidelity", "about"),
    ]


def test_pages_are_whole_and_offline(participant_html: str, group_html: str) -> None:
    for html in (participant_html, group_html):
        assert not re.search(r'(src|href)="(https?:)?//', html)
        for alt in re.findall(r'<img[^>]* alt="([^"]*)"', html):
            assert len(alt) > 10
        assert "nan" not in re.sub(r"<script.*?</script>|base64,[^\"]+", "", html, flags=re.S)


def test_only_the_recipes_own_fidelity(participant_html: str) -> None:
    section = participant_html.partition('<section id="fidelity"')[2]
    assert "drop_s" in section
    assert "pca_fit" not in section


def test_faithful_banner_has_the_expected_maximum(group_html: str) -> None:
    banner = re.search(r'<div class="banner serious".*?</div>', group_html, re.DOTALL)
    assert banner
    assert "0.2345" in banner[0]
    assert "0.0987" in banner[0]


def test_no_p_over_participants_with_one_order(group_html: str) -> None:
    assert "not tested" in group_html
    assert "One order of the clips." in group_html
    assert "0.012" not in re.sub(r"<script.*?</script>|base64,[^\"]+", "", group_html, flags=re.S)


def test_robust_has_no_banner_of_the_maximum(participant_tree: Path) -> None:
    assert overview.banners(load_participant(participant_tree, "sub-01")) == []


def test_random_weights_are_named(make_rsa: Callable[..., Path]) -> None:
    study = load_participant(make_rsa(kind="mni", weights={"source": "random", "seed": 3}), "01")
    (note,) = overview.banners(study)
    assert note.severity == "serious"
    assert "random weights (seed 3)" in dict(overview.meta(study)).values()
    assert "Because the weights were random" in text.methods(study).text
    network = study.networks()[0]
    assert maps.gain_title(network) == "These weights minus untrained"


def test_distrust_puts_the_serious_first(make_rsa: Callable[..., Path]) -> None:
    told = (
        "6 clips have 720 orders: no p-value is below 0.0014.",
        "Pairs within clips take part: neighbours are alike.",
        "something new",
        "40 of 2688 units are constant or not finite and are NaN in every map.",
    )
    notes = cautions.distrust(load_participant(make_rsa(kind="mni", warnings=told), "01"))
    assert [note.severity for note in notes] == ["serious", "caution", "caution", "note"]
    assert {note.text for note in notes} == set(told)


def test_every_warning_of_the_recipe_has_a_kind() -> None:
    recipes = Path(text.__file__).parents[2] / "recipes" / "rsa"
    source = (recipes / "distrust.py").read_text() + (recipes / "group" / "wording.py").read_text()
    begins = (
        *(
            "No confounds",
            "Raw BOLD",
            "No grey-matter",
            "Left out",
            "Every item is one presentation",
        ),
        *("Only one participant", "Model dissimilarities differ", "Pairs within clips take part"),
    )
    for begin in begins:
        assert begin in source
        assert cautions.judged(f"{begin} …").title != "From the analysis."


def test_missing_results_are_said(tmp_path: Path, make_rsa: Callable[..., Path]) -> None:
    with pytest.raises(InputMissingError, match="group level with --recipe rsa"):
        load_group(tmp_path)
    tree = make_rsa(kind="mni")
    with pytest.raises(InputMissingError, match="sub-02"):
        load_participant(tree, "02")
    (tree / "sub-02" / "func").mkdir(parents=True)
    (tree / "sub-02" / "func" / "sub-02_desc-folds_stats.tsv").write_text("a\n1\n")
    with pytest.raises(InputMissingError, match="recipe rsa"):
        load_participant(tree, "02")


def test_untested_untrained_participant(make_rsa: Callable[..., Path]) -> None:
    """Nothing that was not done is shown."""
    study = load_participant(make_rsa(kind="native", tested=False, untrained=False), "01")
    (space,) = study.spaces
    (network,) = space.networks
    assert network.null.size == 0
    assert maps.gain_of_best(network) is None
    section = nulls.null(space, network, "")
    assert "finite" not in str(section.parts[0])
    assert maps.maps(space, network, "").parts
    assert "permutations of the clips" not in text.methods(study).text
    assert "As a control" not in text.methods(study).text
    names = [number.label for number in overview.glance(study).parts[0].items]  # type: ignore[union-attr]
    assert "Most frequent best layer" not in names


def test_methods_cite_what_was_used(participant_tree: Path, group_tree: Path) -> None:
    own = load_function(RECIPES["rsa"].legacy["methods"])(participant_tree, "01")
    for key in ("thielen2016", "guclu2016", "kriegeskorte2008", "nili2014", "oosterhof2016",
                "law2009", "he2016", "friston1998", "phipson2010"):  # fmt: skip
        assert key in own.references
    assert "pons2019" not in own.references
    assert "240" in own.text
    assert "partialling out the ranks of matrices of lag, motion" in own.text
    together = load_function(RECIPES["rsa"].legacy["group_methods"])(group_tree)
    assert "Participants were averaged." in together.text
    assert "4 participants" in together.text
    for made in (own, together):
        assert "{" not in made.numbered
        assert all(f"[{n}" in made.text or f", {n}" in made.text
                   for n in range(1, len(made.references) + 1))  # fmt: skip


def test_items_say_which_pairs_count(participant_tree: Path, group_tree: Path) -> None:
    assert "Only pairs of two clips" in items.item_words(load_participant(participant_tree, "01"))
    assert "All pairs are compared" in items.item_words(load_group(group_tree))


def test_hemispheres_of_surfaces_and_volumes(
    participant_tree: Path, make_rsa: Callable[..., Path]
) -> None:
    grid = load_participant(participant_tree, "01").spaces[0].within.grid
    assert grid
    sides = layers.hemispheres(grid, is_mni=False)
    assert {side: mask.sum() for side, mask in sides.items()} == {"L": 10242, "R": 10242}
    grid = load_participant(make_rsa(kind="mni"), "01").spaces[0].within.grid
    assert grid
    assert grid.voxels is not None
    sides = layers.hemispheres(grid, is_mni=True)
    left = grid.voxels[:, 0] * 8 - 60 < 0
    assert np.array_equal(sides["L"], left)
    assert set(layers.hemispheres(grid, is_mni=False)) == {"both"}


def test_peaks_are_apart_and_the_largest() -> None:
    score = np.array([0.9, 0.8, np.nan, 0.5, 0.95])
    mm = np.array([[0, 0, 0], [5, 0, 0], [0, 0, 9], [40, 0, 0], [0, 90, 0]], dtype=float)
    assert peaks.apart(score, mm) == [4, 0, 3]
    assert peaks.apart(score, mm, most=1) == [4]
    assert peaks.apart(np.full(5, np.nan), mm) == []


def test_peaks_lie_where_the_scores_are(make_rsa: Callable[..., Path]) -> None:
    (space,) = load_participant(make_rsa(kind="mni"), "01").spaces
    (network,) = space.networks
    section = peaks.peaks(space, network, "")
    assert section
    (table,) = section.parts
    first = table.rows[0]  # type: ignore[union-attr]
    assert network.largest is not None
    assert network.significant is not None
    assert first[5].key == pytest.approx(np.nanmax(network.largest), abs=1e-6)
    unit = int(np.nanargmax(network.largest))
    grid = space.within.grid
    assert grid
    assert grid.voxels is not None
    assert [cell.key for cell in first[:3]] == list(grid.voxels[unit] * 8.0 - [60, 60, 40])


def test_heschl_is_named() -> None:
    left, nowhere = peaks.regions(np.array([[-44.0, -24, 8], [0.0, 200, 0]]))
    assert left.startswith("LH")
    assert nowhere == "\u2013"


def test_over_layers() -> None:
    scores = np.array([[0.1, np.nan, np.nan], [0.3, -0.2, np.nan]])
    np.testing.assert_array_equal(over_layers(scores), [0.3, -0.2, np.nan])


def test_threshold_is_that_of_the_test() -> None:
    """A score passes exactly if (b + 1)/(m + 1) is at most the level."""
    random = np.random.default_rng(0)
    for m in (18, 19, 20, 99, 100):
        null = random.normal(size=m)
        data = Chance(null, 0.0, 0.05, null, 0.0, 0.0)
        for score in (*null, 9.0):
            p = (np.sum(null >= score) + 1) / (m + 1)
            assert (score > data.threshold or np.isclose(score, data.threshold)) == (
                p <= 0.05 or np.isclose(score, data.threshold)
            )
        passing = (np.sum(null >= data.threshold + 1e-9) + 1) / (m + 1)
        assert m < 19 or passing <= 0.05


def test_layers_of_other_scale_have_one_profile() -> None:
    values, n_pairs = np.array([1.0, 3.0, np.nan]), np.array([3.0, 1.0, 2.0])
    for scale in (1.0, 40.0):
        np.testing.assert_allclose(relative(scale * values, n_pairs), [1 / 1.5, 2.0, np.nan])
    assert np.isnan(relative(np.zeros(3), n_pairs)).all()


def test_ranks_keep_what_is_missing() -> None:
    np.testing.assert_array_equal(
        ranks(np.array([3.0, np.nan, 1.0, 2.0])), [1.0, np.nan, 0.0, 0.5]
    )
