"""What all checks share: means and words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
