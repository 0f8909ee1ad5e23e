r"""Ridge regression from the responses of a region to the embedding of each clip.

clip
    A stretch of sound, of `n_windows` windows; row ``clip * n_windows + w`` of responses and of
    embeddings is its window w.
block
    Clips that are held out together. The regularisation of each dimension of the embedding is
    chosen by holding out each block of the training clips in turn.

A region with more voxels than training rows is decoded through the products of rows with each
other, which changes no prediction (the dual form).

Source: Denk et al. 2025, section 3.3, equation 1, and appendix on hyperparameter tuning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bidsapp.errors import InputInvalidError
from bidsapp.models.block_ridge import FoldPlan, Metric, predict_nested
from bidsapp.models.ridge import scale_columns
from bidsapp.models.ridge_designs import Design, FeatureDesign, KernelDesign
from bidsapp.stats.folds import Fold

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClipRows:
    """Embeddings of the windows of clips, and the folds.

    Attributes
    ----------
    embedding
        (n_clips, n_windows, n_dimensions).
    block
        (n_clips,) block of each clip, from 0.
    folds
        Outer folds over blocks.
    near
        (n_blocks, n_clips) clips of other blocks that are not learnt from where the block is held
        out, such as those heard right before or after; None for none.
    place
        (n_clips,) place of each clip in the order of the study, which exchanges of clips keep
        to; None for that of the clips.
    """

    embedding: Floats
    block: Ints
    folds: tuple[Fold, ...]
    near: NDArray[np.bool_] | None = None
    place: Ints | None = None

    @property
    def n_windows(self) -> int:
        """Windows of each clip."""
        return int(self.embedding.shape[1])

    @property
    def labels(self) -> Ints:
        """(n_rows,) block of each row."""
        return np.repeat(self.block, self.n_windows)

    @property
    def fold(self) -> Ints:
        """(n_clips,) fold that holds each clip out; -1 for none."""
        held_out = np.full(len(self.block), -1)
        for number, fold in enumerate(self.folds):
            held_out[np.isin(self.block, fold.test)] = number
        return held_out

    def near_to(self, blocks: Sequence[int]) -> NDArray[np.bool_]:
        """(n_clips,) clips that are near any of some blocks, and in none of them."""
        if self.near is None:
            return np.zeros(len(self.block), np.bool_)
        near = np.asarray(self.near[list(blocks)].any(axis=0))
        return near & ~np.isin(self.block, blocks)

    def train(self, fold: int) -> NDArray[np.bool_]:
        """(n_clips,) clips that a fold learns from: neither held out nor near those that are."""
        test = self.folds[fold].test
        return ~np.isin(self.block, test) & ~self.near_to(test)

    def standardised(self, fold: int) -> Floats:
        """Mean embedding of each clip, in standard deviations of the fold's training windows.

        Parameters
        ----------
        fold
            Its number.

        Returns
        -------
        array, (n_clips, n_dimensions)
            0 in dimensions that are constant in training.
        """
        mean, sd = self.training_moments(fold)
        scale = np.where(sd > 0, sd, np.inf)
        return np.asarray((self.embedding.mean(axis=1) - mean) / scale)

    def training_moments(self, fold: int) -> tuple[Floats, Floats]:
        """Mean and standard deviation (n_dimensions,) of the windows that a fold trains on.

        A standard deviation that is rounding is 0.
        """
        return self.moments(self.train(fold))

    def moments(self, clips: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """As `training_moments`, of the windows of given clips (n_clips,)."""
        train = self.embedding[clips]
        sd = train.std(axis=(0, 1))
        least = 1e-8 * np.abs(train).max(axis=(0, 1))
        return train.mean(axis=(0, 1)), np.where(sd > least, sd, 0.0)


@dataclass(frozen=True, eq=False)
class RegionDecoding:
    """What one region predicts.

    Attributes
    ----------
    predicted
        (n_clips, n_dimensions) prediction of each held-out clip's mean embedding, in standard
        deviations of the training windows; NaN for clips that no fold holds out.
    score
        (n_folds,) mean over dimensions of the score in inner folds, which regions are chosen by:
        correlation, or minus the mean squared error in units of the training blocks' variance.
    alpha_edge_low, alpha_edge_high
        (n_folds,) shares of the regularisations that are the smallest and the largest of the grid.

    Scores and shares are NaN in folds in which nothing was predicted.
    """

    predicted: Floats
    score: Floats
    alpha_edge_low: Floats
    alpha_edge_high: Floats


def scaled_kernel(responses: Iterable[NDArray[np.floating]]) -> Floats:
    """Return the products of rows with each other, responses scaled to a mean variance of 1.

    Parameters
    ----------
    responses
        Parts (n_rows, n_units of the part), finite; the parts are gone through one by one.

    Returns
    -------
    array, (n_rows, n_rows)
        Of units less their mean over rows.
    """
    total: torch.Tensor | None = None
    variance, n_units = 0.0, 0
    for part in responses:
        values = np.array(part, np.float64, order="C")
        values -= values.mean(axis=0)
        x = torch.from_numpy(values)
        product = x @ x.T
        total = product if total is None else total.add_(product)
        variance += float(x.square().sum()) / len(x)
        n_units += x.shape[1]
    if total is None:
        msg = "there are no responses to decode from"
        raise InputInvalidError(msg)
    if variance > 0:
        total /= variance / n_units
    return np.asarray(total)


def decode_region(
    responses: NDArray[np.floating],
    rows: ClipRows,
    alphas: Sequence[float],
    *,
    metric: Metric = "mse",
    device: str = "cpu",
) -> RegionDecoding:
    """Predict the embedding of every held-out clip from the responses of one region.

    Parameters
    ----------
    responses, alphas, metric, device
        As for `decode_spaces`.
    rows
        Embeddings and folds.
    """
    (decoding,) = decode_spaces(responses, [rows], alphas, metric=metric, device=device)
    return decoding


def decode_spaces(
    responses: NDArray[np.floating],
    spaces: Sequence[ClipRows],
    alphas: Sequence[float],
    *,
    metric: Metric = "mse",
    device: str = "cpu",
    wanted: NDArray[np.bool_] | None = None,
) -> list[RegionDecoding]:
    """Predict several embeddings of every held-out clip from the responses of one region.

    Parameters
    ----------
    responses
        (n_rows, n_units), finite; row ``clip * n_windows + w``.
    spaces
        Embeddings of the same clips in the same folds.
    alphas
        Increasing regularisations; responses are scaled to a mean variance of 1.
    metric
        What chooses the regularisation of each dimension: mean squared error, or correlation,
        in the blocks held out of the training clips.
    device
        Torch device.
    wanted
        (n_spaces, n_folds) folds in which an embedding is predicted; all by default.

    Returns
    -------
    list of RegionDecoding
        One for each embedding.
    """
    return _decode(region_design(responses, spaces), spaces, alphas, metric, device, wanted)


def region_design(responses: NDArray[np.floating], spaces: Sequence[ClipRows]) -> Design:
    """Prepare the responses of one region, in the form that is smaller.

    Parameters
    ----------
    responses, spaces
        As for `decode_spaces`.

    Returns
    -------
    Design
        Responses scaled to a mean variance of 1; targets are all embeddings side by side.
    """
    first = spaces[0]
    targets, labels, near = _stacked(spaces), first.labels, _near_rows(first)
    if is_wide(responses.shape[1], first):
        return KernelDesign(scaled_kernel([responses]), targets, labels, near)
    x = scale_columns(np.asarray(responses, np.float64), np.arange(len(responses)))
    return FeatureDesign(np.asarray(x, np.float64), targets, labels, near)


def decode_kernel(
    kernel: Floats,
    spaces: Sequence[ClipRows],
    alphas: Sequence[float],
    *,
    metric: Metric = "mse",
    device: str = "cpu",
) -> list[RegionDecoding]:
    """Do what `decode_spaces` does with responses whose kernel is known.

    Parameters
    ----------
    kernel
        (n_rows, n_rows) from `scaled_kernel`.
    spaces, alphas, metric, device
        As for `decode_spaces`.
    """
    first = spaces[0]
    design = KernelDesign(kernel, _stacked(spaces), first.labels, _near_rows(first))
    return _decode(design, spaces, alphas, metric, device)


def is_wide(n_units: int, rows: ClipRows) -> bool:
    """Whether a region has more units than rows that are trained on, in the smallest fold."""
    least = min(int(rows.train(number).sum()) for number in range(len(rows.folds)))
    return n_units > least * rows.n_windows


def _near_rows(rows: ClipRows) -> dict[int, Ints]:
    """Rows of the clips that are near each block."""
    if rows.near is None:
        return {}
    each = np.repeat(rows.near, rows.n_windows, axis=1)
    return {block: np.flatnonzero(own) for block, own in enumerate(each)}


def _stacked(spaces: Sequence[ClipRows]) -> Floats:
    """Embeddings of all spaces side by side, (n_rows, n_dimensions)."""
    n_rows = len(spaces[0].labels)
    return np.hstack([own.embedding.reshape(n_rows, -1) for own in spaces])


def _decode(
    design: Design,
    spaces: Sequence[ClipRows],
    alphas: Sequence[float],
    metric: Metric,
    device: str,
    wanted: NDArray[np.bool_] | None = None,
) -> list[RegionDecoding]:
    first = spaces[0]
    sizes = [own.embedding.shape[2] for own in spaces]
    if wanted is None:
        wanted = np.ones((len(spaces), len(first.folds)), np.bool_)
    numbers = np.flatnonzero(wanted.any(axis=0)).tolist()
    plans = [
        FoldPlan.of(first.folds[number], design, np.repeat(wanted[:, number], sizes))
        for number in numbers
    ]
    nested = predict_nested(design, plans, alphas, metric=metric, device=device)
    order = {block: np.flatnonzero(first.block == block) for block in design.targets}
    ends = np.cumsum(sizes)
    shape = (len(spaces), len(first.folds))
    score, low, high = (np.full(shape, np.nan) for _ in range(3))
    predictions = [np.full((len(own.block), own.embedding.shape[2]), np.nan) for own in spaces]
    for place, number in enumerate(numbers):
        clips = np.concatenate([order[block] for block in first.folds[number].test])
        for space in np.flatnonzero(wanted[:, number]).tolist():
            own = slice(int(ends[space]) - sizes[space], int(ends[space]))
            windows = nested.predicted[place][:, own]
            of_clips = windows.reshape(len(clips), first.n_windows, -1).mean(axis=1)
            _, sd = spaces[space].training_moments(number)
            predictions[space][clips] = of_clips / np.where(sd > 0, sd, np.inf)
            chosen = nested.alpha_index[place, own]
            known = chosen >= 0
            if known.any():
                score[space, number] = np.nanmean(nested.inner_score[place, own])
                low[space, number] = (chosen[known] == 0).mean()
                high[space, number] = (chosen[known] == len(alphas) - 1).mean()
    return [RegionDecoding(*parts) for parts in zip(predictions, score, low, high, strict=True)]


def best_regions(scores: Floats, n_best: int) -> NDArray[np.bool_]:
    """Choose the regions with the best inner scores, fold by fold.

    Parameters
    ----------
    scores
        (n_folds, n_regions) from `RegionDecoding.score`: the held-out clips have no part in them.
    n_best
        Regions of each fold, at most as many as there are.

    Returns
    -------
    array, (n_folds, n_regions)
        Whether a region takes part.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :n_best]
    chosen = np.zeros(scores.shape, np.bool_)
    np.put_along_axis(chosen, best, True, axis=1)
    return chosen


def ensemble(predicted: Floats, chosen: NDArray[np.bool_], fold: Ints) -> Floats:
    """Average the predictions of the chosen regions.

    Parameters
    ----------
    predicted
        (n_regions, n_clips, n_dimensions).
    chosen
        (n_folds, n_regions) from `best_regions`.
    fold
        (n_clips,) fold that holds each clip out; -1 for none.

    Returns
    -------
    array, (n_clips, n_dimensions)
        NaN for clips that no fold holds out.
    """
    mean = np.full(predicted.shape[1:], np.nan)
    for number, regions in enumerate(chosen):
        test = fold == number
        mean[test] = predicted[regions][:, test].mean(axis=0)
    return mean
