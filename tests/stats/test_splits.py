"""Splits of volumes: nothing of a test volume's neighbourhood is trained on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bidsapp.errors import InputInvalidError
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import SPLITTERS, blocked, leave_run_out


def samples(n_participants=3, n_runs=3, n=60, tr=2.0, overlap_s=16.0):
    """Runs that share the last seconds of their stimulus with the next run."""
    one = np.arange(n) * tr
    run = np.tile(np.repeat(np.arange(1, n_runs + 1), n), n_participants)
    time = np.tile(one, n_runs * n_participants)
    start = (run - 1) * (n * tr - overlap_s)
    who = np.repeat(np.arange(1, n_participants + 1), n_runs * n)
    return Samples(run, time, who, start + time)


def distance(a, b):
    return np.abs(a[:, None] - b).min(initial=np.inf)


def closest_in_series(s, train, test):
    return min(
        distance(s.time_s[train[s.series[train] == k]], s.time_s[test[s.series[test] == k]])
        for k in np.unique(s.series)
    )


@pytest.mark.parametrize("name", [name for name in SPLITTERS if name != "shuffled"])
@settings(max_examples=6, deadline=None)
@given(
    people=st.integers(2, 3),
    runs=st.integers(2, 4),
    embargo=st.floats(20, 30),
    tr=st.sampled_from([2.0, 3.0]),
)
def test_nothing_leaks(name, people, runs, embargo, tr):
    s = samples(people, runs, n=120, tr=tr)
    split = SPLITTERS[name](s, embargo_s=embargo)
    assert not split.leaky
    tested = np.concatenate([fold.test for fold in split.folds])
    assert np.array_equal(np.sort(tested), np.arange(s.n))
    for fold in split.folds:
        pairs = [(fold.train, fold.test), (fold.inner.train, fold.inner.val)]
        assert set(fold.inner.train) | set(fold.inner.val) <= set(fold.train)
        assert not set(fold.train) & set(fold.test)
        for train, test in pairs:
            assert train.size
            assert test.size
            assert closest_in_series(s, train, test) >= embargo
            same_stimulus = name == "leave_participant_out" and (
                train is fold.train or not set(s.participant[train]) & set(s.participant[test])
            )
            by_people = not set(s.participant[train]) & set(s.participant[test])
            if not same_stimulus and not (by_people and train is fold.inner.train):
                assert distance(s.stimulus_s[train], s.stimulus_s[test]) >= embargo
        if "participant" in name:
            assert not set(s.participant[fold.train]) & set(s.participant[fold.test])
        if name == "leave_participant_and_run_out":
            assert not set(s.run[fold.train]) & set(s.run[fold.test])


def test_overlap_of_runs_is_purged():
    s = samples(1, 3, n=60, overlap_s=16.0)
    fold = leave_run_out(s).folds[1]
    assert distance(s.stimulus_s[fold.train], s.stimulus_s[fold.test]) >= 20
    without = leave_run_out(Samples(s.run, s.time_s)).folds[1]
    assert without.train.size > fold.train.size


def test_groups_of_participants():
    split = SPLITTERS["leave_participant_out"](samples(5), n_folds=2)
    assert [fold.name for fold in split.folds] == ["participant 1 2 3", "participant 4 5"]
    assert "SAME STIMULUS" in split.note


def test_shuffled_is_stamped_and_seeded():
    one, same, other = (SPLITTERS["shuffled"](samples(), seed=k) for k in (1, 1, 2))
    assert one.leaky
    assert "LEAKY" in one.note
    assert np.array_equal(one.folds[0].test, same.folds[0].test)
    assert not np.array_equal(one.folds[0].test, other.folds[0].test)


def test_refusals():
    with pytest.raises(InputInvalidError, match="blocked"):
        leave_run_out(samples(1, 1))
    with pytest.raises(InputInvalidError, match="20 s"):
        blocked(samples(1, 1), embargo_s=10)
    with pytest.raises(InputInvalidError, match="too short"):
        blocked(samples(1, 1, n=40, tr=1.0), n_folds=2)
    repeated = samples(1, 3)
    repeated = Samples(repeated.run, repeated.time_s, repeated.participant, repeated.time_s)
    with pytest.raises(InputInvalidError, match="same stimulus"):
        leave_run_out(repeated)
    with pytest.raises(InputInvalidError, match="participants"):
        SPLITTERS["leave_participant_out"](samples(1))
    with pytest.raises(InputInvalidError, match="one per volume"):
        Samples(np.zeros(3, int), np.zeros(4))
