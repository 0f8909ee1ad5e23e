from __future__ import annotations

import numpy as np
import pytest
import torch

from bidsapp.audio.io import load_audio
from bidsapp.audio.networks import get_network
from bidsapp.audio.networks.musicnn import LAYERS, TAGS, TIMES, MusicnnModule, mel_db
from bidsapp.errors import InputInvalidError


def test_layers():
    assert [layer.n_channels for layer in LAYERS] == [96, 561, 64, 64, 64, 200, 50]
    assert TIMES == 188
    assert len(set(TAGS)) == 50
    module = get_network("musicnn").module
    assert sum(parameter.numel() for parameter in module.parameters()) == 784_300


def test_spectrogram_is_torchaudios(music):
    transforms = pytest.importorskip("torchaudio.transforms")
    x = torch.tensor(music[:48_000])[None]
    theirs = transforms.AmplitudeToDB()(
        transforms.MelSpectrogram(16_000, n_fft=512, f_min=0.0, f_max=8000.0, n_mels=96)(x)
    )
    ours = mel_db(x)
    assert ours.shape == (1, 96, TIMES)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.02)


def test_spectrogram_of_silence_and_of_a_tone(sine):
    assert (mel_db(torch.zeros(1, 48_000)) == -100).all()
    spectrogram = mel_db(torch.tensor(sine)[None])[0]
    mel = 2595 * np.log10(1 + 1000 / 700)
    edges = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 98)[1:-1]
    assert (spectrogram[:, 20:-20].argmax(dim=0) == int(np.abs(edges - mel).argmin())).all()


def test_activations_are_those_of_the_steps(music):
    network = get_network("musicnn", seed=2)
    frames = torch.tensor(network.frames(music)[:2])
    together = list(network.activations(frames))
    values = None
    for index, expected in enumerate(together):
        values = network._compute(index, values, frames)
        torch.testing.assert_close(values, expected)


def test_untrained_tags_are_not_saturated(music):
    network = get_network("musicnn", seed=2)
    tags = dict(network.channels(network.frames(music), memory_bytes=2**28))[6]
    assert np.median(np.abs(tags - 0.5)) < 0.49


def test_wrong_weights_are_refused(tmp_path):
    state = MusicnnModule().state_dict()
    state["dense1.weight"] = torch.zeros(200, 3)
    torch.save(state, tmp_path / "musicnn.pth")
    with pytest.raises(InputInvalidError, match=r"dense1\.weight should have shape"):
        get_network("musicnn", weights="mtat", weights_dir=tmp_path)


@pytest.mark.data
@pytest.mark.slow
def test_real_weights_hear_what_is_played(test_data):
    network = get_network("musicnn", weights="mtat", weights_dir=test_data / "weights", hop_s=3.0)
    assert str(network.weights["sha256"]).startswith("690ace3b")
    assert str(network.weights["sha256"]).endswith("c893")
    expected = {
        "Hungarian": ("classical", "strings", "violin"),
        "ragtime": ("piano",),
        "Karissa": ("guitar", "female", "woman"),
        "Vibe_Ace": ("drums", "beat"),
    }
    for name, tags in expected.items():
        (path,) = (test_data / "audio").glob(f"*{name}*.ogg")
        sound = load_audio(path, 16_000)[: 45 * 16_000]
        found = dict(network.channels(network.frames(sound), memory_bytes=2**28))
        means = found[6].mean(axis=0)
        best = [TAGS[i] for i in np.argsort(-means)[: max(3, len(tags))]]
        assert set(tags) <= set(best), name
        if name == "Hungarian":
            assert means[TAGS.index("classical")] == pytest.approx(0.67, abs=0.05)
            assert means[TAGS.index("strings")] == pytest.approx(0.46, abs=0.05)
