"""What a group gains by alignment: intervals of planted and of absent gains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bidsapp.errors import InputInvalidError
from bidsapp.models.across_participants import SOURCES, decode_across
from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.reconstruct import results as declared
from bidsapp.recipes.reconstruct.across import (
    across_rows,
    common_regions,
    exchange_everybody,
    gain_rows,
)
from bidsapp.recipes.reconstruct.decode import make_judge
from bidsapp.stats.folds import nested_folds
from tests.recipes.reconstruct.test_reconstruct_decode import CLIPS, N_CLIPS, N_FOLDS, SETTINGS

N_DIMENSIONS, N_UNITS, N_PEOPLE = 6, 12, 3
ALPHAS = (1.0, 10.0, 100.0)


def tables(seed: int, *, own_topography: bool, signal: float = 1.0) -> tuple[dict, dict]:
    """Rows of both tables of a group, for all clips of the fold, by source and by gain."""
    rng = np.random.default_rng(seed)
    embedding = rng.standard_normal((N_CLIPS, 1, N_DIMENSIONS))
    rows = ClipRows(embedding, np.arange(N_CLIPS) % N_FOLDS, nested_folds(np.arange(N_FOLDS)))
    weights = rng.standard_normal((N_PEOPLE, N_DIMENSIONS, N_UNITS))
    weights = weights if own_topography else np.broadcast_to(weights[0], weights.shape)
    people = list(signal * embedding[:, 0] @ weights)
    people = [own + rng.standard_normal(own.shape) for own in people]
    judge = make_judge(rows, CLIPS, replace(SETTINGS, n_exchanges=199), seed=1)
    predicted = {source: np.full((N_PEOPLE, N_CLIPS, N_DIMENSIONS), np.nan) for source in SOURCES}
    for fold in range(N_FOLDS):
        decoded = decode_across(people, rows, fold, ALPHAS, n_components=N_UNITS)
        for source, values in decoded.items():
            predicted[source][:, rows.fold == fold] = values
    exchanges = exchange_everybody(judge, predicted)
    accuracies = {
        row["source"]: row for row in across_rows(exchanges) if row["candidates"] == declared.ALL
    }
    gains = {
        row["gain"].split()[0]: row
        for row in gain_rows(exchanges)
        if row["candidates"] == declared.ALL
    }
    return accuracies, gains


def test_a_planted_gain_has_an_interval_above_zero() -> None:
    accuracies, gains = tables(0, own_topography=True)
    assert accuracies["aligned"]["p"] <= 0.01
    assert gains["aligned"]["difference_low"] > 0
    assert gains["aligned"]["p"] <= 0.01
    assert gains["aligned"]["n_positive"] == N_PEOPLE


@pytest.mark.parametrize("signal", [0.0, 1.0])
def test_an_absent_gain_has_an_interval_about_zero(signal: float) -> None:
    """With one topography of all, decoded or not, alignment has nothing to add."""
    _, gains = tables(1, own_topography=False, signal=signal)
    gain = gains["aligned"]
    assert gain["difference_low"] <= 0 <= gain["difference_high"]
    assert gain["difference"] < 0.05
    assert gain["p"] > 0.05


def test_units_count_where_everybody_has_them_in_the_same_region() -> None:
    label = common_regions([np.array([0, 0, 1, 1, -1, 2]), np.array([0, 0, 1, 0, 2, 2])], 2)
    assert list(label) == [0, 0, -1, -1, -1, -1]
    with pytest.raises(InputInvalidError, match="share no region with 3 units"):
        common_regions([np.array([0, 0, 1]), np.array([0, 0, 1])], 3)
