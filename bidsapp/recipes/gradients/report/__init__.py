"""The pages of `gradients`, of a participant and of a group, from written results only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from bidsapp.recipes.gradients import group_results as of_group
from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.report import (
    displacement,
    group_maps,
    group_profiles,
    group_tests,
    scores,
)
from bidsapp.recipes.gradients.report.methods import methods
from bidsapp.recipes.gradients.report.view import (
    KINDS,
    NEGATIVE,
    POSITIVE,
    GroupView,
    ParticipantView,
    correlation,
    reference_title,
    views,
)
from bidsapp.report import sections, timing
from bidsapp.report.brain.scales import largest
from bidsapp.report.brain.viewer import viewer
from bidsapp.report.figures.style import Array
from bidsapp.report.html import Number, Page, number_text, p_text, plural
from bidsapp.report.methods import Methods
from bidsapp.report.tables import records_of, rows_of
from bidsapp.report.view import results_section
from bidsapp.results.read import Results

_HEADING = "Encoding of music by layer"
_OF_PARTICIPANT = "Encoding models: which network layers predict BOLD during music"
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
        _OF_PARTICIPANT,
        body,
        heading=_HEADING,
        numbers=(
            timing.amounts(alignment),
            [(view.pair.title, list(participant_numbers(view))) for view in every],
        ),
        answer=sections.found(results, participant_answer(every[0]), shown),
        methods=methods,
    )


def participant_numbers(view: ParticipantView) -> Iterator[Number]:
    """Yield the numbers of one network: units, peaks, significant parcels, centroid layers."""
    yield Number(
        view.words.capitalize(), number_text(view.summary["n_units"], 0), view.pair.space.title
    )
    value, layer = view.peak(view.positive) or ("\u2013", "")
    yield Number(f"Peak r, {view.word}", value, f"layer {layer}" if layer else "")
    parcels = rows_of(view.parcels, lags=POSITIVE)
    yield Number("Peak r, parcel", number_text(parcels["r_max"].max(), 2), "mean of a parcel")
    if parcels["p_fwe"].notna().any():
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


def participant_answer(view: ParticipantView) -> Iterator[str]:
    """Yield where a participant's responses were predicted, how well, and beside what."""
    rows = rows_of(view.parcels, lags=POSITIVE)
    tested = rows.dropna(subset=["p_fwe"])
    what = f"Layers of {view.title} predicted responses to music that was held out"
    if tested.empty:
        yield (
            f"It was not tested whether layers of {view.title} predict responses to music that "
            "was held out (no shifts)."
        )
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


_OF_GROUP = "Representational gradients: are layers of an audio network encoded along the cortex?"
_PARTS = (
    group_maps.accuracy,
    group_maps.gradients,
    displacement.section,
    displacement.beyond_acoustics,
    group_tests.spin_tests,
    group_tests.second_null,
    group_tests.annotation_profile,
    group_tests.participants_alignment,
    group_profiles.region_profiles,
    group_profiles.stability,
    group_maps.components,
    group_maps.inference,
    group_profiles.noise_ceiling,
)
_FOLDED = (
    group_tests.participants_alignment,
    group_profiles.stability,
    group_profiles.noise_ceiling,
    group_maps.components,
    group_maps.inference,
)
"""Sections that a first reading can do without."""


def group_page(results: Results, methods: Methods) -> Page:
    """Arrange the page of a group.

    Parameters
    ----------
    results
        Of the group.
    methods
        Its methods text.
    """
    pages = views(results, GroupView)
    shown = group_maps.accuracy(pages[0])
    return sections.standard_page(
        results,
        _OF_GROUP,
        [
            sections.participants(results, of_group.PARTICIPANTS, _who(results)),
            group_maps.interactive(pages, [group_profiles.isc_map(view) for view in pages]),
            *(results_section(view, _PARTS, _FOLDED) for view in pages),
            *group_profiles.ratings(results),
        ],
        heading=_HEADING,
        numbers=(
            list(_people(results)),
            [(view.pair.title, list(_numbers(view))) for view in pages],
        ),
        answer=sections.found(results, group_answer(pages[0]), shown),
        methods=methods,
        further=_provenance(results),
    )


def _who(results: Results) -> str:
    caption = (
        "Who takes part. Volumes used: those that entered the models; mean r: "
        "over the layers of the first network and all voxels or vertices."
    )
    n = results.facts()["participants_per_unit"]
    if not n or n["min"] == n["max"]:
        return caption
    return (
        f"{caption} At each voxel or vertex, {n['min']} to {n['max']} participants have a value "
        f"(median {n['median']:g})."
    )


# ------------------------------------------------------------------ numbers at a glance


def _people(results: Results) -> Iterator[Number]:
    yield sections.participants_number(results)
    used = results.table(of_group.PARTICIPANTS, results.spaces[0])["n_rows"].dropna()
    low, high = used.min(), used.max()
    text = number_text(low, 0) if low == high else f"{low:.0f}\u2013{high:.0f}"
    yield Number("Volumes analysed", text, "of each participant")


def _numbers(view: GroupView) -> Iterator[Number]:
    scores = view.scores(POSITIVE)
    if scores is not None and (peak := view.peak(scores)):
        yield Number("Peak mean r", peak[0], f"layer {peak[1]}")
        if view.significant is not None:
            known = np.isfinite(scores).any(axis=0)
            share = f"{100 * view.significant.sum() / max(known.sum(), 1):.0f} %"
            remark = f"in parcels with FWE p \u2264 {view.level:g}, some layer"
            yield Number(f"Significant {view.words}", share, remark)
    yield from displacement.numbers(view)
    yield from _spins(view)
    yield from _alignment(view)


def _spins(view: GroupView) -> Iterator[Number]:
    for kind in KINDS:
        row = view.spin_row(POSITIVE, kind)
        if row is not None:
            p = p_text(row["p_max"], int(row["n_rotations"])).replace("p ", "p_FWE ", 1)
            remark = f"{p}, with {reference_title(row['reference'])}"
            yield Number(f"Spin {view.symbol}, {kind} layer", correlation(row["r"]), remark)


def _alignment(view: GroupView) -> Iterator[Number]:
    if not view.references:
        return
    wanted = {"lags": POSITIVE, "map": "centroid", "reference": view.references[0]}
    mean, low, high, p = group_tests.mean_and_test(view.table(of_group.ALIGNMENT_TEST), wanted)
    if math.isfinite(mean):
        known = math.isfinite(low)
        interval = f"{correlation(low)} to {correlation(high)}, " if known else ""
        remark = f"{interval}{p_text(p)}, centroid layer"
        yield Number(f"Mean {view.symbol} of participants", correlation(mean), remark)


# ------------------------------------------------------------------ provenance


def _provenance(results: Results) -> list[tuple[str, Any]]:
    """Return where reference maps and rotations come from, for the last section."""
    facts = results.facts()
    spin = facts["spin"] or {}
    return [
        *((f"Reference {item['name']}", _origin(item)) for item in facts["references"]),
        ("Rotations", spin.get("rotations")),
        ("Convention of the spin", spin.get("convention")),
        ("Cortex mask, SHA-256", spin.get("cortex_mask_sha256")),
        ("Atlas", results.setting("atlas")),
        ("Files of the regions", ", ".join(facts["region_files"]) or None),
    ]


def _origin(item: Mapping[str, Any]) -> str:
    named = ", ".join(str(item[key]) for key in ("Source", "File") if item.get(key))
    return f"{named} (SHA-256 {item['SHA256'][:12]}\u2026)" if item.get("SHA256") else named


def group_answer(view: GroupView) -> Iterator[str]:
    """Yield where the group's responses were predicted, and what is shown of the gradient."""
    n = plural(view.results.n_participants, "listener")
    parcels = view.table(of_group.DISPLACEMENT).dropna(subset=["effect"])
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
    claims = view.table(of_group.CLAIMS)
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


def report(results: Results) -> tuple[Page, Methods]:
    """Arrange the page of a participant or of a group, and write the methods.

    Parameters
    ----------
    results
        What the recipe wrote.
    """
    text = methods(results)
    arrange = group_page if results.is_group else participant_page
    return arrange(results, text), text
