from __future__ import annotations

import numpy as np
import pytest

from bidsapp.errors import InputInvalidError
from bidsapp.stats.ceilings import explainable_variance, repeat_ceiling


def repeats_of(share, n_repeats, n_rows=4000, n_units=30, seed=0):
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((n_rows, n_units)) * np.sqrt(share)
    noise = rng.standard_normal((n_repeats, n_rows, n_units)) * np.sqrt(1 - share)
    return signal, signal + noise


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("n_repeats", [2, 3, 10])
def test_explainable_variance_is_unbiased(share, n_repeats):
    _, repeats = repeats_of(share, n_repeats)
    assert explainable_variance(repeats).mean() == pytest.approx(share, abs=0.01)


def test_ceiling_is_what_the_true_signal_reaches():
    signal, repeats = repeats_of(0.3, 3)
    reached = [np.corrcoef(s, y)[0, 1] for s, y in zip(signal.T, repeats[1].T, strict=True)]
    block = np.repeat([0, 1, 2, 3], 1000)
    ceiling = repeat_ceiling(repeats, block, 10, n_copies=19, level=0.1)
    assert ceiling.mean() == pytest.approx(np.mean(reached), abs=0.01)


def test_noise_has_no_ceiling():
    _, repeats = repeats_of(0.0, 2, n_rows=170, n_units=400)
    ceiling = repeat_ceiling(repeats, np.repeat([0, 1], 85), 8, n_copies=99)
    assert np.isfinite(ceiling).mean() == pytest.approx(0.05, abs=0.03)


def test_levels_of_pieces_do_not_raise_the_ceiling():
    """A score is computed inside pieces: what differs between pieces is in neither."""
    _, repeats = repeats_of(0.2, 4, n_rows=800, n_units=40, seed=2)
    block = np.repeat(np.arange(4), 200)
    level = np.repeat(np.array([-1.0, 0.0, 1.0, 2.0]), 200)[:, None]
    flat = explainable_variance(repeats, block)
    np.testing.assert_allclose(explainable_variance(repeats + level, block), flat, atol=1e-9)
    assert explainable_variance(repeats + level).mean() > 0.5
    assert flat.mean() == pytest.approx(0.2, abs=0.02)


def test_missing_units_and_too_few_repeats():
    _, repeats = repeats_of(0.5, 3, n_rows=50)
    repeats[1, :, 0], repeats[2, 4, 1] = 3.0, np.nan
    ceiling = repeat_ceiling(repeats, np.zeros(50, int), 5, n_copies=9, level=0.1)
    assert np.isnan(ceiling[:2]).all()
    assert np.isfinite(ceiling[2:]).all()
    with pytest.raises(InputInvalidError, match="there is 1"):
        explainable_variance(repeats[:1])
