"""Tests whether the preferred layer changes along a cortical gradient, beyond amplitude.

Two questions about group scores M (layers × parcels) and a reference gradient g (parcels), with
scores N_k of copies k in which the music was displaced alike in all participants
(`bidsapp.stats.displacement`):

alignment
    Do these layers align with the gradient more than the same layers of displaced music? The
    statistic of M among those of N_k.
preference
    Does the *preference* for layers change along the gradient, beyond one profile whose amplitude
    changes? Under that null M = a s' + noise, with one profile a over layers and an amplitude s
    over parcels. Estimate a s' by the first singular component of M; the statistics of a s' + N_k
    are the null.

Scores enter in standard deviations of their layer's null, so that layers with smooth features do
not dominate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from bidsapp.errors import InputInvalidError

FloatArray = npt.NDArray[np.floating]
LEAST_PARCELS = 10


@dataclass(frozen=True)
class GradientClaim:
    """One statistic, its null and its p-value.

    Attributes
    ----------
    statistic
        Observed value: slope of the layer contrast along the ranks of the gradient.
    null : array of shape (m,)
        Under displacement.
    p
        (b + 1) / (m + 1), two-sided about the median of the null.
    """

    statistic: float
    null: FloatArray
    p: float


@dataclass(frozen=True)
class GradientClaims:
    """Both questions, and the profile that amplitude alone would show.

    Attributes
    ----------
    alignment, preference
        See the module.
    profile : array of shape (n_layers,)
        a, scaled to a largest absolute value of 1.
    amplitude : array of shape (n_parcels,)
        s in the same scale, in standard deviations of the null.
    preference_map : array of shape (n_parcels,)
        Layer contrast of the residual M - a s': above zero where deeper layers do better than
        the common profile says.
    """

    alignment: GradientClaim
    preference: GradientClaim
    profile: FloatArray
    amplitude: FloatArray
    preference_map: FloatArray


def gradient_claims(scores: FloatArray, null: FloatArray, gradient: FloatArray) -> GradientClaims:
    """Test alignment and preference along a gradient.

    Parameters
    ----------
    scores : array of shape (n_layers, n_parcels)
        Mean Fisher z over participants; parcels with a NaN in any layer are left out.
    null : array of shape (m, n_layers, n_parcels)
        The same under each common displacement.
    gradient : array of shape (n_parcels,)
        Reference; NaN parcels are left out.

    Returns
    -------
    GradientClaims
        Maps have NaN where a parcel was left out.

    Raises
    ------
    InputInvalidError
        Fewer than two layers, or fewer than `LEAST_PARCELS` parcels remain.
    """
    scores = np.asarray(scores, np.float64)
    null = np.asarray(null, np.float64)
    finite = np.isfinite(scores).all(axis=0) & np.isfinite(null).all(axis=(0, 1))
    known = finite & np.isfinite(gradient)
    n_layers = len(scores)
    if n_layers < 2 or known.sum() < LEAST_PARCELS:
        msg = (
            f"a gradient over layers needs 2 layers and {LEAST_PARCELS} parcels, not {n_layers} "
            f"and {int(known.sum())}"
        )
        raise InputInvalidError(msg)
    along = _standardised_ranks(np.asarray(gradient, np.float64)[known])
    centred, copies = _in_null_sd(scores[:, known], null[:, :, known])
    common = _first_component(centred)
    alignment = np.array([_slope(item, along) for item in (centred, *copies)])
    observed = _residual_slope(centred, along)
    shifted = np.array([_residual_slope(common + item, along) for item in copies])
    profile, amplitude = _factors(centred)
    preference = _layer_contrast(n_layers) @ (centred - common)
    return GradientClaims(
        _claim(alignment[0], alignment[1:]),
        _claim(observed, shifted),
        profile,
        _on_parcels(amplitude, known),
        _on_parcels(preference, known),
    )


def _in_null_sd(scores: FloatArray, null: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centre each cell by its null mean and scale each layer by its null standard deviation."""
    centre = null.mean(axis=0)
    spread = (null - centre).std(axis=(0, 2), keepdims=True)[0]
    spread = np.where(spread > 0, spread, 1.0)
    return (scores - centre) / spread, (null - centre) / spread


def _layer_contrast(n_layers: int) -> FloatArray:
    """Return linear weights of the layers, mean zero and norm one."""
    weights = np.arange(n_layers) - (n_layers - 1) / 2
    return np.asarray(weights / np.linalg.norm(weights))


def _standardised_ranks(values: FloatArray) -> FloatArray:
    ranks = rankdata(values)
    return np.asarray((ranks - ranks.mean()) / ranks.std())


def _slope(matrix: FloatArray, along: FloatArray) -> float:
    """Slope of the layer contrast along the gradient."""
    return float(_layer_contrast(len(matrix)) @ matrix @ along / along.size)


def _residual_slope(matrix: FloatArray, along: FloatArray) -> float:
    return _slope(matrix - _first_component(matrix), along)


def _first_component(matrix: FloatArray) -> FloatArray:
    left, size, right = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray(size[0] * np.outer(left[:, 0], right[0]))


def _factors(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Profile over layers and amplitude over parcels of the first singular component."""
    left, size, right = np.linalg.svd(matrix, full_matrices=False)
    peak = left[np.argmax(np.abs(left[:, 0])), 0]
    return left[:, 0] / peak, size[0] * right[0] * peak


def _claim(observed: float, null: FloatArray) -> GradientClaim:
    centre = np.median(null)
    reached = np.count_nonzero(np.abs(null - centre) >= abs(observed - centre))
    return GradientClaim(float(observed), null, (int(reached) + 1) / (len(null) + 1))


def _on_parcels(values: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    out = np.full(known.size, np.nan)
    out[known] = values
    return out
