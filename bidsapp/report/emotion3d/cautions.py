"""What to distrust: what the analysis recorded, with what matters most first."""

from __future__ import annotations

import re

from bidsapp.report.emotion3d.read import Study, in_words
from bidsapp.report.html import Note, Notes, Part, Prose, Section
from bidsapp.results.cautions import Severity

_ORDER: tuple[Severity, ...] = ("serious", "caution", "note")
_PREFIX = re.compile(r"^(\u201c[^\u201d]+\u201d|[\w-]+-LEAKY): ")
_OTHER = "From the analysis."
#: what a sentence is about → how much it matters, and its title
_KINDS: tuple[tuple[str, Severity, str], ...] = (
    (r"LEAKY", "serious", "LEAKY."),
    (r"^Chance (is measured|is not|of the)", "caution", "Chance."),
    (r"new participant and a new stimulus", "note", "New stimulus."),
    (r"is not above its chance", "serious", "Not above chance."),
    (r"above its chance too", "serious", "Decodable without the brain's pattern."),
    (r"does not beat the linear", "serious", "The network adds nothing."),
    (r"are in training and test|SAME STIMULUS|same stimulus", "serious", "Same stimulus."),
    (r"Raw BOLD", "serious", "Raw BOLD."),
    (r"not standardised by run", "serious", "Runs can be told apart."),
    (r"best at a shift of", "serious", "Clocks."),
    (r"Only one participant|one participant only", "serious", "One participant."),
    (r"when one is held out|separate stretch|too few for the", "caution", "Few samples."),
    (r"resemble those", "caution", "Maps show the data."),
    (r"Wilson", "caution", "Intervals are too narrow."),
    (r"Labels are emotions", "caution", "Portrayed, not felt."),
    (r"saw and heard", "caution", "Audio-visual labels."),
    (r"that were also trained on", "caution", "Blocks of one run."),
    (r"No confounds", "caution", "No confounds."),
    (r"No motion", "caution", "No motion parameters."),
    (r"^Left out|left out:", "caution", "Left out."),
    (r"^Only \d+ participants|sign flips cannot", "caution", "Few participants."),
    (r"are constant", "note", "Voxels without data."),
)  # fmt: skip


def caution(study: Study) -> Section:
    """List the reasons to doubt the results."""
    notes = distrust(study)
    intro = "Reasons to doubt what follows, found in the data and the settings."
    parts: list[Part] = [Prose(intro), Notes(notes)] if notes else [Prose("Nothing was found.")]
    return Section("What to distrust", "distrust", parts)


def distrust(study: Study) -> list[Note]:
    """Return the recorded warnings of all spaces, the serious ones first, none twice."""
    where: dict[str, list[str]] = {}
    for space in study.spaces:
        for text in space.facts.get("warnings") or ():
            where.setdefault(str(text), []).append(space.space.title)
    notes = []
    for text, spaces in where.items():
        note = judged(in_words(text))
        if len(spaces) < len(study.spaces):
            note = Note(note.severity, note.title, f"{', '.join(spaces)}: {note.text}")
        notes.append(note)
    return sorted(_joined(notes), key=lambda note: _ORDER.index(note.severity))


def _joined(notes: list[Note]) -> list[Note]:
    """Put what has one title into one note."""
    found: dict[tuple[Severity, str, str], list[str]] = {}
    for note in notes:
        alone = note.text if note.title == _OTHER else ""
        text = note.text[:1].upper() + note.text[1:]
        found.setdefault((note.severity, note.title, alone), []).append(text)
    return [Note(severity, title, " ".join(t)) for (severity, title, _), t in found.items()]


def judged(text: str) -> Note:
    """Say how much a warning matters, and give it a title.

    Examples
    --------
    >>> judged("shuffled-LEAKY: training and test volumes are neighbours.").severity
    'serious'
    """
    for pattern, severity, title in _KINDS:
        if re.search(pattern, text):
            return Note(severity, title, _PREFIX.sub("", text))
    return Note("caution", _OTHER, text)
