"""What to distrust about a group's results: each check returns at most one note."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from bidsapp.report.group.cortex import largest
from bidsapp.report.group.results import KINDS, GroupModel, GroupResults, GroupSpace
from bidsapp.report.group.words import p_text, r_text, reference_title, symbol
from bidsapp.report.html import Note, Notes, Part, Prose, Section
from bidsapp.report.participant_methods import random_weights
from bidsapp.report.results import NEGATIVE, POSITIVE, rows_of

LITTLE_OVERLAP = 0.7
#: recorded sentences whose subject is one of the checks below
_SAID_HERE = re.compile(r"has random weights|^Only one participant")
_SEVERITIES = ("serious", "caution", "note")
_TESTED = {"hemisphere": "both", "direction": "reference rotated"}

Check = Callable[[GroupSpace, GroupModel], Note | None]


def caution(results: GroupResults) -> Section:
    """List the reasons to doubt the results."""
    notes = cautions(results)
    intro = "Reasons to doubt what follows, found in the results and the settings."
    parts: list[Part] = [Prose(intro), Notes(notes)] if notes else [Prose("Nothing was found.")]
    return Section("What to distrust", "distrust", parts)


def cautions(results: GroupResults) -> list[Note]:
    """Collect the notes of all spaces and networks, the serious ones first, none twice."""
    notes = [*_recorded(results), *_computed(results)]
    unique = list({(note.title, note.text): note for note in notes}.values())
    return sorted(unique, key=lambda note: _SEVERITIES.index(note.severity))


def _recorded(results: GroupResults) -> Iterator[Note]:
    for space in results.spaces:
        for warning in space.facts.get("warnings") or ():
            if not _SAID_HERE.search(str(warning)):
                yield Note("caution", "Recorded:", str(warning))


def _computed(results: GroupResults) -> Iterator[Note]:
    for space, model in results.models():
        for check in CHECKS:
            note = check(space, model)
            if note is not None:
                yield note


def _row(model: GroupModel, lags: str, kind: str, **where: object) -> pd.Series | None:
    """Return the row of a test with the main reference; None when it was not made."""
    rows = rows_of(model.spin, lags=lags, map=kind, **(where or _TESTED))
    rows = rows[np.isfinite(rows["r"])] if len(rows) else rows
    return None if rows.empty else rows.iloc[0]


def _random(space: GroupSpace, model: GroupModel) -> Note | None:
    if not random_weights(space.facts, model.name):
        return None
    text = (
        "Layers of an untrained network still differ in size, smoothness and receptive field, so "
        "their best layers can form smooth maps. Nothing here is evidence about learned features; "
        "compare with a run that has pretrained weights."
    )
    return Note("serious", f"{model.name} ran with random weights.", text)


def _one(space: GroupSpace, _model: GroupModel) -> Note | None:
    if space.n_participants != 1:
        return None
    return Note("serious", "Only one participant.", "There is no test over participants.")


def _nothing_passes(_space: GroupSpace, model: GroupModel) -> Note | None:
    mask = model.significant
    if mask is None or mask.any():
        return None
    text = (
        "Best and centroid layers may be draws from noise at every unit; a spin p can still be "
        "small, because noise that is smooth is aligned with something."
    )
    return Note("serious", f"No unit passes the test over participants ({model.name}).", text)


def _control(_space: GroupSpace, model: GroupModel) -> Note | None:
    for kind in KINDS:
        positive, negative = (_row(model, lags, kind) for lags in (POSITIVE, NEGATIVE))
        if positive is None or negative is None:
            continue
        if not negative["p_max"] < model.level:  # corrected: four maps were looked at
            continue
        stronger = abs(negative["r"]) >= abs(positive["r"])
        mark = symbol(model)
        text = (
            f"At negative lags {r_text(float(negative['r']), mark)} "
            f"({p_text(float(negative['p']))}), at positive lags "
            f"{r_text(float(positive['r']), mark)} ({p_text(float(positive['p']))}). The sound "
            "cannot follow the brain: anatomy, vessels or slow trends may order the layers."
        )
        title = f"The control is aligned with the gradient as well ({model.name}, {kind} layer)."
        return Note("serious" if stronger else "caution", title, text)
    return None


def _difference(_space: GroupSpace, model: GroupModel) -> Note | None:
    for kind in KINDS:
        positive = _row(model, POSITIVE, kind)
        difference = _row(model, f"{POSITIVE}-{NEGATIVE}", kind)
        if positive is None or difference is None:
            continue
        if positive["p"] < model.level <= difference["p"]:
            text = (
                f"Positive lags are aligned with the gradient ({p_text(float(positive['p']))}), "
                f"but not more so than negative lags ({p_text(float(difference['p']))} for the "
                "difference)."
            )
            title = (
                f"Positive and negative lags cannot be told apart ({model.name}, {kind} layer)."
            )
            return Note("caution", title, text)
    return None


def _swapped(_space: GroupSpace, model: GroupModel) -> Note | None:
    for kind in KINDS:
        fixed = _row(model, POSITIVE, kind)
        swapped = _row(model, POSITIVE, kind, hemisphere="both", direction="map rotated")
        if fixed is None or swapped is None:
            continue
        if (fixed["p"] < model.level) != (swapped["p"] < model.level):
            text = (
                f"{p_text(float(fixed['p']))} when the reference is rotated, "
                f"{p_text(float(swapped['p']))} when the layer map is."
            )
            title = f"The spin p hangs on which map is rotated ({model.name}, {kind} layer)."
            return Note("caution", title, text)
    return None


def _sides(_space: GroupSpace, model: GroupModel) -> Note | None:
    for kind in KINDS:
        sides = [
            _row(model, POSITIVE, kind, hemisphere=side, direction=_TESTED["direction"])
            for side in "LR"
        ]
        if sides[0] is None or sides[1] is None:
            continue
        left, right = sides[0], sides[1]
        if (left["p"] < model.level) != (right["p"] < model.level):
            mark = symbol(model)
            text = (
                f"Left {r_text(float(left['r']), mark)}, {p_text(float(left['p']))}; right "
                f"{r_text(float(right['r']), mark)}, {p_text(float(right['p']))}. That one passes "
                "and the other does not is no test of their difference."
            )
            title = f"Only one hemisphere passes on its own ({model.name}, {kind} layer)."
            return Note("note", title, text)
    return None


def _specific(_space: GroupSpace, model: GroupModel) -> Note | None:
    for kind in KINDS:
        rows = rows_of(model.spin, lags=POSITIVE, map=kind, **_TESTED)
        if len(rows) < 2:
            continue
        first, others = rows.iloc[0], rows.iloc[1:]
        if not others["r"].notna().any():
            continue
        rival = others.iloc[int(np.nanargmax(others["r"].abs()))]
        passed = min(first["p"], rival["p"]) < model.level
        if passed and abs(rival["r"]) >= abs(first["r"]):
            mark = symbol(model)
            text = (
                f"{r_text(float(rival['r']), mark)} with {reference_title(rival['reference'])}, "
                f"{r_text(float(first['r']), mark)} with {reference_title(first['reference'])}."
            )
            title = f"Another reference is aligned as strongly ({model.name}, {kind} layer)."
            return Note("caution", title, text)
    return None


def _participants_disagree(_space: GroupSpace, model: GroupModel) -> Note | None:
    for kind in KINDS:
        spin = _row(model, POSITIVE, kind)
        if spin is None:
            continue
        tests = rows_of(model.subject_tests, lags=POSITIVE, map=kind, reference=spin["reference"])
        if tests.empty or not np.isfinite(tests["p"].iloc[0]):
            continue
        if spin["p"] < model.level <= tests["p"].iloc[0]:
            text = (
                f"The map of the group is aligned ({p_text(float(spin['p']))}), participants' own "
                f"maps are not reliably so ({p_text(float(tests['p'].iloc[0]))}): the finding is "
                "about these participants' mean."
            )
            return Note("caution", f"Single participants do not show it ({model.name}).", text)
    return None


def _overlap(_space: GroupSpace, model: GroupModel) -> Note | None:
    rows = rows_of(model.spin, **_TESTED)
    if rows.empty or not rows["overlap_min"].min() < LITTLE_OVERLAP:
        return None
    text = (
        f"After some rotations only {100 * rows['overlap_min'].min():.0f} % of the vertices of a "
        "layer map meet a defined value; correlations of fewer vertices vary more, which makes p "
        "larger than it would be for a complete map."
    )
    return Note("note", f"Layer maps have holes ({model.name}).", text)


def _baseline(space: GroupSpace, model: GroupModel) -> Note | None:
    if space.baseline is None:
        return None
    mine, other = model.scores(POSITIVE), space.baseline.scores(POSITIVE)
    mask = model.significant
    if mine is None or other is None or mask is None or not mask.any():
        return None
    share = float(np.mean(largest(other.values)[mask] >= largest(mine.values)[mask]))
    if share < 0.25:
        return None
    text = (
        f"At {100 * share:.0f} % of the significant units a plain acoustic description (the best "
        f"of {', '.join(space.baseline.layers)}) predicts at least as well as the best layer of "
        f"{model.name}."
    )
    return Note("caution", "A simpler model explains much of it.", text)


def _unstable(_space: GroupSpace, model: GroupModel) -> Note | None:
    rows = rows_of(model.reliability, roi="Cortex", structure="both", lags=POSITIVE)
    if rows.empty or not rows["share"].max() < 0.5:
        return None
    top = rows.iloc[int(np.nanargmax(rows["share"]))]
    text = (
        f"Over the whole cortex the most frequent best layer, {top['layer']}, is best in only "
        f"{100 * top['share']:.0f} % of the resamples of participants. Read stages of the network "
        "(early, middle, late), not single layers."
    )
    return Note("note", f"The best layer hangs on who took part ({model.name}).", text)


def _winner(_space: GroupSpace, model: GroupModel) -> Note | None:
    if len(model.layers) < 2:
        return None
    text = (
        f"The largest of {len(model.layers)} noisy means is too large on average. Corrected "
        "p-values account for this choice, the printed r and d do not."
    )
    return Note("note", "Maximal accuracies are optimistic.", text)


CHECKS: tuple[Check, ...] = (
    _random,
    _one,
    _nothing_passes,
    _control,
    _difference,
    _swapped,
    _specific,
    _participants_disagree,
    _baseline,
    _sides,
    _overlap,
    _unstable,
    _winner,
)
