"""Whether an output folder is ours to write into: it is no input, and no other tool's.

Nothing is written before this is known. A folder is ours if its ``dataset_description.json`` says
that this app made it, or if it has none and no ``README`` or ``.bidsignore`` of somebody else.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from bidsapp.bids.atomic import output_errors
from bidsapp.bids.dataset import Dataset, pipelines
from bidsapp.bids.describe import BIDSIGNORE, README_TITLE
from bidsapp.bids.records import Problem
from bidsapp.bids.sidecars import read_json
from bidsapp.errors import OutputError

_READMES = ("README", "README.md", "README.rst", "README.txt")


def refuse_output(output_dir: Path, dataset: Dataset, stimuli_dir: Path | None = None) -> None:
    """Refuse an output folder that is an input, somebody else's, or not writable.

    Nothing is written.

    Parameters
    ----------
    output_dir
        Where results are to go; it need not exist.
    dataset
        The opened dataset.
    stimuli_dir
        ``--stimuli-dir``.

    Raises
    ------
    OutputError
        The message says whose it is.
    """
    place = output_dir.resolve()
    inputs = [dataset.bids_dir, *dataset.links(stimuli_dir).values(), *dataset.stimuli_dirs]
    if any(place == path.resolve() for path in inputs):
        msg = f"OUTPUT_DIR {output_dir} is an input; choose another, e.g. derivatives/musicotopy"
        raise OutputError(msg)
    owner = _owner(output_dir)
    if owner:
        msg = f"OUTPUT_DIR {output_dir} {owner}; nothing was written: choose a folder of its own"
        raise OutputError(msg)
    existing = next(path for path in (place, *place.parents) if path.exists())
    if not existing.is_dir():
        msg = f"OUTPUT_DIR {output_dir}: {existing} is a file, not a folder; choose another path"
        raise OutputError(msg)
    if not os.access(existing, os.W_OK | os.X_OK):
        is_read_only = os.statvfs(existing).f_flag & os.ST_RDONLY
        reason = os.strerror(errno.EROFS if is_read_only else errno.EACCES)
        msg = f"{output_dir} cannot be written ({reason}); check permissions and mounts"
        raise OutputError(msg)


def check_output(output_dir: Path, dataset: Dataset, stimuli_dir: Path | None = None) -> None:
    """Refuse as `refuse_output`, then make the folder and try to write into it.

    Raises
    ------
    OutputError
        As `refuse_output`, or the file system refuses.
    """
    refuse_output(output_dir, dataset, stimuli_dir)
    with output_errors(output_dir):
        output_dir.mkdir(parents=True, exist_ok=True)
        probe = output_dir / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()


def _owner(output_dir: Path) -> str:
    """Say who else a folder belongs to, and how one sees it; empty if it is ours or nobody's."""
    path = output_dir / "dataset_description.json"
    if path.is_file():
        content = read_json(path)
        if not isinstance(content, Problem):
            made_by = pipelines(content)
            if "musicotopy" in made_by:
                return ""
            whose = " and ".join(made_by) or "a dataset of its own"
            return f"belongs to {whose} (dataset_description.json)"
        if not (output_dir / "logs" / "jobs").is_dir():
            return f"has a dataset_description.json that cannot be read ({content.what})"
    for name in _READMES:
        if (output_dir / name).is_file() and not _is_our_readme(output_dir / name):
            return f"has a {name} that this app did not write"
    ignored = output_dir / ".bidsignore"
    if ignored.is_file() and not set(_lines(ignored)) <= set(BIDSIGNORE):
        return "has a .bidsignore that this app did not write"
    return ""


def _is_our_readme(path: Path) -> bool:
    return _lines(path)[:1] == [README_TITLE]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
