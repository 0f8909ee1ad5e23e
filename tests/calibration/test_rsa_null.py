"""Error rates of searchlight RSA on data without coupling, and the find of a planted layer.

The simulation and the full table are `benchmarks/rsa_null.py`; this is a small part of it.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from bidsapp.stats.rsa.inference import maximum_of_noise

N_PERMUTATIONS = 99


@pytest.fixture(scope="module")
def simulation():
    path = Path(__file__).parents[2] / "benchmarks" / "rsa_null.py"
    spec = importlib.util.spec_from_file_location("rsa_null", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["rsa_null"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["rsa_null"]


def small(simulation, **changes):
    return simulation.Design(
        **{"n_clips": 8, "n_volumes": 12, "n_layers": 5, "n_voxels": 30, "n_spheres": 1} | changes
    )


def rates(simulation, design, n_draws):
    found = [simulation.analyse(design, seed, N_PERMUTATIONS) for seed in range(n_draws)]
    return {
        name: np.mean([getattr(outcome, name) for outcome in found])
        for name in ("one_layer", "faithful", "sign_flip", "clip")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "same_order", "unknown_sounds"),
    [("drift", True, 0.0), ("drift", False, 0.0), ("ar", True, 0.0), ("ar", True, 0.3)],
)
def test_clip_permutation_holds_where_borders_are_trimmed(
    simulation, noise, same_order, unknown_sounds
):
    """Not more than .07, give or take two standard errors of 60 draws."""
    design = small(
        simulation,
        noise=noise,
        same_order=same_order,
        pairs="trimmed",
        unknown_sounds=unknown_sounds,
    )
    n_draws = 60
    found = rates(simulation, design, n_draws)
    print(f"\n{design.name}: {found}")
    assert found["clip"] <= 0.07 + 2 * np.sqrt(0.05 * 0.95 / n_draws)
    assert found["faithful"] > 0.9


def test_the_faithful_test_rejects_noise(simulation):
    """White noise, no drift, all pairs: every assumption of a t-test holds but one."""
    design = small(simulation, noise="white", pairs="all", n_layers=10)
    found = [simulation.analyse(design, seed, 1) for seed in range(12)]
    assert np.mean([outcome.faithful for outcome in found]) > 0.9
    assert np.mean([outcome.one_layer for outcome in found]) <= 0.25
    t = [simulation.faithful_test(outcome.rho).t for outcome in found]
    assert np.median(t) == pytest.approx(maximum_of_noise(10, 8).t, rel=0.5)


def test_tests_over_participants_fail_with_a_common_order_and_drift(simulation):
    found = rates(simulation, small(simulation, noise="drift", pairs="trimmed"), 12)
    assert found["sign_flip"] > 0.3


def test_a_planted_layer_is_found(simulation):
    best, detected = [], []
    for layer in range(1, 6):
        design = small(
            simulation, noise="drift", same_order=False, pairs="trimmed", planted_layer=layer
        )
        outcome = simulation.analyse(design, layer, N_PERMUTATIONS)
        best.append((outcome.best == layer).all())
        detected.append(outcome.clip.all())
    assert np.mean(best) >= 0.8
    assert np.mean(detected) >= 0.8
