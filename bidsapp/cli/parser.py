"""The parser of the command line, made from the table of options; what `--help` prints."""

from __future__ import annotations

import argparse
import os

from bidsapp import __version__
from bidsapp.cli.options import GROUPS, OPTIONS, POSITIONALS, Option
from bidsapp.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_DESCRIPTION = """\
Voxelwise encoding, searchlight RSA and decoding for music-listening fMRI, from fMRIPrep
derivatives and the audio files."""

_EPILOG = """\
exit codes: 0 everything asked for is done; 1 some participants failed (named in the last lines
and in logs/status.json); 2 usage; 3 done, but without runs that could not be used (named in the
last line); 65 invalid input; 66 missing input; 69 weights or templates
not available offline; 70 internal error; 73 output not writable or of another configuration;
75 out of memory or interrupted, the same command goes on where it stopped."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are `UsageError`, in one sentence and without the list of options."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the words of the command.

        Raises
        ------
        UsageError
            Always.
        """
        msg = f"{message}; see {self.prog} --help"
        raise UsageError(msg)


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Make argparse's formatter, whose own look at the terminal imports archive formats."""
    try:
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
    except (OSError, ValueError):
        columns = 80
    return argparse.RawDescriptionHelpFormatter(prog, width=(columns or 80) - 2)


def build_parser() -> argparse.ArgumentParser:
    """Make the argument parser from the table of options."""
    parser = Parser(
        prog="musicotopy",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=_formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"musicotopy {__version__}")
    groups = {key: parser.add_argument_group(title) for key, title in GROUPS.items()}
    for option in POSITIONALS:
        _add_positional(parser, option)
    for option in OPTIONS:
        _add_option(groups[option.group], option)
    groups["workflow"].add_argument(
        "--set",
        action="append",
        default=[],
        metavar="RECIPE.SETTING=VALUE",
        help="Change one setting of a recipe (gradients.n_components=30); may be repeated. "
        "The value is written as in TOML.",
    )
    groups["outputs"].add_argument(
        "--config-file",
        "--config_file",
        metavar="FILE",
        help="TOML file with any of these options, such as the logs/config.toml of an earlier "
        "run; options on the command line override it.",
    )
    groups["outputs"].add_argument(
        "--notrack", action="store_true", help="Accepted and ignored: nothing is ever tracked."
    )
    return parser


def _add_positional(parser: argparse.ArgumentParser, option: Option) -> None:
    extra: dict[str, Any] = {"nargs": "+", "choices": option.choices} if option.many else {}
    parser.add_argument(option.name, help=option.text, **extra)


def _add_option(group: argparse._ArgumentGroup, option: Option) -> None:
    settings: dict[str, Any] = {"dest": option.name, "default": None, "help": option.text}
    if option.kind == "flag":
        settings["action"] = "store_true"
    elif option.kind == "count":
        settings["action"] = "count"
    else:
        settings["metavar"] = option.metavar
        settings["type"] = {"int": int, "float": float}.get(option.kind, str)
        if option.many:
            settings["nargs"] = "+"
            settings["action"] = "extend"
        if option.choices:
            settings["choices"] = option.choices
            settings.pop("metavar")
        if option.default is not None:
            settings["help"] += f" (default: {option.default})"
    group.add_argument(*option.flags, **settings)
