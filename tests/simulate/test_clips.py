"""The design ``clips``: orders, geometry of local patterns, recovery, null tissue."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist
from scipy.stats import rankdata, spearmanr

from bidsapp.bids.names import build_path
from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import volume_units
from bidsapp.errors import InputMissingError, ResourceUnavailableError, UsageError
from bidsapp.recipes import truth_checks
from bidsapp.recipes.rsa import results as declared
from bidsapp.recipes.rsa.check_truth import CHECK, check_rsa, null_units
from bidsapp.results.write import Output
from bidsapp.simulate.clips import (
    ClipsOptions,
    clip_orders,
    latin_square,
)
from bidsapp.simulate.dataset import simulate
from bidsapp.simulate.oracle import bold_paths, read_grid
from bidsapp.simulate.patterns import pattern_courses, principal_courses
from bidsapp.simulate.planted import read_map, read_truth
from bidsapp.simulate.signals import Playing, response_matrix
from bidsapp.simulate.spaces import mni_space
from bidsapp.simulate.topography import HESCHL_MM, STG_AXIS, axis_rank, plant
from bidsapp.simulate.truth import check_truth, findings

MNI = "MNI152NLin2009cAsym"
TRIM_S = 8.0


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, stand_in):
    folder = tmp_path_factory.mktemp("clips")
    simulate(folder, ClipsOptions.quick(n_participants=1), features=stand_in, quiet=True)
    return folder


@given(n=st.integers(3, 15))
def test_rows_and_columns_of_a_latin_square_hold_every_clip_once(n):
    square = latin_square(n)
    for line in (*square, *square.T):
        assert sorted(line) == list(range(n))
    if n % 2 == 0:
        followers = {(row[i], row[i + 1]) for row in square for i in range(n - 1)}
        assert len(followers) == n * (n - 1)


def test_orders_differ_between_runs_and_participants_unless_they_are_common():
    latin = ClipsOptions(n_pieces=8, n_runs=4)
    orders = np.concatenate([clip_orders(latin, number) for number in (1, 2, 3)])
    assert len({tuple(order) for order in orders}) == 12
    common = ClipsOptions(order="common")
    orders = np.concatenate([clip_orders(common, number) for number in (1, 2, 3)])
    assert len({tuple(order) for order in orders}) == 1
    many = clip_orders(ClipsOptions(n_pieces=3, n_runs=5), 1)
    assert many.shape == (5, 3)


def test_every_run_plays_every_clip(dataset):
    truth = read_truth(dataset)
    assert truth.design == "clips"
    runs = truth.runs("01")
    assert len(runs) == 4
    for run in runs:
        assert sorted(item.piece for item in run.playing) == list(range(6))
        path = dataset / build_path({"sub": "01", **run.entities}, "events", ".tsv")
        events = pd.read_table(path)
        gaps = np.diff(events.onset) - events.duration[:-1]
        assert (gaps >= 8 - 1e-9).all()
        assert all((dataset / "stimuli" / name).exists() for name in events.stim_file)


def test_depth_rises_from_heschl_in_both_directions():
    walk = np.arange(-50, 51, 2.0)[:, None] * STG_AXIS
    for centre in HESCHL_MM:
        layer = plant(centre + walk, 10, rank=axis_rank).layer
        middle = len(layer) // 2
        assert layer[middle] == 1
        assert (np.diff(layer[middle:]) >= 0).all()
        assert (np.diff(layer[: middle + 1]) <= 0).all()
        assert layer[0] >= 9
        assert layer[-1] >= 9


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), n_channels=st.integers(2, 40))
def test_principal_courses_keep_distances_between_standardised_channels(seed, n_channels):
    rng = np.random.default_rng(seed)
    channels = rng.normal(
        rng.normal(size=n_channels), rng.uniform(0.1, 9, n_channels), (30, n_channels)
    )
    channels[:, 0] = 3.0
    courses = principal_courses(channels, 50)
    standard = (channels[:, 1:] - channels[:, 1:].mean(axis=0)) / channels[:, 1:].std(axis=0)
    assert courses.var(axis=0).sum() == pytest.approx(1)
    ratio = pdist(courses) / pdist(standard)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_local_patterns_are_as_far_apart_as_courses():
    rng = np.random.default_rng(0)
    response = rng.standard_normal((40, 12))
    places = rng.uniform(0, 40, (400, 3))
    signal = pattern_courses(response, places, [1, 2])
    np.testing.assert_allclose(signal.std(axis=0), 1, rtol=1e-4)
    geometry = spearmanr(pdist(response), pdist(signal)).statistic
    assert geometry > 0.9
    other = pattern_courses(response, places, [1, 3])
    assert abs(np.corrcoef(signal[:, 0], other[:, 0])[0, 1]) < 0.9


def layer_scores(dataset, centres, n_members=60):
    """Correlate local and layer dissimilarities between clips: (n_layers, n_centres)."""
    truth = read_truth(dataset)
    features, options = truth.features, truth.options
    space = mni_space(options["voxel_mm"])
    times = np.arange(TRIM_S, options["piece_s"], options["tr_s"])
    n_clips = options["n_pieces"]
    clip = np.repeat(np.arange(n_clips), len(times))
    first, second = np.triu_indices(len(clip), 1)
    between = clip[first] != clip[second]
    items = np.zeros((len(clip), len(space.index)))
    for run in truth.runs("01"):
        entities = {"sub": "01", **run.entities}
        data = read_grid(bold_paths(dataset / "derivatives/fmriprep", entities, MNI))
        bold = data[space.index].T.astype(float)
        slow = np.polynomial.legendre.legvander(np.linspace(-1, 1, len(bold)), 4)
        bold -= slow @ np.linalg.lstsq(slow, bold, rcond=None)[0]
        bold /= bold.std(axis=0)
        onsets = {item.piece: item.onset_s for item in run.playing}
        at = np.concatenate([onsets[number] + times for number in range(n_clips)])
        rows = np.rint((at - run.start_s) / run.tr_s).astype(int)
        items += bold[rows]
    layers = []
    for channels in features.scores:
        response = [
            response_matrix(times, [Playing(number, 0.0, options["piece_s"])], features)
            for number in range(n_clips)
        ]
        courses = np.concatenate(response) @ principal_courses(channels, 50)
        layers.append(rankdata(pdist(courses, "correlation")[between]))
    members = cKDTree(space.coordinates_mm).query(space.coordinates_mm[centres], n_members)[1]
    local = [rankdata(pdist(items[:, unit], "correlation")[between]) for unit in members]
    return np.corrcoef(np.array(layers), np.array(local))[: len(layers), len(layers) :]


def test_planted_layers_are_found_and_null_tissue_holds_nothing(dataset):
    truth = read_truth(dataset)
    planted = read_map(truth.maps()["01", MNI])
    space = mni_space(8)
    layer = planted.layer[space.index]
    far = null_units(None, planted, space)
    null = np.flatnonzero(np.isin(space.index, far))[::4]
    signal = np.flatnonzero(layer > 0)[::6]
    scores = layer_scores(dataset, np.concatenate([signal, null]))
    found, rest = scores[:, : len(signal)], scores[:, len(signal) :]
    own = found[layer[signal] - 1, np.arange(len(signal))]
    weights = found.clip(0)
    centroid = np.arange(1, len(scores) + 1) @ weights / weights.sum(axis=0)
    assert own.mean() > 0.3
    assert np.corrcoef(centroid, layer[signal])[0, 1] > 0.6
    assert abs(rest.mean()) < 0.06
    assert rest.std() < 0.2


def test_the_check_recognises_perfect_maps_and_their_p_values(dataset, tmp_path):
    truth = read_truth(dataset)
    planted = read_map(truth.maps()["01", MNI])
    inside = planted.layer >= 0
    units = volume_units(inside.reshape(mni_space(8).mask.shape), np.eye(4), space=MNI)
    layer = planted.layer[inside]
    scores = np.where(layer > 0, 0.3 - 0.05 * np.abs(np.arange(1, 7)[:, None] - layer), 0.0)
    uniform = np.random.default_rng(0).uniform(size=scores.shape)
    names = [f"layer{k}" for k in range(1, 7)]
    facts = {"space": MNI, "networks": {"vggish": {"layers": names}}}
    for subject, score, summary in (
        ("01", declared.SCORE, declared.SUMMARY),
        ("", declared.MEAN, declared.GROUP_SUMMARY),
    ):
        with Staging(tmp_path, f"rsa_{subject}") as staging:
            out = Output(staging, units, subject=subject, common={})
            out.write(declared.N if not subject else declared.SIZE, np.ones(units.n_units))
            for result, values in (
                (score, scores),
                (declared.P, np.where(layer > 0, 0.001, uniform)),
                (declared.P_FWE, np.where(layer > 0, 0.01, np.ones(scores.shape))),
                (declared.BEST_LAYER, layer),
            ):
                out.write(result, values, network="vggish", names=names)
            out.write(summary, facts)
            staging.publish()
    found = check_rsa(dataset, tmp_path, truth, oracle=False)
    assert found is not None
    for entry in (found["participants"][0], found["group"][0]):
        assert entry["best_layer_r"] == pytest.approx(1)
        assert entry["written_best_layer_r"] == pytest.approx(1)
        assert entry["centroid_r"] > 0.95
        assert entry["null_mean_rho"] == 0
        assert entry["null_share_p05"] == pytest.approx(0.05, abs=0.03)
        assert entry["null_share_fwe05"] == 0
        assert entry["planted_share_fwe05"] == 1
    lines = findings({"rsa": found}, {"rsa": CHECK})
    assert len(lines) == 6
    assert lines[0].startswith(f"rsa: {MNI}, mean of participants: centroid layer")


def test_results_of_another_recipe_are_not_looked_for(dataset, tmp_path):
    with pytest.raises(InputMissingError, match="fit the design clips"):
        check_truth(dataset, tmp_path, truth_checks())


@pytest.mark.parametrize("changes", [{"order": "random"}, {"n_pieces": 2}, {"snr": -1.0}])
def test_clips_that_make_no_design_are_refused(changes):
    with pytest.raises(UsageError, match="a simulation"):
        ClipsOptions(**changes).check()


def test_a_trained_network_needs_its_weights(tmp_path):
    options = ClipsOptions.quick(n_participants=1, network="musicnn-mtt", weights="pretrained")
    with pytest.raises(ResourceUnavailableError, match="musicnn"):
        simulate(tmp_path / "data", options, weights_dir=tmp_path, quiet=True)
