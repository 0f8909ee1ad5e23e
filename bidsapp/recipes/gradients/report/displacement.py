"""The group against music displaced alike in everybody: parcels, and the claim of the poster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from bidsapp.recipes.base.score_results import DISPLACED
from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients.report.group_view import GroupView, reference_title
from bidsapp.recipes.gradients.results import DISPLACED_ALONG
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.places import (
    best_layers,
    coordinate_words,
    parcel_columns,
    top_parcels,
)
from bidsapp.report.html import Cell, Number, Part, Prose, Section, number_text, p_text, plural
from bidsapp.report.sections import claim
from bidsapp.report.tables import records_of, rows_of, table
from bidsapp.results.inferences.base import smallest_p

_TOP = 20
_QUESTIONS = {
    "alignment": "Alignment with",
    "preference": "Preference along",
}
_SCORES = ("layer", "mean_r", "effect", "p", "p_fwe", "may_be_best")


def numbers(view: GroupView) -> Iterator[Number]:
    """Yield the answers to both questions about the first reference."""
    claims = view.table(declared.CLAIMS)
    names = view.references
    for row in records_of(rows_of(claims, reference=names[0]) if names else claims.iloc[:0]):
        title = f"{_QUESTIONS[row['question']]} {reference_title(row['reference'])}"
        p = p_text(row["p"], int(row["n_copies"]))
        remark = f"slope; {p}, {int(row['n_copies'])} displacements"
        yield Number(title, number_text(row["statistic"], 2), remark)


def section(view: GroupView) -> Section | None:
    """Show parcels and gradient claims; None where nothing was displaced."""
    parcels = view.table(declared.DISPLACEMENT)
    if parcels.empty:
        return None
    best = best_layers(parcels)
    passed = int((best["p_fwe"] <= view.level).sum())
    words = (
        f"{passed} of {plural(len(best), 'parcel')} are significant (FWE p \u2264 "
        f"{view.level:g}) when the music is displaced alike in all participants, which leaves in "
        "place what listeners share and no model knows."
    )
    parts = [*_claims(view), _table(view, best, parcels), *claim(view.results, DISPLACED)]
    return view.section("Against displaced music", "displacement", Prose(words), *parts)


def _claims(view: GroupView) -> list[Part]:
    claims = view.table(declared.CLAIMS)
    if claims.empty:
        return []
    caption = (
        "Alignment: layers align with the reference more than layers of displaced music. "
        "Preference: which layer is preferred changes along the reference beyond amplitude."
    )
    preference = view.maps(declared.PREFERENCE)
    drawn: list[Part] = []
    if preference is not None:
        maps = [BrainMap.of(declared.PREFERENCE, preference[0])]
        text = "Above zero: deeper layers do better than the common profile says (descriptive). "
        drawn = draw(maps, view.units, view.significant, text)
    made = table(claims, declared.CLAIMS.columns, caption, floor=_floor(view))
    return [made, *claim(view.results, DISPLACED_ALONG), *drawn]


def _floor(view: GroupView) -> float:
    """Return the smallest possible p of the displacements; 0 where they were not counted."""
    counts = view.table(declared.CLAIMS)["n_copies"].dropna()
    return smallest_p(int(counts.max())) if len(counts) else 0.0


def _table(view: GroupView, best: pd.DataFrame, parcels: pd.DataFrame) -> Part:
    shown = top_parcels(best, "effect", _TOP, view.units)
    sets = {
        parcel: [str(layer) for layer in rows.loc[rows["may_be_best"] == "true", "layer"]]
        for parcel, rows in parcels.groupby("parcel")
    }

    def layers(row: Any) -> Cell:
        names = sets[row["parcel"]]
        text = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)})"
        return Cell(text, len(names)) if names else Cell("\u2013", 0)

    caption = (
        f"The {len(shown)} parcels with the largest effect, in standard deviations of their null. "
        "May be best: layers that are not worse than the best one under displacement; their "
        f"number in brackets. {coordinate_words(view.units)}"
    )
    columns = parcel_columns(declared.DISPLACEMENT, *_SCORES)
    return table(shown, columns, caption, cells={"may_be_best": layers}, floor=_floor(view))
