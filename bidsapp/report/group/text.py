"""Methods text, what each test licenses, and where the results come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bidsapp.brain.references import GRADIENTS
from bidsapp.errors import AppError
from bidsapp.report.files import open_derivatives
from bidsapp.report.group.results import GroupResults, GroupSpace
from bidsapp.report.group.words import enumerated, reference_title
from bidsapp.report.html import Facts, Note, Notes, Prose, Section
from bidsapp.report.methods import Methods, render_methods
from bidsapp.report.participant_methods import methods_context, unit_words
from bidsapp.report.participant_sections.about import (
    fidelity_section,
    methods_parts,
    record_fact,
    records_of,
    software,
)
from bidsapp.report.results import load_results, setting

_SPACE_REFERENCES = {"fsaverage": "fischl1999", "fsLR": "glasser2013"}
_TITLES = {
    "signflip": "Family-wise p at a unit",
    "fdr": "False discovery rate",
    "significant": "Mask of significant units",
    "spin": "Spin test",
    "tfce": "Family-wise p of clusters (TFCE)",
    "spin_control": "Negative lags",
    "spin_difference": "Spin test of positive \u2212 negative lags",
    "spin_swapped": "Spin test with the layer map rotated",
    "subjecttest": "Correlations over participants",
    "profile": "Intervals of profiles",
    "reliability": "Stability of the best layer",
    "isc": "Noise ceiling",
    "threshold": "Threshold",
}


def licences(results: GroupResults) -> Section | None:
    """List, for each test, the sentence that it licenses."""
    found: dict[str, str] = {}
    for space in results.spaces:
        found |= {
            str(name): str(text) for name, text in (space.facts.get("licences") or {}).items()
        }
    if not found:
        return None
    notes = [Note("note", f"{_TITLES.get(name, name)}.", text) for name, text in found.items()]
    intro = "One sentence for each test; what it does not say is not shown by these results."
    return Section("What each test licenses", "licences", [Prose(intro), Notes(notes)])


def group_methods(results: GroupResults) -> Methods:
    """Write the methods of a group analysis.

    Parameters
    ----------
    results
        Read back from the output folder; what holds for every participant is read from the
        first one.
    """
    return render_methods("group_methods.txt.j2", _context(results))


def methods_section(results: GroupResults) -> Section:
    """Methods text, references and BibTeX."""
    return methods_parts(group_methods(results))


def _context(results: GroupResults) -> dict[str, Any]:
    facts = results.facts
    spin = next((found for space in results.spaces if (found := space.facts.get("spin"))), None)
    names = [str(item["name"]) for item in facts.get("references") or ()]
    return {
        **_of_participant(results),
        "facts": facts,
        "version": facts.get("version"),
        "chosen": lambda name: setting(facts, name),
        "n": results.spaces[0].n_participants,
        "left_out": len(facts.get("left_out") or ()),
        "volumes": _volumes(results.spaces[0]),
        "spaces": [_space(space) for space in results.spaces],
        "flips": facts.get("sign_flips"),
        "n_bootstrap": setting(facts, "n_bootstrap") if _has_profiles(results) else None,
        "networks": _has_profiles(results) and spin is not None,
        "n_pcs": setting(facts, "n_pcs"),
        "isc": any(not space.isc.empty for space in results.spaces),
        "spin": spin,
        "references": enumerated([reference_title(name) for name in names]) if names else "",
        "shipped": any(name in GRADIENTS for name in names),
        "projected": any(_is_projected(space) for space in results.spaces),
        "ratings": sorted({str(name) for table in results.ratings().values()
                           for name in table["rating"]}),
    }  # fmt: skip


def _of_participant(results: GroupResults) -> dict[str, Any]:
    """Return what the methods of the first participant may say."""
    for label in results.facts.get("participants") or ():
        try:
            found = load_results(open_derivatives(results.files.root, str(label)))
        except AppError:
            continue
        return {**methods_context(found), "has_participant": True}
    return {"has_participant": False}


def _has_profiles(results: GroupResults) -> bool:
    return any(not model.profile.empty for _, model in results.models())


def _is_projected(space: GroupSpace) -> bool:
    return space.space.is_mni and space.facts.get("spin") is not None


def _volumes(space: GroupSpace) -> str:
    table = space.participants
    if "n_rows" not in table or not table["n_rows"].notna().any():
        return ""
    low, high = int(table["n_rows"].min()), int(table["n_rows"].max())
    return str(low) if low == high else f"{low} to {high}"


def _space(space: GroupSpace) -> dict[str, Any]:
    name = space.space.space
    return {
        "title": space.space.title,
        "n_units": space.facts.get("n_units"),
        "unit": unit_words(space.within)[0],
        "units": unit_words(space.within)[1],
        "reference": "fonov2011" if space.space.is_mni else _SPACE_REFERENCES.get(name),
    }


def fidelity(results: GroupResults) -> Section | None:
    """Tabulate every option: the paper's value and ours."""
    return fidelity_section(results.files.root, "gradients")


def about(results: GroupResults) -> Section:
    """Versions, references with hashes, and the command that gives the same results again."""
    facts = results.facts
    spin: Mapping[str, Any] = facts.get("spin") or {}
    command = "musicotopy BIDS_DIR OUTPUT_DIR group --config-file OUTPUT_DIR/logs/config.toml"
    items = [
        ("Same results again", command),
        ("Configuration hash", facts.get("ConfigurationHash")),
        ("Random seed", setting(facts, "random_seed")),
        *((f"Reference {item.get('name')}", _origin(item))
          for item in facts.get("references") or ()),
        ("Rotations", spin.get("rotations")),
        ("Convention of the spin", spin.get("convention")),
        ("Cortex mask, SHA-256", spin.get("cortex_mask_sha256")),
        ("Atlas", setting(facts, "atlas")),
        *map(record_fact, records_of(results.files.records(), "gradients", "group")),
        ("Python", facts.get("python")),
        ("Report made with", software()),
    ]  # fmt: skip
    shown = [(name, str(value)) for name, value in items if value not in (None, "")]
    return Section("About", "about", [Facts(shown)])


def _origin(item: Mapping[str, Any]) -> str:
    digest = str(item.get("SHA256", ""))[:12]
    told = [str(item.get("Source", "")), str(item.get("File", ""))]
    return ", ".join(part for part in told if part) + (
        f" (SHA-256 {digest}\u2026)" if digest else ""
    )
