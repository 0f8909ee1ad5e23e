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
    assert repeat_ceiling(repeats).mean() == pytest.approx(np.mean(reached), abs=0.01)
    assert repeat_ceiling(repeats_of(0.0, 2)[1]).min() == 0.0


def test_missing_units_and_too_few_repeats():
    _, repeats = repeats_of(0.5, 3, n_rows=50)
    repeats[1, :, 0], repeats[2, 4, 1] = 3.0, np.nan
    ceiling = repeat_ceiling(repeats)
    assert np.isnan(ceiling[:2]).all()
    assert np.isfinite(ceiling[2:]).all()
    with pytest.raises(InputInvalidError, match="there is 1"):
        explainable_variance(repeats[:1])
