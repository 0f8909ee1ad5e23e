"""`musicotopy-tools features`: layers of a network over sounds, to use elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from bidsapp.audio.networks import DEFAULT_HOP_S


def add(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    text = (
        "Write every layer's principal components and channel averages for each sound, at the "
        "network's rate and on a grid of volumes, as _stim.tsv.gz with sidecars (and Parquet)."
    )
    tool = tools.add_parser("features", help=text, description=text)
    tool.add_argument("sounds", type=Path, help="A sound, or a folder of sounds.")
    tool.add_argument("out_dir", type=Path, help="Folder to write.")
    tool.add_argument(
        "--network", required=True, metavar="NAME", help="As --network of musicotopy."
    )
    tool.add_argument(
        "--weights",
        default="pretrained",
        metavar="pretrained|random|permuted|FILE",
        help="As --weights of musicotopy (default: pretrained).",
    )
    tool.add_argument("--weights-dir", type=Path, metavar="DIR", help="Folder with weights.")
    tool.add_argument("--seed", type=int, default=0, metavar="INT", help="Of controls.")
    tool.add_argument(
        "--hop-s",
        type=float,
        default=DEFAULT_HOP_S,
        metavar="S",
        help=f"Time between frames in seconds (default: {DEFAULT_HOP_S}).",
    )
    tool.add_argument("--tr", type=float, metavar="S", help="Repetition time of the grid.")
    tool.add_argument(
        "--components", type=int, default=50, metavar="N", help="Of each layer (default: 50)."
    )
    tool.add_argument(
        "--kinds",
        nargs="+",
        choices=("components", "channels"),
        default=("components", "channels"),
        help="What to write (default: both).",
    )
    tool.add_argument("--mem", default="2G", metavar="SIZE", help="Memory bound (default: 2G).")
    tool.add_argument("-w", "--work-dir", type=Path, metavar="DIR", help="Keep caches here.")
    tool.add_argument("-q", "--quiet", action="store_true", help="Show no progress.")
    tool.set_defaults(function=_features)


def _features(options: argparse.Namespace) -> None:
    import tempfile

    from bidsapp.audio.networks import get_network, network_weights
    from bidsapp.config import parse_memory, weights_folder
    from bidsapp.errors import UsageError
    from bidsapp.features.export import Export, export_features

    if options.tr is not None and options.tr <= 0:
        msg = f"--tr {options.tr}: give the repetition time in seconds, above 0"
        raise UsageError(msg)
    if options.components < 1:
        msg = f"--components {options.components}: give a positive number"
        raise UsageError(msg)
    network = get_network(
        options.network,
        weights=network_weights(options.network, options.weights),
        weights_dir=options.weights_dir or weights_folder(),
        seed=options.seed,
        hop_s=options.hop_s,
    )
    export = Export(
        kinds=tuple(options.kinds),
        n_components=options.components,
        tr_s=options.tr,
        memory_bytes=parse_memory(options.mem) // 2,
        quiet=options.quiet,
    )
    stimuli = list_sounds(options.sounds)
    with tempfile.TemporaryDirectory() as scratch:
        cache_dir = options.work_dir / "features" if options.work_dir else Path(scratch)
        options.out_dir.mkdir(parents=True, exist_ok=True)
        for path in export_features(stimuli, network, options.out_dir, cache_dir, export):
            print(path)


def list_sounds(path: Path) -> list[tuple[str, Path]]:
    """List the sounds of a folder by their relative paths, or the one that is named.

    Raises
    ------
    InputMissingError
        There is none.
    """
    from bidsapp.bids.sounds import SoundLibrary
    from bidsapp.errors import InputMissingError

    if path.is_file():
        return [(path.name, path)]
    sounds = list(SoundLibrary.open([path]).files.items())
    if not sounds:
        msg = f"{path}: there is no sound here; name a sound file or a folder of sounds"
        raise InputMissingError(msg)
    return sounds
