"""Header, banners, numbers at a glance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from bidsapp.report.emotion3d.read import (
    BRAIN,
    DECODERS,
    LEAKY,
    RECIPE,
    SpaceStudy,
    SplitInfo,
    Study,
    split_of,
)
from bidsapp.report.html import Note, Number, Numbers, Part, Section, number_text
from bidsapp.report.participant_sections.overview import simulated
from bidsapp.report.results import rows_of


def meta(study: Study) -> list[tuple[str, str]]:
    """Names and values under the heading."""
    facts = study.facts
    sources = study.description.get("SourceDatasets") or [{}]
    first = sources[0] if isinstance(sources[0], dict) else {}
    items = [
        ("Dataset", first.get("Name") or first.get("DOI") or study.description.get("Name")),
        ("Recipe", f"{RECIPE}, {facts.get('variant', 'variant not recorded')}"),
        ("Date", study.date),
        ("Version", facts.get("version")),
        ("Configuration", facts.get("ConfigurationHash")),
    ]
    return [(name, str(value)) for name, value in items if value]


def banners(study: Study) -> list[Note]:
    """Loud statements: simulated data, leaky splits, one participant."""
    return [*simulated(study.description), *_leaky(study), *_lonely(study)]


def _leaky(study: Study) -> Iterator[Note]:
    names = study.leaky_splits
    if names:
        text = (
            f"This page also shows scores of volumes drawn at random ({', '.join(names)})."
            " Training and test volumes are neighbours in time: noise without any signal scores "
            f"80 to 97 % there. Everything marked {LEAKY} says nothing about the brain."
        )
        yield Note("serious", f"{LEAKY}: for comparison only", text)


def _lonely(study: Study) -> Iterator[Note]:
    if study.is_group and study.n_participants == 1:
        text = "Nothing here can be said about other people."
        yield Note("serious", "A group of one participant", text)


def glance(study: Study) -> Section:
    """Numbers at a glance: the data, then the scores under each honest split."""
    children = []
    for space in study.spaces:
        parts: list[Part] = [Numbers(_design(study, space))]
        for split in space.honest:
            found = list(_numbers(space, split, several=len(space.honest) > 1))
            parts += [Numbers(found)] if found else []
        within = list(_within(space))
        parts += [Numbers(within)] if within else []
        children.append(Section(space.space.title, f"glance-{space.space.anchor}", parts))
    if len(children) == 1:
        return Section("At a glance", "glance", children[0].parts)
    return Section("At a glance", "glance", children=children)


def _design(study: Study, space: SpaceStudy) -> list[Number]:
    facts = space.facts
    items = []
    if study.is_group:
        left = len(facts.get("left_out") or ())
        told = f"{left} left out" if left else "none left out"
        items.append(Number("Participants", number_text(study.n_participants, 0), told))
    if facts.get("runs"):
        items.append(Number("Runs", number_text(len(facts["runs"]), 0), ""))
    if facts.get("n_labelled"):
        total = number_text(facts.get("n_volumes", 0), 0)
        labelled = number_text(facts["n_labelled"], 0)
        items.append(Number("Labelled volumes", labelled, f"of {total}"))
    if not space.labels.empty:
        blocks = float(space.labels["n_blocks"].sum())
        items.append(Number("Stretches", number_text(blocks, 0), "of one class each"))
    if space.classes:
        items.append(Number("Classes", number_text(len(space.classes), 0), ""))
    if facts.get("n_units"):
        items.append(Number("Voxels", number_text(facts["n_units"], 0), space.space.title))
    return items


def _numbers(space: SpaceStudy, split: SplitInfo, *, several: bool) -> Iterator[Number]:
    for decoder in BRAIN:
        row = space.score(split, decoder)
        if row is not None:
            name = DECODERS[decoder]
            label = f"{name}, {split.short}" if several else name
            yield Number(label, number_text(float(row["value"]), 2), against(row))


def _within(space: SpaceStudy) -> Iterator[Number]:
    """Means of participants who were tested on other runs of their own."""
    rows = rows_of(space.table("group"), level="within")
    for row in rows.to_dict("records"):
        decoder = str(row["test"]).removesuffix(" > chance")
        if decoder in BRAIN:
            remark = f"chance {number_text(row['chance'], 2)}, p = {row['p']:.2g} (sign flips)"
            split = split_of(row["split"]).short
            label = f"{DECODERS[decoder]}, within: {split}"
            yield Number(label, number_text(row["mean"], 2), remark)


def against(row: pd.Series) -> str:
    """Say in a few words what a score is beside its chance.

    Examples
    --------
    >>> against(pd.Series({"chance": 0.15, "p": 0.005}))
    'chance 0.15, p = 0.005'
    """
    chance, p = (_number(row.get(name)) for name in ("chance", "p"))
    if chance is None:
        return "chance not estimated"
    return f"chance {number_text(chance, 2)}" + ("" if p is None else f", p = {p:.2g}")


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
