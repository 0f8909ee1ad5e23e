"""Spin tests, the second null, published maps, and the alignment of participants."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from textwrap import shorten
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients.figures import (
    COLOURS,
    MapProfile,
    Strip,
    alignment_figure,
    annotation_figure,
)
from bidsapp.recipes.gradients.report.view import (
    KIND_TITLES,
    KINDS,
    MAIN,
    POSITIVE,
    GroupView,
    correlation,
    reference_title,
)
from bidsapp.recipes.gradients.results import (
    ANNOTATION,
    LAGS,
    MONTE_CARLO,
    SECOND_NULL,
    SPIN,
    SPIN_PEOPLE,
)
from bidsapp.report.figures.nulls import NullPanel, null_figure
from bidsapp.report.html import (
    Cell,
    Part,
    Prose,
    Section,
    Table,
    cell,
    number_text,
    p_text,
    picture,
)
from bidsapp.report.tables import MISSING, choose, records_of, rows_of, table
from bidsapp.results.inferences.base import smallest_p
from bidsapp.results.kinds import Column

Row = Mapping[str, Any]
_MONTE_CARLO = Column("p_low", title="95 % CI of p", by=MONTE_CARLO)
_SPINS = choose(
    declared.SPINS.columns, "lags", "map", "reference", "hemisphere", "direction", "r", "p"
)
_SPINS += (
    _MONTE_CARLO,
    *choose(declared.SPINS.columns, "p_max", "n_rotations", "n_units", "overlap_min"),
)


def spin_tests(view: GroupView) -> Section | None:
    """Draw null distributions and tabulate all spin tests; None without a cortical sphere."""
    if view.spin is None:
        return None
    main = rows_of(view.spins, **MAIN)
    rest = view.spins.drop(main.index)
    parts: list[Part] = [
        *_histograms(view),
        *view.claim(SPIN),
        _table(main, _main_caption(view), is_main=True),
    ]
    if len(rest):
        caption = (
            "Sensitivity: each hemisphere on its own, and the layer map rotated in place of the "
            "reference"
        )
        parts.append(_table(rest, caption))
    baseline = view.baseline
    if baseline is not None and not baseline.spins.empty:
        caption = (
            f"Acoustic baseline: the same test with {', '.join(baseline.layers)}, whose layers "
            "are in no order of depth"
        )
        parts.append(_table(rows_of(baseline.spins, **MAIN), caption, is_main=True))
    return view.section("Spin tests", "spins", *parts)


def _histograms(view: GroupView) -> list[Part]:
    null = view.table(declared.SPIN_NULL)
    rows = [
        (reference_title(name), panels)
        for name in view.references
        if (panels := list(_panels(view, null, name)))
    ]
    if not rows:
        return []
    mark = view.symbol
    n = number_text(float(rows_of(view.spins, **MAIN)["n_rotations"].max()), 0)
    caption = (
        f"Grey: {mark} of the layer map with {n} rotations of the reference. Solid line: observed "
        "value; dashed: the same size with the other sign (tests are two-sided). 95 % CI of p "
        "(Monte Carlo): more rotations would narrow it. Smoother maps have wider null "
        "distributions. The control is not tested."
    )
    words = [
        f"{label}, {panel.title}: {panel.words}".replace("\n", " ")
        for label, panels in rows
        for panel in panels
    ]
    figure = null_figure(rows, f"{mark} with the rotated reference", limits=(-1.02, 1.02))
    return [picture(figure, alt="; ".join(words) + ".", caption=caption)]


def _panels(view: GroupView, null: pd.DataFrame, reference: str) -> Iterator[NullPanel]:
    for kind in KINDS:
        row = view.spin_row(POSITIVE, kind, reference)
        if row is None:
            continue
        draws = int(row["n_rotations"])
        words = f"{view.symbol} = {correlation(row['r'])}, {p_text(row['p'], draws)}"
        if math.isfinite(row["p_max"]):
            words += f"\np_FWE (across maps) {p_text(row['p_max'], draws).removeprefix('p ')}"
        interval = _monte_carlo(dict(row)).text
        words += f"\n95 % CI of p {interval}" if interval != MISSING else ""
        values = null[f"{POSITIVE}_{kind}_{reference}"].to_numpy(dtype=float)
        colour = COLOURS[POSITIVE]
        yield NullPanel(KIND_TITLES[kind], values, float(row["r"]), words, colour, two_sided=True)


def _monte_carlo(row: Row) -> Cell:
    low, high = float(row["p_low"]), float(row["p_high"])
    if not (math.isfinite(low) and math.isfinite(high)):
        return Cell(MISSING, math.inf)
    digits = 2 if low >= 0.1 else 4
    return Cell(f"{low:.{digits}f}\u2013{high:.{digits}f}", high)


def _table(rows: pd.DataFrame, caption: str, *, is_main: bool = False) -> Table:
    columns = [item for item in _SPINS if not (is_main and item.name in MAIN)]
    drawn = rows["n_rotations"].dropna()
    floor = smallest_p(int(drawn.max())) if len(drawn) else 0.0
    return table(rows, columns, caption, cells={"p_low": _monte_carlo}, floor=floor)


def _main_caption(view: GroupView) -> str:
    n = int(rows_of(view.spins, **MAIN)["n_rotations"].max())
    return (
        "Both hemispheres, the reference rotated. p: two-sided, for one test at a time; p (FWE): "
        "corrected over the layer maps of this network (best and centroid) within each "
        "reference, "
        "by the largest size over maps of each rotation; 95 % CI of p: Monte Carlo. References "
        "are not corrected for one another. Music after the response is a control: its "
        "correlation is what smooth music leaves, and is not tested. Overlap: share of the map's "
        "vertices that "
        "meet a defined value, in the rotation that leaves least. With "
        f"{number_text(n, 0)} rotations no p is below {1 / (n + 1):.1g}."
    )


# ------------------------------------------------------------------ single participants


def participants_alignment(view: GroupView) -> Section | None:
    """Draw the correlation of each participant's layer maps with the reference, and their test."""
    frame = view.table(declared.ALIGNMENTS)
    if frame.empty:
        return None
    tests = view.table(declared.ALIGNMENT_TEST)
    panels = [
        (reference_title(name), list(_strips(frame, tests, name)))
        for name in dict.fromkeys(frame["reference"])
    ]
    tested = bool(tests["p"].notna().any())
    how = (
        "p: two-sided sign flips of participants, not corrected."
        if tested
        else "Not tested: that needs two participants."
    )
    caption = (
        f"One dot per participant ({frame['participant'].nunique()}): {view.symbol} between their "
        "own layer map and the reference; lines join the two sets of lags of one participant. "
        "Thick line: mean (Fisher z, back-transformed); thin line: its 95 % confidence interval "
        f"over participants (from five on). {how}"
    )
    words = "; ".join(
        f"{title}, {strip.label} {strip.lags} lags: mean {correlation(strip.mean)} {strip.words}"
        for title, strips in panels
        for strip in strips
    )
    figure = alignment_figure(panels, view.symbol)
    parts: list[Part] = [picture(figure, alt=f"{words}.", caption=caption)]
    if tested:
        parts += [*view.claim(SPIN_PEOPLE), _test_table(tests)]
    return view.section("Alignment of participants", "alignment", *parts)


def _strips(frame: pd.DataFrame, tests: pd.DataFrame, reference: str) -> Iterator[Strip]:
    order = list(dict.fromkeys(frame["participant"]))
    for kind in KINDS:
        for lags in LAGS:
            wanted = {"lags": lags, "map": kind, "reference": reference}
            rows = rows_of(frame, **wanted)
            if rows.empty:
                continue
            own = rows.set_index("participant").reindex(order)
            mean, low, high, p = mean_and_test(tests, wanted)
            words = p_text(p) if math.isfinite(p) else ""
            values = own["r"].to_numpy(dtype=float)
            yield Strip(kind, lags, values, mean, low, high, words)


def mean_and_test(
    tests: pd.DataFrame, wanted: Mapping[str, Any]
) -> tuple[float, float, float, float]:
    """Return the mean correlation of participants, its interval, and p; NaN where not written."""
    rows = rows_of(tests, **wanted)
    if rows.empty:
        return (math.nan,) * 4
    mean, low, high = (math.tanh(rows[name].iloc[0]) for name in ("mean_z", "z_low", "z_high"))
    return mean, low, high, float(rows["p"].iloc[0])


def _test_table(tests: pd.DataFrame) -> Table:
    columns = [
        item
        for item in declared.ALIGNMENT_TEST.columns
        if item.name not in ("z_low", "z_high", "d_low", "d_high", "exact")
    ]
    tested = tests[tests["n_flips"] > 0]
    how = "all sign patterns" if tested["exact"].astype(bool).all() else "random sign patterns"
    caption = (
        f"Sign flips of participants ({how}), two-sided; the control is not tested. p (FWE): "
        "corrected over kinds of map within each reference. d: Cohen's, of Fisher z, with its "
        "95 % confidence interval."
    )
    return table(tests, columns, caption, cells={"d": _effect})


def _effect(row: Row) -> Cell:
    plain = cell(row["d"], 2)
    if not math.isfinite(row["d_low"]):
        return plain
    ends = f"{number_text(row['d_low'], 2)} to {number_text(row['d_high'], 2)}"
    return Cell(f"{plain.text} ({ends})", plain.key)


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
        profiles.append(MapProfile(_TITLES[kind], rows["r"].to_numpy(float), significant, bound))
    n = int(frame["n_rotations"].max())
    caption = (
        f"{view.symbol} of each map with {len(names)} published maps, ordered by "
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
    figure = annotation_figure(
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
        *view.claim(ANNOTATION),
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
    said = view.claim(SECOND_NULL)
    return view.section("Second null", "second-null", Prose(words), rows, *said)
