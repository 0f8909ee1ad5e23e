"""What participants share: noise ceilings, and how stable the best layer is over them."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import Normalize

from bidsapp.report.figures import style
from bidsapp.report.html import Part, Prose, Section, number_text, picture
from bidsapp.report.maps import Array
from bidsapp.report.participant_methods import unit_words
from bidsapp.report.rsa.figures.ceiling import ceiling_figure, confidence_figure
from bidsapp.report.rsa.gyrus import licence
from bidsapp.report.rsa.maps import Shown, brain, upper
from bidsapp.report.rsa.read import Network, SpaceStudy


def ceilings(space: SpaceStudy, network: Network, suffix: str) -> Section:
    """How alike participants' dissimilarities are, and how much of that the best layer reaches."""
    title, anchor = "Noise ceiling", f"ceiling{suffix}"
    lower, higher = (space.values(stat="ceiling", desc=f"rsa{end}") for end in ("lower", "upper"))
    largest = network.largest
    if lower is None or higher is None or largest is None:
        text = "No noise ceilings: they need two participants who heard the same clips."
        return Section(title, anchor, [Prose(text)])
    units = unit_words(space.within)[1]
    usable = np.isfinite(lower) & np.isfinite(largest) & (lower > 0)
    if network.significant is not None and (usable & network.significant).any():
        passing = usable & network.significant
        share = float(np.median(largest[passing] / lower[passing]))
        told = f" Where a layer passes, the best one reaches {100 * share:.0f} % of the lower end."
    else:
        told = ""
    caption = (
        "Left: correlation of each participant's dissimilarities with the mean of the others' "
        f"(lower) and of all (upper), over {units}. No model of the sounds can be expected to do "
        "better than between the two. Right: the largest mean score beside the lower end "
        f"(dashed: equal).{told}"
    )
    alt = (
        f"Lower noise ceiling: median {np.nanmedian(lower):.3f}; upper: "
        f"{np.nanmedian(higher):.3f}; above zero in {100 * np.mean(finite(lower) > 0):.0f} % of "
        f"{units}."
    )
    figure = ceiling_figure(lower, higher, largest, network.significant, units)
    shown = Shown("Lower noise ceiling", np.clip(lower, 0, None), style.score_colours(),
                  Normalize(0, upper(lower)), "\u03c1", graded=True)  # fmt: skip
    parts: list[Part] = [picture(figure, alt=alt, caption=caption)]
    parts += brain(space.within, [shown], network.significant, "Outlined: units that pass. ")
    return Section(title, anchor, [*parts, *licence(space, "ceiling")])


def finite(values: Any) -> Array:
    """Return the finite values."""
    values = np.asarray(values, dtype=float)
    return np.asarray(values[np.isfinite(values)])


def confidence(space: SpaceStudy, network: Network, suffix: str) -> Section:
    """How often resampled participants give the same best layer."""
    title, anchor = "Confidence of the best layer", f"confidence{suffix}"
    values = network.values(stat="confidence", desc="rsa")
    if values is None or not np.isfinite(values).any():
        return Section(title, anchor, [Prose("Not computed: it needs several participants.")])
    n = len(network.layers)
    known = finite(values)
    caption = (
        "Share of bootstrap resamples of participants in which the layer with the largest mean "
        f"score is the same; with {n} layers {number_text(1 / n, 2)} would be chance. Median "
        f"{number_text(float(np.median(known)), 2)}."
    )
    mask = network.significant
    figure = confidence_figure(values, mask, n, unit_words(space.within)[1])
    shown = Shown("Confidence of the best layer", values, style.layer_colours(256),
                  Normalize(0, 1), "share", in_slices=False)  # fmt: skip
    parts: list[Part] = [picture(figure, alt=caption, caption=caption)]
    parts += brain(space.within, [shown], mask, "Outlined: units that pass. ")
    return Section(title, anchor, [*parts, *licence(space, "best_layer")])
