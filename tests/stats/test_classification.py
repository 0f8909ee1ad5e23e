"""Measures of a classification against scikit-learn and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from bidsapp.stats.classification import (
    calibration_error,
    majority_line,
    prior_line,
    score_predictions,
    wilson_interval,
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


def test_wilson_interval():
    low, high = wilson_interval(np.array([0, 5, 10, 0]), np.array([10, 10, 10, 0]))
    assert low == pytest.approx([0, 0.23659, 0.72247, np.nan], abs=1e-5, nan_ok=True)
    assert high == pytest.approx([0.27753, 0.76341, 1, np.nan], abs=1e-5, nan_ok=True)


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
