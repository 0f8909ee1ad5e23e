"""Prevalence of identification, and where there is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bidsapp.recipes.reconstruct import results as declared
from bidsapp.recipes.reconstruct.group import decoding_rows
from bidsapp.stats.clip_exchange import Exchange


def rows_of(null: np.ndarray, p: float) -> dict[str, Any]:
    """Row of the ensemble, of three participants with the same null and p."""
    table = pd.DataFrame(
        [{"decoder": declared.ENSEMBLE, "candidates": declared.ALL, "identification": 0.8, "p": p}]
    )
    study: Any = SimpleNamespace(settings=SimpleNamespace(significance=0.05))
    exchanges = [{"ensemble": Exchange(np.float64(0.8), null)}] * 3
    (row,) = decoding_rows(study, [table] * 3, exchanges)
    return row


@pytest.mark.parametrize("n_exchanges", [19, 999])
def test_participants_who_could_pass_are_counted(n_exchanges: int) -> None:
    rng = np.random.default_rng(0)
    row = rows_of(rng.normal(0.5, 0.05, n_exchanges), 0.3)
    assert row["n_significant"] == row["prevalence"] == 0
    assert row["prevalence_high"] < 1


def test_clips_with_few_orders_have_no_prevalence() -> None:
    """Eight orders drawn a thousand times: no p is below 1/8."""
    rng = np.random.default_rng(0)
    row = rows_of(rng.choice(np.linspace(0.2, 0.9, 8), 1000), 0.13)
    assert row["identification"] == pytest.approx(0.8)
    assert row["n_significant"] is row["prevalence"] is row["prevalence_low"] is None
    assert rows_of(rng.normal(0.5, 0.05, 18), 0.06)["prevalence"] is None
