"""The page of a participant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.report import displacement, scores
from bidsapp.recipes.gradients.report.view import NEGATIVE, POSITIVE, ParticipantView, views
from bidsapp.report import sections, timing
from bidsapp.report.brain.scales import largest
from bidsapp.report.brain.viewer import viewer
from bidsapp.report.figures.style import Array
from bidsapp.report.html import Number, Page, number_text, p_text, plural
from bidsapp.report.methods import Methods
from bidsapp.report.tables import rows_of
from bidsapp.report.view import results_section
from bidsapp.results.read import Results

HEADING = "Encoding of music by layer"
QUESTION = "Encoding models: which network layers predict BOLD during music"
_NETWORK = (
    scores.maps,
    scores.peak_courses,
    scores.profile,
    scores.null,
    scores.parcels,
    displacement.beyond_acoustics,
    scores.delay,
    scores.pieces,
    scores.penalties,
)


def participant_page(results: Results, methods: Methods) -> Page:
    """Arrange the page.

    Parameters
    ----------
    results
        Of the participant.
    methods
        Its methods text.
    """
    every = views(results, ParticipantView)
    alignment = results.table(declared.ALIGNMENT)
    first = {view.pair.network: view for view in every}
    body = [
        timing.analysed(alignment, results.facts()["runs"]),
        timing.alignment_section(alignment, declared.ALIGNMENT, results.table(declared.WAVEFORM)),
        timing.quality_section(results.table(declared.QUALITY), declared.QUALITY),
        viewer([scores.group_of_maps(view) for view in every]),
        *(results_section(view, _NETWORK) for view in every),
        *(scores.ratings(results, view, alone=len(first) == 1) for view in first.values()),
        timing.folds_section(
            results.table(declared.FOLDS),
            declared.FOLDS,
            timing.piece_colours(timing.pieces_of(alignment)),
        ),
    ]
    shown = scores.first_maps(every[0])
    return sections.standard_page(
        results,
        QUESTION,
        body,
        heading=HEADING,
        numbers=(
            timing.amounts(alignment),
            [(view.pair.title, list(numbers(view))) for view in every],
        ),
        answer=sections.found(results, answer(every[0]), shown),
        methods=methods,
    )


def numbers(view: ParticipantView) -> Iterator[Number]:
    """Yield the numbers of one network: units, peaks, significant parcels, centroid layers."""
    yield Number(
        view.words.capitalize(), number_text(view.summary["n_units"], 0), view.pair.space.title
    )
    value, layer = view.peak(view.positive) or ("\u2013", "")
    yield Number(f"Peak r, {view.word}", value, f"layer {layer}" if layer else "")
    parcels = rows_of(view.parcels, lags=POSITIVE)
    yield Number("Peak r, parcel", number_text(parcels["r_max"].max(), 2), "mean of a parcel")
    yield Number(
        "Significant parcels",
        f"{len(view.passed)} of {view.summary['n_parcels']}",
        f"FWE p \u2264 {view.level:g}",
    )
    centroids = view.passed["centroid"].dropna()
    if len(centroids):
        low, high = np.percentile(centroids, [5, 95])
        extent = f"{low:.1f}" if len(centroids) == 1 else f"{low:.1f} \u2013 {high:.1f}"
        remark = f"5th to 95th percentile, of {len(view.layers)} layers"
        yield Number("Centroid layer", extent, remark)


def answer(view: ParticipantView) -> Iterator[str]:
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
