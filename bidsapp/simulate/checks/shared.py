"""What all checks share: results beside what was planted, means and words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.brain.geometry import VolumeGrid
from bidsapp.errors import InputMissingError
from bidsapp.results.kinds import Result
from bidsapp.results.read import Results, Space
from bidsapp.simulate.planted import Truth

Found = Mapping[str, Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Check:
    """How the results of one recipe are compared with the truth, and how that is said.

    Attributes
    ----------
    design
        Datasets of this design are compared.
    run
        Takes the dataset, the results, the truth, and whether to analyse the data by a plain
        pipeline that knows the design (``oracle=``; recipes without one take no notice); None
        where there are no results of the recipe.
    say
        Takes what `run` returned; one line per finding.
    """

    design: str
    run: Callable[..., dict[str, Any] | None]
    say: Callable[[Found], list[str]]


@dataclass(frozen=True, eq=False, slots=True)
class Written:
    """What was written of one participant, or of the group, in one space.

    Attributes
    ----------
    subject, space
        Labels in the truth; the group is "".
    planted
        File of the planted map; for the group, that of the first participant.
    results, at
        What was written, and which of its spaces this is.
    """

    subject: str
    space: str
    planted: Path
    results: Results
    at: Space

    @property
    def place(self) -> dict[str, Any]:
        """Participant and space, as entries of the findings begin; the group has the space."""
        own = {"participant": self.subject} if self.subject else {}
        return own | {"space": self.space}

    def on_grid(self, result: Result, network: str = "") -> Floats | None:
        """Read maps over the flattened grid of the truth, (n_maps, n_grid); None without."""
        maps = self.results.maps(result, self.at, network)
        if maps is None or not isinstance(maps.units.geometry, VolumeGrid):
            return None if maps is None else maps.values.astype(np.float64)
        mask = maps.units.geometry.mask.ravel()
        grid = np.full((len(maps.values), mask.size), np.nan)
        grid[:, mask] = maps.values
        return grid

    def required(self, result: Result, network: str = "") -> Floats:
        """Read maps that are always written, as `on_grid`."""
        grid = self.on_grid(result, network)
        assert grid is not None
        return grid


def written(
    output_dir: Path,
    recipe: str,
    catalogue: Iterable[Result],
    truth: Truth,
    *,
    network: str = "",
    group: bool = False,
) -> Iterator[Written]:
    """Yield what a recipe wrote of each participant, or of the group, in the planted spaces.

    Parameters
    ----------
    output_dir, recipe, catalogue
        Results, name of the recipe, and what it writes.
    truth
        Of the dataset.
    network
        Only spaces in which it was analysed; any if empty.
    group
        Whether to take the group instead of participants.
    """
    places = truth.maps()
    if group:
        firsts = {space: path for (_, space), path in reversed(places.items())}
        places = {("", space): firsts[space] for space in sorted(firsts)}
    for (subject, space), planted in places.items():
        with suppress(InputMissingError):
            results = Results(output_dir, recipe, tuple(catalogue), subject)
            for at in results.spaces:
                fits = results.facts(at)["space"] == space
                if fits and (not network or network in results.networks(at)):
                    yield Written(subject, space, planted, results, at)


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


def means_by_space(entries: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean of every number over the entries of each space."""
    spaces = sorted({str(entry["space"]) for entry in entries})
    return {
        space: mean_of([entry for entry in entries if entry["space"] == space]) for space in spaces
    }


def plain(value: Any) -> Any:
    """Make `value` ready for JSON: plain numbers of four significant digits, None for NaN."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(f"{float(value):.4g}") if math.isfinite(value) else None
    return value
