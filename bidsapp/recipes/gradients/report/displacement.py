"""What is better predicted than by displaced music, and beyond acoustics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from bidsapp.recipes.base.score_results import DISPLACED
from bidsapp.recipes.gradients import group_results as of_group
from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.report.view import GroupView, reference_title
from bidsapp.recipes.gradients.results import DISPLACED_ALONG
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.places import best_layers, strongest_parcels
from bidsapp.report.html import Cell, Number, Part, Prose, Section, number_text, p_text, plural
from bidsapp.report.tables import records_of, rows_of, table
from bidsapp.report.view import View
from bidsapp.results.inferences.base import smallest_p

_MOST_BEYOND = 10
_QUESTIONS = {"alignment": "Alignment with", "preference": "Preference along"}
_SCORES = ("layer", "mean_r", "effect", "p", "p_fwe", "may_be_best")


def numbers(view: GroupView) -> Iterator[Number]:
    """Yield the answers to both questions about the first reference."""
    claims = view.table(of_group.CLAIMS)
    names = view.references
    for row in records_of(rows_of(claims, reference=names[0]) if names else claims.iloc[:0]):
        title = f"{_QUESTIONS[row['question']]} {reference_title(row['reference'])}"
        p = p_text(row["p"], int(row["n_copies"]))
        remark = f"slope; {p}, {int(row['n_copies'])} displacements"
        yield Number(title, number_text(row["statistic"], 2), remark)


def section(view: GroupView) -> Section | None:
    """Show parcels and gradient claims; None where nothing was displaced."""
    parcels = view.table(of_group.DISPLACEMENT)
    if parcels.empty:
        return None
    best = best_layers(parcels)
    passed = int((best["p_fwe"] <= view.level).sum())
    words = (
        f"{passed} of {plural(len(best), 'parcel')} are significant (FWE p \u2264 "
        f"{view.level:g}) when the music is displaced alike in all participants, which leaves in "
        "place what listeners share and no model knows."
    )
    parts = [*_claims(view), _table(view, parcels), *view.claim(DISPLACED)]
    return view.section("Against displaced music", "displacement", Prose(words), *parts)


def _claims(view: GroupView) -> list[Part]:
    claims = view.table(of_group.CLAIMS)
    if claims.empty:
        return []
    caption = (
        "Alignment: layers align with the reference more than layers of displaced music. "
        "Preference: which layer is preferred changes along the reference beyond amplitude."
    )
    preference = view.maps(of_group.PREFERENCE)
    drawn: list[Part] = []
    if preference is not None:
        maps = [BrainMap.of(of_group.PREFERENCE, preference[0])]
        text = "Above zero: deeper layers do better than the common profile says (descriptive). "
        drawn = draw(maps, view.units, view.significant, text)
    made = table(claims, of_group.CLAIMS.columns, caption, floor=_floor(view))
    return [made, *view.claim(DISPLACED_ALONG), *drawn]


def _floor(view: GroupView) -> float:
    """Return the smallest possible p of the displacements; 0 where they were not counted."""
    counts = view.table(of_group.CLAIMS)["n_copies"].dropna()
    return smallest_p(int(counts.max())) if len(counts) else 0.0


def _table(view: GroupView, parcels: pd.DataFrame) -> Part:
    sets = {
        parcel: [str(layer) for layer in rows.loc[rows["may_be_best"] == "true", "layer"]]
        for parcel, rows in parcels.groupby("parcel")
    }

    def layers(row: Any) -> Cell:
        names = sets[row["parcel"]]
        text = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)})"
        return Cell(text, len(names)) if names else Cell("\u2013", 0)

    told = (
        ". May be best: layers that are not worse than the best one under displacement; their "
        "number in brackets."
    )
    how: dict[str, Any] = {"told": told, "cells": {"may_be_best": layers}, "floor": _floor(view)}
    return strongest_parcels(parcels, of_group.DISPLACEMENT, view.units, *_SCORES, **how)


def beyond_acoustics(view: View) -> Section | None:
    """Show where a layer predicts what acoustics do not; None where it was not tested."""
    result = of_group.BEYOND if view.is_group else declared.BEYOND
    best = best_layers(view.table(result))
    if best.empty:
        return None
    passed = best[best["p_fwe"] <= view.level]
    words = (
        f"In {len(passed)} of {plural(len(best), 'parcel')} a layer predicts what is left when "
        "components of the acoustic baseline have been projected out of responses and layers "
        f"(FWE p \u2264 {view.level:g} against the same layers displaced)."
    )
    parts: list[Part] = [Prose(words)]
    labels = view.single(declared.BEYOND_BEST)
    if labels is not None and (labels > 0).any():
        title = "Best layer beyond acoustics"
        drawn = [BrainMap.of(declared.BEYOND_BEST, labels, view.layers, title=title)]
        text = "Layer with the largest effect among those that pass; elsewhere nothing is drawn. "
        parts += draw(drawn, view.units, labels > 0, text)
    names = "layer", "r", "effect", "p", "p_fwe"
    rows = view.table(result)
    parts.append(strongest_parcels(rows, result, view.units, *names, most=_MOST_BEYOND))
    parts += view.claim(declared.BEYOND_ACOUSTICS)
    return view.section("Beyond acoustics", "beyond", *parts)
