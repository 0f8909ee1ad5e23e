"""Methods text: true, complete, and citing what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bidsapp.report.files import open_derivatives
from bidsapp.report.methods import Methods, lag_text
from bidsapp.report.participant_methods import methods, random_weights, weights_text
from bidsapp.report.references import bibliography, references
from bidsapp.report.results import Results, load_results


@pytest.fixture(scope="module")
def results(surface_tree: Path) -> Results:
    return load_results(open_derivatives(surface_tree, "01"))


@pytest.fixture(scope="module")
def small(make_tree: Callable[..., Path]) -> Callable[..., Methods]:
    """Methods of a small tree with other facts."""

    def make(**facts: Any) -> Methods:
        root = make_tree(baseline=False, ratings=False, maps=False, facts=facts)
        return methods(load_results(open_derivatives(root, "01")))

    return make


def test_text_says_what_ran(results: Results) -> None:
    text = methods(results).text
    for words in (
        "3 runs (TR 1 s) with 3 presentations of 3 pieces",
        "20\u00a0484 vertices",
        "24 motion parameters",
        "cut-off 128 s",
        "No spatial smoothing",
        "24 layers of VGGish",
        "random weights (seed 0)",
        "50 principal components fitted to the training pieces",
        "lags of 4, 5 and 6 s",
        "mel, loudness, spectral",
        "3 outer folds; a whole presentation was held out",
        "99 circular shifts",
        "at least 15 s",
        "noise ceiling",
        "emotionality, enjoyment",
    ):
        assert words in text
    assert "None" not in text
    assert "  " not in text
    assert [line.partition(" ")[0] for line in text.split("\n\n")] == [
        "Results", "Data.", "Features.", "Encoding", "Inference.", "Ratings.", "Software.",
    ]  # fmt: skip


def test_text_does_not_say_what_did_not_run(small: Callable[..., Methods]) -> None:
    text = small(settings={}, config={}, runs=[{"name": "a", "preprocessed": False}]).text
    for words in ("lags of", "baseline", "ceiling", "rating", "regressed out", "fMRIPrep ["):
        assert words not in text
    assert "not been preprocessed" in text
    assert "None" not in text


@pytest.mark.parametrize(
    ("config", "words", "cited"),
    [
        ({"solver": "himalaya"}, "fitted with himalaya", {"dupre2022"}),
        ({"solver": "gram"}, "solved through the Gram matrix", set()),
        ({"confounds": "none"}, "No confounds were regressed out.", set()),
        ({"confounds": "motion6"}, "6 rigid-body motion parameters were regressed", set()),
        ({"smoothing_fwhm_mm": 5.0}, "Gaussian kernel of 5.0 mm FWHM", set()),
    ],
)
def test_settings_change_the_text(
    small: Callable[..., Methods], config: Mapping[str, Any], words: str, cited: set[str]
) -> None:
    made = small(config=config)
    assert words in made.text
    assert cited <= set(made.references)
    if not cited:
        assert "dupre2022" not in made.references


def test_citations_are_numbered_in_order_and_all_listed(results: Results) -> None:
    made = methods(results)
    groups = re.findall(r"\[(\d+(?:, \d+)*)\]", made.text)
    numbers = [int(number) for group in groups for number in group.split(", ")]
    firsts = list(dict.fromkeys(numbers))
    assert firsts == list(range(1, len(made.references) + 1))
    assert made.numbered.count("\n") == len(made.references) - 1


def test_files_for_the_logs(results: Results) -> None:
    made = methods(results)
    markdown, bibtex = made.markdown, made.bibtex
    assert markdown.startswith("# Methods\n")
    assert "# References\n\n1. " in markdown
    assert bibtex.count("@") == len(methods(results).references)


def test_every_reference_is_whole() -> None:
    known = references()
    assert len(known) >= 20
    for key, work in known.items():
        assert work.bibtex.startswith("@")
        assert work.bibtex.count("{") == work.bibtex.count("}")
        assert {"author", "title"} <= set(work.fields), key
        assert re.fullmatch(r"[^{}]+\.( doi:10\.\S+)?", work.plain), key
        if key != "kim_gradients":
            assert re.fullmatch(r"(19|20)\d\d", work.fields["year"])
    assert bibliography(["harris2020", "harris2020"]).count("@") == 1


@pytest.mark.parametrize(
    ("weights", "is_random", "text"),
    [
        ({"source": "random", "seed": 3}, True, "random weights (seed 3)"),
        (
            {"source": "file", "file": "vggish-1.pth", "sha256": "abcdef0123456789"},
            False,
            "pretrained weights (vggish-1.pth, sha256 abcdef012345…)",
        ),
        (None, False, "weights not recorded"),
    ],
)
def test_weights(weights: Mapping[str, Any] | None, is_random: bool, text: str) -> None:
    facts = {"weights": {"vggish": weights}} if weights else {}
    assert random_weights(facts, "vggish") is is_random
    assert weights_text(facts, "vggish") == text


def test_lags() -> None:
    assert lag_text([-6.0, -5.5]) == "\u22126 and \u22125.5 s"
    assert lag_text([4.0]) == "4 s"
    assert lag_text(None) is None
