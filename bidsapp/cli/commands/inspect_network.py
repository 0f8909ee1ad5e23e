"""`musicotopy-tools inspect-network`: what an ONNX model offers, and a description to fill in."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

_TEMPLATE = """\
# Input of {model}. Save as {toml} beside the model; see docs/networks.md.
sampling_hz = {rate}
window_samples = {samples}      # of one frame

[input]
kind = "{kind}"               # "waveform" or "mel"
layout = {layout}

{mel}[layers]
# names = [{first}]   # default: all taps above
# time_axis = 2                 # of taps with four axes, if it is not the first after channels
"""
_MEL = """\
[mel]                           # as the model was trained; every value matters
n_fft = 512
win_length = 512
hop_length = 160
n_mels = {n_mels}
lowest_hz = 0.0
highest_hz = 0.0                # 0: half the sampling rate
power = 2.0
scale = "slaney"                # or "htk"
norm = "slaney"                 # or "none"
compression = "log"             # log and log10 of gain * x + offset, db, none
gain = 1.0
offset = 1e-6
centre = false

"""


def add(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    text = (
        "List the layers that --network onnx:FILE would use, with their shapes, and print a TOML "
        "description of the model's input to fill in."
    )
    tool = tools.add_parser("inspect-network", help=text, description=text)
    tool.add_argument("model", type=Path, help="ONNX model.")
    tool.set_defaults(function=_inspect)


def _inspect(options: argparse.Namespace) -> None:
    from bidsapp.audio.onnx_graph import find_taps, load_graph, tensor_shapes
    from bidsapp.errors import InputMissingError
    from bidsapp.text import text_table

    path: Path = options.model
    if not path.is_file():
        msg = f"{path}: there is no such file"
        raise InputMissingError(msg)
    model = load_graph(path)
    shapes, taps = tensor_shapes(model), find_taps(model)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [item.name for item in model.graph.input if item.name not in weights]
    for name in inputs:
        print(f"input {name}: {_spelled(shapes.get(name, ()))}")
    rows: list[dict[str, Any]] = [
        {
            "tap": number,
            "name": tap.name,
            "kind": tap.kind,
            "shape": _spelled(shapes.get(tap.name, ())),
            "channels": "last" if tap.channels_last else "first",
        }
        for number, tap in enumerate(taps, start=1)
    ]
    print(text_table(rows, ("tap", "name", "kind", "shape", "channels")))
    toml = path.with_suffix(".toml")
    if toml.is_file():
        _print_layers(path)
    else:
        first = taps[0].name if taps else ""
        print(f"\n{_description(path, shapes.get(inputs[0], ()), first)}")


def _print_layers(path: Path) -> None:
    """Run the model once with its description and print the layers it gives."""
    from bidsapp.audio.networks import DEFAULT_HOP_S, get_network, network_weights
    from bidsapp.text import text_table

    name = f"onnx:{path}"
    network = get_network(name, weights=network_weights(name, "pretrained"), hop_s=DEFAULT_HOP_S)
    print(f"\nlayers with {path.with_suffix('.toml').name}, window {network.window_s:.3f} s:")
    rows = [
        {
            "layer": number,
            "name": layer.name,
            "features": layer.n_features,
            "channels": layer.n_channels,
            "times": layer.n_times,
        }
        for number, layer in enumerate(network.layers, start=1)
    ]
    print(text_table(rows, ("layer", "name", "features", "channels", "times")))


def _spelled(shape: tuple[int | str, ...]) -> str:
    return " x ".join(map(str, shape)) or "unknown"


def _description(path: Path, shape: tuple[int | str, ...], first: str) -> str:
    """Write a description whose kind and layout are guessed from the input's rank."""
    sizes = [size if isinstance(size, int) else 0 for size in shape]
    is_mel = sum(size != 1 for size in sizes[1:]) == 2
    axes = iter(["time", "mel"] if is_mel else ["samples"])
    layout = [
        "batch" if place == 0 else 1 if size == 1 else next(axes, 1)
        for place, size in enumerate(sizes)
    ]
    known = [size for size in sizes[1:] if size > 1]
    samples = known[0] if known else 16_000
    if is_mel:
        samples = (samples - 1) * 160 + 512 if len(known) == 2 else 16_000
    return _TEMPLATE.format(
        model=path.name,
        toml=path.with_suffix(".toml").name,
        rate=16_000,
        samples=samples,
        kind="mel" if is_mel else "waveform",
        layout=str(layout).replace("'", '"'),
        mel=_MEL.format(n_mels=known[-1] if known else 64) if is_mel else "",
        first=f'"{first}"',
    )
