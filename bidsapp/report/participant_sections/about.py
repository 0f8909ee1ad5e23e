"""Methods, provenance, fidelity to the paper."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bidsapp.report.distrust import distrust
from bidsapp.report.files import read_table
from bidsapp.report.html import Facts, Listing, Notes, Part, Prose, Section, Table, cell, columns
from bidsapp.report.methods import Methods
from bidsapp.report.participant_methods import methods
from bidsapp.report.results import Results, setting


def caution(results: Results) -> Section:
    """List the reasons to doubt the results."""
    notes = distrust(results)
    intro = "Reasons to doubt what follows, found in the data and the settings."
    parts: list[Part] = [Prose(intro), Notes(notes)] if notes else [Prose("Nothing was found.")]
    return Section("What to distrust", "distrust", parts)


def methods_section(results: Results) -> Section:
    """Methods text, references and BibTeX, each with a button that copies it."""
    return methods_parts(methods(results))


def methods_parts(made: Methods) -> Section:
    """Arrange a methods text with its references and BibTeX."""
    return Section(
        "Methods text",
        "methods",
        [
            Prose("Written from what ran; copy it into a manuscript and edit freely (CC0)."),
            Listing(made.text, "methods text", prose=True),
            Listing(made.numbered, "references", prose=True),
            Listing(made.bibtex.strip(), "BibTeX"),
        ],
    )


def fidelity(results: Results) -> Section | None:
    """Tabulate every option: the paper's value and ours."""
    return fidelity_section(results.files.root, "gradients")


def fidelity_section(output_dir: Path, recipe: str) -> Section | None:
    """Tabulate what ``logs/fidelity.tsv`` says of a recipe; None when it says nothing.

    Parameters
    ----------
    output_dir
        Where the app wrote its results.
    recipe
        Its name; a table without a column of recipes is of this one.
    """
    path = output_dir / "logs" / "fidelity.tsv"
    if not path.is_file():
        return None
    table = read_table(path)
    names = ["option", "paper", "used", "source", "why"]
    if "recipe" in table:
        table = table[table["recipe"] == recipe]
    if table.empty or any(name not in table for name in names):
        return None
    if "level" in table:
        names.insert(1, "level")
    rows = [
        [cell(value if isinstance(value, str) else "\u2013") for value in row]
        for row in table[names].astype(object).itertuples(index=False)
    ]
    caption = "Each option: what the paper did, what was used, and why"
    return Section(
        "Fidelity to the paper",
        "fidelity",
        [Table(columns(*names[:-4], *(f"{name}~" for name in names[-4:])), rows, caption)],
    )


def about(results: Results) -> Section:
    """Versions, time, memory and the command that gives the same results again."""
    records = records_of(results.files.records(), "gradients", "participant")
    return about_section(results.facts, records, results.files.subject)


def about_section(
    facts: Mapping[str, Any], records: Iterable[Mapping[str, Any]], subject: str
) -> Section:
    """Versions, time, memory and the command that gives the same results again.

    Parameters
    ----------
    facts
        A summary.
    records
        Of the units the page is about.
    subject
        Label of the participant; empty for a group.
    """
    level = f"participant --participant-label {subject}" if subject else "group"
    command = f"musicotopy BIDS_DIR OUTPUT_DIR {level} --config-file OUTPUT_DIR/logs/config.toml"
    items = [
        ("Same results again", command),
        ("Configuration hash", facts.get("ConfigurationHash")),
        ("Random seed", setting(facts, "random_seed")),
        ("Device", setting(facts, "device")),
        *(record_fact(record) for record in records),
        ("Python", facts.get("python")),
        *((str(name), number) for name, number in (facts.get("versions") or {}).items()),
        ("Report made with", software()),
    ]
    shown = [(name, str(value)) for name, value in items if value not in (None, "")]
    return Section("About", "about", [Facts(shown)])


def records_of(
    records: Iterable[Mapping[str, Any]], recipe: str, level: str
) -> Iterator[Mapping[str, Any]]:
    """Yield the records of one recipe and level."""
    for record in records:
        if record.get("recipe") == recipe and record.get("level", level) == level:
            yield record


def record_fact(record: Mapping[str, Any]) -> tuple[str, str]:
    """Say how long a job took and how much memory it needed."""
    seconds = float(record.get("seconds", 0.0))
    time = f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
    memory = float(record.get("peak_memory_bytes", 0)) / 2**30
    return (
        f"{record.get('recipe')}, {record.get('space')}",
        f"{time}, peak memory {memory:.2f} GiB",
    )


def software() -> str:
    """List the packages that make reports, with versions."""
    names = ("musicotopy", "nibabel", "nilearn", "matplotlib", "numpy")
    found = []
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)
