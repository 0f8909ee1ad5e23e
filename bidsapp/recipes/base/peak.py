"""Predicted beside measured responses of the parcel with the largest score.

Source: Kim, Overath and Sammler, poster, Methods: encoding models (prediction of held-out music).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.encoding.encode import predict_held_out
from bidsapp.recipes.base.score_results import N_COMPONENTS
from bidsapp.recipes.base.scores import Scores


def peak_rows(scores: Scores, means: NDArray[np.float32]) -> Iterator[dict[str, Any]]:
    """Yield one row per held-out volume of the parcel with the largest score.

    Parameters
    ----------
    scores
        Of one network at one set of lags.
    means
        (n_trs_total, n_parcels) cleaned BOLD averaged over parcels.
    """
    observed = np.where(scores.competes[:, None], scores.test.r, np.nan)
    if not np.isfinite(observed).any():
        return
    layer, parcel = np.unravel_index(int(np.nanargmax(observed)), observed.shape)
    encoder, rows = scores.encoder, scores.rows
    y = encoder.responses(means[:, parcel : parcel + 1], encoder.run_filter)
    store = encoder.store(scores.bank, encoder.run_filter)
    predicted, features = predict_held_out(store, int(layer), y, encoder.scorer, N_COMPONENTS)
    for block, piece in enumerate(rows.block_pieces):
        own = np.flatnonzero(rows.blocks.label == block)
        measured, prediction = _standardised(y[own, 0]), _standardised(predicted[own, 0])
        components = [_standardised(column) for column in features[own].T]
        for place, row in enumerate(own):
            yield {
                "parcel": int(parcel) + 1,
                "layer": scores.layers[int(layer)],
                "block": block + 1,
                "piece": piece,
                "r": float((measured * prediction).mean()),
                "volume": int(rows.timeline.volume[row]),
                "stim_time_s": round(float(rows.timeline.stim_time_s[row]), 4),
                "measured": measured[place],
                "predicted": prediction[place],
                **{
                    f"component_{number}": course[place]
                    for number, course in enumerate(components, start=1)
                },
            }


def _standardised(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return values (n,) with mean 0 and standard deviation 1; NaN where they do not vary."""
    centred = np.asarray(values, np.float64) - np.mean(values, dtype=np.float64)
    spread = centred.std()
    return centred / spread if spread > 0 else np.full(centred.shape, np.nan)
