"""Calibration of identification: responses that know nothing of the clips, decoded in full."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.across_participants import decode_across
from bidsapp.models.region_decoder import ClipRows, best_regions, decode_region, ensemble
from bidsapp.stats.class_agreement import exchange_agreements, top_classes
from bidsapp.stats.clip_exchange import (
    Exchange,
    averaged,
    difference,
    exchange_clips,
    shifted_interval,
    stacked,
)
from bidsapp.stats.folds import nested_folds
from bidsapp.stats.identification import row_correlations, turn_within
from bidsapp.stats.listening import choice_test

_N_CLIPS, _N_WINDOWS, _N_BLOCKS, _N_DIMENSIONS = 24, 2, 3, 4
_N_REGIONS, _N_BEST, _N_UNITS, _N_PEOPLE = 4, 2, 8, 3
_N_CLASSES = 8
_N_EXCHANGES = 99
_ALPHAS = (1.0, 10.0, 100.0, 1000.0)
Floats = NDArray[np.float64]


def _rows(rng: np.random.Generator) -> ClipRows:
    clip = rng.standard_normal((_N_CLIPS, 1, _N_DIMENSIONS))
    windows = 0.3 * rng.standard_normal((_N_CLIPS, _N_WINDOWS, _N_DIMENSIONS))
    block = np.arange(_N_CLIPS) % _N_BLOCKS
    return ClipRows(clip + windows, block, nested_folds(np.arange(_N_BLOCKS)))


def _exchanges(
    rng: np.random.Generator, rows: ClipRows, shared: Floats, seed: int
) -> tuple[Exchange, Exchange]:
    """Decode from regions of noise: of the ensemble, and of the regions."""
    decodings = []
    for own in shared:
        noise = rng.standard_normal((_N_CLIPS, _N_WINDOWS, _N_UNITS))
        responses = (own[:, None] + noise).reshape(-1, _N_UNITS)
        decodings.append(decode_region(responses, rows, _ALPHAS))
    predicted = np.stack([item.predicted for item in decodings])
    chosen = best_regions(np.stack([item.score for item in decodings], axis=1), _N_BEST)
    targets = np.empty((_N_CLIPS, _N_DIMENSIONS))
    for number in range(_N_BLOCKS):
        targets[rows.fold == number] = rows.standardised(number)[rows.fold == number]
    orders = turn_within(_N_EXCHANGES, rows.fold, seed)

    def exchange(values: Floats) -> Exchange:
        return exchange_clips(values, targets, rows.fold, rows.fold, orders)

    together = ensemble(predicted, chosen, rows.fold)
    return exchange(together), stacked([exchange(values) for values in predicted])


def _person(rng: np.random.Generator) -> tuple[Exchange, Exchange]:
    shared = rng.standard_normal((_N_REGIONS, _N_CLIPS, _N_UNITS))
    return _exchanges(rng, _rows(rng), shared, int(rng.integers(1 << 31)))


def _people(rng: np.random.Generator) -> tuple[Exchange, Exchange]:
    """Mean over participants who share responses to the clips, and exchanges."""
    rows, seed = _rows(rng), int(rng.integers(1 << 31))
    shared = rng.standard_normal((_N_REGIONS, _N_CLIPS, _N_UNITS))
    each = [_exchanges(rng, rows, shared, seed) for _ in range(_N_PEOPLE)]
    return averaged([own for own, _ in each]), averaged([own for _, own in each])


def clip_exchange(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of the ensemble of one participant."""
    return np.array([float(_person(rng)[0].p) for _ in range(n_sets)])


def clip_exchange_fwe(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p over regions of one participant, (n_sets,)."""
    return np.array([float(_person(rng)[1].p_family.min()) for _ in range(n_sets)])


def clip_exchange_classes(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of the classes of the training clips nearest to what noise predicts."""
    values = []
    for _ in range(n_sets):
        rows = _rows(rng)
        responses = rng.standard_normal((_N_CLIPS * _N_WINDOWS, _N_UNITS))
        predicted = decode_region(responses, rows, _ALPHAS).predicted
        nearest = np.zeros(_N_CLIPS, np.int64)
        for number in range(_N_BLOCKS):
            test, own = rows.fold == number, rows.standardised(number)
            train = np.flatnonzero(~test)
            r = row_correlations(predicted[test], own[train])
            nearest[test] = train[r.argmax(axis=1)]
        weights = rng.standard_normal((_N_DIMENSIONS, _N_CLASSES))
        true = top_classes(rows.embedding.mean(axis=1) @ weights, 2)
        orders = turn_within(_N_EXCHANGES, rows.fold, int(rng.integers(1 << 31)))
        values.append(float(exchange_agreements(true[nearest], true, rows.fold, orders).p))
    return np.array(values)


def clip_exchange_alike(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of the mean over participants."""
    return np.array([float(_people(rng)[0].p) for _ in range(n_sets)])


def clip_exchange_alike_fwe(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p over regions of the mean over participants, (n_sets,)."""
    return np.array([float(_people(rng)[1].p_family.min()) for _ in range(n_sets)])


def clip_exchange_gain(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of aligned against anatomical decoders.

    Participants share responses to clips, which the embedding does not hold, each in a topography
    of its own, so that rotations find what is common and decode nothing by it.
    """
    return np.array([float(_gain(rng).p) for _ in range(n_sets)])


def _gain(rng: np.random.Generator) -> Exchange:
    rows = _rows(rng)
    of_clips = ClipRows(rows.embedding.mean(axis=1)[:, None], rows.block, rows.folds)
    shared = rng.standard_normal((_N_CLIPS, _N_UNITS))
    people = [
        shared @ rng.standard_normal((_N_UNITS, _N_UNITS)) / np.sqrt(_N_UNITS)
        + rng.standard_normal((_N_CLIPS, _N_UNITS))
        for _ in range(_N_PEOPLE)
    ]
    aligned = np.empty((_N_PEOPLE, _N_CLIPS, _N_DIMENSIONS))
    anatomical = np.empty_like(aligned)
    for fold in range(_N_BLOCKS):
        test = rows.fold == fold
        predicted = decode_across(people, of_clips, fold, _ALPHAS, n_components=_N_UNITS)
        aligned[:, test], anatomical[:, test] = predicted["aligned"], predicted["anatomical"]
    return _difference(aligned, anatomical, of_clips, int(rng.integers(1 << 31)))


def clip_exchange_gain_interval(rng: np.random.Generator, n_sets: int) -> NDArray[np.bool_]:
    """Whether intervals cover the difference of two equally good decoders, 0; (n_sets,)."""
    covered = []
    for _ in range(n_sets):
        rows = _rows(rng)
        signal = rows.embedding @ rng.standard_normal((_N_DIMENSIONS, _N_UNITS))
        predicted = np.empty((2, _N_PEOPLE, _N_CLIPS, _N_DIMENSIONS))
        for decoder in range(2):
            for person in range(_N_PEOPLE):
                responses = 0.3 * signal + rng.standard_normal(signal.shape)
                decoding = decode_region(responses.reshape(-1, _N_UNITS), rows, _ALPHAS)
                predicted[decoder, person] = decoding.predicted
        gain = _difference(predicted[0], predicted[1], rows, int(rng.integers(1 << 31)))
        low, high = shifted_interval(gain)
        covered.append(low <= 0 <= high)
    return np.array(covered)


def _difference(first: Floats, second: Floats, rows: ClipRows, seed: int) -> Exchange:
    """Difference of two decoders, predictions (n_participants, n_clips, n_dimensions)."""
    targets = np.empty((_N_CLIPS, _N_DIMENSIONS))
    for number in range(_N_BLOCKS):
        targets[rows.fold == number] = rows.standardised(number)[rows.fold == number]
    orders = turn_within(_N_EXCHANGES, rows.fold, seed)

    def mean(predicted: Floats) -> Exchange:
        return averaged(
            [exchange_clips(own, targets, rows.fold, rows.fold, orders) for own in predicted]
        )

    return difference(mean(first), mean(second))


_N_TRIALS, _N_OPTIONS, _N_LISTENERS = 24, 2, 5


def listening_choices(rng: np.random.Generator, n_sets: int) -> NDArray[np.float64]:
    """p-values of listeners who prefer the same option of a trial, (n_sets,)."""
    p_values = np.empty(n_sets)
    for number in range(n_sets):
        taste = rng.dirichlet([0.5] * _N_OPTIONS, size=_N_TRIALS)
        counts = np.array([rng.multinomial(_N_LISTENERS, share) for share in taste])
        correct = rng.integers(_N_OPTIONS, size=_N_TRIALS)
        p_values[number] = choice_test(counts, correct).p
    return p_values
