"""Layers along the superior temporal gyrus, and the hemispheres (Figure 8 of the paper)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bidsapp.report.html import (
    Note,
    Notes,
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
from bidsapp.report.rsa.figures.gyrus import Gyrus, gyrus_figure
from bidsapp.report.rsa.overview import number
from bidsapp.report.rsa.read import Network, SpaceStudy

_SIDES = {"L": "left", "R": "right", "both": "both", "L-R": "left \u2212 right"}


def gyrus(space: SpaceStudy, network: Network, suffix: str) -> Section:
    """Centroid layer and scores along the gyrus: high, low, high.

    Figure 8 of the paper.
    """
    title, anchor = "Along the superior temporal gyrus", f"gyrus{suffix}"
    table = network.table("rsastg")
    names = [name for name in map(str, table) if name.startswith("rho_")]
    if table.empty or not table[["centroid"]].notna().any().any():
        text = "No profile: the space has no units of the gyrus, or no MNI coordinates."
        return Section(title, anchor, [Prose(text)])
    tests = {
        str(entry.get("hemisphere")): entry
        for entry in network.facts.get("superior_temporal_gyrus") or ()
    }
    sides = []
    for name, rows in table.groupby("hemisphere", sort=False):
        side = str(name)
        sides.append(
            Gyrus(
                side=side,
                position=rows["position"].to_numpy(float),
                centroid=rows["centroid"].to_numpy(float),
                low=rows["ci_low"].to_numpy(float),
                high=rows["ci_high"].to_numpy(float),
                rho=rows[names].to_numpy(float).T,
                told=_curvature(tests.get(side) or {}),
            )
        )
    caption = (
        "Above: mean over participants of the centroid layer in bins along the gyrus, with 95 % "
        "bootstrap interval. Below: mean score of each layer. The paper found deep layers at both "
        "ends and shallow ones in the centre: a curvature above zero. Every participant's "
        "centroid is that of all units with a positive score, whether they pass or not, and is "
        "drawn to the middle layer where there is no effect."
    )
    alt = "; ".join(
        f"{_SIDES[side.side]}: centroid layer {side.centroid[0]:.2f} at the posterior end, "
        f"{side.centroid[len(side.centroid) // 2]:.2f} in the centre, {side.centroid[-1]:.2f} at "
        "the anterior end"
        for side in sides
    )
    parts: list[Part] = [picture(gyrus_figure(sides, network.layers), alt=f"{alt}.",
                                 caption=caption)]  # fmt: skip
    if tests:
        parts.append(_tests(tests))
    return Section(title, anchor, [*parts, *licence(space, "signflip")])


def licence(space: SpaceStudy, *tests: str) -> list[Part]:
    """Return the sentences that say what these tests license."""
    recorded = space.facts.get("licences") or {}
    notes = [
        Note("note", "What this licenses.", str(recorded[name]))
        for name in tests
        if name in recorded
    ]
    return [Notes(notes)] if notes else []


def _curvature(entry: Mapping[str, Any]) -> str:
    test = entry.get("curvature") or {}
    t, p = number(test.get("t")), number(test.get("p"))
    if not math.isfinite(t):
        return ""
    told = f", p = {p:.3f}" if math.isfinite(p) else ", not tested"
    return f"curvature t = {number_text(t, 2)}{told}"


def _tests(tests: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = []
    for side, entry in tests.items():
        for name in ("slope", "curvature"):
            test = entry.get(name) or {}
            rows.append(
                [
                    cell(_SIDES.get(side, side)), cell(name), cell(entry.get("n_units"), 0),
                    cell(test.get("n"), 0), cell(test.get("t"), 2),
                    p_cell(number(test.get("p"))),
                ]
            )  # fmt: skip
    heads = columns("hemisphere", "shape", "units#", "participants#", "t#", "p#")
    caption = (
        "Slope (deeper towards the anterior end) and curvature (deeper at both ends) of "
        "participants' profiles; p by sign flips, withheld where the order of clips was common"
    )
    return Table(heads, rows, caption)


def asymmetry(space: SpaceStudy, network: Network, suffix: str) -> Section | None:
    """Tabulate the share of each layer by hemisphere, and the difference."""
    table = network.table("rsalayers")
    if table.empty or set(table["hemisphere"]) == {"both"}:
        return None
    sides: dict[str, dict[Any, dict[Any, Any]]] = {
        str(side): {row["layer_index"]: row for row in rows.to_dict("records")}
        for side, rows in table.groupby("hemisphere")
    }
    rows = []
    for place, layer in enumerate(network.layers, start=1):
        found = {side: entries.get(place, {}) for side, entries in sides.items()}
        rows.append(
            [
                cell(place, 0), cell(layer),
                *(cell(found.get(side, {}).get("n"), 0) for side in "LR"),
                *(cell(round(_percent(found.get(side, {}).get("participant_share")), 1), 1)
                  for side in ("L", "R", "L-R")),
                p_cell(number(found.get("L-R", {}).get("p"))),
            ]
        )  # fmt: skip
    heads = columns("no.#", "layer", "units left#", "units right#", "participants, left (%)#",
                    "right (%)#", "difference#", "p#")  # fmt: skip
    caption = (
        "Units of the group's map that follow each layer; share in participants' own maps, and p "
        "of the difference of the hemispheres (sign flips, family-wise over layers)"
    )
    parts: list[Part] = [Prose(_difference(network)), Table(heads, rows, caption)]
    return Section("Hemispheres", f"hemispheres{suffix}", parts)


def _percent(value: Any) -> float:
    return 100 * number(value)


def _difference(network: Network) -> str:
    facts = network.facts.get("asymmetry") or {}
    mean, p = number(facts.get("left_minus_right_layers")), number(facts.get("p"))
    if not math.isfinite(mean):
        return "The paper found deeper layers on the left; no difference could be computed here."
    side = "left" if mean > 0 else "right"
    tested = (
        f"p = {p:.3f}, sign flips of {facts.get('n')} participants"
        if math.isfinite(p)
        else "not tested, see What to distrust"
    )
    return (
        f"Best layers lie {number_text(abs(mean), 2)} layers deeper on the {side} (mean over "
        f"participants, {tested}). The paper found deeper layers on the left."
    )
