"""Rows of the group level's tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bidsapp.recipes.rsa.group.inputs import GroupAnalysis
from bidsapp.recipes.rsa.group.results import GroupResults, NetworkGroup, mean_of
from bidsapp.stats.bootstrap import bootstrap_interval, resample_counts

Row = dict[str, Any]


def profile_rows(item: NetworkGroup, analysis: GroupAnalysis) -> Iterator[Row]:
    """Yield one row per layer: scores over all units."""
    settings, n_people = analysis.settings, len(item.rho)
    own = np.array([[mean_of(layer) for layer in one] for one in item.rho])
    low, high = np.full((2, len(item.layers)), np.nan)
    if n_people > 1 and settings.n_bootstrap > 0:
        counts = resample_counts(n_people, settings.n_bootstrap, analysis.config.random_seed)
        low, high = bootstrap_interval(own, counts)
    untrained = item.untrained
    for index, layer in enumerate(item.layers):
        passed = item.test.p_fwe[index] <= settings.significance if item.test else np.False_
        yield {
            "layer": layer,
            "layer_index": index + 1,
            "mean_rho": mean_of(item.mean[index]),
            "ci_low": low[index],
            "ci_high": high[index],
            "n_best": int(np.sum(item.best == index + 1)),
            "n_significant": int(np.sum(passed)),
            "mean_untrained": mean_of(untrained.mean[index]) if untrained else np.nan,
            "difference": mean_of(untrained.participants[:, index]) if untrained else np.nan,
        }


def layer_rows(item: NetworkGroup, *, withheld: bool) -> Iterator[Row]:
    """Yield one row per hemisphere and layer, and the difference of hemispheres.

    Parameters
    ----------
    item
        Results of a network.
    withheld
        Whether p-values over participants are left out.
    """
    for side in item.shape.sides:
        total = int(side.n_best.sum())
        for index, layer in enumerate(item.layers):
            yield {
                "hemisphere": side.name,
                "layer": layer,
                "layer_index": index + 1,
                "share": side.n_best[index] / total if total else np.nan,
                "n": int(side.n_best[index]),
                "participant_share": mean_of(side.shares[:, index]),
                "p": np.nan,
            }
    asymmetry = item.shape.asymmetry
    if asymmetry is None:
        return
    for index, layer in enumerate(item.layers):
        yield {
            "hemisphere": "L-R",
            "layer": layer,
            "layer_index": index + 1,
            "share": np.nan,
            "n": None,
            "participant_share": mean_of(asymmetry.shares[:, index]),
            "p": np.nan if withheld else float(asymmetry.share_test.p_fwe[index]),
        }


def axis_rows(item: NetworkGroup) -> Iterator[Row]:
    """Yield one row per hemisphere and bin of the superior temporal gyrus."""
    for axis in item.shape.axes:
        for index, position in enumerate(axis.position):
            scores = dict(zip(item.layers, axis.rho[:, index], strict=True))
            yield {
                "hemisphere": axis.name,
                "position": round(float(position), 4),
                "n_units": int(axis.n_units[index]),
                "centroid": axis.centroid[index],
                "ci_low": axis.profile.low[index] if axis.profile else np.nan,
                "ci_high": axis.profile.high[index] if axis.profile else np.nan,
                **{f"rho_{layer}": value for layer, value in scores.items()},
            }


def participant_rows(analysis: GroupAnalysis, results: GroupResults) -> Iterator[Row]:
    """Yield one row per participant, those left out at the end."""
    first = results.networks[0]
    for one, rho in zip(analysis.inputs.participants, first.rho, strict=True):
        means = np.array([mean_of(layer) for layer in rho])
        known = np.isfinite(means).any()
        repeats = one.summary.get("n_repeats", (None, None))
        yield {
            "participant": one.subject,
            "included": True,
            "reason": None,
            "configuration_hash": one.configuration_hash,
            "n_trs": sum(int(run["n_trs"]) for run in one.summary.get("runs", ())),
            "fewest_repeats": repeats[0],
            "mean_rho": mean_of(means),
            "best_layer": first.layers[int(np.nanargmax(means))] if known else None,
            "lag_mean_rho": one.summary.get("lag_model_mean_rho"),
        }
    for subject, reason in analysis.inputs.left_out:
        empty = ("configuration_hash", "n_trs", "fewest_repeats", "mean_rho", "best_layer")
        yield {
            "participant": subject,
            "included": False,
            "reason": reason,
            **dict.fromkeys((*empty, "lag_mean_rho")),
        }
