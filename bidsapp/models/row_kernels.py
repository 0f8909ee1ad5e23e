r"""Ridge regression for very many targets where features outnumber the rows that are trained on.

With the kernel :math:`K = X X'` of all rows, t the training rows and h those held out, all
predictions of a penalty are one matrix times the targets,

.. math:: \hat y_h = \bar y_t + H_\alpha y_t, \qquad
   H_\alpha = K_{ht} U \, diag(1 / (e + \alpha)) \, U',

where :math:`K_{tt} = U \, diag(e) \, U'` and both are centred by the training rows. The matrices
of all penalties stand on each other and meet the targets in one product. `bidsapp.models.ridge`
needs three products with square matrices of as many rows as there are coordinates instead, which
is less where features are few or held-out blocks are long.

Source: Saunders, Gammerman and Vovk 1998, Ridge regression learning algorithm in dual variables;
Dupre la Tour et al. 2022, NeuroImage 264, 119728 (kernels of bands).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bidsapp.models.ridge_batches import TIE
from bidsapp.models.threads import map_single_threaded
from bidsapp.stats.folds import Fold

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TrainingTargets:
    """Responses of the rows that one outer fold trains on, block by block.

    Attributes
    ----------
    values
        (n_train, n_units) float32 less their mean over these rows; the rows of a block follow
        each other.
    rows
        (n_train,) row of the kernel of each.
    blocks
        Block → its place in `values`.
    variance
        (n_units,) about the means of blocks; 0 for units that are constant to rounding.
    """

    values: Singles
    rows: Ints
    blocks: dict[int, slice]
    variance: Singles

    @classmethod
    def of(cls, responses: Singles, block: Ints, fold: Fold) -> TrainingTargets:
        """Take the training rows of a fold.

        Parameters
        ----------
        responses
            (n_rows, n_units), finite.
        block
            (n_rows,) block of each row, -1 for rows to leave out.
        fold
            Whose test blocks are left out.
        """
        numbers = [int(b) for b in np.unique(block[block >= 0]) if b not in fold.test]
        each = [np.flatnonzero(block == number) for number in numbers]
        ends = np.cumsum([0, *map(len, each)])
        places = {
            number: slice(int(ends[k]), int(ends[k + 1])) for k, number in enumerate(numbers)
        }
        rows = np.concatenate(each)
        values = responses[rows]
        mean = values.mean(axis=0, dtype=np.float64)
        values -= mean.astype(np.float32)
        power = np.zeros(values.shape[1])
        for place in places.values():
            power += values[place].var(axis=0, dtype=np.float64) * (place.stop - place.start)
        constant = power <= len(rows) * (16 * np.finfo(np.float32).eps * mean) ** 2
        variance = np.where(constant, 0.0, power / len(rows)).astype(np.float32)
        return cls(values, rows, places, variance)


def centred_kernel(kernel: Floats, train: Ints, held_out: Ints) -> tuple[Floats, Floats]:
    """Return the kernels of training rows and of held-out with training rows.

    Parameters
    ----------
    kernel
        (n_rows, n_rows).
    train, held_out
        Rows.

    Returns
    -------
    of_train : array, (n_train, n_train)
    of_held_out : array, (n_held_out, n_train)
        Both of features less their mean over the training rows.
    """
    own = kernel[np.ix_(train, train)]
    mean = own.mean(axis=0)
    other = kernel[np.ix_(held_out, train)]
    centred = other - mean - other.mean(axis=1, keepdims=True) + mean.mean()
    return own - mean - mean[:, None] + mean.mean(), centred


def prediction_matrices(
    kernel: Floats, train: Ints, held_out: Ints, alphas: Sequence[float]
) -> Floats:
    """Return the matrices that turn training targets into predictions.

    Parameters
    ----------
    kernel
        (n_rows, n_rows) of the features, in float64.
    train, held_out
        Rows.
    alphas
        Penalties.

    Returns
    -------
    array, (n_alphas, n_held_out, n_train)
        Predictions are relative to the mean of the training targets.
    """
    of_train, of_held_out = centred_kernel(kernel, train, held_out)
    values, vectors = torch.linalg.eigh(torch.from_numpy(of_train))
    kept = values > values[-1] * len(train) * np.finfo(np.float64).eps
    values, vectors = values[kept], vectors[:, kept]
    seen = torch.from_numpy(of_held_out) @ vectors
    factors = 1.0 / (values + torch.tensor(list(alphas), dtype=torch.float64)[:, None])
    return np.asarray((seen * factors[:, None]) @ vectors.T)


@dataclass(frozen=True, eq=False)
class Choice:
    """The penalty of each unit.

    Attributes
    ----------
    alpha_index
        (n_units,) number of the penalty; -1 where the responses are constant.
    inner_score
        (n_units,) minus the mean squared error over the blocks held out in inner folds, in
        variances of the responses; NaN where they are constant.
    """

    alpha_index: Ints
    inner_score: Singles


def choose_penalties(
    kernel: Floats,
    targets: TrainingTargets,
    fold: Fold,
    alphas: Sequence[float],
    *,
    device: str = "cpu",
    batch_units: int = 1024,
) -> Choice:
    """Choose the penalty of each unit by the squared error in inner folds.

    Parameters
    ----------
    kernel
        (n_rows, n_rows) of the features.
    targets
        Of the same rows and the same fold.
    fold
        Its inner folds.
    alphas
        Increasing penalties.
    device
        Torch device.
    batch_units
        Units worked on together.

    Returns
    -------
    Choice
        Of penalties whose errors are equal to rounding the largest is chosen.
    """
    n_alphas, n_units = len(alphas), targets.values.shape[1]
    number = torch.arange(n_alphas, device=device)[:, None]
    index, inner = np.empty(n_units, np.int64), np.empty(n_units, np.float32)
    splits = [_Split.of(targets, held_out) for held_out in fold.inner]
    matrices = map_single_threaded(
        lambda split: split.stacked(kernel, targets.rows, alphas), splits
    )

    def work(start: int) -> None:
        units = slice(start, min(start + batch_units, n_units))
        values = torch.from_numpy(targets.values[:, units]).to(device)
        variance = torch.from_numpy(targets.variance[units]).to(device)
        error = values.new_zeros(n_alphas, values.shape[1])
        for split, matrix in zip(splits, matrices, strict=True):
            error += split.errors(matrix.to(device), values, n_alphas)
        score = -error / (sum(len(split.blocks) for split in splits) * variance)
        best = score.amax(0)
        chosen = torch.where(score >= best - TIE[score.dtype], number, -1).amax(0)
        chosen = torch.where(variance > 0, chosen, -1)
        index[units] = chosen.cpu().numpy()
        inner[units] = torch.where(chosen >= 0, best, torch.nan).cpu().numpy()

    n_workers = None if device == "cpu" else 1
    map_single_threaded(work, range(0, n_units, batch_units), n_workers=n_workers)
    return Choice(index, inner)


@dataclass(frozen=True, eq=False)
class _Split:
    """Training and held-out rows of one inner fold, as places in `TrainingTargets.values`."""

    train: Ints
    blocks: tuple[slice, ...]
    pieces: tuple[slice, ...]

    @classmethod
    def of(cls, targets: TrainingTargets, held_out: Sequence[int]) -> _Split:
        places = np.arange(len(targets.rows))
        blocks = tuple(targets.blocks[number] for number in held_out)
        outside = np.ones(len(places), np.bool_)
        for block in blocks:
            outside[block] = False
        train = places[outside]
        cuts = np.flatnonzero(np.diff(train) > 1) + 1
        pieces = tuple(slice(int(p[0]), int(p[-1]) + 1) for p in np.split(train, cuts))
        return cls(train, blocks, pieces)

    def stacked(self, kernel: Floats, rows: Ints, alphas: Sequence[float]) -> torch.Tensor:
        """Matrices of all held-out rows and penalties, the training mean included, float32."""
        held_out = np.concatenate([np.arange(b.start, b.stop) for b in self.blocks])
        matrices = prediction_matrices(kernel, rows[self.train], rows[held_out], alphas)
        matrices += 1.0 / len(self.train)
        return torch.from_numpy(matrices.reshape(-1, len(self.train)).astype(np.float32))

    def errors(self, matrix: torch.Tensor, values: torch.Tensor, n_alphas: int) -> torch.Tensor:
        """Mean squared errors of the held-out blocks, summed over blocks, (n_alphas, n_units)."""
        measured = torch.cat([values[block] for block in self.blocks])
        residual = measured.neg().repeat(n_alphas, 1)
        first = 0
        for piece in self.pieces:
            n_rows = piece.stop - piece.start
            residual.addmm_(matrix[:, first : first + n_rows], values[piece])
            first += n_rows
        squared = residual.square_().view(n_alphas, len(measured), -1)
        lengths = [block.stop - block.start for block in self.blocks]
        parts = torch.split(squared, lengths, dim=1)
        return torch.stack([part.mean(1) for part in parts]).sum(0)


def apply_matrices(
    matrices: Floats,
    targets: TrainingTargets,
    alpha_index: Ints,
    units: Ints,
    *,
    device: str = "cpu",
) -> Singles:
    """Predict held-out rows by the penalties that were chosen.

    Parameters
    ----------
    matrices
        (n_alphas, n_held_out, n_train) from `prediction_matrices`.
    targets
        Training targets.
    alpha_index
        (len(units),) number of each unit's penalty.
    units
        Which units of the targets.
    device
        Torch device.

    Returns
    -------
    array, (n_held_out, len(units))
        Relative to the mean of the training targets.
    """
    out = np.empty((matrices.shape[1], len(units)), np.float32)
    used = np.unique(alpha_index).tolist()

    def work(number: int) -> None:
        own = np.flatnonzero(alpha_index == number)
        matrix = torch.from_numpy(matrices[number].astype(np.float32)).to(device)
        values = torch.from_numpy(targets.values[:, units[own]]).to(device)
        out[:, own] = (matrix @ values).cpu().numpy()

    map_single_threaded(work, used, n_workers=None if device == "cpu" else 1)
    return out
