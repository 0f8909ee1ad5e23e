"""HuBERT, wav2vec 2.0 and WavLM against torchaudio's own forward pass, on small random models."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys

import pytest
import torch
from torchaudio import pipelines
from torchaudio.models import wav2vec2_model, wavlm_model

from bidsapp.audio.networks import NETWORKS, get_network
from bidsapp.audio.networks.self_supervised import PIPELINES
from bidsapp.errors import InputInvalidError, ResourceUnavailableError

EVERY = pytest.mark.parametrize("name", list(PIPELINES))


def torchaudio_model(name, seed=0):
    bundle = getattr(pipelines, PIPELINES[name])
    make = {"Wav2Vec2": wav2vec2_model, "WavLM": wavlm_model}[bundle._model_type]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(**bundle._params).eval()


def layers_of(network, frames):
    with torch.no_grad():
        taps = network.taps(torch.tensor(frames), range(len(network.layers)))
        return dict(zip([layer.name for layer in network.layers], list(taps), strict=True))


@pytest.fixture
def weights(tmp_path):
    """A folder with the state dict of a small model under the name of the published file."""

    def save(name, former=False):
        model = torchaudio_model(name, seed=4)
        state = model.state_dict()
        if former:
            state = {
                key.replace("parametrizations.weight.original0", "weight_g").replace(
                    "parametrizations.weight.original1", "weight_v"
                ): value
                for key, value in state.items()
            }
            assert any(key.endswith("weight_g") for key in state)
        (file,) = NETWORKS[name].weight_files["speech"]
        torch.save(state, tmp_path / file)
        return model, tmp_path

    return save


@EVERY
@pytest.mark.parametrize("former", [False, True])
def test_layers_are_those_of_torchaudio(name, former, weights, music):
    model, folder = weights(name, former)
    network = get_network(name, weights="speech", weights_dir=folder)
    frames = network.frames(music)[:2]
    ours = layers_of(network, frames)
    for number, frame in enumerate(torch.tensor(frames)):
        with torch.no_grad():
            sound = frame[None]
            if getattr(pipelines, PIPELINES[name])._normalize_waveform:
                sound = torch.nn.functional.layer_norm(sound, sound.shape)
            blocks, _ = model.extract_features(sound)
            convolved, _ = model.feature_extractor(sound, None)
        torch.testing.assert_close(ours["conv7"][number], convolved[0].T)
        for index, block in enumerate(blocks, start=1):
            torch.testing.assert_close(
                ours[f"block{index}"][number], block[0].T, atol=1e-5, rtol=1e-4
            )


def test_early_convolutions_are_averaged_to_20_ms(music):
    network = get_network("hubert-base", seed=2)
    frames = network.frames(music)[:1]
    assert frames.shape[1] == 32_000
    first = network.module.feature_extractor.conv_layers[0]
    with torch.no_grad():
        whole, _ = first(torch.tensor(frames)[:, None], None)
    edges = [(whole.shape[2] * k // 99, -(-whole.shape[2] * (k + 1) // 99)) for k in range(99)]
    expected = torch.stack([whole[..., a:b].mean(dim=2) for a, b in edges], dim=2)
    torch.testing.assert_close(layers_of(network, frames)["conv1"], expected)


@EVERY
def test_published_sizes(name, monkeypatch):
    """Layers of the registry's summary and parameters of the papers, from meta tensors."""
    monkeypatch.undo()  # the published sizes
    bundle = getattr(pipelines, PIPELINES[name])
    large = name.endswith("large")
    assert bundle._params["encoder_num_layers"] == (24 if large else 12)
    assert f"{7 + bundle._params['encoder_num_layers']} layers" in NETWORKS[name].summary
    with torch.device("meta"):
        n_parameters = sum(p.numel() for p in torchaudio_model(name).parameters())
    assert n_parameters == pytest.approx(316e6 if large else 94.5e6, rel=0.01)
    assert NETWORKS[name].weight_files["speech"] == (bundle._path,)


def test_random_is_another_network_than_trained_and_leaves_torchs_numbers(music, weights):
    _, folder = weights("wavlm-base")
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    random = get_network("wavlm-base", seed=5)
    assert torch.equal(torch.rand(3), expected)
    trained = get_network("wavlm-base", weights="speech", weights_dir=folder)
    permuted = get_network("wavlm-base", weights="permuted", weights_dir=folder, seed=3)
    assert (trained.weights["source"], permuted.weights["source"]) == ("file", "permuted")
    frames = random.frames(music)[:1]
    last = [layers_of(network, frames)["block3"] for network in (random, trained, permuted)]
    assert all(torch.isfinite(values).all() for values in last)
    assert len({float(values.std()) for values in last}) == 3


def test_weights_of_another_size_are_refused(weights, monkeypatch):
    _, folder = weights("hubert-base")
    bundle = pipelines.HUBERT_BASE
    monkeypatch.setattr(bundle, "_params", bundle._params | {"encoder_ff_interm_features": 32})
    with pytest.raises(InputInvalidError, match="give a state dict of hubert-base"):
        get_network("hubert-base", weights="speech", weights_dir=folder)


def test_torchaudio_that_does_not_match_is_one_sentence(monkeypatch):
    class Broken(importlib.abc.Loader):
        def exec_module(self, module):
            msg = "undefined symbol: torch_library_impl\nand more"
            raise OSError(msg)

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == "torchaudio":
                return importlib.machinery.ModuleSpec(name, Broken())
            return None

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(ResourceUnavailableError) as refused:
        get_network("wavlm-large")
    version = torch.__version__.partition("+")[0]
    assert f"pip install torchaudio=={version}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_absent_weights_name_the_tool(tmp_path):
    with pytest.raises(ResourceUnavailableError, match="fetch wav2vec2-large"):
        get_network("wav2vec2-large", weights="speech", weights_dir=tmp_path)
