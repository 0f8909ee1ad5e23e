"""Results of `reconstruct` against a planted embedding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.audio.networks import network_label
from bidsapp.recipes.reconstruct import results as declared
from bidsapp.recipes.reconstruct.encoding import results as encoding
from bidsapp.recipes.reconstruct.results import RECIPE, RESULTS
from bidsapp.simulate.checks.shared import Check, Found, Written, said, written
from bidsapp.simulate.decoding_oracle import identify_clips
from bidsapp.simulate.planted import Truth, read_map


def check_reconstruct(
    data_dir: Path, output_dir: Path, truth: Truth, *, oracle: bool
) -> dict[str, Any] | None:
    """Say how well clips are identified, in regions with and without the embedding; see `Check`.

    Returns
    -------
    dict or None
        ``participants``: per participant and space, of the planted network: ``identification``,
        ``within_genre`` and ``p`` of the ensemble, and the mean identification of regions where
        the embedding is planted (``planted``) and where it is not (``null``); with encoding
        models also the mean correlation of this network's model in planted and other units
        (``encoding_planted``, ``encoding_null``); identification by a plain decoder that knows
        the design and the planted units (``oracle``). None without results.
    """
    network = network_label(str(truth.facts["network"]))
    entries = []
    for item in written(output_dir, RECIPE, RESULTS, truth, network=network):
        layer = read_map(item.planted).layer
        table = item.results.table(declared.DECODING, item.at, network)
        table = table[table["decoder"] == declared.ENSEMBLE].set_index("candidates")
        above = item.required(declared.MAP, network)[0]
        known = np.isfinite(above)
        entries.append(
            _encoding(item, network, layer)
            | item.place
            | {
                "network": network,
                "layer": item.results.layers(network, item.at)[0],
                "identification": float(table["identification"][declared.ALL]),
                "within_genre": float(table["identification"].get(declared.SAME_GENRE, np.nan)),
                "p": float(table["p"][declared.ALL]),
                "planted": 0.5 + _mean(above[known & (layer > 0)]),
                "null": 0.5 + _mean(above[known & (layer == 0)]),
            }
        )
        if oracle:
            number = truth.features.layers.index(str(truth.facts["planted_layer"]))
            units = np.flatnonzero(layer > 0)
            decoded = identify_clips(data_dir, truth, item.subject, item.space, units, number)
            entries[-1]["oracle"] = decoded
    return {"participants": entries} if entries else None


def _encoding(
    item: Written, network: str, layer: np.ndarray[Any, np.dtype[Any]]
) -> dict[str, Any]:
    """Return the mean correlations of one network's encoding model; nothing without models."""
    maps = item.results.maps(encoding.MODELS, item.at)
    if maps is None or network not in maps.names:
        return {}
    r = item.required(encoding.MODELS)[maps.names.index(network)]
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


CHECK = Check("genres", check_reconstruct, say_reconstruct)
