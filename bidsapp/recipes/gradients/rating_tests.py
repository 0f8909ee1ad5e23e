"""How well each layer predicts continuous ratings, over raters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.gradients import results
from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.stats.bootstrap import bootstrap_interval, resample_counts
from bidsapp.stats.metrics import fisher_z
from bidsapp.stats.signflip import SignFlips

Key = tuple[str, str, str, int]


def rating_rows(
    inputs: GroupInputs, network: str, settings: GradientsGroupSettings, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the mean score of each rating, set of lags and layer.

    The unit of inference is the rater: ratings that several participants share (of other
    listeners, or an average) count once, averaged over the participants who heard the sounds.

    Parameters
    ----------
    inputs
        Participants with their ratings.
    network
        Whose layers.
    settings
        Numbers of resamples and flips.
    seed
        Names them.

    Yields
    ------
    dict
        Nothing if there are no ratings; interval and p are missing for a single rater.
    """
    scores = _collect(inputs, network)
    for key in sorted(scores, key=lambda key: (key[0], results.LAGS.index(key[1]), key[3])):
        rating, lags, layer, index = key
        z = np.array([np.mean(fisher_z(np.array(r))) for r in scores[key].values()])
        low, high, p = _inference(z, settings, seed)
        yield {
            "lags": lags,
            "rating": rating,
            "layer": layer,
            "layer_index": index,
            "mean_r": np.tanh(z.mean()),
            "ci_low": np.tanh(low),
            "ci_high": np.tanh(high),
            "n": len(z),
            "p": p,
        }


def _inference(
    z: NDArray[np.float64], settings: GradientsGroupSettings, seed: int
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


def _collect(inputs: GroupInputs, network: str) -> dict[Key, dict[str, list[float]]]:
    """Scores over pieces by rating, lags, layer and its number, then by rater."""
    scores: dict[Key, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for participant in inputs.participants:
        sidecar = participant.sidecar(results.RATINGS, network=network)
        if sidecar.get("ConfigurationHash") != inputs.configuration_hash:
            continue  # no ratings, or those of other settings: all spaces share the table
        table = participant.table(results.RATINGS, network=network)
        table = table[(table["piece"] == "mean") & np.isfinite(table["r"])]
        for row in table.fillna({"rater": "average"}).to_dict(orient="records"):
            key = row["rating"], row["lags"], row["layer"], int(row["layer_index"])
            scores[key][row["rater"]].append(row["r"])
    return scores
