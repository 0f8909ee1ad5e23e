r"""What ridge regression needs to know of the features, before any target is seen.

Words used here and in `bidsapp.models.ridge`:

block
    An atomic stretch of rows (a piece, a run, a part of a piece), numbered from 0; rows
    labelled -1 belong to none. Features and targets are centred inside each block.
moments
    :math:`C_b = X_b' Y_b`, the only thing that is ever computed from targets along time.
working coordinates
    The features rotated and scaled so that their columns are orthonormal over all rows. Ridge
    is invariant to the rotation and the scaling is undone in the projection, so nothing
    changes but the accuracy in float32; with more features than rows there are only as many
    coordinates as rows (the dual form).
projection
    :math:`P`, from working coordinates to the eigenvectors of one training Gram matrix:
    :math:`P C_{train} = U' X_{train}' Y_{train}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.errors import InputInvalidError
from bidsapp.models.threads import map_single_threaded
from bidsapp.stats.folds import Fold

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
Centre = Literal["block", "train"]


@dataclass(frozen=True)
class Split:
    """One training set, the blocks held out of it, and its eigendecomposition.

    Attributes
    ----------
    train, test
        Block numbers.
    eigenvalues : array of shape (n_components,)
        Of the training Gram matrix, largest first; zeros left out.
    projection : array of shape (n_components, n_coordinates)
        From working coordinates to eigenvectors.
    """

    train: tuple[int, ...]
    test: tuple[int, ...]
    eigenvalues: FloatArray
    projection: FloatArray


@dataclass(frozen=True)
class FoldFactors:
    """Everything one outer fold needs that depends on the features only.

    It is shared by all targets, all shifts of targets and all participants with the same design.

    Attributes
    ----------
    alphas : array of shape (n_alphas,)
        Regularisation, increasing.
    labels : array of shape (n_rows,)
        Block of each row, -1 for none.
    centre
        ``block``: training data are centred inside each block. ``train``: by the mean of all
        training rows.
    basis : array of shape (n_features, n_coordinates)
        Centred features times this are the working coordinates.
    refit
        The outer training and test blocks.
    inner
        The inner training and validation blocks.
    """

    alphas: FloatArray
    labels: IntArray
    centre: Centre
    basis: FloatArray
    refit: Split
    inner: tuple[Split, ...]

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return plain arrays, for `numpy.savez`; `from_arrays` is the way back."""
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "alphas": self.alphas,
            "labels": self.labels,
            "centre": np.array(self.centre),
            "basis": self.basis,
        }
        for number, split in enumerate((self.refit, *self.inner)):
            arrays[f"{number}_train"] = np.array(split.train, dtype=np.int64)
            arrays[f"{number}_test"] = np.array(split.test, dtype=np.int64)
            arrays[f"{number}_eigenvalues"] = split.eigenvalues
            arrays[f"{number}_projection"] = split.projection
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> FoldFactors:
        """Rebuild what `to_arrays` took apart (a dictionary or an open ``.npz`` file)."""
        n_splits = sum(1 for name in arrays if name.endswith("_eigenvalues"))
        refit, *inner = (
            Split(
                tuple(int(block) for block in arrays[f"{number}_train"]),
                tuple(int(block) for block in arrays[f"{number}_test"]),
                np.asarray(arrays[f"{number}_eigenvalues"], dtype=np.float64),
                np.asarray(arrays[f"{number}_projection"], dtype=np.float64),
            )
            for number in range(n_splits)
        )
        return cls(
            np.asarray(arrays["alphas"], dtype=np.float64),
            np.asarray(arrays["labels"], dtype=np.int64),
            "train" if str(arrays["centre"]) == "train" else "block",
            np.asarray(arrays["basis"], dtype=np.float64),
            refit,
            tuple(inner),
        )


def factorise(
    x: FloatArray,
    labels: IntArray,
    fold: Fold,
    alphas: Sequence[float] | FloatArray,
    *,
    centre: Centre = "block",
) -> FoldFactors:
    r"""Decompose the training Gram matrices of one outer fold and of its inner folds.

    Parameters
    ----------
    x : array of shape (n_rows, n_features)
        Features, lags included.
    labels : array of shape (n_rows,)
        Block of each row, -1 for rows to leave out.
    fold
        Test blocks, and for each inner fold the blocks held out of training. All other
        blocks are trained on.
    alphas : array of shape (n_alphas,)
        Regularisation in the units of :math:`X'X`, strictly increasing, above zero.
    centre
        Centre the training data inside each block, or by the mean over all training rows.
        Scores are correlations inside each test block either way.

    Returns
    -------
    FoldFactors

    Raises
    ------
    InputInvalidError
        If features are not finite, alphas do not increase from above zero, or a training set
        is empty.

    Notes
    -----
    Gram matrices and decompositions are in float64. A training set with fewer rows than
    coordinates is decomposed through its rows (thin singular value decomposition).
    Source: closed form of Hoerl and Kennard 1970; block form as in the design notes.
    """
    alphas = np.asarray(alphas, dtype=np.float64)
    labels = np.asarray(labels, dtype=np.int64)
    _check(x, labels, alphas)
    x = np.asarray(x, dtype=np.float64)
    x = np.where(labels[:, None] >= 0, x - x[labels >= 0].mean(axis=0), 0.0)
    blocks = set(np.unique(labels[labels >= 0]).tolist())
    training = blocks - set(fold.test)
    parts = [(_without(blocks, fold.test), fold.test)]
    parts += [(_without(training, held_out), held_out) for held_out in fold.inner]

    (rotation, scale), *_ = map_single_threaded(_axes, [centred(x, labels, centre)])
    (rotated,) = map_single_threaded(lambda array: _product(array, rotation), [x])

    def split(part: tuple[tuple[int, ...], tuple[int, ...]]) -> Split:
        train, test = part
        rows = np.isin(labels, train)
        eigenvalues, vectors = _decompose(centred(rotated[rows], labels[rows], centre))
        return Split(train, test, eigenvalues, vectors.T * scale)

    refit, *inner = map_single_threaded(split, parts)
    return FoldFactors(alphas, labels, centre, rotation / scale, refit, tuple(inner))


def centred(x: FloatArray, labels: IntArray, centre: Centre) -> FloatArray:
    """Centre the labelled rows inside their block, or over all of them; the others become 0.

    Parameters
    ----------
    x : array of shape (n_rows, n_columns)
    labels : array of shape (n_rows,)
        Block of each row, -1 for none.
    centre
        ``block`` or ``train`` (one mean over all labelled rows).
    """
    result = np.zeros_like(x)
    groups = np.where(labels >= 0, labels if centre == "block" else 0, -1)
    for group in np.unique(groups[groups >= 0]):
        rows = groups == group
        result[rows] = x[rows] - x[rows].mean(axis=0)
    return result


def _check(x: FloatArray, labels: IntArray, alphas: FloatArray) -> None:
    if x.ndim != 2 or labels.shape != x.shape[:1]:
        msg = f"features of shape {x.shape} do not fit {labels.size} row labels; pass one \
label per row"
        raise InputInvalidError(msg)
    if not np.isfinite(x[labels >= 0]).all():
        msg = f"{np.count_nonzero(~np.isfinite(x[labels >= 0]))} feature values are not finite; \
leave those rows out (label -1)"
        raise InputInvalidError(msg)
    if alphas.ndim != 1 or alphas.size == 0 or alphas[0] <= 0 or (np.diff(alphas) <= 0).any():
        msg = f"alphas {alphas.tolist()} must increase strictly from above zero"
        raise InputInvalidError(msg)


def _without(pool: set[int], held_out: Sequence[int]) -> tuple[int, ...]:
    """Return the blocks to train on."""
    train = tuple(sorted(pool - set(held_out)))
    if not train:
        msg = f"no block is left to train on when {len(held_out)} are held out; more pieces or \
smaller blocks are needed"
        raise InputInvalidError(msg)
    return train


def _product(a: FloatArray, b: FloatArray) -> FloatArray:
    return (torch.from_numpy(a) @ torch.from_numpy(np.ascontiguousarray(b))).numpy()


def _principal_axes(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return eigenvalues of x'x, largest first, and eigenvectors (columns), thin."""
    rows = torch.from_numpy(x)
    if x.shape[0] < x.shape[1]:
        _, singular, axes = torch.linalg.svd(rows, full_matrices=False)
        return singular.square().numpy(), axes.T.numpy()
    eigenvalues, vectors = torch.linalg.eigh(rows.T @ rows)
    return eigenvalues.flip(0).clamp(min=0.0).numpy(), vectors.flip(1).numpy()


def _axes(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the rotation to working coordinates and the norms of the rotated columns."""
    eigenvalues, rotation = _principal_axes(x)
    scale = np.sqrt(eigenvalues)
    floor = scale[0] * np.sqrt(np.finfo(np.float64).eps) if scale[0] > 0 else 1.0
    return rotation, np.maximum(scale, floor)


def _decompose(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the eigenvalues of x'x that are not zero to rounding, and their eigenvectors."""
    eigenvalues, vectors = _principal_axes(x)
    kept = eigenvalues > eigenvalues[0] * x.shape[1] * np.finfo(np.float64).eps
    return eigenvalues[kept], vectors[:, kept]
