"""Figures 3 and 6 of the poster: layer profiles of regions and ratings, and their stability."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from bidsapp.brain.rois import ROIS
from bidsapp.report.group.figures.profiles import (
    Band,
    ProfilePanel,
    StabilityRow,
    profile_figure,
    stability_figure,
)
from bidsapp.report.group.results import GroupModel, GroupResults, GroupSpace
from bidsapp.report.group.words import lags_title, licence
from bidsapp.report.html import Part, Prose, Section, picture
from bidsapp.report.maps import Array
from bidsapp.report.results import NEGATIVE, POSITIVE, rows_of

#: in the order of the functional gradient, unimodal first
_NETWORKS = (
    *("Cortex", "Visual", "Somatomotor", "Dorsal attention", "Salience / ventral attention"),
    *("Limbic", "Control", "Default"),
)
_MOST_REGIONS = 12
_NO_FOUR = (
    "No profiles of STG, MTG, IFG and mPFC: no atlas that names their parts comes with the app. "
    "Give one with --atlas, on the mesh or grid of the data: Destrieux (aparc.a2009s, .annot or "
    ".label.gii) or HCP-MMP."
)
Region = tuple[str, str]


def region_profiles(space: GroupSpace, model: GroupModel, suffix: str) -> Section:
    """Layer profiles of regions or networks, positive against negative lags."""
    title, anchor = "Layer profiles of regions", f"profiles{suffix}"
    if model.profile.empty:
        text = "No regions: neither a cortex nor an atlas was at hand."
        return Section(title, anchor, [Prose(text)])
    networks, four, atlas = _regions(model.profile)
    parts: list[Part] = []
    if networks:
        parts.append(_profile_picture(space, model, networks, "the seven networks"))
    if four:
        parts.append(_profile_picture(space, model, four, "the four regions of the poster"))
    else:
        parts.append(Prose(_NO_FOUR))
    if atlas:
        parts.append(_profile_picture(space, model, atlas, "the atlas"))
    return Section(title, anchor, [*parts, *licence(space, "profile")])


def _regions(table: pd.DataFrame) -> tuple[list[Region], list[Region], list[Region]]:
    """Networks and the poster's regions of both hemispheres, and the best regions of an atlas."""
    pairs = list(table[["roi", "structure"]].drop_duplicates().itertuples(index=False, name=None))
    networks = [(name, "both") for name in _NETWORKS if (name, "both") in pairs]
    others = [(str(name), str(side)) for name, side in pairs if name not in (*_NETWORKS, *ROIS)]
    means = rows_of(table, lags=POSITIVE).groupby(["roi", "structure"])["mean_r"].max()
    ranked = sorted(others, key=lambda region: -float(means.get(region, -1.0)))
    chosen = set(ranked[:_MOST_REGIONS])
    four = [(name, "both") for name in ROIS if (name, "both") in pairs]
    return networks, four, [region for region in others if region in chosen]


def _profile_picture(
    space: GroupSpace, model: GroupModel, regions: Sequence[Region], which: str
) -> Part:
    panels = [
        ProfilePanel(
            _title(region),
            _band(model.profile, region, POSITIVE, len(model.layers)),
            _band(model.profile, region, NEGATIVE, len(model.layers)),
            _baseline(space, region),
        )
        for region in regions
    ]
    n = int(model.profile["n"].max())
    left = len(model.profile[["roi", "structure"]].drop_duplicates()) - len(regions)
    rest = f" The table has {left} more regions (hemispheres among them)." if left > 0 else ""
    caption = (
        f"Mean score of each layer over the vertices of {which}, averaged over {n} participants; "
        "band: 95 % bootstrap interval over participants (BCa). Positive lags: sound before "
        "response; negative lags are the control. Dashes: best acoustic baseline in the same "
        f"region.{rest}"
    )
    words = [
        f"{panel.title}: best {np.nanmax(panel.positive.mean):.3f} in "
        f"{model.layers[int(np.nanargmax(panel.positive.mean))]}"
        for panel in panels
        if panel.positive is not None and np.isfinite(panel.positive.mean).any()
    ]
    return picture(
        profile_figure(panels, model.layers), alt="; ".join(words) + ".", caption=caption
    )


def _title(region: Region) -> str:
    name, side = region
    return name if side in ("both", "volume") or len(side) > 1 else f"{side} {name}"


def _band(table: pd.DataFrame, region: Region, lags: str, n_layers: int) -> Band | None:
    rows = rows_of(table, roi=region[0], structure=region[1], lags=lags)
    return None if rows.empty else band(rows, n_layers)


def band(rows: pd.DataFrame, n_layers: int) -> Band:
    """Return mean and interval by layer; NaN for layers without a row."""
    ordered = rows.set_index("layer_index").reindex(range(1, n_layers + 1))
    mean, low, high = (
        ordered[name].to_numpy(dtype=float) for name in ("mean_r", "ci_low", "ci_high")
    )
    return Band(mean, low, high)


def _baseline(space: GroupSpace, region: Region) -> float | None:
    if space.baseline is None:
        return None
    rows = rows_of(space.baseline.profile, roi=region[0], structure=region[1], lags=POSITIVE)
    return None if rows.empty else float(rows["mean_r"].max())


# ------------------------------------------------------------------ stability of the best layer


def stability(space: GroupSpace, model: GroupModel, suffix: str) -> Section:
    """How often each layer is the best one when participants are redrawn."""
    title, anchor = "Stability of the best layer", f"stability{suffix}"
    columns = [
        (lags_title(lags), rows)
        for lags in (POSITIVE, NEGATIVE)
        if (rows := list(_stability_rows(model, lags)))
    ]
    if not columns:
        return Section(title, anchor, [Prose("The bootstrap over participants was not written.")])
    caption = (
        "Share of the bootstrap resamples of participants in which a layer is the best of its "
        "region. Bars: 95 % interval of the centroid layer. A broad row says that neighbouring "
        "layers cannot be told apart with these participants."
    )
    words = [
        f"{row.title}, {label}: {model.layers[int(np.nanargmax(row.share))]} in "
        f"{100 * np.nanmax(row.share):.0f} %"
        for label, rows in columns[:1]
        for row in rows
        if np.isfinite(row.share).any()
    ]
    figure = stability_figure(columns, model.layers)
    part = picture(figure, alt="Most frequent best layer. " + "; ".join(words) + ".",
                   caption=caption)  # fmt: skip
    return Section(title, anchor, [part, *licence(space, "reliability")])


def _stability_rows(model: GroupModel, lags: str) -> Iterator[StabilityRow]:
    if model.reliability.empty:
        return
    networks, four, atlas = _regions(model.profile) if len(model.profile) else ([], [], [])
    for region in [*networks, *four, *atlas]:
        rows = rows_of(model.reliability, roi=region[0], structure=region[1], lags=lags)
        if rows.empty:
            continue
        by_layer = rows.set_index("layer_index").reindex(range(1, len(model.layers) + 1))
        low, high = (float(rows[name].iloc[0]) for name in ("centroid_low", "centroid_high"))
        yield StabilityRow(_title(region), by_layer["share"].to_numpy(dtype=float), low, high)


# ------------------------------------------------------------------ ratings


def ratings(results: GroupResults) -> list[Section]:
    """Layer profiles of continuous ratings, one section per network."""
    tables = results.ratings()
    sections = []
    for name, table in tables.items():
        alone = len(tables) == 1
        title = "Ratings" if alone else f"Ratings ({name})"
        anchor = "ratings" if alone else f"ratings-{name}"
        sections.append(Section(title, anchor, [_rating_picture(table)]))
    return sections


def _rating_picture(table: pd.DataFrame) -> Part:
    order = table.drop_duplicates("layer_index").sort_values("layer_index")
    layers = [str(name) for name in order["layer"]]
    panels = [_rating_panel(str(name), rows, len(layers)) for name, rows in _by_rating(table)]
    n = int(table["n"].max())
    who = f"{n} raters" if n != 1 else "a single rater, so there is neither interval nor p"
    caption = (
        f"The same models with a continuous rating in place of the brain; {who}. Line: mean; "
        "band: 95 % bootstrap interval over raters. Filled dots: sign flips of raters, p < .05, "
        "not corrected over layers. There are few pieces, so only large differences between "
        "layers mean anything."
    )
    words = [
        f"{panel.title}: best {np.nanmax(panel.positive.mean):.2f} in "
        f"{layers[int(np.nanargmax(panel.positive.mean))]}"
        for panel in panels
        if panel.positive is not None and np.isfinite(panel.positive.mean).any()
    ]
    figure = profile_figure(panels, layers, columns=2)
    return picture(figure, alt="; ".join(words) + ".", caption=caption)


def _by_rating(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for name in dict.fromkeys(table["rating"]):
        yield str(name), rows_of(table, rating=name)


def _rating_panel(name: str, rows: pd.DataFrame, n_layers: int) -> ProfilePanel:
    bands = {}
    for lags in (POSITIVE, NEGATIVE):
        found = rows_of(rows, lags=lags)
        bands[lags] = None if found.empty else band(found, n_layers)
    return ProfilePanel(name, bands[POSITIVE], bands[NEGATIVE], passed=_passed(rows, n_layers))


def _passed(rows: pd.DataFrame, n_layers: int) -> Array | None:
    positive = rows_of(rows, lags=POSITIVE)
    if positive.empty or "p" not in positive:
        return None
    p = positive.set_index("layer_index")["p"].reindex(range(1, n_layers + 1))
    values = p.to_numpy(dtype=float)
    return np.where(np.isfinite(values), values, math.inf) < 0.05
