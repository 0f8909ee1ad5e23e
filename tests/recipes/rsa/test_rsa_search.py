"""The search gives the same numbers however it is divided."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.searchlight import clip_null
from bidsapp.recipes.rsa import search
from bidsapp.recipes.rsa.clip_tests import clip_tests
from bidsapp.scratch import Scratch
from bidsapp.stats.rsa.acoustics import acoustic_regression
from bidsapp.stats.rsa.clip_permutation import clip_permutations
from bidsapp.stats.rsa.pairs import pair_mask


def test_search_does_not_depend_on_slabs_and_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    clip = np.repeat(np.arange(4), 3)
    n_pairs = clip.size * (clip.size - 1) // 2
    lights = Neighbourhoods.from_lists(
        [rng.choice(40, 10, replace=False) for _ in range(30)], np.arange(30), np.ones(30)
    )
    whole = search.Search(
        datasets=[rng.standard_normal((clip.size, 40)).astype(np.float32)],
        models=rng.random((5, n_pairs)),
        controls=rng.random((6, n_pairs)),
        families=[slice(0, 3), slice(3, 5)],
        nuisance=rng.random((2, n_pairs)),
        pairs=pair_mask(clip),
        clip=clip,
        dissimilarity="spearman",
        comparison="spearman",
        n_threads=1,
        memory_bytes=1 << 30,
    )
    small = replace(whole, memory_bytes=2 * search.MODEL_BYTES * n_pairs, n_threads=2)
    assert len(list(whole.control_tables())) == 1
    assert len(list(small.control_tables())) == 3

    def run(chosen: search.Search, name: str, size: int | None) -> search.Scores:
        compute = partial(search.score_participant, chosen)
        return search.run_slabs(
            lights, compute, search.Scores, Scratch(tmp_path / name), size=size
        )

    one, two = run(whole, "one", None), run(small, "two", 7)
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, getattr(two, name), name)
    assert one.score.shape == (5, 30)
    assert one.controls.shape == (5, 30)


def test_clips_are_permuted_among_the_items_that_every_clip_has(tmp_path: Path) -> None:
    """Longer clips: the test is that of the shared items alone; acoustics leave before it."""
    rng = np.random.default_rng(5)
    clip = np.repeat(np.arange(6), [3, 5, 3, 4, 3, 3])
    tested = np.concatenate([np.arange(n) < 3 for n in (3, 5, 3, 4, 3, 3)])
    n_pairs = clip.size * (clip.size - 1) // 2
    lights = Neighbourhoods.from_lists(
        [rng.choice(40, 10, replace=False) for _ in range(9)], np.arange(9), np.ones(9)
    )
    data = rng.standard_normal((clip.size, 40)).astype(np.float32)
    nuisance = rng.random((2, n_pairs))
    whole = search.Search(
        datasets=[data],
        models=rng.random((3, n_pairs)),
        families=[slice(0, 3)],
        nuisance=nuisance,
        pairs=pair_mask(clip),
        clip=clip,
        dissimilarity="spearman",
        comparison="spearman",
        n_threads=1,
        memory_bytes=1 << 30,
    )
    orders = clip_permutations(6, 40, 0)
    regression = acoustic_regression({"loudness": rng.standard_normal((tested.sum(), 1))}, 6)
    tests = clip_tests(whole, lights, tested, orders, [regression], Scratch(tmp_path), centre=True)
    among = tested[np.triu_indices(clip.size, 1)[0]] & tested[np.triu_indices(clip.size, 1)[1]]
    own = data[tested] - data[tested].mean(axis=0)
    rest = lights, whole.models[:, among], clip[tested], orders
    pairs = whole.pairs[among]
    plain = clip_null([own], *rest, pairs=pairs, nuisance=nuisance[:, among])
    assert tests.plain is not None
    np.testing.assert_allclose(tests.plain.observed, plain.observed, atol=1e-6)
    np.testing.assert_array_equal(tests.plain.maximum[0], plain.maximum)
    hat = -(regression.basis @ regression.basis.T)[np.triu_indices(tested.sum(), 1)]
    beside = np.vstack([nuisance[:, among], hat])
    without = own - regression.basis @ (regression.basis.T @ own)
    beyond = clip_null([without.astype(np.float32)], *rest, pairs=pairs, nuisance=beside)
    assert tests.beyond is not None
    np.testing.assert_allclose(tests.beyond.observed, beyond.observed, atol=1e-6)
    np.testing.assert_allclose(tests.beyond.maximum[0], beyond.maximum, atol=1e-6)
    nothing = clip_permutations(6, 0, 0)
    assert nothing.shape == (0, 6)
    none = clip_tests(whole, lights, tested, nothing, [regression], Scratch(tmp_path), centre=True)
    assert none.plain is None
    assert none.beyond is None
