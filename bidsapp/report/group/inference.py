"""Tests over participants at each unit: t, corrected p, effect size, number of participants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import Colormap, Normalize

from bidsapp.report.figures import style
from bidsapp.report.figures.surface import CortexMap, cortex_figure
from bidsapp.report.group.cortex import NOT_DRAWN, emphasis, how_drawn, largest, pooled, upper
from bidsapp.report.group.results import GroupModel, GroupSpace, OnCortex
from bidsapp.report.group.words import licence
from bidsapp.report.html import Part, Prose, Section, Table, cell, columns, number_text, picture
from bidsapp.report.maps import Array
from bidsapp.report.projection import cortex
from bidsapp.report.results import NEGATIVE, POSITIVE


@dataclass(frozen=True)
class UnitMap:
    """A map of a test over participants, on fsaverage5."""

    title: str
    values: OnCortex
    colours: Colormap
    low: float
    high: float
    label: str


def unit_maps(space: GroupSpace, model: GroupModel) -> Iterator[UnitMap]:
    """Yield the largest t, the smallest corrected p, the largest d and N of each vertex."""
    n_layers = len(model.layers)
    t = _over_layers(model, "t", POSITIVE)
    if t is not None:
        yield UnitMap(f"Largest t over {n_layers} layers", t, style.score_colours(), 0.0,
                      upper(t), "t")  # fmt: skip
    p = _smallest_p(model)
    if p is not None:
        yield UnitMap("Smallest corrected p over layers", p, style.score_colours(), 0.0,
                      max(2.0, float(pooled(p).max())), "\u2212log10 p")  # fmt: skip
    d = _over_layers(model, "d", POSITIVE)
    if d is not None:
        yield UnitMap(f"Largest effect size over {n_layers} layers", d, style.score_colours(),
                      0.0, upper(d), "Cohen's d")  # fmt: skip
    n = counts(space, model)
    if n is not None:
        yield UnitMap("Participants with a value", n, style.layer_colours(256), 0.0,
                      float(max(space.n_participants, 1)), "N")  # fmt: skip


def _over_layers(model: GroupModel, stat: str, desc: str) -> OnCortex | None:
    found = model.maps(stat=stat, desc=desc)
    values = None if found is None else model.on_cortex(largest(found.values))
    return values if values is not None and pooled(values).size else None


def _smallest_p(model: GroupModel) -> OnCortex | None:
    found = model.maps(stat="p", desc=f"{POSITIVE}fwe")
    if found is None:
        return None
    with np.errstate(divide="ignore"):
        logged = -np.log10(found.values)
    values = model.on_cortex(largest(logged))
    return values if values is not None and pooled(values).size else None


def counts(space: GroupSpace, model: GroupModel) -> OnCortex | None:
    """Return the number of participants at each vertex; NaN where there is none."""
    n = space.counts
    return None if n is None else model.on_cortex(np.where(n > 0, n, np.nan), ordinal=True)


def inference(space: GroupSpace, model: GroupModel, suffix: str) -> Section:
    """Draw and tabulate the sign-flip test over participants."""
    title, anchor = "Tests over participants at each unit", f"inference{suffix}"
    region = emphasis(model)
    rows = [
        CortexMap(each.title, each.values, each.colours, Normalize(each.low, each.high),
                  emphasis=None if each.label == "N" else region, label=each.label,
                  ticks=_count_ticks(space) if each.label == "N" else {})
        for each in unit_maps(space, model)
    ]  # fmt: skip
    parts: list[Part] = []
    if rows:
        caption = (
            "Sign flips of participants at positive lags; p is corrected over units and layers by "
            "the largest t. Outlined: p below the level in some layer; elsewhere colours are "
            "pale. "
            f"A unit may owe its t and its d to different layers. {how_drawn(space)}"
        )
        alt = "Both hemispheres: " + ", ".join(
            f"{row.title.lower()} up to {pooled(row.values).max():.2f}" for row in rows
        )
        parts.append(picture(cortex_figure(rows, cortex().meshes), alt=f"{alt}.", caption=caption,
                             vector=False))  # fmt: skip
    elif space.within.grid is not None:
        parts.append(Prose(NOT_DRAWN))
    if model.maps(stat="t", desc=POSITIVE) is None:
        parts.append(Prose("There was no test over participants: it needs two of them."))
    parts += _passing(space, model)
    return Section(title, anchor, [*parts, *licence(space, "signflip", "tfce", "fdr")])


def _count_ticks(space: GroupSpace) -> dict[float, str]:
    n = max(space.n_participants, 1)
    return {float(value): str(value) for value in sorted({0, n // 2, n})}


def _passing(space: GroupSpace, model: GroupModel) -> list[Part]:
    """Tabulate how many units pass in each layer."""
    columns_of: dict[str, Array] = {}
    for lags in (POSITIVE, NEGATIVE):
        for stat, desc in (("p", "fwe"), ("p", "tfce"), ("q", "fdr")):
            found = model.maps(stat=stat, desc=f"{lags}{desc}")
            if found is not None:
                passed = np.sum(found.values < model.level, axis=1)
                columns_of[f"{desc.upper()}, {lags}"] = passed
    if not columns_of:
        return []
    scores = model.scores(POSITIVE)
    means = np.full(len(model.layers), np.nan) if scores is None else np.array(
        [np.nanmean(row) if np.isfinite(row).any() else np.nan for row in scores.values]
    )  # fmt: skip
    rows = [
        [cell(number, 0), cell(name), cell(means[number - 1], 4),
         *(cell(float(values[number - 1]), 0) for values in columns_of.values())]
        for number, name in enumerate(model.layers, start=1)
    ]  # fmt: skip
    heads = columns("no.#", "layer", "mean r#", *(f"{name}#" for name in columns_of))
    flips = space.facts.get("sign_flips") or {}
    bound = flips.get("smallest_p")
    floor = f" No p can be below {bound:.2g}." if isinstance(bound, float) else ""
    caption = (
        f"Units (of {number_text(model.known, 0)}) below {model.level:g} in each layer, corrected "
        f"over units and layers: family-wise (FWE), family-wise of clusters (TFCE, if asked for) "
        f"and false discovery rate (FDR), at positive and negative lags.{floor} "
        "Mean r: over all units, positive lags."
    )
    return [Table(heads, rows, caption)]
