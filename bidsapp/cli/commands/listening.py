"""`musicotopy-tools listening-test` and `listening-score`: what people hear in reconstructions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bidsapp.audio.listening import Excerpt


def add(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands."""
    text = (
        "Make a page on which listeners choose the original that each reconstruction belongs to, "
        "and the key to score their answers. Reconstructions stand in one folder per condition "
        "(retrieved, generated, random); their names begin with those of the originals."
    )
    tool = tools.add_parser("listening-test", help="Make a listening test.", description=text)
    tool.add_argument("originals", type=Path, help="Folder with the originals.")
    tool.add_argument("reconstructions", type=Path, help="Folder with one folder per condition.")
    tool.add_argument("page", type=Path, help="HTML file; the key is written as PAGE_key.tsv.")
    tool.add_argument(
        "--options", type=int, default=2, metavar="N", help="Originals per trial (default: 2)."
    )
    tool.add_argument(
        "--seconds", type=float, default=10.0, metavar="S", help="Longest excerpt (default: 10)."
    )
    tool.add_argument("--seed", type=int, default=0, metavar="INT", help="Default 0.")
    tool.add_argument("--title", default="Listening test", help="Of the page.")
    tool.set_defaults(function=_make)
    text = "Test the answers that listeners saved, with the key of their page."
    tool = tools.add_parser("listening-score", help=text, description=text)
    tool.add_argument("key", type=Path, help="PAGE_key.tsv.")
    tool.add_argument("answers", type=Path, nargs="+", help="Saved answers.")
    tool.set_defaults(function=_score)


def _make(options: argparse.Namespace) -> None:
    from bidsapp.audio.listening import Excerpt, make_trials, write_key
    from bidsapp.errors import InputMissingError, UsageError
    from bidsapp.report.listening import write_listening_page

    if options.options < 2 or not 0 < options.seconds < float("inf"):
        msg = (
            f"--options {options.options}, --seconds {options.seconds:g}: give 2 or more, above 0"
        )
        raise UsageError(msg)
    originals = _sounds(options.originals)
    conditions = {}
    folders = options.reconstructions.glob("*/") if options.reconstructions.is_dir() else ()
    for folder in sorted(folders):
        conditions[folder.name] = _matched(_sounds(folder), originals)
    if not any(conditions.values()):
        msg = (
            f"{options.reconstructions}: no folder here has a sound whose name begins with that "
            f"of an original, such as {next(iter(originals), 'CLIP')}_sample-1.flac"
        )
        raise InputMissingError(msg)
    clips = {clip: Excerpt(path) for clip, path in originals.items()}
    trials = make_trials(clips, conditions, seed=options.seed, n_options=options.options)
    write_listening_page(
        trials, options.page, title=options.title, seed=options.seed, seconds=options.seconds
    )
    key = options.page.with_name(f"{options.page.stem}_key.tsv")
    write_key(trials, key, options.seed)
    print(f"{options.page}: {len(trials)} trials of {options.options} options")
    print(f"{key}: keep it from the listeners")


def _matched(made: dict[str, Path], originals: dict[str, Path]) -> dict[str, Excerpt]:
    """Original → the first reconstruction whose name begins with it, at the end of a word."""
    from bidsapp.audio.listening import Excerpt

    matched: dict[str, Excerpt] = {}
    for name, path in made.items():
        begins = [
            clip
            for clip in originals
            if name.startswith(clip) and not name[len(clip) : len(clip) + 1].isalnum()
        ]
        if begins:
            matched.setdefault(max(begins, key=len), Excerpt(path))
    return matched


def _sounds(folder: Path) -> dict[str, Path]:
    """Sounds of a folder by their names without extension."""
    from bidsapp.bids.sounds import SoundLibrary
    from bidsapp.errors import InputMissingError

    files = SoundLibrary.open([folder]).files
    if not files:
        msg = f"{folder}: there is no sound here; name a folder of sounds"
        raise InputMissingError(msg)
    return {path.stem: path for _, path in sorted(files.items())}


def _score(options: argparse.Namespace) -> None:
    from bidsapp.audio.listening import score_answers
    from bidsapp.results.inferences import INFERENCES
    from bidsapp.text import text_table

    rows = [
        {
            "condition": condition,
            "trials": test.n_trials,
            "answers": test.n_answers,
            "correct": f"{test.n_correct} ({test.accuracy:.1%})",
            "chance": f"{test.chance:.1%}",
            "p": f"{test.p:.2g}",
        }
        for condition, test in score_answers(options.key, options.answers).items()
    ]
    print(text_table(rows, ("condition", "trials", "answers", "correct", "chance", "p")))
    print(INFERENCES["listening_choices"].claim)
