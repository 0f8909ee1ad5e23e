"""Spin tests and the correlations of single participants with the functional gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from bidsapp.report.group.figures.spins import (
    SpinPanel,
    SubjectStrip,
    spin_figure,
    subject_figure,
)
from bidsapp.report.group.results import KINDS, GroupModel, GroupSpace
from bidsapp.report.group.words import (
    KIND_TITLES,
    correlation,
    interval_text,
    lags_title,
    licence,
    over_maps,
    p_text,
    r_text,
    reference_title,
    symbol,
)
from bidsapp.report.html import (
    Cell,
    Part,
    Prose,
    Section,
    Table,
    cell,
    columns,
    number_text,
    p_cell,
    picture,
)
from bidsapp.report.maps import Array
from bidsapp.report.results import NEGATIVE, POSITIVE, rows_of

DIFFERENCE = f"{POSITIVE}-{NEGATIVE}"
_LAGS = (POSITIVE, NEGATIVE, DIFFERENCE)
_MAIN = {"hemisphere": "both", "direction": "reference rotated"}


def spin_tests(space: GroupSpace, model: GroupModel, suffix: str) -> Section:
    """Null histograms and all rows of the spin table."""
    title, anchor = "Spin tests", f"spins{suffix}"
    if model.spin.empty:
        text = "No spin test was made: this space has no cortical sphere here."
        return Section(title, anchor, [Prose(text)])
    parts: list[Part] = [
        *_histograms(space, model),
        *licence(space, "spin", "spin_control", "spin_difference"),
    ]
    main = rows_of(model.spin, **_MAIN)
    rest = model.spin.drop(main.index)
    parts.append(_table(model, main, _main_caption(model, main)))
    if len(rest):
        caption = (
            "Sensitivity: each hemisphere on its own, and the layer map rotated in place of the "
            "reference"
        )
        parts += [_table(model, rest, caption, is_main=False), *licence(space, "spin_swapped")]
    if space.baseline is not None and not space.baseline.spin.empty:
        names = ", ".join(space.baseline.layers)
        caption = (
            f"Yardstick: the same test with the acoustic baseline ({names}), whose layers are in "
            "no order of depth"
        )
        parts.append(_table(space.baseline, rows_of(space.baseline.spin, **_MAIN), caption))
    return Section(title, anchor, parts)


def _histograms(space: GroupSpace, model: GroupModel) -> list[Part]:
    names = list(dict.fromkeys(model.spin["reference"]))
    rows = [
        (f"{KIND_TITLES[kind]}\n{reference_title(name)}", panels)
        for name in names
        for kind in KINDS
        if (panels := list(_panels(model, kind, name)))
    ]
    if not rows:
        return [Prose("The null distributions were not written.")]
    mark = symbol(model)
    caption = (
        f"Grey: {mark} of the layer map with {_n_rotations(model)} rotations of the reference. "
        "Coloured line: what was observed; dashed: the same size with the other sign, because "
        "tests are two-sided. MC: 95 % Monte Carlo interval of p, which more rotations would "
        "narrow. A map without smoothness of its own has a narrow null. Right: difference of the "
        "correlations under the same rotations."
    )
    words = [
        f"{label}, {panel.title}: {panel.words}".replace("\n", " ")
        for label, panels in rows
        for panel in panels
    ]
    return [picture(spin_figure(rows, mark), alt="; ".join(words) + ".", caption=caption)]


def _n_rotations(model: GroupModel) -> str:
    used = model.spin.loc[model.spin["direction"] == _MAIN["direction"], "n_rotations"]
    return number_text(float(used.max()), 0) if len(used) else "\u2013"


def _panels(model: GroupModel, kind: str, reference: str) -> Iterator[SpinPanel]:
    for lags in _LAGS:
        null = _null(model.spin_null, lags, kind, reference)
        rows = rows_of(model.spin, lags=lags, map=kind, reference=reference, **_MAIN)
        if null is None or rows.empty:
            continue
        row = dict(rows.iloc[0])
        words = f"{r_text(float(row['r']), symbol(model))}, {p_text(float(row['p']))}"
        if lags == DIFFERENCE:
            words = f"\u0394{words}"
        words += over_maps(row).replace(", ", "\n", 1)
        interval = interval_text(row)
        words += f"\n95 % MC {interval}" if interval else ""
        yield SpinPanel(lags_title(lags), lags, null, float(row["r"]), words)


def _null(table: pd.DataFrame, lags: str, kind: str, reference: str) -> Array | None:
    if lags == DIFFERENCE:
        one, other = (_null(table, each, kind, reference) for each in (POSITIVE, NEGATIVE))
        return None if one is None or other is None else one - other
    name = f"{lags}_{kind}_{reference}"
    return table[name].to_numpy(dtype=float) if name in table else None


def _main_caption(model: GroupModel, main: pd.DataFrame) -> str:
    n = int(main["n_rotations"].max()) if len(main) else 0
    floor = f" With {number_text(n, 0)} rotations no p is below {1 / (n + 1):.1g}." if n else ""
    return (
        "Both hemispheres, the reference rotated. p: two-sided, for one test at a time; p max: "
        "corrected over the layer maps of this network (best and centroid, both sets of lags; for "
        "differences, best and centroid) within each reference, through the largest size over "
        "maps of each rotation. References are not corrected for one another. Overlap: share "
        "of the map's vertices that meet a defined value, in the rotation that leaves least."
        f"{floor}"
    )


def _table(model: GroupModel, rows: pd.DataFrame, caption: str, *, is_main: bool = True) -> Table:
    more = () if is_main else ("hemisphere", "rotated")
    heads = columns(
        "lags", "map", "reference", *more, f"{symbol(model)}#", "p#", "95 % MC#", "p max#",
        "rotations#", "vertices#", "overlap#",
    )  # fmt: skip
    return Table(heads, [_row(row, is_main) for row in rows.to_dict("records")], caption)


def _row(row: Mapping[Any, Any], is_main: bool) -> list[Cell]:
    rotated = str(row["direction"]).removesuffix(" rotated")
    more = [] if is_main else [cell(str(row["hemisphere"])), cell(rotated)]
    high = float(row["p_high"])
    interval = interval_text(row)
    return [
        cell(str(row["lags"]).replace("-", " \u2212 ")), cell(str(row["map"])),
        cell(str(row["reference"])), *more, cell(round(float(row["r"]), 3), 3),
        p_cell(float(row["p"])), Cell(interval, high) if interval else cell(math.nan),
        p_cell(float(row["p_max"])), cell(row["n_rotations"], 0), cell(row["n_units"], 0),
        cell(row["overlap_min"], 2),
    ]  # fmt: skip


# ------------------------------------------------------------------ single participants


def subject_level(space: GroupSpace, model: GroupModel, suffix: str) -> Section:
    """Correlation of each participant's layer maps with the reference, and their test."""
    title, anchor = "Participants one by one", f"subjects{suffix}"
    if model.subjects.empty:
        return Section(title, anchor, [Prose("No correlations of participants were written.")])
    names = list(dict.fromkeys(model.subjects["reference"]))
    panels = [(reference_title(name), list(_strips(model, name))) for name in names]
    mark = symbol(model)
    figure = subject_figure(panels, mark)
    n = model.subjects["participant"].nunique()
    tested = len(model.subject_tests) > 0 and bool(model.subject_tests["p"].notna().any())
    caption = (
        f"One dot per participant ({n}): {mark} between a layer map of their own and the "
        "reference; lines join the two sets of lags of one participant. Thick line: mean (Fisher "
        "z, back-transformed); thin line: its 95 % interval (t). "
    ) + (
        "p: two-sided sign flips of participants, not corrected."
        if tested
        else "Not tested: that needs two participants."
    )
    words = "; ".join(
        f"{panel}, {strip.label} {strip.lags} lags: mean {correlation(strip.mean)} {strip.words}"
        for panel, strips in panels
        for strip in strips
    )
    parts: list[Part] = [picture(figure, alt=f"{words}.", caption=caption)]
    if tested:
        parts += [*licence(space, "subjecttest"), _test_table(model)]
    return Section(title, anchor, parts)


def _strips(model: GroupModel, reference: str) -> Iterator[SubjectStrip]:
    order = list(dict.fromkeys(model.subjects["participant"]))
    for kind in KINDS:
        for lags in (POSITIVE, NEGATIVE):
            rows = rows_of(model.subjects, lags=lags, map=kind, reference=reference)
            if rows.empty:
                continue
            by_participant = rows.set_index("participant").reindex(order)
            z = by_participant["z"].to_numpy(dtype=float)
            mean, low, high = mean_interval(z)
            tests = rows_of(model.subject_tests, lags=lags, map=kind, reference=reference)
            p = float(tests["p"].iloc[0]) if len(tests) else math.nan
            values = by_participant["r"].to_numpy(dtype=float)
            words = p_text(p) if math.isfinite(p) else ""
            yield SubjectStrip(kind, lags, values, mean, low, high, words)


def mean_interval(z: Array) -> tuple[float, float, float]:
    """Mean of Fisher z values and its 95 % t interval, as correlations.

    Parameters
    ----------
    z
        One per participant; NaN is left out. The interval is NaN with fewer than two.
    """
    finite = z[np.isfinite(z)]
    if not finite.size:
        return math.nan, math.nan, math.nan
    mean = float(finite.mean())
    if finite.size < 2:
        return math.tanh(mean), math.nan, math.nan
    reach = float(
        student.ppf(0.975, finite.size - 1) * finite.std(ddof=1) / math.sqrt(finite.size)
    )
    return math.tanh(mean), math.tanh(mean - reach), math.tanh(mean + reach)


def _test_table(model: GroupModel) -> Table:
    tests = model.subject_tests
    heads = columns(
        "lags", "map", "reference", "n#", "mean z#", "t#", "d#", "95 % of d#", "p#", "p max#",
        "flips#",
    )  # fmt: skip
    body = []
    for row in tests.to_dict("records"):
        low, high = float(row["d_low"]), float(row["d_high"])
        known = math.isfinite(low) and math.isfinite(high)
        interval = f"{number_text(low, 2)} to {number_text(high, 2)}"
        body.append(
            [
                cell(str(row["lags"]).replace("-", " \u2212 ")), cell(str(row["map"])),
                cell(str(row["reference"])), cell(row["n"], 0),
                cell(round(float(row["mean_z"]), 3), 3), cell(row["t"], 2), cell(row["d"], 2),
                Cell(interval, high) if known else cell(math.nan),
                p_cell(float(row["p"])), p_cell(float(row.get("p_max", math.nan))),
                cell(row["n_flips"], 0),
            ]
        )  # fmt: skip
    exact = bool(tests["exact"].all()) if "exact" in tests else False
    how = "all sign patterns" if exact else "random sign patterns"
    caption = (
        f"Sign flips of participants ({how}), two-sided. p max: corrected over lags and kinds of "
        "map within each reference (differences: over kinds); d: Cohen's, of Fisher z."
    )
    return Table(heads, body, caption)
