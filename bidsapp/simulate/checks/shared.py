"""What all checks share: reading maps and tables of results, means, words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.bids.names import build_path, space_entities
from bidsapp.simulate.oracle import read_grid

Floats = npt.NDArray[np.float64]
Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """How the results of one recipe are compared with the truth, and how that is said.

    Attributes
    ----------
    run
        Takes the dataset, the results and the truth, and ``oracle=``; None where there are no
        results of the recipe.
    say
        One line per finding.
    """

    run: Callable[..., dict[str, Any] | None]
    say: Callable[[Found], list[str]]


class SpaceResults:
    """Files of one participant, or of the group, in one space.

    Parameters
    ----------
    output_dir
        Of the app.
    subject, space
        Participant label (None for the group), and space as the BOLD files spell it.
    """

    def __init__(self, output_dir: Path, subject: str | None, space: str) -> None:
        self.output_dir = output_dir
        who = {} if subject is None else {"sub": subject}
        self.entities = who | space_entities(space)
        self.surface = space == "fsaverage5"

    def paths(self, entities: Mapping[str, str], suffix: str) -> list[Path]:
        """Return one volume, or the files of the left and the right hemisphere."""
        extension = ".nii.gz"
        if self.surface:
            extension = ".label.gii" if suffix == "dseg" else ".func.gii"
        sides = [{"hemi": "L"}, {"hemi": "R"}] if self.surface else [{}]
        named = [{**self.entities, **entities, **side} for side in sides]
        return [self.output_dir / build_path(names, suffix, extension) for names in named]

    def maps(self, entities: Mapping[str, str], suffix: str) -> Floats:
        """Read maps over the flattened grid, (n_maps, n_grid)."""
        return read_grid(self.paths(entities, suffix)).T.astype(np.float64)

    def find(self, entities: Mapping[str, str], suffix: str) -> Floats | None:
        """Read maps, or None where they were not written."""
        there = all(path.exists() for path in self.paths(entities, suffix))
        return self.maps(entities, suffix) if there else None

    def table(self, entities: Mapping[str, str]) -> Any:
        """Read a table of statistics."""
        return read_stats(self.table_path(entities))

    def table_path(self, entities: Mapping[str, str]) -> Path:
        """Where a table of statistics lies."""
        return self.output_dir / build_path({**self.entities, **entities}, "stats", ".tsv")


def read_stats(path: Path) -> Any:
    """Read a table as a data frame; ``n/a`` is NaN."""
    import pandas as pd

    return pd.read_table(path, na_values="n/a")


def said(value: float | None) -> str:
    """Spell a number with three significant digits."""
    if value is None or math.isnan(value):
        return "undefined"
    return f"{value:.3g}"


def mean_of(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean of every number over `entries`, nested like them; NaN is left out."""
    mean: dict[str, Any] = {}
    for name, value in entries[0].items():
        values = [entry[name] for entry in entries]
        if isinstance(value, Mapping):
            mean[name] = mean_of(values)
        elif isinstance(value, int | float):
            known = [number for number in values if not math.isnan(number)]
            mean[name] = float(np.mean(known)) if known else math.nan
    return mean


def plain(value: Any) -> Any:
    """Make `value` ready for JSON: plain numbers of four significant digits, None for NaN."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(f"{float(value):.4g}") if math.isfinite(value) else None
    return value
