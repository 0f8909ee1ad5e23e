"""Results of `harmony` against a planted truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.recipes.harmony.results import RECIPE, RESULTS, SCORE
from bidsapp.simulate.checks.shared import Check, Found, said, written
from bidsapp.simulate.planted import Truth, read_map


def check_harmony(
    data_dir: Path, output_dir: Path, truth: Truth, *, oracle: bool
) -> dict[str, Any] | None:
    """Compare scores of units with and without a planted response; see `Check.run`.

    Responses are planted by another network, so no score is known in advance.

    Returns
    -------
    dict
        ``participants``: per participant, space and network the mean of the largest score over
        layers where a response is planted (``planted_r``) and where none is (``null_r``, the mean
        over layers).
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
    return {"participants": entries} if entries else None


def say_harmony(found: Found) -> list[str]:
    """Say in words what `check_harmony` found, one line per finding."""
    return [
        f"sub-{entry['participant']}, {entry['space']}, {entry['network']}: best layer "
        f"r = {said(entry['planted_r'])} where a response is planted; mean r = "
        f"{said(entry['null_r'])} where none is"
        for entry in found["participants"]
    ]


CHECK = Check("music", check_harmony, say_harmony)
