"""What layers add to acoustics, of a participant and of the group."""

from __future__ import annotations

from bidsapp.recipes.gradients import group_results as of_group
from bidsapp.recipes.gradients import results as declared
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.places import (
    best_layers,
    coordinate_words,
    parcel_columns,
    top_parcels,
)
from bidsapp.report.html import Part, Prose, Section, plural
from bidsapp.report.sections import claim
from bidsapp.report.tables import table
from bidsapp.report.view import View

_TOP = 10


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
    shown = top_parcels(best, "effect", _TOP, view.units)
    caption = (
        f"The {len(shown)} parcels with the largest effect, in standard deviations of their null, "
        f"and the layer that has it. {coordinate_words(view.units)}"
    )
    columns = parcel_columns(result, "layer", "r", "effect", "p", "p_fwe")
    parts.append(table(shown, columns, caption))
    parts += claim(view.results, declared.BEYOND_ACOUSTICS)
    return view.section("Beyond acoustics", "beyond", *parts)
