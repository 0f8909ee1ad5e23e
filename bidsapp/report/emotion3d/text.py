"""Methods text, what each test licenses, fidelity to the poster, and where results come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bidsapp.errors import AppError
from bidsapp.report.emotion3d.read import (
    RECIPE,
    SpaceStudy,
    Study,
    load_participant,
)
from bidsapp.report.html import Note, Notes, Prose, Section, number_text
from bidsapp.report.methods import Methods, confounds_text, render_methods
from bidsapp.report.participant_sections.about import (
    about_section,
    fidelity_section,
    methods_parts,
    records_of,
)
from bidsapp.report.results import rows_of, setting

_MAPS = ("ig", "gradcam", "haufe")
_CALLED = {
    "cnn": "the network",
    "linear": "the linear decoder",
    "parcels": "the decoder of parcels",
    "confounds": "motion and the global signal",
    "time": "the time in the run",
    "run": "the run",
    "majority": "the most frequent class",
    "prior": "the shares of the classes",
}


def licences(study: Study) -> Section | None:
    """List, for each test, the sentence that it licenses; None when none were recorded."""
    found: dict[str, str] = {}
    for space in study.spaces:
        recorded = space.facts.get("licences") or {}
        found |= {str(name): str(text) for name, text in recorded.items()}
    if not found:
        return None
    notes = [
        Note("note", f"{name.replace('_', ' ').capitalize()}.", text)
        for name, text in found.items()
    ]
    intro = "One sentence for each test; what it does not say is not shown by these results."
    return Section("What each test licenses", "licences", [Prose(intro), Notes(notes)])


def methods_section(study: Study) -> Section:
    """Methods text, references and BibTeX."""
    return methods_parts(methods(study))


def methods(study: Study) -> Methods:
    """Write the methods of an analysis; a group's begin with those of its participants.

    Parameters
    ----------
    study
        Read back from the output folder.
    """
    own = _own(study)
    context = {**_context(own or study), "has_participant": own is not None}
    if study.is_group:
        context |= _group_context(study)
    name = "emotion3d_group_methods.txt.j2" if study.is_group else "emotion3d_methods.txt.j2"
    return render_methods(name, context)


def _own(study: Study) -> Study | None:
    """Return the analysis of a participant that stands for all: the first of a group."""
    if not study.is_group:
        return study
    for label in study.facts.get("participants") or ():
        try:
            return load_participant(study.files.root, str(label))
        except AppError:
            continue
    return None


def _context(study: Study) -> dict[str, Any]:
    facts, chosen, space = study.facts, study.own_settings, study.spaces[0]

    def option(name: str) -> Any:
        return chosen.get(name, setting(facts, name))

    runs = [run for run in facts.get("runs") or () if isinstance(run, dict)]
    high_pass = setting(facts, "high_pass_hz")
    labels, checks = space.labels, space.table("randomisation")
    return {
        "facts": facts,
        "own": facts,
        "option": option,
        "thousands": lambda number: f"{number:,}".replace(",", "\u00a0"),
        "version": facts.get("version"),
        "classes": space.classes,
        "n_blocks": None if labels.empty else int(labels["n_blocks"].sum()),
        "spaces": [each.space.title for each in study.spaces],
        "n_runs": len(runs),
        "trs": sorted({f"{run['tr_s']:g}" for run in runs if run.get("tr_s")}),
        "fmriprep": all(run.get("preprocessed", True) for run in runs),
        "confounds": confounds_text(setting(facts, "confounds")),
        "period_s": 1 / high_pass if high_pass else None,
        "smoothing": setting(facts, "smoothing_fwhm_mm"),
        "has_network": any("cnn" in space.decoders(split) for split in space.splits),
        "splits": space.splits,
        "n_shifts": list(_shifts(space)),
        "grid_mm": _grid_mm(space),
        "checked": checks["randomised"].ne("labels").any() if len(checks) else False,
        "relabelled": rows_of(checks, randomised="labels")["similarity"].notna().any()
        if len(checks)
        else False,
        "explained": [stat for stat in _MAPS if space.map_facts(stat)],
        "embedded": not space.table("embedding").empty,
    }


def _group_context(study: Study) -> dict[str, Any]:
    space = study.spaces[0]
    return {
        "facts": study.facts,
        "version": study.facts.get("version"),
        "n": study.n_participants,
        "left_out": len(study.facts.get("left_out") or ()),
        "group": list(map(str, study.facts.get("methods") or ())),
        "group_splits": space.honest,
        "group_shifts": list(_shifts(space)),
        "across": dict(study.facts.get("settings") or {}),
        "tests": not space.table("group").empty,
        "prevalence": not space.table("prevalence").empty,
    }


def _shifts(space: SpaceStudy) -> Iterator[str]:
    """Say how many shifts each decoder was tested with, under the splits that count."""
    found: dict[int, list[str]] = {}
    for split in space.honest:
        for decoder in space.decoders(split):
            n = len(space.nulls(split, decoder))
            if n and _CALLED[decoder] not in found.setdefault(n, []):
                found[n].append(_CALLED[decoder])
    for n, names in found.items():
        yield f"{number_text(n, 0)} shifts for {listed(names)}"


def listed(names: Sequence[str]) -> str:
    """Write names as in a sentence.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _grid_mm(space: SpaceStudy) -> float | None:
    """Edge of the voxels that were analysed, where maps tell."""
    found = space.maps("haufe")
    if found is None or found.grid.affine is None:
        return None
    return float(np.linalg.norm(found.grid.affine[:3, :3], axis=0).max())


def fidelity(study: Study) -> Section | None:
    """Tabulate every option of the recipe: the poster's value and ours."""
    return fidelity_section(study.files.root, RECIPE)


def about(study: Study) -> Section:
    """Versions, time, memory and the command that gives the same results again."""
    level = "group" if study.is_group else "participant"
    subject = "" if study.is_group else study.files.subject
    return about_section(study.facts, records_of(study.files.records(), RECIPE, level), subject)
