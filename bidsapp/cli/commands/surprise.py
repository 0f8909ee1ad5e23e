"""`musicotopy-tools surprise`: how unexpected the harmony of each half second is."""

from __future__ import annotations

import argparse
from pathlib import Path

_STEP_S = 0.5


def add(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    text = (
        "Write how unexpected the pitch classes of each half second are after those before it, "
        "learned from all other sounds, as features for --network features:OUT."
    )
    tool = tools.add_parser("surprise", help=text, description=text)
    tool.add_argument("sounds", type=Path, help="Folder of sounds, one piece each.")
    tool.add_argument("out", type=Path, help="NPZ file to write.")
    tool.add_argument(
        "--order", type=int, default=2, metavar="N", help="Sets before that are looked at (2)."
    )
    tool.add_argument("-q", "--quiet", action="store_true", help="Show no progress.")
    tool.set_defaults(function=_surprise)


def _surprise(options: argparse.Namespace) -> None:
    import io

    import numpy as np

    from bidsapp.audio.networks.consonance import pitch_class_sets
    from bidsapp.bids.atomic import write_bytes
    from bidsapp.cli.commands.features import list_sounds
    from bidsapp.errors import InputInvalidError, UsageError
    from bidsapp.models.pitch_class_sets import surprises
    from bidsapp.progress import track

    if options.order < 0:
        msg = f"--order {options.order}: give 0 or more"
        raise UsageError(msg)
    sounds = list_sounds(options.sounds)
    if len(sounds) < 2:
        msg = f"{options.sounds}: surprise is learned from the other sounds; give two or more"
        raise InputInvalidError(msg)
    quiet = options.quiet
    pieces = [
        pitch_class_sets(path, _STEP_S)
        for _, path in track(sounds, total=len(sounds), label="sounds", quiet=quiet)
    ]
    arrays: dict[str, np.ndarray] = {}
    for (name, _), bits in zip(sounds, surprises(pieces, options.order), strict=True):
        if bits.size:
            arrays[f"{name}/time"] = _STEP_S * (np.arange(bits.size) + 0.5)
            arrays[f"{name}/surprise"] = bits[:, None].astype(np.float32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(options.out, buffer.getvalue())
    print(f"{options.out}: surprise in bits of {len(arrays) // 2} sounds, every {_STEP_S:g} s")
    print(f"  use: --network features:{options.out}")
