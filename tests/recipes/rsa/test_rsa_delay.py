"""Model RDMs of later responses, and which delay is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.rsa.items import make_items
from bidsapp.recipes.rsa.layer_models import (
    by_delay,
    delay_map,
    delay_rows,
    delayed_models,
    layer_models,
)
from bidsapp.recipes.rsa.settings import RsaSettings
from tests.recipes.rsa.test_rsa_models import HOP_S, LENGTH_S, make_bank, two_clips

SCORE = np.array([[0.2, np.nan, 0.1], [0.1, np.nan, 0.4]])
DELAYED = np.array(
    [[[0.1, np.nan, 0.3], [0.1, np.nan, 0.1]], [[0.5, np.nan, 0.0], [0.0, np.nan, 0.2]]]
)


def test_the_delay_of_the_response_is_found(
    make_inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    """A brain whose responses come 2 s late has the RDM of the models that are 2 s late."""
    bank, _ = make_bank(tmp_path)
    inputs = make_inputs(two_clips(), tr_s=HOP_S, n_trs=400, start_time_s=0.0, sound_s=LENGTH_S)
    settings = replace(RsaSettings(), delays_s=(-2.0, 2.0, 4.0))
    items = make_items(inputs, settings)
    late = replace(items, stretch_time_s=items.stretch_time_s - 2.0)  # the canonical, read early
    brain = layer_models(bank, late, settings).rdms[0]
    rdms = [models.rdms[0] for models in delayed_models(bank, items, settings)]
    alike = [np.corrcoef(brain, rdm)[0, 1] for rdm in rdms]
    assert alike[1] > 1 - 1e-9
    assert max(alike[0], alike[2]) < 0.95
    assert np.corrcoef(brain, layer_models(bank, items, settings).rdms[0])[0, 1] < 0.95


def test_scores_stand_in_the_order_of_delays() -> None:
    delays_s, scores = by_delay(SCORE, DELAYED, (2.0, -2.0))
    assert delays_s == [-2.0, 0.0, 2.0]
    np.testing.assert_array_equal(scores[1], SCORE)
    np.testing.assert_array_equal(scores[0], DELAYED[1])


def test_the_map_is_of_the_best_layer() -> None:
    delays_s, scores = by_delay(SCORE, DELAYED, (2.0, -2.0))
    values = delay_map(delays_s, scores, np.array([1, 0, 2]))
    np.testing.assert_array_equal(values, [-2.0, np.nan, 0.0])


def test_rows_are_of_significant_searchlights_or_of_all() -> None:
    delays_s, scores = by_delay(SCORE, DELAYED, (2.0, -2.0))
    some = list(delay_rows(delays_s, scores, ("a", "b"), np.array([False, False, True])))
    assert [row["delay_s"] for row in some] == [-2, -2, 0, 0, 2, 2]
    np.testing.assert_allclose([row["mean_rho"] for row in some], [0, 0.2, 0.1, 0.4, 0.3, 0.1])
    everything = list(delay_rows(delays_s, scores, ("a", "b"), np.zeros(3, bool)))
    assert {row["n_units"] for row in everything} == {2}
    nowhere = list(
        delay_rows(delays_s, np.full_like(scores, np.nan), ("a", "b"), np.ones(3, bool))
    )
    assert all(np.isnan(row["mean_rho"]) for row in nowhere)
