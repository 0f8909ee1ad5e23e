"""What to distrust: what the analysis recorded, with what matters most first."""

from __future__ import annotations

import re

from bidsapp.report.html import Note, Notes, Part, Prose, Section
from bidsapp.report.rsa.read import Study
from bidsapp.results.cautions import Severity

_ORDER: tuple[Severity, ...] = ("serious", "caution", "note")
#: what a sentence is about → how much it matters, and its title
_KINDS: tuple[tuple[str, Severity, str], ...] = (
    (r"random weights", "serious", "Random weights."),
    (r"No unit can be significant|no unit can be significant", "serious", "Too few clips."),
    (r"No permutations were asked|nothing was tested", "serious", "No test."),
    (r"in \(?nearly\)? ?(the same|one) order|\(nearly\) (the same|one) order", "serious",
     "One order of the clips."),
    (r"Pairs within clips take part", "serious", "Autocorrelation."),
    (r"largest score over", "serious", "The maximum of layers is biased."),
    (r"Raw BOLD", "serious", "Raw BOLD."),
    (r"Only one participant", "serious", "One participant."),
    (r"noise ceiling is not above zero", "serious", "No agreement of participants."),
    (r"no p-value is below", "caution", "Few clips."),
    (r"of each clip (are|were) dropped", "caution", "Carry-over between clips."),
    (r"Every item is one presentation", "caution", "No repeats."),
    (r"Clips were heard", "caution", "Unequal repeats."),
    (r"have \d+ rows only", "caution", "Few items."),
    (r"No confounds", "caution", "No confounds."),
    (r"No grey-matter", "caution", "No grey-matter mask."),
    (r"cannot be compared|no score of", "caution", "Layers without a score."),
    (r"^Left out", "caution", "Participants left out."),
    (r"^Only \d+ participants", "caution", "Few participants."),
    (r"Model dissimilarities differ", "caution", "Models differ between participants."),
    (r"Not partialled out", "caution", "Nuisances not removed."),
    (r"searchlights have fewer", "note", "Small searchlights."),
    (r"constant or not finite", "note", "Units without data."),
    (r"Clips differ in length", "note", "Clips of different length."),
)  # fmt: skip


def caution(study: Study) -> Section:
    """List the reasons to doubt the results."""
    notes = distrust(study)
    intro = "Reasons to doubt what follows, found in the data and the settings."
    parts: list[Part] = [Prose(intro), Notes(notes)] if notes else [Prose("Nothing was found.")]
    return Section("What to distrust", "distrust", parts)


def distrust(study: Study) -> list[Note]:
    """Return the recorded warnings of all spaces, the serious ones first, none twice."""
    several = len(study.spaces) > 1
    where: dict[str, list[str]] = {}
    for space in study.spaces:
        for text in space.facts.get("warnings") or ():
            where.setdefault(str(text), []).append(space.space.title)
    notes = []
    for text, spaces in where.items():
        note = judged(text)
        if several and len(spaces) < len(study.spaces):
            note = Note(note.severity, note.title, f"{', '.join(spaces)}: {text}")
        notes.append(note)
    return sorted(notes, key=lambda note: _ORDER.index(note.severity))


def judged(text: str) -> Note:
    """Say how much a warning matters, and give it a title.

    Examples
    --------
    >>> judged("Pairs within clips take part: neighbours are alike.").severity
    'serious'
    """
    for pattern, severity, title in _KINDS:
        if re.search(pattern, text):
            return Note(severity, title, text)
    return Note("caution", "From the analysis.", text)
