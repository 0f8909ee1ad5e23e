"""Finding runs: the only module that uses pybids.

The layout is rooted at one participant's folder and reads nothing but names: no metadata, no
``dataset_description.json``, no other participant. Start-up stays a few times a plain walk, and no
broken JSON anywhere can stop it. Metadata are read afterwards, for the files that are used.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from bidsapp.bids.acquisitions import (
    Acquisition,
    bold_files,
    combined_echoes,
    group_acquisitions,
    in_space,
    is_wanted,
    offered_spaces,
    refuse_variants,
)
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.filters import Filters, Query
from bidsapp.bids.names import ACQUISITION_ENTITIES, Name, entities_key, parse_name, select
from bidsapp.bids.near import near_text
from bidsapp.bids.records import Problem, Run
from bidsapp.bids.runs import Files, read_run
from bidsapp.errors import InputMissingError

__all__ = ["Acquisition", "Filters", "find_acquisitions", "find_runs", "open_layout", "spaces"]

# only func and beh are looked into; everything else, and every JSON, is passed over
_ELSEWHERE = r"^/(?!(?:ses-[^/]+(?:/(?:func|beh)(?:/[^/]*)?)?|(?:func|beh)(?:/[^/]*)?)$)"
_RUN_NAME = tuple(key for key in ACQUISITION_ENTITIES if key != "echo")
_METADATA = ("json", "svg", "html", "csv", "txt", "h5")


def find_runs(
    dataset: Dataset, subject: str, *, space: str | None = None, filters: Filters | None = None
) -> tuple[list[Run], list[Problem]]:
    """Return the runs of one participant in one space, and what was passed over.

    Parameters
    ----------
    dataset
        From `open_dataset`.
    subject
        Label without ``sub-``.
    space
        ``fsaverage5``, ``fsLR``, ``MNI152NLin2009cAsym``, also ``MNI152NLin2009cAsym:res-2`` or
        ``fsaverage:den-10k``; None for the first that `spaces` offers.
    filters
        Choice of runs.

    Raises
    ------
    InputMissingError
        The filter file matches nothing, or there is BOLD but none in this space.
    InputInvalidError
        One acquisition exists in several variants and no filter chooses.
    """
    filters = filters or Filters()
    root, problems = _source(dataset, subject, filters)
    if root is None:
        return [], problems
    paths = _subject_files(root, subject, {})
    acquisitions, more = _acquisitions(root, subject, filters, paths)
    problems += more
    if not acquisitions:
        return [], problems
    chosen = in_space(acquisitions, space, subject)
    refuse_variants(chosen, filters.query("bold"), subject)
    files = Files(
        confounds=_named(_matching(root, subject, filters, "confounds", paths), "confounds"),
        masks=_named(_matching(root, subject, filters, "mask", paths), "brain"),
        preprocessed=root == dataset.fmriprep,
        n_dropped=filters.dropped_volumes,
        start_time_s=filters.start_time_s,
    )
    runs = []
    for acquisition in chosen:
        run, more = read_run(dataset, root, acquisition, files)
        problems += more
        runs += [run] if run else []
    return runs, problems + _unequal_times(runs)


def spaces(dataset: Dataset, subject: str, filters: Filters | None = None) -> dict[str, int]:
    """Return the spaces a participant's BOLD is offered in, with the number of runs.

    Preferred spaces come first. Keys can be given to `find_runs`; a space that exists in several
    resolutions or densities appears once for each.
    """
    filters = filters or Filters()
    root, _ = _source(dataset, subject, filters)
    if root is None:
        return {}
    paths = _subject_files(root, subject, {})
    acquisitions, _ = _acquisitions(root, subject, filters, paths)
    return offered_spaces(acquisitions)


def find_acquisitions(
    dataset: Dataset, subject: str, filters: Filters | None = None
) -> tuple[list[Acquisition], list[Problem]]:
    """Return every BOLD acquisition in every space by name alone: no file is opened."""
    filters = filters or Filters()
    root, problems = _source(dataset, subject, filters)
    if root is None:
        return [], problems
    found, more = _acquisitions(root, subject, filters, _subject_files(root, subject, {}))
    return found, problems + more


def companions(
    dataset: Dataset, subject: str, filters: Filters | None = None
) -> list[tuple[Name, Path]]:
    """Return the confounds tables and brain masks of one participant, by name alone."""
    filters = filters or Filters()
    root, _ = _source(dataset, subject, filters)
    if root is None or root != dataset.fmriprep:
        return []
    paths = _subject_files(root, subject, {})
    tables = _named(_matching(root, subject, filters, "confounds", paths), "confounds")
    masks = _named(_matching(root, subject, filters, "mask", paths), "brain")
    return [item for item in tables if item[0].extension == ".tsv"] + masks


def runs_left_out(
    dataset: Dataset, subject: str, used: Iterable[Run], filters: Filters | None = None
) -> tuple[str, ...]:
    """Return the names of runs that lie there and are chosen, but are not among those used.

    Runs of a task of which none is used (rest, mostly) are not counted.

    Parameters
    ----------
    dataset, subject, filters
        As for `find_runs`.
    used
        Runs that an analysis is made of.
    """
    filters = filters or Filters()
    root, _ = _source(dataset, subject, filters)
    if root is None:
        return ()
    query = filters.query("bold")
    present = {
        entities_key(select(name.entities, ACQUISITION_ENTITIES), without=("echo",)): name.entities
        for name, _ in bold_files(_subject_files(root, subject, query))
        if is_wanted(name, query, filters)
    }
    runs = list(used)
    keys = {entities_key(run.entities, without=("echo",)) for run in runs}
    tasks = {run.task for run in runs}
    return tuple(
        "_".join(f"{key}-{label}" for key, label in select(entities, _RUN_NAME).items())
        for key, entities in sorted(present.items())
        if key not in keys and entities["task"] in tasks
    )


def open_layout(folder: Path, ignore: Iterable[str] = ()) -> Any:
    """Return a pybids layout of a folder that was indexed by names alone.

    Parameters
    ----------
    folder
        Root of the layout.
    ignore
        Regular expressions; paths (relative, with a leading slash) that match are passed over.
    """
    from bids import BIDSLayout
    from bids.layout import BIDSLayoutIndexer

    indexer = BIDSLayoutIndexer(
        validate=False,
        index_metadata=False,
        ignore=[re.compile(pattern) for pattern in ignore],
        config_filename=".no-layout-config",
    )
    # our configuration reads entities from the file name; pybids' own also reads the folders
    # above the dataset, so that a path such as /data/sub-projects/ would rename participants
    with resources.as_file(resources.files("bidsapp.bids") / "pybids_config.json") as config:
        return BIDSLayout(str(folder), validate=False, config=[str(config)], indexer=indexer)


def _source(dataset: Dataset, subject: str, filters: Filters) -> tuple[Path | None, list[Problem]]:
    """Dataset that BOLD is taken from: the derivatives, or raw data if that is allowed."""
    folder = f"sub-{subject}"
    problems = [
        Problem(
            dataset.bids_dir,
            f"the filter file has queries this app does not make ({', '.join(filters.unused)})",
            "they are ignored",
        )
    ] * bool(filters.unused)
    if dataset.fmriprep is not None and (dataset.fmriprep / folder).is_dir():
        return dataset.fmriprep, problems
    if dataset.root is not None and (dataset.root / folder).is_dir() and filters.allow_raw_bold:
        return dataset.root, problems
    where = dataset.fmriprep or dataset.bids_dir
    what = (
        "participant is not among the fMRIPrep derivatives"
        if dataset.fmriprep
        else "no fMRIPrep derivatives were found"
    )
    remedy = "give them with -d fmriprep=PATH, or take raw BOLD with --allow-raw-bold"
    return None, [*problems, Problem(where / folder, what, remedy)]


def _subject_files(root: Path, subject: str, query: Query) -> list[Path]:
    """Names below ``func`` and ``beh`` of one participant that match a query.

    Without a query all match, and no layout is needed.
    """
    if not query:
        return list(_walk(root / f"sub-{subject}"))
    layout = open_layout(
        root / f"sub-{subject}", ignore=[_ELSEWHERE, rf"\.(?:{'|'.join(_METADATA)})$"]
    )
    try:
        plain = {key: _pybids_value(value) for key, value in query.items()}
        found = layout.get(return_type="file", invalid_filters="allow", **plain)
    finally:
        layout.session.close()
    return [Path(path) for path in found]


def _walk(folder: Path) -> Iterator[Path]:
    """Files in ``func`` and ``beh`` of a participant and of its sessions."""
    for place in sorted({*folder.glob("ses-*"), folder}):
        for kind in ("beh", "func"):
            for path in sorted((place / kind).glob("*")):
                if path.suffix.lstrip(".") not in _METADATA and path.name[0] != ".":
                    yield path


def _pybids_value(value: Any) -> Any:
    """FMRIPrep's reading of a filter value: null is absent, ``*`` is any."""
    from bids.layout import Query as PybidsQuery

    if isinstance(value, list):
        return [_pybids_value(item) for item in value]
    words = {"*": "ANY", "Query.ANY": "ANY", "Query.NONE": "NONE", "Query.OPTIONAL": "OPTIONAL"}
    word = "NONE" if value is None else words.get(value) if isinstance(value, str) else None
    return getattr(PybidsQuery, word) if word else value


def _matching(
    root: Path, subject: str, filters: Filters, query: str, paths: list[Path]
) -> list[Path]:
    chosen = filters.query(query)
    return _subject_files(root, subject, chosen) if chosen else paths


def _named(paths: Iterable[Path], desc: str) -> list[tuple[Name, Path]]:
    names = [(parse_name(path), path) for path in paths]
    return [(name, path) for name, path in names if name.entities.get("desc") == desc]


def _acquisitions(
    root: Path, subject: str, filters: Filters, paths: list[Path]
) -> tuple[list[Acquisition], list[Problem]]:
    """Group the BOLD files that the filters leave into acquisitions."""
    folder = root / f"sub-{subject}"
    every = bold_files(paths)
    if not every:
        what = "holds no BOLD (behavioural only?)"
        return [], [Problem(folder, what, "leave the participant out or fetch the data")]
    query = filters.query("bold")
    bold = bold_files(_subject_files(root, subject, query)) if query else every
    if not bold:
        text = json.dumps(dict(query))
        msg = (
            f"BIDS filter 'bold': {text} matches none of the {len(every)} BOLD files of "
            f"sub-{subject}; correct the filter file or remove the query"
        )
        raise InputMissingError(msg)
    bold = [item for item in bold if is_wanted(item[0], query, filters)]
    if not bold:
        what = _unmet(every, filters)
        return [], [Problem(folder, what, "check --session-label and --task-id")]
    found, problems = group_acquisitions(bold)
    return combined_echoes(found, query), problems


def _unmet(bold: Iterable[tuple[Name, Path]], filters: Filters) -> str:
    """Say what was asked of the BOLD files that none of them is, and what they are."""
    names = [name.entities for name, _ in bold]
    parts = []
    for key, wanted in (
        ("ses", filters.sessions),
        ("task", filters.tasks),
        ("desc", ("preproc",)),
    ):
        present = sorted({entities[key] for entities in names if key in entities})
        absent = [label for label in wanted if label not in present]
        if absent and (present or key != "desc"):
            asked = ", ".join(f"{key}-{label}{near_text(label, present)}" for label in absent)
            parts.append(
                f"{asked}; it has {', '.join(f'{key}-{item}' for item in present) or 'none'}"
            )
    return f"holds no BOLD of {'; nor of '.join(parts) or 'the kind that is analysed'}"


def _unequal_times(runs: Sequence[Run]) -> list[Problem]:
    """Name the runs of one task whose time of the volumes is not that of most of them."""
    problems = []
    for task in dict.fromkeys(run.task for run in runs):
        own = [run for run in runs if run.task == task]
        counts = Counter(round(run.tr_s, 3) for run in own)
        usual = counts.most_common(1)[0][0]
        for run in own:
            if abs(run.tr_s - usual) > 0.01 * usual:
                what = f"its repetition time is {run.tr_s:g} s, that of other runs {usual:g} s"
                problems.append(Problem(run.bold[0], what, "check its sidecar"))
        starts = Counter(round(run.start_time_s - run.scan_start_s, 3) for run in own)
        usual_s = starts.most_common(1)[0][0]
        for run in own:
            start_s = run.start_time_s - run.scan_start_s
            if run.tr_s == usual and abs(start_s - usual_s) > 0.01 * usual:
                what = (
                    f"its volumes stand for {start_s:.3g} s after their acquisition began, those "
                    f"of other runs for {usual_s:.3g} s"
                )
                remedy = "check StartTime and SliceTimingCorrected in the sidecars of both"
                problems.append(Problem(run.bold[0], what, remedy))
    return problems
