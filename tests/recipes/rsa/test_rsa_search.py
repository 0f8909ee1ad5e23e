"""The search gives the same numbers however it is divided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.recipes.rsa import search
from bidsapp.recipes.rsa.settings import RsaSettings
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
        data=rng.standard_normal((clip.size, 40)).astype(np.float32),
        models=rng.random((11, n_pairs)),
        families=[slice(0, 3), slice(3, 5)],
        nuisance=rng.random((2, n_pairs)),
        pairs=pair_mask(clip),
        clip=clip,
        permutations=clip_permutations(4, 50, 0),
        settings=RsaSettings(),
        device="cpu",
        n_threads=1,
        memory_bytes=1 << 30,
    )
    small = replace(whole, memory_bytes=2 * search.MODEL_BYTES * n_pairs, n_threads=2)
    assert [rows.stop - rows.start for rows in small.control_rows()] == [2, 2, 1]
    one = search.run_search(whole, lights, tmp_path / "one", label="", quiet=True)
    two = search.run_search(small, lights, tmp_path / "two", label="", quiet=True, slab=7)
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, getattr(two, name), name)
    assert one.score.shape == (5, 30)
    assert one.controls.shape == (5, 30)
