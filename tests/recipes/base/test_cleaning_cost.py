"""What cleaning costs is said before the work, and is a caution from 15 % on."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from bidsapp.bids.records import Run
from bidsapp.brain.confounds import cosine_basis
from bidsapp.recipes.base import cautions
from bidsapp.recipes.base.cost import null_seconds
from bidsapp.recipes.base.inputs import Inputs, cleaning_cost
from bidsapp.recipes.gradients.settings import VARIANTS
from tests.runs import make_run


def run_of(n_trs: int, number: int = 1) -> Run:
    return make_run(str(number), tr_s=1.5, n_trs=n_trs)


def test_the_dry_run_names_the_run_that_loses_most() -> None:
    runs = [run_of(122), run_of(292, 2)]
    n = [cosine_basis(run.n_trs, run.tr_s, 1 / 16).shape[1] for run in runs]
    assert n[1] / 292 > n[0] / 122
    text = cleaning_cost(runs, "none", 1 / 16)
    assert f"{n[1]} regressors in 292 volumes of sub-01_task-music_run-2" in text
    assert f"{100 * n[1] / 292:.0f} % of the degrees of freedom" in text
    assert "over 2 runs" in text
    assert cleaning_cost(runs, "motion6", 0.0) == ""


@pytest.mark.parametrize(("n_regressors", "cautioned"), [(18, False), (19, True), (31, True)])
def test_a_caution_from_fifteen_percent_on(n_regressors: int, cautioned: bool) -> None:
    names = [[f"x{k}" for k in range(n_regressors)], ["x0"]]
    found = list(cautions.freedom([run_of(122), run_of(292, 2)], names))
    assert bool(found) == cautioned
    if found:
        share = f"{100 * n_regressors / 122:.0f} %"
        assert share in found[0].title
        assert f"{n_regressors} regressors in 122 volumes" in found[0].text


@pytest.mark.parametrize(
    ("response", "filtered", "minutes"),
    [("lags", True, 6), ("lags", False, 1), ("canonical", True, 1)],
)
def test_the_null_takes_the_minutes_that_were_measured(
    response: Literal["canonical", "lags"], filtered: bool, minutes: int
) -> None:
    """T = 939 in three pieces, 24 layers, both sets of lags, 200 displacements."""
    table = tuple({"stim_file": f"{name}.wav", "n_rows": 160} for name in "abc")
    inputs = Inputs("01", "T1w", (), (), (), (), table, ())
    settings = replace(VARIANTS["robust"], filter_features=filtered, response=response)
    assert round(null_seconds(inputs, settings, 24, 400) / 120) == minutes


def test_no_runs_no_caution() -> None:
    assert not list(cautions.freedom([], []))
