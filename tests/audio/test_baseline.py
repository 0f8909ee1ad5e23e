from __future__ import annotations

import numpy as np
import pytest

from bidsapp.audio import mel
from bidsapp.audio.networks import get_network
from bidsapp.audio.networks.baseline import SPECTRAL, spectral_shape

SECONDS, HZ = 3.0, 16_000
TIME = np.arange(int(SECONDS * HZ)) / HZ


def column(waveform, name):
    return spectral_shape(waveform.astype(np.float32))[:, SPECTRAL.index(name)]


def layers_of(waveform):
    network = get_network("baseline")
    frames = network.frames(waveform.astype(np.float32))
    return {
        network.layers[layer].name: columns.numpy()
        for layer, columns in network.blocks(frames, memory_bytes=1)
    }


def test_windows_are_those_of_vggish(music):
    baseline, vggish = get_network("baseline"), get_network("vggish")
    frames = vggish.frames(music)
    assert len(baseline.frames(music)) == len(frames)
    np.testing.assert_array_equal(baseline.frame_times_s(5), vggish.frame_times_s(5))
    np.testing.assert_allclose(layers_of(music)["mel"], frames.mean(axis=1), atol=1e-5)


def test_loudness_is_the_level_in_bels_and_has_a_floor():
    quiet, loud = (layers_of(level * np.sin(2 * np.pi * 500 * TIME)) for level in (0.05, 0.5))
    np.testing.assert_allclose(loud["loudness"] - quiet["loudness"], 2.0, atol=1e-4)
    np.testing.assert_allclose(loud["loudness"], np.log10(0.125), atol=1e-3)
    np.testing.assert_allclose(layers_of(np.zeros_like(TIME))["loudness"], -10.0)


def test_centroid_follows_pitch_in_octaves():
    centroids = [
        np.median(column(np.sin(2 * np.pi * f * TIME), "centroid")) for f in (1000, 2000, 4000)
    ]
    np.testing.assert_allclose(centroids, [0.0, 1.0, 2.0], atol=0.05)


def test_noise_is_flat_and_a_tone_is_not():
    noise = np.random.default_rng(0).standard_normal(TIME.size)
    tone = np.sin(2 * np.pi * 1000 * TIME)
    for name in ("flatness", "bandwidth"):
        assert np.median(column(noise, name)) > np.median(column(tone, name)) + 1.0
    assert np.median(column(tone, "contrast3")) > np.median(column(noise, "contrast3")) + 1.0


def test_flux_marks_onsets():
    clicks = np.random.default_rng(0).standard_normal(TIME.size) * 1e-3
    clicks[16_000:16_800] += np.random.default_rng(1).standard_normal(800)
    flux = column(clicks, "flux")
    assert abs(flux.argmax() - 98) <= 3
    assert flux.max() > 5 * np.median(flux)


def test_spectra_stand_where_those_of_the_mel_spectrogram_do(music):
    for n_samples in (400, 511, 512, 15_600, 16_123):
        part = music[:n_samples]
        assert len(spectral_shape(part)) == len(mel.log_mel(part))


@pytest.mark.parametrize("waveform", [np.zeros(32_000), np.ones(32_000), np.eye(1, 32_000)[0]])
def test_degenerate_sounds_give_finite_numbers(waveform):
    for values in layers_of(waveform).values():
        assert np.isfinite(values).all()


def test_features_of_a_sound_do_not_depend_on_others(music):
    network = get_network("baseline")
    first, last = music[:40_000], music[40_000:]
    together = np.concatenate([network.frames(first), network.frames(last)])
    np.testing.assert_array_equal(together[: len(network.frames(first))], network.frames(first))
