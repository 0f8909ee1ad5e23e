"""What an analysis of one participant's listening stands on: runs, sounds, how they meet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bidsapp.audio.io import audio_duration_s, level_fault
from bidsapp.bids.annotations import find_ratings
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.filters import Filters
from bidsapp.bids.index import find_runs, spaces
from bidsapp.bids.names import space_kind
from bidsapp.bids.presentations import find_presentations
from bidsapp.bids.records import ImageKind, Presentation, Problem, Rating, Run
from bidsapp.config import Config
from bidsapp.errors import AppError, InputInvalidError, InputMissingError, UsageError
from bidsapp.features.align import alignment_table
from bidsapp.recipes.analysis import Analysis
from bidsapp.text import text_table

ALIGNMENT_COLUMNS = (
    "run",
    "n_trs",
    "tr_s",
    "scan_s",
    "stim_file",
    "onset_s",
    "duration_s",
    "stim_start_s",
    "sound_s",
    "n_rows",
    "note",
)
"""Of the alignment table on the terminal."""


@dataclass(frozen=True)
class Inputs:
    """The input of one participant in one space.

    Attributes
    ----------
    subject, space
        Participant label and space as the files spell it.
    runs
        Runs during which at least one sound was played.
    presentations
        Presentations whose sound is on disk.
    ratings
        Continuous ratings that apply to the runs or the sounds.
    alignment
        One row per presentation: what meets what.
    problems
        What was passed over.
    """

    subject: str
    space: str
    runs: tuple[Run, ...]
    presentations: tuple[Presentation, ...]
    ratings: tuple[Rating, ...]
    alignment: tuple[Mapping[str, Any], ...]
    problems: tuple[Problem, ...]

    @property
    def sounds(self) -> tuple[tuple[str, Path], ...]:
        """Each piece and its sound file, sorted by name."""
        found = {item.piece: item.path for item in self.presentations if item.path is not None}
        return tuple(sorted(found.items()))

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Every file a result depends on."""
        paths: set[Path] = {path for _, path in self.sounds}
        for run in self.runs:
            paths.update(run.bold)
            paths.update(path for path in (run.mask, run.confounds) if path is not None)
        paths.update(rating.source for rating in self.ratings if rating.source is not None)
        return tuple(sorted(paths))

    def overview(self) -> str:
        """Say which sound meets which volumes, and which ratings there are."""
        names = sorted({rating.name for rating in self.ratings})
        rated = f"ratings: {', '.join(names) or 'none'}"
        return f"{text_table(self.alignment, ALIGNMENT_COLUMNS)}\n{rated}"

    def identity(self) -> str:
        """Return a hash of the input: names, sizes and times of files, and all timings."""
        digest = hashlib.blake2b(digest_size=8)
        for path in self.files:
            status = path.stat()
            digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        for item in self.presentations:
            timing = (item.run_name, item.stim_file, item.onset_s, item.duration_s)
            digest.update(f"{timing} {item.stim_start_s}\n".encode())
        for run in self.runs:
            digest.update(f"{run.name} {run.n_trs} {run.tr_s} {run.start_time_s}\n".encode())
        return digest.hexdigest()


SoundAnalysis = Analysis[Inputs]
"""A job about sounds that were heard."""


def query_filters(config: Config) -> Filters:
    """Return the part of the configuration that selects files."""
    return Filters.from_options(
        sessions=config.session_label,
        tasks=config.task_id,
        bids_filter_file=config.bids_filter_file,
        allow_raw_bold=config.allow_raw_bold,
    )


def chosen_spaces(
    dataset: Dataset, subject: str, config: Config, kinds: Sequence[ImageKind]
) -> tuple[str, ...]:
    """Resolve ``--space`` for one participant.

    Parameters
    ----------
    dataset, subject, config
        Whose BOLD, and what the user asks for.
    kinds
        Kinds of image the recipe can analyse.

    Raises
    ------
    UsageError
        If none of the spaces asked for is of such a kind.
    InputMissingError
        If the participant has no BOLD that the filters let through and the recipe can analyse.
    """
    if config.space != ("auto",):
        wanted = tuple(name for name in config.space if space_kind(name) in kinds)
        if not wanted:
            known = " and ".join(kinds)
            msg = f"--space {' '.join(config.space)}: this recipe analyses {known} data only"
            raise UsageError(msg)
        return wanted
    offered = [
        name
        for name in spaces(dataset, subject, query_filters(config))
        if space_kind(name) in kinds
    ]
    if not offered:
        msg = (
            f"sub-{subject}: no preprocessed BOLD ({' or '.join(kinds)}) was found; check "
            "-d fmriprep=PATH and the filters, or pass --allow-raw-bold to analyse raw BOLD"
        )
        raise InputMissingError(msg)
    return (offered[0],)


def collect(
    dataset: Dataset, subject: str, space: str, config: Config, lags_s: Sequence[float]
) -> Inputs:
    """Find everything one participant's analysis in one space needs, and check that it meets.

    Parameters
    ----------
    dataset
        The opened dataset.
    subject
        Participant label.
    space
        Space of the BOLD files.
    config
        Filters, stimuli folder and adapter.
    lags_s
        Lags in seconds that the alignment table counts rows for.

    Raises
    ------
    InputMissingError
        If no run, or no sound for any run, was found.
    InputInvalidError
        If sounds, presentations and volumes disagree beyond the tolerance.
    """
    runs, problems = find_runs(dataset, subject, space=space, filters=query_filters(config))
    if not runs:
        reasons = "".join(f"\n  {problem}" for problem in problems)
        msg = (
            f"sub-{subject}: no usable BOLD run in space {space}; check --space and the "
            f"filters{reasons}"
        )
        raise InputMissingError(msg)
    presentations, more = find_presentations(
        dataset, runs, stimuli_dir=config.stimuli_dir, adapter=config.adapter
    )
    problems = [*problems, *more]
    heard = [item for item in presentations if item.path is not None]
    used = [run for run in runs if any(item.run_name == run.name for item in heard)]
    if not used:
        reasons = "".join(f"\n  {problem}" for problem in problems)
        msg = (
            f"sub-{subject}: no run has a presentation whose sound is on disk; give "
            f"--stimuli-dir (with presentations.tsv) or --adapter{reasons}"
        )
        raise InputMissingError(msg)
    durations, unreadable = _durations(heard)
    heard = [item for item in heard if item.stim_file in durations]
    if not heard:
        reasons = "".join(f"\n  {problem}" for problem in [*problems, *unreadable])
        msg = f"sub-{subject}: none of its sounds can be analysed{reasons}"
        raise InputInvalidError(msg)
    rows, notes = alignment_table(used, heard, lags_s, durations)
    ratings, rating_problems = find_ratings(
        dataset, used, heard, stimuli_dir=config.stimuli_dir, subject=subject
    )
    return Inputs(
        subject=subject,
        space=space,
        runs=tuple(used),
        presentations=tuple(heard),
        ratings=tuple(ratings),
        alignment=tuple(rows),
        problems=tuple(_unique([*problems, *unreadable, *notes, *rating_problems])),
    )


def _durations(presentations: Sequence[Presentation]) -> tuple[dict[str, float], list[Problem]]:
    """Return the length of each sound in seconds, and a problem for each unreadable one."""
    durations: dict[str, float] = {}
    problems = []
    for item in presentations:
        if item.stim_file in durations or item.path is None:
            continue
        try:
            duration_s, fault = audio_duration_s(item.path), level_fault(item.path)
        except AppError as error:
            problems.append(Problem(item.path, str(error), "its presentations are left out"))
            continue
        if fault:
            problems.append(Problem(item.path, fault, "its presentations are left out"))
        else:
            durations[item.stim_file] = duration_s
    return durations, problems


def _unique(problems: Iterable[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))
