"""Calibration of encoding models: smooth features, smooth noise, a few pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bidsapp.encoding.designs import Design, DesignOptions, DesignStore
from bidsapp.encoding.encode import Encoding, encode_with_null, make_scorer
from bidsapp.encoding.parcels import ParcelTest, parcel_test
from bidsapp.models.run_filter import RunFilter, make_run_filter
from bidsapp.stats.displacement import piece_shifts
from bidsapp.stats.folds import Blocks, nested_folds

LENGTHS = (60, 80, 100)
"""Rows of each piece."""
MIN_SHIFT = 8
N_SHIFTS = 19
_N_LAYERS, _N_PARCELS, _N_COMPONENTS = 2, 4, 5
_LOG10_ALPHA = (1.0, 2.0, 3.0, 4.0)
Floats = NDArray[np.float64]


class MadeDesigns(DesignStore):
    """Designs of given regressors, one matrix per layer, instead of those of a network.

    Parameters
    ----------
    layers
        (n_rows, n_features) regressors of each layer.
    lengths
        Rows of each piece.
    log10_alpha
        Grid of penalties.
    nuisance
        (n_rows_of_piece, k) regressors of each piece, which is a run, to take out of the
        features; None to leave them as they are.
    """

    def __init__(
        self,
        layers: list[Floats],
        lengths: tuple[int, ...],
        log10_alpha: tuple[float, ...],
        nuisance: list[Floats] | None = None,
    ) -> None:
        pieces = np.arange(len(lengths))
        labels = np.repeat(pieces, lengths)
        self.blocks = Blocks(labels, pieces, pieces, pieces, pieces, "presentation", 0, 0)
        self.folds = tuple(nested_folds(pieces))
        self.options = DesignOptions(layers[0].shape[1], log10_alpha)
        if nuisance is not None:
            volume = np.concatenate([np.arange(length) for length in lengths])
            names = [f"run {piece + 1}" for piece in pieces]
            self.run_filter = make_run_filter(labels, volume, labels, nuisance, names)
        self._layers = layers
        self.refilter(self.run_filter)

    def refilter(self, run_filter: RunFilter | None) -> None:
        """Make all designs again with another filter."""
        self.run_filter = run_filter
        self.__dict__.pop("_training_filters", None)
        folds = range(len(self.folds))
        self._made = [[self.factorised(x, 1.0, fold) for fold in folds] for x in self._layers]

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return len(self._made)

    def design(self, layer: int, fold: int) -> Design:
        """Return one design."""
        return self._made[layer][fold]

    def regressors(self, layer: int, fold: int) -> tuple[Floats, float]:
        """Return the regressors of a layer, the same in every fold."""
        return self._layers[layer], 1.0


def smooth(
    rng: np.random.Generator, lengths: Sequence[int], n_columns: int, ar: float = 0.8
) -> Floats:
    """Autocorrelated noise (sum of lengths, n_columns), every piece drawn on its own.

    One long series cut into pieces would make neighbours alike in features and responses at once:
    a likeness that displacement inside pieces does not break.
    """
    noise = [rng.standard_normal((length + 50, n_columns)) for length in lengths]
    return np.vstack([lfilter([1.0], [1.0, -ar], piece, axis=0)[50:] for piece in noise])


def score_with_null(
    store: MadeDesigns, y: Floats, seed: int, n_shifts: int = N_SHIFTS
) -> tuple[Encoding, NDArray[np.float32]]:
    """Score targets (n_rows, n_targets) and their circular shifts as the recipes do."""
    lengths = np.bincount(store.blocks.label)
    names = [f"piece {number}" for number in range(len(lengths))]
    shifts = piece_shifts(names, lengths, MIN_SHIFT, n_shifts, seed)
    scorer = make_scorer("gram", "correlation", len(store.options.log10_alpha), "cpu", 1 << 28)
    y = y.astype(np.float32)
    if store.run_filter is not None:
        y = store.run_filter(y)
    return encode_with_null(store, y, shifts, scorer, columns_at_once=4096, label="", quiet=True)


def _test(rng: np.random.Generator) -> ParcelTest:
    layers = [smooth(rng, LENGTHS, _N_COMPONENTS) for _ in range(_N_LAYERS)]
    store = MadeDesigns(layers, LENGTHS, _LOG10_ALPHA)
    y = smooth(rng, LENGTHS, _N_PARCELS)
    observed, null = score_with_null(store, y, int(rng.integers(1 << 31)))
    return parcel_test(observed.mean_r, null)


def circular_shift(rng: np.random.Generator, n_sets: int) -> Floats:
    """Family-wise p-values (n_sets,) of the best layer and parcel of noise."""
    return np.array([_test(rng).p_family.min() for _ in range(n_sets)])


def circular_shift_fdr(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest q (n_sets,) over layers and parcels of noise."""
    return np.array([_test(rng).q.min() for _ in range(n_sets)])
