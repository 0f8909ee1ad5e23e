"""Results of `reconstruct` against a planted embedding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.audio.networks import network_label
from bidsapp.recipes.reconstruct import results as declared
from bidsapp.recipes.reconstruct.encoding import results as encoding
from bidsapp.recipes.reconstruct.results import RECIPE, RESULTS
from bidsapp.results.read import Results, Space
from bidsapp.simulate.checks.shared import Check, Found, said, written
from bidsapp.simulate.decoding_oracle import identify_clips
from bidsapp.simulate.oracle import read_grid
from bidsapp.simulate.planted import Truth, read_map


def check_reconstruct(
    data_dir: Path, output_dir: Path, truth: Truth, *, oracle: bool
) -> dict[str, Any] | None:
    """Say how well clips are identified, and where regions with and without the embedding are.

    Parameters
    ----------
    data_dir, output_dir
        Simulated dataset, results.
    truth
        Of the dataset.
    oracle
        Also decode the planted layer from the planted units by a plain pipeline that knows them.

    Returns
    -------
    dict or None
        ``participants``: per participant and space, of the planted network: ``identification``,
        ``within_genre`` and ``p`` of the ensemble, and the mean identification of regions where
        the embedding is planted (``planted``) and where it is not (``null``); with encoding
        models also the mean correlation of this network's model in planted and other units
        (``encoding_planted``, ``encoding_null``); the ``oracle``'s identification. None without
        results.
    """
    if truth.design != "genres":
        return None
    network = network_label(str(truth.facts["network"]))
    entries = []
    for (subject, space), path in truth.maps().items():
        layer = read_map(path).layer
        for results, at in written(output_dir, RECIPE, RESULTS, subject, space):
            if network not in results.networks(at):
                continue
            table = results.table(declared.DECODING, at, network)
            table = table[table["decoder"] == declared.ENSEMBLE].set_index("candidates")
            above = read_grid(results.images(declared.MAP, at, network)).T.astype(np.float64)[0]
            known = np.isfinite(above)
            entries.append(
                _encoding(results, at, network, layer)
                | {
                    "participant": subject,
                    "space": space,
                    "network": network,
                    "layer": results.layers(network, at)[0],
                    "identification": float(table["identification"][declared.ALL]),
                    "within_genre": float(
                        table["identification"].get(declared.SAME_GENRE, np.nan)
                    ),
                    "p": float(table["p"][declared.ALL]),
                    "planted": 0.5 + _mean(above[known & (layer > 0)]),
                    "null": 0.5 + _mean(above[known & (layer == 0)]),
                }
            )
            if oracle:
                number = truth.features.layers.index(str(truth.facts["planted_layer"]))
                units = np.flatnonzero(layer > 0)
                decoded = identify_clips(data_dir, truth, subject, space, units, number)
                entries[-1]["oracle"] = decoded
    return {"participants": entries} if entries else None


def _encoding(
    results: Results, at: Space, network: str, layer: np.ndarray[Any, np.dtype[Any]]
) -> dict[str, Any]:
    """Return the mean correlations of one network's encoding model; nothing without models."""
    maps = results.maps(encoding.MODELS, at)
    if maps is None or network not in maps.names:
        return {}
    images = results.images(encoding.MODELS, at)
    r = read_grid(images).T.astype(np.float64)[maps.names.index(network)]
    known = np.isfinite(r)
    return {
        "encoding_planted": _mean(r[known & (layer > 0)]),
        "encoding_null": _mean(r[known & (layer == 0)]),
    }


def _mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return float(values.mean()) if values.size else float("nan")


def say_reconstruct(found: Found) -> list[str]:
    """Say in words what `check_reconstruct` found, one line per finding."""
    return [
        f"sub-{entry['participant']}, {entry['space']}, {entry['network']} {entry['layer']}: "
        f"identification {said(entry['identification'])} (p = {said(entry['p'])}), within genres "
        f"{said(entry['within_genre'])}; regions where the embedding is planted "
        f"{said(entry['planted'])}, where it is not {said(entry['null'])}"
        + (
            f"; a plain decoder that knows the design identifies {said(entry['oracle'])}"
            if "oracle" in entry
            else ""
        )
        + (
            f"; encoding r {said(entry['encoding_planted'])} and {said(entry['encoding_null'])}"
            if "encoding_planted" in entry
            else ""
        )
        for entry in found["participants"]
    ]


CHECK = Check(check_reconstruct, say_reconstruct)
