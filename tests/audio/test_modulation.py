"""Spectro-temporal modulation power: ripples peak in their channel."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.audio import mel
from bidsapp.audio.modulation import (
    BANDS_PER_OCTAVE,
    N_BANDS,
    N_CHANNELS,
    N_REGIONS,
    RATES_HZ,
    SCALES,
    band_centres_hz,
    log_spectrogram,
    modulation_power,
)
from bidsapp.audio.networks import get_network

SHAPE = len(RATES_HZ), len(SCALES), N_REGIONS


def ripple(rate_hz, scale, seconds=3.0, depth=0.9):
    """A sound of 200 tones whose level moves along time and octaves."""
    rng = np.random.default_rng(0)
    time = np.arange(int(seconds * 16_000)) / 16_000
    octaves = np.linspace(0, (N_BANDS - 1) / BANDS_PER_OCTAVE, 400)
    sound = np.zeros_like(time)
    for octave in octaves:
        level = 1 + depth * np.sin(2 * np.pi * (rate_hz * time + scale * octave))
        tone = np.sin(2 * np.pi * 180 * 2**octave * time + rng.uniform(0, 2 * np.pi))
        sound += level * tone
    return (0.05 * sound / np.sqrt(octaves.size)).astype(np.float32)


def channels(waveform):
    power = modulation_power(log_spectrogram(waveform), hop=48)
    return power.mean(axis=0).reshape(SHAPE)


def peak(power, region=slice(None)):
    flat = power[..., region].mean(axis=2)
    rate, scale = np.unravel_index(flat.argmax(), flat.shape)
    return RATES_HZ[rate], SCALES[scale]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("direction", [1, -1])
def test_a_drawn_ripple_peaks_in_its_channel(rate_hz, scale, direction):
    time = np.arange(300)[:, None] / 100
    octaves = np.arange(N_BANDS) / BANDS_PER_OCTAVE
    drawn = np.sin(2 * np.pi * (rate_hz * time + direction * scale * octaves))
    power = modulation_power(drawn.astype(np.float32), hop=48).mean(axis=0).reshape(SHAPE)
    assert peak(power) == (rate_hz, scale)


@pytest.mark.parametrize(("rate_hz", "scale"), [(4, 0.25), (4, 1), (8, 0.5), (16, 1), (4, 2)])
def test_a_sounding_ripple_peaks_in_its_channel(rate_hz, scale):
    regions = slice(4, None)  # above 1.1 kHz the spectra resolve it
    assert peak(channels(ripple(rate_hz, scale)), regions) == (rate_hz, scale)


def test_modulation_of_one_region_is_found_there():
    time = np.arange(300)[:, None] / 100
    drawn = np.sin(2 * np.pi * 4 * time) * (np.arange(N_BANDS) // 8 == 5)
    power = modulation_power(drawn.astype(np.float32), hop=48).mean(axis=0).reshape(SHAPE)
    assert power.mean(axis=(0, 1)).argmax() == 5


def test_power_does_not_depend_on_level_but_on_depth():
    """Level shifts the logarithm; only depth changes how far it moves."""
    loud = channels(ripple(4, 1))
    quiet = channels(0.5 * ripple(4, 1))
    shallow = channels(ripple(4, 1, depth=0.2))
    np.testing.assert_allclose(loud[1, 2, 4:], quiet[1, 2, 4:], atol=0.1)
    assert (loud[1, 2, 4:] - shallow[1, 2, 4:] > 0.5).all()


def test_a_steady_tone_moves_less_than_noise():
    tone = np.sin(2 * np.pi * 1000 * np.arange(48_000) / 16_000).astype(np.float32)
    noise = np.random.default_rng(1).standard_normal(48_000).astype(np.float32) * 0.1
    assert (channels(noise) - channels(tone)).min() > 0.5


def test_bands_are_a_semitone_apart_and_hear_their_tone():
    centres = band_centres_hz()
    np.testing.assert_allclose(centres[12:] / centres[:-12], 2.0)
    for band in (24, 40, 60):
        time = np.arange(16_000) / 16_000
        tone = np.sin(2 * np.pi * centres[band] * time).astype(np.float32)
        assert abs(log_spectrogram(tone)[20].argmax() - band) <= 1


def test_it_is_a_layer_of_the_baseline(music):
    network = get_network("baseline", hop_s=0.48)
    frames = network.frames(music)
    layers = dict(network.blocks(frames, memory_bytes=1))
    assert [layer.name for layer in network.layers] == ["mel", "loudness", "spectral", "mtf"]
    expected = modulation_power(log_spectrogram(music), 48)
    np.testing.assert_array_equal(layers[3].numpy(), expected)
    assert expected.shape == (len(mel.examples(mel.log_mel(music), 48)), N_CHANNELS)


def test_silence_is_finite():
    values = modulation_power(log_spectrogram(np.zeros(32_000, np.float32)), 48)
    np.testing.assert_allclose(values, -6.0, atol=1e-3)
