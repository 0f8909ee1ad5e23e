"""Decoding of arrays with a planted truth, and the leaks that the recipe avoids."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bidsapp.models.region_decoder import ClipRows, decode_region, ensemble
from bidsapp.recipes.base.clips import Clip
from bidsapp.recipes.reconstruct.cautions import _of_space, of_windows
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.decode import (
    Decoded,
    Judge,
    Regions,
    decode,
    make_judge,
    region_exchange,
)
from bidsapp.recipes.reconstruct.refits import predict_other_responses
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.stats.clip_exchange import exchange_clips
from bidsapp.stats.folds import nested_folds
from bidsapp.stats.identification import identify, turn_within

N_CLIPS, N_WINDOWS, N_DIMENSIONS, N_FOLDS = 60, 2, 12, 3
N_REGIONS, N_UNITS, N_PLANTED = 5, 15, 2
SETTINGS = ReconstructSettings(
    n_best=2, n_exchanges=199, log10_alpha=(0.0, 1.0, 2.0, 3.0, 4.0), n_folds=N_FOLDS
)
REGIONS = Regions(
    tuple(f"r{k}" for k in range(N_REGIONS)), np.repeat(np.arange(N_REGIONS), N_UNITS), 0
)
GENRES = tuple(f"g{k // 3 % 5}" for k in range(N_CLIPS))
CLIPS = Clips(
    tuple(Clip(f"c{k}", f"c{k}", 0.0) for k in range(N_CLIPS)),
    GENRES,
    ((),) * N_CLIPS,
    np.arange(N_WINDOWS) * 1.5,
    (),
)


def planted(
    seed: int, signal: float, *, of_genre: float = 0.0, genre_only: bool = False
) -> tuple[np.ndarray, ClipRows]:
    """Responses (n_units, n_rows) that carry the embedding in the first two regions.

    Of an embedding with genres the responses carry the part of the genre alone if asked to.
    """
    rng = np.random.default_rng(seed)
    number = np.array([int(genre[1]) for genre in GENRES])
    genre = rng.standard_normal((5, N_DIMENSIONS))[number]
    clip = of_genre * genre + rng.standard_normal((N_CLIPS, N_DIMENSIONS))
    noise = 0.2 * rng.standard_normal((N_CLIPS, N_WINDOWS, N_DIMENSIONS))
    embedding = clip[:, None] + noise
    weights = np.zeros((N_DIMENSIONS, REGIONS.label.size))
    weights[:, REGIONS.label < N_PLANTED] = signal
    weights *= rng.standard_normal(weights.shape)
    carried = (
        np.repeat(genre, N_WINDOWS, axis=0) if genre_only else embedding.reshape(-1, N_DIMENSIONS)
    )
    responses = carried @ weights
    responses += rng.standard_normal(responses.shape)
    block = np.arange(N_CLIPS) % N_FOLDS
    rows = ClipRows(embedding, block, nested_folds(np.arange(N_FOLDS)))
    return responses.T.astype(np.float32), rows


def run(responses: np.ndarray, rows: ClipRows) -> tuple[Judge, Decoded]:
    (decoded,) = decode(responses, REGIONS, [rows], SETTINGS, memory_bytes=1 << 28)
    return make_judge(rows, CLIPS, SETTINGS, seed=3), decoded


def test_a_planted_embedding_is_identified_and_found() -> None:
    responses, rows = planted(0, 2.0)
    judge, decoded = run(responses, rows)
    exchange = judge.exchange(decoded.ensemble)
    assert float(judge.identify(decoded.ensemble).mean) == float(exchange.observed) >= 0.9
    assert float(exchange.p) == 1 / 200
    assert decoded.chosen[:, :N_PLANTED].all()
    regions = region_exchange(judge, decoded)
    assert (regions.p_family[:N_PLANTED] <= 0.05).all()
    assert (regions.p_family[N_PLANTED:] > 0.05).all()
    assert decoded.whole is not None
    assert float(judge.identify(decoded.whole).mean) > 0.8
    (own,) = predict_other_responses(
        [lambda units: responses[units]], REGIONS, [rows], [decoded.chosen], SETTINGS
    )
    np.testing.assert_allclose(own[0], decoded.ensemble, atol=1e-8)


def test_without_signal_identification_is_at_chance() -> None:
    accuracy, inside = [], 0
    for seed in range(5):
        judge, decoded = run(*planted(seed, 0.0))
        exchange = judge.exchange(decoded.ensemble)
        low, high = np.percentile(exchange.null, (0.5, 99.5))
        inside += low <= float(exchange.observed) <= high
        accuracy.append(float(exchange.observed))
    assert inside == 5
    assert np.mean(accuracy) == pytest.approx(0.5, abs=0.06)


def test_an_embedding_of_genres_alone_is_not_identified_within_genres() -> None:
    judge, decoded = run(*planted(1, 2.0, of_genre=2.0, genre_only=True))
    overall = float(judge.identify(decoded.ensemble).mean)
    assert judge.oracle is not None
    of_genre = float(judge.identify(judge.oracle).mean)
    assert overall == pytest.approx(of_genre, abs=0.06)
    assert overall > 0.8
    within = judge.exchange(decoded.ensemble, within_genre=True)
    low, high = np.percentile(within.null, (0.5, 99.5))
    assert low <= float(within.observed) <= high
    # with clips of their own, more than the genre is found
    judge, decoded = run(*planted(1, 2.0, of_genre=2.0))
    within = judge.exchange(decoded.ensemble, within_genre=True)
    assert float(within.observed) > 0.8
    assert float(within.p) <= 0.01


def test_raw_embeddings_are_compared_in_their_own_units() -> None:
    responses, rows = planted(2, 1.0)
    rows = ClipRows(5 + rows.embedding * np.logspace(0, 2, N_DIMENSIONS), rows.block, rows.folds)
    (decoded,) = decode(responses, REGIONS, [rows], SETTINGS, memory_bytes=1 << 28)
    raw = make_judge(rows, CLIPS, replace(SETTINGS, standardise=False), seed=3)
    mean = rows.embedding.mean(axis=1)
    np.testing.assert_allclose(raw.compared(raw.target), mean, atol=1e-6)
    standard = make_judge(rows, CLIPS, SETTINGS, seed=3)
    assert not np.allclose(
        raw.identify(decoded.ensemble).accuracy, standard.identify(decoded.ensemble).accuracy
    )


@pytest.mark.parametrize(
    ("log10_alpha", "title"),
    [
        ((-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0), ""),
        ((3.0, 4.0, 5.0), "of penalties are the smallest of the grid"),
        ((-6.0, -5.0, -4.0), "of penalties are the largest of the grid"),
    ],
)
def test_penalties_of_the_ensemble_at_the_edge_of_the_grid_are_a_caution(
    log10_alpha: tuple[float, ...], title: str
) -> None:
    responses, rows = planted(0, 1.0)
    settings = replace(SETTINGS, log10_alpha=log10_alpha, whole_brain=False)
    (decoded,) = decode(responses, REGIONS, [rows], settings, memory_bytes=1 << 28)
    judge = make_judge(rows, CLIPS, settings, seed=3)
    within = judge.identify(decoded.ensemble, within_genre=True)
    space = SimpleNamespace(
        decoded=decoded, judge=judge, overall=judge.identify(decoded.ensemble), within=within
    )
    titles = [item.title for item in _of_space("toy", space) if "penalties" in item.title]
    assert [title in own for own in titles] == ([True] if title else [])


def test_units_get_the_value_of_their_region() -> None:
    label = np.array([1, -1, 0, 1])
    values = Regions(("a", "b"), label, 0).on_units(np.array([0.25, 0.5]))
    np.testing.assert_array_equal(values, [0.5, np.nan, 0.25, 0.5])


# ------------------------------------------------------------------ leaks


def accuracy_of(responses: np.ndarray, rows: ClipRows) -> float:
    """Identification accuracy of one region."""
    predicted = decode_region(responses, rows, (0.1, 1.0, 10.0)).predicted
    target = np.empty_like(predicted)
    for number in range(len(rows.folds)):
        test = rows.fold == number
        target[test] = rows.standardised(number)[test]
    return float(identify(predicted, target, rows.fold).mean)


def slow(rng: np.random.Generator, shape: tuple[int, int], r: float) -> np.ndarray:
    """Draw rows of variance 1 whose neighbours correlate r."""
    out = rng.standard_normal(shape)
    for k in range(1, len(out)):
        out[k] = r * out[k - 1] + np.sqrt(1 - r**2) * out[k]
    return out


def test_slow_noise_does_not_pass_for_music_that_changes_slowly() -> None:
    """60 clips end to end; folds of neighbours with a gap of one clip, and without."""
    rng = np.random.default_rng(11)
    block = np.arange(N_CLIPS) // 10
    beside = np.stack([(np.roll(block, 1) == k) | (np.roll(block, -1) == k) for k in range(6)])
    beside &= block != np.arange(6)[:, None]
    nothing, folds = np.empty((N_CLIPS, 1, 0)), nested_folds(np.arange(6))
    designs = {
        "gap": ClipRows(nothing, block, folds, beside),
        "none": ClipRows(nothing, block, folds),
        "dealt": ClipRows(nothing, np.arange(N_CLIPS) % 6, folds),
    }
    orders = {kind: turn_within(99, rows.fold, seed=3) for kind, rows in designs.items()}
    p: dict[str, list[float]] = {kind: [] for kind in designs}
    for _ in range(50):
        embedding = slow(rng, (N_CLIPS, 6), 0.6)[:, None]
        responses = slow(rng, (N_CLIPS, 20), 0.8)
        for kind, design in designs.items():
            rows = replace(design, embedding=embedding)
            predicted = decode_region(responses, rows, (1.0, 10.0, 100.0)).predicted
            target = np.full_like(predicted, np.nan)
            for fold in range(6):
                target[rows.fold == fold] = rows.standardised(fold)[rows.fold == fold]
            exchange = exchange_clips(predicted, target, rows.fold, rows.fold, orders[kind])
            p[kind].append(float(exchange.p))
    rejected = {kind: np.mean(np.array(values) <= 0.05) for kind, values in p.items()}
    assert rejected["gap"] <= 0.1
    assert rejected["none"] > rejected["gap"]
    assert rejected["dealt"] > 0.9


def test_a_repeated_clip_on_both_sides_of_a_fold_inflates() -> None:
    """As at the borders of ds003720's runs, where the sound and what else it evokes come twice."""
    rng = np.random.default_rng(5)
    clean, leaky = [], []
    folds = nested_folds(np.arange(N_FOLDS))
    for _ in range(6):
        embedding = rng.standard_normal((24, 1, 8))
        evoked = rng.standard_normal((24, 30))  # of each clip, unrelated to the embedding
        twice = np.repeat(np.arange(24), 2)
        noise = 0.5 * rng.standard_normal((48, 30))
        by_presentation = ClipRows(embedding[twice], np.arange(48) % N_FOLDS, folds)
        leaky.append(accuracy_of(evoked[twice] + noise, by_presentation))
        averaged = (evoked[twice] + noise).reshape(24, 2, 30).mean(axis=1)
        by_clip = ClipRows(embedding, np.arange(24) % N_FOLDS, folds)
        clean.append(accuracy_of(averaged, by_clip))
    assert np.mean(leaky) > 0.75
    assert np.mean(clean) == pytest.approx(0.5, abs=0.1)


def test_regions_chosen_on_all_clips_inflate_and_inner_folds_do_not() -> None:
    rng = np.random.default_rng(6)
    inner, on_all = [], []
    for _ in range(4):
        rows = ClipRows(
            rng.standard_normal((30, 1, 4)),
            np.arange(30) % N_FOLDS,
            nested_folds(np.arange(N_FOLDS)),
        )
        responses = rng.standard_normal((20 * 10, 30)).astype(np.float32)
        settings = replace(SETTINGS, n_best=3, whole_brain=False)
        regions = Regions(tuple(map(str, range(20))), np.repeat(np.arange(20), 10), 0)
        (decoded,) = decode(responses, regions, [rows], settings, memory_bytes=1 << 28)
        clips = replace(CLIPS, clips=CLIPS.clips[:30], genre=("",) * 30)
        judge = make_judge(rows, clips, settings, seed=0)
        inner.append(float(judge.identify(decoded.ensemble).mean))
        scores = np.array([float(judge.identify(own).mean) for own in decoded.regions])
        best = np.zeros(decoded.chosen.shape, bool)
        best[:, np.argsort(-scores)[:3]] = True
        circular = ensemble(decoded.regions, best, rows.fold)
        on_all.append(float(judge.identify(circular).mean))
    assert np.mean(inner) == pytest.approx(0.5, abs=0.07)
    assert np.mean(on_all) > 0.62


@pytest.mark.parametrize(
    ("later", "shift_s", "is_said"),
    [
        (0.86, 5.0, True),
        (0.81, 5.0, False),
        (np.nan, 5.0, False),
        (0.86, 7.5, False),
        (1.0, 4, False),
    ],
)
def test_a_delay_that_identifies_better_is_said(
    later: float, shift_s: float, is_said: bool
) -> None:
    rows = [
        {"varied": "shift", "shift_s": at, "length_s": 6.0, "identification": value}
        for at, value in ((0.0, 0.7), (5.0, 0.8), (7.5, later))
    ]
    rows.append({"varied": "length", "shift_s": 5.0, "length_s": 15.0, "identification": 0.95})
    doubts = list(of_windows(shift_s, rows))
    assert len(doubts) == is_said
    assert all("0.860 at a delay of 7.5 s and 0.800 at the 5 s" in item.text for item in doubts)
