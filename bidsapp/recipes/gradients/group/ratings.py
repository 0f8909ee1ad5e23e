"""How well each layer predicts continuous ratings, over raters."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from bidsapp.bids.records import Problem
from bidsapp.bids.tables import is_missing, number, read_table
from bidsapp.recipes.gradients.group.inputs import GroupInputs
from bidsapp.recipes.gradients.group.settings import GroupSettings
from bidsapp.stats.bootstrap import bootstrap_interval, resample_counts
from bidsapp.stats.metrics import fisher_z
from bidsapp.stats.signflip import SignFlips

Scores = dict[tuple[str, str, str, int], dict[str, list[float]]]


def rating_rows(
    inputs: GroupInputs, model: str, settings: GroupSettings, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the mean score of each rating, set of lags and layer.

    The unit of inference is the rater: ratings that several participants share (of other
    listeners, or an average) count once, averaged over the participants who heard the sounds.

    Parameters
    ----------
    inputs, model
        Whose ratings.
    settings, seed
        Resamples and flips.

    Yields
    ------
    dict
        Nothing if there are no ratings; interval and p are missing for a single rater.
    """
    found = _collect(inputs, model)
    order = sorted(found, key=lambda key: (key[0], inputs.lags.index(key[1]), key[3]))
    for key in order:
        (rating, lags, layer, index), raters = key, found[key]
        z = np.array([np.mean(fisher_z(np.array(values))) for values in raters.values()])
        low, high, p = _inference(z, settings, seed)
        yield {
            "rating": rating,
            "lags": lags,
            "layer": layer,
            "layer_index": index,
            "mean_r": np.tanh(z.mean()),
            "ci_low": np.tanh(low),
            "ci_high": np.tanh(high),
            "n": len(z),
            "p": p,
        }


def _inference(
    z: np.ndarray[Any, Any], settings: GroupSettings, seed: int
) -> tuple[float, float, float]:
    """Bootstrap interval of the mean and sign-flip p."""
    if len(z) < 2:
        return np.nan, np.nan, np.nan
    counts = resample_counts(len(z), settings.n_bootstrap, seed)
    low, high = bootstrap_interval(z[:, None], counts)
    flips = SignFlips(
        len(z), n_permutations=settings.n_flips, seed=seed, alternative=settings.alternative
    )
    return float(low[0]), float(high[0]), float(flips.add(z[:, None]).p[0])


def _collect(inputs: GroupInputs, model: str) -> Scores:
    """Scores over pieces by rating, lags, layer and its number, then by rater."""
    found: Scores = defaultdict(lambda: defaultdict(list))
    for one in inputs.participants:
        entities = {"model": model, "desc": "ratings"}
        table = read_table(one.file(entities, "stats", ".tsv", in_space=False))
        if isinstance(table, Problem):
            continue
        if not _is_of(one.configuration_hash, table.path):
            continue
        for row in table.rows:
            r = number(row["r"])
            if row["piece"] != "mean" or row["lags"] not in inputs.lags or not np.isfinite(r):
                continue
            rater = "average" if is_missing(row["rater"]) else row["rater"]
            key = row["rating"], row["lags"], row["layer"], int(row["layer_index"])
            found[key][rater].append(r)
    return found


def _is_of(code: str, table: Any) -> bool:
    """Whether a table that all spaces share was written with the participant's settings."""
    try:
        content = json.loads(table.with_suffix(".json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(content.get("ConfigurationHash") == code)
