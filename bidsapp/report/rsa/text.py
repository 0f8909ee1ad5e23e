"""Methods text, what each test licenses, fidelity to the paper, and where results come from."""

from __future__ import annotations

from typing import Any

from bidsapp.errors import AppError
from bidsapp.report.html import Note, Notes, Prose, Section
from bidsapp.report.methods import Methods, confounds_text, render_methods
from bidsapp.report.participant_methods import random_weights, unit_words, weights_text
from bidsapp.report.participant_sections.about import (
    about_section,
    fidelity_section,
    methods_parts,
    records_of,
)
from bidsapp.report.results import setting
from bidsapp.report.rsa.read import RECIPE, SpaceStudy, Study, load_participant

_SPACE_REFERENCES = {"fsaverage": "fischl1999", "fsLR": "glasser2013"}
_NETWORK_REFERENCES = {"resnet1d": "he2016", "musicnn": "pons2019", "vggish": "hershey2017"}
_LICENCES = {
    "clip_permutation": "Permutation of clips",
    "fdr": "False discovery rate",
    "significant": "Mask of significant units",
    "best_layer": "Confidence of the best layer",
    "t": "t over participants",
    "maximum": "The paper's test of the maximum",
    "signflip": "Hemispheres and superior temporal gyrus",
    "difference": "Trained minus untrained",
    "ceiling": "Noise ceilings",
}


def licences(study: Study) -> Section | None:
    """List, for each test, the sentence that it licenses."""
    found: dict[str, str] = {}
    for space in study.spaces:
        recorded = space.facts.get("licences") or {}
        found |= {str(name): str(text) for name, text in recorded.items()}
    if not found:
        return None
    notes = [Note("note", f"{_LICENCES.get(name, name)}.", text) for name, text in found.items()]
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
        context |= {
            "group": list(map(str, study.facts.get("methods") or ())),
            "n": study.n_participants,
            "left_out": len(study.facts.get("left_out") or ()),
            "facts": study.facts,
        }
    name = "rsa_group_methods.txt.j2" if study.is_group else "rsa_methods.txt.j2"
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
    facts, chosen = study.facts, study.own_settings

    def option(name: str) -> Any:
        return chosen.get(name, setting(facts, name))

    runs = facts.get("runs") or ()
    high_pass = setting(facts, "high_pass_hz")
    return {
        "facts": facts,
        "own": facts,
        "option": option,
        "version": facts.get("version"),
        "networks": [
            {
                "name": network.title,
                "n_layers": len(network.layers),
                "weights": weights_text(facts, network.name),
                "random": random_weights(facts, network.name),
                "reference": _NETWORK_REFERENCES.get(network.name),
                "is_tagger": network.name in ("resnet1d", "musicnn"),
            }
            for network in study.networks()
        ],
        "n_untrained": max(
            (int(network.facts.get("n_untrained") or 0) for network in study.networks()), default=0
        ),
        "spaces": [_space(space) for space in study.spaces],
        "n_runs": len(runs),
        "trs": sorted({f"{run['tr_s']:g}" for run in runs if run.get("tr_s")}),
        "fmriprep": all(run.get("preprocessed", True) for run in runs),
        "confounds": confounds_text(setting(facts, "confounds")),
        "period_s": 1 / high_pass if high_pass else None,
        "smoothing": setting(facts, "smoothing_fwhm_mm"),
    }


def _space(space: SpaceStudy) -> dict[str, Any]:
    unit, units = unit_words(space.within)
    name = space.space.space
    return {
        "title": space.space.title,
        "unit": unit,
        "units": units,
        "n_units": space.facts.get("n_units"),
        "n_searchlights": space.facts.get("n_searchlights"),
        "mask": space.facts.get("mask"),
        "reference": "fonov2011" if space.space.is_mni else _SPACE_REFERENCES.get(name),
    }


def fidelity(study: Study) -> Section | None:
    """Tabulate every option of the recipe: the paper's value and ours."""
    return fidelity_section(study.files.root, RECIPE)


def about(study: Study) -> Section:
    """Versions, time, memory and the command that gives the same results again."""
    level = "group" if study.is_group else "participant"
    subject = "" if study.is_group else study.files.subject
    return about_section(study.facts, records_of(study.files.records(), RECIPE, level), subject)
