"""The participant level from files to files: truth, null, resumption."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from bidsapp.recipes.rsa import participant, search
from bidsapp.recipes.rsa import results as declared
from bidsapp.stats.metrics import centroid_layer

pytestmark = pytest.mark.slow
SPACE = "MNI152NLin2009cAsym"
LAYERS = ["mel", "frontend", "conv1", "conv2", "conv3", "dense", "tags"]
FILES = f"sub-01_space-{SPACE}_"
MODEL = f"{FILES}model-musicnn_"
BEST = f"{FILES}desc-rsabestlayermusicnn_dseg.nii.gz"
SIGNIFICANT = f"{FILES}desc-rsasignificantmusicnn_mask.nii.gz"


def maps(folder: Path, name: str) -> np.ndarray:
    """(n_maps, n_voxels) of a file."""
    values = nib.load(folder / name).get_fdata()
    return (
        np.atleast_2d(np.moveaxis(values, -1, 0).reshape(values.shape[-1], -1))
        if (values.ndim == 4)
        else values.reshape(1, -1)
    )


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{FILES}desc-rsasummary_stats.json").read_text())
    return found


@pytest.fixture(scope="module")
def planted(clips: Path) -> np.ndarray:
    path = next((clips / "data" / "derivatives" / "truth" / "sub-01").glob("*_truth.npz"))
    layer: np.ndarray = np.load(path)["layer"]
    return layer


def test_every_file_of_the_contract(robust: Path, faithful: Path) -> None:
    expected = {
        *(f"{MODEL}stat-rho_desc-{d}_statmap.nii.gz" for d in ("rsa", "rsaraw", "rsauntrained")),
        *(
            f"{MODEL}stat-p_desc-{d}_statmap.nii.gz"
            for d in ("rsa", "rsafwe", "rsabeyond", "rsabeyondfwe")
        ),
        f"{MODEL}stat-rho_desc-rsabeyond_statmap.nii.gz",
        "sub-01_desc-rsaacoustics_stats.tsv",
        f"{MODEL}stat-centroid_desc-rsa_statmap.nii.gz",
        *(f"{FILES}stat-{s}_desc-rsa_statmap.nii.gz" for s in ("pattern", "radius", "size")),
        *(f"{MODEL}desc-{d}_stats.tsv" for d in ("rsaprofile", "rsanull", "rsadelay")),
        f"{MODEL}stat-delay_desc-rsa_statmap.nii.gz",
        f"{FILES}desc-rsalag_stats.tsv",
        f"{FILES}desc-rsasummary_stats.json",
        "sub-01_model-musicnn_desc-rsamodels_stats.tsv",
        *(f"sub-01_desc-{d}_stats.tsv" for d in ("rsaitems", "rsanuisance", "rsaalignment")),
    }
    names = {path.name for path in robust.iterdir()}
    assert expected <= names
    anatomical = {path.name for path in (robust.parent / "anat").iterdir()}
    assert {BEST, SIGNIFICANT, BEST.replace(".nii.gz", ".tsv")} <= anatomical
    labels = {name.split("desc-")[1].split("_")[0] for name in names | anatomical}
    written = [item for item in declared.RESULTS if item.at("participant")]
    assert labels == {item.entities("musicnn")["desc"] for item in written}
    missing = {f"{MODEL}stat-rho_desc-rsauntrained_statmap.nii.gz"}
    assert {path.name for path in faithful.iterdir()} & missing == set()


def test_tables_fit_the_maps(robust: Path) -> None:
    items = pd.read_table(robust / "sub-01_desc-rsaitems_stats.tsv")
    assert len(items) == 24
    assert (items["n_repeats"] == 3).all()
    assert items.groupby("clip", sort=False).size().tolist() == [4] * 6
    patterns = maps(robust, f"{FILES}stat-pattern_desc-rsa_statmap.nii.gz")
    assert len(patterns) == 24
    models = pd.read_table(robust / "sub-01_model-musicnn_desc-rsamodels_stats.tsv")
    assert len(models) == 24 * 23 // 2
    assert list(models)[2:] == LAYERS
    profile = pd.read_table(robust / f"{MODEL}desc-rsaprofile_stats.tsv")
    assert profile["layer"].tolist() == LAYERS
    rho = maps(robust, f"{MODEL}stat-rho_desc-rsa_statmap.nii.gz")
    np.testing.assert_allclose(profile["mean_rho"], np.nanmean(rho, axis=1), atol=1e-5)
    significant = maps(robust.parent / "anat", SIGNIFICANT)[0] > 0
    best = maps(robust.parent / "anat", BEST)[0]
    np.testing.assert_array_equal(best > 0, significant)
    centroid = maps(robust, f"{MODEL}stat-centroid_desc-rsa_statmap.nii.gz")[0]
    np.testing.assert_array_equal(np.isfinite(centroid), significant)


def test_raw_scores_are_those_of_the_patterns(robust: Path) -> None:
    """One searchlight from the written files alone, with scipy."""
    from scipy.spatial.distance import pdist
    from scipy.stats import rankdata

    patterns = maps(robust, f"{FILES}stat-pattern_desc-rsa_statmap.nii.gz")
    rho = maps(robust, f"{MODEL}stat-rho_desc-rsaraw_statmap.nii.gz")
    image = nib.load(robust / f"{FILES}stat-size_desc-rsa_statmap.nii.gz")
    inside = np.isfinite(image.get_fdata()).ravel()
    voxels = np.argwhere(inside.reshape(image.shape))
    centre = 200
    distance = ((voxels - voxels[centre]) ** 2).sum(axis=1)
    members = np.argsort(distance, kind="stable")[:30]
    columns = np.flatnonzero(inside)[members]
    data = pdist(rankdata(patterns[:, columns], axis=1), "correlation").round(12)
    models = pd.read_table(robust / "sub-01_model-musicnn_desc-rsamodels_stats.tsv")
    items = pd.read_table(robust / "sub-01_desc-rsaitems_stats.tsv")["clip"].to_numpy()
    between = items[models["item_i"] - 1] != items[models["item_j"] - 1]
    expected = [spearmanr(data[between], models[layer][between])[0] for layer in LAYERS]
    found = rho[:, np.flatnonzero(inside)[centre]]
    np.testing.assert_allclose(found, expected, atol=2e-4)  # models have six digits in the table


def test_patterns_are_centred_over_items(robust: Path, faithful: Path) -> None:
    """What all items share says nothing of which are alike; the paper does not take it away."""
    name = f"{FILES}stat-pattern_desc-rsa_statmap.nii.gz"
    for folder, is_centred in ((robust, True), (faithful, False)):
        patterns = maps(folder, name)
        patterns = patterns[:, np.isfinite(patterns).all(axis=0)]
        shared = np.abs(patterns.mean(axis=0)).mean() / patterns.std(axis=0).mean()
        assert (shared < 1e-5) == is_centred


def test_planted_layers_come_back(robust: Path, planted: np.ndarray) -> None:
    rho = maps(robust, f"{MODEL}stat-rho_desc-rsa_statmap.nii.gz")
    here = (planted > 0) & np.isfinite(rho).all(axis=0)
    assert np.nanmax(rho[:, here], axis=0).mean() > 0.15
    centroid = centroid_layer(rho[:, here])
    known = np.isfinite(centroid)
    assert known.mean() > 0.9
    assert spearmanr(centroid[known], planted[here][known])[0] > 0.3


def test_acoustics_stay_in_scores_and_leave_in_a_second_test(
    analysed: Callable[..., Path], robust: Path, planted: np.ndarray
) -> None:
    found = summary(robust)
    assert found["acoustics"] == ["loudness", "onsets"]  # six clips allow for two regressors
    assert "acoustics" not in found["nuisance"]
    assert "Acoustic features not removed" in {item["title"] for item in found["cautions"]}
    name = f"{MODEL}desc-rsaprofile_stats.tsv"
    without = analysed(n_untrained=1)
    profiles = [pd.read_table(folder / name) for folder in (robust, without)]
    assert profiles[0]["acoustic_share"].between(0.01, 1).all()
    assert profiles[1]["acoustic_share"].isna().all()
    assert profiles[1]["n_beyond"].isna().all()
    beyond_name = f"{MODEL}stat-rho_desc-rsabeyond_statmap.nii.gz"
    assert not (without / beyond_name).exists()
    scores = f"{MODEL}stat-rho_desc-rsa_statmap.nii.gz"
    rho, beyond = (maps(robust, name) for name in (scores, beyond_name))
    np.testing.assert_array_equal(rho, maps(without, scores))
    inside = (planted > 0) & np.isfinite(rho).all(axis=0)
    assert 0.05 < beyond[:, inside].max(axis=0).mean() < rho[:, inside].max(axis=0).mean()
    p = maps(robust, f"{MODEL}stat-p_desc-rsabeyondfwe_statmap.nii.gz")
    n = profiles[0]["n_beyond"].to_numpy()
    np.testing.assert_array_equal(n, (p <= 0.05).sum(axis=1))


def test_scores_beyond_acoustics_are_those_of_the_written_files(robust: Path) -> None:
    """One searchlight: patterns without the written regressors, the hat matrix partialled out."""
    from scipy.spatial.distance import pdist
    from scipy.stats import rankdata

    patterns = maps(robust, f"{FILES}stat-pattern_desc-rsa_statmap.nii.gz")
    beyond = maps(robust, f"{MODEL}stat-rho_desc-rsabeyond_statmap.nii.gz")
    image = nib.load(robust / f"{FILES}stat-size_desc-rsa_statmap.nii.gz")
    inside = np.isfinite(image.get_fdata()).ravel()
    voxels = np.argwhere(inside.reshape(image.shape))
    members = np.argsort(((voxels - voxels[200]) ** 2).sum(axis=1), kind="stable")[:30]
    basis = pd.read_table(robust / "sub-01_desc-rsaacoustics_stats.tsv").drop(columns="item")
    own = patterns[:, np.flatnonzero(inside)[members]]
    own = own - basis.to_numpy() @ (basis.to_numpy().T @ own)
    models = pd.read_table(robust / "sub-01_model-musicnn_desc-rsamodels_stats.tsv")
    items = pd.read_table(robust / "sub-01_desc-rsaitems_stats.tsv")["clip"].to_numpy()
    between = items[models["item_i"] - 1] != items[models["item_j"] - 1]
    hat = -(basis.to_numpy() @ basis.to_numpy().T)[np.triu_indices(len(items), 1)]
    nuisance = pd.read_table(robust / "sub-01_desc-rsanuisance_stats.tsv").iloc[:, 2:]
    beside = np.column_stack([np.ones(between.sum())] + [
        rankdata(row) for row in (*nuisance.to_numpy()[between].T, hat[between])
    ])  # fmt: skip

    def rest(values: np.ndarray) -> np.ndarray:
        ranks = rankdata(values)
        left: np.ndarray = ranks - beside @ np.linalg.lstsq(beside, ranks, rcond=None)[0]
        return left / np.linalg.norm(left)

    data = rest(pdist(rankdata(own, axis=1), "correlation").round(12)[between])
    expected = [data @ rest(models[layer].to_numpy()[between]) for layer in LAYERS]
    found = beyond[:, np.flatnonzero(inside)[200]]
    np.testing.assert_allclose(found, expected, atol=2e-3)  # regressors and models are rounded


def test_null_tissue_is_null(robust: Path, planted: np.ndarray) -> None:
    """Searchlights that hold no planted voxel, with a radius read from the files."""
    from scipy.ndimage import distance_transform_edt

    radius = maps(robust, f"{FILES}stat-radius_desc-rsa_statmap.nii.gz")[0]
    image = nib.load(robust / f"{FILES}stat-radius_desc-rsa_statmap.nii.gz")
    away = distance_transform_edt((planted <= 0).reshape(image.shape)).ravel() * 10.0
    far = np.isfinite(radius) & (away > radius)
    assert far.sum() > 50
    p = maps(robust, f"{MODEL}stat-p_desc-rsa_statmap.nii.gz")[:, far]
    assert (p <= 0.05).mean() < 0.12  # few independent searchlights, one draw of sounds
    assert not (maps(robust.parent / "anat", SIGNIFICANT)[0, far] > 0).any()


def test_cautions_are_those_of_the_variant(robust: Path, faithful: Path) -> None:
    severities = {item["title"]: item["severity"] for item in summary(robust)["cautions"]}
    assert severities["No grey-matter mask"] == "caution"
    assert severities["MusiCNN has random weights"] == "serious"
    biased = "The maximum over layers is biased"
    assert biased not in severities
    severities = {item["title"]: item["severity"] for item in summary(faithful)["cautions"]}
    assert severities["Autocorrelation"] == "serious"
    assert severities[biased] == "serious"
    network = summary(faithful)["networks"]["musicnn"]
    assert 0 < network["expected_maximum"] < network["mean_maximum"]
    best = maps(faithful.parent / "anat", BEST)[0]
    assert np.count_nonzero(best) > 0.9 * summary(faithful)["n_searchlights"]


def test_a_stopped_search_goes_on_and_ends_the_same(
    analysed: Callable[..., Path], clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"n_permutations": 40, "searchlight_count": 20}
    whole = analysed(**changes)
    monkeypatch.setattr(search, "SLAB", 700)
    genuine, calls = search.score_participant, []

    def stop_in_the_middle(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return genuine(*arguments)

    monkeypatch.setattr(participant, "score_participant", stop_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        analysed(**changes)
    kept = sorted((clips / "work").rglob("slab-*.npz"))
    assert len(kept) == 1
    resumed = analysed(**changes)
    n_slabs = -(-summary(resumed)["n_searchlights"] // 700)
    assert len(calls) == 2 + n_slabs - 1
    assert not list((clips / "work").rglob("slab-*.npz"))
    for path in whole.iterdir():
        assert (resumed / path.name).read_bytes() == path.read_bytes(), path.name


def test_crossnobis_and_one_item_per_clip(analysed: Callable[..., Path]) -> None:
    folder = analysed(
        dissimilarity="crossnobis", item_unit="clip", searchlight_radius_mm=15.0, nuisance=[]
    )
    found = summary(folder)
    assert found["n_items"] == found["n_clips"] == 6
    rho = maps(folder, f"{MODEL}stat-rho_desc-rsa_statmap.nii.gz")
    raw = maps(folder, f"{MODEL}stat-rho_desc-rsaraw_statmap.nii.gz")
    np.testing.assert_array_equal(rho, raw)
    assert np.isfinite(rho).any()
