"""The truth check on results that are made up, and the oracle on data that are simulated."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import surface_units, volume_units
from bidsapp.errors import InputMissingError
from bidsapp.recipes import truth_checks
from bidsapp.recipes.gradients import group_results as of_group
from bidsapp.recipes.gradients import results as declared
from bidsapp.results.write import Output
from bidsapp.simulate.checks.shared import mean_of
from bidsapp.simulate.dataset import MusicOptions, simulate
from bidsapp.simulate.oracle import music_rows, oracle_scores
from bidsapp.simulate.planted import read_map, read_truth
from bidsapp.simulate.recovery import centroid, correlation, recovery
from bidsapp.simulate.truth import check_truth, findings

MNI = "MNI152NLin2009cAsym"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, stand_in):
    folder = tmp_path_factory.mktemp("planted")
    options = MusicOptions.quick(n_pieces=4, piece_s=40.0, spaces=(MNI, "fsaverage5"), snr=2.0)
    simulate(folder, options, features=stand_in, quiet=True)
    return folder


def _units(dataset, space):
    """Return the units of a space, and their places in the flattened grid."""
    if space == "fsaverage5":
        return surface_units(10242, 10242, space=space, density="10k"), slice(None)
    func = dataset / "derivatives/fmriprep/sub-01/func"
    image = nib.load(next(func.glob(f"*{MNI}*brain_mask.nii.gz")))
    mask = np.asarray(image.dataobj) > 0
    return volume_units(mask, image.affine, space=space), mask.ravel()


def _filled(table, rows):
    """Add the declared columns that do not matter here."""
    return [dict.fromkeys(table.header) | row for row in rows]


def _make_results(dataset, out, space, scores, parcels, p_values, ratings=()):
    """Write `scores` (n_layers, n_grid) and parcels by the writer of the recipe."""
    units, inside = _units(dataset, space)
    layers = [f"layer{number}" for number in range(1, len(scores) + 1)]
    with Staging(out, "participant") as staging:
        output = Output(staging, units, subject="01", common={})
        for lags, factor in (("positive", 1.0), ("negative", 0.1)):
            r = factor * scores[:, inside]
            output.write(declared.SCORE.of(lags), r, network="vggish", names=layers)
            centroids = centroid(scores[:, inside])
            output.write(declared.CENTROID.of(lags), centroids, network="vggish")
        names = [f"parcel{number}" for number in range(1, int(parcels.max()) + 1)]
        output.write(declared.PARCEL_LABELS, parcels[inside], names=names)
        rows = [{"lags": "positive", "parcel": k, "p": p} for k, p in p_values.items()]
        summary = _filled(declared.PARCEL_SUMMARY, rows)
        output.write(declared.PARCEL_SUMMARY, summary, network="vggish")
        if ratings:
            rows = _filled(declared.RATINGS, ratings)
            output.write(declared.RATINGS, rows, network="vggish")
        facts = {"space": space, "networks": {"vggish": {"layers": layers}}}
        output.write(declared.SUMMARY, facts)
        staging.publish()


@pytest.mark.parametrize("space", [MNI, "fsaverage5"])
def test_perfect_maps_are_recognised(dataset, tmp_path, space):
    planted = read_map(read_truth(dataset).maps()["01", space])
    layers = np.arange(1, 7)[:, None]
    scores = np.where(planted.layer > 0, 0.3 - 0.05 * np.abs(layers - planted.layer), 0.0)
    scores[:, planted.layer < 0] = np.nan
    null = np.flatnonzero(planted.layer == 0)
    parcels = np.where(planted.layer > 0, 1, 0)
    parcels[null] = 2 + np.arange(len(null)) % 20
    p_values = {1: 0.001, 2: 0.01} | dict.fromkeys(range(3, 21), 0.5) | {21: np.nan}
    _make_results(dataset, tmp_path, space, scores, parcels, p_values)
    found = check_truth(dataset, tmp_path, truth_checks(), oracle=False)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    said = [line for line in findings(found, truth_checks()) if "centroid layer" in line]
    assert len(said) == 1
    assert f"at {found['gradients']['mean'][space]['centroid_r']:.3g}" in said[0]
    assert found["gradients"]["reached"][space]["centroid_r"]
    found = found["gradients"]
    entry = found["participants"][0]
    assert (entry["participant"], entry["space"]) == ("01", space)
    assert entry["centroid_r"] > 0.95
    assert entry["best_layer_r"] == pytest.approx(1)
    assert entry["planted_layer_r"] == pytest.approx(0.3, abs=1e-3)
    assert entry["planted_layer_r_negative_lags"] == pytest.approx(0.03, abs=1e-3)
    assert entry["null_mean_r"] == 0
    assert entry["n_null_parcels"] == 19
    assert entry["null_parcels_significant"] == pytest.approx(1 / 19, abs=1e-4)
    assert entry["planted_parcels_significant"] == 1
    assert all(found["reached"][space].values())


def test_maps_of_another_tissue_are_not_recognised(dataset, tmp_path):
    planted = read_map(read_truth(dataset).maps()["01", MNI])
    scores = np.random.default_rng(0).normal(0.1, 0.05, (6, len(planted.layer)))
    parcels = np.where(planted.layer > 0, 1, 2)
    _make_results(dataset, tmp_path, MNI, scores, parcels, {1: 0.5, 2: 0.01})
    found = check_truth(dataset, tmp_path, truth_checks(), oracle=False)["gradients"]
    assert found["mean"][MNI]["centroid_r"] < 0.2
    assert found["reached"][MNI] == {
        "centroid_r": False,
        "null_mean_r": False,
        "null_parcels_significant": False,
    }


def test_ratings_are_averaged_over_participants(dataset, tmp_path):
    planted = read_map(read_truth(dataset).maps()["01", MNI])
    scores = np.ones((6, len(planted.layer)))
    parcels = np.where(planted.layer > 0, 1, 2)
    profile = [0.1, 0.3, 0.2, -0.4, 0.0, 0.0]
    rows = [
        {"rating": "enjoyment", "lags": lags, "layer_index": n, "piece": "mean", "r": r}
        for lags, sign in (("positive", 1), ("negative", -1))
        for n, r in enumerate(sign * np.array(profile), start=1)
    ]
    _make_results(dataset, tmp_path, MNI, scores, parcels, {1: 0.5, 2: 0.01}, rows)
    found = check_truth(dataset, tmp_path, truth_checks(), oracle=False)
    enjoyment = found["gradients"]["ratings"]["enjoyment"]
    assert enjoyment["peak_layer"] == 2
    assert enjoyment["centroid_layer"] == pytest.approx((0.1 + 0.6 + 0.6) / 0.6, abs=1e-3)
    assert enjoyment["planted_layer"] == read_truth(dataset).ratings["enjoyment"]


def test_missing_results_and_missing_truth_are_named(dataset, tmp_path):
    with pytest.raises(InputMissingError, match="no results of gradients"):
        check_truth(dataset, tmp_path, truth_checks())
    with pytest.raises(InputMissingError, match=r"truth\.json"):
        check_truth(tmp_path, tmp_path, truth_checks())


@pytest.mark.parametrize("space", [MNI, "fsaverage5"])
def test_the_oracle_finds_what_is_planted_and_nothing_elsewhere(dataset, space):
    truth = read_truth(dataset)
    planted = read_map(truth.maps()["01", space])
    rng = np.random.default_rng(0)
    signal = rng.choice(np.flatnonzero(planted.layer > 0), 150)
    null = rng.choice(np.flatnonzero(planted.layer == 0), 150)
    scores = oracle_scores(dataset, truth, "01", space, np.concatenate([signal, null]))
    found = recovery(scores[:, :150], planted.layer[signal])
    assert found["centroid_r"] > 0.7
    assert found["planted_layer_r"] > 0.3
    assert abs(scores[:, 150:].mean()) < 0.06


def test_music_rows_start_late_and_stay_inside_presentations(dataset):
    runs = read_truth(dataset).runs("01")
    rows, presentation, piece = music_rows(runs)
    assert len(np.unique(rows)) == len(rows)
    assert np.bincount(presentation).min() == np.bincount(presentation).max() == 35
    assert [piece[presentation == n][0] for n in np.unique(presentation)] == [
        item.piece for run in runs for item in run.playing
    ]


def test_centroids_use_positive_scores_only():
    scores = np.array([[0.2, -0.1, 0.0], [0.2, -0.3, 0.0], [-0.5, 0.4, 0.0]])
    np.testing.assert_allclose(centroid(scores), [1.5, 3.0, np.nan])


def test_correlation_needs_variance_and_three_points():
    assert np.isnan(correlation([1, 1, 1], [1, 2, 3]))
    assert np.isnan(correlation([1, 2, np.nan], [1, 2, 3]))
    assert correlation([1, 2, 3, np.nan], [2, 4, 6, 0]) == pytest.approx(1)


def test_units_without_any_score_are_left_out():
    scores = np.array([[0.1, np.nan, 0.4], [0.2, np.nan, 0.1]])
    found = recovery(scores, np.array([2, 1, 1]))
    assert found["n_units"] == 2
    assert found["planted_layer_r"] == pytest.approx(0.3)


def test_means_leave_out_what_is_undefined():
    entries = [
        {"a": 1.0, "b": {"c": float("nan")}, "name": "x"},
        {"a": 3.0, "b": {"c": 2.0}, "name": "y"},
    ]
    assert mean_of(entries) == {"a": 2.0, "b": {"c": 2.0}}


def test_spin_tests_of_the_group_are_read_and_said(dataset, tmp_path):
    planted = read_map(read_truth(dataset).maps()["01", "fsaverage5"])
    scores = np.where(planted.layer > 0, 0.3, 0.0) * np.ones((6, 1))
    parcels = np.where(planted.layer > 0, 1, 2)
    _make_results(dataset, tmp_path, "fsaverage5", scores, parcels, {1: 0.5, 2: 0.01})
    p_values = {"positive": 0.001, "negative": float("nan")}
    rows = [
        {"lags": lags, "map": "centroid", "reference": reference, "hemisphere": side,
         "direction": direction, "r": 0.9, "p": p + shift, "p_max": p + shift + 0.1}
        for lags, p in p_values.items()
        for shift, (reference, side, direction) in enumerate(
            [
                ("gradient1", "both", "reference rotated"),
                ("gradient2", "both", "reference rotated"),
                ("gradient1", "L", "reference rotated"),
                ("gradient1", "both", "map rotated"),
            ]
        )
    ]  # fmt: skip
    units, _ = _units(dataset, "fsaverage5")
    with Staging(tmp_path, "group") as staging:
        output = Output(staging, units, subject="", common={})
        output.write(of_group.SPINS, _filled(of_group.SPINS, rows), network="vggish")
        facts = {"space": "fsaverage5", "networks": {"vggish": {"layers": ["a"]}}}
        output.write(of_group.SUMMARY, facts)
        staging.publish()
    found = check_truth(dataset, tmp_path, truth_checks(), oracle=False)
    test = found["gradients"]["group"]["fsaverage5"]["vggish"][0]
    assert test["map"] == "centroid"
    assert test["p_planted"] == 0.001
    assert test["r_negative"] == 0.9
    lines = findings(found, truth_checks())
    assert any("planted gradient spin p = 0.001 (r = 0.9)" in line for line in lines)
