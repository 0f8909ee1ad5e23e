"""Model RDMs: how far apart the items are in each layer of a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.features.courses import CourseBank
from bidsapp.features.hrf import convolve_pieces
from bidsapp.models.rdm import cosine_rdm, rdm
from bidsapp.recipes.rsa.items import Items
from bidsapp.recipes.rsa.settings import RsaSettings
from bidsapp.results.write import tidy
from bidsapp.stats.rsa.acoustics import standardised

_FEW_CHANNELS = 5
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LayerModels:
    """The model RDMs of one network.

    Attributes
    ----------
    bank
        Its channel courses.
    rdms
        (n_layers, n_pairs).
    """

    bank: CourseBank
    rdms: Floats

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers."""
        return tuple(layer.name for layer in self.bank.layers)


def layer_models(
    bank: CourseBank, items: Items, settings: RsaSettings, delay_s: float = 0.0
) -> LayerModels:
    """Compute the RDM of every layer.

    Parameters
    ----------
    bank
        Channel courses of all sounds.
    items
        What the rows are.
    settings
        ``dissimilarity``, ``layer_dissimilarity``, ``standardise_channels``.
    delay_s
        How much later than the canonical response the brain answers.
    """
    rdms = []
    for index in range(len(bank.layers)):
        patterns = predicted_patterns(bank, np.asarray(bank.course(index)), items, delay_s)
        if settings.standardise_channels:
            patterns = standardised(patterns)
        rdms.append(model_rdm(patterns, settings))
    return LayerModels(bank, np.array(rdms))


def model_rdm(patterns: Floats, settings: RsaSettings) -> Floats:
    """Return how far apart the items are in the channels of a layer.

    A layer of few channels has no pattern to correlate; a model has no noise that crossnobis
    would have to keep out.

    Parameters
    ----------
    patterns : array of shape (n_items, n_channels)
    settings
        ``dissimilarity`` of the brain's patterns, and ``layer_dissimilarity``.

    Returns
    -------
    array of shape (n_pairs,)
    """
    if settings.dissimilarity in ("euclid", "crossnobis") or patterns.shape[1] < _FEW_CHANNELS:
        return rdm(patterns, "euclid")
    if settings.layer_dissimilarity == "cosine":
        return cosine_rdm(patterns)
    return rdm(patterns, settings.dissimilarity)


def predicted_patterns(
    bank: CourseBank, course: NDArray[np.floating], items: Items, delay_s: float = 0.0
) -> Floats:
    """Predict the response of each channel to each item.

    Parameters
    ----------
    bank
        Frames of all sounds.
    course
        (n_frames, n_channels).
    items
        What the rows are.
    delay_s
        As for `layer_models`.

    Returns
    -------
    array, (n_items, n_channels)
    """
    frames = [_frames_of(bank, number, items) for number in range(len(items.stretches))]
    times = [
        bank.frame_time_s[rows] - stretch.start_s
        for rows, stretch in zip(frames, items.stretches, strict=True)
    ]
    return sampled_responses(course, frames, times, bank.hop_s, items, delay_s)


def sampled_responses(
    course: NDArray[np.floating],
    frames: Sequence[NDArray[np.intp]],
    times: Sequence[Floats],
    dt_s: float,
    items: Items,
    delay_s: float = 0.0,
) -> Floats:
    """Convolve the courses of stretches and average them as the volumes of each item are.

    Parameters
    ----------
    course
        (n_frames, n_channels).
    frames, times
        Frames of each stretch, and their times since it began.
    dt_s
        Time between frames.
    items
        What the rows are.
    delay_s
        As for `layer_models`.

    Returns
    -------
    array, (n_items, n_channels)
    """
    total = np.zeros((items.n_items, course.shape[1]))
    n_volumes = items.row.shape[2]
    for number, (rows, clock) in enumerate(zip(frames, times, strict=True)):
        length_s = items.stretches[number].length_s
        zeros = np.zeros(rows.size, dtype=np.intp)
        responses = convolve_pieces(course[rows], zeros, clock, dt_s, [length_s], delay_s=delay_s)
        item, hearing = np.nonzero(items.stretch == number)
        wanted = items.stretch_time_s[item, hearing].ravel()
        values = responses.at(0, wanted, items.tr_s)
        np.add.at(total, np.repeat(item, n_volumes), values)
    return np.asarray(total / (items.n_repeats * n_volumes)[:, None])


def _frames_of(bank: CourseBank, number: int, items: Items) -> NDArray[np.intp]:
    """Frames whose centre lies in a stretch, or the nearest one."""
    stretch = items.stretches[number]
    mine = np.flatnonzero(bank.frame_piece == bank.pieces.index(stretch.piece))
    since = bank.frame_time_s[mine] - stretch.start_s
    inside = mine[(since >= 0) & (since < stretch.length_s)]
    middle = stretch.length_s / 2
    return inside if inside.size else mine[[int(np.abs(since - middle).argmin())]]


def delayed_models(bank: CourseBank, items: Items, settings: RsaSettings) -> list[LayerModels]:
    """Model RDMs of responses that come later, or earlier, than the canonical one.

    Parameters
    ----------
    bank
        Channel courses of all sounds.
    items
        What the rows are.
    settings
        ``delays_s``, and how layers become RDMs.

    Returns
    -------
    list of LayerModels
        One for each delay.
    """
    return [layer_models(bank, items, settings, delay_s) for delay_s in settings.delays_s]


def by_delay(
    scores: Floats, delayed: NDArray[np.floating[Any]], delays_s: Sequence[float]
) -> tuple[list[float], Floats]:
    """Put the scores at the canonical delay among those at the others.

    Parameters
    ----------
    scores
        (n_layers, n_units) at the canonical delay, which counts as 0.
    delayed
        (n_delays, n_layers, n_units).
    delays_s
        Of `delayed`.

    Returns
    -------
    delays_s : list of float
        Increasing.
    scores : array, (1 + n_delays, n_layers, n_units)
    """
    everything = np.concatenate([scores[None], delayed])
    times = np.array([0.0, *delays_s])
    order = np.argsort(times, kind="stable")
    return times[order].tolist(), everything[order]


def delay_map(delays_s: Sequence[float], scores: Floats, best: NDArray[np.integer[Any]]) -> Floats:
    """Delay (n_units,) at which the best layer of each unit scores most; NaN without a layer.

    Parameters
    ----------
    delays_s, scores
        From `by_delay`.
    best
        (n_units,) best layer, from 1; 0 for none.
    """
    units = np.flatnonzero(best > 0)
    chosen = scores[:, best[units] - 1, units]
    out = np.full(best.shape, np.nan)
    out[units] = np.asarray(delays_s)[chosen.argmax(axis=0)]
    return out


def delay_rows(
    delays_s: Sequence[float],
    scores: Floats,
    layers: Sequence[str],
    significant: NDArray[np.bool_],
) -> Iterator[dict[str, Any]]:
    """Yield the mean score at each delay in each layer.

    Parameters
    ----------
    delays_s, scores
        From `by_delay`.
    layers
        Names.
    significant
        (n_units,) searchlights that are averaged; all of them where none is significant.
    """
    known = np.isfinite(scores).all(axis=(0, 1))
    used = known & significant if (known & significant).any() else known
    yield from tidy(
        {
            "layer_index": np.arange(1, len(layers) + 1)[None, :],
            "mean_rho": scores[:, :, used].mean(axis=2) if used.any() else np.nan,
            "n_units": int(used.sum()),
        },
        delay_s=list(delays_s),
        layer=layers,
    )
