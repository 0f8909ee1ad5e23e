"""Results of `harmony` against a planted truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.recipes.harmony.results import RECIPE, RESULTS, SCORE
from bidsapp.simulate.checks.shared import Check, Found, said, written
from bidsapp.simulate.oracle import oracle_scores
from bidsapp.simulate.planted import Truth, read_map
from bidsapp.simulate.recovery import recovery

_ORACLE_UNITS = 600


def check_harmony(
    data_dir: Path, output_dir: Path, truth: Truth, *, oracle: bool
) -> dict[str, Any] | None:
    """Compare scores of units with and without a planted response; see `Check.run`.

    Where the planted network is analysed the oracle is the plain pipeline of encoding models.

    Returns
    -------
    dict
        ``participants``: per participant, space and network the mean of the largest score over
        layers where a response is planted (``planted_r``) and where none is (``null_r``, the mean
        over layers); of the planted network also ``recovery`` of the planted layers, and that of
        the ``oracle``.
    """
    entries = []
    for item in written(output_dir, RECIPE, RESULTS, truth):
        layer = read_map(item.planted).layer
        for network in item.results.networks(item.at):
            r = item.required(SCORE, network)
            known = np.isfinite(r).all(axis=0)
            entries.append(
                item.place
                | {
                    "network": network,
                    "planted_r": float(r.max(axis=0)[known & (layer > 0)].mean()),
                    "null_r": float(r[:, known & (layer == 0)].mean()),
                }
            )
            if network == truth.facts["network"]:
                units = np.flatnonzero(known & (layer > 0))
                entries[-1]["recovery"] = recovery(r[:, units], layer[units])
                if oracle:
                    units = units[:: max(1, len(units) // _ORACLE_UNITS)]
                    scores = oracle_scores(data_dir, truth, item.subject, item.space, units)
                    entries[-1]["oracle"] = recovery(scores, layer[units])
    return {"participants": entries} if entries else None


def say_harmony(found: Found) -> list[str]:
    """Say in words what `check_harmony` found, one line per finding."""
    return [
        f"sub-{entry['participant']}, {entry['space']}, {entry['network']}: best layer "
        f"r = {said(entry['planted_r'])} where a response is planted; mean r = "
        f"{said(entry['null_r'])} where none is"
        + (
            f"; planted layer r = {said(entry['recovery']['planted_layer_r'])}, of a plain "
            f"pipeline that knows the design {said(entry['oracle']['planted_layer_r'])}"
            if "oracle" in entry
            else ""
        )
        for entry in found["participants"]
    ]


CHECK = Check("music", check_harmony, say_harmony)
