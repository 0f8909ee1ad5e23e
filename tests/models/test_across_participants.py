"""Decoders learnt from others: planted topographies, noise, and a leak that is caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bidsapp.errors import InputInvalidError
from bidsapp.models.across_participants import SOURCES, decode_across
from bidsapp.models.alignment import fit_rotations
from bidsapp.models.region_decoder import ClipRows, decode_region
from bidsapp.stats.folds import nested_folds
from bidsapp.stats.identification import identify

N_CLIPS, N_DIMENSIONS, N_UNITS, N_PEOPLE, N_FOLDS = 48, 6, 12, 4, 3
ALPHAS = (0.1, 1.0, 10.0, 100.0, 1000.0)


def rows_of(rng: np.random.Generator) -> ClipRows:
    embedding = rng.standard_normal((N_CLIPS, 1, N_DIMENSIONS))
    return ClipRows(embedding, np.arange(N_CLIPS) % N_FOLDS, nested_folds(np.arange(N_FOLDS)))


def study(
    rng: np.random.Generator, rows: ClipRows, signal: float, *, own_topography: bool
) -> list[np.ndarray]:
    """Responses with the embedding in one topography of all, or in one of each participant."""
    common = rng.standard_normal((N_DIMENSIONS, N_UNITS))
    people = []
    for _ in range(N_PEOPLE):
        weights = rng.standard_normal((N_DIMENSIONS, N_UNITS)) if own_topography else common
        noise = rng.standard_normal((N_CLIPS, N_UNITS))
        people.append(signal * rows.embedding[:, 0] @ weights + noise)
    return people


def accuracy(responses: list[np.ndarray], rows: ClipRows, n_components: int = 12) -> dict:
    """Mean identification over participants and folds, by source."""
    each: dict = {source: [] for source in SOURCES}
    for fold in range(N_FOLDS):
        test = rows.fold == fold
        target = rows.standardised(fold)[test]
        predicted = decode_across(responses, rows, fold, ALPHAS, n_components=n_components)
        for source, values in predicted.items():
            targets = np.broadcast_to(target, values.shape)
            each[source].append(identify(values, targets, np.zeros(test.sum(), int)).mean)
    return {source: float(np.mean(values)) for source, values in each.items()}


def test_topographies_of_their_own_are_read_across_people_after_alignment_only() -> None:
    rng = np.random.default_rng(0)
    rows = rows_of(rng)
    result = accuracy(study(rng, rows, 1.0, own_topography=True), rows)
    assert result["within"] > 0.85
    assert result["aligned"] > 0.85
    assert result["pooled"] > 0.85
    assert result["anatomical"] < 0.65


def test_one_topography_needs_no_alignment() -> None:
    rng = np.random.default_rng(1)
    rows = rows_of(rng)
    result = accuracy(study(rng, rows, 0.5, own_topography=False), rows)
    assert result["anatomical"] > result["within"]  # from three times as many training clips
    assert result["aligned"] - result["anatomical"] < 0.03
    assert result["anatomical"] > 0.85


def test_noise_is_not_decoded_and_alignment_gains_nothing() -> None:
    results = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        rows = rows_of(rng)
        results.append(accuracy(study(rng, rows, 0.0, own_topography=True), rows))
    for source in SOURCES:
        values = [result[source] for result in results]
        assert np.mean(values) == pytest.approx(0.5, abs=0.05), source
    gains = [result["aligned"] - result["anatomical"] for result in results]
    assert np.mean(gains) == pytest.approx(0.0, abs=0.05)


def test_held_out_responses_have_no_part_in_what_is_learnt() -> None:
    """Others' responses to held-out clips may be anything; rotations fitted to them would leak."""
    rng = np.random.default_rng(3)
    rows = rows_of(rng)
    people = study(rng, rows, 1.0, own_topography=True)
    test = rows.fold == 1
    before = decode_across(people, rows, 1, ALPHAS, n_components=12)
    changed = [values.copy() for values in people]
    for values in changed[1:]:
        values[test] = 100 * rng.standard_normal((test.sum(), N_UNITS))
    after = decode_across(changed, rows, 1, ALPHAS, n_components=12)
    for source in SOURCES:
        np.testing.assert_allclose(after[source][0], before[source][0], atol=1e-8)
    # fitted to all clips, rotations carry what others answered to the held-out clips
    moved = [fit_rotations(people), fit_rotations(changed)]
    seen = [space.transform(0, people[0])[~test] for space in moved]
    assert np.abs(seen[0] - seen[1]).max() > 0.1


def test_clips_near_held_out_ones_are_as_if_they_had_not_been_heard() -> None:
    rng = np.random.default_rng(8)
    whole = rows_of(rng)
    people = study(rng, whole, 1.0, own_topography=True)
    near = np.zeros((N_FOLDS, N_CLIPS), np.bool_)
    near[0, [1, 2, 10]] = near[1, [3, 20]] = near[2, [4, 0]] = True
    rows = replace(whole, near=near)
    predicted = decode_across(people, rows, 0, ALPHAS, n_components=12)
    kept = ~near[0]
    without = ClipRows(whole.embedding[kept], whole.block[kept], whole.folds, near[:, kept])
    heard = [values[kept] for values in people]
    expected = decode_across(heard, without, 0, ALPHAS, n_components=12)
    more = decode_across(people, whole, 0, ALPHAS, n_components=12)
    for source in SOURCES:
        np.testing.assert_allclose(predicted[source], expected[source], atol=1e-8)
        assert not np.allclose(predicted[source], more[source], atol=1e-3)


def test_within_is_ridge_on_the_participant_alone() -> None:
    rng = np.random.default_rng(4)
    rows = rows_of(rng)
    people = study(rng, rows, 0.5, own_topography=True)
    predicted = decode_across(people, rows, 0, ALPHAS, n_components=N_UNITS)["within"]
    train = rows.fold != 0
    for own, values in zip(people, predicted, strict=True):
        centred = own - own[train].mean(axis=0)
        single = ClipRows(rows.embedding, rows.block, rows.folds[:1])
        alone = decode_region(centred / np.sqrt((centred[train] ** 2).mean()), single, ALPHAS)
        np.testing.assert_allclose(values, alone.predicted[~train], atol=1e-8)


def test_components_are_no_more_than_training_clips_determine() -> None:
    rng = np.random.default_rng(5)
    rows = rows_of(rng)
    wide = [rng.standard_normal((N_CLIPS, 150)) for _ in range(2)]
    predicted = decode_across(wide, rows, 0, ALPHAS, n_components=500)
    again = decode_across(wide[::-1], rows, 0, ALPHAS, n_components=500)
    assert np.isfinite(predicted["aligned"]).all()
    np.testing.assert_allclose(predicted["aligned"], again["aligned"][::-1], atol=1e-6)


def test_participants_must_have_the_same_units() -> None:
    rows = rows_of(np.random.default_rng(6))
    with pytest.raises(InputInvalidError, match="same clips and units"):
        decode_across([np.zeros((48, 3)), np.zeros((48, 4))], rows, 0, ALPHAS, n_components=3)
    with pytest.raises(InputInvalidError, match="1 participants"):
        decode_across([np.zeros((48, 3))], rows, 0, ALPHAS, n_components=3)
