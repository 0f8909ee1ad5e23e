"""Methods, provenance, fidelity to the paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bidsapp.report.distrust import distrust
from bidsapp.report.files import read_table
from bidsapp.report.html import Facts, Listing, Notes, Part, Prose, Section, Table, cell, columns
from bidsapp.report.methods import methods
from bidsapp.report.results import Results


def caution(results: Results) -> Section:
    """List the reasons to doubt the results."""
    notes = distrust(results)
    intro = "Reasons to doubt what follows, found in the data and the settings."
    parts: list[Part] = [Prose(intro), Notes(notes)] if notes else [Prose("Nothing was found.")]
    return Section("What to distrust", "distrust", parts)


def methods_section(results: Results) -> Section:
    """Methods text, references and BibTeX, each with a button that copies it."""
    made = methods(results)
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
    path = results.files.root / "logs" / "fidelity.tsv"
    if not path.is_file():
        return None
    table = read_table(path)
    names = ["option", "paper", "used", "source", "why"]
    if table.empty or any(name not in table for name in names):
        return None
    rows = [
        [cell(value if isinstance(value, str) else "\u2013") for value in row]
        for row in table[names].astype(object).itertuples(index=False)
    ]
    caption = "Each option: what the paper did, what was used, and why"
    return Section(
        "Fidelity to the paper",
        "fidelity",
        [Table(columns(names[0], *(f"{name}~" for name in names[1:])), rows, caption)],
    )


def about(results: Results) -> Section:
    """Versions, time, memory and command."""
    facts = results.facts
    items = [
        ("Command", facts.get("command")),
        ("Output folder", results.files.root.name),
        ("Configuration hash", facts.get("configuration_hash") or facts.get("config_hash")),
        ("Time", _time(facts.get("seconds"))),
        ("Peak memory", _memory(facts)),
        ("Random seed", facts.get("random_seed", _nested(facts, "random_seed"))),
        ("Device", facts.get("device")),
        *((str(name), str(version)) for name, version in (facts.get("versions") or {}).items()),
    ]
    shown = [(name, str(value)) for name, value in items if value not in (None, "")]
    return Section("About", "about", [Facts(shown)])


def _nested(facts: Mapping[str, Any], name: str) -> Any:
    for key in ("config", "settings"):
        if isinstance(facts.get(key), Mapping) and name in facts[key]:
            return facts[key][name]
    return None


def _time(seconds: Any) -> str | None:
    if isinstance(seconds, Mapping):
        return ", ".join(f"{name} {_time(value)}" for name, value in seconds.items())
    if not isinstance(seconds, int | float):
        return None
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def _memory(facts: Mapping[str, Any]) -> str | None:
    bytes_ = facts.get("peak_memory_bytes")
    megabytes = facts.get("peak_memory_mb", bytes_ / 2**20 if bytes_ else None)
    return None if megabytes is None else f"{megabytes / 1024:.2f} GiB"
