"""First contact with a dataset: what it holds, and what is missing for which recipe.

Names are read for every participant; headers, events and annotations for the first few that have
BOLD. Images may be placeholders: a tree whose content was not fetched yet is surveyed as well.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bidsapp.bids.acquisitions import Acquisition, offered_spaces, refuse_variants
from bidsapp.bids.adapters import load_adapter, recognise
from bidsapp.bids.annotations import find_intervals, find_ratings
from bidsapp.bids.dataset import Dataset, open_dataset, participants
from bidsapp.bids.filters import Filters
from bidsapp.bids.headers import TimeAxis, content_problem, seconds, time_axis
from bidsapp.bids.index import find_acquisitions
from bidsapp.bids.overlay import OVERLAY
from bidsapp.bids.presentations import find_presentations
from bidsapp.bids.records import Presentation, Problem, Run
from bidsapp.bids.runs import run_metadata
from bidsapp.bids.sounds import SoundLibrary
from bidsapp.bids.stimuli import CATALOGUE, Catalogue, read_catalogue, stimuli_folders
from bidsapp.errors import InputInvalidError

#: participants whose headers, events and annotations are read
N_DETAIL = 3
#: columns of the catalogue that recipes use
LABELS = ("genre", "tags", "caption", "emotion", "valence", "arousal")


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """One task.

    Attributes
    ----------
    n_participants, n_runs
        Participants who have it, and their runs altogether.
    runs_each
        Number of runs to number of participants with that many.
    tr_s, n_trs
        Values found in the participants looked at.
    source
        Where presentations were read from; empty if nowhere.
    runs_of
        Participant to the labels of session and run of each run; empty where a name has none.
    n_looked_at
        Participants with this task whose files were opened.
    n_presentations, n_pieces, n_missing
        In the participants looked at: presentations, different sounds, sounds not on disk.
    """

    n_participants: int
    n_runs: int
    runs_each: Mapping[int, int]
    tr_s: tuple[float, ...] = ()
    n_trs: tuple[int, ...] = ()
    source: str = ""
    runs_of: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    n_looked_at: int = 0
    n_presentations: int = 0
    n_pieces: int = 0
    n_missing: int = 0


@dataclass(frozen=True)
class Survey:
    """Facts about a dataset.

    Attributes
    ----------
    dataset
        What was recognised.
    sounds_dir
        ``--sounds``.
    participants, without_bold
        Labels.
    looked_at
        Participants whose files were opened.
    spaces
        Space to (participants, runs, runs whose image is not there).
    n_confounds
        Runs (not spaces) with a confounds table, of how many runs.
    tasks
        Facts by task.
    sounds
        Sounds on disk, by name.
    stim_files, longest_s
        Sounds that are named as played, and the longest of their presentations in seconds.
    ratings, intervals
        Names and labels found.
    catalogue
        ``stimuli.tsv``.
    adapter
        Name of the shipped adapter for this dataset; empty if none.
    variants
        Task to what has to be chosen with a filter.
    problems
        What was odd.
    """

    dataset: Dataset
    sounds_dir: Path | None
    participants: tuple[str, ...]
    without_bold: tuple[str, ...]
    looked_at: tuple[str, ...]
    spaces: Mapping[str, tuple[int, int, int]]
    n_confounds: tuple[int, int]
    tasks: Mapping[str, TaskFacts]
    sounds: Mapping[str, Path]
    stim_files: tuple[str, ...]
    longest_s: float
    ratings: tuple[str, ...]
    intervals: Mapping[str, int]
    catalogue: Catalogue
    adapter: str
    variants: Mapping[str, str]
    problems: tuple[Problem, ...] = field(repr=False)

    @property
    def tasks_with_sound(self) -> list[str]:
        """Tasks for which it is known what was played."""
        return [task for task, facts in self.tasks.items() if facts.n_presentations]

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns of the catalogue that are filled."""
        return tuple(column for column in LABELS if self.catalogue.values(column))


def survey(
    bids_dir: Path, sounds: Path | None = None, derivatives: Mapping[str, Path] | None = None
) -> Survey:
    """Look at a dataset; nothing is written.

    Parameters
    ----------
    bids_dir
        Raw BIDS dataset or fMRIPrep folder.
    sounds
        Folder with the sounds, as for ``--stimuli-dir``.
    derivatives
        As given with ``-d``.

    Raises
    ------
    InputMissingError, UsageError
        As for `open_dataset`.
    """
    dataset = open_dataset(bids_dir, derivatives)
    labels = participants(dataset)
    filters = Filters(allow_raw_bold=dataset.fmriprep is None)
    found = {label: find_acquisitions(dataset, label, filters)[0] for label in labels}
    with_bold = [label for label in labels if found[label]]
    tasks = {item.entities["task"] for items in found.values() for item in items}
    adapter = next(iter(recognise(str(dataset.description.get("Name", "")), tasks)), "")
    looked_at = _looked_at(with_bold, found)
    detail = _Detail(dataset, sounds, adapter)
    for label in looked_at:
        detail.look(found[label])
    catalogue, problems = read_catalogue(stimuli_folders(dataset, sounds))
    library = SoundLibrary.open(stimuli_folders(dataset, sounds))
    return Survey(
        dataset=dataset,
        sounds_dir=sounds,
        participants=tuple(labels),
        without_bold=tuple(label for label in labels if not found[label]),
        looked_at=looked_at,
        spaces=_spaces(found),
        n_confounds=_confounds(dataset, found),
        tasks={task: _task(task, found, detail) for task in sorted(tasks)},
        sounds=library.files,
        stim_files=tuple(sorted({item.stim_file for item in detail.presentations})),
        longest_s=max((item.duration_s for item in detail.presentations), default=0.0),
        ratings=tuple(sorted(detail.ratings)),
        intervals=dict(detail.intervals.most_common()),
        catalogue=catalogue,
        adapter=adapter,
        variants=_variants(found),
        problems=tuple(dict.fromkeys([*dataset.problems, *problems, *detail.problems])),
    )


def _looked_at(labels: list[str], found: Mapping[str, list[Acquisition]]) -> tuple[str, ...]:
    """Return the first participants, and those with whom a task is seen for the first time."""
    chosen = labels[:N_DETAIL]
    seen = {item.entities["task"] for label in chosen for item in found[label]}
    for label in labels[N_DETAIL:]:
        tasks = {item.entities["task"] for item in found[label]}
        if tasks - seen:
            chosen.append(label)
            seen |= tasks
    return tuple(chosen)


@dataclass
class _Detail:
    """What the files of a few participants say."""

    dataset: Dataset
    sounds: Path | None
    adapter: str
    runs: list[Run] = field(default_factory=list)
    presentations: list[Presentation] = field(default_factory=list)
    ratings: set[str] = field(default_factory=set)
    intervals: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)

    def look(self, acquisitions: list[Acquisition]) -> None:
        """Open headers, events and annotations of one participant."""
        items = _once(acquisitions)
        first = {item.entities["task"]: item for item in reversed(items)}
        times = {task: self._tr_s(item) for task, item in first.items()}
        runs = [self._run(item, times[item.entities["task"]]) for item in items]
        played, problems = self._played(runs)
        ratings, more = find_ratings(self.dataset, runs, played, self.sounds)
        _, others = find_intervals(self.dataset, runs, played, self.sounds)
        for task in {run.task for run in runs}:
            ours = [run for run in runs if run.task == task]
            intervals, _ = find_intervals(self.dataset, ours, played, self.sounds)
            self.intervals |= Counter(item.label for item in intervals)
        self.runs += runs
        self.presentations += played
        self.ratings |= {item.name for item in ratings}
        self.problems += [*problems, *more, *others]

    def _played(self, runs: list[Run]) -> tuple[list[Presentation], list[Problem]]:
        """Return what was played, by the adapter if the tables alone do not say it."""
        try:
            played, problems = find_presentations(self.dataset, runs, stimuli_dir=self.sounds)
        except InputInvalidError as error:
            remedy = "a run of the app would refuse it"
            played, problems = [], [Problem(self.dataset.bids_dir, str(error), remedy)]
        if self.adapter and not played:
            played, problems = find_presentations(
                self.dataset, runs, stimuli_dir=self.sounds, adapter=self.adapter
            )
        return played, problems

    def _tr_s(self, item: Acquisition) -> float | None:
        """Return the repetition time in the sidecars: once for each task, they can be large."""
        root = self.dataset.fmriprep or self.dataset.bids_dir
        metadata, problems = run_metadata(self.dataset, root, item)
        self.problems += problems
        stated = metadata.get("RepetitionTime")
        return seconds(float(stated), "sec") if isinstance(stated, int | float) else None

    def _run(self, item: Acquisition, tr_s: float | None) -> Run:
        """Return a run of which only the header was read, if there is one."""
        axis = time_axis(item.bold[0], item.kind)
        header = axis if isinstance(axis, TimeAxis) else TimeAxis(0, None)
        return Run(
            entities=item.entities,
            space=item.space,
            resolution=item.resolution,
            density=item.density,
            kind=item.kind,
            bold=item.bold,
            mask=None,
            confounds=None,
            tr_s=tr_s or header.tr_s or 0.0,
            n_trs=header.n_trs,
        )


def _once(acquisitions: Iterable[Acquisition]) -> list[Acquisition]:
    """Return one space of every acquisition, one whose image is there if possible."""
    best: dict[tuple[tuple[str, str], ...], Acquisition] = {}
    for item in acquisitions:
        key = tuple(item.entities.items())
        if key not in best or content_problem(best[key].bold[0]) is not None:
            best[key] = item
    return list(best.values())


def _spaces(found: Mapping[str, list[Acquisition]]) -> dict[str, tuple[int, int, int]]:
    people: Counter[str] = Counter()
    for items in found.values():
        people.update({item.space for item in items})
    every = [item for items in found.values() for item in items]
    absent = Counter(
        item.space for item in every if any(content_problem(path) for path in item.bold)
    )
    runs = Counter(item.space for item in every)
    order = dict.fromkeys(key.partition(":")[0] for key in offered_spaces(every))
    return {space: (people[space], runs[space], absent[space]) for space in order}


def _confounds(dataset: Dataset, found: Mapping[str, list[Acquisition]]) -> tuple[int, int]:
    """Count runs with a confounds table by name, and runs."""
    n_runs = sum(len({tuple(a.entities.items()) for a in items}) for items in found.values())
    if dataset.fmriprep is None:
        return 0, n_runs
    patterns = ("*_desc-confounds_timeseries.tsv", "*_desc-confounds_regressors.tsv")
    tables = {
        path
        for label in found
        for pattern in (*patterns, "*_bold_confounds.tsv")
        for path in (dataset.fmriprep / f"sub-{label}").glob(f"**/func/{pattern}")
    }
    return len(tables), n_runs


def _task(task: str, found: Mapping[str, list[Acquisition]], detail: _Detail) -> TaskFacts:
    acquired = {
        label: {tuple(a.entities.items()) for a in items if a.entities["task"] == task}
        for label, items in found.items()
    }
    counts = Counter(len(runs) for runs in acquired.values() if runs)
    labels = {
        label: tuple(
            sorted({(dict(key).get("ses", ""), dict(key).get("run", "")) for key in runs})
        )
        for label, runs in acquired.items()
        if runs
    }
    runs = [run for run in detail.runs if run.task == task]
    names = {run.name for run in runs}
    played = [item for item in detail.presentations if item.run_name in names]
    return TaskFacts(
        n_participants=sum(counts.values()),
        n_runs=sum(map(len, acquired.values())),
        runs_of=labels,
        n_looked_at=len({run.subject for run in runs}),
        runs_each=dict(sorted(counts.items())),
        tr_s=tuple(sorted({run.tr_s for run in runs if run.tr_s})),
        n_trs=tuple(sorted({run.n_trs for run in runs if run.n_trs})),
        source=", ".join(sorted({item.source for item in played})),
        n_presentations=len(played),
        n_pieces=len({item.stim_file for item in played}),
        n_missing=len({item.stim_file for item in played if item.path is None}),
    )


def _variants(found: Mapping[str, list[Acquisition]]) -> dict[str, str]:
    """Return, for each task that needs a filter, why the first participant needs one."""
    reasons: dict[str, str] = {}
    for label, items in found.items():
        groups: dict[tuple[str, str], list[Acquisition]] = defaultdict(list)
        for item in items:
            groups[item.entities["task"], item.target[0]].append(item)
        for (task, _), group in groups.items():
            try:
                refuse_variants(group, {}, label)
            except InputInvalidError as error:
                reasons.setdefault(task, str(error))
    return reasons


def has_table(found: Survey, name: str) -> bool:
    """Whether ``presentations.tsv`` or ``stimuli.tsv`` stands in a stimuli folder already."""
    assert name in (OVERLAY, CATALOGUE)
    return any(
        (folder / name).exists() for folder in stimuli_folders(found.dataset, found.sounds_dir)
    )


def adapter_title(name: str) -> str:
    """Return what a shipped adapter is for."""
    return load_adapter(name).title
