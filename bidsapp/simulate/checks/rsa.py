"""Results of `rsa` against the planted truth."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from bidsapp.simulate.checks.shared import Check, Found, SpaceResults, mean_of, said
from bidsapp.simulate.planted import PlantedMap, Truth, read_map
from bidsapp.simulate.recovery import correlation, recovery
from bidsapp.simulate.spaces import Space, open_space

Floats = npt.NDArray[np.float64]

_ALPHA = 0.05
_USUAL_RADIUS_MM = 25.0


def check_rsa(
    data_dir: Path, output_dir: Path, truth: Truth, *, oracle: bool
) -> dict[str, Any] | None:
    """Compare results of `rsa` with the truth; None where there are none.

    Parameters
    ----------
    data_dir, output_dir
        Simulated dataset, results.
    truth
        Of the dataset.
    oracle
        Not used: the layer maps are judged by themselves.

    Returns
    -------
    dict
        ``participants`` and ``group``: one entry per space (see `compare_rsa`); ``mean``: per
        space, over participants.
    """
    if truth.design != "clips":
        return None
    model = str(truth.facts["network"])
    entries, group = [], []
    seen: dict[str, PlantedMap] = {}
    for (subject, space), path in truth.maps().items():
        planted = read_map(path)
        seen.setdefault(space, planted)
        results = SpaceResults(output_dir, subject, space)
        found = compare_rsa(results, planted, _space(truth, space), model, "rsa")
        if found:
            entries.append({"participant": subject, "space": space} | found)
    for space, planted in seen.items():
        results = SpaceResults(output_dir, None, space)
        found = compare_rsa(results, planted, _space(truth, space), model, "rsamean")
        if found:
            group.append({"space": space} | found)
    if not entries and not group:
        return None
    spaces = sorted({str(entry["space"]) for entry in entries})
    means = {
        space: mean_of([entry for entry in entries if entry["space"] == space]) for space in spaces
    }
    return {"participants": entries, "mean": means, "group": group}


def say_rsa(found: Found) -> list[str]:
    """Say in words what `check_rsa` found, one line per finding."""
    lines = []
    parts = [(f"{space}, mean of participants", mean) for space, mean in found["mean"].items()]
    parts += [(f"group, {entry['space']}", entry) for entry in found["group"]]
    for where, entry in parts:
        lines += [
            f"{where}: centroid layer and planted layer correlate at "
            f"{said(entry['centroid_r'])}, best layer and planted layer at "
            f"{said(entry['best_layer_r'])}",
            f"{where}: mean correlation with the planted layer {said(entry['planted_layer_r'])}; "
            f"where no searchlight reaches planted tissue {said(entry['null_mean_rho'])}",
            f"{where}: where nothing is planted {said(entry['null_share_p05'])} of p-values are "
            f"below .05, and {said(entry['null_share_fwe05'])} corrected ones",
        ]
    return lines


def compare_rsa(
    results: SpaceResults, planted: PlantedMap, space: Space, model: str, desc: str
) -> dict[str, Any] | None:
    """Compare the maps of one participant, or of the group, with what was planted.

    Parameters
    ----------
    results, space
        Where the maps are, and where units are.
    planted
        Truth; for the group, that of one participant (places differ by millimetres).
    model
        Name of the network.
    desc
        ``rsa`` or ``rsamean``.

    Returns
    -------
    dict or None
        As `recovery`, from all planted units with scores; and over the units whose searchlight
        holds no planted unit ``n_null_units``, ``null_mean_rho``, ``null_share_p05`` (of all
        layers), ``null_share_fwe05`` (any layer), ``planted_share_fwe05``. None without scores.
    """
    scores = results.find({"model": model, "stat": "rho", "desc": desc}, "statmap")
    if scores is None:
        return None
    units = np.flatnonzero(planted.layer > 0)
    null = null_units(results, planted, space)
    centroids = results.find({"model": model, "stat": "centroid", "desc": "rsa"}, "statmap")
    best = results.find({"model": model, "desc": "rsabestlayer"}, "dseg")
    p = results.find({"model": model, "stat": "p", "desc": "rsa"}, "statmap")
    fwe = results.find({"model": model, "stat": "p", "desc": "rsafwe"}, "statmap")
    found: dict[str, Any] = recovery(scores[:, units], planted.layer[units])
    if centroids is not None:
        found["written_centroid_r"] = correlation(centroids[0, units], planted.layer[units])
    if best is not None:
        chosen = np.where(best[0] > 0, best[0], np.nan)
        found["written_best_layer_r"] = correlation(chosen[units], planted.layer[units])
    rho = scores[:, null]
    found["n_null_units"] = int(np.isfinite(rho).any(axis=0).sum())
    found["null_mean_rho"] = float(np.nanmean(rho)) if np.isfinite(rho).any() else math.nan
    found["null_share_p05"] = _share(p, null, any_map=False)
    found["null_share_fwe05"] = _share(fwe, null, any_map=True)
    found["planted_share_fwe05"] = _share(fwe, units, any_map=True)
    return found


def null_units(results: SpaceResults, planted: PlantedMap, space: Space) -> npt.NDArray[np.intp]:
    """Units whose searchlight holds no planted unit, as places in the grid.

    Radii are read from the results; without them 25 mm are assumed.
    """
    radii = results.find({"stat": "radius", "desc": "rsa"}, "statmap")
    layer = planted.layer[space.index]
    places = space.coordinates_mm
    if not (layer > 0).any():
        return np.asarray(space.index)
    distance, _ = cKDTree(places[layer > 0]).query(places)
    radius = _USUAL_RADIUS_MM if radii is None else np.nan_to_num(radii[0])[space.index]
    return np.asarray(space.index[(layer == 0) & (distance > radius)])


def _share(p: Floats | None, units: npt.NDArray[Any], *, any_map: bool) -> float:
    """Share of p-values below .05; with `any_map` of units where any map is below."""
    if p is None:
        return math.nan
    values = p[:, units]
    if any_map:
        tested = np.isfinite(values).any(axis=0)
        values = np.nan_to_num(values[:, tested], nan=1.0).min(axis=0)
    values = values[np.isfinite(values)]
    return float((values < _ALPHA).mean()) if values.size else math.nan


def _space(truth: Truth, name: str) -> Space:
    return open_space(name, int(truth.options["voxel_mm"]))


CHECK = Check(check_rsa, say_rsa)
