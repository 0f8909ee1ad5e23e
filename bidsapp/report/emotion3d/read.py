"""What the reports of `emotion3d` show, read back from the written derivatives.

Participant and group level write the same kinds of tables. The summary JSON is read leniently:
what it lacks is shown as not recorded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from bidsapp.errors import AppError
from bidsapp.report.files import Artefact, Derivatives, read_json
from bidsapp.report.maps import Maps
from bidsapp.report.results import Space, read_maps, rows_of
from bidsapp.report.study import (
    StudyBase,
    group_summaries,
    participant_summaries,
    read_description,
    space_of,
)

GROUP = "group"
RECIPE = "emotion3d"
SUMMARY = "emotion3dsummary"
LEAKY = "LEAKY"
BALANCED = "balanced_accuracy"
DECODERS = {
    "cnn": "3D network",
    "linear": "Linear, voxels",
    "parcels": "Linear SVM, parcels",
    "confounds": "Motion, global signal",
    "time": "Time in the run",
    "run": "Which run it is",
    "majority": "Most frequent class",
    "prior": "Draw from class shares",
}
BRAIN = ("cnn", "linear", "parcels")
PROBES = ("confounds", "time", "run")
_SPLITS = {
    "leave_run_out": "Runs left out",
    "blocked": "Blocks left out",
    "leave_participant_out": "Participants left out, same stimulus",
    "leave_participant_and_run_out": "Participants and runs left out, new stimulus",
    "shuffled": "Shuffled volumes",
}
_SHORT = {
    "leave_participant_out": "same stimulus",
    "leave_participant_and_run_out": "new stimulus",
}


@dataclass(frozen=True)
class SplitInfo:
    """How volumes were divided.

    Attributes
    ----------
    name
        In files; a leaky one is stamped.
    leaky
        Whether its scores say nothing about the brain.
    note
        What a score under it means.
    folds
        Names.
    """

    name: str
    leaky: bool
    note: str = ""
    folds: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Name for a reader."""
        plain = self.name.removesuffix(f"-{LEAKY}")
        title = _SPLITS.get(plain, plain.replace("_", " "))
        return f"{LEAKY}: {title.lower()}" if self.leaky else title

    @property
    def short(self) -> str:
        """Name for a narrow place."""
        plain = self.name.removesuffix(f"-{LEAKY}")
        return self.title if self.leaky else _SHORT.get(plain, self.title.lower())

    @property
    def anchor(self) -> str:
        """Name for a link."""
        return self.name.replace("_", "-").lower()


def split_of(name: object) -> SplitInfo:
    """Return what the name of a split says."""
    return SplitInfo(str(name), str(name).endswith(LEAKY))


def in_words(text: str) -> str:
    """Call splits and negative numbers in a recorded sentence as the report does.

    Examples
    --------
    >>> in_words("under leave_participant_out is 0.2")
    'under \u201csame stimulus\u201d is 0.2'
    """
    for name in sorted(_SPLITS, key=len, reverse=True):
        text = re.sub(rf"\b{name}\b(?!-)", f"\u201c{split_of(name).short}\u201d", text)
    text = text.replace("cnn decoder", "network")
    return re.sub(r"(?<=[ (])-(?=\d)", "\u2212", text)


@dataclass(frozen=True)
class SpaceStudy:
    """Everything in one space.

    Attributes
    ----------
    files, space
        Where it lies.
    facts
        Content of the summary.
    is_group
        What it is of.
    """

    files: Derivatives = field(repr=False)
    space: Space
    facts: Mapping[str, Any] = field(repr=False)
    is_group: bool = False

    def table(self, name: str) -> pd.DataFrame:
        """Read a table of the recipe in this space; empty when there is none."""
        return self.files.table(RECIPE + name, "stats", model=None, **self.space.entities)

    def maps(self, stat: str) -> Maps | None:
        """Read one map per class; None when they were not written."""
        keys: dict[str, str | None] = {"stat": stat, "desc": RECIPE, "model": None}
        return read_maps(self.files, self.space, "statmap", None, **keys)

    def map_facts(self, stat: str) -> dict[str, Any]:
        """Return the metadata beside the maps; empty without."""
        paths = self.files.data_files(
            "statmap", stat=stat, desc=RECIPE, model=None, **self.space.entities
        )
        return self.files.sidecar(paths[0]) if paths else {}

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row per split, decoder and measure."""
        return self.table("scores")

    @cached_property
    def recall(self) -> pd.DataFrame:
        """One row per split, decoder and class; of a group, its pool."""
        return _pool(self.table("recall"))

    @cached_property
    def confusion(self) -> pd.DataFrame:
        """One row per split, decoder, true and predicted class; of a group, its pool."""
        return _pool(self.table("confusion"))

    def of_participants(self, name: str) -> pd.DataFrame:
        """Rows of a table of a group that are about single participants."""
        table = self.table(name)
        return table[table["participant"].notna()] if "participant" in table else table.iloc[:0]

    @cached_property
    def null(self) -> pd.DataFrame:
        """One row per split, decoder and shift of the labels."""
        return self.table("null")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per held-out volume, split and decoder."""
        return self.table("predictions")

    @cached_property
    def labels(self) -> pd.DataFrame:
        """One row per run and class."""
        return self.table("labels")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in order."""
        named = self.facts.get("classes")
        if named:
            return tuple(map(str, named))
        return () if self.recall.empty else tuple(dict.fromkeys(self.recall["class"].map(str)))

    @cached_property
    def splits(self) -> tuple[SplitInfo, ...]:
        """Splits in the order of the summary; without it, those of the scores."""
        recorded = [
            SplitInfo(
                str(entry["name"]),
                bool(entry.get("leaky")),
                str(entry.get("note") or ""),
                tuple(map(str, entry.get("folds") or ())),
            )
            for entry in self.facts.get("splits") or ()
            if "name" in entry
        ]
        known = {split.name for split in recorded}
        names = () if self.scores.empty else dict.fromkeys(self.scores["split"].map(str))
        others = [split_of(name) for name in names if name not in known]
        return (*recorded, *others)

    @property
    def honest(self) -> tuple[SplitInfo, ...]:
        """Splits whose scores may be believed."""
        return tuple(split for split in self.splits if not split.leaky)

    def decoders(self, split: SplitInfo) -> list[str]:
        """Return the decoders that were scored under a split, in the order of `DECODERS`."""
        rows = rows_of(self.scores, split=split.name, measure=BALANCED)
        there = set() if rows.empty else set(rows["decoder"])
        return [name for name in DECODERS if name in there]

    def score(self, split: SplitInfo, decoder: str, measure: str = BALANCED) -> pd.Series | None:
        """Return the row of a score; None when it was not computed."""
        rows = rows_of(self.scores, split=split.name, decoder=decoder, measure=measure)
        return None if rows.empty else rows.iloc[0]

    def nulls(self, split: SplitInfo, decoder: str) -> Sequence[float]:
        """Balanced accuracies with shifted labels; empty without a test."""
        rows = rows_of(self.null, split=split.name, decoder=decoder)
        return [] if rows.empty else [float(value) for value in rows[BALANCED].dropna()]


@dataclass(frozen=True)
class Study(StudyBase[SpaceStudy]):
    """Everything of one participant, or of a group."""

    recipe: ClassVar[str] = RECIPE

    @property
    def leaky_splits(self) -> list[str]:
        """Return the leaky splits that anything on the page is about."""
        found = {split.name for space in self.spaces for split in space.splits if split.leaky}
        for space in self.spaces:
            people = space.table("participants")
            names = [] if people.empty else people["split"].map(str).tolist()
            found |= {name for name in names if split_of(name).leaky}
        return sorted(found)


def _pool(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["participant"].isna()] if "participant" in table else table


def load_participant(output_dir: Path, subject: str) -> Study:
    """Collect what the recipe wrote of one participant.

    Raises
    ------
    InputMissingError
        When the recipe has no results of this participant.
    InputInvalidError
        When a file cannot be read.
    """
    return _study(*participant_summaries(output_dir, subject, RECIPE))


def load_group(output_dir: Path) -> Study:
    """Collect what the group level of the recipe wrote.

    Raises
    ------
    InputMissingError
        When there is nothing of a group.
    InputInvalidError
        When a file cannot be read.
    """
    return _study(*group_summaries(output_dir, RECIPE), group=True)


def participants_of(space: SpaceStudy) -> dict[str, SpaceStudy]:
    """Return what the participants of a group wrote in the same space, by label."""
    found: dict[str, SpaceStudy] = {}
    for label in space.facts.get("participants") or ():
        try:
            study = load_participant(space.files.root, str(label))
        except AppError:
            continue
        found |= {str(label): each for each in study.spaces if each.space == space.space}
    return found


def _study(files: Derivatives, summaries: Sequence[Artefact], *, group: bool = False) -> Study:
    spaces = [
        SpaceStudy(files, space_of(item.entities), read_json(item.path), group)
        for item in summaries
    ]
    spaces.sort(key=lambda each: each.space.anchor)
    return Study(files, read_description(files), tuple(spaces), group)
