"""Alignment across participants: textbook versions, planted spaces, and where it leaks."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy import linalg

from bidsapp.errors import InputInvalidError
from bidsapp.models.alignment import (
    fit_parcels,
    fit_rotations,
    fit_shared_responses,
    orthonormal_map,
    to_space,
    transform_parcels,
)

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
    space = fit_shared_responses([values[rows_fitted] for values in responses], 5)
    return agreement([space.transform(i, v[N_TRAIN:]) for i, v in enumerate(responses)])


def textbook(responses, n_features, n_iterations):
    """The model as it is written down: full decompositions, explicit residuals."""
    data = [(values - values.mean(axis=0)).T for values in responses]
    gram = sum(x.T @ x for x in data)
    values, vectors = np.linalg.eigh(gram)
    shared = vectors[:, np.argsort(-values)[:n_features]].T
    errors = []
    for _ in range(n_iterations):
        maps = []
        for x in data:
            u, _, vt = np.linalg.svd(x @ shared.T, full_matrices=True)
            maps.append(u[:, :n_features] @ np.eye(n_features) @ vt)
        shared = np.mean([w.T @ x for w, x in zip(maps, data, strict=True)], axis=0)
        errors.append(
            sum(np.linalg.norm(x - w @ shared) ** 2 for w, x in zip(maps, data, strict=True))
        )
    return maps, shared, errors


def test_the_model_is_the_textbooks():
    _, _, responses = study(0)
    space = fit_shared_responses(responses, 5, n_iterations=4)
    maps, shared, errors = textbook(responses, 5, len(space.errors))
    np.testing.assert_allclose(space.errors, errors, rtol=1e-10)
    np.testing.assert_allclose(space.shared @ space.maps[2].T, shared.T @ maps[2].T, atol=1e-8)
    for mapping in space.maps:
        np.testing.assert_allclose(mapping.T @ mapping, np.eye(5), atol=1e-12)
    assert all(np.diff(space.errors) <= 0)


def test_no_random_start_does_better():
    _, _, responses = study(1, noise=1.0)
    ours = fit_shared_responses(responses, 5, n_iterations=50).errors[-1]
    rng = np.random.default_rng(0)
    centred = [values - values.mean(axis=0) for values in responses]
    for _ in range(8):
        shared = rng.standard_normal((len(centred[0]), 5))
        for _ in range(50):
            maps = [linalg.polar(x.T @ shared)[0] for x in centred]
            shared = np.mean([x @ w for x, w in zip(centred, maps, strict=True)], axis=0)
        pairs = zip(centred, maps, strict=True)
        assert ours <= 1.001 * sum(np.linalg.norm(x - shared @ w.T) ** 2 for x, w in pairs)


@pytest.mark.parametrize("n_units", [(30, 30), (20, 45)])
def test_planted_responses_are_recovered_on_held_out_rows(n_units):
    shared, _, responses = study(2, noise=0.1)
    responses = [values[:, : n_units[i % 2]] for i, values in enumerate(responses)]
    train = [values[:N_TRAIN] for values in responses]
    space = fit_shared_responses(train, 5)
    new = [space.transform(i, values[N_TRAIN:]) for i, values in enumerate(responses)]
    assert agreement(new) > 0.9
    fitted, *_ = np.linalg.lstsq(space.shared, shared[:N_TRAIN] - shared[:N_TRAIN].mean(0))
    predicted = np.mean(new, axis=0) @ fitted
    for k in range(5):
        assert np.corrcoef(predicted[:, k], shared[N_TRAIN:, k])[0, 1] > 0.9


def test_gain_over_anatomy_when_planted_and_none_when_not():
    """Twenty studies of each kind; the mean gain against its standard error."""
    gains = {0.0: [], 1.0: []}
    for signal, values in gains.items():
        for seed in range(20):
            _, _, responses = study(10 + seed, signal=signal, n_participants=3)
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


def test_a_participant_who_joins_has_no_part_in_the_space():
    _, _, responses = study(6, noise=0.1)
    space = fit_shared_responses([v[:N_TRAIN] for v in responses[:3]], 5)
    mean, mapping = space.join(responses[3][:N_TRAIN])
    new = to_space(responses[3][N_TRAIN:], mean, mapping)
    others = np.mean([space.transform(i, responses[i][N_TRAIN:]) for i in range(3)], axis=0)
    assert min(np.corrcoef(new[:, k], others[:, k])[0, 1] for k in range(5)) > 0.9


def test_parcels_are_aligned_one_by_one():
    _, _, responses = study(7, n_units=30)
    parcels = [np.repeat([0, 2, 5], 10)] * 4
    fit = partial(fit_shared_responses, n_features=3)
    spaces = fit_parcels(responses, parcels, fit)
    assert list(spaces) == [2, 5]
    values = transform_parcels(spaces, 1, responses[1], parcels[1])
    alone = fit_shared_responses([v[:, 20:] for v in responses], 3)
    np.testing.assert_allclose(values[:, 3:], alone.transform(1, responses[1][:, 20:]))
    lacking = [*parcels[:3], np.repeat([0, 2, 0], 10)]
    assert list(fit_parcels(responses, lacking, fit)) == [2]


def test_twice_the_same_and_in_single_precision():
    _, _, responses = study(8)
    first, second = (fit_shared_responses(responses, 4) for _ in range(2))
    np.testing.assert_array_equal(first.shared, second.shared)
    single = fit_shared_responses([v.astype(np.float32) for v in responses], 4)
    np.testing.assert_allclose(
        single.shared @ single.maps[0].T, first.shared @ first.maps[0].T, atol=1e-3
    )


def test_what_cannot_be_aligned_is_refused():
    _, _, responses = study(9)
    with pytest.raises(InputInvalidError, match="1 participants"):
        fit_shared_responses(responses[:1], 5)
    with pytest.raises(InputInvalidError, match="0 participants"):
        fit_rotations([])
    with pytest.raises(InputInvalidError, match="participant 2 of 2 has responses of shape"):
        fit_shared_responses([responses[0], responses[1][:50]], 5)
    with pytest.raises(InputInvalidError, match="choose 1 to 99"):
        fit_shared_responses(responses, 100)
    with pytest.raises(InputInvalidError, match="30 units, fewer than 40"):
        fit_shared_responses(responses, 40)
    broken = responses[1].copy()
    broken[3, 3] = np.nan
    with pytest.raises(InputInvalidError, match="participant 2: responses hold NaN"):
        fit_shared_responses([responses[0], broken], 5)
    with pytest.raises(InputInvalidError, match="20 to 30 units"):
        fit_rotations([responses[0], responses[1][:, :20]])
