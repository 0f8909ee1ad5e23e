"""`musicotopy-tools match`: which candidates fit which moments of sounds, by their emotion."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bidsapp.audio.networks.base import Network
    from bidsapp.audio.quadrant_match import QuadrantCourse

_HOP_S = 0.48


def add(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    text = (
        "Compare the emotion that the harmonic network predicts for each moment of some sounds "
        "with that of candidates, and write likeness, contrast of valence and arousal, and the "
        "network's uncertainty as a table."
    )
    tool = tools.add_parser("match", help=text, description=text)
    tool.add_argument("sounds", type=Path, help="A sound with moments, or a folder of sounds.")
    tool.add_argument("candidates", type=Path, help="A candidate, or a folder of candidates.")
    tool.add_argument("out", type=Path, help="Table (.tsv) to write; a .json beside it says how.")
    tool.add_argument(
        "--weights",
        default="pretrained",
        metavar="pretrained|random|FILE",
        help="harmonic.pth in --weights-dir, an untrained control, or a file of "
        "`musicotopy-tools train harmony` (default: pretrained).",
    )
    tool.add_argument("--weights-dir", type=Path, metavar="DIR", help="Folder with weights.")
    tool.add_argument("--seed", type=int, default=0, metavar="INT", help="Of random weights.")
    tool.add_argument(
        "--moment-s",
        type=float,
        default=12.0,
        metavar="S",
        help="Length of a moment in seconds (default: 12).",
    )
    tool.add_argument("-q", "--quiet", action="store_true", help="Show no progress.")
    tool.set_defaults(function=_match)


def _match(options: argparse.Namespace) -> None:
    from bidsapp.audio.networks import get_network, network_weights
    from bidsapp.audio.quadrant_match import match_rows
    from bidsapp.bids.atomic import output_errors, write_json, write_tsv
    from bidsapp.cli.commands.features import list_sounds
    from bidsapp.config import weights_folder
    from bidsapp.errors import UsageError
    from bidsapp.models.harmonic.names import MATCH_COLUMNS

    if options.moment_s <= 0:
        msg = f"--moment-s {options.moment_s:g}: give a length in seconds, above 0"
        raise UsageError(msg)
    if options.out.suffix != ".tsv":
        msg = f"{options.out}: name the table .tsv"
        raise UsageError(msg)
    network = get_network(
        "harmonic",
        weights=network_weights("harmonic", options.weights),
        weights_dir=options.weights_dir or weights_folder(),
        seed=options.seed,
        hop_s=_HOP_S,
    )
    sounds, candidates = (
        _courses(list_sounds(path), network, path, quiet=options.quiet)
        for path in (options.sounds, options.candidates)
    )
    rows = list(match_rows(sounds, options.moment_s, candidates))
    with output_errors(options.out):
        options.out.parent.mkdir(parents=True, exist_ok=True)
    write_tsv(options.out, rows, list(MATCH_COLUMNS))
    content = {name: {"Description": text} for name, text in MATCH_COLUMNS.items()}
    facts = {"MomentSeconds": options.moment_s, "Weights": dict(network.weights)}
    write_json(options.out.with_suffix(".json"), content | facts)
    print(f"{options.out}: {len(rows)} rows, {len(sounds)} sounds, {len(candidates)} candidates")
    if options.weights == "random":
        print("random weights: the quadrants mean nothing")


def _courses(
    sounds: list[tuple[str, Path]], network: Network, where: Path, *, quiet: bool
) -> list[QuadrantCourse]:
    """Follow sounds, and say which are too short.

    Raises
    ------
    InputInvalidError
        None of them lasts one window.
    """
    from bidsapp.audio.networks.harmonic import WINDOW_S
    from bidsapp.audio.quadrant_match import quadrant_courses
    from bidsapp.errors import InputInvalidError

    courses = list(quadrant_courses(sounds, network, label=where.name, quiet=quiet))
    if not courses:
        msg = f"{where}: none of its {len(sounds)} sounds lasts {WINDOW_S:g} s; give longer ones"
        raise InputInvalidError(msg)
    known = {course.piece for course in courses}
    for name in (name for name, _ in sounds if name not in known):
        print(f"{name}: shorter than {WINDOW_S:g} s, left out")
    return courses
