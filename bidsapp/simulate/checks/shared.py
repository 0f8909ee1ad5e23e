"""What all checks share: results in a space, means and words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.errors import InputMissingError
from bidsapp.results.kinds import Result
from bidsapp.results.read import Results, Space

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


def written(
    output_dir: Path, recipe: str, catalogue: Iterable[Result], subject: str, space: str
) -> Iterator[tuple[Results, Space]]:
    """Yield the results of a participant in a space as the BOLD files spell it; of the group: "".

    Nothing where there are none.
    """
    with suppress(InputMissingError):
        results = Results(output_dir, recipe, tuple(catalogue), subject)
        for at in results.spaces:
            if results.facts(at)["space"] == space:
                yield results, at


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
