r"""The projection that cleans a run, for the rows of a design: one filter for both sides.

BOLD of a run is the residual of its nuisance regressors. Regressing residuals on features that
still hold what the regressors explain attenuates the prediction. With the same projection on both
sides, :math:`MY = MXw + e`, the weights are those of the joint regression on features and
nuisance (Frisch and Waugh 1933; Lovell 1963).

A design has only the volumes that hear music at all lags. The projection is built on these rows:
regressors restricted to them, together with one constant per block. What cleaning has removed
from the whole run lies in its span, so applied to clean BOLD it gives exactly the residuals of the
raw BOLD on these rows.

Residuals of one run belong together: their sum with each regressor is zero. Where a fold trains on
some pieces of a run and tests on others, what is left of the noise in both is correlated (by
:math:`-H`, the projection that was removed), and so are the features: noise would be predicted
(`benchmarks/shared_runs.py`: mean r .02 to .07). `RunFilter.training` makes features of training
rows orthogonal to the nuisance *of these rows*; then :math:`X_{train}' H_{train, test} = 0`, and
nothing of the noise of the test rows enters the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import qr

from bidsapp.errors import InputInvalidError
from bidsapp.stats.folds import LEAST_FREEDOM

Floats = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]

_RANK_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class RunFilter:
    """Removes constants of blocks and nuisance regressors from the rows of each run.

    Attributes
    ----------
    rows
        For each run, (n_rows_of_run,) its rows of the design that belong to a block.
    bases
        For each run, (n_rows_of_run, rank) orthonormal; the constants of its blocks are
        contained.
    n_rows
        Rows of the design; those in no block become 0.
    common
        (n_rows, k) orthonormal, removed from all runs at once after the runs' own regressors;
        None for nothing. See `beyond`.
    """

    rows: tuple[Ints, ...]
    bases: tuple[Floats, ...]
    n_rows: int
    common: Floats | None = None

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what is left of some columns.

        Parameters
        ----------
        values
            (n_rows, n_columns) features or responses. A column with NaN stays NaN in that run.

        Returns
        -------
        array, (n_rows, n_columns)
            Of the same type; products are computed in it.
        """
        out = np.zeros_like(values)
        for rows, basis in self._runs():
            part = torch.from_numpy(np.ascontiguousarray(values[rows]))
            part = part - part[:1]  # no digits are lost to a large mean
            q = torch.from_numpy(basis.astype(values.dtype, copy=False))
            out[rows] = (part - q @ (q.T @ part)).numpy()
        if self.common is not None:
            left = torch.from_numpy(out)
            q = torch.from_numpy(self.common.astype(values.dtype, copy=False))
            left -= q @ (q.T @ left)
        return out

    def training(self, train: NDArray[np.bool_]) -> RunFilter:
        """Return the filter of the training rows alone.

        Parameters
        ----------
        train
            (n_rows,) rows of the training set.

        Returns
        -------
        RunFilter
            Removes the same regressors, restricted to the training rows; other rows become 0.
            Applied to training features that were filtered before, it makes what is fitted
            independent of the residual noise of the other rows.
        """
        parts = [(rows[train[rows]], basis[train[rows]]) for rows, basis in self._runs()]
        kept = [(rows, _independent(basis)) for rows, basis in parts if rows.size]
        restricted = RunFilter(
            tuple(rows for rows, _ in kept), tuple(basis for _, basis in kept), self.n_rows
        )
        if self.common is None:
            return restricted
        common = _independent(restricted(np.where(train[:, None], self.common, 0.0)))
        return replace(restricted, common=common)

    def _runs(self) -> Iterator[tuple[Ints, Floats]]:
        yield from zip(self.rows, self.bases, strict=True)

    def beyond(self, regressors: NDArray[Any]) -> RunFilter:
        """Return the filter that also removes regressors with the same weights in all runs.

        Parameters
        ----------
        regressors
            (n_rows, k), as they are: the runs' own filter is applied to them first, so that both
            steps are one projection (Frisch and Waugh 1933).

        Raises
        ------
        InputInvalidError
            Fewer than three degrees of freedom are left.
        """
        basis = _independent(self(np.asarray(regressors, np.float64)))
        if self.common is not None:
            basis = np.hstack([self.common, basis])
        freedom = sum(self.freedom) - basis.shape[1]
        if freedom < LEAST_FREEDOM:
            msg = (
                f"{basis.shape[1]} common regressors leave {freedom} degrees of freedom of "
                f"{sum(self.freedom)}; give fewer"
            )
            raise InputInvalidError(msg)
        return replace(self, common=basis)

    @property
    def freedom(self) -> tuple[int, ...]:
        """Degrees of freedom that are left in each run."""
        return tuple(basis.shape[0] - basis.shape[1] for basis in self.bases)


def make_run_filter(
    run: Ints, volume: Ints, labels: Ints, nuisance: Sequence[Floats], names: Sequence[str]
) -> RunFilter:
    """Build the filter of a design from the nuisance regressors of its runs.

    Parameters
    ----------
    run, volume
        (n_rows,) run of each row, and its volume in the run.
    labels
        (n_rows,) what has a constant of its own: the block of each row, or its run; -1 for rows
        to leave out. No block spans runs.
    nuisance
        For each run, (n_trs, k) regressors of all its volumes.
    names
        Of the runs, for messages.

    Returns
    -------
    RunFilter
        Runs without a row in a block are left out.

    Raises
    ------
    InputInvalidError
        A run keeps fewer than three degrees of freedom.
    """
    rows, bases = [], []
    for number, regressors in enumerate(nuisance):
        own = np.flatnonzero((run == number) & (labels >= 0))
        if not own.size:
            continue
        basis = _basis(np.asarray(regressors)[volume[own]], labels[own])
        if own.size - basis.shape[1] < LEAST_FREEDOM:
            msg = (
                f"{names[number]}: {own.size} volumes hear music at all lags, and nuisance "
                f"regressors and constants of blocks take {basis.shape[1]} of their degrees of "
                "freedom; choose a smaller --confounds"
            )
            raise InputInvalidError(msg)
        rows.append(own)
        bases.append(basis)
    return RunFilter(tuple(rows), tuple(bases), int(labels.size))


def _basis(regressors: Floats, labels: Ints) -> Floats:
    """Orthonormal basis of constants of blocks and of regressors, dependent ones left out."""
    blocks = np.unique(labels)
    constants = (labels[:, None] == blocks) / np.sqrt((labels[:, None] == blocks).sum(axis=0))
    norms = np.linalg.norm(regressors, axis=0)
    centred = regressors - constants @ (constants.T @ regressors)
    left = np.linalg.norm(centred, axis=0)
    varying = left > _RANK_TOLERANCE * np.maximum(norms, np.finfo(np.float64).tiny)
    return np.ascontiguousarray(np.hstack([constants, _independent(centred[:, varying])]))


def _independent(columns: Floats) -> Floats:
    """Orthonormal basis (n_rows, rank) of some columns."""
    lengths = np.linalg.norm(columns, axis=0)
    if not lengths.any():
        return columns[:, :0]
    q, r, _ = qr(columns[:, lengths > 0] / lengths[lengths > 0], mode="economic", pivoting=True)
    return np.asarray(q[:, np.abs(np.diag(r)) > _RANK_TOLERANCE])
