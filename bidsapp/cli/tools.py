"""`musicotopy-tools`: first contact with a dataset, simulation, and its truth check."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bidsapp import __version__
from bidsapp.cli.commands import (
    calibrate,
    captions,
    features,
    fetch,
    index,
    inspect_network,
    listening,
    match,
    sbatch,
    status,
    surprise,
    train,
)
from bidsapp.cli.parser import Parser
from bidsapp.errors import (
    AppError,
    InputMissingError,
    OutputError,
    ResourceUnavailableError,
    UsageError,
)
from bidsapp.recipes import RECIPES, truth_checks
from bidsapp.text import silence_output

if TYPE_CHECKING:
    from bidsapp.bids.survey import Survey

T = TypeVar("T")

SCENARIOS = ("plain", "realistic")
DESIGNS = tuple(dict.fromkeys(recipe.design for recipe in RECIPES.values() if recipe.design))
"""Designs of simulations that some recipe can be tried on; the first is the default."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the tools and return its exit code."""
    try:
        options = parse_words(sys.argv[1:] if arguments is None else arguments)
        options.function(options)
        sys.stdout.flush()
    except BrokenPipeError:
        silence_output()
    except AppError as error:
        print(f"musicotopy-tools: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("musicotopy-tools: interrupted", file=sys.stderr)
        return 75
    return 0


def parse_words(words: Sequence[str]) -> argparse.Namespace:
    """Parse the words of a command.

    All behind the first ``--`` of `sbatch` and `calibrate` belong to the app.
    """
    own, behind = list(words), []
    if own[:1] in (["sbatch"], ["calibrate"]) and "--" in own:
        place = own.index("--")
        own, behind = own[:place], own[place + 1 :]
    options = build_parser().parse_args(own)
    if behind:
        options.options = behind
    return options


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of all tools."""
    parser: argparse.ArgumentParser = Parser(prog="musicotopy-tools", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"musicotopy {__version__}")
    tools = parser.add_subparsers(required=True, metavar="TOOL")
    _add_init(tools)
    _add_simulate(tools)
    _add_check_truth(tools)
    for command in (
        fetch,
        inspect_network,
        features,
        captions,
        index,
        listening,
        train,
        match,
        surprise,
        sbatch,
        status,
        calibrate,
    ):
        command.add(tools)
    return parser


def _add_init(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Look at a dataset: what it holds, what is missing for which recipe, what to run."
    tool = tools.add_parser("init", help=text, description=text)
    tool.add_argument("bids_dir", type=Path, help="The dataset; it is not written to.")
    tool.add_argument("--sounds", type=Path, metavar="DIR", help="Folder with the sounds.")
    tool.add_argument(
        "-d",
        "--derivatives",
        nargs="+",
        default=[],
        metavar="NAME=PATH",
        help="Derivative datasets, such as fmriprep=PATH.",
    )
    tool.add_argument(
        "--write",
        type=Path,
        metavar="DIR",
        help="Write the tables to fill in (presentations.tsv, stimuli.tsv) to this folder; "
        "files that are there are kept.",
    )
    tool.set_defaults(function=_init)


def _init(options: argparse.Namespace) -> None:
    from bidsapp.bids.survey import survey
    from bidsapp.bids.survey_text import proposed, survey_tables, survey_text

    if not options.bids_dir.is_dir():
        msg = f"{options.bids_dir}: there is no such folder"
        raise InputMissingError(msg)
    pairs = [item.partition("=") for item in options.derivatives]
    derivatives = {name: Path(path) for name, _, path in pairs}
    found = survey(options.bids_dir, sounds=options.sounds, derivatives=derivatives)
    refused = _refused(found)
    weights = _weights_to_bring(proposed(found, RECIPES, refused))
    print(survey_text(found, RECIPES, weights, refused))
    if options.write is None:
        return
    options.write.mkdir(parents=True, exist_ok=True)
    for name, text in survey_tables(found).items():
        path = options.write / name
        if path.exists():
            print(f"{path} is there already and is kept")
            continue
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}: fill in what it leaves open")


def _refused(found: Survey) -> dict[str, str]:
    """Return why recipes that lack nothing would be refused, by the preflight of a run."""
    from bidsapp.bids.survey_text import command_words, missing_for
    from bidsapp.cli.configure import parse_arguments
    from bidsapp.engine.plan import make_plan
    from bidsapp.engine.preflight import checked

    reasons = {}
    for name, missing in missing_for(found, RECIPES).items():
        if missing:
            continue
        words = [*command_words(found)[1:], "--recipe", name, "--weights", "random"]
        try:
            config = parse_arguments([*words, "--participant-label", found.looked_at[0]])
            errors = [job.error for job in checked(make_plan(config), config).jobs if job.error]
        except AppError as error:
            errors = [error]
        if errors:
            reasons[name] = str(errors[0]).splitlines()[0]
    return reasons


def _weights_to_bring(recipe: str) -> list[str]:
    """Return the commands that bring the weights which a recipe's networks lack here."""
    from bidsapp.audio.networks import Choice, network_entry, network_weights
    from bidsapp.config import weights_folder

    commands = []
    for name in getattr(RECIPES[recipe].variants["robust"], "networks", ()):
        entry = network_entry(name)
        if not entry.weight_files:
            continue
        try:
            Choice(name, network_weights(name, "pretrained"), weights_folder(), 0, 1.0).file()
        except ResourceUnavailableError:
            folder = " --weights-dir weights" if entry.tool.startswith("fetch") else " --help"
            commands.append(
                f"musicotopy-tools {entry.tool}{folder}   (weights of {name}; or --weights "
                "random, the untrained control)"
            )
    return commands


def _add_simulate(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = (
        "Write a BIDS dataset with fMRIPrep derivatives, composed sounds and a planted truth; or "
        "fill the images of a real tree with --like."
    )
    tool = tools.add_parser("simulate", help=text, description=text)
    tool.add_argument("out_dir", type=Path, help="New folder for the dataset.")
    tool.add_argument(
        "--design",
        choices=DESIGNS,
        help=f"{'; '.join(_design_words())} (default: {DESIGNS[0]}).",
    )
    tool.add_argument("--quick", action="store_true", help="As small as it can be: for tests.")
    tool.add_argument("--participants", type=int, metavar="N", help="How many.")
    tool.add_argument("--runs", type=int, metavar="N", help="Runs of each participant.")
    tool.add_argument("--pieces", type=int, metavar="N", help="Pieces of music, or clips.")
    tool.add_argument("--piece-s", type=float, metavar="S", help="Length of a piece or clip.")
    tool.add_argument("--run-s", type=float, metavar="S", help="emotions: length of a run.")
    tool.add_argument("--tr-s", type=float, metavar="S", help="Repetition time.")
    tool.add_argument(
        "--scenario",
        choices=SCENARIOS,
        help="realistic: pieces of 25 to 120 s, slice times not corrected, motion that follows "
        "the loudness with its artefact, weights that differ between neighbours (default: plain).",
    )
    tool.add_argument("--order", choices=["latin", "common"], help="clips: their order.")
    tool.add_argument(
        "--network",
        metavar="NAME",
        help="Whose layers (music; default vggish) or channels (clips, genres) are planted.",
    )
    tool.add_argument(
        "--weights",
        metavar="random|pretrained|permuted|FILE",
        help="music, clips, genres: weights of the planted network (default: random).",
    )
    tool.add_argument("--weights-dir", type=Path, metavar="DIR", help="Folder with weights.")
    tool.add_argument(
        "--leak",
        action="store_true",
        help="emotions: noise that makes a shuffled split look good.",
    )
    tool.add_argument("--snr", type=float, metavar="R", help="Signal-to-noise ratio.")
    tool.add_argument("--voxel-mm", type=int, metavar="MM", help="Voxel size of volumes.")
    tool.add_argument("--spaces", nargs="+", metavar="SPACE", help="Spaces to write.")
    tool.add_argument("--seed", type=int, default=0, metavar="INT", help="Default 0.")
    tool.add_argument("--like", type=Path, metavar="TREE", help="Metadata tree to fill.")
    tool.add_argument("--sounds", type=Path, metavar="DIR", help="Sounds to use with --like.")
    tool.add_argument("--labels", nargs="+", metavar="LABEL", help="Participants of --like.")
    tool.add_argument(
        "-w",
        "--work-dir",
        type=Path,
        metavar="DIR",
        help="Keep the network's features here, for runs of musicotopy with the same -w.",
    )
    tool.set_defaults(function=_simulate)


def _design_words() -> Iterator[str]:
    """Say which recipes each design is for."""
    for design in DESIGNS:
        names = [name for name, recipe in RECIPES.items() if recipe.design == design]
        yield f"{design}: for {' and '.join(names)}"


def _simulate(options: argparse.Namespace) -> None:
    if options.out_dir.exists() and any(options.out_dir.iterdir()):
        msg = f"{options.out_dir}: is not empty; name a new folder or remove it"
        raise OutputError(msg)
    given = {
        "n_participants": options.participants,
        "n_pieces": options.pieces,
        "piece_s": options.piece_s,
        "tree": options.like,
        "participants": tuple(options.labels or ()) or None,
        "sounds": options.sounds,
        "snr": options.snr,
        "n_runs": options.runs,
        "run_s": options.run_s,
        "tr_s": options.tr_s,
        "scenario": options.scenario,
        "order": options.order,
        "network": options.network,
        "weights": options.weights,
        "leak": options.leak or None,
        "voxel_mm": options.voxel_mm,
        "spaces": tuple(options.spaces or ()) or None,
        "seed": options.seed,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    cache_dir = options.work_dir / "features" if options.work_dir is not None else None
    if options.like is not None:
        from bidsapp.simulate.like import LikeOptions, simulate_like

        if options.design is not None or options.quick:
            msg = "--like fills the runs that are there; leave out --design and --quick"
            raise UsageError(msg)
        filling = _options(LikeOptions, chosen, "with --like")
        simulate_like(options.out_dir, filling, cache_dir=cache_dir)
    else:
        from bidsapp.config import weights_folder
        from bidsapp.simulate import dataset

        name = options.design or DESIGNS[0]
        kind = dataset.DESIGNS[name].options
        small = dict(kind.small) if options.quick else {}
        planting = _options(kind, small | chosen, f"with --design {name}")
        dataset.simulate(
            options.out_dir,
            planting,
            cache_dir=cache_dir,
            weights_dir=options.weights_dir or weights_folder(),
        )
    print(f"dataset: {options.out_dir}")


def _options(kind: type[T], chosen: dict[str, Any], when: str) -> T:
    """Make the options of a simulation; refuse those that belong to the other kind."""
    known = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    foreign = sorted(set(chosen) - known)
    if foreign:
        msg = f"{', '.join(foreign)} cannot be chosen {when}"
        raise UsageError(msg)
    return kind(**chosen)


def _add_check_truth(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = (
        "Compare results with the planted truth of a simulated dataset, and print what was found "
        "line by line."
    )
    tool = tools.add_parser("check-truth", help=text, description=text)
    tool.add_argument("data_dir", type=Path, help="Dataset made by simulate.")
    tool.add_argument("output_dir", type=Path, help="Results of musicotopy on it.")
    tool.add_argument("--json", action="store_true", help="Print every figure as JSON instead.")
    tool.set_defaults(function=_check_truth)


def _check_truth(options: argparse.Namespace) -> None:
    from bidsapp.cli.show import show_answer
    from bidsapp.engine.reports import report_path, reported
    from bidsapp.engine.status import read_records
    from bidsapp.simulate.truth import check_truth, findings

    checks = truth_checks()
    found = check_truth(options.data_dir, options.output_dir, checks)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print("\n".join(findings(found, checks)))
    records = read_records(options.output_dir).values()
    written = reported([record for record in records if record.recipe in checks])
    show_answer(written, options.output_dir)
    for recipe, subject in sorted(written, key=lambda item: bool(item[1]))[:1]:
        print(f"Open: {report_path(options.output_dir, recipe, subject)}")


if __name__ == "__main__":
    sys.exit(main())
