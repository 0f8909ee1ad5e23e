"""How the group report calls things: references, correlations, p-values, lags."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bidsapp.report.group.results import GroupModel, GroupSpace
from bidsapp.report.html import Note, Notes, Part, number_text
from bidsapp.report.results import setting

_REFERENCES = {
    "gradient1": "functional gradient 1",
    "gradient2": "functional gradient 2",
    "fcgradient01": "functional gradient 1 (Margulies 2016)",
    "fcgradient02": "functional gradient 2 (Margulies 2016)",
}
_LAGS = {
    "positive": "positive lags",
    "negative": "negative lags (control)",
    "positive-negative": "positive \u2212 negative",
}
KIND_TITLES = {"best": "Best layer", "centroid": "Centroid layer"}


def reference_title(name: object) -> str:
    """Name a reference map for a reader."""
    text = str(name)
    if text.startswith("user"):
        return f"map given by the user{text.removeprefix('user') and ' ' + text[4:]}"
    return _REFERENCES.get(text, text)


def lags_title(name: object) -> str:
    """Name a set of lags for a reader."""
    return _LAGS.get(str(name), str(name))


def symbol(model: GroupModel) -> str:
    """Return ρ for rank correlations, r otherwise."""
    kind = setting(model.within.facts, "spin_statistic")
    if kind is None and "statistic" in model.spin and len(model.spin):
        kind = model.spin["statistic"].iloc[0]
    return "\u03c1" if kind == "spearman" else "r"


def p_text(p: float) -> str:
    """Write ``p = .012``; an en dash when it is missing.

    Examples
    --------
    >>> p_text(0.0123)
    'p = 0.012'
    >>> p_text(0.0001)
    'p = 0.0001'
    """
    if not math.isfinite(p):
        return "p \u2013"
    return f"p = {p:.4f}" if p < 0.01 else f"p = {p:.3f}"


def correlation(r: float) -> str:
    """Write a correlation with two decimals; what rounds to zero is zero."""
    return number_text(round(r, 2), 2) if math.isfinite(r) else number_text(r)


def r_text(r: float, mark: str) -> str:
    """Write a correlation, ``ρ = 0.35``."""
    return f"{mark} = {correlation(r)}"


def interval_text(row: Mapping[Any, Any]) -> str:
    """Write the Monte Carlo interval of a spin p; empty when it is missing.

    Examples
    --------
    >>> interval_text({"p_low": 0.0001, "p_high": 0.0123})
    '0.0001\u20130.0123'
    >>> interval_text({"p_low": 0.4314, "p_high": 0.5208})
    '0.43\u20130.52'
    """
    low, high = (float(row.get(name, math.nan)) for name in ("p_low", "p_high"))
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    digits = 2 if low >= 0.1 else 4
    return f"{low:.{digits}f}\u2013{high:.{digits}f}"


def licence(space: GroupSpace, *tests: str) -> list[Part]:
    """Return the sentences that say what these tests license."""
    recorded = space.facts.get("licences") or {}
    notes = [
        Note("note", "What this licenses.", str(recorded[name]))
        for name in tests
        if name in recorded
    ]
    return [Notes(notes)] if notes else []


def enumerated(names: Sequence[str]) -> str:
    """Join names: ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def over_maps(row: Mapping[Any, Any]) -> str:
    """Write the p of a spin test corrected over maps, after a comma; empty when there is none."""
    p = float(row.get("p_max", math.nan))
    return f", over maps {p_text(p)}" if math.isfinite(p) else ""
