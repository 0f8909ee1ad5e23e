"""What `emotion3d` found, in a few sentences."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from bidsapp.recipes.emotion3d.names import BRAIN, CONTROLS, DECODERS, SplitInfo
from bidsapp.recipes.emotion3d.report.view import LEVEL, EmotionView
from bidsapp.report.html import number_text, p_text, plural


def sentences(view: EmotionView) -> Iterator[str]:
    """Yield, for each split that may be believed, what decoders reached beside chance.

    Parameters
    ----------
    view
        Results in one space.
    """
    head = f"{plural(len(view.classes), 'class', 'classes')} of emotion in single volumes, "
    for split in view.honest:
        rows = {name: view.score(split, name) for name in BRAIN}
        scored = {name: row for name, row in rows.items() if row is not None}
        if not scored:
            continue
        said = "; ".join(_said(view, split, name, row) for name, row in scored.items())
        title = f"{split.title[0].lower()}{split.title[1:]}" if head else split.title
        yield f"{head}{title}: {said}."
        head = ""
        yield from _without_brain(view, split)


def _said(view: EmotionView, split: SplitInfo, name: str, row: pd.Series) -> str:
    value, chance, p = (float(row[key]) for key in ("value", "chance", "p"))
    text = f"{DECODERS[name].called} reaches a balanced accuracy of {number_text(value, 2)}"
    if pd.isna(chance):
        return f"{text}, whose chance was not estimated"
    verdict = "above" if p <= LEVEL else "not shown to be above"
    words = p_text(p, len(view.nulls(split, name)))
    return f"{text}, {verdict} its chance of {number_text(chance, 2)} ({words})"


def _without_brain(view: EmotionView, split: SplitInfo) -> Iterator[str]:
    """Yield what the best decoder reaches that sees no brain pattern."""
    rows = [(row, name) for name in CONTROLS if (row := view.score(split, name)) is not None]
    if rows:
        best, name = max(rows, key=lambda pair: float(pair[0]["value"]))
        value = number_text(float(best["value"]), 2)
        yield f"Without any brain pattern, {DECODERS[name].called} reaches {value}."
