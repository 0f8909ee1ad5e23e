"""ONNX models as networks: taps, front ends, controls, what is refused."""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from bidsapp.audio.io import load_audio
from bidsapp.audio.networks import get_network, network_weights
from bidsapp.audio.networks.front_end import MelFrontEnd
from bidsapp.errors import InputInvalidError, InputMissingError, UsageError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from bidsapp.audio.onnx_graph import find_taps, load_graph  # noqa: E402

WINDOW = 8_000
TOML = f"""\
sampling_hz = 16000
window_samples = {WINDOW}
[input]
kind = "waveform"
layout = ["batch", "samples"]
"""
MEL_TOML = """\
sampling_hz = 16000
window_samples = 8192
[input]
kind = "mel"
layout = ["batch", 1, "mel", "time"]
mean = -2.0
sd = 3.0
[mel]
n_fft = 512
hop_length = 160
n_mels = 40
scale = "htk"
norm = "none"
compression = "log"
offset = 1e-4
"""


class Wave(nn.Module):
    """Convolutions with a residual connection, products with and without bias, attention."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(1, 8, 9, stride=40, padding=4)
        self.second = nn.Conv1d(8, 8, 5, padding=2)
        self.to_key = nn.Linear(8, 6)
        self.to_value = nn.Linear(8, 6, bias=False)
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        a = torch.relu(self.first(x[:, None]))
        self.sum = torch.relu(self.second(a)) + a
        t = self.sum.transpose(1, 2)
        key, value = self.to_key(t), self.to_value(t)
        attention = torch.softmax(key @ key.transpose(1, 2) / 10, dim=2)
        self.context = attention @ value + key
        return self.head(self.norm(self.context).mean(1))


class Mel(nn.Module):
    """Two convolutions over (n, 1, mel, time) and a head."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        y = torch.relu(self.second(torch.relu(self.first(x))))
        return self.head(y.mean(dim=(2, 3)))


def export(module, example, folder, toml, *, dynamic=True):
    path = folder / "my-model.onnx"
    axes = {"x": {0: "batch"}} if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (example,), path, dynamo=False, input_names=["x"], dynamic_axes=axes
        )
    path.with_suffix(".toml").write_text(toml)
    return path


@pytest.fixture
def wave(tmp_path):
    torch.manual_seed(0)
    module = Wave().eval()
    return module, export(module, torch.zeros(2, WINDOW), tmp_path, TOML)


def hooked(module, names, x):
    """Outputs of submodules, by forward hooks."""
    outputs = {}
    for name in names:
        module.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: outputs.setdefault(name, output)
        )
    with torch.no_grad():
        result = module(x)
    return outputs, result


def build(path, weights="pretrained", seed=0, **more):
    name = f"onnx:{path}"
    return get_network(name, weights=network_weights(name, weights), seed=seed, **more)


def test_taps_are_the_modules_own_outputs(wave, music):
    module, path = wave
    network = build(path)
    frames = torch.tensor(network.frames(music)[:5])
    names = ["first", "second", "to_key", "to_value", "head"]
    outputs, _ = hooked(module, names, frames)
    expected = [
        *(outputs["first"], outputs["second"], module.sum),
        *(outputs["to_key"].transpose(1, 2), outputs["to_value"].transpose(1, 2)),
        *(module.context.transpose(1, 2), outputs["head"]),
    ]
    taps = list(network.taps(frames, range(len(network.layers))))
    assert [layer.kind for layer in network.layers] == [
        *("conv", "conv", "add", "dense", "dense", "add", "dense")
    ]
    assert len(taps) == len(expected)
    for tap, values, layer in zip(taps, expected, network.layers, strict=True):
        assert layer.n_features == values[0].numel()
        assert layer.n_channels == values.shape[1]
        torch.testing.assert_close(tap, values, atol=1e-5, rtol=1e-5)
    assert network.layers[0].n_times == 200
    assert network.name == "onnxmymodel"


def test_attention_and_normalisation_are_no_layers(wave):
    _, path = wave
    graph = load_graph(path)
    products = sum(node.op_type in {"MatMul", "Gemm"} for node in graph.graph.node)
    assert products == 5  # key, value, head, and the two of attention
    assert sum(tap.kind == "dense" for tap in find_taps(graph)) == 3


def test_blocks_and_channels_agree_with_the_taps(wave, music):
    _, path = wave
    network = build(path)
    frames = network.frames(music)[:3]
    taps = list(network.taps(torch.tensor(frames), range(len(network.layers))))
    for memory in (2**14, 2**28):
        parts = {}
        for index, columns in network.blocks(frames, memory_bytes=memory):
            parts.setdefault(index, []).append(columns.clone())
        for index, values in enumerate(taps):
            whole = torch.cat(
                [p.reshape(3, network.layers[index].n_times, -1) for p in parts[index]], dim=2
            )
            cells = values if values.ndim > 2 else values[..., None]
            torch.testing.assert_close(whole, cells.transpose(1, 2), atol=1e-5, rtol=1e-5)
    averages = dict(network.channels(frames, memory_bytes=2**28))
    for index, values in enumerate(taps):
        central = values
        if values.ndim > 2:
            central = values[:, :, network.central_times(network.layers[index])].mean(dim=2)
        np.testing.assert_allclose(averages[index], central, atol=1e-5)


def test_mel_front_end_layout_and_time_axis(tmp_path, music):
    torch.manual_seed(0)
    module = Mel().eval()
    path = export(module, torch.zeros(2, 1, 40, 49), tmp_path, MEL_TOML)
    network = build(path)
    frames = torch.tensor(network.frames(music)[:2])
    constants = {"n_mels": 40, "scale": "htk", "norm": "none", "compression": "log"}
    front_end = MelFrontEnd(hop_length=160, offset=1e-4, **constants)
    x = ((front_end(frames) + 2.0) / 3.0).transpose(1, 2)[:, None]
    outputs, _ = hooked(module, ["first", "second", "head"], x)
    taps = list(network.taps(frames, range(3)))
    for tap, name in zip(taps[:2], ("first", "second"), strict=True):
        torch.testing.assert_close(tap, outputs[name].transpose(2, 3), atol=1e-4, rtol=1e-4)
    assert [layer.n_times for layer in network.layers] == [49, 25, 1]
    assert [layer.n_channels for layer in network.layers] == [4, 6, 2]


def test_a_fixed_batch_is_fed_in_portions(tmp_path, music):
    torch.manual_seed(0)
    module = Wave().eval()
    path = export(module, torch.zeros(2, WINDOW), tmp_path, TOML, dynamic=False)
    network = build(path)
    frames = torch.tensor(network.frames(music)[:5])
    outputs, _ = hooked(module, ["first"], frames)
    (tap,) = network.taps(frames, [0])
    torch.testing.assert_close(tap, outputs["first"], atol=1e-5, rtol=1e-5)


def test_layers_can_be_chosen_and_corrected(wave, music):
    _, path = wave
    names = [tap.name for tap in find_taps(load_graph(path))]
    toml = (
        TOML + f'[layers]\nnames = ["{names[3]}", "{names[0]}"]\nchannels_first = ["{names[3]}"]'
    )
    path.with_suffix(".toml").write_text(toml)
    network = build(path)
    assert [layer.name for layer in network.layers] == [names[3], names[0]]
    assert [layer.n_channels for layer in network.layers] == [200, 8]


@pytest.mark.parametrize("control", ["permuted", "random"])
def test_controls_change_kernels_and_say_so(wave, music, control):
    _, path = wave
    trained, one, same, other = (
        build(path),
        *(build(path, control, seed) for seed in (1, 1, 2)),
    )
    assert trained.weights["source"] == "file"
    assert one.weights["source"] == control
    assert one.weights["sha256"] == trained.weights["sha256"]
    assert one.identity() == same.identity()
    assert len({network.identity() for network in (trained, one, other)}) == 3
    frames = torch.tensor(trained.frames(music)[:1])
    values = [next(network.taps(frames, [0])) for network in (trained, one, same, other)]
    torch.testing.assert_close(values[1], values[2])
    assert (values[0] - values[1]).abs().max() > 1e-3
    assert (values[1] - values[3]).abs().max() > 1e-3
    sorted_kernels = []
    for model in (load_graph(path), onnx.load_from_string(one._model)):
        kernel = next(t for t in model.graph.initializer if t.name == "first.weight")
        sorted_kernels.append(np.sort(onnx.numpy_helper.to_array(kernel).ravel()))
    assert np.array_equal(*sorted_kernels) == (control == "permuted")


def test_kernels_that_are_fixed_stay(wave, music):
    _, path = wave
    path.with_suffix(".toml").write_text(TOML + '[weights]\nfixed = ["first.weight"]\n')
    trained, permuted = build(path), build(path, "permuted")
    frames = torch.tensor(trained.frames(music)[:1])
    for index, equal in ((0, True), (1, False)):
        values = [next(network.taps(frames, [index])) for network in (trained, permuted)]
        assert torch.allclose(*values) == equal


def test_what_cannot_work_is_said(wave):
    _, path = wave
    toml = path.with_suffix(".toml")

    def refused(text, message, error=InputInvalidError):
        toml.write_text(text)
        with pytest.raises(error, match=message):
            build(path)

    refused("sampling_hz = 16000", "'input' is missing")
    refused(TOML + "[mel]\nn_mel = 3\n[layer]\n", "has 'layer'; known are")
    refused(TOML.replace("waveform", "mel"), "mel has batch, time and mel")
    refused(TOML.replace(str(WINDOW), "3"), "does not run on input|none of its|cannot run")
    refused(TOML + '[layers]\nnames = ["nothing"]', "'nothing' is no tap of my-model.onnx")
    refused(MEL_TOML.replace("n_mels = 40", "n_mel = 40"), r"\[mel\] has 'n_mel'")
    toml.unlink()
    with pytest.raises(InputMissingError, match="inspect-network"):
        build(path)
    toml.write_text(TOML)
    with pytest.raises(UsageError, match="hop"):
        build(path, hop_s=0.123)
    path.write_bytes(b"no model")
    with pytest.raises(InputInvalidError, match="is no ONNX model"):
        build(path)


@pytest.fixture(scope="session")
def basic_pitch(tmp_path_factory):
    """The model inside the package basic-pitch, if pip can reach it."""
    folder = tmp_path_factory.mktemp("basic_pitch")
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries", "1"),
        *("--dest", str(folder), "basic-pitch==0.4.0"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        pytest.skip("pip cannot download basic-pitch==0.4.0")
    with zipfile.ZipFile(wheels[0]) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("nmp.onnx")]
        with archive.open(name) as source, (folder / "nmp.onnx").open("wb") as target:
            shutil.copyfileobj(source, target)
    (folder / "nmp.toml").write_text(
        "sampling_hz = 22050\nwindow_samples = 43844\n"
        '[input]\nkind = "waveform"\nlayout = ["batch", "samples", 1]\n'
        "[layers]\ntime_axis = 2\n"
    )
    return folder / "nmp.onnx"


def test_a_published_model_hears_notes(basic_pitch):
    """basic-pitch: the last layer is the note posterior, 88 pitches from A0."""
    network = build(basic_pitch, hop_s=0.5)
    time = np.arange(3 * 22_050) / 22_050
    tone = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    frames = torch.tensor(network.frames(tone)[:1])
    names = [layer.name for layer in network.layers]
    assert len(names) == len(set(names)) >= 6
    index = next(i for i, layer in enumerate(network.layers) if "conv2d_3" in layer.name)
    layer = network.layers[index]
    assert (layer.n_channels, layer.n_times, layer.n_features) == (1, 172, 172 * 88)
    (logits,) = network.taps(frames, [index])
    assert int(logits[0, 0, 20:150].mean(dim=0).argmax()) == 48  # A4


@pytest.mark.data
def test_a_real_sound_goes_through_a_published_model(basic_pitch, test_data):
    network = build(basic_pitch, hop_s=1.0)
    (path,) = (test_data / "audio").glob("*trumpet*.ogg")
    frames = network.frames(load_audio(path, network.sampling_hz))
    averages = dict(network.channels(frames, memory_bytes=2**28))
    assert sorted(averages) == list(range(len(network.layers)))
    assert all(np.isfinite(values).all() for values in averages.values())
