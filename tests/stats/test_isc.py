"""The expected correlation of a perfect model, from inter-subject correlations."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.stats.isc import InterSubjectSum, model_ceiling


@pytest.mark.parametrize("rho", [0.03, 0.1, 0.4])
@pytest.mark.parametrize("n", [3, 8, 37])
def test_the_ceiling_is_what_a_perfect_model_reaches(rho: float, n: int) -> None:
    rng = np.random.default_rng(n)
    shared = rng.standard_normal((4000, 12)) * np.sqrt(rho)
    everyone = shared + rng.standard_normal((n, 4000, 12)) * np.sqrt(1 - rho)
    total = InterSubjectSum(4000, 12)
    for responses in everyone:
        total.add(responses)
    isc = np.mean([total.correlate(responses) for responses in everyone])
    assert model_ceiling(np.array(isc), n) == pytest.approx(np.sqrt(rho), abs=0.03)
    assert isc < np.sqrt(rho)


def test_no_shared_response_has_no_ceiling() -> None:
    assert np.isnan(model_ceiling(np.array([-0.01, 0.0]), 8)).all()
