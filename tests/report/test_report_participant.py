"""The whole report: complete, small, and there even when parts of the results are not."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from bidsapp.report.participant import participant_report
from bidsapp.report.participant_sections import cortex

LIMIT_BYTES = 6_000_000
CIFTI = {"space": "fsLR", "den": "91k"}
VOLUME = {"space": "MNI152NLin2009cAsym", "res": "2"}
SURFACE = {"space": "fsaverage", "den": "10k"}
NATIVE = {"space": "T1w"}


def _text(path: Path) -> str:
    page = re.sub(r"data:image[^\"]+", "", path.read_text(encoding="utf-8"))
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


@pytest.fixture(scope="module")
def page(surface_tree: Path) -> Path:
    return participant_report(surface_tree, "01")


def test_it_lies_beside_the_participant_and_is_small(surface_tree: Path, page: Path) -> None:
    assert page == surface_tree / "sub-01_gradients.html"
    assert page.stat().st_size < LIMIT_BYTES
    assert not list(surface_tree.glob(".sub-01*"))


def test_it_says_what_a_reader_looks_for(page: Path) -> None:
    text = _text(page)
    for words in (
        "Random weights (vggish)", "Three pieces of film music", "gradients, robust", "0badcafe",
        "Volumes analysed 911", "Significant parcels", "What to distrust", "Alignment",
        "Cross-validation", "Layer profile", "Maps", "Scores against their null", "Parcels",
        "Piece by piece", "Ridge penalties", "Ratings", "Methods text", "Fidelity to the paper",
        "2.4 min, peak memory 1.50 GiB",
    ):  # fmt: skip
        assert words in text
    assert "nan" not in text.lower().replace("finance", "")
    assert "None" not in text


def test_numbers_are_those_of_the_tables(surface_tree: Path, page: Path) -> None:
    import pandas as pd

    (path,) = surface_tree.rglob("*model-vggish_desc-parcelsummary_stats.tsv")
    table = pd.read_csv(path, sep="\t").query("lags == 'positive'")
    text = _text(page)
    assert f"Significant parcels {(table['p_fwe'] < 0.05).sum()} of {len(table)}" in text
    assert f"Peak r, parcel {table['r_max'].max():.2f}" in text


def test_every_picture_has_words(page: Path) -> None:
    source = page.read_text(encoding="utf-8")
    alts = re.findall(r"<img [^>]*alt=\"([^\"]*)\"", source)
    assert len(alts) == source.count("<img ")
    assert min(map(len, alts)) > 30


def test_simulated_data_are_called_so(make_tree: Callable[..., Path]) -> None:
    root = make_tree(maps=False, ratings=False)
    assert "Simulated data" not in _text(participant_report(root, "01"))
    path = root / "dataset_description.json"
    description = json.loads(path.read_text())
    description["GeneratedBy"].append({"Name": "musicotopy-tools simulate"})
    path.write_text(json.dumps(description))
    assert "Simulated data No person was measured" in _text(participant_report(root, "01"))


def test_a_second_report_replaces_the_first(surface_tree: Path, page: Path) -> None:
    before = page.read_bytes()
    assert participant_report(surface_tree, "sub-01").read_bytes() == before


def test_pretrained_weights_raise_no_banner(make_tree: Callable[..., Path]) -> None:
    weights = {"source": "file", "file": "vggish.pth", "sha256": "0123456789abcdef"}
    root = make_tree(weights=weights, maps=False)
    source = participant_report(root, "01").read_text(encoding="utf-8")
    assert 'class="banner' not in source
    assert "vggish.pth, sha256 0123456789ab…" in source


@pytest.mark.parametrize(
    ("spaces", "drawn"),
    [((VOLUME,), True), ((CIFTI,), True), ((NATIVE,), False)],
    ids=["volume", "cifti", "native"],
)
def test_other_spaces(
    make_tree: Callable[..., Path], spaces: tuple[dict, ...], drawn: bool
) -> None:
    page = participant_report(make_tree(spaces=spaces, ratings=False), "01")
    text = _text(page)
    assert ("cannot be drawn on a template's cortex" not in text) == drawn
    assert page.read_text(encoding="utf-8").count("Axial slices") >= 2
    assert page.stat().st_size < LIMIT_BYTES


def test_two_spaces_have_sections_of_their_own(make_tree: Callable[..., Path]) -> None:
    page = participant_report(make_tree(spaces=(VOLUME, SURFACE), baseline=False), "01")
    source = page.read_text(encoding="utf-8")
    assert source.count(">Layer profile</h3>") == 2
    ids = re.findall(r'\sid="([^"]+)"', source)
    assert len(ids) == len(set(ids))
    assert page.stat().st_size < LIMIT_BYTES


def test_null_results_say_so_and_draw_no_layer_map(make_tree: Callable[..., Path]) -> None:
    text = _text(participant_report(make_tree(effect=0.0), "01"))
    assert "No parcel passes the test (vggish)." in text
    assert "0 of 60" in text
    assert "all vertices, because no parcel is significant" in text
    assert "nan" not in text.lower()


MISSING = [
    "*desc-alignment*", "*desc-folds*", "*desc-waveform*", "*desc-summary*", "*desc-parcels_*",
    "*desc-parcelsummary*", "*desc-pieces*", "*desc-null*", "*stat-alpha*", "*stat-centroid*",
    "*bestlayer*", "*_mask*", "*desc-negative_*", "*stat-ceiling*", "*model-baseline*",
    "*_statmap*", "dataset_description.json", "*.json", "fidelity.tsv",
]  # fmt: skip


@pytest.mark.parametrize("pattern", MISSING)
def test_a_missing_part_does_not_cost_the_report(
    surface_tree: Path, tmp_path: Path, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # everything is computed and arranged, but not painted: that is the slow part
    monkeypatch.setattr(cortex, "cortex_figure", lambda *_: Figure(figsize=(1, 1)))
    monkeypatch.setattr("bidsapp.report.html.to_svg", lambda _: b"")
    root = tmp_path / "out"
    shutil.copytree(surface_tree, root)
    found = [path for path in root.rglob(pattern) if path.is_file()]
    assert found
    for path in found:
        path.unlink()
    assert "Methods text" in _text(participant_report(root, "01"))
