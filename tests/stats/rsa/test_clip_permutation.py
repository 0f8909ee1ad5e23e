from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pytest

from bidsapp.errors import InputInvalidError
from bidsapp.stats.nulls import permutation_p
from bidsapp.stats.rsa.clip_permutation import clip_permutations, is_enumerated, smallest_p


@pytest.mark.parametrize("n_clips", [2, 3, 5])
def test_few_clips_are_enumerated_without_the_observed_order(n_clips):
    found = clip_permutations(n_clips, 119, seed=3)
    assert is_enumerated(n_clips, 119)
    assert {tuple(row) for row in found} == set(permutations(range(n_clips))) - {
        tuple(range(n_clips))
    }
    assert len(found) == factorial(n_clips) - 1
    assert smallest_p(n_clips, 119) == 1 / factorial(n_clips)


def test_many_clips_are_drawn_by_seed_and_index():
    few, many = clip_permutations(16, 10, 1), clip_permutations(16, 50, 1)
    np.testing.assert_array_equal(many[:10], few)
    assert (np.sort(many, axis=1) == np.arange(16)).all()
    assert not np.array_equal(few, clip_permutations(16, 10, 2))
    assert smallest_p(16, 999) == 0.001


def test_every_clip_goes_everywhere_equally_often():
    drawn = clip_permutations(6, 700, 0)
    counts = np.array([np.bincount(drawn[:, k], minlength=6) for k in range(6)])
    expected = len(drawn) / 6
    assert ((counts - expected) ** 2 / expected).sum() < 25 + 5 * np.sqrt(50)


def test_p_is_uniform_when_nothing_is_there():
    """The statistic of a random permutation among those of the others."""
    rng = np.random.default_rng(0)
    for n_clips, n_permutations in ((4, 99), (8, 19)):
        orders = clip_permutations(n_clips, n_permutations, 5)
        p = []
        for _ in range(2000):
            brain, model = rng.standard_normal((2, n_clips))
            p.append(permutation_p(brain @ model, model[orders] @ brain))
        assert np.mean(np.array(p) <= 0.05 + 1e-9) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_one_clip_is_refused():
    with pytest.raises(InputInvalidError, match="at least 2"):
        clip_permutations(1, 10, 0)
