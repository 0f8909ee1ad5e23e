r"""Scores of ridge regression for all regularisations, from moments alone.

For one training set with eigenvalues :math:`e` and :math:`B = P C_{train}`, the prediction in
a held-out block h is :math:`\hat y = \tilde X_h D_\alpha B` with
:math:`D_\alpha = diag(1 / (e + \alpha))`. Its score needs two numbers for each alpha and target,

.. math:: y' \hat y = \sum_i E_i B_i / (e_i + \alpha), \qquad
   \hat y' \hat y = \sum_{ij} S_{ij} B_i B_j / ((e_i + \alpha) (e_j + \alpha)),

where :math:`E = P C_h` and :math:`S = P G_h P'`. The first is one small matrix product for all
alphas. The second, done as it stands, costs one large product for each alpha. Partial fractions,

.. math:: \frac{1}{(e_i + \alpha)(e_j + \alpha)}
   = \frac{1}{e_j - e_i} \left(\frac{1}{e_i + \alpha} - \frac{1}{e_j + \alpha}\right),

turn it into one large product for all alphas together: with the antisymmetric matrix
:math:`L_{ij} = S_{ij} / (e_j - e_i)`,

.. math:: \hat y' \hat y = 2 \sum_i \frac{B_i (L B)_i}{e_i + \alpha}
   + \sum_{near} S_{ij} \frac{B_i B_j}{(e_i + \alpha)(e_j + \alpha)}.

Pairs whose eigenvalues are near each other (the diagonal among them), where the difference
would lose digits, are kept as they are in the last sum. Since :math:`B' L B = 0`, any number
that depends on alpha only may be added to :math:`1 / (e_i + \alpha)`; for alphas beyond the
largest eigenvalue, where these factors are all but equal, :math:`-1 / \alpha` is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.models.ridge_factors import Split

FloatArray = npt.NDArray[np.floating]

NEAR = 0.05
"""Eigenvalues closer than this, relative to the larger, are not divided by their difference."""
MAX_NEAR = 10
"""With more than this many near pairs per eigenvalue, alphas are gone through one by one."""


@dataclass(frozen=True)
class HeldOut:
    """One held-out block seen from one training set.

    Attributes
    ----------
    block
        Block number.
    root : tensor of shape (min(n_rows, n_components), n_components)
        R with R'R = S.
    loewner : tensor of shape (n_components, n_coordinates)
        2 L P.
    pairs : integer tensor of shape (2, n_pairs)
        Different eigenvalues that are near each other.
    power_table : tensor of shape (n_alphas, 2 * n_components + n_pairs)
        Factors of B (LB), of B B and of the products of near pairs; None if alphas are gone
        through one by one.
    """

    block: int
    root: torch.Tensor
    loewner: torch.Tensor
    pairs: torch.Tensor
    power_table: torch.Tensor | None


@dataclass(frozen=True)
class SplitTensors:
    """A `Split` on the device, with what its held-out blocks need.

    Attributes
    ----------
    projection : tensor of shape (n_components, n_coordinates)
    eigenvalues : tensor of shape (n_components,)
    table : tensor of shape (n_alphas, n_components)
        1 / (e + alpha).
    """

    train: tuple[int, ...]
    held_out: tuple[HeldOut, ...]
    projection: torch.Tensor
    eigenvalues: torch.Tensor
    table: torch.Tensor


def prepare_split(
    split: Split,
    design: dict[int, FloatArray],
    alphas: FloatArray,
    dtype: torch.dtype,
    device: torch.device,
    *,
    near: float = NEAR,
) -> SplitTensors:
    """Bring one training set and its held-out blocks to the device.

    Parameters
    ----------
    split
        Eigendecomposition of the training set.
    design
        Working coordinates (n_rows_of_block, n_coordinates) of each block, centred.
    alphas : array of shape (n_alphas,)
    dtype, device
        Of the products with targets.
    near
        Eigenvalues closer than this relative distance make a near pair.
    """

    def tensor(array: FloatArray | torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(array, dtype=dtype, device=device).contiguous()

    e = split.eigenvalues
    projection = torch.from_numpy(np.ascontiguousarray(split.projection))
    table = 1.0 / (e[None, :] + alphas[:, None])
    held_out = []
    for block in split.test:
        seen = torch.from_numpy(design[block]) @ projection.T
        loewner, pairs, power_table = _loewner(e, (seen.T @ seen).numpy(), alphas, near)
        few = pairs.shape[1] <= MAX_NEAR * e.size
        held_out.append(
            HeldOut(
                block,
                tensor(torch.linalg.qr(seen, mode="r")[1] if len(seen) > e.size else seen),
                tensor(2.0 * torch.from_numpy(loewner) @ projection),
                torch.as_tensor(pairs, device=device),
                tensor(power_table) if few else None,
            )
        )
    return SplitTensors(split.train, tuple(held_out), tensor(projection), tensor(e), tensor(table))


def _loewner(
    e: FloatArray, power: FloatArray, alphas: FloatArray, near: float
) -> tuple[FloatArray, npt.NDArray[np.int64], FloatArray]:
    """Return L, the near pairs off the diagonal, and the table of factors of all products."""
    gap = e[None, :] - e[:, None]
    is_near = np.abs(gap) <= near * np.maximum(e[None, :], e[:, None])
    loewner = np.where(is_near, 0.0, power) / np.where(is_near, 1.0, gap)
    one, other = pairs = np.stack(np.nonzero(np.triu(is_near, 1)))
    a = alphas[:, None]
    far = np.where(a < e.max(initial=0.0), 1.0 / (e + a), -e / (a * (e + a)))
    diagonal = np.diag(power) / (e + a) ** 2
    near_pairs = 2.0 * power[one, other] / ((e[one] + a) * (e[other] + a))
    return loewner, pairs, np.hstack([far, diagonal, near_pairs])


def inner_terms(
    split: SplitTensors, held_out: HeldOut, b: torch.Tensor, c_train: torch.Tensor, e: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return y'yhat and yhat'yhat in one held-out block for all alphas.

    Parameters
    ----------
    split, held_out
        From `prepare_split`.
    b : tensor of shape (n_components, n_units)
        Training moments on the eigenvectors.
    c_train : tensor of shape (n_coordinates, n_units)
        Training moments.
    e : tensor of shape (n_components, n_units)
        Moments of the held-out block on the eigenvectors; overwritten.

    Returns
    -------
    covariance, power : tensors of shape (n_alphas, n_units)
    """
    covariance = split.table @ e.mul_(b)
    if held_out.power_table is None:
        return covariance, _power_one_by_one(split, held_out, b)
    n = b.shape[0]
    products = b.new_empty(held_out.power_table.shape[1], b.shape[1])
    torch.matmul(held_out.loewner, c_train, out=products[:n])
    products[:n].mul_(b)
    torch.mul(b, b, out=products[n : 2 * n])
    one, other = held_out.pairs
    torch.mul(b[one], b[other], out=products[2 * n :])
    return covariance, held_out.power_table @ products


def _power_one_by_one(split: SplitTensors, held_out: HeldOut, b: torch.Tensor) -> torch.Tensor:
    rows = [(held_out.root @ (factors[:, None] * b)).square().sum(0) for factors in split.table]
    return torch.stack(rows)


def refit_terms(
    held_out: HeldOut, z: torch.Tensor, e: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return y'yhat and yhat'yhat in one held-out block for the chosen alphas.

    Parameters
    ----------
    held_out
        From `prepare_split`.
    z : tensor of shape (n_components, n_units)
        Weights on the eigenvectors.
    e : tensor of shape (n_components, n_units)
        Moments of the held-out block on the eigenvectors.

    Returns
    -------
    covariance, power : tensors of shape (n_units,)
    """
    return (e * z).sum(0), (held_out.root @ z).square().sum(0)
