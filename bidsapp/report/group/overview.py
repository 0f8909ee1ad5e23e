"""Header, numbers at a glance, and who takes part."""

from __future__ import annotations

import math

import numpy as np

from bidsapp.report.group.results import GroupModel, GroupResults, GroupSpace
from bidsapp.report.group.spins import mean_interval
from bidsapp.report.group.words import correlation, p_text, symbol
from bidsapp.report.html import (
    Note,
    Number,
    Numbers,
    Part,
    Prose,
    Section,
    Table,
    cell,
    columns,
    number_text,
)
from bidsapp.report.participant_methods import random_weights, unit_words, weights_text
from bidsapp.report.participant_sections.overview import simulated
from bidsapp.report.results import NEGATIVE, POSITIVE, rows_of

_TESTED = {"hemisphere": "both", "direction": "reference rotated"}


def meta(results: GroupResults) -> list[tuple[str, str]]:
    """Names and values under the heading."""
    facts = results.facts
    sources = results.description.get("SourceDatasets") or [{}]
    first = sources[0] if isinstance(sources[0], dict) else {}
    items = [
        ("Dataset", first.get("Name") or first.get("DOI") or results.description.get("Name")),
        ("Recipe", f"{facts.get('recipe', 'gradients')}, "
                   f"{facts.get('variant', 'variant not recorded')}"),
        ("Date", results.date),
        ("Version", facts.get("version")),
        ("Configuration", facts.get("ConfigurationHash")),
        *((f"Weights of {model.name}", weights_text(space.facts, model.name))
          for space, model in results.models()[:1]),
    ]  # fmt: skip
    return [(name, str(value)) for name, value in items if value]


def banners(results: GroupResults) -> list[Note]:
    """Loud statements: simulated data, random weights, a single participant."""
    notes = simulated(results.description)
    random = sorted(
        {
            model.name
            for space, model in results.models()
            if random_weights(space.facts, model.name)
        }
    )
    if random:
        text = (
            "These results are a control: they show what the architecture alone can predict, not "
            "what a trained network represents."
        )
        notes.append(Note("serious", f"Random weights ({', '.join(random)})", text))
    if results.spaces[0].n_participants == 1:
        text = "Nothing here can be said about other listeners; spin tests concern this one."
        notes.append(Note("serious", "A group of one participant", text))
    return notes


def glance(results: GroupResults) -> Section:
    """Numbers at a glance, one row per network and space."""
    pairs = results.models()
    people = Numbers(_people(results))
    children = [
        Section(f"{model.title}, {space.space.title}", f"glance-{space.space.anchor}-{model.name}",
                [Numbers(_numbers(space, model))])
        for space, model in pairs
    ]  # fmt: skip
    if len(pairs) == 1:
        numbers = [*people.items, *_numbers(*pairs[0])]
        return Section("At a glance", "glance", [Numbers(numbers)])
    return Section("At a glance", "glance", [people], children)


def _people(results: GroupResults) -> list[Number]:
    space = results.spaces[0]
    left = len(results.facts.get("left_out") or ())
    remark = f"{left} left out" if left else "none left out"
    items = [Number("Participants", number_text(space.n_participants, 0), remark)]
    table = space.participants
    if "n_rows" in table and table["n_rows"].notna().any():
        low, high = table["n_rows"].min(), table["n_rows"].max()
        text = number_text(low, 0) if low == high else f"{low:.0f}\u2013{high:.0f}"
        items.append(Number("Volumes analysed", text, "of each participant"))
    return items


def _numbers(space: GroupSpace, model: GroupModel) -> list[Number]:
    word = unit_words(space.within)[1]
    items = []
    scores = model.scores(POSITIVE)
    if scores is not None and np.isfinite(scores.values).any():
        place = np.unravel_index(int(np.nanargmax(scores.values)), scores.values.shape)
        layer = model.layers[int(place[0])] if model.layers else scores.names[int(place[0])]
        items.append(
            Number("Peak mean r", number_text(float(scores.values[place]), 2), f"layer {layer}")
        )
    mask = model.significant
    if mask is not None and model.known:
        share = f"{100 * mask.sum() / model.known:.0f} %"
        items.append(
            Number(f"Significant {word}", share, f"family-wise p < {model.level:g}, some layer")
        )
    return [*items, *_spin_numbers(model), *_subject_numbers(model)]


def _spin_numbers(model: GroupModel) -> list[Number]:
    items = []
    for lags, name in ((POSITIVE, "positive lags"), (NEGATIVE, "control")):
        for kind in ("best", "centroid"):
            rows = rows_of(model.spin, lags=lags, map=kind, **_TESTED)
            if rows.empty or not math.isfinite(rows["r"].iloc[0]):
                continue
            row = rows.iloc[0]
            items.append(
                Number(
                    f"Spin {symbol(model)}, {kind}, {name}",
                    correlation(float(row["r"])),
                    f"{p_text(float(row['p']))}, with {row['reference']}",
                )
            )
    return items


def _subject_numbers(model: GroupModel) -> list[Number]:
    rows = rows_of(model.subjects, lags=POSITIVE, map="centroid")
    if len(rows) < 2:
        return []
    reference = rows["reference"].iloc[0]
    z = rows_of(rows, reference=reference)["z"].to_numpy(dtype=float)
    mean, low, high = mean_interval(z)
    if not math.isfinite(low):
        return []
    tests = rows_of(model.subject_tests, lags=POSITIVE, map="centroid", reference=reference)
    p = float(tests["p"].iloc[0]) if len(tests) else math.nan
    return [
        Number(
            f"Mean {symbol(model)} of participants",
            correlation(mean),
            f"{correlation(low)} to {correlation(high)}, {p_text(p)}, centroid",
        )
    ]


def participants(results: GroupResults) -> Section:
    """Tabulate who takes part, and who does not and why."""
    title, anchor = "Participants", "participants"
    tables = [(space, space.participants) for space in results.spaces]
    parts: list[Part] = []
    for space, table in tables:
        if table.empty:
            continue
        where = f" ({space.space.title})" if len(tables) > 1 else ""
        parts.append(_participants(space, where))
    return Section(title, anchor, parts or [Prose("No table of participants was written.")])


def _participants(space: GroupSpace, where: str) -> Table:
    rows = []
    for row in space.participants.to_dict("records"):
        included = bool(row.get("included"))
        reason = row.get("reason")
        rows.append(
            [
                cell(f"sub-{row['participant']}"), cell("yes" if included else "no"),
                cell(row.get("n_trs"), 0), cell(row.get("n_rows"), 0), cell(row.get("mean_r"), 4),
                cell(_text(row.get("configuration_hash"))), cell(_text(reason)),
            ]
        )  # fmt: skip
    heads = columns("participant", "included", "volumes#", "analysed#", "mean r#",
                    "configuration", "why not~")  # fmt: skip
    per_unit = space.facts.get("participants_per_unit") or {}
    told = ""
    if {"min", "max", "median"} <= set(per_unit):
        told = (
            f" At each unit, {per_unit['min']} to {per_unit['max']} of them have a value (median "
            f"{per_unit['median']:g})."
            if per_unit["min"] < per_unit["max"]
            else f" All units with data have values of all {per_unit['max']}."
        )
    caption = (
        f"Who takes part{where}. Analysed: volumes with sound at all positive lags; mean r: over "
        f"the layers of the first network and all units, at positive lags.{told}"
    )
    return Table(heads, rows, caption)


def _text(value: object) -> str:
    return value if isinstance(value, str) else "\u2013"
