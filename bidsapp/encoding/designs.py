"""Layer spaces as regressors: components fitted in the training fold, sampled, lagged, factorised.

One design per layer and outer fold. It depends on the sounds and the timing only, so it is
computed once and shared by units, null shifts and participants who heard the same at the same
times (through the cache folder).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bidsapp.features.design import apply_lags, lag_operators
from bidsapp.features.extract import FeatureBank
from bidsapp.features.timeline import Timeline
from bidsapp.models.ridge import Centre, FoldFactors, factorise, scale_columns
from bidsapp.scratch import Scratch
from bidsapp.stats.folds import Blocks, Fold

FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class DesignOptions:
    """How layers become regressors.

    Attributes
    ----------
    n_components
        Principal components of each layer.
    log10_alpha
        Grid of ridge penalties.
    pca_fit
        Frames that components are fitted on: those of the training pieces, or all.
    centre
        Centre inside blocks, or by the mean of all training rows.
    """

    n_components: int
    log10_alpha: tuple[float, ...]
    pca_fit: Literal["train", "all"] = "train"
    centre: Centre = "block"


@dataclass(frozen=True)
class Design:
    """Regressors of one layer for one outer fold.

    Attributes
    ----------
    x
        (n_rows, n_components * n_lags), scaled to unit mean variance over the training rows.
    factors
        Eigendecompositions of every training set; they depend on `x` only.
    explained
        Share of the training frames' variance in the components.
    """

    x: FloatArray
    factors: FoldFactors
    explained: float


def training_frames(
    bank: FeatureBank, timeline: Timeline, blocks: Blocks, fold: Fold
) -> NDArray[np.bool_]:
    """Return which frames may be seen when the components of a fold are fitted.

    A frame counts as training if the piece it belongs to is heard in a training block and not
    in a test block; where a piece is split, only frames inside the training blocks count.

    Returns
    -------
    ndarray of bool, (n_frames,)
    """
    test_rows = np.isin(blocks.label, fold.test)
    train_rows = (blocks.label >= 0) & ~test_rows
    chosen = np.zeros(bank.n_frames, dtype=bool)
    for piece in np.unique(timeline.piece[train_rows]):
        number = bank.pieces.index(timeline.pieces[piece])
        of_piece = np.flatnonzero(bank.frame_piece == number)
        if not np.any(timeline.piece[test_rows] == piece):
            chosen[of_piece] = True
            continue
        for label in np.unique(blocks.label[train_rows & (timeline.piece == piece)]):
            times = timeline.stim_time_s[(blocks.label == label) & (timeline.piece == piece)]
            inside = bank.frame_time_s[of_piece]
            chosen[of_piece[(inside >= times.min()) & (inside <= times.max())]] = True
    return chosen


def make_design(
    bank: FeatureBank,
    layer: int,
    timeline: Timeline,
    blocks: Blocks,
    fold: Fold,
    operators: Sequence[csr_array],
    options: DesignOptions,
) -> Design:
    """Build the regressors of one layer for one outer fold.

    Parameters
    ----------
    bank, layer
        Frames of a network, and the layer's number from 0.
    timeline, blocks, fold
        Rows, their partition, and the fold.
    operators
        From `lag_operators`: one sparse matrix (n_rows, n_frames) per lag.
    options
        Components, centring and penalties.

    Source: poster, Methods (50 components per layer, lags of 4, 5, 6 s); the components are
    fitted on the training frames unless ``pca_fit`` is ``all``.
    """
    train = (
        np.ones(bank.n_frames, dtype=bool)
        if options.pca_fit == "all"
        else training_frames(bank, timeline, blocks, fold)
    )
    pca = bank.components(layer, np.flatnonzero(train), options.n_components)
    x = scale_columns(
        apply_lags(pca.scores, operators),
        (blocks.label >= 0) & ~np.isin(blocks.label, fold.test),
    )
    alphas = 10.0 ** np.asarray(options.log10_alpha)
    factors = factorise(x, blocks.label, fold, alphas, centre=options.centre)
    return Design(x, factors, float(pca.explained_ratio.sum()))


class DesignStore:
    """Designs of one network and one set of lags, computed on first use and kept on disk.

    Parameters
    ----------
    bank
        The network's frames and Grams.
    timeline, blocks, folds
        Rows and their partition.
    lags_s
        Lags in seconds.
    options
        Components, centring and penalties.
    cache_dir
        Folder shared between participants.
    """

    def __init__(
        self,
        bank: FeatureBank,
        timeline: Timeline,
        blocks: Blocks,
        folds: Sequence[Fold],
        lags_s: Sequence[float],
        options: DesignOptions,
        cache_dir: Path,
    ) -> None:
        self.bank, self.timeline, self.blocks = bank, timeline, blocks
        self.folds, self.lags_s, self.options = tuple(folds), tuple(lags_s), options
        self._scratch = Scratch.of(
            cache_dir / "designs",
            "design",
            bank.key,
            self.lags_s,
            self.folds,
            options,
            timeline.piece,
            timeline.stim_time_s,
            timeline.tr_s,
            blocks.label,
        )

    @property
    def n_layers(self) -> int:
        """Number of layers of the network."""
        return len(self.bank.layers)

    @property
    def n_blocks(self) -> int:
        """Number of blocks that are scored."""
        return int(self.blocks.label.max()) + 1

    def layer(self, layer: int) -> Iterator[tuple[int, Fold, Design]]:
        """Yield (fold number, fold, design) of one layer."""
        for number, fold in enumerate(self.folds):
            yield number, fold, self.design(layer, number)

    def design(self, layer: int, fold: int) -> Design:
        """Return one design, from disk if it was made before."""
        name = f"layer-{layer:02d}_fold-{fold:02d}"
        kept = self._scratch.load(name)
        if kept is not None:
            x, explained = kept.pop("x"), float(kept.pop("explained"))
            return Design(x, FoldFactors.from_arrays(kept), explained)
        design = make_design(
            self.bank,
            layer,
            self.timeline,
            self.blocks,
            self.folds[fold],
            self._operators,
            self.options,
        )
        arrays = dict(design.factors.to_arrays())
        self._scratch.save(name, {"x": design.x, "explained": design.explained, **arrays})
        return design

    def explained_variance(self) -> tuple[float, ...]:
        """Share of the training variance in the components of each layer, over folds."""
        return tuple(
            float(np.mean([design.explained for _, _, design in self.layer(layer)]))
            for layer in range(self.n_layers)
        )

    @cached_property
    def _operators(self) -> tuple[csr_array, ...]:
        return lag_operators(self.bank, self.timeline, self.lags_s)
