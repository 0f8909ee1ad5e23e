"""The page of a participant of `gradients`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.report import acoustics, answer, delay, scores
from bidsapp.recipes.gradients.report.participant_view import ParticipantView
from bidsapp.recipes.gradients.report.view import POSITIVE, views
from bidsapp.report import sections, timing
from bidsapp.report.brain.viewer import viewer
from bidsapp.report.html import Number, Page, number_text
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
    acoustics.beyond_acoustics,
    delay.delay,
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
        answer=sections.found(results, answer.of_participant(every[0]), shown),
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
