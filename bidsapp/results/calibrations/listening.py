"""Calibration of the listening test on listeners who share tastes and know nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidsapp.stats.listening import choice_test

_N_TRIALS, _N_OPTIONS, _N_LISTENERS = 24, 2, 5


def listening_choices(rng: np.random.Generator, n_sets: int) -> NDArray[np.float64]:
    """p-values of listeners who prefer the same option of a trial, (n_sets,)."""
    p_values = np.empty(n_sets)
    for number in range(n_sets):
        taste = rng.dirichlet([0.5] * _N_OPTIONS, size=_N_TRIALS)
        counts = np.array([rng.multinomial(_N_LISTENERS, share) for share in taste])
        correct = rng.integers(_N_OPTIONS, size=_N_TRIALS)
        p_values[number] = choice_test(counts, correct).p
    return p_values
