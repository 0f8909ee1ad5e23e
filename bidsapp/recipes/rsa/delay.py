"""How late responses come: layers compared at other delays than that of the canonical response.

Source: Thielen et al., Representational Similarity Analysis (one canonical response everywhere).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.features.courses import CourseBank
from bidsapp.recipes.rsa.items import Items
from bidsapp.recipes.rsa.layer_models import LayerModels, layer_models
from bidsapp.recipes.rsa.settings import RsaSettings
from bidsapp.results.write import tidy

Floats = NDArray[np.float64]


def delayed_models(bank: CourseBank, items: Items, settings: RsaSettings) -> list[LayerModels]:
    """Model RDMs of responses that come later, or earlier, than the canonical one.

    Parameters
    ----------
    bank
        Channel courses of all sounds.
    items
        What the rows are.
    settings
        ``delays_s``, and how layers become RDMs.

    Returns
    -------
    list of LayerModels
        One for each delay.
    """
    return [layer_models(bank, items, settings, delay_s) for delay_s in settings.delays_s]


def by_delay(
    scores: Floats, delayed: NDArray[np.floating[Any]], delays_s: Sequence[float]
) -> tuple[list[float], Floats]:
    """Put the scores at the canonical delay among those at the others.

    Parameters
    ----------
    scores
        (n_layers, n_units) at the canonical delay, which counts as 0.
    delayed
        (n_delays, n_layers, n_units).
    delays_s
        Of `delayed`.

    Returns
    -------
    delays_s : list of float
        Increasing.
    scores : array, (1 + n_delays, n_layers, n_units)
    """
    everything = np.concatenate([scores[None], delayed])
    times = np.array([0.0, *delays_s])
    order = np.argsort(times, kind="stable")
    return times[order].tolist(), everything[order]


def delay_map(delays_s: Sequence[float], scores: Floats, best: NDArray[np.integer[Any]]) -> Floats:
    """Delay (n_units,) at which the best layer of each unit scores most; NaN without a layer.

    Parameters
    ----------
    delays_s, scores
        From `by_delay`.
    best
        (n_units,) best layer, from 1; 0 for none.
    """
    units = np.flatnonzero(best > 0)
    chosen = scores[:, best[units] - 1, units]
    out = np.full(best.shape, np.nan)
    out[units] = np.asarray(delays_s)[chosen.argmax(axis=0)]
    return out


def delay_rows(
    delays_s: Sequence[float],
    scores: Floats,
    layers: Sequence[str],
    significant: NDArray[np.bool_],
) -> Iterator[dict[str, Any]]:
    """Yield the mean score at each delay in each layer.

    Parameters
    ----------
    delays_s, scores
        From `by_delay`.
    layers
        Names.
    significant
        (n_units,) searchlights that are averaged; all of them where none is significant.
    """
    known = np.isfinite(scores).all(axis=(0, 1))
    used = known & significant if (known & significant).any() else known
    yield from tidy(
        {
            "layer_index": np.arange(1, len(layers) + 1)[None, :],
            "mean_rho": scores[:, :, used].mean(axis=2) if used.any() else np.nan,
            "n_units": int(used.sum()),
        },
        delay_s=list(delays_s),
        layer=layers,
    )
