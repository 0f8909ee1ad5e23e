"""Measures of a classification against scikit-learn and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from bidsapp.results.calibrations.decoding import stretches
from bidsapp.stats.classification import (
    calibration_error,
    label_stretches,
    majority_line,
    prior_line,
    score_predictions,
    share_interval,
)
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import leave_run_out


@given(seed=st.integers(0, 1000), n_classes=st.integers(2, 5))
def test_against_scikit_learn(seed, n_classes):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, n_classes, 80)
    log_proba = np.log(rng.dirichlet(np.ones(n_classes), 80))
    log_proba[:7] = np.nan
    scores = score_predictions(labels, log_proba)
    used = (labels >= 0) & np.isfinite(log_proba[:, 0])
    true, found = labels[used], log_proba[used].argmax(1)
    assert scores.n == used.sum()
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(true, found))
    assert scores.balanced_accuracy == pytest.approx(
        metrics.recall_score(true, found, average="macro", labels=np.unique(true))
    )
    f1 = metrics.f1_score(true, found, average="macro", labels=np.unique(true))
    assert scores.macro_f1 == pytest.approx(f1)
    assert scores.log_loss == pytest.approx(
        metrics.log_loss(true, np.exp(log_proba[used]), labels=np.arange(n_classes))
    )
    assert scores.confusion.sum() == scores.n


def test_an_interval_over_single_volumes_is_wilsons():
    """With Student's t; the normal quantile is that of many volumes."""
    hits = np.repeat([1, 0], 50_000)
    low, high = share_interval(hits, np.ones_like(hits))
    assert (low, high) == pytest.approx((0.4969010, 0.5030990), abs=1e-6)
    low, high = share_interval(np.ones(10, int), np.ones(10, int))
    assert (low, high) == pytest.approx((0.66150, 1.0), abs=1e-4)  # 10 / (10 + 2.2622**2)
    assert np.isnan(share_interval(np.ones(4, int), np.full(4, 9))).all()


def test_volumes_that_are_alike_count_once():
    """Stretches that are right or wrong as a whole count like single volumes."""
    right = np.array([1, 0, 1, 1, 0, 1, 0, 1])
    single = share_interval(right, np.ones(8, int))
    assert share_interval(12 * right, np.full(8, 12)) == pytest.approx(single, abs=0.02)


@pytest.mark.parametrize("likeness", [0.02, 0.3, 0.8])
def test_intervals_cover_the_rate(likeness):
    covered = stretches(np.random.default_rng(0), 2000, likeness=likeness)
    assert 0.925 <= covered.mean() <= 0.985


def test_stretches_end_with_the_label_and_with_the_run():
    labels = np.array([0, 0, 1, 1, 1, -1, 1, 1])
    run = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    assert label_stretches(labels, run).tolist() == [0, 0, 1, 1, 2, 3, 4, 4]
    assert label_stretches(labels[:0], run[:0]).size == 0


def test_calibration():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 50_000)
    true = (rng.uniform(size=sure.size) > sure).astype(int)
    assert calibration_error(true, np.stack([sure, 1 - sure], 1)) < 0.01
    bold = np.tile([0.99, 0.01], (1000, 1))
    assert calibration_error(np.arange(1000) % 2, bold) == pytest.approx(0.49)


def test_lines_of_knowing_nothing():
    run = np.repeat([0, 1, 2], 50)
    labels = np.tile(np.repeat([0, 1, 2, -1], [25, 15, 5, 5]), 3)
    split = leave_run_out(Samples(run, np.tile(np.arange(50) * 2.0, 3)))
    majority = score_predictions(labels, majority_line(labels, split, 4))
    assert majority.balanced_accuracy == pytest.approx(1 / 3)
    assert majority.accuracy == pytest.approx(25 / 45)
    prior = prior_line(labels, split, 4)
    assert prior.balanced_accuracy == pytest.approx(1 / 3, abs=0.01)
    assert prior.accuracy == pytest.approx((25**2 + 15**2 + 5**2) / 45**2, abs=0.02)


def test_nothing_to_score():
    scores = score_predictions(np.full(5, -1), np.zeros((5, 3)))
    assert scores.n == 0
    assert np.isnan(scores.balanced_accuracy)
    assert np.isnan(scores.recall).all()
