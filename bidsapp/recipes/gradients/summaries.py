"""From scores to the tables of the recipe: arrays in, rows out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.stats.fdr import benjamini_hochberg
from bidsapp.stats.metrics import best_layer, centroid_layer
from bidsapp.stats.nulls import max_statistic_p, permutation_p

Array = NDArray[np.floating]
Row = dict[str, Any]


@dataclass(frozen=True)
class Parcels:
    """Parcels of one space.

    Attributes
    ----------
    labels
        (n_units,) parcel of each unit from 0, -1 for none.
    structure
        Name of the structure each parcel lies in.
    centre_mm
        (n_parcels, 3) mean coordinate in mm; NaN where the mesh is unknown.
    n_units
        (n_parcels,) size.
    """

    labels: NDArray[np.integer]
    structure: tuple[str, ...]
    centre_mm: Array
    n_units: NDArray[np.integer]

    @property
    def n_parcels(self) -> int:
        """Number of parcels."""
        return len(self.structure)

    def facts(self, parcel: int) -> Row:
        """Columns that describe a parcel in every table."""
        x, y, z = self.centre_mm[parcel]
        return {
            "parcel": parcel + 1,
            "structure": self.structure[parcel],
            "x": x,
            "y": y,
            "z": z,
            "n_units": int(self.n_units[parcel]),
        }


@dataclass(frozen=True)
class ParcelTest:
    """Parcel scores of one set of lags against their temporal null.

    Attributes
    ----------
    r
        (n_layers, n_parcels) mean score.
    null
        (n_shifts, n_layers, n_parcels) scores under circular shifts.
    p, q
        (n_layers, n_parcels) p-value of each layer and parcel, and its false discovery rate.
    p_parcel, q_parcel
        (n_parcels,) p-value of the best layer's score against the null of the best layer's
        score, and its false discovery rate over parcels.
    p_family
        (n_parcels,) p-value corrected over layers and parcels by the maximum.
    """

    r: Array
    null: Array
    p: Array
    q: Array
    p_parcel: Array
    q_parcel: Array
    p_family: Array

    @property
    def null_max(self) -> Array:
        """(n_shifts,) largest score over layers and parcels under each shift."""
        return np.asarray(np.nanmax(self.null, axis=(1, 2)))


def test_parcels(r: Array, null: Array) -> ParcelTest:
    """Compare parcel scores with their refitted null.

    Parameters
    ----------
    r
        (n_layers, n_parcels) scores; a parcel without valid units is NaN.
    null
        (n_shifts, n_layers, n_parcels) scores under shifts.

    Returns
    -------
    ParcelTest
        One-sided p-values, (b + 1) / (m + 1).
    """
    known = np.isfinite(r).all(axis=0)
    p, p_parcel, p_family = (np.full(shape, np.nan) for shape in (r.shape, *[r.shape[1]] * 2))
    seen, shifted = r[:, known], null[:, :, known]
    p[:, known] = permutation_p(seen, shifted)
    p_parcel[known] = permutation_p(seen.max(axis=0), shifted.max(axis=1))
    p_family[known] = max_statistic_p(seen, shifted.max(axis=(1, 2))).min(axis=0)
    q = benjamini_hochberg(p.ravel()).reshape(p.shape)
    return ParcelTest(r, null, p, q, p_parcel, benjamini_hochberg(p_parcel), p_family)


def parcel_rows(
    test: ParcelTest, parcels: Parcels, layers: Sequence[str], lags: str
) -> Iterator[Row]:
    """Yield one row per parcel and layer."""
    for parcel in range(parcels.n_parcels):
        facts = parcels.facts(parcel)
        for index, layer in enumerate(layers):
            yield {
                **facts,
                "lags": lags,
                "layer": layer,
                "layer_index": index + 1,
                "r": test.r[index, parcel],
                "p": test.p[index, parcel],
                "q": test.q[index, parcel],
            }


def parcel_summary_rows(
    test: ParcelTest, parcels: Parcels, layers: Sequence[str], lags: str
) -> Iterator[Row]:
    """Yield one row per parcel: its best layer and how sure one can be that it responds."""
    best, centroid = best_layer(test.r), centroid_layer(test.r)
    for parcel in range(parcels.n_parcels):
        known = best[parcel] > 0
        yield {
            **parcels.facts(parcel),
            "lags": lags,
            "best_layer": layers[int(best[parcel]) - 1] if known else None,
            "best_layer_index": int(best[parcel]) if known else None,
            "centroid": centroid[parcel],
            "r_max": test.r[:, parcel].max(),
            "p": test.p_parcel[parcel],
            "p_fwe": test.p_family[parcel],
            "q": test.q_parcel[parcel],
        }


def null_rows(test: ParcelTest, lags: str) -> Iterator[Row]:
    """Yield one row per circular shift."""
    means = np.nanmean(test.null, axis=(1, 2))
    for shift, (largest, mean) in enumerate(zip(test.null_max, means, strict=True)):
        yield {"shift": shift + 1, "lags": lags, "max_r": largest, "mean_r": mean}


def piece_rows(
    r_blocks: Array, block_piece: Sequence[str], layers: Sequence[str], lags: str
) -> Iterator[Row]:
    """Yield one row per parcel, layer and piece.

    Parameters
    ----------
    r_blocks
        (n_layers, n_blocks, n_parcels) score inside each block.
    block_piece
        Piece of each block; repeats of a piece are averaged.
    """
    for piece in dict.fromkeys(block_piece):
        mine = [index for index, name in enumerate(block_piece) if name == piece]
        mean = r_blocks[:, mine].mean(axis=1)
        for index, layer in enumerate(layers):
            for parcel in range(mean.shape[1]):
                yield {
                    "parcel": parcel + 1,
                    "lags": lags,
                    "layer": layer,
                    "piece": piece,
                    "r": mean[index, parcel],
                }


def profile_rows(
    mean_r: Array,
    edges: tuple[Array, Array],
    significant: NDArray[np.bool_],
    layers: Sequence[Mapping[str, Any]],
    explained: Sequence[float],
    lags: str,
) -> Iterator[Row]:
    """Yield one row per layer: how it does over all units.

    Parameters
    ----------
    mean_r
        (n_layers, n_units) scores.
    edges
        Two arrays (n_layers, n_units): share of folds at the low and at the high end of the
        penalty grid.
    significant
        (n_units,) units in significant parcels.
    layers
        ``name, kind, n_features`` of each layer.
    explained
        Variance of the training frames in the components, averaged over folds.
    """
    valid = np.isfinite(mean_r).all(axis=0)
    best = best_layer(np.where(valid & significant, mean_r, np.nan))
    for index, layer in enumerate(layers):
        seen = mean_r[index, valid]
        responding = mean_r[index, valid & significant]
        yield {
            "lags": lags,
            "layer": layer["name"],
            "layer_index": index + 1,
            "kind": layer["kind"],
            "n_features": layer["n_features"],
            "explained_variance": explained[index],
            "mean_r": seen.mean() if seen.size else np.nan,
            "median_r": np.median(seen) if seen.size else np.nan,
            "p95_r": np.quantile(seen, 0.95) if seen.size else np.nan,
            "mean_r_significant": responding.mean() if responding.size else np.nan,
            "n_units": int(valid.sum()),
            "n_best": int((best == index + 1).sum()),
            "alpha_edge_low": _share(edges[0][index], valid & significant),
            "alpha_edge_high": _share(edges[1][index], valid & significant),
        }


def _share(values: Array, where: NDArray[np.bool_]) -> float:
    return float(values[where].mean()) if where.any() else float("nan")
