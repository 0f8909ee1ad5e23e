"""What `gradients` found, in a few sentences."""

from __future__ import annotations

from collections.abc import Iterator

from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients.report import scores
from bidsapp.recipes.gradients.report.group_view import GroupView, reference_title
from bidsapp.recipes.gradients.report.participant_view import ParticipantView
from bidsapp.recipes.gradients.report.view import NEGATIVE, POSITIVE
from bidsapp.report.brain.scales import largest
from bidsapp.report.figures.style import Array
from bidsapp.report.html import number_text, p_text, plural
from bidsapp.report.tables import records_of, rows_of


def of_participant(view: ParticipantView) -> Iterator[str]:
    """Yield where a participant's responses were predicted, how well, and beside what."""
    rows = rows_of(view.parcels, lags=POSITIVE)
    tested = rows.dropna(subset=["p_fwe"])
    what = f"Layers of {view.title} predicted responses to music that was held out"
    if tested.empty:
        yield f"{what}; nothing was tested."
    elif len(view.passed):
        yield (
            f"{what} in {len(view.passed)} of {plural(len(rows), 'parcel')} (family-wise p "
            f"\u2264 {view.level:g} against displaced music)."
        )
    else:
        least = p_text(float(tested["p_fwe"].min()), int(view.settings["n_shifts"]))
        yield (
            f"It is not shown that layers of {view.title} predict responses to music that was "
            f"held out: in none of {plural(len(rows), 'parcel')} more than displaced music does "
            f"(smallest family-wise {least})."
        )
    if peak := view.peak(view.positive):
        yield f"The largest score of a {view.word} is r = {peak[0]}, in layer {peak[1]}."
    yield _controls(view, view.scores(NEGATIVE))


def _controls(view: ParticipantView, control: Array | None) -> str:
    """Compare the network with acoustic descriptors and with features that come too late."""
    best = number_text(scores.mean_of(largest(view.positive)[view.chosen]), 3)
    beside = []
    if view.baseline is not None:
        acoustic = scores.mean_of(largest(view.baseline.positive)[view.chosen])
        beside.append(f"{number_text(acoustic, 3)} for acoustic descriptors")
    if control is not None:
        late = scores.mean_of(largest(control)[view.chosen])
        beside.append(f"{number_text(late, 3)} for music that follows the response (control)")
    if not beside:
        return ""
    words = f"Mean of the best layer over {view.chosen_words}"
    return f"{words}: r = {best}, against {' and '.join(beside)}."


def of_group(view: GroupView) -> Iterator[str]:
    """Yield where the group's responses were predicted, and what is shown of the gradient."""
    n = plural(view.results.n_participants, "listener")
    parcels = view.table(declared.DISPLACEMENT).dropna(subset=["effect"])
    if parcels.empty:
        yield f"Layers of {view.pair.title} over {n}; nothing was tested against displaced music."
    else:
        least = parcels.groupby("parcel")["p_fwe"].min()
        passed = int((least <= view.level).sum())
        than = (
            "better than the same music displaced alike in everybody (family-wise p \u2264 "
            f"{view.level:g})"
        )
        of_parcels = plural(len(least), "parcel")
        yield (
            f"Over {n}, layers of {view.pair.title} predicted responses to held-out music in "
            f"{passed} of {of_parcels} {than}."
            if passed
            else f"Over {n}, it is not shown that layers of {view.pair.title} predict responses "
            f"to held-out music {than}, in any of {of_parcels}."
        )
    mean = view.scores(POSITIVE)
    if mean is not None and (peak := view.peak(mean)):
        yield f"The largest score of the mean {view.word} is r = {peak[0]}, in layer {peak[1]}."
    yield from _claims(view)


def _claims(view: GroupView) -> Iterator[str]:
    claims = view.table(declared.CLAIMS)
    if claims.empty or not view.references:
        return
    name = view.references[0]
    rows = {row["question"]: row for row in records_of(rows_of(claims, reference=name))}
    title = reference_title(name)
    alignment, preference = rows.get("alignment"), rows.get("preference")
    if alignment is not None:
        shown = "" if alignment["p"] <= view.level else "not shown to be "
        p = p_text(alignment["p"], int(alignment["n_copies"]))
        yield f"Deeper layers are {shown}aligned with {title} more than displaced music ({p})."
    if preference is not None:
        shown = "changes" if preference["p"] <= view.level else "is not shown to change"
        p = p_text(preference["p"], int(preference["n_copies"]))
        yield f"Which layer is preferred {shown} along it beyond amplitude ({p})."
