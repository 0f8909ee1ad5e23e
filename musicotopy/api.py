"""Encoding, banded ridge, spins, searchlights and maps for scripts and notebooks.

Lists, data frames and one-dimensional targets are taken at the door; what is computed is what the
recipes of the app compute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError
from bidsapp.models.banded import Subset, score_banded, simplex_grid
from bidsapp.models.ridge import AlphaMetric, factorise, scale_columns, score_fold
from bidsapp.results.load import load_results, open_results
from bidsapp.stats.folds import nested_folds
from musicotopy.estimator import GroupedRidgeCV
from musicotopy.images import load_maps
from musicotopy.inputs import ALPHAS, blocks, matrix

__all__ = [
    "Banded",
    "Encoded",
    "GroupedRidgeCV",
    "Searchlights",
    "banded",
    "encode",
    "load_maps",
    "load_results",
    "open_results",
    "searchlight_rsa",
    "spin",
]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Encoded:
    """Scores of an encoding model.

    Attributes
    ----------
    r : array of shape (n_targets,)
        Correlation of prediction and data inside each held-out group, averaged over groups.
    r_by_group : array of shape (n_groups, n_targets)
        In the order of `groups`; NaN where a target is constant.
    groups : tuple
        Names of the groups.
    alpha : array of shape (n_folds, n_targets)
        Penalty chosen in inner folds; NaN where a target is constant.
    """

    r: Array
    r_by_group: Array
    groups: tuple[Any, ...]
    alpha: Array


@dataclass(frozen=True, eq=False)
class Banded:
    """Scores of all combinations of feature spaces.

    Attributes
    ----------
    r
        Names of the spaces used → (n_targets,) mean held-out correlation.
    unique
        Space → (n_targets,) what the model of all spaces loses without it.
    weights : array of shape (n_folds, n_targets, n_spaces)
        Share of each space in the regularisation of the full model; NaN for constant targets.
    """

    r: Mapping[tuple[str, ...], Array]
    unique: Mapping[str, Array]
    weights: Array


@dataclass(frozen=True, eq=False)
class Searchlights:
    """Scores of model RDMs around each centre.

    Attributes
    ----------
    rho : array of shape (n_models, n_centres)
        Comparison of the searchlight's RDM with each model.
    centres : integer array of shape (n_centres,)
        Columns of the data.
    n_members : integer array of shape (n_centres,)
        Columns in each searchlight.
    """

    rho: Array
    centres: npt.NDArray[np.int64]
    n_members: npt.NDArray[np.int64]


def encode(
    X: Any,
    Y: Any,
    groups: Any,
    *,
    alphas: Sequence[float] = ALPHAS,
    alpha_metric: AlphaMetric = "correlation",
    max_folds: int = 10,
    device: str = "cpu",
) -> Encoded:
    """Predict targets from features by ridge regression, holding out whole groups of rows.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Features, lags included. Scaled to mean variance 1 over training rows.
    Y : array-like of shape (n_rows, n_targets) or (n_rows,)
        Targets, such as voxels.
    groups : array-like of shape (n_rows,)
        What may not stand on both sides of a fold, such as the piece of music. At least three.
    alphas
        Penalties, increasing; one is chosen for each target in inner folds.
    alpha_metric
        ``correlation`` or ``mse``.
    max_folds
        More groups are dealt into this many outer folds.
    device
        ``cpu`` or a torch device.

    Returns
    -------
    Encoded

    Raises
    ------
    InputInvalidError
        If shapes do not fit, features are not finite or there are fewer than three groups.

    Notes
    -----
    Source: nested cross-validation with one penalty per target (Huth et al. 2016).
    """
    x, y = matrix(X, "X"), matrix(Y, "Y")
    labels, names = blocks(groups, len(x))
    folds = nested_folds(range(len(names)), max_outer=max_folds)
    r = np.full((len(names), y.shape[1]), np.nan)
    alpha = np.full((len(folds), y.shape[1]), np.nan)
    penalties = np.asarray(alphas, dtype=np.float64)
    for number, fold in enumerate(folds):
        scaled = scale_columns(x, np.flatnonzero(~np.isin(labels, fold.test)))
        factors = factorise(scaled, labels, fold, penalties)
        scores = score_fold(factors, scaled, y, alpha_metric=alpha_metric, device=device)
        r[list(fold.test)] = scores.r
        chosen = scores.alpha_index
        alpha[number] = np.where(chosen >= 0, penalties[chosen], np.nan)
    return Encoded(r.mean(axis=0), r, names, alpha)


def banded(
    spaces: Mapping[str, Any],
    Y: Any,
    groups: Any,
    *,
    alphas: Sequence[float] = ALPHAS,
    n_steps: int = 4,
    max_folds: int = 10,
) -> Banded:
    """Predict targets from several feature spaces with a penalty each, and say what each adds.

    Parameters
    ----------
    spaces
        Name → features (n_rows, n_features).
    Y, groups, alphas, max_folds
        As in `encode`.
    n_steps
        Weights of spaces are multiples of 1 / `n_steps`; at least the number of spaces.

    Returns
    -------
    Banded

    Raises
    ------
    InputInvalidError
        As in `encode`; or there are fewer than two spaces or too few steps for them.

    Notes
    -----
    Source: Nunez-Elizalde, Huth and Gallant (2019); see `bidsapp.models.banded`.
    """
    names = tuple(spaces)
    if not 2 <= len(names) <= n_steps:
        msg = f"{len(names)} spaces in {n_steps} steps; give two spaces or more, and as many steps"
        raise InputInvalidError(msg)
    bands = [matrix(values, f"space {name}") for name, values in spaces.items()]
    y = matrix(Y, "Y")
    labels, pieces = blocks(groups, len(y))
    folds = nested_folds(range(len(pieces)), max_outer=max_folds)
    grid = simplex_grid(len(names), n_steps)
    every = tuple(range(len(names)))
    subsets = [part for size in every for part in combinations(every, size + 1)]
    r = {subset: np.full((len(pieces), y.shape[1]), np.nan) for subset in subsets}
    weights = np.full((len(folds), y.shape[1], len(names)), np.nan)
    for number, fold in enumerate(folds):
        best = score_banded(bands, labels, fold, list(alphas), y, grid)
        for subset in subsets:
            r[subset][list(fold.test)] = best[subset].r
        chosen = best[every].weights_index
        weights[number] = np.where(chosen[:, None] >= 0, grid[chosen], np.nan)
    mean: dict[Subset, Array] = {subset: values.mean(axis=0) for subset, values in r.items()}
    unique = {
        names[band]: mean[every] - mean[tuple(x for x in every if x != band)] for band in every
    }
    named = {tuple(names[band] for band in subset): values for subset, values in mean.items()}
    return Banded(named, unique, weights)


def spin(
    a: Any,
    b: Any,
    *,
    space: Literal["fsaverage5", "fsLR32k"] = "fsaverage5",
    n_rotations: int = 10_000,
    statistic: Literal["spearman", "pearson"] = "spearman",
    seed: int = 0,
) -> tuple[Array, Array]:
    """Correlate maps with a reference that is rotated on the sphere (spin test).

    Parameters
    ----------
    a : array-like of shape (n_vertices,) or (n_maps, n_vertices)
        Maps that stay; NaN where undefined.
    b : array-like of shape (n_vertices,)
        The reference, which rotates; NaN outside cortex.
    space
        Left, then right vertices of ``fsaverage5`` (20,484) or ``fsLR32k`` (64,984).
    n_rotations, statistic, seed
        Of the null distribution.

    Returns
    -------
    r, p : arrays of shape (n_maps,)
        Observed correlation; two-sided p, corrected over the maps given (largest size).

    Raises
    ------
    ValueError
        If the numbers of vertices do not fit.

    Notes
    -----
    Source: Alexander-Bloch et al. (2018), NeuroImage 178, 540-551.
    """
    from bidsapp.brain.geometry import surface_units
    from bidsapp.brain.surfaces import sphere
    from bidsapp.resources import N_VERTICES
    from bidsapp.stats.spins.mesh import spin_mesh
    from bidsapp.stats.spins.null import spin_null
    from bidsapp.stats.spins.p_values import spin_test

    maps = np.atleast_2d(np.asarray(a, dtype=np.float64))
    reference = np.asarray(b, dtype=np.float64)[None]
    n, name = N_VERTICES[space], "fsLR" if space == "fsLR32k" else "fsaverage"
    mesh = spin_mesh(*sphere(surface_units(n, n, space=name)))
    null = spin_null(
        mesh, reference, maps, n_rotations=n_rotations, seed=seed, statistics=(statistic,)
    )
    test = spin_test(null)
    return test.r[0, 0], test.p_fwe[0, 0]


def searchlight_rsa(
    data: Any,
    models: Any,
    *,
    coords: Any = None,
    n_voxels: int = 100,
    radius_mm: float | None = None,
    dissimilarity: Literal["spearman", "pearson", "euclid"] = "spearman",
    compare: Literal["spearman", "pearson", "rho-a"] = "spearman",
) -> Searchlights:
    """Compare the dissimilarities of items around every place with model RDMs.

    Parameters
    ----------
    data : array-like of shape (n_items, n_columns)
        Pattern of each item.
    models : array-like of shape (n_models, n_pairs) or (n_pairs,)
        Condensed RDMs in the order of `scipy.spatial.distance.pdist`.
    coords : array-like of shape (n_columns, 3)
        Place of each column in mm.
    n_voxels
        Nearest columns in a searchlight, its centre included.
    radius_mm
        All columns within this radius instead.
    dissimilarity, compare
        How items and RDMs are compared.

    Returns
    -------
    Searchlights

    Raises
    ------
    InputInvalidError
        If shapes do not fit.
    """
    from scipy.spatial import KDTree

    from bidsapp.models.neighbourhoods import Neighbourhoods
    from bidsapp.models.searchlight.scores import searchlight_rsa as score

    patterns = matrix(data, "data").astype(np.float32)
    places = np.asarray(coords, dtype=np.float64)
    if places.shape != (patterns.shape[1], 3):
        msg = f"coords has the shape {places.shape}; give (n, 3) for {patterns.shape[1]} columns"
        raise InputInvalidError(msg)
    tree = KDTree(places)
    if radius_mm is None:
        _, members = tree.query(places, k=min(n_voxels, len(places)))
        members = np.asarray(members).reshape(len(places), -1)
    else:
        members = tree.query_ball_point(places, radius_mm)
    lists = [np.asarray(each, dtype=np.int64) for each in members]
    unknown = np.full(len(lists), np.nan)
    found = score(
        patterns,
        Neighbourhoods.from_lists(lists, range(len(lists)), unknown),
        np.atleast_2d(np.asarray(models, dtype=np.float64)),
        dissimilarity=dissimilarity,
        compare=compare,
    )
    sizes = np.asarray(found.n_members, dtype=np.int64)
    return Searchlights(
        np.asarray(found.rho, np.float64), np.arange(len(lists), dtype=np.int64), sizes
    )
