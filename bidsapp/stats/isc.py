"""Inter-subject correlation that streams: what a group that heard the same shares.

The correlation of one participant with the mean of the others is a *lower* bound of what a perfect
model of the sounds reaches, because the mean of few others is noisy itself; `model_ceiling` turns
it into the expected correlation of a perfect model.

Two passes over the participants, one in memory at a time: the first adds up everybody's
standardised responses, the second correlates each with the mean of the others.

Source: Nastase et al. (2019), Soc Cogn Affect Neurosci 14, 667-685 (leave-one-out ISC).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_CONSTANT = 1e-12


class InterSubjectSum:
    """Sum of standardised responses, for leave-one-subject-out inter-subject correlation.

    Parameters
    ----------
    n_rows, n_units
        Of every participant: the same stimulus, row by row. Rows are volumes for responses, or
        units for maps, where each map is a column.
    """

    def __init__(self, n_rows: int, n_units: int) -> None:
        self._sum = np.zeros((n_rows, n_units))
        self._n = np.zeros(n_units, np.int64)

    def add(self, responses: NDArray[np.floating[Any]]) -> None:
        """Add one participant (first pass).

        Parameters
        ----------
        responses : ndarray, shape (n_rows, n_units)
            A unit with a NaN or without variance is left out for this participant.
        """
        standardised, present = _standardise(responses)
        self._sum += standardised
        self._n += present

    def correlate(self, responses: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Correlate one participant with the mean of the others (second pass).

        Parameters
        ----------
        responses : ndarray, shape (n_rows, n_units)
            Exactly what was added before.

        Returns
        -------
        ndarray, shape (n_units,)
            NaN where the participant or all the others are missing.
        """
        standardised, present = _standardise(responses)
        others = self._sum - standardised
        norm = np.sqrt((others**2).sum(0))
        defined = present & (self._n > 1) & (norm > _CONSTANT * len(others))
        covariance = (standardised * others).sum(0)
        own = np.sqrt((standardised**2).sum(0))
        return np.where(defined, covariance / np.where(defined, own * norm, 1.0), np.nan)


def model_ceiling(isc: NDArray[np.floating[Any]], n: NDArray[Any] | int) -> NDArray[np.float64]:
    """Return the expected correlation of one participant with a perfect model of what is shared.

    Parameters
    ----------
    isc : ndarray
        Mean leave-one-out inter-subject correlation.
    n : ndarray or int
        Participants behind it, at least 2.

    Returns
    -------
    ndarray
        Square root of the pairwise reliability; NaN where the correlation is not positive.

    Notes
    -----
    With shared variance share rho, leave-one-out correlation is
    rho / sqrt(rho + (1 - rho) / (n - 1)), and a perfect model reaches sqrt(rho). Source:
    Spearman (1910) and Brown (1910), reliability of a mean.
    """
    r = np.asarray(isc, np.float64)
    others = np.asarray(n, np.float64) - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        square = np.where(r > 0, r, np.nan) ** 2
        linear, constant = square * (others - 1) / others, square / others
        rho = (linear + np.sqrt(linear**2 + 4 * constant)) / 2
    return np.sqrt(np.minimum(rho, 1.0))


def _standardise(
    responses: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Centre and scale columns; zero, and marked absent, where NaN or constant."""
    values = np.asarray(responses, np.float64)
    with np.errstate(invalid="ignore"):
        centred = values - values.mean(axis=0)
        sd = np.sqrt((centred**2).mean(axis=0))
        present = sd > _CONSTANT * np.maximum(np.abs(values).max(axis=0), 1e-300)
    scale = np.where(present, sd, 1.0)
    return np.where(present, centred / scale, 0.0), present
