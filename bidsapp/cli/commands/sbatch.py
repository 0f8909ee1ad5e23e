"""`musicotopy-tools sbatch`: one participant per element of a SLURM array, then the group."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bidsapp.errors import InputMissingError, UsageError

if TYPE_CHECKING:
    from bidsapp.config import Config

LARGEST_ARRAY: Final = 1000
"""Elements of an array; SLURM's own default limit (MaxArraySize) is 1001."""
_NO_REQUEST: Final = "none"
_OWN_OPTIONS: Final = ("dry_run", "reports_only")


def add(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand.

    Parameters
    ----------
    tools
        Subparsers of `musicotopy-tools`.
    """
    text = (
        "Write SLURM scripts for a dataset: an array with one participant per element, a group "
        "job that waits for it, and submit.sh, which submits both. Nothing is submitted."
    )
    tool = tools.add_parser(
        "sbatch",
        help=text,
        description=text,
        usage="musicotopy-tools sbatch [options] BIDS_DIR OUTPUT_DIR [-- options of musicotopy]",
    )
    tool.add_argument("bids_dir", type=Path, metavar="BIDS_DIR")
    tool.add_argument("output_dir", type=Path, metavar="OUTPUT_DIR")
    tool.set_defaults(options=[])
    tool.add_argument(
        "--scripts-dir",
        type=Path,
        metavar="DIR",
        help="Where the scripts and SLURM's logs go. Default: OUTPUT_DIR/slurm.",
    )
    tool.add_argument(
        "--container", type=Path, metavar="IMAGE.sif", help="Run in this Apptainer image."
    )
    tool.add_argument(
        "--bind", nargs="+", type=Path, default=[], metavar="PATH", help="More folders to show it."
    )
    tool.add_argument("--cpus", type=int, default=4, metavar="N", help="Per job (default: 4).")
    tool.add_argument(
        "--mem",
        default="16G",
        metavar="SIZE",
        help="Per job (default: 16G); none where the cluster refuses a request for memory.",
    )
    tool.add_argument("--time", default="24:00:00", metavar="T", help="Per job (default: 24 h).")
    tool.add_argument(
        "--at-once", type=int, metavar="N", help="Most participants at a time (default: no limit)."
    )
    tool.add_argument(
        "--group-anyway",
        action="store_true",
        help="Run the group level with those who finished, even if others failed.",
    )
    tool.add_argument(
        "--sbatch",
        action="append",
        default=[],
        metavar="OPTION",
        help="One more option of sbatch (--sbatch=--partition=long); may be repeated.",
    )
    tool.set_defaults(function=_sbatch)


def _sbatch(options: argparse.Namespace) -> None:
    from bidsapp.bids.atomic import write_text

    folder = (options.scripts_dir or options.output_dir / "slurm").resolve()
    for name, content in scripts(options, folder).items():
        write_text(folder / name, content)
        print(f"wrote {folder / name}")
    print(f"submit both jobs: bash {shlex.quote(str(folder / 'submit.sh'))}")


def scripts(options: argparse.Namespace, folder: Path) -> dict[str, str]:
    """Make the three scripts.

    Parameters
    ----------
    options
        As parsed by the subcommand.
    folder
        Where they will lie, absolute.

    Returns
    -------
    dict
        File name → text.

    Raises
    ------
    UsageError
        An option cannot be used here, or a path is relative.
    InputMissingError
        The dataset, a participant or the image does not exist.
    """
    labels, config = _participants(options)
    run = _command(options, config)
    n_elements = min(len(labels), LARGEST_ARRAY)
    limit = f"%{options.at_once}" if options.at_once else ""
    array = f"#SBATCH --array=0-{n_elements - 1}{limit}"
    words = "\n".join(shlex.quote(label) for label in labels)
    participants = (
        f"{_head(options, folder, 'participants', '%A_%a')}{array}\nset -euo pipefail\n"
        f"labels=(\n{words}\n)\nmine=()\n"
        f"for ((i = SLURM_ARRAY_TASK_ID; i < ${{#labels[@]}}; i += {n_elements})); do\n"
        '  mine+=("${labels[i]}")\ndone\n'
        f'{run} participant --participant-label "${{mine[@]}}"{_tail(options)}\n'
    )
    chosen = f"--participant-label {' '.join(map(shlex.quote, labels))}"
    group = (
        f"{_head(options, folder, 'group', '%j')}set -euo pipefail\n"
        f"{run} group {chosen}{_tail(options)}\n"
    )
    kind = "afterany" if options.group_anyway else "afterok"
    submit = (
        "#!/bin/bash\nset -euo pipefail\n"
        f"mkdir -p {shlex.quote(str(folder / 'logs'))}\n"
        f"array=$(sbatch --parsable {shlex.quote(str(folder / 'participants.sbatch'))})\n"
        f'group=$(sbatch --parsable --dependency="{kind}:${{array%%;*}}" \\\n'
        f"  --kill-on-invalid-dep=yes {shlex.quote(str(folder / 'group.sbatch'))})\n"
        'echo "participants: job $array; group: job $group"\n'
    )
    return {"participants.sbatch": participants, "group.sbatch": group, "submit.sh": submit}


def _participants(options: argparse.Namespace) -> tuple[tuple[str, ...], Config]:
    """Check the options of the app as the app would, and list the participants they leave."""
    from bidsapp.bids.dataset import open_dataset
    from bidsapp.cli.configure import parse_arguments
    from bidsapp.config import parse_memory
    from bidsapp.engine.plan import select_participants

    words = [str(options.bids_dir), str(options.output_dir), "participant", *options.options]
    config = parse_arguments(words)
    wrong = [name for name in _OWN_OPTIONS if getattr(config, name)]
    if wrong:
        msg = f"--{wrong[0].replace('_', '-')} is not for cluster jobs; leave it out"
        raise UsageError(msg)
    if options.mem != _NO_REQUEST:
        parse_memory(options.mem)
    labels = select_participants(open_dataset(config.bids_dir, config.derivatives), config)
    return labels, config


def _head(options: argparse.Namespace, folder: Path, job: str, number: str) -> str:
    lines = [
        f"--job-name=musicotopy-{job}",
        f"--output={shlex.quote(f'{folder}/logs/{job}-{number}.log')}",
        f"--cpus-per-task={options.cpus}",
        *([] if options.mem == _NO_REQUEST else [f"--mem={options.mem}"]),
        f"--time={options.time}",
        *options.sbatch,
    ]
    return "#!/bin/bash\n" + "".join(f"#SBATCH {line}\n" for line in lines)


def _command(options: argparse.Namespace, config: Config) -> str:
    """Return the words before the level; ``exec`` lets SLURM's signals reach the app."""
    places = [config.bids_dir.resolve(), config.output_dir.resolve()]
    words = ["exec", *_program(), *map(str, places)]
    if options.container is not None:
        image = options.container.resolve()
        if not image.exists():
            msg = f"--container {options.container}: there is no such file; build it first"
            raise InputMissingError(msg)
        words = ["exec", "apptainer", "run", "--cleanenv", "--containall"]
        words += ["--nv"] if any(word.startswith("--g") for word in options.sbatch) else []
        words += [part for bind in _binds(options, config) for part in ("--bind", bind)]
        words += [str(image), *map(str, places)]
    made = [str(place) for place in (places[1], config.scratch_dir.resolve())]
    return f"mkdir -p {shlex.join(made)}\n{shlex.join(words)}"


def _program() -> list[str]:
    """Find the app that belongs to this installation."""
    beside = Path(sys.executable).parent / "musicotopy"
    return [str(beside) if beside.exists() else shutil.which("musicotopy") or "musicotopy"]


def _tail(options: argparse.Namespace) -> str:
    from bidsapp.config import parse_memory

    words = ["--nprocs", str(options.cpus)]
    if options.mem != _NO_REQUEST:
        words += ["--mem", f"{int(0.9 * parse_memory(options.mem)) >> 20}M"]
    words += _without_labels(options.options)
    return f" {shlex.join(words)}"


def _without_labels(words: Sequence[str]) -> list[str]:
    """Drop the choice of participants: the scripts name those it left."""
    kept: list[str] = []
    dropping = False
    for word in words:
        flag = word.partition("=")[0].replace("_", "-")
        if flag.startswith("-"):
            dropping = flag.rstrip("s").endswith("participant-label")
        if not dropping:
            kept.append(word)
    return kept


def _binds(options: argparse.Namespace, config: Config) -> Iterator[str]:
    """Show the container every path of the command under its own name."""
    bids_dir = config.bids_dir.resolve()
    output_dir, scratch = config.output_dir.resolve(), config.scratch_dir.resolve()
    writable = [output_dir] if scratch.is_relative_to(output_dir) else [output_dir, scratch]
    readable = [bids_dir, *(path.resolve() for path in options.bind), *_paths(options.options)]
    binds = {path: f"{path}:{path}:ro" for path in readable}
    binds |= {path: f"{path}:{path}" for path in writable}
    for path in sorted(binds):  # outer folders first
        if set(":,") & set(str(path)):
            msg = f"{path}: Apptainer cannot bind a path with ':' or ','; rename it"
            raise UsageError(msg)
        yield binds[path]


def _paths(words: Sequence[str]) -> Iterator[Path]:
    """Find the paths among the options."""
    for word in words:
        candidates = [Path(text) for text in (word, word.partition("=")[2]) if "/" in text]
        for path in candidates:
            if path.exists() and not path.is_absolute():
                msg = f"{path}: cluster jobs run elsewhere; give the absolute path"
                raise UsageError(msg)
            if path.exists():
                yield path
