"""The facts of a group analysis: settings, counts, provenance, licences, warnings."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from bidsapp import __version__
from bidsapp.recipes.gradients.group.inputs import GroupAnalysis
from bidsapp.recipes.gradients.group.results import Condition, GroupResults
from bidsapp.recipes.gradients.group.wording import licences, methods, warnings

Row = dict[str, Any]


def coverage(values: Any) -> float:
    """Share of units at which a map is defined."""
    return float(np.isfinite(values).mean())


def summary(analysis: GroupAnalysis, results: GroupResults) -> Row:
    """Return everything a reader needs to audit the group level of one space.

    Parameters
    ----------
    analysis
        The job.
    results
        What it found.
    """
    inputs, config = analysis.inputs, analysis.config
    return {
        "recipe": inputs.recipe,
        "variant": config.variant,
        "version": __version__,
        "level": "group",
        "space": inputs.space,
        "settings": vars(analysis.settings),
        "participant_settings": inputs.participants[0].summary.get("settings", {}),
        "config": {"random_seed": config.random_seed, "atlas": config.atlas},
        "participants": list(inputs.subjects),
        "n_participants": len(inputs.participants),
        "left_out": [
            {"participant": subject, "reason": reason} for subject, reason in inputs.left_out
        ],
        "models": {model: list(layers) for model, layers in inputs.models.items()},
        "lags": list(inputs.lags),
        "weights": inputs.participants[0].summary.get("weights", {}),
        "n_units": results.units.n_units,
        "participants_per_unit": _n_facts(results.conditions[0]),
        "sign_flips": _flip_facts(results),
        "references": [
            {"name": item.name, "n_units": int(np.isfinite(item.values).sum()), **item.provenance}
            for item in results.references
        ],
        "spin": _spin_facts(analysis, results),
        "coverage": {
            model: {lags: _map_coverage(item, results) for lags, item in results.of(model).items()}
            for model in results.models
        },
        "isc": None if results.isc is None else {"n_rows": results.isc.n_rows},
        "licences": licences(analysis, results),
        "methods": methods(analysis, results),
        "warnings": warnings(analysis, results),
        "python": platform.python_version(),
    }


def _n_facts(item: Condition) -> Row:
    n = item.maps.n[item.maps.n > 0]
    if not n.size:
        return {}
    return {"min": int(n.min()), "median": float(np.median(n)), "max": int(n.max())}


def _flip_facts(results: GroupResults) -> Row | None:
    test = results.conditions[0].maps.test
    if test is None:
        return None
    return {"n_flips": test.n_flips, "all": test.exact, "smallest_p": test.smallest_p}


def _spin_facts(analysis: GroupAnalysis, results: GroupResults) -> Row | None:
    cortex, spins = results.cortex, results.spins
    if cortex is None or spins is None:
        return None
    return {
        "mesh": cortex.mesh_name,
        "n_vertices": cortex.mesh.n_units,
        "cortex_mask_sha256": cortex.mask_hash,
        "n_cortex": int(cortex.mask.sum()),
        "way_to_the_surface": dict(cortex.provenance),
        "statistic": analysis.settings.spin_statistic,
        "rotates": "reference",
        "n_rotations": spins.null.done,
        "n_swapped_rotations": 0 if spins.swapped is None else spins.swapped.done,
        "seed": analysis.config.random_seed,
        "rotations": "uniform on SO(3), keyed by seed and number; right hemisphere mirrored",
        "convention": "neuromaps: a vertex takes the value of the vertex nearest to its rotation",
        "overlap_floor": analysis.settings.overlap_floor,
        "thresholded": analysis.settings.thresholded,
        "digest": spins.null.digest,
    }


def _map_coverage(item: Condition, results: GroupResults) -> Row:
    """Share of units (and of the cortex) at which best and centroid layer are defined."""
    facts: Row = {
        "best": float((item.maps.best > 0).mean()),
        "centroid": coverage(item.maps.centroid),
    }
    if results.cortex is not None and item.surface_best is not None:
        mask = results.cortex.mask
        assert item.surface_centroid is not None
        facts["best_on_cortex"] = float((item.surface_best[mask] > 0).mean())
        facts["centroid_on_cortex"] = coverage(item.surface_centroid[mask])
    return facts
