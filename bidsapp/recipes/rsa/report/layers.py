"""Scores and layers of one network: maps, peaks, profile, distributions, null distribution."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pandas as pd

from bidsapp.recipes.rsa import results as declared
from bidsapp.recipes.rsa.figures.layers import assignment_figure, chance_figure, scores_figure
from bidsapp.recipes.rsa.report.view import RsaView
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.places import (
    APART_MM,
    REGION,
    apart,
    coordinate_words,
    places,
    with_regions,
)
from bidsapp.report.brain.projection import hemispheres
from bidsapp.report.brain.scales import at_largest, smallest
from bidsapp.report.brain.viewer import MapGroup, layer_maps
from bidsapp.report.figures import style
from bidsapp.report.figures.courses import delay_figure
from bidsapp.report.figures.layers import Line, Profile, profile_figure
from bidsapp.report.figures.nulls import threshold
from bidsapp.report.figures.style import Array
from bidsapp.report.html import Part, Section, number_text, picture
from bidsapp.report.methods import control_weights
from bidsapp.report.tables import choose, numbered, table
from bidsapp.results.kinds import Column

_PEAKS = (
    *(Column(axis, digits=0, unit="mm") for axis in "xyz"),
    REGION,
    Column("layer", text=True),
    Column("rho", title="\u03c1"),
    Column("p", title="family-wise p", by=declared.CLIPS),
    Column("centroid", digits=1),
    Column("gain", title="\u0394\u03c1"),
)
_SIDES = {"L": "on the left", "R": "on the right", "both": "searchlights"}


# ------------------------------------------------------------------ maps


def maps(view: RsaView) -> Section:
    """Draw the largest score, best and centroid layer, and what learning adds."""
    shown = list(_maps(view))
    if not view.by_maximum:  # the mask shows as much
        shown = [item for item in shown if item.scale is not declared.P_FWE.scale]
    drawn = draw(shown, view.units, view.significant, _outlined(view) + view.apart)
    return view.section("Maps", "maps", *drawn)


def first_maps(view: RsaView) -> Section:
    """Draw the largest score and the best layer alone."""
    drawn = draw(list(islice(_maps(view), 2)), view.units, view.significant, _outlined(view))
    return Section("Maps", "first", drawn)


def _outlined(view: RsaView) -> str:
    """Say what the outlines of maps are, or that there are none."""
    if not view.is_tested:
        where = "" if np.isfinite(view.best).any() else "best and centroid layers are undefined; "
        return f"Nothing was tested: {where}opacity scales with \u03c1."
    test = "the paper's t of the maximum" if view.by_maximum else f"FWE p \u2264 {view.level:g}"
    if view.significant.any():
        what = f"Outlined: significant {view.words} ({test}); elsewhere opacity"
    else:
        what = f"No significant {view.words} ({test}): layers may be undefined. Opacity"
    return f"{what} scales with \u03c1."


def _maps(view: RsaView) -> Iterator[BrainMap]:
    mean = "mean " * view.is_group
    yield BrainMap(f"Largest {mean}score over layers", view.largest, declared.RHO)
    best, centroid = declared.BEST_LAYER.title, declared.CENTROID.title
    if view.by_maximum:
        centroid = "Participants' best layers, mean"
        best = f"{centroid} rounded"
    yield BrainMap.of(declared.BEST_LAYER, view.best, view.layers, title=best)
    more = {"title": centroid, "in_slices": False}
    yield BrainMap.of(declared.CENTROID, view.centroid, view.layers, **more)
    if view.p_fwe is not None:
        title = "Permutation of clips: smallest family-wise p over layers"
        yield BrainMap(title, smallest(view.p_fwe), declared.P_FWE.scale)
    if view.gain is not None:
        gain = at_largest(view.gain, view.scores)
        title = f"{view.gain_title}, in the layer of the largest score"
        yield BrainMap(title, gain, declared.GAIN, in_slices=False)


def group_of_maps(view: RsaView) -> MapGroup:
    """Return the maps of the interactive cortex: those of the figures, and single layers."""
    further = (declared.LOWER, declared.CONFIDENCE) if view.is_group else (declared.RADIUS,)
    found = [(result, view.single(result)) for result in further]
    return MapGroup(
        view.pair.title,
        view.units,
        [
            *_maps(view),
            *(BrainMap.of(item, values) for item, values in found if values is not None),
        ],
        layer_maps(view.scores, view.layers, declared.RHO),
        view.significant,
    )


def peaks(view: RsaView) -> Section | None:
    """Tabulate the largest scores that are some way apart."""
    where = places(view.units)
    if where is None:
        return None
    score = view.largest[where.units]
    if view.significant.any():
        score = np.where(view.significant[where.units], score, np.nan)
    chosen = apart(score, where.mm)
    if not chosen:
        return None
    units, mm = where.units[chosen], where.mm[chosen]
    layer = np.nanargmax(view.scores[:, units], axis=0)

    def at(values: Array | None) -> Array:
        return np.full(len(units), np.nan) if values is None else values[layer, units]

    frame = with_regions(pd.DataFrame(dict(zip("xyz", mm.T, strict=True))), view.units)
    frame["layer_index"], frame["layer"] = layer + 1, [view.layers[index] for index in layer]
    frame["rho"], frame["p"], frame["gain"] = at(view.scores), at(view.p_fwe), at(view.gain)
    frame["centroid"] = view.centroid[units]
    why = "none is significant" if view.is_tested else "nothing was tested"
    who = f"significant {view.words}" if view.significant.any() else f"all, as {why}"
    gain = "" if view.gain is None else f"\u0394\u03c1: {view.gain_title.lower()}. "
    caption = (
        f"The largest scores of {who}, at least {APART_MM:.0f} mm apart, with the layer of "
        f"the largest score. {coordinate_words(view.units)} {gain}Peaks were selected with the "
        "same data; the scores are inflated (circular)"
    )
    cells = {"layer": numbered("layer_index", "layer")}
    floor = float(view.summary.get("smallest_p") or 0.0)
    return view.section("Peaks", "peaks", table(frame, _PEAKS, caption, cells=cells, floor=floor))


# ------------------------------------------------------------------ profile and distributions


def profile(view: RsaView) -> Section:
    """Draw the mean score layer by layer, trained beside untrained."""
    frame = view.profile
    mean, untrained = (frame[name].to_numpy(float) for name in ("mean_rho", "mean_untrained"))
    low, high, spread = None, None, np.zeros(len(mean))
    if view.is_group:
        low, high = frame["ci_low"].to_numpy(float), frame["ci_high"].to_numpy(float)
    else:
        spread = np.nan_to_num(frame["sd_untrained"].to_numpy(float))
    control = control_weights(view.results, view.pair.network, view.pair.space)
    plain = "trained" if view.has_weights else "score"
    label = {"random": "this seed", "permuted": "permuted"}.get(control, plain)
    lines = [Line(label, mean, low, high, "95 % interval over participants")]
    caption = f"Mean score over all {view.words}, significant or not."
    if np.isfinite(untrained).any():
        band = "\u00b1 SD over networks" if spread.any() else ""
        lines.append(
            Line(
                "untrained",
                untrained,
                untrained - spread if band else None,
                untrained + spread if band else None,
                band,
                colour=style.NEGATIVE,
            )
        )
        seeds = "" if view.is_group else f" ({view.facts['n_untrained']} seeds)"
        caption += (
            f" Untrained: the same network with {'other ' * view.is_random}random weights{seeds}; "
            "only what trained layers have beyond it was learned."
        )
    if view.raw is not None:
        raw = np.array([np.nanmean(row) if np.isfinite(row).any() else np.nan for row in view.raw])
        lines.append(Line("nuisances not removed", raw, colour=style.MUTED, dashed=True))
    counts = frame["n_significant"].to_numpy(float)
    bars = counts if counts.any() else None
    data = Profile(view.layers, lines, "mean \u03c1", bars=bars, bars_label="n significant")
    best = int(np.nanargmax(mean)) if np.isfinite(mean).any() else 0
    alt = (
        f"Mean score by layer: highest {mean[best]:.4f} in {view.layers[best]}, lowest "
        f"{np.nanmin(mean):.4f}."
    )
    columns = (declared.GROUP_PROFILE if view.is_group else declared.PROFILE).columns
    names = [item.name for item in columns if not item.name.startswith(("ci_", "sd_"))]
    figure = picture(profile_figure(data), alt=alt, caption=caption)
    rows = table(frame, choose(columns, *names), f"Layers of {view.title}")
    return view.section("Layer profile", "profile", figure, rows)


def distributions(view: RsaView) -> Section:
    """Draw the distribution of the score of each layer (Figure 6 of the paper)."""
    caption = (
        f"Distribution over {view.words} of each layer's score (Figure 6 of the paper). A shift "
        f"of all of it away from zero is no sign of coupling: what {view.words} share "
        "(autocorrelation, order, drift) shifts all of them."
    )
    means = view.profile["mean_rho"]
    told = ", ".join(
        f"{name} {number_text(mean, 3)}" for name, mean in zip(view.layers, means, strict=True)
    )
    figure = scores_figure(view.layers, view.scores, view.untrained)
    drawn = picture(figure, alt=f"Means: {told}.", caption=caption)
    return view.section("Distributions of scores", "distributions", drawn)


def assignments(view: RsaView) -> Section:
    """Draw the distribution of best layers, by hemisphere (Figure 7 of the paper)."""
    n, sides = len(view.layers), hemispheres(view.units)
    best = np.nan_to_num(view.best)
    every = np.nan_to_num(
        at_largest(np.arange(1.0, n + 1)[:, None] + 0 * view.scores, view.scores)
    )
    figure = assignment_figure(
        view.layers,
        {side: _shares(best[mask], n) for side, mask in sides.items()},
        {side: _shares(every[mask], n) for side, mask in sides.items()},
        _own_shares(view) if view.is_group else {},
    )
    told = ", ".join(
        f"{number_text(int((best[mask] > 0).sum()), 0)} {_SIDES[side]}"
        for side, mask in sides.items()
    )
    caption = (
        f"Share of {view.words} with each {'mean ' * view.by_maximum}best layer (Figure 7 of the "
        f"paper): filled, the {told} that have a best layer; outlined, all {view.words} with the "
        "layer of their largest score, which is dominated by noise where there is no effect: "
        "layers whose scores vary more win more often."
    )
    drawn = picture(figure, alt=caption, caption=caption)
    return view.section("Distribution of best layers", "assignments", drawn)


def _own_shares(view: RsaView) -> dict[str, Array]:
    frame = view.table(declared.LAYERS).sort_values("layer_index", kind="stable")
    return {
        str(side): rows["participant_share"].to_numpy(float)
        for side, rows in frame.groupby("hemisphere")
        if side in _SIDES and rows["participant_share"].notna().any()
    }


def _shares(labels: Array, n_layers: int) -> Array:
    counts = np.bincount(labels.astype(int), minlength=n_layers + 1)[1:].astype(float)
    return counts / counts.sum() if counts.any() else np.full(n_layers, np.nan)


# ------------------------------------------------------------------ null distribution


def null(view: RsaView) -> Section:
    """Draw the largest scores beside those of permuted clips."""
    observed, expected = view.maxima
    own = view.single(declared.MAX) if view.is_group else None
    heading = "largest mean \u03c1 over layers" if view.is_group else "largest \u03c1 over layers"
    each = view.single(declared.MAX_EXPECTED) if view.is_group else None
    tested = view.facts["largest_tested"]
    peak = float(np.nanmax(view.largest)) if tested is None else tested
    if own is not None:
        heading = "mean of participants' largest \u03c1 over layers"
    orders = " (all orders there are)" * view.summary["enumerated"]
    caption = f"Left: largest score over searchlights and layers for each order of clips{orders}."
    if not view.null.size:
        caption = "Left: largest score over searchlights and layers; clips were not permuted."
    alt = f"The largest score is {peak:.3f}"
    if view.null.size:
        caption += f" No p can be below {view.summary['smallest_p']:.3g}."
        if not np.isfinite(threshold(view.null, view.level)):
            caption += f" With so few orders nothing can be significant at {view.level:g}."
        alt += f"; {np.sum(view.null >= peak)} of {view.null.size} permutations reach it"
    caption += f" Right: the largest score over layers, {number_text(observed, 4)} on average"
    if np.isfinite(expected):
        caption += f", and {number_text(expected, 4)} with the clips permuted"
    caption += ": the maximum of several scores is above zero without any effect."
    if view.null.size and view.summary["n_tested"] < view.summary["n_items"]:
        caption += (
            f" Permuted, and observed on the left, are the {view.summary['n_tested']} items that "
            "every clip has."
        )
    figure = chance_figure(
        view.null,
        (view.largest if own is None else own, each),
        (observed, expected),
        observed=peak,
        level=view.level,
        heading=heading,
    )
    drawn = picture(figure, alt=f"{alt}.", caption=caption)
    said = view.claim(declared.CLIPS, declared.MAXIMUM_T)
    return view.section("Scores and their null distribution", "null", drawn, *said)


# ------------------------------------------------------------------ delay


def delay(view: RsaView) -> Section | None:
    """Draw the scores of layers at other delays; None where they were not computed."""
    rows = view.table(declared.DELAY)
    if view.is_group or rows["mean_rho"].isna().all():
        return None
    by_layer = rows.pivot_table(index="layer_index", columns="delay_s", values="mean_rho")
    delays_s = by_layer.columns.to_numpy(float)
    mean = by_layer.mean(axis=0).to_numpy(float)  # without layers that have no score
    latest = delays_s[int(np.nanargmax(mean))]
    figure = delay_figure(
        delays_s,
        by_layer.to_numpy(),
        mean,
        (-0.25, 0.25),
        "later than the canonical response (s)",
        "\u03c1",
    )
    n = int(rows["n_units"].iloc[0])
    significant = view.significant.any()
    who = f"{number_text(n, 0)} {'significant ' if significant else ''}searchlights"
    doubt = " None is significant: the curves may be noise."
    doubt *= view.is_tested and not significant
    largest = f"The mean over layers is largest at a delay of {number_text(latest, 1)} s."
    caption = (
        f"Mean score over {who} when the predicted responses come earlier or later than the "
        f"canonical one (shaded): grey, each layer; thick, their mean. {largest}{doubt} Slow "
        "music makes neighbouring delays alike; nothing was tested."
    )
    parts: list[Part] = [picture(figure, alt=largest, caption=caption)]
    values = view.single(declared.DELAY_MAP)
    if values is not None and np.isfinite(values).any():
        drawn = [BrainMap.of(declared.DELAY_MAP, values)]
        told = "Delay at which the best layer of a searchlight scores most."
        parts += draw(drawn, view.units, view.significant, told)
    return view.section("Haemodynamic delay", "delay", *parts)
