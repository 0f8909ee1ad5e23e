"""From responses and embeddings to predictions of held-out clips, and what they are worth.

Source: Denk et al. 2025, section 3.3 (a ridge regression for each region, the best regions
averaged) and the appendix on the identification accuracy metric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.atlas import atlas_parcels
from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.parcels import standard_parcels
from bidsapp.errors import InputInvalidError
from bidsapp.models.left_out_decoder import inner_folds
from bidsapp.models.region_decoder import (
    ClipRows,
    RegionDecoding,
    best_regions,
    decode_kernel,
    decode_region,
    decode_spaces,
    ensemble,
    is_wide,
    scaled_kernel,
)
from bidsapp.models.threads import map_single_threaded
from bidsapp.progress import track
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.folds import genre_groups
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.stats.clip_exchange import ClipExchange, Exchange, stacked
from bidsapp.stats.folds import Fold
from bidsapp.stats.identification import Identification, class_means, identify, turn_within

_LEAST_INNER = 2
_AT_ONCE = 8
"""Regions between two steps of the progress bar."""
_UNITS_AT_ONCE, _COPIES = 4_000, 4
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Regions:
    """Regions that are decoded from.

    Attributes
    ----------
    names
        Of the regions.
    label
        (n_units,) region of each unit from 0; -1 for none.
    n_small
        Regions left out because they have too few units with data.
    """

    names: tuple[str, ...]
    label: Ints
    n_small: int

    def units(self, region: int) -> Ints:
        """Units of one region."""
        return np.flatnonzero(self.label == region)

    def on_units(self, values: Floats) -> Floats:
        """Give every unit the value of its region, (n_units,); NaN outside."""
        return np.where(self.label >= 0, np.append(values, np.nan)[self.label], np.nan)


def make_regions(
    units: UnitSpace, valid: NDArray[np.bool_], settings: ReconstructSettings, atlas: Path | None
) -> Regions:
    """Divide the units with data into regions.

    Parameters
    ----------
    units
        Voxels or vertices.
    valid
        (n_units,) those with data.
    settings
        ``n_parcels``, ``min_units``.
    atlas
        Label image; None for standard parcels.

    Raises
    ------
    InputInvalidError
        No region is large enough.
    """
    if atlas is None:
        numbered = np.asarray(standard_parcels(units, settings.n_parcels), np.int64)
        names = tuple(f"parcel{k + 1:03d}" for k in range(int(numbered.max()) + 1))
    else:
        found = atlas_parcels(atlas, units)
        numbered, names = found.labels.astype(np.int64), found.names
    numbered = np.where(valid, numbered, -1)
    size = np.bincount(numbered[numbered >= 0], minlength=len(names))
    kept = np.flatnonzero(size >= settings.min_units)
    if not kept.size:
        msg = (
            f"none of {len(names)} regions has {settings.min_units} units with data; lower "
            "reconstruct.min_units or give another --atlas"
        )
        raise InputInvalidError(msg)
    new = np.full(len(names) + 1, -1)
    new[kept] = np.arange(kept.size)
    return Regions(tuple(names[k] for k in kept), new[numbered], len(names) - kept.size)


@dataclass(frozen=True, eq=False)
class Judge:
    """Embeddings of the held-out clips, and how predictions are compared with them.

    Attributes
    ----------
    rows
        Embeddings, blocks, folds.
    target
        (n_clips, n_dimensions) standardised embedding of each held-out clip; NaN for others.
    fold, genre
        (n_clips,) candidates for each other: all clips of the fold, those of the same genre.
    orders, genre_orders
        (m, n_clips) exchanges of clips within the fold, and within fold and genre.
    oracle
        (n_clips, n_dimensions) mean of the training clips of the true genre; None without genres.
    raw
        Whether predictions and embeddings are compared in the units of the embedding.
    """

    rows: ClipRows
    target: Floats
    fold: Ints
    genre: Ints
    orders: Ints
    genre_orders: Ints
    oracle: Floats | None
    raw: bool

    def compared(self, values: Floats) -> Floats:
        """Return standardised embeddings (..., n_clips, n_dimensions) as they are compared."""
        if not self.raw:
            return values
        out = np.array(values)
        for number in range(len(self.rows.folds)):
            mean, sd = self.rows.training_moments(number)
            test = self.fold == number
            out[..., test, :] = values[..., test, :] * sd + mean
        return out

    def identify(self, predicted: Floats, *, within_genre: bool = False) -> Identification:
        """Rank the true clips among the candidates."""
        group = self.genre if within_genre else self.fold
        return identify(self.compared(predicted), self.compared(self.target), group)

    def exchange(self, predicted: Floats, *, within_genre: bool = False) -> Exchange:
        """Compare with exchanged clips."""
        return self.exchanges(within_genre=within_genre)(predicted)

    def exchanges(self, *, within_genre: bool = False) -> Callable[[Floats], Exchange]:
        """Return the comparison of predictions with exchanged clips, for several of them."""
        group = self.genre if within_genre else self.fold
        orders = self.genre_orders if within_genre else self.orders
        compare = ClipExchange(self.compared(self.target), group, self.fold, orders)
        return lambda predicted: compare(self.compared(predicted))


def make_judge(rows: ClipRows, clips: Clips, settings: ReconstructSettings, seed: int) -> Judge:
    """Prepare the comparison of predictions with embeddings.

    Parameters
    ----------
    rows
        Embeddings, blocks, folds.
    clips
        For their genres.
    settings
        ``standardise``, ``n_exchanges``.
    seed
        Of the exchanges: the same for all participants.
    """
    fold = rows.fold
    genre = genre_groups(clips, fold) if clips.has_genres else np.full(len(fold), -1)
    names = sorted(set(clips.genre))
    number = np.array([names.index(own) for own in clips.genre])
    target = np.full((len(fold), rows.embedding.shape[2]), np.nan)
    oracle = np.full_like(target, np.nan)
    for k in range(len(rows.folds)):
        test = fold == k
        values = rows.standardised(k)
        target[test] = values[test]
        oracle[test] = class_means(values, number, rows.train(k))[test]
    m = settings.n_exchanges
    return Judge(
        rows,
        target,
        fold,
        genre,
        turn_within(m, fold, seed, rows.place),
        turn_within(m, genre, seed, rows.place),
        oracle if clips.has_genres else None,
        raw=not settings.standardise,
    )


@dataclass(frozen=True, eq=False)
class Decoded:
    """Predictions of the held-out clips.

    Attributes
    ----------
    regions
        (n_regions, n_clips, n_dimensions) of each region, in standard deviations of training.
    chosen
        (n_folds, n_regions) regions that the ensemble averages.
    ensemble, whole
        (n_clips, n_dimensions) of the ensemble, and of all units together; None if not asked for.
    scores
        (n_folds, n_regions) inner scores.
    edges
        (2,) mean shares of penalties of the ensemble's regions at the lowest and the highest of
        the grid.
    n_dual
        Regions with more units than rows that are trained on.
    """

    regions: Floats
    chosen: NDArray[np.bool_]
    ensemble: Floats
    whole: Floats | None
    scores: Floats
    edges: tuple[float, float]
    n_dual: int


Room = Callable[[str, tuple[int, ...]], Floats]
"""From a name and a shape to an array that will hold predictions."""


def in_memory(_name: str, shape: tuple[int, ...]) -> Floats:
    """Return an array in memory."""
    return np.empty(shape)


def decode(
    responses: NDArray[np.float32],
    regions: Regions,
    spaces: Sequence[ClipRows],
    settings: ReconstructSettings,
    *,
    memory_bytes: int,
    device: str = "cpu",
    label: str = "",
    quiet: bool = True,
    room: Room = in_memory,
) -> list[Decoded]:
    """Decode from every region, choose the best ones in inner folds, and average them.

    Parameters
    ----------
    responses
        (n_units, n_rows) mean responses; NaN where a unit has no data.
    regions
        What is decoded from.
    spaces
        Embeddings of the same clips in the same folds: what depends on responses only is computed
        once for all of them.
    settings
        ``log10_alpha``, ``alpha_metric``, ``n_best``, ``whole_brain``.
    memory_bytes
        For responses of all regions together, which are read in parts.
    device
        Torch device.
    label, quiet
        Of the progress bar.
    room
        Where predictions of all regions are kept, such as on disk.

    Returns
    -------
    list of Decoded
        One for each space.
    """
    n_regions, n_folds = len(regions.names), len(spaces[0].folds)
    predicted = [
        room(f"regions-{number}", (n_regions, len(own.block), own.embedding.shape[2]))
        for number, own in enumerate(spaces)
    ]
    scores, low, high = (np.empty((len(spaces), n_folds, n_regions)) for _ in range(3))

    def keep(region: int, each: Sequence[RegionDecoding]) -> None:
        for number, own in enumerate(each):
            predicted[number][region] = own.predicted
            scores[number, :, region] = own.score
            low[number, :, region] = own.alpha_edge_low
            high[number, :, region] = own.alpha_edge_high

    decode_regions(responses, regions, spaces, settings, device, label, quiet, keep)
    whole = None
    if settings.whole_brain and n_regions > 1:
        whole = decode_whole(responses, regions, spaces, settings, memory_bytes, device)
    n_dual = sum(is_wide(len(regions.units(number)), spaces[0]) for number in range(n_regions))
    decoded = []
    for number, rows in enumerate(spaces):
        chosen = best_regions(scores[number], settings.n_best)
        decoded.append(
            Decoded(
                predicted[number],
                chosen,
                ensemble(predicted[number], chosen, rows.fold),
                None if whole is None else whole[number].predicted,
                scores[number],
                (float(low[number][chosen].mean()), float(high[number][chosen].mean())),
                n_dual,
            )
        )
    return decoded


def decode_regions(
    responses: NDArray[np.float32],
    regions: Regions,
    spaces: Sequence[ClipRows],
    settings: ReconstructSettings,
    device: str,
    label: str,
    quiet: bool,
    keep: Callable[[int, Sequence[RegionDecoding]], None],
) -> None:
    """Decode every embedding from every region, several regions at the same time.

    Parameters
    ----------
    responses, regions, spaces, settings, device, label, quiet
        As for `decode`.
    keep
        Takes the number of a region and its decoding of each space.
    """
    alphas = [10.0**x for x in settings.log10_alpha]

    def of_region(number: int) -> list[RegionDecoding]:
        own = np.asarray(responses[regions.units(number)]).T
        return decode_spaces(own, spaces, alphas, metric=settings.alpha_metric, device=device)

    n_workers = None if device == "cpu" else 1
    for part in in_parts(range(len(regions.names)), label, quiet=quiet):
        for number, each in zip(
            part, map_single_threaded(of_region, part, n_workers=n_workers), strict=True
        ):
            keep(number, each)


def in_parts(
    numbers: Sequence[int], label: str, *, quiet: bool, at_once: int = _AT_ONCE
) -> Iterator[Sequence[int]]:
    """Yield the numbers of regions a few at a time, a step of the progress bar each."""
    parts = [numbers[start : start + at_once] for start in range(0, len(numbers), at_once)]
    yield from track(parts, total=len(parts), label=label, quiet=quiet)


def decode_whole(
    responses: NDArray[np.float32],
    regions: Regions,
    spaces: Sequence[ClipRows],
    settings: ReconstructSettings,
    memory_bytes: int,
    device: str,
) -> list[RegionDecoding]:
    """Decode every embedding from all regions together.

    Parameters
    ----------
    responses, regions, spaces, settings, memory_bytes, device
        As for `decode`.
    """
    alphas = [10.0**x for x in settings.log10_alpha]
    units = np.flatnonzero(regions.label >= 0)
    metric = settings.alpha_metric
    if not is_wide(len(units), spaces[0]):
        own = np.asarray(responses[units]).T
        return decode_spaces(own, spaces, alphas, metric=metric, device=device)
    n_rows = responses.shape[1]
    at_once = int(np.clip(memory_bytes // (_COPIES * 8 * n_rows), 64, _UNITS_AT_ONCE))
    starts = range(0, len(units), at_once)
    kernel = scaled_kernel(
        np.asarray(responses[units[start : start + at_once]]).T for start in starts
    )
    return decode_kernel(kernel, spaces, alphas, metric=metric, device=device)


def decode_part(
    read: Callable[[int], NDArray[np.float32]],
    rows: ClipRows,
    test: NDArray[np.bool_],
    train: NDArray[np.bool_],
    fold: int,
    chosen: NDArray[np.bool_],
    *,
    settings: ReconstructSettings,
) -> tuple[Floats, Floats] | None:
    """Predict some held-out clips of a fold by decoders that some of its other clips are left to.

    Parameters
    ----------
    read
        From the number of a region to its mean responses (n_units, n_rows); those of other clips
        are not used.
    rows
        Embeddings, blocks, folds.
    test, train
        (n_clips,) clips to predict and clips to learn from, those that are near the fold's
        held-out clips excepted: weights, penalties, means and deviations.
    fold
        Number of the fold, whose inner folds are used as far as clips are left.
    chosen
        (n_regions,) regions whose predictions are averaged.
    settings
        ``log10_alpha``, ``alpha_metric``, ``standardise``.

    Returns
    -------
    predicted : array, (n_test, n_dimensions)
        As they are compared.
    targets : array, (n_clips, n_dimensions)
        Embeddings of all clips, in the standard deviations of the clips that were learnt from.
    None
        Where there is nothing to predict, or fewer than two inner folds are left.
    """
    train = train & rows.train(fold)
    inner = inner_folds(rows, train, rows.folds[fold].inner)
    if not test.any() or len(inner) < _LEAST_INNER:
        return None
    kept = np.flatnonzero(test | train)
    blocks, block = np.unique(rows.block[kept], return_inverse=True)
    number = {int(old): new for new, old in enumerate(blocks)}
    renumbered = Fold(
        tuple(number[k] for k in rows.folds[fold].test if k in number),
        tuple(tuple(number[k] for k in own) for own in inner),
    )
    near = None if rows.near is None else rows.near[np.ix_(blocks, kept)]
    learnt = ClipRows(rows.embedding[kept], block.astype(np.int64), (renumbered,), near)
    n_windows = rows.n_windows
    of_rows = (kept[:, None] * n_windows + np.arange(n_windows)).ravel()
    alphas = [10.0**x for x in settings.log10_alpha]

    def of_region(region: int) -> Floats:
        own = read(region)[:, of_rows].T
        return decode_region(own, learnt, alphas, metric=settings.alpha_metric).predicted[
            test[kept]
        ]

    each = map_single_threaded(of_region, np.flatnonzero(chosen).tolist())
    predicted = np.mean(each, axis=0)
    mean, sd = learnt.training_moments(0)
    if not settings.standardise:
        return predicted * sd + mean, rows.embedding.mean(axis=1)
    return predicted, (rows.embedding.mean(axis=1) - mean) / np.where(sd > 0, sd, np.inf)


def region_exchange(judge: Judge, decoded: Decoded) -> Exchange:
    """Compare every region with exchanged clips; the last axis is regions."""
    exchange = judge.exchanges()
    return stacked(map_single_threaded(exchange, list(decoded.regions)))
