"""A network's input is scored like its layers, but is no layer of it."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.audio.networks.base import INPUT, Layer
from bidsapp.audio.networks.musicnn import LAYERS
from bidsapp.recipes.base.group_maps import choose_best
from bidsapp.recipes.base.layers import competing, layers_apart, network_facts
from bidsapp.stats.metrics import best_layer, centroid_layer

SCORES = np.array([[0.9, 0.5, -0.1], [0.2, -0.3, -0.2], [0.4, 0.1, -0.3]])
COMPETES = np.array([False, True, True])


def test_inputs_are_apart_unless_they_compete_or_are_everything() -> None:
    mel, conv = Layer("mel", INPUT, 96), Layer("conv", "conv", 10)
    assert layers_apart((mel, conv), "apart") == ("mel",)
    assert layers_apart((mel, conv), "compete") == ()
    assert layers_apart((mel,), "apart") == ()
    assert competing((mel, conv), "apart").tolist() == [False, True]
    facts = network_facts((mel, conv), {"seed": 0}, "apart")
    assert facts == {"layers": ["mel", "conv"], "layers_apart": ["mel"], "weights": {"seed": 0}}


def test_the_first_layer_of_musicnn_is_its_input() -> None:
    assert layers_apart(LAYERS, "apart") == ("mel",)


def test_best_and_centroid_keep_the_numbers_of_the_layers() -> None:
    assert best_layer(SCORES).tolist() == [1, 1, 0]
    assert best_layer(SCORES, competes=COMPETES).tolist() == [3, 3, 0]
    centroid = centroid_layer(SCORES, competes=COMPETES)
    np.testing.assert_allclose(centroid[:2], [(2 * 0.2 + 3 * 0.4) / 0.6, 3.0])
    assert np.isnan(centroid[2])


@pytest.mark.parametrize(
    ("rule", "expected"), [("positive", [3, 3, 0]), ("everywhere", [3, 3, 2])]
)
def test_the_group_chooses_among_the_layers_that_compete(rule: str, expected: list[int]) -> None:
    assert choose_best(SCORES, rule, COMPETES).tolist() == expected


def test_a_missing_input_does_not_hide_the_layers() -> None:
    scores = np.where(COMPETES[:, None], SCORES, np.nan)
    assert choose_best(scores, "everywhere", COMPETES).tolist() == [3, 3, 2]
