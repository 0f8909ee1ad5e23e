"""Alignment across participants: planted rotations, null data, and where it leaks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from bidsapp.errors import InputInvalidError
from bidsapp.models.alignment import fit_rotations, orthonormal_map

N_TRAIN, N_TEST = 60, 40


def study(seed, *, n_participants=4, n_units=30, n_features=5, signal=1.0, noise=0.5):
    """Shared courses behind one random orthonormal map per participant."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((N_TRAIN + N_TEST, n_features))
    maps = [
        np.linalg.qr(rng.standard_normal((n_units, n_features)))[0] for _ in range(n_participants)
    ]
    responses = [
        signal * shared @ mapping.T + noise * rng.standard_normal((len(shared), n_units)) + 3.0
        for mapping in maps
    ]
    return shared, maps, responses


def agreement(courses):
    """Mean correlation over features of each participant with the mean of the others."""
    values = []
    for index, own in enumerate(courses):
        others = np.mean([c for j, c in enumerate(courses) if j != index], axis=0)
        values += [np.corrcoef(own[:, k], others[:, k])[0, 1] for k in range(own.shape[1])]
    return float(np.mean(values))


def held_out(responses, rows_fitted):
    """Agreement of test rows in a space fitted to some rows."""
    space = fit_rotations([values[rows_fitted] for values in responses])
    return agreement([space.transform(i, v[N_TRAIN:]) for i, v in enumerate(responses)])


def test_gain_over_anatomy_when_planted_and_none_when_not():
    """Twenty studies of each kind; the mean gain against its standard error."""
    gains = {0.0: [], 1.0: []}
    for signal, values in gains.items():
        for seed in range(20):
            _, _, responses = study(10 + seed, signal=signal, noise=0.3, n_participants=3)
            anatomical = agreement([v[N_TRAIN:] for v in responses])
            values.append(held_out(responses, np.arange(N_TRAIN)) - anatomical)
    null, planted = np.array(gains[0.0]), np.array(gains[1.0])
    assert abs(null.mean()) < 3 * null.std(ddof=1) / np.sqrt(len(null))
    assert abs(null.mean()) < 0.03
    assert planted.min() > 0.4


def test_rows_of_the_test_inflate_a_null():
    """The leak that the recipe must not have: held-out rows among those fitted."""
    honest, leaky = [], []
    for seed in range(5):
        _, _, responses = study(40 + seed, signal=0.0)
        honest.append(held_out(responses, np.arange(N_TRAIN)))
        leaky.append(held_out(responses, np.arange(N_TRAIN + N_TEST)))
    assert abs(np.mean(honest)) < 0.05
    assert np.min(leaky) > 0.2


def test_rotations_undo_rotations():
    rng = np.random.default_rng(5)
    template = rng.standard_normal((N_TRAIN + N_TEST, 12))
    turns = [np.linalg.qr(rng.standard_normal((12, 12)))[0] for _ in range(3)]
    responses = [template @ turn + 0.1 * rng.standard_normal(template.shape) for turn in turns]
    space = fit_rotations([values[:N_TRAIN] for values in responses], n_iterations=50)
    new = [space.transform(i, values[N_TRAIN:]) for i, values in enumerate(responses)]
    assert agreement(new) > 0.97
    assert agreement([values[N_TRAIN:] for values in responses]) < 0.5
    for mapping in space.maps:
        np.testing.assert_allclose(mapping @ mapping.T, np.eye(12), atol=1e-10)
    source, target = responses[0] - responses[0].mean(0), template - template.mean(0)
    np.testing.assert_allclose(
        orthonormal_map(source, target), linalg.orthogonal_procrustes(source, target)[0]
    )


def test_twice_the_same_and_in_single_precision():
    _, _, responses = study(8)
    first, second = (fit_rotations(responses) for _ in range(2))
    np.testing.assert_array_equal(first.shared, second.shared)
    single = fit_rotations([v.astype(np.float32) for v in responses])
    np.testing.assert_allclose(
        single.shared @ single.maps[0].T, first.shared @ first.maps[0].T, atol=1e-3
    )


def test_what_cannot_be_aligned_is_refused():
    _, _, responses = study(9)
    with pytest.raises(InputInvalidError, match="1 participants"):
        fit_rotations(responses[:1])
    with pytest.raises(InputInvalidError, match="0 participants"):
        fit_rotations([])
    with pytest.raises(InputInvalidError, match="participant 2 of 2 has responses of shape"):
        fit_rotations([responses[0], responses[1][:50]])
    broken = responses[1].copy()
    broken[3, 3] = np.nan
    with pytest.raises(InputInvalidError, match="participant 2: responses hold NaN"):
        fit_rotations([responses[0], broken])
    with pytest.raises(InputInvalidError, match="20 to 30 units"):
        fit_rotations([responses[0], responses[1][:, :20]])
