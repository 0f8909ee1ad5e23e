"""Networks of transformers: the real loader on small random folders, against the library."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bidsapp.audio.networks import get_network
from bidsapp.errors import InputInvalidError, InputMissingError, ResourceUnavailableError
from tests.audio.small_models import (
    CAPTIONS,
    save_ast,
    save_clap,
    save_encodec,
    save_w2v_bert,
)

transformers = pytest.importorskip("transformers")
from bidsapp.audio.networks.clap import embed_texts, space_id  # noqa: E402


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Network → folder of a small random model."""
    folder = tmp_path_factory.mktemp("models")
    return {
        "clap": save_clap(folder / "clap"),
        "ast": save_ast(folder / "ast"),
        "encodec": save_encodec(folder / "encodec"),
        "w2v-bert": save_w2v_bert(folder / "w2v-bert"),
    }


def sound(n_samples, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)


def layers_of(network, waveforms):
    with torch.no_grad():
        values = list(network.taps(torch.tensor(waveforms), range(len(network.layers))))
    return {layer.name: value for layer, value in zip(network.layers, values, strict=True)}


def audio_features(folder, inputs):
    """The joint embedding of the library: a tensor in 4.57, an object in 5."""
    with torch.no_grad():
        out = transformers.ClapModel.from_pretrained(folder).eval().get_audio_features(**inputs)
    return out if torch.is_tensor(out) else out.pooler_output


@pytest.mark.parametrize("enable_fusion", [False, True])
def test_clap_is_the_librarys_with_its_own_front_end(tmp_path, enable_fusion):
    folder = save_clap(tmp_path / "clap", enable_fusion=enable_fusion)
    network = get_network("clap", weights=folder)
    waveforms = np.stack([sound(480_000, seed) for seed in (0, 1)])
    extractor = transformers.ClapFeatureExtractor.from_pretrained(folder)
    inputs = extractor(list(waveforms), sampling_rate=48_000, return_tensors="pt")
    inputs["is_longer"] = torch.zeros(2, 1, dtype=torch.bool)  # the library draws one at random
    ours = network.spectrogram(torch.tensor(waveforms))
    torch.testing.assert_close(ours, inputs["input_features"][:, 0], atol=2e-3, rtol=0)
    layers = layers_of(network, waveforms)
    torch.testing.assert_close(
        layers["embedding"], audio_features(folder, inputs), atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close(layers["embedding"].norm(dim=1), torch.ones(2))


@pytest.mark.parametrize(("name", "layer"), [("clap", "patches"), ("ast", "patches")])
def test_time_of_the_sound_is_time_of_the_layer(folders, name, layer):
    """A click changes the steps at its place and, before any attention, no others."""
    network = get_network(name, weights=folders[name])
    quiet = sound(network.front_end.window)
    for share in (0.1, 0.4, 0.8):
        click = quiet.copy()
        place = int(share * len(click))
        click[place : place + 200] += 3.0
        maps = layers_of(network, np.stack([quiet, click]))[layer]
        change = (maps[1] - maps[0]).abs().sum(dim=(0, 2))
        steps = np.flatnonzero(change.numpy() > 0.01 * change.max().item())
        middle = (steps.mean() + 0.5) / maps.shape[2]
        assert middle == pytest.approx(share, abs=0.015)
        assert len(steps) <= 8


def test_ast_is_the_librarys_with_its_own_front_end(folders):
    network = get_network("ast", weights=folders["ast"])
    waveform = sound(160_000)
    extractor = transformers.ASTFeatureExtractor.from_pretrained(folders["ast"])
    inputs = extractor(waveform, sampling_rate=16_000, return_tensors="pt")
    ours = network.spectrogram(torch.tensor(waveform)[None])
    torch.testing.assert_close(ours, inputs["input_values"], atol=5e-4, rtol=0)
    model = transformers.ASTForAudioClassification.from_pretrained(folders["ast"]).eval()
    with torch.no_grad():
        expected = model(**inputs).logits
    layers = layers_of(network, waveform[None])
    torch.testing.assert_close(layers["logits"], expected, atol=1e-4, rtol=1e-3)
    assert layers["block2"].shape == (1, 16, 99, 12)


def test_encodec_gives_the_latents_that_the_codec_quantises(folders):
    network = get_network("encodec", weights=folders["encodec"])
    waveform = sound(24_000)
    layers = layers_of(network, waveform[None])
    model = transformers.EncodecModel.from_pretrained(folders["encodec"]).eval()
    with torch.no_grad():
        latents = model.encoder(torch.tensor(waveform)[None, None])
        codes = model.encode(torch.tensor(waveform)[None, None], bandwidth=1.5).audio_codes
        ours = model.quantizer.encode(layers["latents"], 1.5)
    torch.testing.assert_close(layers["latents"], latents, atol=1e-5, rtol=1e-4)
    assert torch.equal(ours.transpose(0, 1), codes[0])
    assert [layer.n_times for layer in network.layers] == [24_000, 12_000, 3000, 600, 75, 75, 75]


def test_w2v_bert_is_the_librarys_with_its_own_front_end(folders):
    network = get_network("w2v-bert", weights=folders["w2v-bert"])
    waveform = sound(160_000)
    extractor = transformers.SeamlessM4TFeatureExtractor.from_pretrained(folders["w2v-bert"])
    inputs = extractor(waveform, sampling_rate=16_000, return_tensors="pt")
    ours = network.spectrogram(torch.tensor(waveform)[None])
    torch.testing.assert_close(ours, inputs["input_features"], atol=5e-3, rtol=0)
    model = transformers.Wav2Vec2BertModel.from_pretrained(folders["w2v-bert"]).eval()
    with torch.no_grad():
        expected = model(**inputs).last_hidden_state
    layers = layers_of(network, waveform[None])
    torch.testing.assert_close(layers["block2"], expected.transpose(1, 2), atol=5e-3, rtol=1e-3)
    assert [layer.n_times for layer in network.layers] == [499, 499, 499]


def test_stereo_codecs_are_refused(tmp_path):
    with pytest.raises(InputInvalidError, match="2 audio channels"):
        get_network("encodec", weights=save_encodec(tmp_path / "two", audio_channels=2))


@pytest.mark.parametrize(
    ("name", "class_name", "n_parameters"),
    [("clap", "Clap", 28e6), ("ast", "AudioSpectrogramTransformer", 86e6)],
)
def test_published_sizes(name, class_name, n_parameters):
    module = __import__(f"bidsapp.audio.networks.{name}", fromlist=[class_name])
    network = getattr(module, class_name)
    config = network.default_config()
    with torch.device("meta"):
        model = getattr(transformers, network.architecture)(config)
    total = sum(parameter.numel() for parameter in model.parameters())
    assert total == pytest.approx(n_parameters, rel=0.05)
    layers = {layer.name: layer for layer in network.list_layers(config)}
    if name == "clap":
        assert list(layers) == [
            "patches",
            *(f"stage{i}" for i in range(1, 5)),
            "pooled",
            "embedding",
        ]
        assert (layers["stage4"].n_channels, layers["stage4"].n_times) == (768, 32)
    else:
        assert len(layers) == 14
        assert layers["block12"].n_channels == 768


def test_captions_are_embedded_as_the_library_does_it(folders):
    ours = embed_texts(folders["clap"], CAPTIONS)
    assert ours.shape == (3, 512)
    assert ours.dtype == np.float32
    model = transformers.ClapModel.from_pretrained(folders["clap"]).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders["clap"])
    for row, caption in zip(ours, CAPTIONS, strict=True):
        with torch.no_grad():
            out = model.get_text_features(**tokenizer(caption, return_tensors="pt"))
        expected = (out if torch.is_tensor(out) else out.pooler_output)[0]
        np.testing.assert_allclose(row, expected / expected.norm(), atol=1e-5)
    assert embed_texts(folders["clap"], []).shape == (0, 512)
    assert embed_texts(folders["clap"], ["piano " * 200]).shape == (1, 512)
    with pytest.raises(InputInvalidError, match="caption 2 of 2 is empty"):
        embed_texts(folders["clap"], ["a", " "])


def test_a_space_is_named_by_its_projection_alone(folders, tmp_path):
    own = space_id(folders["clap"])
    assert get_network("clap", weights=folders["clap"]).weights["space"] == own
    half = transformers.ClapModel.from_pretrained(folders["clap"]).half()
    half.save_pretrained(tmp_path / "half")
    assert space_id(tmp_path / "half") == own
    text = transformers.ClapTextModelWithProjection.from_pretrained(folders["clap"])
    text.save_pretrained(tmp_path / "text")
    assert space_id(tmp_path / "text") == own
    assert space_id(save_clap(tmp_path / "other", seed=5)) != own
    assert space_id(folders["ast"]) == ""


@pytest.mark.parametrize("name", ["clap", "ast", "encodec", "w2v-bert"])
def test_identity_follows_the_weights(folders, tmp_path, name):
    first = get_network(name, weights=folders[name])
    copy = shutil.copytree(folders[name], tmp_path / folders[name].name)
    assert get_network(name, weights=copy).identity() == first.identity()
    permuted = [
        get_network(name, weights=f"permuted:{folders[name]}", seed=seed) for seed in (1, 1, 2)
    ]
    assert permuted[0].weights["source"] == "permuted"
    assert permuted[0].identity() == permuted[1].identity() != permuted[2].identity()
    waveform = sound(first.front_end.window)[None]
    values = [layers_of(net, waveform)[first.layers[-1].name] for net in (first, *permuted)]
    assert torch.equal(values[1], values[2])
    assert not torch.allclose(values[0], values[1], rtol=1e-2)
    state = load_file(copy / "model.safetensors")
    key = next(key for key in state if "projection.linear1.weight" in key or state[key].ndim > 2)
    state[key] = state[key] + 1
    save_file(state, copy / "model.safetensors", {"format": "pt"})
    assert get_network(name, weights=copy).identity() != first.identity()


def test_folders_that_are_no_such_model_are_refused(folders, tmp_path):
    with pytest.raises(ResourceUnavailableError, match="fetch clap-music"):
        get_network("clap", weights="music", weights_dir=tmp_path)
    with pytest.raises(ResourceUnavailableError, match="no such folder"):
        get_network("clap", weights=tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputMissingError, match=r"no config\.json here"):
        get_network("clap", weights=tmp_path / "empty")
    with pytest.raises(InputInvalidError, match="type 'encodec', clap needs 'clap'"):
        get_network("clap", weights=folders["encodec"])
    copy = shutil.copytree(folders["ast"], tmp_path / "ast")
    state = load_file(copy / "model.safetensors")
    gone = next(key for key in state if key.endswith("dense.weight"))
    kept, path = {k: v for k, v in state.items() if k != gone}, copy / "model.safetensors"
    save_file(kept, path, {"format": "pt"})
    with pytest.raises(InputInvalidError, match=r"1 parameters of ASTFor.* are missing"):
        get_network("ast", weights=copy)
    save_file(state | {gone: state[gone] * torch.nan}, path, {"format": "pt"})
    with pytest.raises(InputInvalidError, match="NaN or infinite"):
        get_network("ast", weights=copy)
    path.write_bytes(b"nothing")
    with pytest.raises(InputInvalidError, match="cannot be loaded"):
        get_network("ast", weights=copy)
    (copy / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputInvalidError, match="is no JSON"):
        get_network("ast", weights=copy)


def test_settings_of_a_folder_reach_the_front_end(folders, tmp_path):
    copy = shutil.copytree(folders["clap"], tmp_path / "clap")
    path = copy / "preprocessor_config.json"
    settings = json.loads(path.read_text()) | {"nb_max_samples": 336_000, "frequency_min": 50}
    path.write_text(json.dumps(settings))
    network = get_network("clap", weights=copy)
    assert network.window_s == 7.0
    assert network.identity() != get_network("clap", weights=folders["clap"]).identity()
    assert np.isfinite(layers_of(network, sound(336_000)[None])["embedding"].numpy()).all()
