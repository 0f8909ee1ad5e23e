"""Results of `rsa` against the planted truth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from bidsapp.brain.geometry import VolumeGrid
from bidsapp.recipes.rsa import results as declared
from bidsapp.results.kinds import Result
from bidsapp.results.read import Results, Space
from bidsapp.simulate.checks.shared import Check, Found, mean_of, said, written
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
    """Compare results of `rsa` with the truth; None where there are none.

    Parameters
    ----------
    data_dir, output_dir
        Simulated dataset, results.
    truth
        Of the dataset.
    oracle
        Also analyse searchlights of planted units by a plain pipeline that knows the design.

    Returns
    -------
    dict
        ``participants`` and ``group``: one entry per space (see `compare_rsa`); ``mean``: per
        space, over participants.
    """
    if truth.design != "clips":
        return None
    network = str(truth.facts["network"])
    entries, group = [], []
    seen: dict[str, PlantedMap] = {}
    for (subject, space), path in truth.maps().items():
        planted = read_map(path)
        seen.setdefault(space, planted)
        for one in _written(output_dir, subject, space, network):
            comparison = compare_rsa(one, planted, _space(truth, space))
            entries.append({"participant": subject, "space": space} | comparison)
            if oracle:
                entries[-1]["oracle"] = _oracle(data_dir, truth, subject, space, planted)
    for space, planted in seen.items():
        for one in _written(output_dir, "", space, network):
            comparison = compare_rsa(one, planted, _space(truth, space))
            group.append({"space": space} | comparison)
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


def _oracle(
    data_dir: Path, truth: Truth, subject: str, space: str, planted: PlantedMap
) -> dict[str, float]:
    """Recovery by the plain analysis in an even sample of searchlights of planted units."""
    units = np.flatnonzero(planted.layer > 0)
    centres = np.arange(len(units))[:: max(1, len(units) // _ORACLE_CENTRES)]
    at = _space(truth, space)
    scores = pattern_scores(data_dir, truth, subject, at, units, centres)
    return recovery(scores, planted.layer[units[centres]])


@dataclass(frozen=True)
class Written:
    """What was written of one network in one space."""

    results: Results
    at: Space
    network: str

    def maps(self, result: Result) -> Floats | None:
        """Read maps over the flattened grid, (n_maps, n_grid); None without."""
        network = self.network if result.by_network else ""
        maps = self.results.maps(result, self.at, network)
        if maps is None or not isinstance(maps.units.geometry, VolumeGrid):
            return None if maps is None else maps.values.astype(np.float64)
        mask = maps.units.geometry.mask.ravel()
        grid = np.full((len(maps.values), mask.size), np.nan)
        grid[:, mask] = maps.values
        return grid


def _written(output_dir: Path, subject: str, space: str, network: str) -> Iterator[Written]:
    """Yield the results of a participant, or of the group, in a space; nothing without any."""
    for results, at in written(output_dir, declared.RECIPE, declared.RESULTS, subject, space):
        if network in results.networks(at):
            yield Written(results, at, network)


def compare_rsa(written: Written, planted: PlantedMap, space: PlantedSpace) -> dict[str, Any]:
    """Compare the maps of one participant, or of the group, with what was planted.

    Parameters
    ----------
    written
        The maps.
    planted
        Truth; for the group, that of one participant (places differ by millimetres).
    space
        Where voxels or vertices are.

    Returns
    -------
    dict
        As `recovery`, from all planted units with scores; and over the units whose searchlight
        holds no planted unit ``n_null_units``, ``null_mean_rho``, ``null_share_p05`` (of all
        layers), ``null_share_fwe05`` (any layer), ``planted_share_fwe05``.
    """
    scores = written.maps(declared.MEAN if written.results.is_group else declared.SCORE)
    assert scores is not None
    units = np.flatnonzero(planted.layer > 0)
    null = null_units(written.maps(declared.RADIUS), planted, space)
    centroids, best = written.maps(declared.CENTROID), written.maps(declared.BEST_LAYER)
    p, fwe = written.maps(declared.P), written.maps(declared.P_FWE)
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


CHECK = Check(check_rsa, say_rsa)
