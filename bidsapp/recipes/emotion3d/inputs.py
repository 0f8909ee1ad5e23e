"""Input of `emotion3d`: the runs of one participant that have labels, checked and counted."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.label_maps import LabelMap, load_label_map
from bidsapp.bids.presentations import events_file
from bidsapp.bids.records import Interval, Problem, Run
from bidsapp.bids.tables import Table, is_missing, number, read_table
from bidsapp.brain.clean import Cleaning
from bidsapp.brain.stored_volumes import Treatment
from bidsapp.config import Config
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.emotion3d.labels import (
    LabelledVolumes,
    RunKey,
    make_splits,
    n_blocks,
    run_key,
    run_labels,
    spans_of,
    stimulus_times,
)
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings
from bidsapp.stats.samples import Samples
from bidsapp.text import some_of, text_table

_AUDIO = {"ao", "aomovie", "audio"}
_AUDIOVISUAL = {"av", "avmovie", "audiovisual"}
_TOKENS = re.compile(r"[_\-.]+")
_N_NAMED = 6


@dataclass(frozen=True)
class EmotionInputs(Inputs):
    """The input of one participant in one space.

    Runs have at least one labelled volume; intervals are labels in the time of runs or of sounds,
    of one modality of observers if one was chosen.

    Attributes
    ----------
    label_map
        Labels and their classes.
    classes
        Names of those that occur.
    modality
        Of the observers: ``audio``, ``audiovisual``, ``unknown`` or ``mixed``.
    settings
        How labels are made.
    """

    label_map: LabelMap
    classes: tuple[str, ...]
    modality: str
    settings: Emotion3dSettings

    def identity(self) -> str:
        """Return a hash of the input: names, sizes and times of files, labels and timings."""
        digest = hashlib.blake2b(super().identity().encode(), digest_size=8)
        digest.update(repr((self.label_map, self.modality)).encode())
        digest.update(self.labelled().labels.tobytes())
        return digest.hexdigest()

    def brief(self) -> str:
        """Say how many volumes and segments of each class there are."""
        counts = self.counts()[-1]
        cells = ", ".join(f"{name} {counts[name]}" for name in self.classes)
        return f"{len(self.runs)} runs; {cells}"

    def overview(self) -> str:
        """Say how many volumes and segments of each class every run has."""
        rows = self.counts()
        table = text_table(rows, tuple(rows[0]))
        text = f"observers: {self.modality}; shift {self.settings.shift_s:g} s"
        said = f"{table}\nlabels: {text}; cells are volumes (contiguous segments)"
        return f"{said}\n{self.cleaning}" if self.settings.denoise and self.cleaning else said

    def counts(self) -> list[dict[str, Any]]:
        """Return one row per run, and the sum: ``volumes (segments)`` of each class."""
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
        """Return volumes and contiguous segments of each run and class."""
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
                run.volume_times_s,
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


def treatment(settings: Emotion3dSettings, config: Mapping[str, Any]) -> Treatment:
    """Return what is done to the volumes before they are decoded.

    Parameters
    ----------
    settings
        Of the participant level.
    config
        ``confounds``, ``high_pass_hz``, ``smoothing_fwhm_mm`` of the participant level.
    """
    smoothing_mm = config["smoothing_fwhm_mm"]
    cleaning = Cleaning(config["confounds"], config["high_pass_hz"], smoothing_mm)
    return Treatment(
        cleaning if settings.denoise else Cleaning("none", 0.0, smoothing_mm),
        settings.voxel_mm,
        settings.normalise == "run",
        settings.drop_volumes,
    )


def prepare(
    dataset: Dataset, inputs: Inputs, settings: Emotion3dSettings, config: Config
) -> EmotionInputs:
    """Choose and check the labels of one participant.

    Parameters
    ----------
    dataset
        For ordinary events, if labels come from there.
    inputs
        Runs, presentations and labelled intervals.
    settings
        Where labels come from and how they become those of volumes.
    config
        For the random seed.

    Raises
    ------
    InputMissingError
        No label for any run.
    InputInvalidError
        Fewer than two classes occur, or the volumes cannot be divided into training and test.
    """
    intervals: Sequence[Interval] = inputs.intervals
    problems = list(inputs.problems)
    if settings.label_source == "events":
        intervals, more = _from_events(dataset, inputs.runs)
        problems += more
    intervals, modality, of_modality = _of_modality(intervals, settings.rater_modality)
    label_map = load_label_map(settings.label_map)
    if not any(label_map.class_of(item.label) for item in intervals):
        source = "events.tsv" if settings.label_source == "events" else "annotations"
        unknown = label_map.unknown(item.label for item in intervals)
        others = f" but {_counted(unknown)}" if unknown else ""
        remedy = (
            "set emotion3d.label_map=identity or to a table with columns source and target, or "
            "another emotion3d.label_source"
            if unknown
            else "give --stimuli-dir, or set emotion3d.label_source or emotion3d.label_map"
        )
        msg = (
            f"sub-{inputs.subject}: {source} of {len(inputs.runs)} runs hold no label of the map "
            f"{settings.label_map!r}{others}; {remedy}"
        )
        raise InputMissingError(msg)
    late = [problem for run in inputs.runs for problem in _beyond_end(run, intervals)]
    problems += [*of_modality, *unused_columns(intervals, label_map), *late]
    problems += unknown_labels(intervals, label_map)
    common = {item.name: getattr(inputs, item.name) for item in fields(Inputs)}
    common |= {"intervals": tuple(intervals), "problems": tuple(dict.fromkeys(problems))}
    prepared = EmotionInputs(
        **common, label_map=label_map, classes=(), modality=modality, settings=settings
    )
    prepared = _with_labels_only(replace(prepared, classes=prepared.rivals))
    make_splits(prepared.labelled(), len(prepared.runs), settings, config.random_seed)
    return prepared


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
    left_out = [
        Problem(run.bold[0], "no volume has a label", "the run is left out") for run in without
    ]
    return replace(
        inputs,
        runs=tuple(run for k, run in enumerate(inputs.runs) if k in there),
        classes=classes,
        problems=(*inputs.problems, *left_out),
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


def unknown_labels(intervals: Sequence[Interval], label_map: LabelMap) -> list[Problem]:
    """Say which labels the map does not name: volumes lose them without a word otherwise."""
    unknown = label_map.unknown(item.label for item in intervals)
    sources = [item.source for item in intervals if item.label in unknown and item.source]
    if not sources:
        return []
    what = f"the map {label_map.name!r} does not name {_counted(unknown)}"
    remedy = "these stretches are left out; name them in a table for emotion3d.label_map"
    return [Problem(sources[0], what, remedy)]


def _counted(labels: Mapping[str, int]) -> str:
    """List labels, each with its number of stretches, the most frequent first."""
    ordered = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
    return some_of([f"{label!r} ({n})" for label, n in ordered], _N_NAMED)


def _beyond_end(run: Run, intervals: Sequence[Interval]) -> list[Problem]:
    """Say so when labels of a run go on after it."""
    own = [item for item in intervals if item.reference == "run" and item.key == run.name]
    ends = [item.onset_s + item.duration_s for item in own]
    if not ends or max(ends) <= run.scan_end_s + run.tr_s:
        return []
    what = f"{run.name}: labels end at {max(ends):.1f} s, the run at {run.duration_s:.1f} s"
    return [Problem(own[0].source or run.bold[0], what, "check that they are on the run's clock")]
