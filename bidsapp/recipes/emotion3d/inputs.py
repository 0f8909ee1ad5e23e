"""What an analysis of one participant stands on: runs with labels; sounds are not needed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.index import find_runs
from bidsapp.bids.intervals import find_intervals
from bidsapp.bids.label_maps import LabelMap, load_label_map
from bidsapp.bids.presentations import events_file, find_presentations
from bidsapp.bids.records import Interval, Presentation, Problem, Run
from bidsapp.bids.tables import Table, is_missing, number, read_table
from bidsapp.config import Config
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.recipes.analysis import Analysis
from bidsapp.recipes.emotion3d.folds import make_splits
from bidsapp.recipes.emotion3d.labels import (
    LabelledVolumes,
    RunKey,
    n_blocks,
    run_key,
    run_labels,
    spans_of,
    stimulus_times,
    volume_times,
)
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings
from bidsapp.recipes.inputs import query_filters
from bidsapp.stats.samples import Samples
from bidsapp.text import text_table

_AUDIO = {"ao", "aomovie", "audio"}
_AUDIOVISUAL = {"av", "avmovie", "audiovisual"}
_TOKENS = re.compile(r"[_\-.]+")


@dataclass(frozen=True)
class EmotionInputs:
    """The input of one participant in one space.

    Attributes
    ----------
    subject, space
        Participant label and space as the files spell it.
    runs
        Runs with at least one labelled volume.
    presentations
        What was played when, where known; the sounds need not be there.
    intervals
        Labels in the time of runs or of sounds, of one modality of observers if one was chosen.
    label_map
        Labels and their classes.
    classes
        Names of those that occur.
    modality
        Of the observers: ``audio``, ``audiovisual``, ``unknown`` or ``mixed``.
    settings
        How labels are made.
    problems
        What was passed over.
    """

    subject: str
    space: str
    runs: tuple[Run, ...]
    presentations: tuple[Presentation, ...]
    intervals: tuple[Interval, ...]
    label_map: LabelMap
    classes: tuple[str, ...]
    modality: str
    settings: Emotion3dSettings
    problems: tuple[Problem, ...]

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Every file a result depends on."""
        paths: set[Path] = {item.source for item in self.intervals if item.source is not None}
        for run in self.runs:
            paths.update(run.bold)
            paths.update(path for path in (run.mask, run.confounds) if path is not None)
        return tuple(sorted(paths))

    def identity(self) -> str:
        """Return a hash of the input: names, sizes and times of files, labels and timings."""
        digest = hashlib.blake2b(digest_size=8)
        for path in self.files:
            status = path.stat()
            digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        for item in self.presentations:
            timing = (item.run_name, item.stim_file, item.onset_s, item.duration_s)
            digest.update(f"{timing} {item.stim_start_s}\n".encode())
        for run in self.runs:
            digest.update(f"{run.name} {run.n_trs} {run.tr_s} {run.start_time_s}\n".encode())
        digest.update(repr((self.label_map, self.modality)).encode())
        digest.update(self.labelled().labels.tobytes())
        return digest.hexdigest()

    def overview(self) -> str:
        """Say how many volumes and blocks of each class every run has."""
        rows = self.counts()
        table = text_table(rows, tuple(rows[0]))
        text = f"observers: {self.modality}; shift {self.settings.shift_s:g} s"
        return f"{table}\nlabels: {text}; cells are volumes (contiguous blocks)"

    def counts(self) -> list[dict[str, Any]]:
        """Return one row per run, and the sum: ``volumes (blocks)`` of each class."""
        rows: list[dict[str, Any]] = []
        table = self.count_rows()
        for name in [*(run.name for run in self.runs), None]:
            mine = [row for row in table if name is None or row["run"] == name]
            row: dict[str, Any] = {"run": name or "all"}
            for label in self.classes:
                cells = [item for item in mine if item["class"] == label]
                n, blocks = (sum(item[key] for item in cells) for key in ("n_volumes", "n_blocks"))
                row[label] = f"{n} ({blocks})"
            rows.append(row)
        return rows

    def count_rows(self) -> list[dict[str, Any]]:
        """Return volumes and contiguous blocks of each run and class."""
        labelled = self.labelled()
        rows = []
        for index, run in enumerate(self.runs):
            mine = labelled.labels[labelled.samples.run == index]
            for k, label in enumerate(self.classes):
                n = int(np.count_nonzero(mine == k))
                blocks = n_blocks(mine, k)
                rows.append({"run": run.name, "class": label, "n_volumes": n, "n_blocks": blocks})
        return rows

    def labelled(
        self,
        shift_s: float | None = None,
        *,
        run_numbers: Mapping[RunKey, int] | None = None,
        pieces: Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        participant: int = 0,
    ) -> LabelledVolumes:
        """Label all volumes but the first ones of each run.

        Parameters
        ----------
        shift_s
            Instead of the settings' shift.
        run_numbers, pieces, classes
            Numbers of runs, sounds and classes that a group shares; by default those of this
            participant.
        participant
            Number in the group.
        """
        settings = self.settings
        names = tuple(self.classes if classes is None else classes)
        sounds = self.pieces if pieces is None else pieces
        drop = settings.drop_volumes
        of = [names.index(name) if name in names else -1 for name in self.rivals]
        number_of = np.array([*of, -1])  # the last one is what -1, no label, leads to
        parts: list[tuple[NDArray[Any], ...]] = []
        for index, run in enumerate(self.runs):
            spans = spans_of(run, self.intervals, self.presentations)
            label = run_labels(run, spans, self.label_map, self.rivals, settings, shift_s)
            piece, position = stimulus_times(run, self.presentations, settings.shift_s, sounds)
            if not settings.purge_stimulus:
                position[:] = np.nan
            which = index if run_numbers is None else run_numbers[run_key(run)]
            columns = (
                np.full(run.n_trs, which),
                volume_times(run),
                piece,
                position,
                number_of[label],
                np.arange(run.n_trs),
            )
            parts.append(tuple(column[drop:] for column in columns))
        of_run, time_s, of_piece, at_s, labels, volume = (
            np.concatenate(columns) for columns in zip(*parts, strict=True)
        )
        who = np.full(len(of_run), participant)
        return LabelledVolumes(names, labels, volume, Samples(of_run, time_s, who, at_s, of_piece))

    @cached_property
    def rivals(self) -> tuple[str, ...]:
        """Classes that compete for the label of a moment: all that are annotated."""
        labels = [item.label for item in self.intervals]
        found = {self.label_map.class_of(label) for label in labels}
        return tuple(name for name in self.label_map.classes(labels) if name in found)

    @property
    def pieces(self) -> tuple[str, ...]:
        """Names of the sounds that were played."""
        return tuple(sorted({item.stim_file for item in self.presentations}))


EmotionAnalysis = Analysis[EmotionInputs]
"""A job of the participant level."""


def collect_participant(
    dataset: Dataset, subject: str, space: str, config: Config, settings: Emotion3dSettings
) -> EmotionInputs:
    """Find the runs of one participant that have labels.

    Parameters
    ----------
    dataset
        The opened dataset.
    subject, space
        Participant label and space of the BOLD files.
    config
        Filters, stimuli folder and adapter.
    settings
        Where labels come from and how they become those of volumes.

    Raises
    ------
    InputMissingError
        No run, or no label for any run.
    InputInvalidError
        Fewer than two classes occur, or the volumes cannot be divided into training and test.
    """
    runs, problems = find_runs(dataset, subject, space=space, filters=query_filters(config))
    if not runs:
        reasons = "".join(f"\n  {problem}" for problem in problems)
        msg = (
            f"sub-{subject}: no usable BOLD run in space {space}; check --space and the "
            f"filters{reasons}"
        )
        raise InputMissingError(msg)
    presentations, _ = find_presentations(
        dataset, runs, stimuli_dir=config.stimuli_dir, adapter=config.adapter
    )
    if settings.label_source == "events":
        intervals, more = _from_events(dataset, runs)
    else:
        intervals, more = find_intervals(dataset, runs, presentations, config.stimuli_dir)
    intervals, modality, said = _of_modality(intervals, settings.rater_modality)
    label_map = load_label_map(settings.label_map)
    if not any(label_map.class_of(item.label) for item in intervals):
        source = "events.tsv" if settings.label_source == "events" else "annotations"
        msg = (
            f"sub-{subject}: {source} of {len(runs)} runs hold no label of the map "
            f"{settings.label_map!r}; give --stimuli-dir, or set emotion3d.label_source or "
            "emotion3d.label_map"
        )
        raise InputMissingError(msg)
    late = [problem for run in runs for problem in _beyond_end(run, intervals)]
    said += unused_columns(intervals, label_map)
    inputs = EmotionInputs(
        subject,
        space,
        tuple(runs),
        tuple(presentations),
        tuple(intervals),
        label_map,
        (),
        modality,
        settings,
        tuple(dict.fromkeys([*problems, *more, *said, *late])),
    )
    inputs = _with_labels_only(replace(inputs, classes=inputs.rivals))
    make_splits(inputs.labelled(), len(inputs.runs), settings, config.random_seed)
    return inputs


def _with_labels_only(inputs: EmotionInputs) -> EmotionInputs:
    """Leave out runs without a labelled volume and classes that no volume has."""
    labelled = inputs.labelled()
    used = labelled.labels >= 0
    there = np.unique(labelled.samples.run[used])
    classes = tuple(inputs.classes[k] for k in np.unique(labelled.labels[used]))
    if len(classes) < 2:
        msg = (
            f"sub-{inputs.subject}: {len(classes)} class(es) occur in {len(inputs.runs)} runs, "
            "decoding needs two; check emotion3d.min_agreement, label_map and the runs' labels"
        )
        raise InputInvalidError(msg)
    without = [run for k, run in enumerate(inputs.runs) if k not in there]
    told = [
        Problem(run.bold[0], "no volume has a label", "the run is left out") for run in without
    ]
    return replace(
        inputs,
        runs=tuple(run for k, run in enumerate(inputs.runs) if k in there),
        classes=classes,
        problems=(*inputs.problems, *told),
    )


def _from_events(dataset: Dataset, runs: Sequence[Run]) -> tuple[list[Interval], list[Problem]]:
    """Take ``trial_type`` of ordinary events as labels."""
    found, problems = [], []
    for run in runs:
        path = events_file(dataset, run)
        table = read_table(path) if path else None
        if isinstance(table, Problem):
            problems.append(table)
        if not isinstance(table, Table) or "trial_type" not in table.columns:
            continue
        for row in table.rows:
            if is_missing(row["trial_type"]):
                continue
            onset_s, duration_s = number(row["onset"]), number(row["duration"])
            label = row["trial_type"].strip()
            found.append(Interval(label, onset_s, duration_s, "run", run.name, source=path))
    return found, problems


def modality_of(interval: Interval) -> str:
    """Say whether its observers listened (``audio``), also watched (``audiovisual``) or not said.

    ``Modality`` of the file's JSON counts, else ``ao``, ``av`` or ``audio`` in the name of the
    file or its folder.
    """
    path = interval.source
    if path is None:
        return "unknown"
    sidecar = path.with_name(path.name.split(".")[0] + ".json")
    if sidecar.is_file():
        try:
            stated = str(json.loads(sidecar.read_text("utf-8")).get("Modality", "")).lower()
        except (OSError, ValueError, AttributeError):
            stated = ""
        if stated in ("audio", "audiovisual"):
            return stated
    words = set(_TOKENS.split(f"{path.parent.name}_{path.name}".lower()))
    if words & _AUDIOVISUAL:
        return "audiovisual"
    return "audio" if words & _AUDIO else "unknown"


def _of_modality(
    intervals: Sequence[Interval], wanted: str
) -> tuple[list[Interval], str, list[Problem]]:
    """Keep the intervals of one modality: the one wanted, else unknown ones, else the other."""
    by_file = {item.source: modality_of(item) for item in intervals}
    of = [by_file[item.source] for item in intervals]
    if wanted == "any" or not intervals:
        kinds = sorted(set(of))
        return list(intervals), kinds[0] if len(kinds) == 1 else "mixed", []
    other = {"audio": "audiovisual", "audiovisual": "audio"}[wanted]
    taken = next(kind for kind in (wanted, "unknown", other) if kind in of)
    kept = [item for item, kind in zip(intervals, of, strict=True) if kind == taken]
    problems = []
    if taken == other and kept[0].source is not None:
        what = f"labels are of {taken} observers, {wanted} ones were wanted"
        problems.append(Problem(kept[0].source, what, "they are used; say so in the paper"))
    return kept, taken, problems


def unused_columns(intervals: Sequence[Interval], label_map: LabelMap) -> list[Problem]:
    """Say which emotions of the label map have a column that is 0 in all tables.

    Source: in the run-locked tables of studyforrest-data-annotations (``segments/``) the columns
    whose names have a stroke, a hyphen or a second underscore (anger/rage among them) are empty.
    """
    paths = sorted({item.source for item in intervals if item.source is not None})
    tables = [table for path in paths if isinstance(table := read_table(path), Table)]
    columns = {name for table in tables for name in table.columns if name.startswith("e_")}
    used = {f"e_{item.label}" for item in intervals}
    lost = sorted(
        name for name in columns - used if label_map.class_of(name.removeprefix("e_")) is not None
    )
    if not lost:
        return []
    what = f"{', '.join(lost)} are 0 in all {len(tables)} tables like this one"
    remedy = "their classes lack these emotions; make the tables again if they were rated"
    return [Problem(paths[0], what, remedy)]


def _beyond_end(run: Run, intervals: Sequence[Interval]) -> list[Problem]:
    """Say so when labels of a run go on after it."""
    own = [item for item in intervals if item.reference == "run" and item.key == run.name]
    ends = [item.onset_s + item.duration_s for item in own]
    if not ends or max(ends) <= run.start_time_s + run.duration_s + run.tr_s:
        return []
    what = f"{run.name}: labels end at {max(ends):.1f} s, the run at {run.duration_s:.1f} s"
    return [Problem(own[0].source or run.bold[0], what, "check that they are on the run's clock")]
