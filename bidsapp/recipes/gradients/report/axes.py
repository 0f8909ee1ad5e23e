"""Known axes of the cortex that layer maps follow, and the second null beside the rotations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from textwrap import shorten

import numpy as np

from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients.figures.annotations import Profile, profile_figure
from bidsapp.recipes.gradients.report.group_view import (
    KIND_TITLES,
    GroupView,
    correlation,
    reference_title,
)
from bidsapp.recipes.gradients.results import ANNOTATION, SECOND_NULL
from bidsapp.report.html import Prose, Section, p_text, picture
from bidsapp.report.sections import claim
from bidsapp.report.tables import choose, records_of, rows_of, table

_TITLES = {**KIND_TITLES, "preference": "Preference map"}
_COLUMNS = choose(
    declared.ANNOTATIONS.columns,
    *("map", "annotation", "r", "p", "p_max", "n_rotations", "n_units", "overlap_min"),
)
_WIDTH = 52
_NONE = (
    "No annotation profile: no published map of the default set is on this machine. `pip install "
    "musicotopy[neuromaps]` and `musicotopy-tools fetch neuromaps SOURCE/DESC/SPACE/DENSITY` "
    "bring them into NEUROMAPS_DATA (then run the group with --overwrite); "
    "gradients_group.annotations names others."
)


def annotation_profile(view: GroupView) -> Section | None:
    """Draw and tabulate the annotation profile; None where nothing was rotated."""
    if view.spin is None or view.spins.empty:
        return None
    title, anchor = "Known axes of the cortex", "annotations"
    frame = view.table(declared.ANNOTATIONS)
    if frame.empty:
        return view.section(title, anchor, Prose(_NONE))
    first = rows_of(frame, map=frame["map"].iloc[0])
    order = first.reindex(first["r"].abs().sort_values(ascending=False).index)
    names = [str(name) for name in order["annotation"]]
    profiles = []
    for kind in dict.fromkeys(frame["map"]):
        rows = rows_of(frame, map=kind).set_index("annotation").reindex(names)
        significant = (rows["p_max"] <= view.level).to_numpy()
        bound = float(rows["r_significant"].iloc[0])
        profiles.append(Profile(_TITLES[kind], rows["r"].to_numpy(float), significant, bound))
    n = int(frame["n_rotations"].max())
    caption = (
        f"{view.symbol} of each map (positive lags) with {len(names)} published maps, ordered by "
        f"the first panel. Filled: significant, FWE p \u2264 {view.level:g} over the published "
        "maps; grey: sizes of the largest correlation that rotations leave below that level."
    )
    facts = view.summary["annotations"]
    titles = {
        item["name"]: str(item.get("Title") or reference_title(item["name"])) for item in facts
    }
    words = "; ".join(
        f"{item.title}: {titles[names[best]]} {correlation(item.r[best])}"
        for item in profiles
        for best in [int(np.nanargmax(np.abs(item.r)))]
    )
    figure = profile_figure(
        profiles,
        [shorten(titles[name], _WIDTH, placeholder=" \u2026") for name in names],
        view.symbol,
    )
    strongest = frame.reindex(frame["r"].abs().sort_values(ascending=False).index)
    strongest = strongest.assign(annotation=strongest["annotation"].map(_named(titles)))
    text = (
        f"Correlations with published maps, the strongest first. With {n} rotations no p is below "
        f"{1 / (n + 1):.1g}."
    )
    return view.section(
        title,
        anchor,
        picture(figure, alt=f"Strongest: {words}.", caption=caption),
        *claim(view.results, ANNOTATION),
        table(strongest, _COLUMNS, text),
    )


def _named(titles: Mapping[str, str]) -> Callable[[str], str]:
    """Return a function from a name to title and name."""
    return lambda name: f"{titles[name]} ({name})"


def second_null(view: GroupView) -> Section | None:
    """Tabulate the second null beside the spin test; None where it was not asked for."""
    frame = view.table(declared.SECOND)
    if frame.empty:
        return None
    method = str(frame["null"].iloc[0])
    main = rows_of(view.spins, hemisphere="both", direction="reference rotated")
    both = frame.merge(main, on=["lags", "map", "reference"], suffixes=("", "_spin"))
    agree = int(((both["p_max"] <= view.level) == (both["p_max_spin"] <= view.level)).sum())
    words = f"{agree} of {len(both)} tests have the same verdict as rotations at {view.level:g}."
    for strongest in records_of(both.reindex(both["r"].abs().nlargest(1).index)):
        words += (
            f" The strongest, {strongest['map']} layer at {strongest['lags']} lags with "
            f"{reference_title(str(strongest['reference']))}: "
            f"{p_text(strongest['p'], int(strongest['n_draws']))} against "
            f"{p_text(strongest['p_spin'], int(strongest['n_rotations']))} by rotations."
        )
    caption = (
        f"Parcel means ({int(frame['n_parcels'].iloc[0])} of 400 Schaefer parcels) against "
        f"surrogates of the reference by the null {method} of neuromaps"
    )
    rows = table(frame, declared.SECOND.columns, caption)
    said = claim(view.results, SECOND_NULL)
    return view.section("Second null", "second-null", Prose(words), rows, *said)
