"""Collect what one participant's analysis in one space needs: runs, sounds, ratings, labels."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from bidsapp.audio.io import audio_duration_s, leading_silence_s, level_fault, sampling_hz
from bidsapp.bids.anatomy import find_grey_matter, template_grey_matter
from bidsapp.bids.annotations import find_ratings
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.filters import Filters
from bidsapp.bids.headers import NO_CONTENT
from bidsapp.bids.index import find_acquisitions, find_runs, spaces
from bidsapp.bids.intervals import find_intervals
from bidsapp.bids.names import space_kind
from bidsapp.bids.presentations import find_presentations
from bidsapp.bids.records import ImageKind, Interval, Presentation, Problem, Rating, Run
from bidsapp.bids.runs import NO_CONFOUNDS
from bidsapp.brain.confound_columns import n_regressors
from bidsapp.config import Config
from bidsapp.errors import AppError, InputInvalidError, InputMissingError, UsageError
from bidsapp.features.align import alignment_table
from bidsapp.recipes import load_function
from bidsapp.recipes.base.recipe import Need, Recipe
from bidsapp.text import counted, text_table

_LONG_SILENCE_S = 2.0
_FULL_BAND_HZ = 16_000  # the lowest rate at which a network of the registry listens
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
        Runs to analyse; with a sound that is on disk if the recipe needs sounds.
    presentations
        What was played when; only sounds that are on disk if the recipe needs sounds.
    ratings
        Continuous ratings that apply to the runs or the sounds.
    intervals
        Labelled stretches of time of the runs or the sounds.
    alignment
        One row per presentation: what meets what.
    problems
        What was passed over.
    cleaning
        What cleaning will cost, in words.
    grey_matter
        Its probability in the space of the volumes, where a recipe needs it: fMRIPrep's, else
        that of the template if it is on this machine.
    atlas
        Files behind ``--atlas``, as far as they are on this machine.
    """

    subject: str
    space: str
    runs: tuple[Run, ...]
    presentations: tuple[Presentation, ...]
    ratings: tuple[Rating, ...]
    intervals: tuple[Interval, ...]
    alignment: tuple[Mapping[str, Any], ...]
    problems: tuple[Problem, ...]
    cleaning: str = field(default="", kw_only=True)
    grey_matter: Path | None = field(default=None, kw_only=True)
    atlas: tuple[Path, ...] = field(default=(), kw_only=True)

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
        annotations: tuple[Rating | Interval, ...] = (*self.ratings, *self.intervals)
        paths.update(item.source for item in annotations if item.source is not None)
        if self.grey_matter is not None:
            paths.add(self.grey_matter)
        paths.update(self.atlas)
        return tuple(sorted(paths))

    def overview(self) -> str:
        """Say which sound meets which volumes, and which ratings there are."""
        names = sorted({rating.name for rating in self.ratings})
        rated = f"ratings: {', '.join(names) or 'none'}"
        table = text_table(self.alignment, ALIGNMENT_COLUMNS)
        return "\n".join(filter(None, (table, rated, self.cleaning)))

    def identity(self) -> str:
        """Return a hash of the input: names, sizes and times of files, timings, annotations."""
        digest = hashlib.blake2b(digest_size=8)
        described = (run.confounds.with_suffix(".json") for run in self.runs if run.confounds)
        for path in (*self.files, *(path for path in described if path.is_file())):
            status = path.stat()
            digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        for item in self.presentations:
            timing = (item.run_name, item.stim_file, item.onset_s, item.duration_s)
            digest.update(f"{timing} {item.stim_start_s}\n".encode())
        for run in self.runs:
            digest.update(f"{run.name} {run.n_trs} {run.tr_s} {run.start_time_s}\n".encode())
        for rating in self.ratings:  # sidecars change them, too
            digest.update(repr(replace(rating, source=None)).encode())
            digest.update(array("d", rating.values).tobytes())
        for interval in self.intervals:
            digest.update(repr(replace(interval, source=None)).encode())
        return digest.hexdigest()


class JobInputs(Protocol):
    """What the engine asks of a job's input, a participant's or a group's."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was passed over."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Files the result depends on."""

    def identity(self) -> str:
        """Hash of the input."""

    def overview(self) -> str:
        """Say what was found, for ``--dry-run``."""


def query_filters(config: Config) -> Filters:
    """Return the part of the configuration that selects files."""
    return Filters.from_options(
        sessions=config.session_label,
        tasks=config.task_id,
        bids_filter_file=config.bids_filter_file,
        allow_raw_bold=config.allow_raw_bold,
        dropped_volumes=config.dropped_volumes,
        start_time_s=config.start_time,
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
    counts = spaces(dataset, subject, query_filters(config))
    offered = [name for name in counts if space_kind(name) in kinds]
    if not offered:
        raise _no_bold(dataset, subject, config, kinds, counts)
    space = offered[0]
    template, plus, _ = space.partition("+")
    cohorts = [name for name in offered if name.partition("+")[0] == template]
    if plus and len(cohorts) > 1:
        msg = (
            f"sub-{subject}: {template} is offered in {len(cohorts)} cohorts, which are different "
            f"templates; choose one with --space: {', '.join(cohorts)}"
        )
        raise InputInvalidError(msg)
    if space == "native" and counts[space] > 1 and not config.allow_raw_bold:
        msg = (
            f"sub-{subject}: BOLD is in no space but the native one, in which each of its "
            f"{counts[space]} runs has a grid of its own; write it in a template with fMRIPrep, "
            "or say --space native"
        )
        raise InputInvalidError(msg)
    return (space,)


def _no_bold(
    dataset: Dataset,
    subject: str,
    config: Config,
    kinds: Sequence[ImageKind],
    others: Iterable[str],
) -> AppError:
    """Say that there is no BOLD a recipe can analyse, and what there is instead."""
    others = list(others)
    if others:
        msg = (
            f"sub-{subject}: its BOLD is in {', '.join(others)}, and this recipe analyses "
            f"{' and '.join(kinds)} data only; have fMRIPrep write them (--output-spaces), or "
            "choose another recipe"
        )
        return InputMissingError(msg)
    _, problems = find_acquisitions(dataset, subject, query_filters(config))
    raw = "" if config.allow_raw_bold else ", or pass --allow-raw-bold to analyse raw BOLD"
    msg = (
        f"sub-{subject}: no preprocessed BOLD ({' or '.join(kinds)}) was found; check "
        f"-d fmriprep=PATH and the filters{raw}{_listed(problems)}"
    )
    return InputMissingError(msg)


def collect_participant(
    recipe: Recipe, dataset: Dataset, subject: str, space: str, config: Config, settings: Any
) -> JobInputs:
    """Collect what a recipe needs of one participant, and let the recipe check it.

    Parameters
    ----------
    recipe
        Says what is needed.
    dataset
        The opened dataset.
    subject, space
        Participant label and space of the BOLD files.
    config
        Filters, stimuli folder and adapter.
    settings
        Of the recipe.

    Raises
    ------
    InputMissingError
        If no run, or no sound for any run, was found.
    InputInvalidError
        If sounds, presentations and volumes disagree beyond the tolerance, or the recipe refuses.
    """
    lags_s: Sequence[float] = getattr(settings, "lags_s", (0.0,))
    inputs = collect(dataset, subject, space, config, recipe.needs, lags_s)
    if not recipe.prepare:
        return inputs
    try:
        prepared: JobInputs = load_function(recipe.prepare)(dataset, inputs, settings, config)
    except (InputInvalidError, InputMissingError) as error:  # what was left out may be the cause
        msg = f"{error}{_listed(inputs.problems)}"
        raise type(error)(msg) from error
    return prepared


def collect(
    dataset: Dataset,
    subject: str,
    space: str,
    config: Config,
    needs: Sequence[Need] = ("sounds", "ratings"),
    lags_s: Sequence[float] = (0.0,),
) -> Inputs:
    """Find runs, presentations and annotations of one participant, and check that they meet.

    Parameters
    ----------
    dataset, subject, space, config
        As in `collect_participant`.
    needs
        What is looked for beside BOLD and presentations.
    lags_s
        Lags in seconds that the alignment table counts rows for.

    Raises
    ------
    InputMissingError, InputInvalidError
        As in `collect_participant`.
    """
    runs, problems = find_runs(dataset, subject, space=space, filters=query_filters(config))
    if config.confounds == "none":
        problems = [problem for problem in problems if problem.what != NO_CONFOUNDS]
    if not runs:
        raise _no_runs(subject, space, problems)
    presentations, more = find_presentations(
        dataset, runs, stimuli_dir=config.stimuli_dir, adapter=config.adapter
    )
    alignment: list[Mapping[str, Any]] = []
    if "sounds" in needs:
        problems = [*problems, *more]
        presentations = [item for item in presentations if item.path is not None]
        runs = [run for run in runs if any(item.run_name == run.name for item in presentations)]
        if not runs:
            msg = (
                f"sub-{subject}: no run has a presentation whose sound is on disk; give "
                f"--stimuli-dir (with presentations.tsv) or --adapter{_listed(problems)}"
            )
            raise InputMissingError(msg)
        durations, odd = _durations(presentations)
        presentations = [item for item in presentations if item.stim_file in durations]
        if not presentations:
            problems = [*problems, *odd]
            msg = f"sub-{subject}: none of its sounds can be analysed{_listed(problems)}"
            raise InputInvalidError(msg)
        rows, notes = alignment_table(runs, presentations, lags_s, durations)
        alignment, problems = list(rows), [*problems, *odd, *notes]
    ratings: Sequence[Rating] = ()
    intervals: Sequence[Interval] = ()
    if "ratings" in needs:
        ratings, more = find_ratings(
            dataset, runs, presentations, stimuli_dir=config.stimuli_dir, subject=subject
        )
        problems = [*problems, *more]
    if "intervals" in needs:
        intervals, more = find_intervals(dataset, runs, presentations, config.stimuli_dir)
        problems = [*problems, *more]
    grey_matter = None
    if "grey_matter" in needs and runs[0].kind == "volume":
        image = runs[0].space, runs[0].resolution
        grey_matter = find_grey_matter(dataset.fmriprep, subject, *image)
        grey_matter = grey_matter or template_grey_matter(runs[0].space)
    return Inputs(
        subject=subject,
        space=space,
        runs=tuple(runs),
        presentations=tuple(presentations),
        ratings=tuple(ratings),
        intervals=tuple(intervals),
        alignment=tuple(alignment),
        problems=tuple(dict.fromkeys(problems)),
        cleaning=cleaning_cost(runs, config.confounds, config.high_pass_hz),
        grey_matter=grey_matter,
        atlas=_atlas(config, runs[0]),
    )


def _atlas(config: Config, run: Run) -> tuple[Path, ...]:
    """List the files behind ``--atlas``."""
    if config.atlas is None:
        return ()
    from bidsapp.brain.named_atlas import atlas_files

    return atlas_files(config.atlas, run.space, run.kind, run.bold)


def cleaning_cost(runs: Sequence[Run], confounds: str, high_pass_hz: float) -> str:
    """Say how many regressors cleaning removes and which share of the volumes they are.

    Parameters
    ----------
    runs
        The runs.
    confounds, high_pass_hz
        ``--confounds`` and ``--high-pass-hz``.

    Returns
    -------
    str
        Empty where a confounds table cannot be read; that is said elsewhere.
    """
    counts = [n_regressors(run, confounds, high_pass_hz) for run in runs]
    known = [(n / run.n_trs, n, run) for n, run in zip(counts, runs, strict=True) if n is not None]
    if len(known) < len(runs):
        return ""
    share, n, run = max(known, key=lambda item: item[0])
    least = min(item[0] for item in known)
    return (
        f"cleaning ({confounds}, high-pass {high_pass_hz:.4g} Hz): {counted(n, 'regressor')} in "
        f"{run.n_trs} volumes of {run.name}: {100 * share:.0f} % of the degrees of freedom "
        f"(from {100 * least:.0f} % over {len(runs)} run{'s' * (len(runs) != 1)})"
    )


def _no_runs(subject: str, space: str, problems: Sequence[Problem]) -> InputMissingError:
    """Say why no run in a space can be used; files that were not fetched are counted."""
    empty = [problem for problem in problems if problem.what in NO_CONTENT]
    if empty and len(empty) == len(problems):
        more = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
        msg = (
            f"sub-{subject}: none of its images in space {space} has content: {empty[0].path}: "
            f"{empty[0].what}{more}; fetch what --list-inputs lists: add --list-inputs to this "
            "command, and | xargs -d '\\n' datalad get"
        )
        return InputMissingError(msg)
    msg = (
        f"sub-{subject}: no usable BOLD run in space {space}; check --space and the "
        f"filters{_listed(problems)}"
    )
    return InputMissingError(msg)


def _listed(problems: Sequence[Problem]) -> str:
    """Put the first reason into the sentence, for tables show one line, and list the others."""
    if not problems:
        return ""
    first, *others = dict.fromkeys(map(str, problems))
    more = f" (and {len(others)} more)" if others else ""
    return "".join([f": {first}{more}", *(f"\n  {text}" for text in others)])


def _durations(presentations: Sequence[Presentation]) -> tuple[dict[str, float], list[Problem]]:
    """Return the length of each sound in seconds, and a problem for each unreadable one."""
    durations: dict[str, float] = {}
    rates_hz: dict[Path, int] = {}
    problems = []
    for item in presentations:
        if item.stim_file in durations or item.path is None:
            continue
        try:
            duration_s, fault = audio_duration_s(item.path), level_fault(item.path)
            silent_s = leading_silence_s(item.path)
        except AppError as error:
            problems.append(Problem(item.path, str(error), "its presentations are left out"))
            continue
        if fault:
            problems.append(Problem(item.path, fault, "its presentations are left out"))
            continue
        durations[item.stim_file] = duration_s
        rates_hz[item.path] = sampling_hz(item.path)
        if silent_s >= _LONG_SILENCE_S:
            what = f"begins with {silent_s:g} s of silence"
            remedy = "if music began at the onset, the file is another than was played"
            problems.append(Problem(item.path, what, remedy))
    return durations, [*problems, *_narrow_bands(rates_hz)]


def _narrow_bands(rates_hz: Mapping[Path, int]) -> list[Problem]:
    """Name the sounds whose sampling rate leaves out frequencies that the networks look at."""
    narrow = {path: rate for path, rate in rates_hz.items() if rate < _FULL_BAND_HZ}
    if not narrow:
        return []
    path, rate = min(narrow.items(), key=lambda item: item[1])
    what = f"is sampled at {rate:,} Hz: it has nothing above {rate // 2:,} Hz"
    if len(narrow) > 1:
        what += f" ({len(narrow)} sounds are sampled below {_FULL_BAND_HZ:,} Hz)"
    widest = max(rates_hz.values())
    unlike = f", others reach {widest // 2:,} Hz: layers may tell recordings by that" * (
        widest > rate
    )
    return [Problem(path, what + unlike, "take recordings of the full band if there are any")]
