"""Exact principal components of layers too wide to hold, from their Gram matrices.

With n frames and D features, n ≪ D, all that PCA of the frames needs is the n × n matrix of
inner products. It is a sum over features, so features may arrive in slices, in any order; and
PCA within a training fold is an eigenproblem on some of its rows, whatever D was.

Notation: X (n_frames, D), columns centred; K = X Xᵀ; train ⊂ frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.linalg import eigh

Floats = npt.NDArray[np.float64]

_COLUMNS_AT_ONCE = 4096
_RANK_TOLERANCE = 1e-6
"""Share of the first component's variance that float32 products leave where there is none."""


@dataclass(frozen=True, slots=True)
class Pca:
    """Principal components fitted on some frames, scores of all frames.

    Attributes
    ----------
    scores
        (n_frames, k), in the units of the features; the mean of the training frames is 0.
    explained_ratio
        (k,) share of the training frames' variance.
    """

    scores: Floats
    explained_ratio: Floats


def accumulate(gram: Floats, columns: torch.Tensor) -> None:
    """Add the inner products of some features to a Gram matrix, in place.

    Each column is centred over all frames first: products of centred values lose no digits to a
    large mean. Products are float32, their sum is float64.

    Parameters
    ----------
    gram
        (n_frames, n_frames).
    columns
        (n_frames, n) float32, on any device; left as it is.
    """
    for start in range(0, columns.shape[1], _COLUMNS_AT_ONCE):
        chunk = columns[:, start : start + _COLUMNS_AT_ONCE]
        centred = chunk - chunk.mean(dim=0)
        if centred.device.type == "cpu":
            array = centred.numpy()
            gram += array @ array.T  # one operand twice: BLAS computes one triangle
        else:
            gram += (centred @ centred.T).cpu().numpy()


def centre(gram: Floats, rows: npt.NDArray[np.intp]) -> Floats:
    """Inner products with the origin moved to the mean of some frames.

    Parameters
    ----------
    gram
        (n_frames, n_frames), any origin.
    rows
        Frames (n_rows,) whose mean becomes the origin.

    Returns
    -------
    numpy.ndarray
        (n_frames, n_rows): every frame against those of `rows`.
    """
    cross: Floats = np.asarray(gram[:, rows], dtype=np.float64)
    to_mean: Floats = cross.mean(axis=1)
    cross -= to_mean[:, None]
    cross -= to_mean[rows] - to_mean[rows].mean()
    return cross


def gram_pca(gram: Floats, train_rows: npt.ArrayLike, n_components: int) -> Pca:
    """PCA of the training frames, and the projection of all frames on it.

    With ``K_tt = U S² Uᵀ`` the training scores are ``U S``, and those of any frame are its
    products with the training frames times ``U S⁻¹``.

    Parameters
    ----------
    gram
        (n_frames, n_frames), symmetric, any origin.
    train_rows
        Frames to fit on: positions or a mask. Values of other frames change nothing but their
        own scores.
    n_components
        Number wanted; fewer come back when the training frames span fewer dimensions.

    Returns
    -------
    Pca
        Signs are such that of each component's training scores the largest is positive.

    Raises
    ------
    ValueError
        Fewer than two training frames, or training frames that do not differ.

    Source: poster, Feature extraction (50 components); research note on audio, §6.
    """
    rows = np.asarray(train_rows)
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp)
    if rows.size < 2:
        msg = f"PCA needs at least two training frames, got {rows.size}"
        raise ValueError(msg)
    cross = centre(gram, rows)
    inner = cross[rows]
    total = float(np.trace(inner))
    k = min(n_components, rows.size - 1)
    values, vectors = eigh(inner, subset_by_index=(rows.size - k, rows.size - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > _RANK_TOLERANCE * max(values[0], np.finfo(np.float64).tiny)
    if not kept.any():
        msg = f"PCA of {rows.size} training frames that are all the same"
        raise ValueError(msg)
    vectors = vectors[:, kept] / np.sqrt(values[kept])
    scores = cross @ vectors
    scores *= _signs(scores[rows])
    return Pca(scores, values[kept] / total)


def _signs(scores: Floats) -> Floats:
    largest = np.abs(scores).argmax(axis=0)
    signs: Floats = np.sign(scores[largest, np.arange(scores.shape[1])])
    return signs
