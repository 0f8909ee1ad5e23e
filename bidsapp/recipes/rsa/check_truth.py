"""Results of `rsa` against the planted truth."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from bidsapp.recipes.rsa import results as declared
from bidsapp.simulate.checks.shared import Check, Found, Written, means_by_space, said, written
from bidsapp.simulate.pattern_oracle import pattern_scores
from bidsapp.simulate.planted import PlantedMap, Truth, read_map
from bidsapp.simulate.recovery import correlation, recovery
from bidsapp.simulate.spaces import Space as PlantedSpace
from bidsapp.simulate.spaces import open_space

Floats = npt.NDArray[np.float64]

_ALPHA = 0.05
_USUAL_RADIUS_MM = 25.0
_ORACLE_CENTRES = 200


def check_rsa(
    data_dir: Path, output_dir: Path, truth: Truth, *, oracle: bool
) -> dict[str, Any] | None:
    """Compare results of `rsa` with the truth; the oracle searches planted units only.

    Returns
    -------
    dict
        ``participants`` and ``group``: one entry per space (see `compare_rsa`); ``mean``: per
        space, over participants.
    """
    network = str(truth.facts["network"])

    def compared(*, group: bool) -> list[dict[str, Any]]:
        names = declared.RECIPE, declared.RESULTS
        items = written(output_dir, *names, truth, network=network, group=group)
        return [
            item.place | compare_rsa(item, network, _space(truth, item.space)) for item in items
        ]

    entries, group = compared(group=False), compared(group=True)
    if oracle:
        for entry in entries:
            entry["oracle"] = _oracle(data_dir, truth, entry["participant"], entry["space"])
    if not entries and not group:
        return None
    return {"participants": entries, "mean": means_by_space(entries), "group": group}


def say_rsa(found: Found) -> list[str]:
    """Say in words what `check_rsa` found, one line per finding."""
    lines = []
    parts = [(f"{space}, mean of participants", mean) for space, mean in found["mean"].items()]
    parts += [(f"group, {entry['space']}", entry) for entry in found["group"]]
    for where, entry in parts:
        if "oracle" in entry:
            known = entry["oracle"]
            lines.append(
                f"{where}: a plain analysis that knows the design reaches "
                f"{said(known['centroid_r'])} with the centroid layer and "
                f"{said(known['best_layer_r'])} with the best layer"
            )
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


def _oracle(data_dir: Path, truth: Truth, subject: str, space: str) -> dict[str, float]:
    """Recovery by the plain analysis in an even sample of searchlights of planted units."""
    layer = read_map(truth.maps()[subject, space]).layer
    units = np.flatnonzero(layer > 0)
    centres = np.arange(len(units))[:: max(1, len(units) // _ORACLE_CENTRES)]
    at = _space(truth, space)
    scores = pattern_scores(data_dir, truth, subject, at, units, centres)
    return recovery(scores, layer[units[centres]])


def compare_rsa(item: Written, network: str, space: PlantedSpace) -> dict[str, Any]:
    """Compare the maps of one participant, or of the group, with what was planted.

    Parameters
    ----------
    item
        The maps, and the truth; for the group, that of one participant (places differ by
        millimetres).
    network
        Whose layers were planted.
    space
        Where voxels or vertices are.

    Returns
    -------
    dict
        As `recovery`, from all planted units with scores; and over the units whose searchlight
        holds no planted unit ``n_null_units``, ``null_mean_rho``, ``null_share_p05`` (of all
        layers), ``null_share_fwe05`` (any layer), ``planted_share_fwe05``.
    """
    planted = read_map(item.planted)
    scores = item.required(declared.MEAN if item.results.is_group else declared.SCORE, network)
    units = np.flatnonzero(planted.layer > 0)
    null = null_units(item.on_grid(declared.RADIUS), planted, space)
    centroids, best, p, fwe = (
        item.on_grid(result, network)
        for result in (declared.CENTROID, declared.BEST_LAYER, declared.P, declared.P_FWE)
    )
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


def null_units(
    radii: Floats | None, planted: PlantedMap, space: PlantedSpace
) -> npt.NDArray[np.intp]:
    """Voxels or vertices whose searchlight holds no planted one, as places in the grid.

    Parameters
    ----------
    radii
        (1, n_grid) of the searchlights (mm); 25 mm are assumed without.
    planted, space
        Truth, and where voxels or vertices are.
    """
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


def _space(truth: Truth, name: str) -> PlantedSpace:
    return open_space(name, int(truth.options["voxel_mm"]))


CHECK = Check("clips", check_rsa, say_rsa)
