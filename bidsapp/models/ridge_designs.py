r"""Training sets of ridge regression over a few blocks of rows, as sums or as kernels.

With few features the Gram matrix of a training set is the sum of those of its blocks, about the
mean of the training rows. With more features than rows the kernel of the rows takes its place (the
dual form). Either way a training set is held as eigenvalues e, the targets' moments B on the
eigenvectors, and held-out rows S on the eigenvectors, and a penalty predicts
:math:`S \, diag(1 / (e + \alpha)) \, B`, relative to the mean of the training targets.

Rows near a block, such as those scanned right before and after, can be left out of the training
sets that hold it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bidsapp.models.ridge_batches import block_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.integer[Any]]
Blocks = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """One decomposed training set.

    Attributes
    ----------
    eigenvalues : tensor (n_components,)
        Those that are not zero to rounding.
    moments : tensor (n_components, n_targets)
        X'Y on the eigenvectors.
    held_out
        Block → tensor (n_rows_of_block, n_components): its features less the training mean, on
        the eigenvectors.
    target_mean : tensor (n_targets,)
        Over the training rows.
    """

    eigenvalues: torch.Tensor
    moments: torch.Tensor
    held_out: dict[int, torch.Tensor]
    target_mean: torch.Tensor


class Design(Protocol):
    """Features and targets, ready to be decomposed."""

    targets: dict[int, torch.Tensor]

    def near(self, blocks: Blocks, train: Blocks) -> Blocks:
        """Return the rows of training blocks that are near any of some other blocks."""

    def kept(self, block: int, left_out: Blocks) -> torch.Tensor | None:
        """Places of the rows of a block that are not left out; None for all of them."""

    def decompose(self, train: Blocks, held_out: Blocks, left_out: Blocks = ()) -> TrainingSet:
        """Decompose the rows of some blocks, some left out, for the prediction of others."""

    def split(self, inside: NDArray[np.bool_]) -> Design:
        """Part the blocks into rows outside, block 2 b, and inside, block 2 b + 1, of a set."""


class _Rows:
    """Which rows the blocks have, and which are near them.

    Parameters
    ----------
    y
        (n_rows, n_targets).
    labels
        (n_rows,) block of each row, -1 for rows to leave out.
    near
        Block → rows of other blocks that are not learnt from where it is held out.
    """

    def __init__(self, y: Floats, labels: Ints, near: Mapping[int, Rows] | None) -> None:
        self.rows: Mapping[int, Rows] = block_rows(labels)
        self.targets = {block: torch.from_numpy(y[own]) for block, own in self.rows.items()}
        self._near: Mapping[int, Rows] = near or {}

    def near(self, blocks: Blocks, train: Blocks) -> Blocks:
        """Return the rows of training blocks that are near any of some other blocks."""
        near = [self._near[block] for block in blocks if block in self._near]
        if not any(rows.size for rows in near):
            return ()
        learnt = np.concatenate([self.rows[block] for block in train])
        return tuple(np.intersect1d(np.concatenate(near), learnt).tolist())

    def kept(self, block: int, left_out: Blocks) -> torch.Tensor | None:
        """Places of the rows of a block that are not left out; None for all of them."""
        kept = ~np.isin(self.rows[block], left_out)
        return None if kept.all() else torch.from_numpy(np.flatnonzero(kept))

    def split_rows(self, inside: NDArray[np.bool_]) -> None:
        """Part the rows of blocks; both parts of a block are near the same rows."""
        self.rows = _split_rows(self.rows, inside)
        self._near = {2 * b + part: own for b, own in self._near.items() for part in (0, 1)}


class FeatureDesign(_Rows):
    """Sums over the rows of each block, where there are fewer features than rows.

    Parameters
    ----------
    x
        (n_rows, n_features).
    y
        (n_rows, n_targets).
    labels
        (n_rows,) block of each row, -1 for rows to leave out.
    near
        Block → rows of other blocks that are not learnt from where it is held out.
    """

    def __init__(
        self, x: Floats, y: Floats, labels: Ints, near: Mapping[int, Rows] | None = None
    ) -> None:
        super().__init__(y, labels, near)
        mean = x[labels >= 0].mean(axis=0)
        self.x = {block: torch.from_numpy(x[own] - mean) for block, own in self.rows.items()}
        self._sums = {block: _Sums.of(self.x[block], self.targets[block]) for block in self.rows}

    def decompose(self, train: Blocks, held_out: Blocks, left_out: Blocks = ()) -> TrainingSet:
        """Decompose the Gram matrix of the training rows, about their mean."""
        sums = _Sums.joined([self._sums[block] for block in train])
        if left_out:
            own = {block: torch.from_numpy(np.isin(self.rows[block], left_out)) for block in train}
            x = torch.cat([self.x[block][near] for block, near in own.items()])
            y = torch.cat([self.targets[block][near] for block, near in own.items()])
            sums = sums.without(_Sums.of(x, y))
        values, vectors = _eigenvectors(sums.gram)
        seen = {block: (self.x[block] - sums.x_mean) @ vectors for block in held_out}
        return TrainingSet(values, vectors.T @ sums.moments, seen, sums.y_mean)

    def split(self, inside: NDArray[np.bool_]) -> FeatureDesign:
        """Part the blocks; only the sums over rows inside are computed.

        Parameters
        ----------
        inside
            (n_rows,) rows of the set.
        """
        parted = copy(self)
        parted.split_rows(inside)
        parted.x, parted.targets, parted._sums = {}, {}, {}
        for block, rows in self.rows.items():
            own = torch.from_numpy(inside[rows])
            for number, kept in ((2 * block, ~own), (2 * block + 1, own)):
                if kept.any():
                    parted.x[number] = self.x[block][kept]
                    parted.targets[number] = self.targets[block][kept]
            both = [number for number in (2 * block, 2 * block + 1) if number in parted.x]
            if len(both) == 1:
                parted._sums[both[0]] = self._sums[block]
                continue
            rest, own_number = both
            sums = _Sums.of(parted.x[own_number], parted.targets[own_number])
            parted._sums[own_number] = sums
            parted._sums[rest] = self._sums[block].without(sums)
        return parted


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over some rows.

    Attributes
    ----------
    n
        Rows.
    x_mean, y_mean : tensors (n_features,), (n_targets,)
        Means.
    gram, moments : tensors (n_features, n_features), (n_features, n_targets)
        Products of the features with themselves and with the targets, both less their means.
    """

    n: int
    x_mean: torch.Tensor
    y_mean: torch.Tensor
    gram: torch.Tensor
    moments: torch.Tensor

    @classmethod
    def of(cls, x: torch.Tensor, y: torch.Tensor) -> _Sums:
        """Sum over rows of features and targets."""
        x_mean, y_mean = x.mean(0), y.mean(0)
        centred = x - x_mean
        return cls(len(x), x_mean, y_mean, centred.T @ centred, centred.T @ (y - y_mean))

    @classmethod
    def joined(cls, parts: Sequence[_Sums]) -> _Sums:
        """Sum over the rows of all parts."""
        sizes = torch.tensor([float(part.n) for part in parts], dtype=torch.float64)
        x_means = torch.stack([part.x_mean for part in parts])
        y_means = torch.stack([part.y_mean for part in parts])
        x_mean, y_mean = (sizes @ means / sizes.sum() for means in (x_means, y_means))
        between = x_means - x_mean
        weighted = (between * sizes[:, None]).T
        gram, moments = weighted @ between, weighted @ (y_means - y_mean)
        for part in parts:
            gram += part.gram
            moments += part.moments
        return cls(sum(part.n for part in parts), x_mean, y_mean, gram, moments)

    def without(self, part: _Sums) -> _Sums:
        """Take the rows of a part away."""
        n = self.n - part.n
        x_mean = (self.n * self.x_mean - part.n * part.x_mean) / n
        y_mean = (self.n * self.y_mean - part.n * part.y_mean) / n
        apart = (part.x_mean - x_mean) * (n * part.n / self.n)
        gram = self.gram - part.gram - torch.outer(apart, part.x_mean - x_mean)
        moments = self.moments - part.moments - torch.outer(apart, part.y_mean - y_mean)
        return _Sums(n, x_mean, y_mean, gram, moments)


class KernelDesign(_Rows):
    """Products of all rows with each other, where there are more features than rows.

    Parameters
    ----------
    kernel
        (n_rows, n_rows), of features that need not be centred.
    y
        (n_rows, n_targets).
    labels
        (n_rows,) block of each row, -1 for rows to leave out.
    near
        Block → rows of other blocks that are not learnt from where it is held out.
    """

    def __init__(
        self, kernel: Floats, y: Floats, labels: Ints, near: Mapping[int, Rows] | None = None
    ) -> None:
        super().__init__(y, labels, near)
        self.kernel = kernel

    def decompose(self, train: Blocks, held_out: Blocks, left_out: Blocks = ()) -> TrainingSet:
        """Decompose the kernel of the training rows, centred."""
        rows = np.concatenate([self.rows[block] for block in train])
        learnt = ~np.isin(rows, left_out)
        rows = rows[learnt]
        own = torch.from_numpy(self.kernel[np.ix_(rows, rows)])
        mean = own.mean(0)
        values, vectors = _eigenvectors(own - mean - mean[:, None] + mean.mean())
        y = torch.cat([self.targets[block] for block in train])[torch.from_numpy(learnt)]
        y_mean = y.mean(0)
        seen = {}
        for block in held_out:
            other = torch.from_numpy(self.kernel[np.ix_(self.rows[block], rows)])
            # the eigenvectors sum to 0, so that means over columns need not be taken away
            seen[block] = (other - mean) @ vectors
        return TrainingSet(values, vectors.T @ (y - y_mean), seen, y_mean)

    def split(self, inside: NDArray[np.bool_]) -> KernelDesign:
        """Part the blocks; see `FeatureDesign.split`."""
        parted = copy(self)
        parted.split_rows(inside)
        parted.targets = {}
        for block, rows in self.rows.items():
            for number, kept in ((2 * block, ~inside[rows]), (2 * block + 1, inside[rows])):
                if kept.any():
                    parted.targets[number] = self.targets[block][torch.from_numpy(kept)]
        return parted


def _split_rows(rows: Mapping[int, Rows], inside: NDArray[np.bool_]) -> dict[int, Rows]:
    """Rows of the blocks 2 b, outside of a set, and 2 b + 1, inside; empty ones are left out."""
    parts = {}
    for block, own in rows.items():
        parts[2 * block], parts[2 * block + 1] = own[~inside[own]], own[inside[own]]
    return {block: own for block, own in parts.items() if own.size}


def _eigenvectors(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the eigenvalues that are not zero to rounding, and their eigenvectors (columns)."""
    values, vectors = torch.linalg.eigh(matrix)
    kept = values > values[-1].clamp(min=0.0) * len(matrix) * np.finfo(np.float64).eps
    return values[kept], vectors[:, kept]
