"""Noise ceilings from repeats: the highest score that the data allow.

The ceiling of a group that heard the same once is in `bidsapp.stats.isc`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError

FloatArray = npt.NDArray[np.floating]


def explainable_variance(repeats: FloatArray) -> FloatArray:
    """Return the share of one repeat's variance that is the same in all repeats.

    Parameters
    ----------
    repeats : array of shape (n_repeats, n_rows, n_units)
        Responses to the same sound; each repeat is centred over rows first.

    Returns
    -------
    array of shape (n_units,)
        Corrected for the number of repeats, so about 0 (also slightly below) for noise; NaN
        for units that are constant or NaN in any repeat.

    Raises
    ------
    InputInvalidError
        If there are fewer than two repeats.

    Notes
    -----
    With n repeats and uncorrected share e, the result is e - (1 - e) / (n - 1).
    Source: Schoppe et al. 2016, explainable signal power; Hsu, Borst and Theunissen 2004.
    """
    n_repeats = len(repeats)
    if n_repeats < 2:
        msg = f"a ceiling from repeats needs at least 2 repeats and there is {n_repeats}"
        raise InputInvalidError(msg)
    centred = repeats - repeats.mean(axis=1, keepdims=True, dtype=np.float64)
    total = (centred**2).mean(axis=(0, 1))
    residual = ((centred - centred.mean(axis=0)) ** 2).mean(axis=(0, 1))
    constant = np.ptp(repeats, axis=1).min(axis=0) == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1 - residual / total
    corrected = share - (1 - share) / (n_repeats - 1)
    return np.where(constant, np.nan, corrected)


def repeat_ceiling(repeats: FloatArray) -> FloatArray:
    """Return the highest correlation a model can reach with one repeat.

    Parameters
    ----------
    repeats : array of shape (n_repeats, n_rows, n_units)

    Returns
    -------
    array of shape (n_units,)
        Square root of the explainable variance, 0 where that is negative.
    """
    return np.sqrt(np.maximum(explainable_variance(repeats), 0.0))
