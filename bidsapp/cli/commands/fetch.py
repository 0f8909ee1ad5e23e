"""`musicotopy-tools fetch`: weights, templates and atlases, before a run that opens no socket."""

from __future__ import annotations

import argparse
import dataclasses
import os
import textwrap
from pathlib import Path

from bidsapp.fetch.table import BUNDLES


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
    tool.add_argument("names", nargs="+", choices=tuple(BUNDLES), metavar="NAME")
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
    tool.add_argument("-q", "--quiet", action="store_true", help="Show no progress.")
    tool.set_defaults(function=_fetch)


def _fetch(options: argparse.Namespace) -> None:
    from bidsapp.errors import UsageError
    from bidsapp.fetch.download import fetch_bundle
    from bidsapp.fetch.hub import hub_files
    from bidsapp.fetch.packages import PACKAGES, fetch_package

    home = os.environ.get("TEMPLATEFLOW_HOME") or Path.home() / ".cache" / "templateflow"
    folders = {"weights": options.weights_dir, "templates": options.templates_dir or Path(home)}
    for name in options.names:
        bundle = BUNDLES[name]
        folder = folders[bundle.kind]
        print(f"{name}: licence {bundle.licence}")
        if bundle.non_commercial and not options.non_commercial:
            msg = f"{name}: licence {bundle.licence}; fetch it with --non-commercial if that fits"
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
        print(f"  use: {bundle.use.replace('DIR', str(folder))}")
