"""Roughness and harmonicity of sounds: against the same chords as lists of partials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from bidsapp.audio.networks import get_network
from bidsapp.audio.networks.consonance import spectral_peaks
from bidsapp.errors import UsageError
from bidsapp.models.consonance import harmonicity, roughness
from tests.models.tones import chord_partials, class_spectrum


def chord(*notes: int, seconds: float = 2.0, gain: float = 0.1) -> np.ndarray:
    frequencies, amplitudes = chord_partials(notes)
    time = np.arange(round(seconds * 22_050)) / 22_050
    phases = 2 * np.pi * frequencies[:, None] * time + np.arange(len(frequencies))[:, None] ** 2
    return (gain * amplitudes[:, None] * np.sin(phases)).sum(axis=0).astype(np.float32)


def course(sound: np.ndarray, layer: str) -> np.ndarray:
    network = get_network("consonance")
    frames = network.frames(sound)
    position = [item.name for item in network.layers].index(layer)
    return dict(network.blocks(frames, memory_bytes=2**20))[position].numpy()


@pytest.mark.parametrize("notes", [(60, 64, 67), (60, 61, 67), (57, 63), (72, 76, 79)])
def test_roughness_of_a_sound_is_that_of_its_partials(notes):
    expected = roughness(*chord_partials(notes))
    values = course(chord(*notes), "roughness")[:, 0]
    assert values.std() < 0.02
    assert values.mean() == pytest.approx(expected, rel=0.25, abs=0.01)


def test_consonant_chords_are_smoother_and_more_harmonic():
    triad, cluster = chord(60, 64, 67), chord(60, 61, 62)
    assert course(triad, "roughness").mean() < course(cluster, "roughness").mean()
    assert course(triad, "harmonicity").mean() > course(cluster, "harmonicity").mean()


def test_harmonicity_orders_chords_as_their_pitch_classes_do():
    chords = [(0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8), (0, 1, 2), (0, 7), (0, 6), (0, 2, 7)]
    measured = [course(chord(*(60 + n for n in c)), "harmonicity").mean() for c in chords]
    weights = np.array([[float(n in c) for n in range(12)] for c in chords])
    expected = harmonicity(class_spectrum(weights))
    assert spearmanr(measured, expected).statistic > 0.85


def test_roughness_and_harmonicity_do_not_follow_loudness():
    loud, soft = chord(60, 64, 67, gain=0.1), chord(60, 64, 67, gain=0.02)
    for layer in ("roughness", "harmonicity"):
        np.testing.assert_allclose(course(loud, layer), course(soft, layer), rtol=0.02, atol=1e-3)
    change = course(loud, "loudness") - course(soft, "loudness")
    np.testing.assert_allclose(change, 2 * np.log10(5), atol=1e-3)


def test_silence_has_no_roughness_and_leaves_no_gap():
    silence = np.zeros(44_100, np.float32)
    assert (course(silence, "roughness") == 0).all()
    assert np.isfinite(course(silence, "harmonicity")).all()


def test_peaks_have_the_frequency_and_the_ratio_of_the_partials():
    time = np.arange(4096) / 22_050
    sound = np.sin(2 * np.pi * 443.3 * time) + 0.5 * np.sin(2 * np.pi * 1203.7 * time + 1)
    power = np.abs(np.fft.rfft(sound * np.hanning(4097)[:-1])) ** 2
    frequencies, amplitudes = spectral_peaks(power, 22_050 / 4096)
    highest = np.argsort(-amplitudes)[:2]
    np.testing.assert_allclose(np.sort(frequencies[highest]), [443.3, 1203.7], atol=0.5)
    assert amplitudes[highest[1]] / amplitudes[highest[0]] == pytest.approx(0.5, rel=0.03)


def test_odd_hops_are_refused():
    with pytest.raises(UsageError, match="multiple of 0"):
        get_network("consonance", hop_s=0.25)
    with pytest.raises(UsageError, match="multiple of 0"):
        get_network("harmonic", hop_s=0.25)
