"""Encoding models of every layer: units, parcels with their temporal null, ratings.

Arrays in, arrays out; units are voxels or vertices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.encoding.designs import Design, DesignStore
from bidsapp.models.ridge import (
    AlphaMetric,
    FoldScores,
    batch_size,
    ridge_weights,
    score_fold,
)
from bidsapp.models.threads import map_single_threaded
from bidsapp.progress import track
from bidsapp.stats.folds import Fold
from bidsapp.stats.nulls import apply_shifts, shifted_rows

Scorer = Callable[[Design, NDArray[Any], Fold], FoldScores]
Slabs = Iterable[tuple[slice, NDArray[np.floating[Any]]]]


@dataclass(frozen=True)
class Encoding:
    """Scores of every layer.

    Attributes
    ----------
    r
        (n_layers, n_blocks, n_units) correlation inside each held-out block; NaN where the unit
        does not vary.
    log10_alpha
        (n_layers, n_units) penalty chosen, averaged over outer folds.
    edge_low, edge_high
        (n_layers, n_units) share of outer folds whose penalty lies at an end of the grid.
    """

    r: NDArray[np.float32]
    log10_alpha: NDArray[np.float32]
    edge_low: NDArray[np.float32]
    edge_high: NDArray[np.float32]

    def columns(self, some: slice) -> Encoding:
        """Return the scores of some of the units."""
        chosen = (self.log10_alpha, self.edge_low, self.edge_high)
        return Encoding(self.r[:, :, some], *(array[:, some] for array in chosen))

    @property
    def mean_r(self) -> NDArray[np.float32]:
        """(n_layers, n_units) mean over blocks, each counting the same."""
        return np.asarray(self.r.mean(axis=1))


def make_scorer(
    solver: str, alpha_metric: AlphaMetric, n_alphas: int, device: str, memory_bytes: int
) -> Scorer:
    """Return the function that scores one fold with the chosen solver.

    Parameters
    ----------
    solver
        ``gram`` (ours) or ``himalaya``.
    alpha_metric
        What chooses the penalty.
    n_alphas
        Size of the grid of penalties.
    device
        Torch device.
    memory_bytes
        For temporary arrays.
    """

    def gram(design: Design, y: NDArray[Any], fold: Fold) -> FoldScores:
        return score_fold(
            design.factors,
            design.x,
            y,
            alpha_metric=alpha_metric,
            device=device,
            batch_units=batch_size(
                memory_bytes,
                design.x.shape[0],
                design.x.shape[1],
                n_alphas,
                int(design.factors.labels.max()) + 1,
                itemsize=y.dtype.itemsize,
            ),
        )

    def himalaya(design: Design, y: NDArray[Any], fold: Fold) -> FoldScores:

        from bidsapp.models.himalaya_ridge import himalaya_score_fold

        return himalaya_score_fold(design.factors, design.x, y, alpha_metric=alpha_metric)

    return {"gram": gram, "himalaya": himalaya}[solver]


def encode(
    store: DesignStore, slabs: Slabs, n_units: int, scorer: Scorer, *, label: str, quiet: bool
) -> Encoding:
    """Score every layer for every unit.

    Parameters
    ----------
    store
        Designs of the network's layers.
    slabs
        Pairs (columns, (n_rows, n_columns) BOLD) that together cover all units.
    n_units
        Number of units.
    scorer
        From `make_scorer`.
    label, quiet
        For the progress bar.

    Returns
    -------
    Encoding
        Scores of all layers.
    """
    shape = (store.n_layers, n_units)
    r = np.full((store.n_layers, store.n_blocks, n_units), np.nan, dtype=np.float32)
    alpha, low, high = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    grid = np.asarray(store.options.log10_alpha, dtype=np.float32)
    for columns, y in slabs:
        layers = range(store.n_layers)
        for layer in track(layers, total=store.n_layers, label=label, quiet=quiet):
            for _, fold, design in store.layer(layer):
                scores = scorer(design, y, fold)
                r[layer, list(fold.test), columns] = scores.r
                index, share = scores.alpha_index, 1 / len(store.folds)
                alpha[layer, columns] += np.where(index >= 0, grid[index], np.nan) * share
                low[layer, columns] += (index == 0) * share
                high[layer, columns] += (index == len(grid) - 1) * share
    return Encoding(r, alpha, low, high)


def predict_held_out(
    store: DesignStore, layer: int, y: NDArray[Any], scorer: Scorer, n_features: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Predict each row by the models of the fold in which its block is held out.

    The correlation with `y` inside each block is the score that `encode` gives.

    Parameters
    ----------
    store
        Designs of the network's layers.
    layer
        Number of the layer, from 0.
    y
        (n_rows, n_targets) targets, filtered where the store has a filter.
    scorer
        From `make_scorer`: chooses the penalties.
    n_features
        Regressors to return beside the predictions.

    Returns
    -------
    predicted : array, (n_rows, n_targets)
        Up to a constant of each block; NaN outside blocks, and for targets that are constant.
    features : array, (n_rows, n_features)
        The first regressors as they enter the model of that fold; NaN outside blocks.
    """
    predicted = np.full(y.shape, np.nan)
    features = np.full((len(y), n_features), np.nan)
    for _, fold, design in store.layer(layer):
        chosen = scorer(design, y, fold).alpha_index
        weights = ridge_weights(design.factors, np.asarray(design.x), y, chosen)
        rows = np.isin(store.blocks.label, fold.test)
        predicted[rows] = design.x[rows] @ weights
        features[rows] = design.x[rows, :n_features]
    return predicted, features


def encode_with_null(
    store: DesignStore,
    y: NDArray[Any],
    shifts: NDArray[np.integer],
    scorer: Scorer,
    *,
    columns_at_once: int,
    label: str,
    quiet: bool,
) -> tuple[Encoding, NDArray[np.float32]]:
    """Score targets, and refit the whole cross-validation for displaced music.

    Without a filter, the design and with it every decomposition stays; circularly shifted copies
    of the targets go through the same solver as additional columns. With one, the nuisance stays
    with the volumes: regressors are displaced first and filtered then, as the observed ones are,
    and every copy has decompositions of its own.

    Parameters
    ----------
    store
        Designs of the network's layers.
    y
        (n_rows, n_targets) parcel means or ratings, filtered where the store has a filter.
    shifts
        (n_shifts, n_blocks) rows by which each block is shifted.
    scorer
        From `make_scorer`.
    columns_at_once
        Bound on columns held in memory.
    label, quiet
        For the progress bar.

    Returns
    -------
    Encoding
        Scores of the targets as they are.
    ndarray, (n_shifts, n_layers, n_targets)
        Mean score over blocks under each shift.
    """
    n_targets = y.shape[1]
    if store.run_filter is not None:
        slab = [(slice(0, n_targets), y)]
        seen = encode(store, slab, n_targets, scorer, label="", quiet=True)
        if not len(shifts):
            return seen, np.empty((0, store.n_layers, n_targets), np.float32)
        return seen, _displaced(store, y, shifts, scorer, label=label, quiet=quiet)
    copies = np.vstack([np.zeros((1, shifts.shape[1]), dtype=shifts.dtype), shifts])
    means = np.empty((len(copies), store.n_layers, n_targets), dtype=np.float32)
    step = max(1, columns_at_once // n_targets)
    starts = range(0, len(copies), step)
    observed: Encoding | None = None
    for start in track(starts, total=len(starts), label=label, quiet=quiet):
        some = copies[start : start + step]
        shifted = apply_shifts(y, store.blocks.label, some)
        slab = [(slice(0, shifted.shape[1]), shifted)]
        scores = encode(store, slab, shifted.shape[1], scorer, label="", quiet=True)
        mean = scores.mean_r.reshape(store.n_layers, len(some), n_targets)
        means[start : start + step] = mean.transpose(1, 0, 2)
        observed = observed or scores.columns(slice(0, n_targets))
    assert observed is not None
    return observed, means[1:]


def _displaced(
    store: DesignStore,
    y: NDArray[Any],
    shifts: NDArray[np.integer],
    scorer: Scorer,
    *,
    label: str,
    quiet: bool,
) -> NDArray[np.float32]:
    """Mean scores (n_shifts, n_layers, n_targets) of music that is displaced and then filtered."""
    totals = np.zeros((len(shifts), store.n_layers, y.shape[1]), dtype=np.float32)
    layers = range(store.n_layers)
    for layer in track(layers, total=store.n_layers, label=label, quiet=quiet):
        for number in range(len(store.folds)):
            x, explained = store.regressors(layer, number)
            score = partial(_displaced_fold, store, x, explained, number, y, scorer)
            for copy, total in enumerate(map_single_threaded(score, list(shifts))):
                totals[copy, layer] += total
    return np.asarray(totals / store.n_blocks)


def _displaced_fold(
    store: DesignStore,
    x: NDArray[Any],
    explained: float,
    number: int,
    y: NDArray[Any],
    scorer: Scorer,
    shift: NDArray[np.integer],
) -> NDArray[Any]:
    """Sum (n_targets,) of the scores of a fold's test blocks under one displacement.

    Regressors move back where responses would move on, so that copies are those of a null that
    shifts responses.
    """
    moved = x[shifted_rows(store.blocks.label, -shift)]
    design = store.factorised(moved, explained, number)
    return np.asarray(scorer(design, y, store.folds[number]).r.sum(axis=0))
