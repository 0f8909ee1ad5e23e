"""The group report: complete, small, true to its tables, and there when parts are missing."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.report.group import group_report
from bidsapp.report.group.results import load_group
from bidsapp.report.group.words import over_maps

LIMIT_BYTES = 15_000_000


def text_of(path: Path) -> str:
    page = re.sub(r"data:image[^\"]+", "", path.read_text(encoding="utf-8"))
    page = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute and arrange everything, but paint nothing: that is the slow part."""
    for place in ("cortex", "components", "inference", "shared"):
        monkeypatch.setattr(
            f"bidsapp.report.group.{place}.cortex_figure", lambda *_: Figure(figsize=(1, 1))
        )
    monkeypatch.setattr(
        "bidsapp.report.group.components.rgb_figure", lambda *_: Figure(figsize=(1, 1))
    )
    monkeypatch.setattr("bidsapp.report.html.to_svg", lambda _: b"")


@pytest.fixture(scope="module")
def page(analysed: Path) -> Path:
    return group_report(analysed)


def test_it_lies_in_the_output_folder_and_is_small(analysed: Path, page: Path) -> None:
    assert page == analysed / "group_gradients.html"
    assert page.stat().st_size < LIMIT_BYTES


def test_it_says_what_a_reader_looks_for(page: Path) -> None:
    text = text_of(page)
    for words in (
        "Group of 6 participants", "Random weights (vggish)", "Three pieces of film music",
        "1 left out", "the sound is 12 s shorter than the run", "What to distrust",
        "The cortex, interactive", "Maximal prediction accuracy", "Representational gradients",
        "Spin tests", "Participants one by one", "Layer profiles of regions",
        "Stability of the best layer", "Components over layers", "Noise ceiling", "Ratings",
        "Tests over participants at each unit", "What each test licenses", "Methods text",
        "Fidelity to the paper", "199 rotations of the reference", "Alexander-Bloch",
        "all 64 sign flips", "Yardstick",
    ):  # fmt: skip
        assert words in text, words
    assert "nan" not in text.lower().replace("finance", "")
    assert "None" not in text


def test_spin_results_are_printed_as_in_the_table(analysed: Path, page: Path) -> None:
    (path,) = analysed.rglob("*model-vggish_desc-spin_stats.tsv")
    table = pd.read_csv(path, sep="\t").query("hemisphere == 'both' and map == 'centroid'")
    row = table.query("lags == 'positive' and direction == 'reference rotated'").iloc[0]
    assert row["reference"] == "gradient1"
    source = html.unescape(page.read_text(encoding="utf-8"))
    corrected = over_maps(dict(row))
    assert corrected.startswith(", over maps p = ")
    told = f"spin \u03c1 = {row['r']:.2f}, p = {row['p']:.4f}{corrected}"
    assert f"Centroid layer, positive lags: {told}." in source  # words beside the figure
    data = re.search(r'id="cortex-data">(.*?)</script>', source, re.DOTALL)
    assert data
    assert json.loads(data[1])["maps"][0]["note"] == f"With functional gradient 1: {told}."
    body = re.search(r'id="spins".*?<tbody>(.*?)</tbody>', source, re.DOTALL)
    assert body
    assert body[1].count("<tr>") == 12  # (2 lags + difference) × 2 maps × 2 references


def test_all_rows_of_the_spin_table_are_there(analysed: Path, page: Path) -> None:
    (path,) = analysed.rglob("*model-vggish_desc-spin_stats.tsv")
    section = page.read_text(encoding="utf-8").split('id="spins"')[1].split("<section")[0]
    bodies = re.findall(r"<tbody>(.*?)</tbody>", section, re.DOTALL)
    assert sum(body.count("<tr>") for body in bodies[:2]) == len(pd.read_csv(path, sep="\t"))


def test_every_picture_has_words_and_every_anchor_is_unique(page: Path) -> None:
    source = page.read_text(encoding="utf-8")
    alts = re.findall(r"<img [^>]*alt=\"([^\"]*)\"", source)
    assert len(alts) == source.count("<img ") >= 12
    assert min(map(len, alts)) > 25
    ids = re.findall(r'\sid="([^"]+)"', source)
    assert len(ids) == len(set(ids))


def test_nothing_is_loaded_from_elsewhere(page: Path) -> None:
    source = page.read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:|#)', source)
    assert "Content-Security-Policy" in source


def test_the_same_results_make_the_same_report(
    analysed: Path, unpainted: None, tmp_path: Path
) -> None:
    other = shutil.copytree(analysed, tmp_path / "out", copy_function=shutil.copy2)
    (other / "group_gradients.html").unlink(missing_ok=True)
    assert group_report(other).read_bytes() == group_report(other).read_bytes()


def test_participants_keep_their_labels(analysed: Path) -> None:
    (space,) = load_group(analysed).spaces
    assert space.participants["participant"].tolist() == [f"0{k}" for k in range(1, 7)] + ["99"]
    assert space.n_participants == 6


def test_hemispheres_are_not_mixed_up(analysed: Path) -> None:
    ((_, model),) = load_group(analysed).models()
    found = model.layer_map("positive", "centroid")
    assert found is not None
    for side in "LR":
        (path,) = analysed.rglob(f"hemi-{side}_*model-vggish_stat-centroid_desc-positive_*.gii")
        assert np.array_equal(found[side], nib.load(path).darrays[0].data, equal_nan=True)
    assert not np.array_equal(found["L"], found["R"], equal_nan=True)


MISSING = [
    "*desc-spin_*", "*desc-spinnull*", "*desc-subjects_*", "*desc-subjecttest*",
    "*desc-profile_*", "*desc-reliability*", "*desc-pca_*", "*desc-ratings*", "*desc-isc_*",
    "*desc-participants_stats*", "*desc-summary*", "*stat-pc_*", "*stat-t_*", "*stat-d_*",
    "*fwe_*", "*fdr_*", "*_mask*", "*stat-n_*", "*bestlayer*", "*stat-centroid*",
    "*negativemean*", "*stat-r_*mean*", "*_statmap*", "*model-baseline*", "*negative*",
    "fidelity.tsv", "dataset_description.json", "*desc-parcels_dseg*",
]  # fmt: skip


@pytest.mark.parametrize("pattern", MISSING)
def test_a_missing_part_does_not_cost_the_report(
    group_tree: Path, pattern: str, unpainted: None
) -> None:
    found = [path for path in group_tree.rglob(pattern) if path.is_file()]
    assert found
    for path in found:
        path.unlink()
    assert "Methods text" in text_of(group_report(group_tree))


def test_without_results_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="run the group level first"):
        group_report(tmp_path)


def test_a_broken_table_is_named(group_tree: Path) -> None:
    (path,) = group_tree.rglob("*model-vggish_desc-spin_stats.tsv")
    path.write_bytes(b"\xff\xfe\x00broken")
    with pytest.raises(InputInvalidError, match=re.escape(str(path))):
        group_report(group_tree)


@pytest.mark.slow
def test_one_participant_without_ratings(make_group: Callable[..., Path], unpainted: None) -> None:
    text = text_of(group_report(make_group(n=1, ratings=False, left_out=False)))
    assert "A group of one participant" in text
    assert "There was no test over participants" in text
    assert "Not tested: that needs two participants" in text
    assert "No inter-subject correlation" in text
    assert "nan" not in text.lower()
    assert " Ratings " not in text


@pytest.mark.slow
def test_volumes_show_what_was_spun_and_slices(
    make_group: Callable[..., Path], mni: object, unpainted: None
) -> None:
    root = make_group(units=mni, n=3, n_rotations=99)
    page = group_report(root)
    assert "Axial slices" in text_of(page)
    assert "determined after projection" in text_of(page)
    assert page.stat().st_size < LIMIT_BYTES
    ((space, model),) = load_group(root).models()
    assert space.space.is_mni
    (path,) = root.rglob("hemi-L_*model-vggish_stat-centroid_label-*_desc-positiveprojected*.gii")
    found = model.layer_map("positive", "centroid")
    assert found is not None
    assert np.array_equal(found["L"], nib.load(path).darrays[0].data, equal_nan=True)
