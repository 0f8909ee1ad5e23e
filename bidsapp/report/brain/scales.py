"""Colours, limits and ticks of maps, from the scale that a result declares.

==============  ==============================  ==========================================
colours         colour map                      limits
==============  ==============================  ==========================================
``score``       inferno, trimmed                0 to the 99.5th percentile (p: the largest)
``signed``      red and blue about 0            ± the 99.5th percentile of absolute values
``layers``      viridis, shallow to deep        first to last layer
``share``       viridis                         0 to 1
``sequential``  viridis                         1st to 99th percentile
==============  ==============================  ==========================================
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array
from bidsapp.report.figures.surface import Look
from bidsapp.results.kinds import Scale

_N_COLOURS = 256
_HIGH_PERCENTILE = 99.5
MOST_TICKS = 7
_MOST_NAMED = 12  # as many layer names as fit beside the colour bar of a figure


def look(
    scale: Scale,
    values: Array,
    names: Sequence[str] = (),
    *,
    ordinal: bool = False,
    ends: tuple[float, float] | None = None,
    most_ticks: int = MOST_TICKS,
) -> Look:
    """Turn a declared scale into colours.

    Parameters
    ----------
    scale
        Of the result.
    values
        (n_units,) as they are shown (see `shown`), for the limits.
    names
        Of layers or labels 1, 2, …
    ordinal
        Whether values are labels.
    ends
        Limits; from the values when None.
    most_ticks
        Named layers beside the colour bar, at most.
    """
    label = scale.quantity
    if scale.unit:
        label = f"{label} ({scale.unit})" if label else scale.unit
    if scale.colours == "layers":
        n = max(len(names), 1)
        colours = style.layer_colours(n if ordinal else _N_COLOURS)
        low, high = (1.0, float(n)) if ordinal else (0.5, n + 0.5)
        named = _MOST_NAMED if most_ticks >= MOST_TICKS else 0
        ticks = label_ticks(names, values, named) if ordinal else layer_ticks(names, most_ticks)
        return Look(colours, low, high, label, ticks, ordinal)
    low, high = ends or limits(scale, values)
    if scale.colours == "signed":
        return Look(style.signed_colours(), low, high, label)
    if scale.colours == "score":
        return Look(style.score_colours(), low, high, label)
    return Look(style.layer_colours(_N_COLOURS), low, high, label)


def shown(scale: Scale, values: Array) -> Array:
    """Return values as they are drawn: −log10 of p-values, others as they are."""
    if not scale.log10:
        return np.asarray(values, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(-np.log10(np.asarray(values, dtype=float)))


def limits(scale: Scale, values: Array) -> tuple[float, float]:
    """Return the ends of a scale; (0, 1) where nothing is finite.

    Parameters
    ----------
    scale
        With its smallest upper end.
    values
        Any shape, as they are drawn; NaN where undefined.
    """
    finite = values[np.isfinite(values)]
    if not finite.size or scale.colours == "share":
        return 0.0, 1.0
    if scale.colours == "sequential":
        low, high = np.percentile(finite, [1, 99])
        return float(low), float(max(high, low + 1e-3))
    sizes = np.abs(finite) if scale.colours == "signed" else finite
    top = float(np.percentile(sizes, 100 if scale.log10 else _HIGH_PERCENTILE))
    top = max(top, scale.least, 1e-6)
    return (-top, top) if scale.colours == "signed" else (0.0, top)


def layer_ticks(names: Sequence[str], most: int = MOST_TICKS) -> dict[float, str]:
    """Return numbers and names of evenly spaced layers, the first and the last among them.

    Examples
    --------
    >>> layer_ticks(["a", "b", "c", "d", "e"], 3)
    {1.0: '1 a', 3.0: '3 c', 5.0: '5 e'}
    """
    if not names:
        return {}
    places = {round(place) for place in np.linspace(1, len(names), min(len(names), most))}
    return {float(place): f"{place} {names[place - 1]}" for place in sorted(places)}


def label_ticks(names: Sequence[str], values: Array, most_named: int) -> dict[float, str]:
    """Return the number of every label that occurs, with its name where there is room.

    Parameters
    ----------
    names
        Of labels 1, 2, …
    values
        Any shape; NaN where there is no label.
    most_named
        Number of labels up to which all are named; with more only the first and the last are.

    Examples
    --------
    >>> label_ticks(["a", "b", "c", "d"], np.array([1.0, 3.0, 4.0, np.nan]), 2)
    {1.0: '1 a', 3.0: '3', 4.0: '4 d'}
    """
    present = [int(value) for value in np.unique(values[np.isfinite(values)])]
    named = present if len(present) <= most_named else present[:1] + present[-1:]
    return {float(k): f"{k} {names[k - 1]}" if k in named else str(k) for k in present}


def largest(values: Array) -> Array:
    """Return the largest value over the first axis, NaN where none is finite.

    Parameters
    ----------
    values
        (n_layers, n_units).

    Returns
    -------
    (n_units,) array
    """
    finite = np.isfinite(values)
    top: Array = np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf)
    return np.where(finite.any(axis=0), top, np.nan)


def smallest(values: Array) -> Array:
    """Return the smallest value over the first axis, NaN where none is finite."""
    return np.asarray(-largest(-np.asarray(values)))


def passing(p: Array, level: float) -> NDArray[np.bool_]:
    """Return where p-values of maps are at most a level, as the masks that were written have it.

    Maps hold single precision, in which .05 is a little more than .05: the level is rounded as
    they are.

    Parameters
    ----------
    p
        Of any shape, NaN where nothing was tested.
    level
        Largest p that passes.
    """
    return np.asarray(np.asarray(p, np.float32) <= np.float32(level))


def at_largest(values: Array, scores: Array) -> Array:
    """Return values of the layer with the largest score, NaN where no score is finite.

    Parameters
    ----------
    values, scores
        (n_layers, n_units).

    Returns
    -------
    (n_units,) array
    """
    finite = np.isfinite(scores)
    layer = np.argmax(np.where(finite, scores, -np.inf), axis=0)
    chosen = np.take_along_axis(values, layer[np.newaxis], axis=0)[0]
    return np.where(finite.any(axis=0), chosen, np.nan)
