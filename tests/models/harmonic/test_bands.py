"""Bands of branches, judged by tones that are synthesised here."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bidsapp.audio.networks.harmonic import GRID, SAMPLES
from bidsapp.audio.networks.mel_db import mel_db
from bidsapp.errors import UsageError
from bidsapp.models.harmonic.bands import (
    ABSENT,
    LOWEST_NOTE,
    contiguous_bands,
    dealt_bands,
    excitation,
    harmonic_bands,
    note_hz,
    random_bands,
)
from bidsapp.models.harmonic.names import PITCH_CLASSES
from bidsapp.models.harmonic.networks import HarmonicSettings
from bidsapp.models.mel_filters import mel_edges

SETTINGS = HarmonicSettings()


def tone_db(midi: int, n_partials: int = 20) -> np.ndarray:
    """Mean mel spectrum (1, 256) in dB of a harmonic tone with amplitudes 1, 1/2, 1/3, …"""
    time = np.arange(SAMPLES // 6) / GRID.sampling_hz
    fundamental = note_hz(midi)
    numbers = np.arange(1, min(n_partials, int(GRID.highest_hz / fundamental)) + 1)
    phases = 2 * np.pi * fundamental * numbers[:, None] * time + numbers[:, None] ** 2
    sound = (np.sin(phases) / numbers[:, None]).sum(axis=0) * 0.2
    spectrogram = mel_db(torch.from_numpy(sound.astype(np.float32))[None], GRID)
    return np.maximum(spectrogram.mean(dim=2).numpy(), -80.0).astype(np.float64)


def right_share(bands: np.ndarray, notes: range) -> float:
    winners = [int(excitation(tone_db(note), bands)[0].argmax()) for note in notes]
    return float(np.mean([w == (n - 69) % 12 for w, n in zip(winners, notes, strict=True)]))


def test_names_begin_with_a():
    assert [PITCH_CLASSES[(note - 69) % 12] for note in (69, 60, 52)] == ["A", "C", "E"]


def test_each_tone_excites_its_own_branch_most():
    assert right_share(SETTINGS.bands, range(LOWEST_NOTE, 109)) == 1.0


def test_bands_of_all_harmonics_do_not_tell_pitch_classes_apart():
    everything = harmonic_bands(SETTINGS.centres_hz, rule="all")
    assert right_share(everything, range(LOWEST_NOTE, 109, 2)) < 0.75


def test_semitones_have_bands_of_their_own_from_the_lowest_note_on():
    notes = np.arange(LOWEST_NOTE, LOWEST_NOTE + 72)
    nearest = np.abs(SETTINGS.centres_hz[:, None] - note_hz(notes)).argmin(axis=0)
    assert (np.diff(nearest) >= 1).all()
    below = np.abs(SETTINGS.centres_hz[:, None] - note_hz(np.arange(28, LOWEST_NOTE))).argmin(
        axis=0
    )
    assert (np.diff(below) == 0).any()


@pytest.mark.parametrize("note", [57, 64, 72, 81])
def test_transposing_a_tone_rotates_the_branches(note):
    before, after = (excitation(tone_db(n), SETTINGS.bands)[0] for n in (note, note + 1))
    agreement = [np.corrcoef(np.roll(before, step), after)[0, 1] for step in range(12)]
    assert int(np.argmax(agreement)) == 1
    assert agreement[1] > 0.95


def test_every_branch_has_six_bands_and_no_band_is_shared():
    bands = SETTINGS.bands
    assert bands.shape == (12, 6)
    assert len(np.unique(bands)) == 72


def test_shorter_branches_end_with_absent_bands():
    bands = harmonic_bands(SETTINGS.centres_hz, rule="harmonics", n_harmonics=3)
    counts = (bands != ABSENT).sum(axis=1)
    assert counts.max() == bands.shape[1]
    assert counts.min() < counts.max()
    levels = np.random.default_rng(0).normal(size=(2, 256))
    row = int(counts.argmin())
    expected = levels[:, bands[row, : counts[row]]].mean(axis=1)
    np.testing.assert_allclose(excitation(levels, bands)[:, row], expected)


def test_rivals_have_as_many_bands_and_lack_the_harmonic_relation():
    harmonic = SETTINGS.bands
    contiguous = contiguous_bands(256, harmonic)
    assert contiguous.shape == harmonic.shape
    assert (np.diff(contiguous, axis=1) == 1).all()
    assert contiguous.min() == harmonic.min()
    assert contiguous.max() == harmonic.max()
    dealt = dealt_bands(harmonic, 3)
    assert sorted(dealt.ravel()) == sorted(harmonic.ravel())
    drawn = random_bands(256, harmonic, 3)
    assert drawn.shape == harmonic.shape
    assert all(len(set(row)) == 6 for row in drawn)
    assert (drawn != random_bands(256, harmonic, 4)).any()
    np.testing.assert_array_equal(drawn, random_bands(256, harmonic, 3))
    for bands in (dealt, drawn):
        assert right_share(bands, range(60, 84)) < 0.5


def test_octaves_above_the_grid_are_refused():
    with pytest.raises(UsageError, match="9 octaves from note 52"):
        harmonic_bands(SETTINGS.centres_hz, n_octaves=9)
    with pytest.raises(UsageError, match="choose octaves"):
        harmonic_bands(SETTINGS.centres_hz, rule="thirds")  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_mel_edges_are_librosas(scale):
    librosa = pytest.importorskip("librosa")
    theirs = librosa.mel_frequencies(258, fmin=0, fmax=11_025, htk=scale == "htk")
    np.testing.assert_allclose(mel_edges(256, 11_025, scale), theirs, rtol=1e-9, atol=1e-9)
