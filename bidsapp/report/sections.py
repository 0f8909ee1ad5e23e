"""Sections that every report has: plain functions of written results.

A page is a list of sections in the order in which they are read; `page` adds the head. What is
particular to a recipe stands in its own ``report.py``.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from bidsapp.report.html import (
    Cell,
    Facts,
    Listing,
    Notes,
    Number,
    Numbers,
    Page,
    Part,
    Picture,
    Prose,
    Section,
    number_text,
    once,
)
from bidsapp.report.methods import (
    Methods,
    inference_sentences,
    render_methods,
    shared_context,
    weights_text,
)
from bidsapp.report.rates import own_rates
from bidsapp.report.tables import Row, table
from bidsapp.results.cautions import Caution, in_order
from bidsapp.results.inferences import INFERENCES, Inference
from bidsapp.results.kinds import Column, Result, Table, expand
from bidsapp.results.networks import network_title
from bidsapp.results.read import Results, Space, read_stats

_PACKAGES = ("musicotopy", "nibabel", "nilearn", "matplotlib", "numpy")
INDEX = "index.html"
"""Page beside the others that links all of them (`bidsapp.engine.index_page`)."""
FEW = 5
"""Sign flips of fewer participants cannot reach p < .05 (one-sided, 2 ** -n)."""
_FIDELITY = tuple(
    Column(name, text=True, prose=name not in ("option", "level"))
    for name in ("option", "level", "paper", "used", "source", "why")
)


@dataclass(frozen=True)
class Pair:
    """One network in one space, and how its sections are called.

    Attributes
    ----------
    space, network
        To read results with.
    title
        Of the group of sections: with the space where there are several.
    suffix
        For anchors: empty where there is one pair only.
    """

    space: Space
    network: str
    title: str
    suffix: str


def pairs(results: Results, *, leave_out: Sequence[str] = ()) -> list[Pair]:
    """Return the networks of each space, numbered.

    Parameters
    ----------
    results
        Of a participant or the group.
    leave_out
        Networks that have no sections of their own, such as baselines.
    """
    several = len(results.spaces) > 1
    found = [
        (space, name)
        for space in results.spaces
        for name in results.networks(space)
        if name not in leave_out
    ]
    return [
        Pair(
            space,
            name,
            network_title(name) + (f", {space.title}" if several else ""),
            f"-{number}" if len(found) > 1 else "",
        )
        for number, (space, name) in enumerate(found, start=1)
    ]


def space_pairs(results: Results) -> list[Pair]:
    """Return the spaces, numbered, for results that belong to no network."""
    several = len(results.spaces) > 1
    return [
        Pair(space, "", space.title, f"-{number}" if several else "")
        for number, space in enumerate(results.spaces, start=1)
    ]


# ------------------------------------------------------------------ head


def page(
    results: Results,
    question: str,
    sections: Iterable[Section | None],
    *,
    heading: str,
    answer: Sequence[Part] = (),
) -> Page:
    """Put sections under the head of a page.

    Parameters
    ----------
    results
        Of a participant or the group.
    question
        Subtitle.
    sections
        In order; None is left out.
    heading
        Name of the analysis; whose results they are follows it.
    answer
        From `found`: stands before everything else.
    """
    return Page(
        title=f"{heading} \u00b7 {results.title}",
        subtitle=question,
        meta=meta(results),
        answer=answer,
        banners=warnings(results),
        sections=[section for section in sections if section is not None],
        up=INDEX,
    )


def standard_page(
    results: Results,
    question: str,
    body: Iterable[Section | None],
    *,
    heading: str,
    numbers: tuple[Sequence[Number], Sequence[tuple[str, Sequence[Number]]]],
    answer: Sequence[Part],
    methods: Methods,
    further: Iterable[tuple[str, Any]] = (),
) -> Page:
    """Put what is particular to a recipe between the sections that every page has.

    Parameters
    ----------
    results, question, heading, answer
        As in `page`.
    body
        Sections of the recipe, in order; None is left out.
    numbers
        At a glance, as `glance` takes them.
    methods
        Methods text.
    further
        More names and values for `about`.
    """
    sections = [
        glance(*numbers),
        cautions(results),
        *once(body, answer),
        claims(results),
        methods_section(methods),
        fidelity(results),
        about(results, further),
    ]
    return page(results, question, sections, heading=heading, answer=answer)


def found(results: Results, sentences: Iterable[str], shown: Section | None) -> list[Part]:
    """Return what was found: a few sentences, for whom they hold, and one figure.

    Parameters
    ----------
    results
        Of a participant or the group.
    sentences
        What was predicted where, how well, how sure, and what the control says.
    shown
        Section whose first picture is the figure.
    """
    text = " ".join(filter(None, [*sentences, _extent(results)]))
    figure = next(_pictures(shown), None) if shown is not None else None
    return [Prose(text), *([figure] if figure is not None else [])]


def _extent(results: Results) -> str:
    """Say whom the results are about."""
    n = results.n_participants if results.is_group else 1
    if n == 1:
        return "This is one listener; nothing follows for others."
    if n < FEW:
        return (
            f"These are {n} listeners: too few for a test over listeners to pass p < .05, so "
            "nothing follows for others."
        )
    return ""


def flips_can_pass(results: Results, space: Space) -> bool:
    """Whether sign flips of the group's participants can reach the level of its test."""
    return bool(2.0**-results.n_participants <= results.setting("significance", space))


def _pictures(section: Section) -> Iterator[Picture]:
    yield from (part for part in section.parts if isinstance(part, Picture))
    for child in section.children:
        yield from _pictures(child)


def meta(results: Results) -> list[tuple[str, str]]:
    """Return names and values under the heading: dataset, recipe, date, version, weights."""
    facts, description = results.facts(), results.description
    sources = description.get("SourceDatasets") or [{}]
    first = sources[0] if isinstance(sources[0], Mapping) else {}
    weights = {
        name: weights_text(record)
        for name in results.networks()
        if (record := results.network(name).get("weights"))
    }
    items = [
        ("Dataset", first.get("Name") or first.get("DOI") or description.get("Name")),
        ("Recipe", f"{results.recipe}, {facts['variant']}"),
        ("Date", results.date),
        ("Version", facts.get("version")),
        ("Configuration", facts.get("ConfigurationHash")),
        *((f"Weights of {network_title(name)}", text) for name, text in weights.items()),
    ]
    return [(name, str(value)) for name, value in items if value]


def warnings(results: Results) -> list[Caution]:
    """Return what has to be known before anything else is read.

    Simulated data, and the titles of the serious cautions.
    """
    notes = []
    chain = results.description.get("GeneratedBy") or ()
    if any("simulate" in str(step.get("Name")) for step in chain):
        text = "Nobody was measured; the planted effects are described beside the data."
        notes.append(Caution("caution", "Simulated data", text))
    serious = [item.title for item in in_order(results.cautions()) if item.severity == "serious"]
    if serious:
        titles = "; ".join(dict.fromkeys(title.rstrip(".") for title in serious))
        head = "Serious caution:" if len(serious) == 1 else "Serious cautions:"
        notes.append(Caution("serious", head, f"{titles}. See “Cautions” below."))
    return notes


# ------------------------------------------------------------------ numbers, cautions, people


def participants_number(results: Results) -> Number:
    """Return how many participants a group has, and how many were left out."""
    left_out = len(results.facts()["left_out"])
    remark = f"{left_out} left out" if left_out else "none left out"
    return Number("Participants", number_text(results.n_participants, 0), remark)


def glance(
    numbers: Sequence[Number], groups: Sequence[tuple[str, Sequence[Number]]] = ()
) -> Section:
    """Return the numbers at a glance.

    Parameters
    ----------
    numbers
        About the whole study.
    groups
        Title and numbers of each network and space; a single group needs no heading.
    """
    title, anchor = "At a glance", "glance"
    if len(groups) == 1:
        return Section(title, anchor, [Numbers([*numbers, *groups[0][1]])])
    children = [
        Section(name, f"{anchor}-{place}", [Numbers(items)])
        for place, (name, items) in enumerate(groups, start=1)
    ]
    return Section(title, anchor, [Numbers(numbers)], children)


def cautions(results: Results) -> Section:
    """List the reasons to doubt the results, the most severe first.

    A caution of some of several spaces begins with their names.
    """
    where: dict[Caution, list[str]] = {}
    for space in results.spaces:
        for item in results.cautions(space):
            where.setdefault(item, []).append(space.title)
    notes = [
        item
        if len(where[item]) == len(results.spaces)
        else replace(item, text=f"{', '.join(where[item])}: {item.text}")
        for item in in_order(where)
    ]
    intro = "Reasons to doubt what follows, found in the data and the settings."
    parts: list[Part] = [Prose(intro), Notes(notes)] if notes else [Prose("None was found.")]
    return Section("Cautions", "cautions", parts)


def participants(results: Results, declared: Table, caption: str) -> Section:
    """Tabulate who takes part, and who does not and why.

    Parameters
    ----------
    results
        Of the group.
    declared
        The table of participants, by space.
    caption
        How to read it.
    """
    parts: list[Part] = []
    for space in results.spaces:
        frame = results.table(declared, space)
        if not frame.empty:
            title = f"{space.title}. {caption}" if len(results.spaces) > 1 else caption
            cells = {"participant": functools.partial(_link_to, results.recipe)}
            parts.append(table(frame, declared.columns, title, cells=cells))
    if not parts:
        parts = [Prose("No table of participants was written.")]
    return Section("Participants", "participants", parts)


def _link_to(recipe: str, row: Row) -> Cell:
    """Link the page of a participant who takes part."""
    label = str(row["participant"])
    return Cell(label, label, f"sub-{label}_{recipe}.html" if row.get("included", True) else "")


# ------------------------------------------------------------------ tests


def used_inferences(results: Results) -> list[Inference]:
    """Return the inferences behind the values that were written, in the order declared.

    A column of a table counts if it has a value.
    """
    level = "group" if results.is_group else "participant"
    keys: dict[str, None] = {}
    for result in expand(results.catalogue):
        if result.at(level) and (result.by or isinstance(result, Table)):
            keys |= dict.fromkeys(_inferences_of(results, result))
    return [INFERENCES[key] for key in keys]


def _inferences_of(results: Results, result: Result) -> Iterator[str]:
    spaces: Sequence[Space | None] = results.spaces if result.by_space else (None,)
    tested = [item for item in getattr(result, "columns", ()) if item.by]
    for space in spaces:
        for network in results.networks(space) if result.by_network else ("",):
            if not (result.by or tested) or not results.written(result, space, network):
                continue
            if result.by:
                yield result.by
            if isinstance(result, Table) and tested:
                frame = results.table(result, space, network)
                yield from (item.by for item in tested if frame[item.name].notna().any())


def claims(results: Results) -> Section | None:
    """Say what each test that was made does and does not show; None without tests."""
    used = used_inferences(results)
    if not used:
        return None
    notes = [Caution("note", f"{item.title}.", item.claim) for item in used]
    title = "What each test does and does not show"
    return Section(title, "claims", [*own_rates(results), Notes(notes)], folded=True)


def claim(results: Results, *keys: str) -> list[Part]:
    """Return the interpretation of some inferences, to stand below their figure."""
    used = {item.key: item for item in used_inferences(results)}
    notes = [Caution("note", "Interpretation.", used[key].claim) for key in keys if key in used]
    return [Notes(notes)] if notes else []


# ------------------------------------------------------------------ methods, paper, software


def methods_of(results: Results, draws: Mapping[str, object], **context: Any) -> Methods:
    """Write the methods of a page: what all recipes share, the tests, and what one adds.

    Parameters
    ----------
    results
        Of a participant or the group.
    draws
        Key of an inference → how often something was drawn.
    **context
        What the template of the recipe names beside that.
    """
    level = results.facts()["settings"].get("significance", 0.05)
    sentences = inference_sentences(used_inferences(results), draws, level)
    context = shared_context(results) | {"inferences": sentences} | context
    return render_methods(f"{results.recipe}_methods.txt.j2", context)


def methods_section(methods: Methods) -> Section:
    """Show a methods text with its references and BibTeX, each with a button that copies it."""
    lists = [
        Section("References", "references", [Listing(methods.numbered, "references", prose=True)]),
        Section("BibTeX", "bibtex", [Listing(methods.bibtex.strip(), "BibTeX")]),
    ]
    return Section(
        "Methods text",
        "methods",
        [
            Prose("Written from what ran; copy it into a manuscript and edit freely (CC0)."),
            Listing(methods.text, "methods text", prose=True),
        ],
        [replace(section, folded=True) for section in lists],
    )


def fidelity(results: Results) -> Section | None:
    """Tabulate each option of the recipe, the paper's value and ours; None without a log."""
    path = results.root / "logs" / "fidelity.tsv"
    if not path.is_file():
        return None
    recipe = Column("recipe", text=True)
    frame = read_stats(path, (recipe, *_FIDELITY))
    frame = frame[frame["recipe"] == results.recipe]
    if frame.empty:
        return None
    caption = "Each option: what the paper did, what was used, and why"
    parts = [table(frame, _FIDELITY, caption, keep_empty=True)]
    return Section("Fidelity to the paper", "fidelity", parts, folded=True)


def about(results: Results, further: Iterable[tuple[str, Any]] = ()) -> Section:
    """Give the command that makes the same results again, time, memory and versions.

    Parameters
    ----------
    results
        Of a participant or the group.
    further
        More names and values; those without a value are left out.
    """
    facts = results.facts()
    level = "group" if results.is_group else f"participant --participant-label {results.subject}"
    command = f"musicotopy BIDS_DIR OUTPUT_DIR {level} --config-file OUTPUT_DIR/logs/config.toml"
    items = [
        ("Same results again", command),
        ("Configuration hash", facts.get("ConfigurationHash")),
        ("Random seed", results.setting("random_seed")),
        ("Device", results.setting("device")),
        *further,
        *(cost_of(record) for record in results.records()),
        ("Python", facts.get("python")),
        *((facts.get("versions") or {}).items()),
        ("Report made with", software()),
    ]
    shown = [(str(name), str(value)) for name, value in items if value not in (None, "")]
    return Section("About", "about", [Facts(shown)])


def cost_of(record: Mapping[str, Any]) -> tuple[str, str]:
    """Return recipe and space of a job, and how long it took and how much memory it needed."""
    seconds = float(record.get("seconds", 0.0))
    time = f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
    memory = float(record.get("peak_memory_bytes", 0)) / 2**30
    return (
        f"{record.get('recipe')}, {record.get('space')}",
        f"{time}, peak memory {memory:.2f} GiB",
    )


def software() -> str:
    """List the packages that make reports, with versions."""
    names = []
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            names.append(f"{name} {version(name)}")
    return ", ".join(names)
