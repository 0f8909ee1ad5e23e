"""The facts of a group analysis: settings, counts, provenance, licences, warnings."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

import numpy as np

from bidsapp import __version__
from bidsapp.recipes.rsa.group.inputs import GroupAnalysis
from bidsapp.recipes.rsa.group.results import GroupResults, NetworkGroup, mean_of
from bidsapp.recipes.rsa.group.wording import banner, licences, methods, warnings
from bidsapp.stats.rsa.clip_permutation import is_enumerated, smallest_p
from bidsapp.stats.signflip import GroupTest

_LIBRARIES = ("numpy", "scipy", "torch", "numba", "nibabel")
Row = dict[str, Any]


def summary(analysis: GroupAnalysis, results: GroupResults) -> Row:
    """Return everything a reader needs to audit the group level of one space.

    Parameters
    ----------
    analysis
        The job.
    results
        What it found.
    """
    inputs, config, settings = analysis.inputs, analysis.config, analysis.settings
    design, order = results.design, results.design.order
    first = inputs.participants[0].summary
    n_clips = len(design.clips)
    return {
        "recipe": inputs.recipe,
        "variant": config.variant,
        "version": __version__,
        "level": "group",
        "space": inputs.space,
        "settings": vars(settings),
        "participant_settings": first.get("settings", {}),
        "config": {"random_seed": config.random_seed, "mem": config.mem},
        "participants": list(inputs.subjects),
        "n_participants": len(inputs.participants),
        "left_out": [
            {"participant": subject, "reason": reason} for subject, reason in inputs.left_out
        ],
        "models": {model: list(layers) for model, layers in inputs.models.items()},
        "weights": first.get("weights", {}),
        "n_units": results.units.n_units,
        "units_hash": results.units.identity(),
        "n_searchlights": results.n_searchlights,
        "n_items": design.n_items,
        "n_clips": n_clips,
        "n_pairs": int(design.pairs.sum()),
        "nuisance": list(design.nuisance_names),
        "dissimilarity": results.dissimilarity,
        "time_difference_s": design.time_difference_s,
        "smallest_model_correlation": design.smallest_correlation,
        "n_permutations": results.n_permutations,
        "enumerated": is_enumerated(n_clips, settings.n_permutations),
        "smallest_p": smallest_p(n_clips, max(settings.n_permutations, 0)),
        "order": {
            "common": design.common_order,
            "n_orders": order.n_orders,
            "similarity": order.similarity,
            "balanced_within_participants": order.balanced,
        },
        "mean_ceiling_lower": mean_of(results.ceiling_lower),
        "mean_ceiling_upper": mean_of(results.ceiling_upper),
        "networks": [_network_facts(item, results) for item in results.networks],
        "banners": [text for item in results.networks if (text := banner(item, analysis))],
        "licences": licences(analysis, results),
        "methods": methods(analysis, results),
        "warnings": warnings(analysis, results),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _LIBRARIES},
    }


def _network_facts(item: NetworkGroup, results: GroupResults) -> Row:
    observed, expected = item.maxima
    own, own_expected = item.own_maxima
    withheld = results.design.common_order
    asymmetry = item.shape.asymmetry
    return {
        "network": item.model,
        "layers": list(item.layers),
        "n_significant": int(item.significant.sum()),
        "n_best": int((item.best > 0).sum()),
        "mean_maximum_over_layers": observed,
        "expected_maximum_over_layers": expected,
        "mean_own_maximum_over_layers": own,
        "expected_own_maximum_over_layers": own_expected,
        "median_confidence": _median(item.confidence),
        "asymmetry": None
        if asymmetry is None
        else {
            "left_minus_right_layers": mean_of(asymmetry.difference),
            "n": int(np.isfinite(asymmetry.difference).sum()),
            "p": None if withheld else float(asymmetry.test.p[0]),
        },
        "superior_temporal_gyrus": [
            {
                "hemisphere": axis.name,
                "n_units": int(axis.n_units.sum()),
                "slope": _shape_facts(axis.profile.slope, withheld) if axis.profile else None,
                "curvature": _shape_facts(axis.profile.curvature, withheld)
                if axis.profile
                else None,
            }
            for axis in item.shape.axes
        ],
    }


def _shape_facts(test: GroupTest, withheld: bool) -> Row:
    p = None if withheld else float(test.p[0])
    return {"t": float(test.t[0]), "n": int(test.n[0]), "p": p}


def _median(values: Any) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
