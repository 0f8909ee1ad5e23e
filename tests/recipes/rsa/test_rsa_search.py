"""The search gives the same numbers however it is divided."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.recipes.rsa import search
from bidsapp.scratch import Scratch
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
        permutations=clip_permutations(4, 50, 0),
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
