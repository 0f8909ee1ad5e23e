"""Chords as lists of partials, and pitch classes as folded spectra."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bidsapp.models.consonance import DECAY, N_HARMONICS, partial_spectrum


def chord_partials(midi: Iterable[float], n_partials: int = 11) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) and amplitudes 1, 1/2, 1/3, … of notes; equal places add as powers do."""
    powers: dict[float, float] = {}
    for note in midi:
        for number in range(1, n_partials + 1):
            place = round(note + 12 * np.log2(number), 6)
            powers[place] = powers.get(place, 0.0) + number**-2.0
    places = np.array(sorted(powers))
    return 440.0 * 2.0 ** ((places - 69.0) / 12.0), np.sqrt([powers[place] for place in places])


def class_spectrum(weights: np.ndarray) -> np.ndarray:
    """Fold pitch classes (..., 12) and their harmonics into one octave, (..., 1200)."""
    numbers = np.arange(1, N_HARMONICS + 1)
    tone = partial_spectrum(440.0 * 2**-0.75 * numbers, numbers**-DECAY)
    return weights @ np.stack([np.roll(tone, 100 * step) for step in range(12)])
