"""`musicotopy-tools fetch`: weights, templates and atlases, before a run that opens no socket."""

from __future__ import annotations

import argparse
import dataclasses
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bidsapp.errors import UsageError
from bidsapp.fetch.table import BUNDLES

_QUERIED: Final = ("templates", "atlases", "neuromaps")
"""Names that queries may follow."""


def add(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand.

    Parameters
    ----------
    tools
        Subparsers of `musicotopy-tools`.
    """
    text = (
        "Fetch network weights, templates and atlases. Hashes are checked and recorded in "
        "SHA256SUMS; what is there is left alone; an interrupted fetch goes on where it stopped."
    )
    listed = "\n".join(
        f"  {bundle.name:<18} {bundle.summary}\n{'':21}licence: {bundle.licence}"
        for bundle in BUNDLES.values()
    )
    tool = tools.add_parser(
        "fetch",
        help="Fetch network weights, templates and atlases.",
        description=textwrap.fill(text, 79),
        epilog=f"names:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tool.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="Names below; templates, atlases and neuromaps may be followed by what is wanted.",
    )
    tool.add_argument(
        "--weights-dir",
        type=Path,
        default=Path("weights"),
        metavar="DIR",
        help="Folder for weights (default: weights).",
    )
    tool.add_argument(
        "--templates-dir",
        type=Path,
        metavar="DIR",
        help="Folder for templates and atlases. Default: TEMPLATEFLOW_HOME, else "
        "~/.cache/templateflow.",
    )
    tool.add_argument(
        "--mirror",
        metavar="URL",
        help="Address that has the same files under the same names, instead of the authors'.",
    )
    tool.add_argument(
        "--wheel",
        type=Path,
        metavar="FILE",
        help="musicnn: the package's wheel on this machine, instead of asking pip for it.",
    )
    tool.add_argument(
        "--non-commercial",
        action="store_true",
        help="Fetch weights whose licence forbids commercial use, too.",
    )
    tool.add_argument(
        "--accept-terms",
        action="store_true",
        help="Accept the terms of use that are shown (hcp-mmp).",
    )
    tool.add_argument("-q", "--quiet", action="store_true", help="Show no progress.")
    tool.set_defaults(function=_fetch)


def _wanted(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Read names and, after those that take them, their queries.

    Raises
    ------
    UsageError
        A word is neither.
    """
    wanted: list[tuple[str, list[str]]] = []
    for word in words:
        if word in BUNDLES:
            wanted.append((word, []))
        elif wanted and wanted[-1][0] in _QUERIED:
            wanted[-1][1].append(word)
        else:
            msg = f"fetch {word}: no such name; known are {', '.join(BUNDLES)}"
            raise UsageError(msg)
    return wanted


def _show_queried(
    name: str, wishes: Sequence[str], folder: Path, options: argparse.Namespace
) -> None:
    from bidsapp.fetch.annotations import fetch_annotations
    from bidsapp.fetch.templates import fetch_templates

    answers = (
        fetch_annotations(wishes, folder, quiet=options.quiet)
        if name == "neuromaps"
        else fetch_templates(name, wishes, folder, mirror=options.mirror, quiet=options.quiet)
    )
    for licence, paths in answers:
        print(f"{name}: licence {licence}")
        for path in paths:
            print(f"  {path}")


def _fetch(options: argparse.Namespace) -> None:
    from bidsapp.bids.neuromaps import neuromaps_folder
    from bidsapp.bids.templateflow import templateflow_home

    folders = {
        "weights": options.weights_dir,
        "templates": options.templates_dir or templateflow_home(),
        "annotations": neuromaps_folder(),
    }
    for name, wishes in _wanted(options.names):
        bundle = BUNDLES[name]
        folder = folders[bundle.kind]
        if name in _QUERIED:
            _show_queried(name, wishes, folder, options)
        else:
            _show_bundle(name, folder, options)
        print(f"  use: {bundle.use.replace('DIR', str(folder))}")


def _show_bundle(name: str, folder: Path, options: argparse.Namespace) -> None:
    from bidsapp.fetch.download import fetch_bundle
    from bidsapp.fetch.hub import hub_files
    from bidsapp.fetch.packages import PACKAGES, fetch_package

    bundle = BUNDLES[name]
    print(f"{name}: licence {bundle.licence}")
    if bundle.consent and not getattr(options, bundle.consent[2:].replace("-", "_")):
        msg = f"{name}: licence {bundle.licence}; fetch it with {bundle.consent} if that fits"
        raise UsageError(msg)
    if name in PACKAGES:
        paths = fetch_package(PACKAGES[name], folder, options.wheel)
    elif bundle.repository:
        files = hub_files(bundle.repository, options.mirror)
        listed = dataclasses.replace(bundle, files=files)
        paths = fetch_bundle(listed, folder, quiet=options.quiet)
    else:
        paths = fetch_bundle(bundle, folder, mirror=options.mirror, quiet=options.quiet)
    for path in paths:
        print(f"  {path}")
