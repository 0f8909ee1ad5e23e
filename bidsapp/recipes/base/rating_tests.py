"""How well each layer predicts continuous ratings, over raters.

Listeners rate the same music alike, whatever a model knows of it. Copy k of the null moves the
music in everybody alike, so that what raters share stays in the null
(`bidsapp.stats.displacement`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.results.kinds import Table
from bidsapp.results.write import Output
from bidsapp.stats.bootstrap import bootstrap_interval, resample_counts
from bidsapp.stats.clip_exchange import mean_of_known
from bidsapp.stats.displacement import displacement_test
from bidsapp.stats.metrics import fisher_z

Floats = NDArray[np.float64]
Key = tuple[str, ...]
"""Rating, and lags where a recipe has a control."""


@dataclass(frozen=True, eq=False)
class RaterScores:
    """Scores of one rating at one set of lags, one row per rater.

    Attributes
    ----------
    layers
        Name of each layer.
    observed : array of shape (n_raters, n_layers)
        Fisher z; NaN where missing.
    copies : array of shape (n_copies, n_layers)
        Mean over raters under each displacement of the music.
    """

    layers: tuple[str, ...]
    observed: Floats
    copies: Floats


def rating_rows(
    inputs: GroupInputs, network: str, tables: tuple[Table, Table], *, n_bootstrap: int, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the mean score of each rating, set of lags and layer.

    The rater is the unit of averages and intervals: ratings that several participants share (of
    other listeners, or an average) count once, averaged over the participants who heard the
    sounds.

    Parameters
    ----------
    inputs
        Participants with their ratings.
    network
        Whose layers.
    tables
        Declared scores of ratings, and those of displaced music.
    n_bootstrap, seed
        Resamples of raters, and what names them.

    Yields
    ------
    dict
        Nothing if there are no ratings; the interval is missing for a single rater, p where
        nothing was displaced.
    """
    keys = [name for name in ("rating", "lags") if name in tables[0].header]
    gathered = _gather(inputs, network, tables, keys)
    for key, scores in sorted(gathered.items(), key=lambda item: item[0][0]):
        mean = mean_of_known(scores.observed)
        p = p_fwe = np.full(len(mean), np.nan)
        if len(scores.copies):
            test = displacement_test(mean, scores.copies)
            p, p_fwe = test.p, test.p_fwe
        for layer, name in enumerate(scores.layers):
            z = scores.observed[np.isfinite(scores.observed[:, layer]), layer]
            if not z.size:
                continue
            low, high = _interval(z, n_bootstrap, seed)
            yield {
                **dict(zip(keys, key, strict=True)),
                "layer": name,
                "layer_index": layer + 1,
                "mean_r": np.tanh(mean[layer]),
                "ci_low": np.tanh(low),
                "ci_high": np.tanh(high),
                "n": len(z),
                "p": p[layer],
                "p_fwe": p_fwe[layer],
            }


def write_ratings(
    out: Output, study: GroupStudy, network: str, tables: tuple[Table, Table], mean: Table
) -> None:
    """Write the table of `rating_rows`, which have the columns of `mean`; nothing if it has none.

    Parameters
    ----------
    out
        Writer of the group's results.
    study
        The group.
    network, tables
        As in `rating_rows`.
    mean
        What is written.
    """
    n_bootstrap, seed = study.settings.n_bootstrap, study.config.random_seed
    rows = list(rating_rows(study.inputs, network, tables, n_bootstrap=n_bootstrap, seed=seed))
    if rows:
        out.write(mean, rows, network=network)


def _interval(z: Floats, n_bootstrap: int, seed: int) -> tuple[float, float]:
    """Bootstrap interval of the mean over raters."""
    if len(z) < 2:
        return np.nan, np.nan
    counts = resample_counts(len(z), n_bootstrap, seed)
    low, high = bootstrap_interval(z[:, None], counts)
    return float(low[0]), float(high[0])


def _gather(
    inputs: GroupInputs, network: str, tables: tuple[Table, Table], keys: Sequence[str]
) -> dict[Key, RaterScores]:
    """Average the ratings that participants share, and all raters under each displacement."""
    observed: dict[Key, dict[str, list[Floats]]] = defaultdict(lambda: defaultdict(list))
    copies: dict[Key, dict[str, list[Floats]]] = defaultdict(lambda: defaultdict(list))
    layers, (scores, displaced) = tuple(inputs.networks[network]), tables
    for participant in inputs.participants:
        sidecar = participant.sidecar(scores, network=network)
        if sidecar.get("ConfigurationHash") != inputs.configuration_hash:
            continue  # no ratings, or those of other settings: all spaces share the table
        table = participant.table(scores, network=network)
        table = table[table["piece"] == "mean"]
        for key, rater, rows in _by_rater(table, keys):
            observed[key][rater].append(_by_layer(rows, np.zeros(len(rows), int), len(layers))[0])
        null = participant.table(displaced, network=network)
        for key, rater, rows in _by_rater(null, keys):
            number = rows["copy"].to_numpy(int) - 1
            copies[key][rater].append(_by_layer(rows, number, len(layers)))
    return {
        key: RaterScores(
            layers,
            np.stack([mean_of_known(np.stack(own)) for own in raters.values()]),
            _mean_of_copies(copies[key], raters),
        )
        for key, raters in observed.items()
    }


def _by_rater(table: pd.DataFrame, keys: Sequence[str]) -> Iterator[tuple[Key, str, pd.DataFrame]]:
    """Yield the rows of each rating, set of lags and rater."""
    if table.empty:
        return
    named = table.assign(rater=table["rater"].fillna("average").astype(str))
    for (*key, rater), rows in named.groupby([*keys, "rater"], sort=False):
        yield tuple(map(str, key)), str(rater), rows


def _by_layer(rows: pd.DataFrame, copy: NDArray[np.integer], n_layers: int) -> Floats:
    """Fisher z as (n_copies, n_layers); `copy` is the number of each row's copy, from 0."""
    z: Floats = np.full((int(copy.max()) + 1, n_layers), np.nan)
    z[copy, rows["layer_index"].to_numpy(int) - 1] = fisher_z(rows["r"].to_numpy(float))
    return z


def _mean_of_copies(
    copies: Mapping[str, Sequence[Floats]], raters: Mapping[str, object]
) -> Floats:
    """Mean over raters of (n_copies, n_layers); no copies if a rater has none."""
    if any(rater not in copies for rater in raters):
        return np.zeros((0, 0))
    n_copies = min(len(item) for rater in raters for item in copies[rater])
    means = [
        mean_of_known(np.stack([item[:n_copies] for item in copies[rater]])) for rater in raters
    ]
    return mean_of_known(np.stack(means))
