"""The searchlight on a torch device: the same integers, many searchlights at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import MIN_FEATURES, Dissimilarity
from bidsapp.models.searchlight.products import Products
from bidsapp.models.searchlight.spheres import Columns, FloatArray, Progress
from bidsapp.models.searchlight.table import ModelTable

BATCH_BYTES = 512 << 20


def inner_products_on(
    device: str,
    data: FloatArray,
    neighbourhoods: Neighbourhoods,
    table: ModelTable,
    dissimilarity: Dissimilarity,
    *,
    batch: int | None = None,
    progress: Progress | None = None,
) -> Products:
    """Compute the inner products of `bidsapp.models.searchlight.scores` on a device.

    Parameters
    ----------
    device
        A torch device.
    data, neighbourhoods, table, dissimilarity, progress
        As there.
    batch
        Searchlights at a time; never changes an integer.

    Returns
    -------
    Products
        Spearman dissimilarities compared by ranks are equal to those of the processor; others
        up to the order of nearly equal dissimilarities.
    """
    ranks = table.comparison != "pearson"
    n_centres, n_items = neighbourhoods.n_centres, table.selection.n_items
    found = Products(
        np.zeros((n_centres, len(table.rows)), np.int64 if ranks else np.float64),
        np.zeros(n_centres),
        np.zeros(n_centres, np.int32),
    )
    rows = torch.from_numpy(table.rows.astype(np.float64)).to(device)
    index = torch.from_numpy(table.selection.index).to(device)
    size = batch or int(np.clip(BATCH_BYTES // (60 * n_items * n_items), 1, 256))
    for where, part in neighbourhoods.slabs(size):
        columns = Columns(data, part)
        values = torch.from_numpy(columns.values).to(device).mT
        found.n_members[where] = [columns.n_usable(i) for i in range(part.n_centres)]
        for centres, members in _of_equal_size(columns, part.n_centres):
            patterns = values[:, torch.from_numpy(members).to(device)]
            keys, valid = _keys(patterns, dissimilarity, ranks)
            taken = keys.flatten(1)[:, index]
            valid &= ~taken.isnan().any(1) & (taken.amin(1) < taken.amax(1))
            vectors = _midranks(taken) if ranks else taken - taken.mean(1, keepdim=True)
            vectors = torch.where(valid[:, None], vectors, 0)
            places = where.start + centres
            found.rows[places] = (
                np.rint((vectors @ rows.T).cpu().numpy())
                if ranks
                else (vectors @ rows.T).cpu().numpy()
            )
            found.squares[places] = (vectors * vectors).sum(1).cpu().numpy()
        if progress is not None:
            progress(part.n_centres)
    return found


def _of_equal_size(
    columns: Columns, n_centres: int
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Group searchlights with the same number of usable members."""
    members = [columns.members(i) for i in range(n_centres)]
    sizes = np.array([rows.size for rows in members])
    for size in np.unique(sizes[sizes > 0]):
        centres = np.flatnonzero(sizes == size)
        yield centres, np.stack([members[i] for i in centres]).astype(np.int64)


def _keys(
    patterns: torch.Tensor, dissimilarity: Dissimilarity, ranks: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Dissimilarities up to a constant, (n, n_items, n_items), and which have them."""
    if dissimilarity in {"euclid", "crossnobis"}:
        keys = _distances(patterns.double())
        return keys, torch.ones(len(keys), dtype=torch.bool, device=keys.device)
    x = patterns[0]
    if dissimilarity == "pearson":
        centred = x.double() - x.double().mean(1, keepdim=True)
        norms = centred.square().sum(1, keepdim=True).sqrt()
        norms = torch.where(x.amax(1, keepdim=True) > x.amin(1, keepdim=True), norms, torch.nan)
        centred = centred / norms
        keys = -(centred.mT @ centred)
    else:
        signed = _signed_ranks(x)
        products = (signed.mT @ signed).double()
        norms = products.diagonal(dim1=1, dim2=2)
        keys = products.square() / (norms[:, :, None] * norms[:, None, :])
        keys = -products.sign() * (keys if ranks else keys.sqrt())
    return keys, torch.full((len(x),), x.shape[1] >= MIN_FEATURES[dissimilarity], device=x.device)


def _signed_ranks(x: torch.Tensor) -> torch.Tensor:
    """Doubled centred ranks of (n, n_members, n_items); products of them are exact."""
    n = x.shape[1]
    counts = torch.zeros(x.shape, dtype=torch.int16, device=x.device)
    for member in range(n):
        other = x[:, member : member + 1]
        counts += (x > other).to(torch.int16) - (x < other).to(torch.int16)
    return counts.to(torch.float32 if n <= 369 and x.is_cpu else torch.float64)


def _midranks(values: torch.Tensor) -> torch.Tensor:
    """Doubled centred mid-ranks along rows, float64."""
    ordered = values.sort(dim=1).values
    below = torch.searchsorted(ordered, values)
    up_to = torch.searchsorted(ordered, values, right=True)
    return (below + up_to - values.shape[1]).double()


def _distances(x: torch.Tensor) -> torch.Tensor:
    """Distances of items from (n_folds, n, n_members, n_items)."""
    x = x - x[..., :1]
    n_folds, total = len(x), x.sum(0)
    gram = total.mT @ total
    if n_folds > 1:
        for fold in x:
            gram = gram - fold.mT @ fold
        gram = gram / (n_folds * (n_folds - 1) * x.shape[2])
    norms = gram.diagonal(dim1=1, dim2=2)
    squared = norms[:, :, None] + norms[:, None, :] - 2 * gram
    return squared if n_folds > 1 else squared.clamp_min(0).sqrt()
