from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bidsapp.errors import InputInvalidError
from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import compare, midranks, partial_compare, rdm
from bidsapp.models.searchlight import clip_null, group_searchlight, searchlight_rsa

Array = npt.NDArray[Any]
N_CLIPS, LENGTH, N_UNITS, N_SUBJECTS = 5, 4, 50, 3
N_ITEMS = N_CLIPS * LENGTH
N_PAIRS = N_ITEMS * (N_ITEMS - 1) // 2
CLIP = np.random.default_rng(0).permutation(np.repeat([7, 2, 9, 4, 5], LENGTH))
ROW, COLUMN = np.triu_indices(N_ITEMS, 1)
BETWEEN = CLIP[ROW] != CLIP[COLUMN]


@pytest.fixture
def units() -> Neighbourhoods:
    rng = np.random.default_rng(1)
    members = [rng.choice(N_UNITS, 12, replace=False) for _ in range(6)]
    return Neighbourhoods.from_lists(members, range(6), range(6))


@pytest.fixture
def datasets() -> list[Array]:
    rng = np.random.default_rng(2)
    shared = rng.standard_normal((N_ITEMS, N_UNITS))
    return [
        (shared + rng.standard_normal((N_ITEMS, N_UNITS))).astype(np.float32)
        for _ in range(N_SUBJECTS)
    ]


@pytest.fixture
def models() -> Array:
    return np.random.default_rng(3).standard_normal((2, N_PAIRS))


@pytest.fixture
def nuisance() -> Array:
    return np.stack([np.abs(ROW - COLUMN), np.random.default_rng(4).random(N_PAIRS)]).astype(float)


def unit_vectors(rows: Array) -> Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.mark.parametrize("with_nuisance", [False, True])
def test_group_scores_and_ceilings(
    datasets: list[Array],
    units: Neighbourhoods,
    models: Array,
    nuisance: Array,
    with_nuisance: bool,
) -> None:
    extra = nuisance if with_nuisance else None
    found = group_searchlight(datasets, units, models, pairs=BETWEEN, nuisance=extra, n_threads=2)
    for s, data in enumerate(datasets):
        alone = searchlight_rsa(data, units, models, pairs=BETWEEN, nuisance=extra)
        np.testing.assert_array_equal(found.rho[s], alone.rho)
        if found.partial is not None and alone.partial is not None:
            np.testing.assert_allclose(found.partial[s], alone.partial, atol=1e-14)
    for i in range(units.n_centres):
        ranks = np.array([midranks(rdm(d[:, units.of(i)], "spearman")[BETWEEN]) for d in datasets])
        if with_nuisance:
            z = midranks(nuisance[:, BETWEEN]).T.astype(float)
            ranks = ranks - (z @ np.linalg.lstsq(z, ranks.T.astype(float))[0]).T
        u = unit_vectors(ranks)
        upper = np.mean([np.corrcoef(v, u.mean(axis=0))[0, 1] for v in u])
        lower = np.mean(
            [np.corrcoef(u[s], np.delete(u, s, 0).mean(axis=0))[0, 1] for s in range(N_SUBJECTS)]
        )
        assert found.ceiling_upper[i] == pytest.approx(upper, abs=1e-12)
        assert found.ceiling_lower[i] == pytest.approx(lower, abs=1e-12)


def test_participant_without_rdm_is_left_out(
    datasets: list[Array], units: Neighbourhoods, models: Array
) -> None:
    complete = group_searchlight(datasets[:2], units, models)
    datasets[2][:] = np.nan
    found = group_searchlight(datasets, units, models)
    assert np.isnan(found.rho[2]).all()
    np.testing.assert_allclose(found.ceiling_lower, complete.ceiling_lower, atol=1e-14)
    alone = group_searchlight(datasets[1:], units, models)
    assert np.isnan(alone.ceiling_lower).all()
    assert np.isnan(alone.ceiling_upper).all()
    with pytest.raises(InputInvalidError, match="without participants"):
        group_searchlight([], units, models)


def permute_brain(brain: Array, order: Array) -> Array:
    """Rearrange the brain RDM so that clip c takes the place of clip order[c]."""
    square = np.zeros((N_ITEMS, N_ITEMS))
    square[ROW, COLUMN] = square[COLUMN, ROW] = brain
    labels = np.unique(CLIP)
    target = np.empty(N_ITEMS, dtype=int)
    for c, label in enumerate(labels):
        target[label == CLIP] = np.flatnonzero(labels[order[c]] == CLIP)
    moved = np.empty_like(square)
    moved[np.ix_(target, target)] = square
    return moved[ROW, COLUMN]


@pytest.mark.parametrize("pairs", [None, BETWEEN], ids=["all", "between"])
@pytest.mark.parametrize("own", [False, True], ids=["common", "own"])
@pytest.mark.parametrize("with_nuisance", [False, True], ids=["plain", "partial"])
def test_clip_null_equals_explicit_permutation_of_the_brain_rdm(
    datasets: list[Array],
    units: Neighbourhoods,
    models: Array,
    nuisance: Array,
    pairs: Array | None,
    own: bool,
    with_nuisance: bool,
) -> None:
    rng = np.random.default_rng(5)
    n_perm = 7
    drawn = np.array([[rng.permutation(N_CLIPS) for _ in range(n_perm)] for _ in range(3)])
    found = clip_null(
        datasets,
        units,
        models,
        CLIP,
        drawn if own else drawn[0],
        pairs=pairs,
        nuisance=nuisance if with_nuisance else None,
    )

    def score(brain: Array, moved_nuisance: Array, model: Array) -> float:
        if with_nuisance:
            return partial_compare(brain, model, moved_nuisance, pairs=pairs)
        return compare(brain, model, "spearman", pairs)

    oracle = np.zeros((n_perm, len(models), units.n_centres))
    observed = np.zeros((len(models), units.n_centres))
    for i in range(units.n_centres):
        brains = [rdm(data[:, units.of(i)], "spearman") for data in datasets]
        for j, model in enumerate(models):
            observed[j, i] = np.mean([score(brain, nuisance, model) for brain in brains])
            for p in range(n_perm):
                values = []
                for s, brain in enumerate(brains):
                    order = drawn[s if own else 0, p]
                    moved = np.array([permute_brain(z, order) for z in nuisance])
                    values.append(score(permute_brain(brain, order), moved, model))
                oracle[p, j, i] = np.mean(values)
    np.testing.assert_allclose(found.observed, observed, atol=1e-10)
    np.testing.assert_allclose(found.maximum, oracle.max(axis=(1, 2)), atol=1e-6)
    np.testing.assert_array_equal(found.exceed_count, (oracle >= observed - 1e-6).sum(axis=0))
    np.testing.assert_allclose(
        found.expected_max_over_models, oracle.max(axis=1).mean(axis=0), atol=1e-6
    )


def test_clip_null_does_not_depend_on_threads_or_slabs(
    datasets: list[Array], units: Neighbourhoods, models: Array
) -> None:
    drawn = np.array([np.random.default_rng(s).permutation(N_CLIPS) for s in range(20)])
    one = clip_null(datasets, units, models, CLIP, drawn)
    two = clip_null(datasets, units, models, CLIP, drawn, n_threads=2)
    np.testing.assert_array_equal(one.maximum, two.maximum)
    np.testing.assert_array_equal(one.exceed_count, two.exceed_count)
    parts = [clip_null(datasets, slab, models, CLIP, drawn) for _, slab in units.slabs(4)]
    np.testing.assert_array_equal(one.maximum, np.fmax.reduce([part.maximum for part in parts]))
    best = np.concatenate([part.expected_max_over_models for part in parts])
    np.testing.assert_array_equal(one.expected_max_over_models, best)


def test_identity_reaches_itself_and_missing_data_count_as_reaching(
    datasets: list[Array], units: Neighbourhoods, models: Array
) -> None:
    identity = np.arange(N_CLIPS)[None]
    found = clip_null(datasets, units, models, CLIP, identity)
    assert (found.exceed_count == 1).all()
    best = found.observed.max(axis=0)
    np.testing.assert_allclose(found.expected_max_over_models, best, atol=1e-6)
    datasets[0][:] = np.nan
    models[1] = 0
    drawn = np.array([np.random.default_rng(s).permutation(N_CLIPS) for s in range(4)])
    found = clip_null(datasets[:1], units, models, CLIP, drawn)
    assert np.isnan(found.observed).all()
    assert np.isnan(found.maximum).all()
    assert np.isnan(found.expected_max_over_models).all()
    assert (found.exceed_count == 4).all()
    found = clip_null(datasets, units, models, CLIP, drawn)
    assert np.isfinite(found.maximum).all()
    assert np.isnan(found.observed[1]).all()
    assert (found.exceed_count[1] == 4).all()


def test_p_values_are_uniform_under_the_null_and_small_for_a_planted_model() -> None:
    rng = np.random.default_rng(6)
    n_clips, length, n_units = 8, 3, 40
    n_items = n_clips * length
    clip = np.repeat(np.arange(n_clips), length)
    row, column = np.triu_indices(n_items, 1)
    between = clip[row] != clip[column]
    drawn = np.array([rng.permutation(n_clips) for _ in range(99)])
    units = Neighbourhoods.from_lists([np.arange(n_units)], [0], [0])
    p = []
    for _ in range(200):
        brain = np.repeat(rng.standard_normal((n_clips, n_units)), length, axis=0)
        brain += rng.standard_normal((n_items, n_units))
        course = np.repeat(rng.standard_normal((n_clips, 5)), length, axis=0)
        course += rng.standard_normal(course.shape)
        model = rdm(course, "euclid")[None]
        null = clip_null([brain], units, model, clip, drawn, pairs=between)
        p.append((null.exceed_count[0, 0] + 1) / 100)
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert 0.4 < np.mean(p) < 0.6
    planted = np.concatenate([course] * 8, axis=1) + rng.standard_normal((n_items, n_units))
    null = clip_null([planted], units, model, clip, drawn, pairs=between)
    assert null.exceed_count[0, 0] == 0


def test_misfits_are_refused(datasets: list[Array], units: Neighbourhoods, models: Array) -> None:
    drawn = np.arange(N_CLIPS)[None]
    with pytest.raises(InputInvalidError, match="equal numbers"):
        clip_null(datasets, units, models, np.r_[CLIP[:-1], 99], drawn)
    with pytest.raises(InputInvalidError, match="treats pairs of clips differently"):
        clip_null(datasets, units, models, CLIP, drawn, pairs=np.abs(ROW - COLUMN) > 3)
    with pytest.raises(InputInvalidError, match="rearrange 0 to 4"):
        clip_null(datasets, units, models, CLIP, drawn + 1)
    with pytest.raises(InputInvalidError, match="rho-a"):
        clip_null(datasets, units, models, CLIP, drawn, compare="rho-a")
