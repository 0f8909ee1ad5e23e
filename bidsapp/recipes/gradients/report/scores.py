"""Scores of one network: maps, layer profile, null distribution, parcels, pieces, delay."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pandas as pd

from bidsapp.recipes.base import score_results
from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.report.rating_panels import rating_panels
from bidsapp.recipes.gradients.report.view import LAGS_TITLES, NEGATIVE, POSITIVE, ParticipantView
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.places import coordinate_words, parcel_columns, top_parcels
from bidsapp.report.brain.scales import largest, limits
from bidsapp.report.brain.viewer import MapGroup, layer_maps
from bidsapp.report.figures import style
from bidsapp.report.figures.courses import delay_figure
from bidsapp.report.figures.crossval import alpha_figure, piece_figure
from bidsapp.report.figures.layers import (
    Line,
    Panel,
    Profile,
    profile_figure,
)
from bidsapp.report.figures.nulls import NullPanel, in_rows, null_figure, threshold
from bidsapp.report.figures.style import Array
from bidsapp.report.html import Prose, Section, p_cell, picture, plural
from bidsapp.report.tables import by_layer, numbered, rows_of, table
from bidsapp.report.timing import peak_section
from bidsapp.results.inferences.base import smallest_p
from bidsapp.results.read import Results

_TOP_PARCELS, _TOP_IF_NONE = 20, 10
_SCORE = declared.SCORE.scale
_NULL_TITLE = "Scores against their null distribution"
_CONTROL = LAGS_TITLES[NEGATIVE]

# ------------------------------------------------------------------ maps


def maps(view: ParticipantView) -> Section:
    """Draw the largest score, best and centroid layer, and the control."""
    caption = (
        "Opacity scales with r; black outlines mark parcels significant at FWE p \u2264 "
        f"{view.level:g} (no threshold applied). Scores and those of the control have one scale."
    )
    if not view.significant.any():
        caption = (
            f"{view.why_none.capitalize()}: scores are pale, and best and centroid layers are not "
            "drawn where they are undefined. Scores and those of the control have one scale."
        )
    drawn = draw(list(_maps(view)), view.units, view.significant, caption + view.apart)
    return view.section("Maps", "maps", *drawn)


def first_maps(view: ParticipantView) -> Section:
    """Draw the largest score and the best layer alone."""
    caption = (
        f"Outlined: parcels significant at FWE p \u2264 {view.level:g}; opacity scales with r."
        if view.significant.any()
        else f"{view.why_none.capitalize()}: opacity scales with r."
    )
    drawn = draw(list(islice(_maps(view), 2)), view.units, view.significant, caption)
    return Section("Maps", "first", drawn)


def _maps(view: ParticipantView) -> Iterator[BrainMap]:
    ends = limits(_SCORE, largest(view.positive))
    yield BrainMap("Largest score over layers", largest(view.positive), ends=ends)
    best, centroid = declared.BEST_LAYER.of(POSITIVE), declared.CENTROID.of(POSITIVE)
    yield BrainMap.of(best, view.values(best)[0], view.layers, title="Best layer")
    yield BrainMap.of(
        centroid,
        view.values(centroid)[0],
        view.layers,
        title="Centroid layer",
        in_slices=False,
    )
    control = view.scores(NEGATIVE)
    if control is not None:
        title = f"Largest score over layers, {_CONTROL}"
        yield BrainMap(title, largest(control), ends=ends, in_slices=False)
    ceiling = view.single(declared.CEILING)
    if ceiling is not None:
        yield BrainMap.of(declared.CEILING, ceiling, outlined=False, in_slices=False)


def group_of_maps(view: ParticipantView) -> MapGroup:
    """Return the maps of the interactive cortex: those of the figures, and single layers."""
    layers = layer_maps(view.positive, view.layers, _SCORE)
    return MapGroup(view.pair.title, view.units, list(_maps(view)), layers, view.significant)


def peak_courses(view: ParticipantView) -> Section | None:
    """Draw prediction and response of the parcel with the largest score."""
    return peak_section(view.table(declared.PEAK), declared.PEAK, view.suffix)


# ------------------------------------------------------------------ layer profile


def profile(view: ParticipantView) -> Section:
    """Draw the score of each layer, the control, the acoustic baselines and the ceiling."""
    chosen, rows = view.chosen, rows_of(view.profile, lags=POSITIVE)
    line = Line.over_units(LAGS_TITLES[POSITIVE], view.positive[:, chosen])
    lines = [line]
    control = view.scores(NEGATIVE)
    if control is not None:
        lines.append(Line.over_units(_CONTROL, control[:, chosen], style.NEGATIVE))
    references = baseline_scores(view)
    ceiling = view.single(declared.CEILING)
    explained = by_layer(rows, "explained_variance", view.layers)
    figure = profile_figure(
        Profile(
            view.layers,
            lines,
            "r",
            kinds=[str(kind) for kind in rows["kind"]],
            references=references,
            ceiling=np.nan if ceiling is None else mean_of(ceiling[chosen]),
            bars=None if explained is None else 100 * explained,
            bars_label="kept (%)",
        )
    )
    caption = (
        f"Score of each layer over {view.chosen_words}. Solid: mean; dotted: median; band: "
        f"interquartile range across {view.words}. Dashes: mean score of the acoustic baselines "
        f"in the same {view.words}. Shaded columns group the stages of the network; markers are "
        "layer kinds (circle convolution, triangle ReLU, diamond pooling, plus fully connected, "
        "square input and output). Bars: variance of the layer that its components keep."
        f"{view.apart}"
    )
    if view.significant.any():
        caption += " Parcels were selected with the same data; the mean r is inflated (circular)."
    alt = profile_words(view, line.values, references)
    return view.section("Layer profile", "profile", picture(figure, alt=alt, caption=caption))


def baseline_scores(view: ParticipantView) -> dict[str, float]:
    """Return the mean score of each acoustic baseline in the chosen units."""
    if view.baseline is None:
        return {}
    rows = view.baseline.positive[:, view.chosen]
    return {name: mean_of(row) for name, row in zip(view.baseline.layers, rows, strict=True)}


def mean_of(values: Array) -> float:
    """Return the mean of what is finite; NaN if nothing is."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")


def profile_words(view: ParticipantView, mean: Array, references: dict[str, float]) -> str:
    """Return the alternative text of the profile."""
    if not np.isfinite(mean).any():
        return "Layer profile without finite scores."
    best, worst = int(np.nanargmax(mean)), int(np.nanargmin(mean))
    words = (
        f"Mean score by layer: highest {mean[best]:.3f} in {view.layers[best]}, lowest "
        f"{mean[worst]:.3f} in {view.layers[worst]}"
    )
    named = ", ".join(f"{name} {value:.3f}" for name, value in references.items())
    return f"{words}; baselines: {named}." if named else f"{words}."


# ------------------------------------------------------------------ parcels and their null


def null(view: ParticipantView) -> Section:
    """Draw what circular shifts produce beside what was observed."""
    draws = view.table(declared.NULL)
    if draws.empty:
        return view.section(_NULL_TITLE, "null", Prose("Nothing was tested: no shifts."))
    shifted, parcels = rows_of(draws, lags=POSITIVE), rows_of(view.parcels, lags=POSITIVE)
    largest_r, maxima = float(parcels["r_max"].max()), shifted["max_r"].to_numpy(float)
    n = int((parcels["p_fwe"] <= view.level).sum())
    words = f"r = {largest_r:.3f}\n{plural(n, 'significant parcel')}"
    limit = threshold(maxima, view.level, strict=True)
    panels = [NullPanel("Largest score", maxima, largest_r, words, style.POSITIVE, limit)]
    means = rows_of(draws, lags=POSITIVE)["mean_r"].to_numpy(float)
    observed = float(rows_of(view.table(declared.PARCELS), lags=POSITIVE)["r"].mean())
    panels.append(NullPanel("Mean score", means, observed, f"r = {observed:.4f}"))
    caption = (
        "Grey: largest (and mean) score over layers and parcels of each displacement of the "
        "music, with the whole cross-validation repeated. Coloured line: observed. Dashed: "
        f"score above which a parcel is significant (FWE p \u2264 {view.level:g}), corrected over "
        "layers and parcels."
    )
    alt = "; ".join(f"{panel.title}: {panel.words}".replace("\n", ", ") for panel in panels)
    figure = null_figure(in_rows(panels, len(panels)), "r")
    drawn = picture(figure, alt=f"{alt}.", caption=caption)
    said = view.claim(score_results.SHIFT)
    return view.section(_NULL_TITLE, "null", drawn, *said)


def parcels(view: ParticipantView) -> Section:
    """Tabulate the parcels with the largest scores."""
    rows = rows_of(view.parcels, lags=POSITIVE)
    shown = top_parcels(rows, "r_max", _TOP_PARCELS, view.units)
    names = ("best_layer", "centroid", "r_max", "p", "p_fwe", "q")
    columns = parcel_columns(declared.PARCEL_SUMMARY, *names)
    n_shifts = int(view.settings["n_shifts"])
    p = p_cell(smallest_p(n_shifts)).text
    least = f"With {plural(n_shifts, 'shift')} no p is below {p}. " if n_shifts else ""
    caption = (
        f"The {len(shown)} parcels with the largest score, of {len(rows)}: centre, size in "
        f"{view.words}, score of the best layer; p over layers, family-wise p over layers and "
        f"parcels, false discovery rate over parcels. {least}{coordinate_words(view.units)} Click "
        "a heading to sort"
    )
    cells = {"best_layer": numbered("best_layer_index", "best_layer")}
    made = table(shown, columns, caption, cells=cells, floor=smallest_p(n_shifts))
    return view.section("Parcels", "parcels", made)


# ------------------------------------------------------------------ behind the mean


def pieces(view: ParticipantView) -> Section:
    """Draw the scores in each held-out piece."""
    every = view.table(declared.PIECES)
    chosen, who = view.passed, f"the {plural(len(view.passed), 'significant parcel')}"
    if chosen.empty:
        chosen = rows_of(view.parcels, lags=POSITIVE).nlargest(_TOP_IF_NONE, "r_max")
        who = f"the {len(chosen)} parcels with the largest score ({view.why_none})"
    kept = every[every["parcel"].isin(chosen["parcel"])]
    positive, control = (
        rows_of(kept, lags=lags).pivot_table(
            index="piece", columns="layer", values="r", sort=False
        )
        for lags in (POSITIVE, NEGATIVE)
    )
    positive = positive.reindex(columns=list(view.layers))
    names = [str(name) for name in positive.index]
    means = control.reindex(positive.index).mean(axis=1).to_numpy() if len(control) else None
    caption = (
        f"Mean correlation over {who}, in each held-out piece. If one piece drives the mean, the "
        "effect may not generalise to other music."
    )
    alt = ", ".join(f"{name} {value:.3f}" for name, value in positive.mean(axis=1).items())
    figure = piece_figure(positive.to_numpy(), view.layers, names, means)
    drawn = picture(figure, alt=f"Scores by piece: {alt}.", caption=caption)
    return view.section("Scores by piece", "pieces", drawn)


def penalties(view: ParticipantView) -> Section:
    """Draw the ridge penalties that were chosen, and how often they lay at an end of the grid."""
    rows = rows_of(view.profile, lags=POSITIVE)
    ends = [by_layer(rows, f"alpha_edge_{end}", view.layers) for end in ("low", "high")]
    low, high = (np.full(len(view.layers), np.nan) if end is None else end for end in ends)
    alphas = view.values(declared.ALPHA.of(POSITIVE))[:, view.chosen]
    alphas = alphas[:, np.isfinite(alphas).any(axis=0)]
    quartiles = np.nanpercentile(alphas, [25, 50, 75], axis=1) if alphas.shape[1] else None
    grid = view.settings["log10_alpha"]
    figure = alpha_figure(view.layers, quartiles, low, high, (grid[0], grid[-1]))
    caption = (
        f"Top: median and interquartile range of the penalty over {view.chosen_words}; dashes are "
        "the ends of the grid."
    )
    alt = f"Penalties by layer; {view.why_none}."
    if np.isfinite(low).any():
        caption += (
            " Bars: share of the choices in significant parcels that fell on the smallest or the "
            "largest value offered."
        )
        alt = (
            f"Share of penalties at the smallest value {np.nanmean(low):.1%}, at the largest "
            f"{np.nanmean(high):.1%}."
        )
    return view.section("Ridge penalties", "alphas", picture(figure, alt=alt, caption=caption))


# ------------------------------------------------------------------ ratings


def ratings(results: Results, view: ParticipantView, *, alone: bool) -> Section | None:
    """Draw the layer profile of each continuous rating; None without ratings.

    Parameters
    ----------
    results
        Of the participant.
    view
        One network; ratings are the same in all spaces.
    alone
        Whether it is the only network.
    """
    rows = results.table(declared.RATINGS, None, view.pair.network)
    if rows.empty:
        return None
    groups = rows.groupby(["rating", "rater"], sort=False, dropna=False)
    panels = [_rating(str(name), rater, group, view) for (name, rater), group in groups]
    caption = (
        "The same models with a continuous rating in place of the brain. Thin lines are single "
        "held-out pieces; filled dots: p \u2264 .05 against circular shifts, not corrected over "
        "layers. There is one rating per piece: few independent samples, so only large "
        "differences between layers mean anything."
    )
    return Section(
        "Ratings" if alone else f"Ratings ({view.title})",
        "ratings" if alone else f"ratings-{view.pair.network}",
        [rating_panels(panels, view.layers, "r", caption)],
    )


def _rating(name: str, rater: object, rows: pd.DataFrame, view: ParticipantView) -> Panel:
    positive = rows_of(rows, lags=POSITIVE)
    mean = rows_of(positive, piece="mean")
    singles = {
        str(piece): values
        for piece, group in positive[positive["piece"] != "mean"].groupby("piece", sort=False)
        if (values := by_layer(group, "r", view.layers)) is not None
    }
    r, p = by_layer(mean, "r", view.layers), by_layer(mean, "p", view.layers)
    assert r is not None
    assert p is not None
    lines = [Line(LAGS_TITLES[POSITIVE], r, passed=p <= 0.05, pieces=singles)]
    control = by_layer(rows_of(rows, lags=NEGATIVE, piece="mean"), "r", view.layers)
    if control is not None:
        lines.append(Line(_CONTROL, control, colour=style.NEGATIVE))
    return Panel(f"{name} ({rater})" if isinstance(rater, str) else name, lines)


_TOP_DELAYS = 10


def delay(view: ParticipantView) -> Section | None:
    """Draw scores at single lags of the parcels that are predicted; None where not computed."""
    rows = view.table(declared.DELAY).dropna(subset=["r"])
    if rows.empty:
        return None
    passed = view.passed["parcel"] if len(view.passed) else None
    by_lag = rows.pivot_table(index="parcel", columns="lag_s", values="r")
    chosen = by_lag.loc[by_lag.index.isin(passed)] if passed is not None else by_lag.iloc[:0]
    who = f"the {plural(len(chosen), 'significant parcel')}"
    if chosen.empty:
        chosen = by_lag.loc[by_lag.max(axis=1).nlargest(_TOP_DELAYS).index]
        who = f"the {plural(len(chosen), 'parcel')} with the largest score ({view.why_none})"
    best = chosen.idxmax(axis=1)
    model = [float(lag) for lag in view.results.setting("lags_s")]
    span = f"{min(model):g} to {max(model):g} s"
    best_with, grey = "at all lags together", f"lags of the model ({span})"
    if view.results.setting("response") == "canonical":
        best_with = "with the canonical response"
        grey = f"{span}, about the peak of the canonical response that the model assumes"
    words = (
        f"Scores of {who} with music at one single lag, in the layer that is best {best_with}. "
        f"Thick: mean. Grey: {grey}. "
        f"Half of these parcels are best at {best.median():g} s or later. Slow music makes "
        "neighbouring lags alike; nothing was tested."
    )
    figure = delay_figure(
        chosen.columns.to_numpy(float),
        chosen.to_numpy(),
        np.nanmean(chosen.to_numpy(), axis=0),
        (min(model), max(model)),
        "lag of the response behind the music (s)",
        "r",
    )
    low, high = best.quantile([0.25, 0.75])
    alt = f"Best lag: median {best.median():g} s, middle half from {low:g} to {high:g} s."
    return view.section("Haemodynamic delay", "delay", picture(figure, alt=alt, caption=words))
