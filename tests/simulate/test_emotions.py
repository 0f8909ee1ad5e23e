"""The design ``emotions``: film, labels as the app reads them, signal, lag, leak."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bidsapp.bids.names import build_path
from bidsapp.errors import UsageError
from bidsapp.simulate.dataset import simulate
from bidsapp.simulate.emotions import EmotionsOptions
from bidsapp.simulate.film import EMOTIONS, SCENE_S, Scene, intensity, labels, write_script
from bidsapp.simulate.observers import COLUMNS
from bidsapp.simulate.oracle import bold_paths, read_grid
from bidsapp.simulate.planted import read_truth

MNI = "MNI152NLin2009cAsym"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("emotions")
    simulate(folder, EmotionsOptions.quick(), quiet=True)
    return folder


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leaky")
    options = EmotionsOptions.quick(n_participants=1, snr=0.0, leak=True, run_s=160.0)
    simulate(folder, options, quiet=True)
    return folder


def _volumes(dataset, subject):
    """Volumes standardised by run, their emotions and runs; volumes without emotion left out."""
    truth = read_truth(dataset)
    data, emotions, numbers = [], [], []
    for number, run in enumerate(truth.runs(subject)):
        entities = {"sub": subject, **run.entities}
        grid = read_grid(bold_paths(dataset / "derivatives/fmriprep", entities, MNI)).T
        inside = grid[:, grid.std(axis=0) > 0]
        table = pd.read_table(truth.folder / f"task-film_run-{number + 1}_truth.tsv")
        known = table.emotion.notna().to_numpy()
        data.append(((inside - inside.mean(axis=0)) / inside.std(axis=0))[known])
        emotions.append(table.emotion[known].to_numpy())
        numbers.append(np.full(known.sum(), number))
    return np.concatenate(data), np.concatenate(emotions), np.concatenate(numbers)


def _balanced_accuracy(data, emotions, folds):
    """Nearest class mean by correlation, tested fold by fold."""
    hit = np.zeros(len(emotions), dtype=bool)
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        known = np.unique(emotions[train])
        means = np.array([data[train][emotions[train] == name].mean(axis=0) for name in known])
        means -= means.mean(axis=0)
        score = data[test] @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
        hit[test] = known[score.argmax(axis=1)] == emotions[test]
    return np.mean([hit[emotions == name].mean() for name in EMOTIONS])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), run_s=st.floats(96, 400), n_runs=st.integers(1, 6))
def test_every_run_has_every_emotion_and_scenes_do_not_overlap(seed, run_s, n_runs):
    film = write_script(n_runs, run_s, 16.0, seed)
    ends = [scene.end_s for scene in film.scenes]
    onsets = [scene.onset_s for scene in film.scenes]
    assert all(end <= start + 1e-2 for end, start in zip(ends, onsets[1:], strict=False))
    assert ends[-1] <= film.seconds + 1e-2
    for scene in film.scenes:
        assert SCENE_S[0] - 1e-2 <= scene.duration_s <= SCENE_S[1] + 1e-2
    np.testing.assert_allclose(np.diff(film.starts_s), run_s - 16.0)
    for run in range(n_runs):
        segment = film.segment(run)
        assert {scene.emotion for scene in segment} == set(EMOTIONS)
        assert all(scene.onset_s >= 0 and scene.end_s <= run_s + 1e-6 for scene in segment)


def test_frequencies_are_uneven_as_planned():
    film = write_script(8, 400.0, 16.0, 0)
    total = dict.fromkeys(EMOTIONS, 0.0)
    for scene in film.scenes:
        total[scene.emotion] += scene.duration_s
    shares = {name: value / sum(total.values()) for name, value in total.items()}
    for name, share in EMOTIONS.items():
        assert shares[name] == pytest.approx(share, abs=0.05)


def test_shared_moments_are_those_of_the_overlap():
    film = write_script(3, 120.0, 16.0, 0)
    moments = film.starts_s[1] + np.array([0.0, 15.9, 16.1, 60.0, 103.9, 104.1])
    assert film.shared(moments, 1).tolist() == [True, True, False, False, False, True]
    assert not write_script(1, 120.0, 16.0, 0).shared(moments, 0).any()


def test_the_response_is_symmetric_about_the_lag():
    times = np.arange(0, 60, 0.25)
    level = intensity([Scene("fear", 20.0, 10.0, 9)], times, lag_s=4.0)
    fear = list(EMOTIONS).index("fear")
    assert level[:, fear].max() == pytest.approx(1)
    assert times @ level[:, fear] / level[:, fear].sum() == pytest.approx(29.0, abs=0.2)
    assert level.sum() == pytest.approx(level[:, fear].sum())
    assert labels([Scene("fear", 20.0, 10.0, 9)], np.array([19.9, 20.0, 30.0])) == [
        None,
        "fear",
        None,
    ]


def test_the_app_reads_the_labels_that_are_planted(dataset):
    from bidsapp.bids.dataset import open_dataset
    from bidsapp.bids.intervals import _of_runs
    from bidsapp.bids.records import Run
    from bidsapp.bids.stimuli import stimuli_folders

    truth = read_truth(dataset)
    scheduled = truth.runs("01")
    runs = [
        Run({"sub": "01", **run.entities}, MNI, None, None, "volume", (), None, None, 2.0, 60)
        for run in scheduled
    ]
    found, problems = _of_runs(stimuli_folders(open_dataset(dataset), None), runs)
    assert problems == []
    classes = {column.removeprefix("e_"): name for name, column in COLUMNS.items()}
    overlaps = 0
    for number, run in enumerate(runs):
        table = pd.read_table(truth.folder / f"task-film_run-{number + 1}_truth.tsv")
        mine = [item for item in found if item.key == run.name and item.label in classes]
        for time, planted in zip(table.time_s - 5.0, table.emotion, strict=True):
            now = [
                item
                for item in mine
                if item.onset_s <= time < item.onset_s + item.duration_s
                and item.agreement is not None
                and item.agreement > 0.5
            ]
            overlaps += len(now) > 1
            best = max(now, key=lambda item: item.agreement or 0.0, default=None)
            assert (classes[best.label] if best else None) == (
                planted if isinstance(planted, str) else None
            )
    assert overlaps > 0


def test_the_sound_says_where_in_the_film_a_run_is(dataset):
    import soundfile

    film_s = soundfile.info(dataset / "stimuli" / "film.wav").duration
    for number, run in enumerate(read_truth(dataset).runs("02")):
        path = dataset / build_path({"sub": "02", **run.entities}, "events", ".tsv")
        events = pd.read_table(path)
        assert events.stim_start.tolist() == [number * 104.0]
        assert events.duration.tolist() == [run.duration_s]
        assert events.stim_start[0] + events.duration[0] <= film_s + 1e-6


def test_planted_emotions_are_found_in_another_run_and_nothing_without_signal(dataset, leaky):
    data, emotions, runs = _volumes(dataset, "01")
    assert _balanced_accuracy(data, emotions, runs) > 0.6
    data, emotions, runs = _volumes(leaky, "01")
    assert _balanced_accuracy(data, emotions, runs) < 0.4


def test_a_shuffled_split_finds_emotions_in_wandering_noise(leaky):
    data, emotions, _ = _volumes(leaky, "01")
    folds = np.random.default_rng(0).permutation(len(emotions)) % 5
    from sklearn.neighbors import KNeighborsClassifier

    hit = np.zeros(len(emotions), dtype=bool)
    for fold in range(5):
        test = folds == fold
        model = KNeighborsClassifier(1).fit(data[~test], emotions[~test])
        hit[test] = model.predict(data[test]) == emotions[test]
    assert np.mean([hit[emotions == name].mean() for name in EMOTIONS]) > 0.7


def test_patterns_of_participants_are_displaced_but_alike(dataset):
    truth = read_truth(dataset)
    one, other = (np.load(truth.maps()[label, MNI])["pattern"] for label in ("01", "02"))
    both = np.isfinite(one[0]) & (np.abs(one).sum(axis=0) > 0) & (np.abs(other).sum(axis=0) > 0)
    r = [np.corrcoef(a[both], b[both])[0, 1] for a, b in zip(one, other, strict=True)]
    assert 0.4 < np.mean(r) < 0.999


def test_runs_too_short_for_five_emotions_are_refused():
    with pytest.raises(UsageError, match="80 s longer"):
        EmotionsOptions(run_s=90.0).check()
