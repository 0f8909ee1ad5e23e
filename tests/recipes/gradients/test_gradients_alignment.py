"""Correlations of participants' maps with references, and their test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.recipes.gradients.spin_tables import (
    alignment_rows,
    alignment_test_rows,
    map_correlation,
)
from bidsapp.stats.signflip import sign_flip_test

SETTINGS = GradientsGroupSettings(n_flips=512)


def test_correlation_is_scipys_where_both_are_defined() -> None:
    rng = np.random.default_rng(0)
    maps = rng.integers(1, 5, (2, 200)).astype(float)
    references = rng.standard_normal((3, 200))
    maps[0, :30] = np.nan
    references[1, 20:60] = np.nan
    for statistic, oracle in (("spearman", spearmanr), ("pearson", pearsonr)):
        found = map_correlation(maps, references, statistic)
        for i, k in np.ndindex(2, 3):
            good = np.isfinite(maps[i]) & np.isfinite(references[k])
            assert found[i, k] == pytest.approx(oracle(maps[i][good], references[k][good])[0])


def test_constant_and_empty_maps_have_no_correlation() -> None:
    maps = np.vstack([np.ones(50), np.full(50, np.nan)])
    found = map_correlation(maps, np.arange(50.0)[None], "spearman")
    assert np.isnan(found).all()


def test_rows_hold_r_and_z() -> None:
    r = np.array([[[0.5, -0.2], [0.1, np.nan]]])
    rows = list(alignment_rows(r, ["07"], "positive", ["gradient1", "gradient2"]))
    assert [row["r"] for row in rows[:3]] == [0.5, -0.2, 0.1]
    assert rows[0]["z"] == pytest.approx(np.arctanh(0.5))
    assert [row["map"] for row in rows] == ["best", "best", "centroid", "centroid"]


def simulated(n: int = 9) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    positive = np.tanh(0.4 + 0.1 * rng.standard_normal((n, 2, 2)))
    return {"positive": positive, "negative": np.tanh(0.1 * rng.standard_normal((n, 2, 2)))}


def test_tests_are_sign_flips_with_their_family() -> None:
    r = simulated()
    rows = list(alignment_test_rows(r, ["gradient1", "gradient2"], SETTINGS, 0))
    assert len(rows) == 2 * 2 * 2
    slow = sign_flip_test(np.arctanh(r["positive"][:, :, 1]), n_permutations=512)
    mine = [r for r in rows if r["reference"] == "gradient2" and r["lags"] == "positive"]
    assert [row["p"] for row in mine] == pytest.approx(slow.p)
    assert [row["p_max"] for row in mine] == pytest.approx(slow.p_fwe)
    assert [row["t"] for row in mine] == pytest.approx(slow.t)
    assert mine[0]["exact"]
    assert mine[0]["n_flips"] == 512
    assert mine[0]["d_low"] < mine[0]["d"] < mine[0]["d_high"]
    assert mine[0]["z_low"] < mine[0]["mean_z"] < mine[0]["z_high"]
    assert mine[0]["p"] == pytest.approx(2 / 512)


def test_there_is_no_interval_for_a_handful_of_participants() -> None:
    rows = list(alignment_test_rows(simulated(4), ["a", "b"], SETTINGS, 0))
    assert all(np.isnan(row["z_low"]) and np.isnan(row["z_high"]) for row in rows)
    assert all(np.isfinite(row["p"]) == (row["lags"] == "positive") for row in rows)


def test_the_control_has_a_mean_and_no_test() -> None:
    r = simulated()
    rows = list(alignment_test_rows(r, ["a", "b"], SETTINGS, 0))
    (row,) = [
        row
        for row in rows
        if (row["lags"], row["map"], row["reference"]) == ("negative", "centroid", "a")
    ]
    assert row["mean_z"] == pytest.approx(np.arctanh(r["negative"][:, 1, 0]).mean())
    assert row["z_low"] < row["mean_z"] < row["z_high"]
    assert row["n_flips"] == 0
    assert all(np.isnan(row[name]) for name in ("t", "d", "p", "p_max"))


def test_one_participant_and_missing_values() -> None:
    rows = list(
        alignment_test_rows({"positive": simulated(1)["positive"]}, ["a", "b"], SETTINGS, 0)
    )
    assert all(np.isnan(row["p"]) and row["n"] == 1 for row in rows)
    r = simulated()
    r["positive"][0, 0, 0] = np.nan
    rows = list(alignment_test_rows(r, ["a", "b"], SETTINGS, 0))
    assert rows[0]["n"] == 8
    assert np.isfinite(rows[0]["p"])
