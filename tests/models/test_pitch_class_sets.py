"""Sets of pitch classes, and their surprise on planted sequences."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from bidsapp.models.pitch_class_sets import (
    N_SETS,
    _counts,
    pitch_class_set,
    probability,
    surprises,
    transposed,
)
from tests.models.tones import chord_partials


def pitches(*classes: int) -> int:
    return sum(1 << k for k in classes)


C, F, G = pitches(3, 7, 10), pitches(8, 0, 3), pitches(10, 2, 5)  # bits above A
CYCLE = [C, F, G] * 8


@pytest.mark.parametrize("midi", [[60, 64, 67], [57, 60, 64], [62, 65, 69, 72], [69]])
@pytest.mark.parametrize("shift", [0, 5, 11])
def test_chords_of_complex_tones_give_their_pitch_classes(midi: list[int], shift: int) -> None:
    """Up to overtones: what is missing is none, what is added is a fifth or third of a note."""
    notes = {(note + shift - 69) % 12 for note in midi}
    found = pitch_class_set(*chord_partials([note + shift for note in midi]))
    members = {k for k in range(12) if found >> k & 1}
    assert notes <= members
    assert members <= notes | {(k + 7) % 12 for k in notes}


def test_silence_is_the_empty_set() -> None:
    assert pitch_class_set([], []) == 0
    assert pitch_class_set([5000.0], [1.0]) == 0


def test_transposition_goes_round() -> None:
    assert transposed(C, 5) == F
    assert transposed(transposed(C, 5), 7) == C
    assert transposed(pitches(11), 1) == pitches(0)


def test_the_expected_chord_is_less_surprising_than_another() -> None:
    deviant = [*CYCLE[:-1], pitches(4, 8, 11)]  # a semitone above C where G was expected
    planted, rest, other = surprises([deviant, CYCLE, CYCLE])
    assert planted[-1] > 6
    # after a fourth up the cycle goes on in two ways, one of them in another key: 1 bit
    assert planted[6:-1].max() < 1.1
    assert np.abs(rest[6:] - other[6:]).max() < 1e-12


def test_a_piece_is_not_learned_from_itself() -> None:
    """What only one piece has is as unexpected there as anything unknown."""
    alone = [pitches(0, 1, 2)] * 20
    own, *_ = surprises([alone, CYCLE, CYCLE])
    assert own.min() > 10
    learned, *_ = surprises([alone, alone, CYCLE])
    assert learned[5:].max() < 2


def test_keys_do_not_matter() -> None:
    moved = [transposed(number, 4) for number in CYCLE]
    first, *_ = surprises([CYCLE, CYCLE, [C, C, F]])
    second, *_ = surprises([moved, CYCLE, [C, C, F]])
    np.testing.assert_allclose(first, second, atol=1e-12)


@pytest.mark.parametrize("at", [0, 1, 5])
def test_probabilities_sum_to_one(at: int) -> None:
    rng = np.random.default_rng(0)
    pieces = [rng.choice([C, F, G, 0], 30).tolist() for _ in range(3)]
    total: dict = {}
    for piece in pieces:
        for context, symbols in _counts(piece, 2).items():
            total[context] = total.get(context, Counter()) + symbols
    own = _counts(pieces[0], 2)
    before = pieces[0][:at]
    every = [probability([*before, number], at, 2, total, own) for number in range(N_SETS)]
    assert sum(every) == pytest.approx(1.0)
    assert min(every) > 0


def test_leaving_out_equals_counting_the_others() -> None:
    rng = np.random.default_rng(1)
    pieces = [rng.choice([C, F, G], 25).tolist() for _ in range(4)]
    left_out = surprises(pieces)[2]
    total: dict = {}
    for piece in (*pieces[:2], pieces[3]):
        for context, symbols in _counts(piece, 2).items():
            total[context] = total.get(context, Counter()) + symbols
    expected = [-np.log2(probability(pieces[2], at, 2, total)) for at in range(25)]
    np.testing.assert_allclose(left_out, expected)


def test_one_piece_is_refused() -> None:
    with pytest.raises(ValueError, match="two pieces or more, not 1"):
        surprises([CYCLE])
