"""Layer profiles of regions and ratings, stability of the best layer, noise ceiling."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from bidsapp.brain.rois import ROIS
from bidsapp.recipes.base.score_results import BOOTSTRAP, RATERS
from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients.figures import StabilityRow, ceiling_figure, stability_figure
from bidsapp.recipes.gradients.report.rating_panels import rating_panels
from bidsapp.recipes.gradients.report.view import (
    BASELINE,
    FSAVERAGE5,
    LAGS_TITLES,
    NEGATIVE,
    POSITIVE,
    GroupView,
    carried,
    each_lags,
)
from bidsapp.recipes.gradients.results import PARCEL_LABELS
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.figures import style
from bidsapp.report.figures.layers import Line, Panel, best_words, panels_figure
from bidsapp.report.figures.style import Array
from bidsapp.report.html import Part, Prose, Section, picture
from bidsapp.report.methods import first_participant
from bidsapp.report.sections import claim
from bidsapp.report.tables import by_layer, rows_of, table
from bidsapp.results.kinds import Column, Scale
from bidsapp.results.networks import network_title
from bidsapp.results.read import Results

#: in the order of the functional gradient, unimodal first
_NETWORKS = (
    *("Cortex", "Visual", "Somatomotor", "Dorsal attention", "Salience / ventral attention"),
    *("Limbic", "Control", "Default"),
)
_MOST_REGIONS = 12
_ISC = Scale("ISC", least=0.02)
_NO_FOUR = (
    "No profiles of STG, MTG, IFG and mPFC: no atlas that names their parts is on this machine. "
    "`musicotopy-tools fetch atlases` brings those that are taken by default (Destrieux 2009 for "
    "surfaces, Harvard-Oxford for MNI152 volumes) into TEMPLATEFLOW_HOME (then run the group with "
    "--overwrite); or give one with "
    "--atlas: Destrieux2009, Desikan2006, or a file on the mesh or grid of the data (such as "
    "HCP-MMP)."
)
Region = tuple[str, str]


def region_profiles(view: GroupView) -> Section:
    """Draw layer profiles of regions or networks, positive against negative lags (Figure 3)."""
    title, anchor = "Layer profiles of regions", "profiles"
    frame = view.table(declared.REGIONS)
    if frame.empty:
        text = "No regions: neither a cortex nor an atlas was at hand."
        return view.section(title, anchor, Prose(text))
    networks, four, atlas = _regions(frame)
    parts: list[Part] = []
    if networks:
        parts.append(_profiles(view, frame, networks, "the seven networks"))
    parts.append(
        _profiles(view, frame, four, "the four regions of the poster") if four else Prose(_NO_FOUR)
    )
    if atlas:
        parts.append(_profiles(view, frame, atlas, "the atlas"))
    return view.section(title, anchor, *parts, *view.claim(BOOTSTRAP))


def _regions(frame: pd.DataFrame) -> tuple[list[Region], list[Region], list[Region]]:
    """Networks and the poster's regions of both hemispheres, and the best regions of an atlas."""
    unique = frame[["roi", "structure"]].drop_duplicates()
    regions = [(str(name), str(side)) for name, side in unique.itertuples(index=False, name=None)]
    networks = [(name, "both") for name in _NETWORKS if (name, "both") in regions]
    four = [(name, "both") for name in ROIS if (name, "both") in regions]
    others = [region for region in regions if region[0] not in (*_NETWORKS, *ROIS)]
    means = rows_of(frame, lags=POSITIVE).groupby(["roi", "structure"])["mean_r"].max()
    ranked = sorted(others, key=lambda region: -float(means.get(region, -1.0)))
    kept = set(ranked[:_MOST_REGIONS])
    return networks, four, [region for region in others if region in kept]


def _title(region: Region) -> str:
    name, side = region
    return name if side in ("both", "volume") or len(side) > 1 else f"{side} {name}"


def _profiles(view: GroupView, frame: pd.DataFrame, regions: Sequence[Region], which: str) -> Part:
    panels = []
    for region in regions:
        rows = rows_of(frame, roi=region[0], structure=region[1])
        lines = _lines(rows, view.layers)
        panels.append(Panel(_title(region), lines, _baseline(view, region)))
    n = int(frame["n"].max())
    left = len(frame[["roi", "structure"]].drop_duplicates()) - len(regions)
    rest = f" The table has {left} more regions (hemispheres among them)." if left > 0 else ""
    caption = (
        f"Mean score of each layer over the {view.words} of {which}, averaged over {n} "
        "participants; band: 95 % bootstrap interval over participants (BCa). Dashed: best "
        f"acoustic baseline in the same region.{rest}"
    )
    figure = panels_figure(panels, view.layers, "mean r")
    return picture(figure, alt=best_words(panels, view.layers), caption=caption)


def _lines(rows: pd.DataFrame, layers: Sequence[str], *, tested: bool = False) -> list[Line]:
    lines = []
    for lags, colour in ((POSITIVE, style.POSITIVE), (NEGATIVE, style.NEGATIVE)):
        own = rows_of(rows, lags=lags)
        mean, low, high = (by_layer(own, name, layers) for name in ("mean_r", "ci_low", "ci_high"))
        if mean is None:
            continue
        passed = None
        if tested and lags == POSITIVE:
            p = by_layer(own, "p", layers)
            passed = None if p is None or not np.isfinite(p).any() else p <= 0.05
        lines.append(Line(LAGS_TITLES[lags], mean, low, high, passed=passed, colour=colour))
    return lines


def _baseline(view: GroupView, region: Region) -> dict[str, float]:
    if view.baseline is None:
        return {}
    frame = view.baseline.table(declared.REGIONS)
    rows = rows_of(frame, roi=region[0], structure=region[1], lags=POSITIVE)
    return {} if rows.empty else {"best acoustic baseline": float(rows["mean_r"].max())}


def stability(view: GroupView) -> Section | None:
    """Draw how often each layer is the best one when participants are redrawn."""
    frame = view.table(declared.RELIABILITY)
    if frame.empty:
        return None
    found = [region for regions in _regions(view.table(declared.REGIONS)) for region in regions]
    columns = [
        (LAGS_TITLES[lags], list(_stability_rows(rows_of(frame, lags=lags), found, view.layers)))
        for lags in each_lags(view)
    ]
    caption = (
        "Share of the bootstrap samples of participants in which a layer is the best of its "
        "region. Bars: 95 % interval of the centroid layer. A broad row means that neighbouring "
        "layers cannot be told apart with these participants."
    )
    words = [
        f"{row.title}: {view.layers[int(np.nanargmax(row.share))]} in "
        f"{100 * np.nanmax(row.share):.0f} %"
        for row in columns[0][1]
        if np.isfinite(row.share).any()
    ]
    alt = f"Most frequent best layer, {columns[0][0]}. {'; '.join(words)}."
    part = picture(stability_figure(columns, view.layers), alt=alt, caption=caption)
    return view.section("Stability of the best layer", "stability", part)


def _stability_rows(
    frame: pd.DataFrame, regions: Sequence[Region], layers: Sequence[str]
) -> Iterator[StabilityRow]:
    for region in regions:
        rows = rows_of(frame, roi=region[0], structure=region[1])
        share = by_layer(rows, "share", layers)
        if share is not None:
            low, high = (float(rows[name].iloc[0]) for name in ("centroid_low", "centroid_high"))
            yield StabilityRow(_title(region), share, low, high)


# ------------------------------------------------------------------ ratings


def ratings(results: Results) -> list[Section]:
    """Draw layer profiles of continuous ratings, one section per network (Figure 6)."""
    networks = list(results.networks())
    tables = {
        name: frame
        for name in networks
        if (name != BASELINE or networks == [BASELINE])
        and not (frame := results.table(declared.RATINGS, None, name)).empty
    }
    alone = len(tables) == 1
    return [
        Section(
            "Ratings" if alone else f"Ratings ({network_title(name)})",
            "ratings" if alone else f"ratings-{name}",
            [_rating_profiles(frame, results.layers(name)), *claim(results, RATERS)],
        )
        for name, frame in tables.items()
    ]


def _rating_profiles(frame: pd.DataFrame, layers: Sequence[str]) -> Part:
    panels = [
        Panel(str(name), _lines(rows_of(frame, rating=name), layers, tested=True))
        for name in dict.fromkeys(frame["rating"])
    ]
    n = int(frame["n"].fillna(0).max())
    who = f"{n} raters" if n != 1 else "a single rater, so that there is no interval"
    caption = (
        f"The same models with a continuous rating in place of the brain; {who}. Line: mean; "
        "band: 95 % bootstrap interval over raters. Filled dots: p \u2264 .05 against music "
        "displaced alike for all raters, not corrected over layers. There are few pieces, so that "
        "only large differences between layers are informative."
    )
    return rating_panels(panels, layers, "mean r", caption)


# ------------------------------------------------------------------ noise ceiling


def parcels_of(view: GroupView) -> Array | None:
    """(n_units,) parcel of each unit, as the first participant has them; NaN for none."""
    own = first_participant(view.results)
    maps = None if own is None else own.maps(PARCEL_LABELS, view.pair.space)
    return None if maps is None else np.where(maps.values[0] > 0, maps.values[0], np.nan)


def isc_map(view: GroupView) -> BrainMap | None:
    """Return the parcels' inter-subject correlation on fsaverage5; None when not computed."""
    frame, parcels = view.table(declared.ISC), parcels_of(view)
    if frame.empty or parcels is None:
        return None
    by_parcel = dict(zip(frame["parcel"], frame["isc"], strict=True))
    values = np.array([by_parcel.get(number, np.nan) for number in parcels], dtype=float)
    drawn = carried(view.units, values)
    title = "Inter-subject correlation of parcels"
    return None if drawn is None else BrainMap(title, drawn, _ISC)


def noise_ceiling(view: GroupView) -> Section:
    """Draw the inter-subject correlation of parcels, and how much of it the best layer reaches."""
    title, anchor = "Noise ceiling", "ceiling"
    frame = view.table(declared.ISC)
    if frame.empty:
        text = (
            "No inter-subject correlation: it needs two participants who heard the same sounds "
            "and have the same parcels."
        )
        return view.section(title, anchor, Prose(text))
    frame = frame.assign(reached=_reached(view, frame))
    isc, reached = (frame[name].to_numpy(dtype=float) for name in ("isc", "reached"))
    share = _share(reached, isc)
    told = (
        f" The best layer reaches {100 * share:.0f} % of it (median)." if math.isfinite(share)
        else ""
    )  # fmt: skip
    caption = (
        "Correlation of each participant's parcel with the mean of the others at the same moments "
        "of the same sounds (leave one out): a lower bound of what a perfect model of the sounds "
        f"reaches.{told}"
    )
    alt = f"Inter-subject correlation of {len(isc)} parcels: median {np.nanmedian(isc):.2f}."
    parts: list[Part] = [picture(ceiling_figure(isc, reached), alt=alt + told, caption=caption)]
    on_cortex = isc_map(view)
    if on_cortex is not None:
        parts += draw([on_cortex], FSAVERAGE5, None, "Each vertex has the value of its parcel.",
                      how="")  # fmt: skip
    columns = (*declared.ISC.columns, Column("reached", title="best layer, mean r"))
    told = "Parcels: centre in mm, inter-subject correlation, and the score of the best layer"
    return view.section(title, anchor, *parts, table(frame, columns, told))


def _reached(view: GroupView, frame: pd.DataFrame) -> Array:
    """Largest mean score over layers of each parcel, the layers averaged over its units."""
    scores, parcels = view.scores(POSITIVE), parcels_of(view)
    reached = np.full(len(frame), np.nan)
    if scores is None or parcels is None:
        return reached
    for row, number in enumerate(frame["parcel"]):
        own = scores[:, parcels == number]
        own = own[:, np.isfinite(own).all(axis=0)]
        if own.size:
            reached[row] = own.mean(axis=1).max()
    return reached


def _share(reached: Array, isc: Array) -> float:
    usable = np.isfinite(reached) & (isc > 0.05)
    return float(np.median(reached[usable] / isc[usable])) if usable.any() else math.nan
