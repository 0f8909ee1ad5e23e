"""Ridge regression from moments that parts share, against a fit of each part's rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bidsapp.models.class_moments import ClassMoments, Parts
from bidsapp.models.linear_decoder import DECODERS, STRENGTHS, decode, prepare, ridge
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import leave_run_out

GRID = (0.1, 10.0, 1000.0)


@given(seed=st.integers(0, 10_000), n_parts=st.integers(1, 5), n_classes=st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_every_part_is_fitted_as_by_itself(seed: int, n_parts: int, n_classes: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((60, 7)) + rng.standard_normal(7)
    y = rng.integers(-1, n_classes, 60)
    y[rng.random(60) < 0.2] = 0  # classes are not balanced, and some may be absent
    rows = [np.sort(rng.choice(60, rng.integers(15, 60), replace=False)) for _ in range(n_parts)]
    moments = ClassMoments.of(x, y, n_classes, Parts.of(rows, 60))
    for part, own in enumerate(rows):
        used = own[y[own] >= 0]
        assert moments.n_rows(part) == len(used)
        fits = moments.ridge(part, GRID)
        if len(np.unique(y[used])) < 2:
            assert fits is None
            continue
        assert fits is not None
        expected = ridge(x[used], y[used], n_classes, GRID)
        for (weights, intercept), model in zip(fits, expected, strict=True):
            np.testing.assert_allclose(weights, model.weights, atol=1e-9)
            np.testing.assert_allclose(intercept, model.intercept, atol=1e-9)


def test_nobody_in_any_part() -> None:
    x, y = np.ones((5, 2)), np.full(5, -1)
    moments = ClassMoments.of(x, y, 3, Parts.of([np.arange(5)], 5))
    assert moments.n_rows(0) == 0
    assert moments.ridge(0, GRID) is None


@pytest.mark.parametrize("n_features", [6, 300])
def test_decoding_does_not_depend_on_how_parts_are_fitted(
    n_features: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with more features than rows, where parts are fitted by themselves."""
    rng = np.random.default_rng(3)
    n_runs, n_each = 4, 40
    labels = np.repeat(rng.integers(0, 3, n_runs * n_each // 4), 4)
    labels[:10] = -1
    run = np.repeat(np.arange(n_runs), n_each)
    samples = Samples(
        participant=np.zeros(run.size, np.int64),
        run=run,
        time_s=np.tile(2.0 * np.arange(n_each), n_runs),
    )
    x = rng.standard_normal((run.size, n_features)) + np.eye(4, n_features)[labels]
    monkeypatch.setitem(DECODERS, "plain", ridge)
    monkeypatch.setitem(STRENGTHS, "plain", STRENGTHS["ridge"])
    prepared = prepare(x, leave_run_out(samples), n_components=None)
    found = decode(prepared, labels, "ridge", n_classes=3)
    expected = decode(prepared, labels, "plain", n_classes=3)
    np.testing.assert_allclose(found.log_proba, expected.log_proba, atol=1e-9)
