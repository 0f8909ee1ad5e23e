"""What participants of a group share: gyrus, hemispheres, best layers, noise ceilings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.recipes.rsa import results as declared
from bidsapp.recipes.rsa.figures.layers import ceiling_figure, confidence_figure, gyrus_figure
from bidsapp.recipes.rsa.report.view import RsaView
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.html import Part, Prose, Section, number_text, picture
from bidsapp.report.tables import rows_of, table
from bidsapp.results.kinds import Column

_SIDES = {"L": "left", "R": "right"}
_SHAPES = (
    Column("hemisphere", text=True),
    Column("shape", text=True),
    Column("n_units", title="searchlights", digits=0),
    Column("mean", title="mean over participants", digits=2),
    Column("n_positive", title="participants above zero", digits=0),
    Column("n", title="participants", digits=0),
)
_HEMISPHERES = (
    Column("layer_index", title="no.", digits=0),
    Column("layer", text=True),
    Column("n_L", title="left", digits=0),
    Column("n_R", title="right", digits=0),
    Column("share_L", title="participants, left", digits=1, unit="%"),
    Column("share_R", title="right", digits=1, unit="%"),
    Column("share_L-R", title="difference", digits=1, unit="%"),
)


def gyrus(view: RsaView) -> Section:
    """Centroid layer and scores along the superior temporal gyrus (Figure 8 of the paper)."""
    title, anchor = "Along the superior temporal gyrus", "gyrus"
    frame = view.table(declared.GYRUS)
    if not frame["centroid"].notna().any():
        text = "No profile: the space has no searchlights of the gyrus, or no MNI coordinates."
        return view.section(title, anchor, Prose(text))
    band = ", with 95 % bootstrap interval" if frame["ci_low"].notna().any() else ""
    shapes = {test["hemisphere"]: test for test in view.facts["superior_temporal_gyrus"]}
    sides = {str(side): rows for side, rows in frame.groupby("hemisphere", sort=False)}
    told = {side: _told(own["curvature"]) for side, own in shapes.items()}
    caption = (
        f"Above: mean over participants of the centroid layer in bins along the gyrus{band}. "
        "Below: mean score of each layer. The paper found deep layers at both "
        "ends and shallow ones in the centre: a curvature above zero. Every participant's "
        "centroid is that of all searchlights with a positive score, significant or not, and is "
        "drawn to the middle layer where there is no effect."
    )
    alt = "; ".join(
        f"{_SIDES[side]}: centroid layer {layer[0]:.2f} at the posterior end, "
        f"{layer[len(layer) // 2]:.2f} in the centre, {layer[-1]:.2f} at the anterior end"
        for side, rows in sides.items()
        for layer in [rows["centroid"].to_numpy(float)]
    )
    figure = gyrus_figure(sides, told, view.layers)
    parts: list[Part] = [picture(figure, alt=f"{alt}.", caption=caption)]
    if shapes:
        rows = [
            {"hemisphere": _SIDES[side], "shape": shape, "n_units": own["n_units"], **own[shape]}
            for side, own in shapes.items()
            for shape in ("slope", "curvature")
        ]
        caption = (
            "Slope (deeper towards the anterior end), and curvature (deeper at both ends). Not "
            "tested: responses that listeners share without any layer, or scores that are "
            "strongest in the middle of the gyrus, give such shapes as well"
        )
        parts.append(table(pd.DataFrame(rows), _SHAPES, caption, keep_empty=True))
    return view.section(title, anchor, *parts)


def _told(shape: Mapping[str, Any]) -> str:
    above = f"above zero in {shape['n_positive']} of {shape['n']}"
    return f"mean curvature {number_text(shape['mean'], 2)}, {above}"


def hemispheres(view: RsaView) -> Section | None:
    """Tabulate the share of each layer by hemisphere, and the difference."""
    frame = view.table(declared.LAYERS)
    if set(frame["hemisphere"]) == {"both"}:
        return None
    wide = pd.DataFrame({"layer_index": range(1, len(view.layers) + 1), "layer": view.layers})
    for side in ("L", "R", "L-R"):
        rows = (
            rows_of(frame, hemisphere=side).set_index("layer_index").reindex(wide["layer_index"])
        )
        wide[f"n_{side}"] = rows["n"].to_numpy()
        wide[f"share_{side}"] = 100 * rows["participant_share"].to_numpy(float)
    caption = (
        "Searchlights of the group's map by best layer; share in participants' own maps, and "
        "difference of the hemispheres (not tested)"
    )
    shown = table(wide, _HEMISPHERES, caption)
    return view.section("Hemispheres", "hemispheres", Prose(_difference(view)), shown)


def _difference(view: RsaView) -> str:
    facts = view.facts["asymmetry"]
    if facts is None or not np.isfinite(facts["left_minus_right_layers"] or np.nan):
        return "The paper found deeper layers on the left; no difference could be computed here."
    mean = facts["left_minus_right_layers"]
    return (
        f"Best layers lie {number_text(abs(mean), 2)} layers deeper on the "
        f"{'left' if mean > 0 else 'right'} (mean over participants; left deeper in "
        f"{facts['n_positive']} of {facts['n']}). This is not tested: areas that answer to "
        "different sounds that no layer knows differ as well. The paper found deeper layers on "
        "the left."
    )


def ceilings(view: RsaView) -> Section:
    """How alike participants' dissimilarities are, and how much of that the best layer reaches."""
    title, anchor = "Noise ceiling", "ceiling"
    lower, upper = view.single(declared.LOWER), view.single(declared.UPPER)
    if lower is None or upper is None:
        text = "No noise ceilings: they need two participants who heard the same clips."
        return view.section(title, anchor, Prose(text))
    largest, words = view.largest, view.words
    usable = np.isfinite(lower) & np.isfinite(largest) & (lower > 0) & view.significant
    told = ""
    if usable.any():
        share = float(np.median(largest[usable] / lower[usable]))
        told = (
            f" Where a layer is significant, the best one reaches {100 * share:.0f} % of the "
            "lower noise ceiling (median)."
        )
    caption = (
        "Left: correlation of each participant's dissimilarities with the mean of the others' "
        f"(lower) and of all (upper), over {words}. A perfect model would fall between the lower "
        "and the upper noise ceiling (Nili 2014); drift and order that participants share raise "
        f"both. Right: the largest mean score beside the lower end (dashed: equal).{told}"
    )
    known = lower[np.isfinite(lower)]
    alt = (
        f"Lower noise ceiling: median {np.median(known):.3f}; upper: {np.nanmedian(upper):.3f}; "
        f"above zero in {100 * np.mean(known > 0):.0f} % of {words}."
    )
    figure = ceiling_figure(lower, upper, largest, view.significant, words)
    shown = BrainMap.of(declared.LOWER, np.clip(lower, 0, None))
    drawn = draw([shown], view.units, view.significant, f"Outlined: significant {words}.")
    return view.section(title, anchor, picture(figure, alt=alt, caption=caption), *drawn)


def confidence(view: RsaView) -> Section:
    """How often redrawn participants give the same best layer."""
    title, anchor = "Confidence of the best layer", "confidence"
    values = view.single(declared.CONFIDENCE)
    if values is None:
        text = "Not computed: it needs several participants and searchlights with a best layer."
        return view.section(title, anchor, Prose(text))
    n, words = len(view.layers), view.words
    caption = (
        "Share of bootstrap samples of participants in which the layer with the largest mean "
        f"score is the same; with {n} layers {number_text(1 / n, 2)} would be chance. Median "
        f"{number_text(float(np.nanmedian(values)), 2)}. It says how stable the best layer is "
        "over listeners; it is not the probability that this layer is the true one."
    )
    figure = confidence_figure(values, view.significant, n, words)
    shown = BrainMap.of(declared.CONFIDENCE, values, in_slices=False)
    drawn = draw([shown], view.units, view.significant, f"Outlined: significant {words}.")
    return view.section(title, anchor, picture(figure, alt=caption, caption=caption), *drawn)
