"""Scores against their null: permutation of clips, and the bias of the maximum."""

from __future__ import annotations

import math

import numpy as np

from bidsapp.report.html import Note, Notes, Part, Prose, Section, number_text, picture
from bidsapp.report.maps import Array
from bidsapp.report.rsa.figures.chance import Chance, chance_figure
from bidsapp.report.rsa.overview import maxima, number
from bidsapp.report.rsa.read import Network, SpaceStudy


def null(space: SpaceStudy, network: Network, suffix: str) -> Section:
    """Observed maximum beside that of permuted clips."""
    title, anchor = "Scores against their null", f"null{suffix}"
    largest = network.largest
    if largest is None or not np.isfinite(largest).any():
        return Section(title, anchor, [Prose("No score maps were written.")])
    data, heading = _chance(network, largest)
    parts: list[Part] = [
        picture(chance_figure(data, heading), alt=_alt(data), caption=_caption(space, data))
    ]
    recorded = space.facts.get("licences") or {}
    names = ("clip_permutation", "maximum")
    notes = [Note("note", "What this licenses.", str(recorded[name])) for name in names
             if name in recorded]  # fmt: skip
    return Section(title, anchor, [*parts, *([Notes(notes)] if notes else [])])


def _chance(network: Network, largest: Array) -> tuple[Chance, str]:
    """Return the data of the figure, and what its right side shows."""
    observed, expected = maxima(network)
    own = network.values(stat="rho", desc="rsamax") if network.is_group else None
    if own is None and network.is_group:
        observed = number(network.facts.get("mean_maximum_over_layers"))
        expected = number(network.facts.get("expected_maximum_over_layers"))
    heading = "largest \u03c1 over layers"
    if network.is_group:
        heading = (
            "mean of participants' largest \u03c1 over layers"
            if own is not None
            else "largest mean \u03c1 over layers"
        )
    data = Chance(
        network.null,
        float(np.nanmax(largest)),
        network.level,
        largest if own is None else own,
        expected,
        observed,
        network.values(stat="expected", desc="rsamax") if network.is_group else None,
    )
    return data, heading


def _caption(space: SpaceStudy, data: Chance) -> str:
    facts = space.facts
    text = (
        "Left: the largest score over all units and layers, for each order of the clips in the "
        "layers' matrices"
    )
    text += " (all orders there are)." if facts.get("enumerated") else "."
    smallest = number(facts.get("smallest_p"))
    if math.isfinite(smallest) and data.null.size:
        text += f" No p can be below {smallest:.2g}."
    if data.null.size and not math.isfinite(data.threshold):
        text += f" With so few orders nothing can pass at {data.level:g}."
    text += " Right: the largest score over layers at each unit"
    if math.isfinite(data.expected):
        text += (
            f"; it is {number_text(data.mean_largest, 4)} on average, and "
            f"{number_text(data.expected, 4)} with the clips permuted, when no layer can explain "
            "anything: the maximum of several scores is above zero by itself."
        )
    else:
        text += ". The maximum of several scores is above zero by itself."
    return text


def _alt(data: Chance) -> str:
    if not data.null.size:
        return f"Histogram of the largest score over layers; the largest is {data.observed:.3f}."
    above = int(np.sum(data.null >= data.observed))
    return (
        f"The largest score is {data.observed:.3f}; {above} of {data.null.size} permutations "
        f"reach it; their median is {np.median(data.null):.3f}."
    )
