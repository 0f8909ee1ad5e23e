"""Layer spaces as regressors: components fitted in the training fold, sampled, lagged, factorised.

One design per layer and outer fold. Regressors depend on the sounds and the timing only: they are
computed once and shared by participants who heard the same at the same times (through the cache
folder). Where the nuisance of the runs is projected out of them as well, designs and their
decompositions belong to those who share the projection.
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

from bidsapp.encoding.rows import Response
from bidsapp.features.design import apply_lags, lag_operators, response_operator
from bidsapp.features.extract import FeatureBank
from bidsapp.features.timeline import Timeline
from bidsapp.models.ridge import Centre, FoldFactors, factorise, scale_columns
from bidsapp.models.run_filter import RunFilter
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


def make_regressors(
    bank: FeatureBank,
    layer: int,
    timeline: Timeline,
    blocks: Blocks,
    fold: Fold,
    operators: Sequence[csr_array],
    options: DesignOptions,
) -> tuple[FloatArray, float]:
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
        Components.

    Returns
    -------
    x : array, (n_rows, n_components * n_lags)
        Lagged components.
    explained : float
        Share of the training frames' variance in the components.

    Source: poster, Methods (50 components per layer, lags of 4, 5, 6 s); the components are
    fitted on the training frames unless ``pca_fit`` is ``all``.
    """
    train = (
        np.ones(bank.n_frames, dtype=bool)
        if options.pca_fit == "all"
        else training_frames(bank, timeline, blocks, fold)
    )
    pca = bank.components(layer, np.flatnonzero(train), options.n_components)
    return apply_lags(pca.scores, operators), float(pca.explained_ratio.sum())


class DesignStore:
    """Designs of one network and one set of lags, computed on first use.

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
    response
        What a row hears, see `bidsapp.encoding.rows.Rows`.
    run_filter
        Takes the nuisance of the runs out of the regressors; None leaves them as they are.
    keep
        Keep designs on disk, for participants with the same rows and the same filter;
        regressors are kept in any case.
    """

    run_filter: RunFilter | None = None

    def __init__(
        self,
        bank: FeatureBank,
        timeline: Timeline,
        blocks: Blocks,
        folds: Sequence[Fold],
        lags_s: Sequence[float],
        options: DesignOptions,
        cache_dir: Path,
        *,
        response: Response = "lags",
        run_filter: RunFilter | None = None,
        keep: bool = True,
    ) -> None:
        self.bank, self.timeline, self.blocks = bank, timeline, blocks
        self.folds, self.lags_s, self.options = tuple(folds), tuple(lags_s), options
        self.response, self.run_filter = response, run_filter
        parts = (
            bank.key,
            self.lags_s,
            response,
            self.folds,
            options,
            timeline.pieces,
            timeline.piece,
            timeline.stim_time_s,
            timeline.tr_s,
            blocks.label,
        )
        self._scratch = Scratch.of(cache_dir / "designs", "design", *parts)
        self._designs = self._scratch if keep else None
        if keep and run_filter is not None:
            self._designs = Scratch.of(
                cache_dir / "designs", "filtered by fold", *parts, run_filter
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
        """Return one design, from disk if it was kept before."""
        name = _name(layer, fold)
        kept = self._designs.load(name) if self._designs is not None else None
        if kept is not None:
            x, explained = kept.pop("x"), float(kept.pop("explained"))
            return Design(x, FoldFactors.from_arrays(kept), explained)
        x, explained = self.regressors(layer, fold)
        design = self.factorised(x, explained, fold)
        if self._designs is not None:
            arrays = dict(design.factors.to_arrays())
            self._designs.save(name, {"x": design.x, "explained": explained, **arrays})
        return design

    def regressors(self, layer: int, fold: int) -> tuple[FloatArray, float]:
        """Regressors (n_rows, n_features) before any filter, and the variance they explain."""
        name = f"{_name(layer, fold)}_regressors"
        kept = self._scratch.load(name) if self.run_filter is not None else None
        if kept is not None:
            return kept["x"], float(kept["explained"])
        x, explained = make_regressors(
            self.bank,
            layer,
            self.timeline,
            self.blocks,
            self.folds[fold],
            self._operators,
            self.options,
        )
        if self.run_filter is not None:
            self._scratch.save(name, {"x": x, "explained": explained})
        return x, explained

    def factorised(self, x: FloatArray, explained: float, fold: int) -> Design:
        """Filter and scale regressors, and decompose the training sets of an outer fold."""
        label, blocks = self.blocks.label, self.folds[fold]
        train = self._training_rows(fold)
        if self.run_filter is not None:
            x = self.run_filter(x)
            x = np.where(train[:, None], self._training_filters[fold](x), x)
        x = scale_columns(x, train)
        alphas = 10.0 ** np.asarray(self.options.log10_alpha)
        factors = factorise(x, label, blocks, alphas, centre=self.options.centre)
        return Design(x, factors, explained)

    def explained_variance(self) -> tuple[float, ...]:
        """Share of the training variance in the components of each layer, over folds."""
        if self.run_filter is None:
            return tuple(
                float(np.mean([design.explained for _, _, design in self.layer(layer)]))
                for layer in range(self.n_layers)
            )
        folds = range(len(self.folds))
        return tuple(
            float(np.mean([self.regressors(layer, fold)[1] for fold in folds]))
            for layer in range(self.n_layers)
        )

    def _training_rows(self, fold: int) -> NDArray[np.bool_]:
        label = self.blocks.label
        return np.asarray((label >= 0) & ~np.isin(label, self.folds[fold].test))

    @cached_property
    def _training_filters(self) -> tuple[RunFilter, ...]:
        """Filters of the training rows of each fold: no noise of its test rows is fitted."""
        assert self.run_filter is not None
        folds = range(len(self.folds))
        return tuple(self.run_filter.training(self._training_rows(fold)) for fold in folds)

    @cached_property
    def _operators(self) -> tuple[csr_array, ...]:
        if self.response == "lags":
            return lag_operators(self.bank, self.timeline, self.lags_s)
        mirrored = max(self.lags_s) < 0
        return (response_operator(self.bank, self.timeline, mirrored=mirrored),)


def _name(layer: int, fold: int) -> str:
    return f"layer-{layer:02d}_fold-{fold:02d}"
