"""The catalogue ``stimuli.tsv``: what is known about each sound.

One row for each sound, under the name that events use (``stim_file``; ``stim_id`` or
``stimulus_id`` in BEP044), with any of type, duration, genre, tags, caption, emotion, valence,
arousal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.records import Problem
from bidsapp.bids.sounds import clean_stim_file
from bidsapp.bids.tables import is_missing, read_table

CATALOGUE = "stimuli.tsv"
_ID_COLUMNS = ("stim_id", "stimulus_id")
#: columns whose cells hold several values, separated by ``|``
MANY = ("tags",)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Rows of ``stimuli.tsv``.

    Attributes
    ----------
    rows
        Column to cell; cells without value are absent, ``stim_file`` is a clean path.
    path
        Where it was read; None when there is none.
    """

    rows: tuple[Mapping[str, str], ...] = ()
    path: Path | None = None
    _files: dict[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def of(self, stim_file: str) -> Mapping[str, str]:
        """Return what is known of a sound; empty when nothing is."""
        return self._files.get(stim_file, {})

    def by_id(self, stim_id: str) -> Mapping[str, str] | None:
        """Return the row of a BEP044 identifier, written with or without ``stim-``."""
        bare = stim_id.removeprefix("stim-")
        for row in self.rows:
            if any(row.get(column, "").removeprefix("stim-") == bare for column in _ID_COLUMNS):
                return row
        return None

    def values(self, column: str) -> dict[str, tuple[str, ...]]:
        """Return the values of a column for each sound that has any; ``|`` separates tags."""
        return {
            stim_file: tuple(part.strip() for part in row[column].split("|"))
            if column in MANY
            else (row[column],)
            for stim_file, row in self._files.items()
            if column in row
        }


def stimuli_folders(dataset: Dataset, stimuli_dir: Path | None) -> tuple[Path, ...]:
    """Return where sounds and annotations are looked for, first things first."""
    given = (stimuli_dir.absolute(),) if stimuli_dir is not None else ()
    return (*given, *dataset.stimuli_dirs)


def read_catalogue(folders: Iterable[Path]) -> tuple[Catalogue, list[Problem]]:
    """Read the first ``stimuli.tsv`` of `folders`; an empty catalogue when there is none."""
    for folder in folders:
        path = folder / CATALOGUE
        if not path.exists():
            continue
        table = read_table(path)
        if isinstance(table, Problem):
            return Catalogue(), [table]
        if not {"stim_file", *_ID_COLUMNS} & set(table.columns):
            what = "has none of the columns stim_file, stim_id, stimulus_id"
            return Catalogue(), [Problem(path, what, "add stim_file")]
        rows: list[Mapping[str, str]] = []
        files: dict[str, Mapping[str, str]] = {}
        problems: list[Problem] = []
        for cells in table.rows:
            row = {column: cell for column, cell in cells.items() if not is_missing(cell)}
            clean = clean_stim_file(row["stim_file"], path) if "stim_file" in row else None
            if isinstance(clean, Problem):
                problems.append(clean)
                continue
            if clean is not None:
                row["stim_file"] = clean
                files[clean] = row
            rows.append(row)
        return Catalogue(tuple(rows), path, files), problems
    return Catalogue(), []
