from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.searchlight import clip_null, group_searchlight
from bidsapp.recipes.rsa.search import (
    ClipScores,
    GroupScores,
    Search,
    permute_clips,
    run_slabs,
    score_group,
)
from bidsapp.scratch import Scratch
from bidsapp.stats.rsa.clip_permutation import clip_permutations
from bidsapp.stats.rsa.inference import clip_test
from bidsapp.stats.rsa.pairs import difference_rdm, pair_mask

N_CLIPS, PER_CLIP, N_UNITS = 7, 3, 30
N_ITEMS = N_CLIPS * PER_CLIP
CLIP = np.repeat(np.arange(N_CLIPS), PER_CLIP)


def make_search(seed: int, n_people: int = 4, **changes) -> Search:
    """Participants who share drift and patterns of clips that no model knows of."""
    rng = np.random.default_rng((99, seed))
    shared = rng.standard_normal((N_CLIPS, N_UNITS))[CLIP]
    drift = np.linspace(-1, 1, N_ITEMS)[:, None] * rng.standard_normal(N_UNITS)
    data = [
        (shared + drift + rng.standard_normal((N_ITEMS, N_UNITS))).astype(np.float32)
        for _ in range(n_people)
    ]
    course = rng.standard_normal((3, N_CLIPS, 4))[:, CLIP] + 0.3 * rng.standard_normal(
        (3, N_ITEMS, 4)
    )
    first, second = np.triu_indices(N_ITEMS, 1)
    models = np.linalg.norm(course[:, first] - course[:, second], axis=-1)
    search = Search(
        datasets=data,
        models=models,
        families=[slice(0, 2), slice(2, 3)],
        nuisance=np.empty((0, models.shape[1])),
        pairs=pair_mask(CLIP),
        clip=CLIP,
        permutations=clip_permutations(N_CLIPS, 99, seed),
        each=False,
        dissimilarity="spearman",
        comparison="spearman",
        n_threads=1,
        memory_bytes=2**30,
    )
    return dataclasses.replace(search, **changes)


@pytest.fixture(scope="module")
def lights() -> Neighbourhoods:
    members = [(np.arange(8) + start) % N_UNITS for start in range(0, N_UNITS, 2)]
    return Neighbourhoods.from_lists(members, np.arange(0, N_UNITS, 2), np.ones(len(members)))


def scored(
    search: Search, lights: Neighbourhoods, folder: Path, slab: int | None = None
) -> tuple[GroupScores, ClipScores]:
    scratch = Scratch(folder)
    scores = run_slabs(lights, partial(score_group, search), GroupScores, scratch, size=slab)
    permute = partial(permute_clips, search)
    return scores, run_slabs(lights, permute, ClipScores, scratch, what="clips", size=slab)


def same(one: tuple[GroupScores, ClipScores], other: tuple[GroupScores, ClipScores]) -> None:
    for left, right in zip(one, other, strict=True):
        for name, values in vars(left).items():
            np.testing.assert_array_equal(values, getattr(right, name), name)


def test_is_what_the_models_package_computes(lights: Neighbourhoods, tmp_path: Path) -> None:
    search = make_search(0, nuisance=difference_rdm(np.arange(N_ITEMS) % 5.0)[None], each=True)
    found, tested = scored(search, lights, tmp_path)
    options = {"pairs": search.pairs, "nuisance": search.nuisance}
    scores = group_searchlight(search.datasets, lights, search.models, **options)
    assert scores.partial is not None
    np.testing.assert_array_equal(found.rho, scores.partial.astype(np.float32))
    np.testing.assert_array_equal(found.lower, scores.ceiling_lower)
    np.testing.assert_allclose(found.mean, scores.partial.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(tested.observed, found.mean, atol=1e-6)
    rest = CLIP, search.permutations
    null = clip_null(search.datasets, lights, search.models[:2], *rest, **options)
    np.testing.assert_array_equal(tested.exceed[:2], null.exceed_count)
    np.testing.assert_array_equal(tested.maximum[0], null.maximum)
    own = [
        clip_null([data], lights, search.models[2:], *rest, **options).expected_max_over_models
        for data in search.datasets
    ]
    np.testing.assert_allclose(tested.expected_each[1], np.mean(own, axis=0), atol=1e-12)


@pytest.mark.parametrize(
    ("slab", "changes"), [(4, {}), (None, {"memory_bytes": 1}), (5, {"n_threads": 2})]
)
def test_slabs_memory_and_threads_change_nothing(
    lights: Neighbourhoods, tmp_path: Path, slab: int | None, changes: dict
) -> None:
    search = make_search(1)
    whole = scored(search, lights, tmp_path / "a")
    search = dataclasses.replace(search, **changes)
    parts = scored(search, lights, tmp_path / "b", slab=slab)
    same(whole, parts)


def test_missing_units_of_a_participant_are_left_out(
    lights: Neighbourhoods, tmp_path: Path
) -> None:
    search = make_search(2)
    gone = search.datasets[0].copy()
    gone[:, :10] = np.nan
    search = dataclasses.replace(search, datasets=[gone, *search.datasets[1:]])
    found, tested = scored(search, lights, tmp_path)
    assert np.isnan(found.rho[0, :, 0]).all()
    assert np.isfinite(found.mean).all()
    assert np.isfinite(tested.observed).all()
    known = found.rho[1:, :, 0].astype(float).mean(axis=0)
    np.testing.assert_allclose(found.mean[:, 0], known, atol=1e-6)


@pytest.mark.parametrize("with_nuisance", [False, True])
def test_family_wise_errors_are_as_rare_as_promised(
    lights: Neighbourhoods, tmp_path: Path, with_nuisance: bool
) -> None:
    n, passed = 150, 0
    lag = difference_rdm(np.arange(N_ITEMS, dtype=np.float64))[None]
    for seed in range(n):
        search = make_search(seed, families=[slice(0, 3)])
        if with_nuisance:
            search = dataclasses.replace(search, nuisance=lag)
        _, found = scored(search, lights, tmp_path / str(seed))
        test = clip_test(found.observed, found.exceed, found.maximum[0])
        passed += bool(test.significant.any())
    assert 1 <= passed <= 14  # 99 % of Binomial(150, .05)
