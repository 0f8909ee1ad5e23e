"""How late responses come: every parcel predicted by music at single lags.

Source: Kim, Overath and Sammler, poster, Methods: encoding models (lags of 4, 5 and 6 s together).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.encoding.encode import encode
from bidsapp.encoding.parcels import Parcels
from bidsapp.encoding.rows import Rows
from bidsapp.recipes.base.scores import Encoder, Scores
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.gradients.settings import GradientsSettings
from bidsapp.results.write import tidy


def delay_rows(
    scores: Scores, parcels: Parcels, means: NDArray[np.float32]
) -> Iterator[dict[str, Any]]:
    """Yield the score of each parcel at each single lag, with the layer that is best at all lags.

    Parameters
    ----------
    scores
        Of one network at positive lags: rows, folds and the best layer of each parcel.
    parcels
        Of the units.
    means
        (n_trs_total, n_parcels) cleaned BOLD averaged over parcels.
    """
    encoder, rows, r = scores.encoder, scores.rows, scores.test.r
    known = np.flatnonzero(np.isfinite(r).all(axis=0))
    lags_s = single_lags(encoder.study, rows)
    if not known.size or not lags_s:
        return
    best = np.where(scores.competes[:, None], r[:, known], -np.inf).argmax(axis=0)
    y = encoder.responses(means, encoder.run_filter)[:, known]
    values = np.full((len(lags_s), r.shape[1]), np.nan)
    for number, lag_s in enumerate(lags_s):
        at = Encoder(encoder.study, replace(rows, lags_s=(lag_s,), response="lags"))
        store = at.store(scores.bank, encoder.run_filter)
        label, quiet = f"{scores.bank.network} at {lag_s:g} s", encoder.study.config.quiet
        slab = [(slice(0, known.size), y)]
        at_lag = encode(store, slab, known.size, encoder.scorer, label=label, quiet=quiet)
        values[number, known] = at_lag.mean_r[best, np.arange(known.size)]
    layers = np.full(r.shape[1], None, dtype=object)
    layers[known] = np.array(scores.layers, dtype=object)[best]
    columns = {name: np.asarray(x)[:, None] for name, x in parcels.columns.items()}
    numbers = range(1, parcels.n_parcels + 1)
    table = {**columns, "layer": layers[:, None], "r": values.T}
    yield from tidy(table, parcel=numbers, lag_s=lags_s)


def single_lags(study: ParticipantStudy, rows: Rows) -> list[float]:
    """Lags that every row of a design can look back on inside its presentation."""
    settings: GradientsSettings = study.settings
    starts = np.array([item.stim_start_s for item in study.inputs.presentations])
    since_s = rows.timeline.stim_time_s - starts[rows.timeline.presentation]
    return [lag for lag in settings.delay_lags_s if lag <= since_s.min() + 1e-6]
