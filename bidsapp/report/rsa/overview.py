"""Header, banners, numbers at a glance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bidsapp.report.html import Note, Number, Numbers, Section, number_text, plural
from bidsapp.report.participant_methods import unit_words, weights_text
from bidsapp.report.participant_sections.overview import simulated
from bidsapp.report.results import fact
from bidsapp.report.rsa.read import Network, SpaceStudy, Study


def meta(study: Study) -> list[tuple[str, str]]:
    """Names and values under the heading."""
    facts = study.facts
    sources = study.description.get("SourceDatasets") or [{}]
    first = sources[0] if isinstance(sources[0], dict) else {}
    items = [
        ("Dataset", first.get("Name") or first.get("DOI") or study.description.get("Name")),
        ("Recipe", f"rsa, {facts.get('variant', 'variant not recorded')}"),
        ("Date", study.date),
        ("Version", facts.get("version")),
        ("Configuration", facts.get("ConfigurationHash")),
        *(
            (f"Weights of {network.name}", weights_text(facts, network.name))
            for network in study.networks()
        ),
    ]
    return [(name, str(value)) for name, value in items if value]


def banners(study: Study) -> list[Note]:
    """Loud statements: simulated data, random weights, one participant, the biased maximum."""
    notes = simulated(study.description)
    random = [network.name for network in study.networks() if network.is_random]
    if random:
        text = (
            "These layers are a control: they show what the architecture makes alike, not what a "
            "trained network represents."
        )
        notes.append(Note("serious", f"Random weights ({', '.join(random)})", text))
    if study.is_group and study.n_participants == 1:
        text = "Nothing here can be said about other listeners."
        notes.append(Note("serious", "A group of one participant", text))
    return [*notes, *_maximum(study)]


def _maximum(study: Study) -> Iterator[Note]:
    """State what the largest of several layers is without any effect."""
    if study.facts.get("variant") != "faithful":
        return
    title = "The largest score over layers is above zero without any effect"
    for space, network in study.pairs():
        observed, expected = maxima(network)
        if not math.isfinite(observed):
            continue
        told = (
            f"Observed mean of the maximum: {number_text(observed, 4)}. "
            f"With the clips permuted: {number_text(expected, 4)}. "
            if math.isfinite(expected)
            else f"Observed mean of the maximum: {number_text(observed, 4)}; what it is without "
            "any effect was not estimated. "
        )
        where = f"{network.title}, {space.space.title}: " if len(study.pairs()) > 1 else ""
        reason = (
            "A t-test of the maximum against zero therefore proves nothing: judge by the "
            "permutation of clips."
            if study.is_group
            else "Judge a searchlight by the permutation of clips."
        )
        yield Note("serious", title, f"{where}{told}{reason}{_passing(network)}")


def _passing(network: Network) -> str:
    """Count the units that pass the paper's test, and the permutation of clips."""
    by_t, by_clips = network.significant, network.passing_clips
    if not network.by_maximum or by_t is None or by_clips is None:
        return ""
    units = plural(int(by_t.sum()), *unit_words(network.within))
    count = number_text(int(by_clips.sum()), 0)
    return f" {units} pass the paper's test, {count} the permutation of clips."


def maxima(network: Network) -> tuple[float, float]:
    """Mean over units of the largest score over layers, and what it is with clips permuted.

    For a group these are participants' own maxima, as the paper tests them, if both are known.
    """
    found = [
        (
            number(network.facts.get(f"mean_{own}maximum_over_layers")),
            number(network.facts.get(f"expected_{own}maximum_over_layers")),
        )
        for own in ("own_", "")
    ]
    return next((pair for pair in found if all(map(math.isfinite, pair))), found[-1])


def number(value: Any) -> float:
    """Return a number that may be missing."""
    return float(value) if isinstance(value, int | float) else math.nan


def glance(study: Study) -> Section:
    """Numbers at a glance: the design, then one row per network and space."""
    pairs = study.pairs()
    design = _design(study)
    if len(pairs) == 1:
        numbers = Numbers([*design, *_numbers(*pairs[0])])
        return Section("At a glance", "glance", [numbers])
    children = [
        Section(
            f"{network.title}, {space.space.title}",
            f"glance-{space.space.anchor}-{network.name}",
            [Numbers(_numbers(space, network))],
        )
        for space, network in pairs
    ]
    return Section("At a glance", "glance", [Numbers(design)], children)


def _design(study: Study) -> list[Number]:
    facts = study.facts
    items: list[Number] = []
    if study.is_group:
        left = len(facts.get("left_out") or ())
        told = f"{left} left out" if left else "none left out"
        items.append(Number("Participants", number_text(study.n_participants, 0), told))
    if facts.get("n_clips"):
        repeats = list(facts.get("n_repeats") or ())
        heard = _range(repeats[0], repeats[1], "heard {} times") if len(repeats) == 2 else ""
        items.append(Number("Clips", number_text(facts["n_clips"], 0), heard))
    if facts.get("n_items"):
        n_items = facts["n_items"]
        n_pairs = number_text(facts.get("n_pairs", math.nan), 0)
        total = number_text(n_items * (n_items - 1) / 2, 0)
        remark = f"{n_pairs} of {total} pairs compared"
        items.append(Number("Items", number_text(n_items, 0), remark))
    if facts.get("n_permutations") is not None:
        smallest = number(facts.get("smallest_p"))
        remark = f"smallest p {smallest:.2g}" if math.isfinite(smallest) else ""
        if facts.get("enumerated"):
            remark = f"all orders; {remark}"
        items.append(Number("Clip permutations", number_text(facts["n_permutations"], 0), remark))
    return items


def _range(low: float, high: float, text: str) -> str:
    words = number_text(low, 0) if low == high else f"{low:.0f}\u2013{high:.0f}"
    return text.format(words)


def _numbers(space: SpaceStudy, network: Network) -> list[Number]:
    items = []
    unit, units = unit_words(space.within)
    n_lights = fact(space.facts, "n_searchlights")
    radius = number(space.facts.get("median_radius_mm"))
    if n_lights:
        remark = f"median radius {radius:.1f} mm" if math.isfinite(radius) else space.space.title
        items.append(Number("Searchlights", number_text(n_lights, 0), remark))
    scores = network.scores
    if scores is not None and np.isfinite(scores).any():
        layer, _ = np.unravel_index(int(np.nanargmax(scores)), scores.shape)
        peak = number_text(float(np.nanmax(scores)), 3)
        items.append(Number("Peak \u03c1", peak, f"layer {network.layers[int(layer)]}"))
    observed, expected = maxima(network)
    if math.isfinite(observed):
        chance = f"{number_text(expected, 4)} with clips permuted"
        items.append(
            Number("Mean largest \u03c1", number_text(observed, 4),
                   chance if math.isfinite(expected) else "chance not estimated")
        )  # fmt: skip
    return [*items, *_significant(network, unit, units), *_best(network)]


def _significant(network: Network, unit: str, units: str) -> Iterator[Number]:
    mask, largest = network.significant, network.largest
    if mask is None or largest is None:
        return
    known = int(np.isfinite(largest).sum())
    if network.by_maximum:
        remark = f"of {plural(known, unit, units)}; the paper's t of the maximum"
    else:
        remark = f"of {plural(known, unit, units)}; family-wise p \u2264 {network.level:g}"
    yield Number(f"Significant {units}", number_text(int(mask.sum()), 0), remark)
    if network.by_maximum and network.passing_clips is not None:
        count = number_text(int(network.passing_clips.sum()), 0)
        remark = f"permutation of clips; family-wise p \u2264 {network.level:g}"
        yield Number(f"Significant {units}", count, remark)


def _best(network: Network) -> Iterator[Number]:
    if network.best is None or not np.isfinite(network.best).any():
        return
    best = network.best[np.isfinite(network.best)].astype(int)
    counts = np.bincount(best, minlength=len(network.layers) + 1)
    top = int(counts.argmax())
    share = f"of {100 * counts[top] / best.size:.0f} % of units with a layer"
    yield Number("Most frequent best layer", network.layers[top - 1], share)
