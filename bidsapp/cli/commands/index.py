"""`musicotopy-tools index`: embeddings of a corpus of music, for retrieval."""

from __future__ import annotations

import argparse
from pathlib import Path

from bidsapp.audio.networks import FAMILIES


def add(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    text = (
        "Embed every window of the sounds below a folder with one layer of a network, for the "
        "retrieval of music. A stopped run goes on where it was."
    )
    tool = tools.add_parser("index", help=text, description=text)
    tool.add_argument("corpus", type=Path, help="Folder of sounds; it is not written to.")
    tool.add_argument("out_dir", type=Path, help="Folder of the index.")
    tool.add_argument(
        "--network",
        required=True,
        metavar="NAME[:LAYER]",
        help="As --network of musicotopy; the layer is 'embedding', or the last one before the "
        "network's outputs, unless it is named.",
    )
    tool.add_argument(
        "--weights",
        default="pretrained",
        metavar="pretrained|random|permuted|PATH",
        help="As --weights of musicotopy (default: pretrained).",
    )
    tool.add_argument("--weights-dir", type=Path, metavar="DIR", help="Folder with weights.")
    tool.add_argument("--seed", type=int, default=0, metavar="INT", help="Of random weights.")
    tool.add_argument(
        "--window-s",
        type=float,
        default=10.0,
        metavar="S",
        help="Sound of one embedding in seconds (default: 10).",
    )
    tool.add_argument(
        "--step-s",
        type=float,
        default=10.0,
        metavar="S",
        help="Time between two windows in seconds (default: 10).",
    )
    tool.add_argument("--mem", default="2G", metavar="SIZE", help="Memory bound (default: 2G).")
    tool.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N. Default auto.")
    tool.add_argument("-q", "--quiet", action="store_true", help="Show no progress.")
    tool.set_defaults(function=_index)


def split_layer(name: str) -> tuple[str, str]:
    """Split ``NAME:LAYER`` into network and layer; the layer is empty if none is named.

    Examples
    --------
    >>> split_layer("clap:stage4")
    ('clap', 'stage4')
    >>> split_layer("onnx:/models/a.onnx")
    ('onnx:/models/a.onnx', '')
    """
    prefix, colon, rest = name.partition(":")
    if prefix not in FAMILIES:
        return prefix, rest
    path, colon, layer = rest.rpartition(":")
    if not colon or Path(rest).exists():
        return name, ""
    return f"{prefix}:{path}", layer


def _index(options: argparse.Namespace) -> None:
    from bidsapp.audio.corpus_index import build_index
    from bidsapp.audio.embeddings import embedding_layer
    from bidsapp.audio.networks import DEFAULT_HOP_S, get_network, network_weights
    from bidsapp.bids.sounds import SoundLibrary
    from bidsapp.config import parse_memory, weights_folder
    from bidsapp.errors import InputMissingError, UsageError
    from bidsapp.models.devices import resolve_device

    for flag, value in (("--window-s", options.window_s), ("--step-s", options.step_s)):
        if not 0 < value < float("inf"):
            msg = f"{flag} {value}: give seconds above 0"
            raise UsageError(msg)
    name, wish = split_layer(options.network)
    chosen = {
        "weights": network_weights(name, options.weights),
        "weights_dir": options.weights_dir or weights_folder(),
        "seed": options.seed,
    }
    network = get_network(name, **chosen, hop_s=options.step_s)
    if network.window_s < options.window_s - 1e-6:
        network = get_network(name, **chosen, hop_s=min(DEFAULT_HOP_S, options.step_s))
    names = [layer.name for layer in network.layers]
    if wish and wish not in names:
        msg = f"--network {options.network}: {name} has no layer {wish}; known: {', '.join(names)}"
        raise UsageError(msg)
    sounds = sorted(SoundLibrary.open([options.corpus]).files.items())
    if not sounds:
        msg = f"{options.corpus}: there is no sound here; name a folder of sounds"
        raise InputMissingError(msg)
    index = build_index(
        sounds,
        options.out_dir,
        network,
        embedding_layer(network.layers, wish),
        window_s=options.window_s,
        hop_s=options.step_s,
        memory_bytes=parse_memory(options.mem) // 2,
        device=resolve_device(options.device),
        quiet=options.quiet,
    )
    facts = index.facts
    print(
        f"{options.out_dir}: {facts['n_windows']} windows of {facts['n_pieces']} pieces, "
        f"{facts['space']['network']} {facts['space']['layer']}, "
        f"{facts['space']['n_dimensions']} dimensions"
    )
    for why in facts["left_out"].values():
        print(f"left out: {why}")
