"""The page of a group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients.report import displacement, group_maps, group_profiles, group_tests
from bidsapp.recipes.gradients.report.group_view import (
    KINDS,
    GroupView,
    correlation,
    reference_title,
)
from bidsapp.recipes.gradients.report.participant_page import HEADING
from bidsapp.recipes.gradients.report.view import POSITIVE, views
from bidsapp.report import sections
from bidsapp.report.html import Number, Page, number_text, p_text, plural
from bidsapp.report.methods import Methods
from bidsapp.report.tables import records_of, rows_of
from bidsapp.report.view import results_section
from bidsapp.results.read import Results

_QUESTION = "Representational gradients: are layers of an audio network encoded along the cortex?"
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
        _QUESTION,
        [
            sections.participants(results, declared.PARTICIPANTS, _who(results)),
            group_maps.interactive(pages, [group_profiles.isc_map(view) for view in pages]),
            *(results_section(view, _PARTS, _FOLDED) for view in pages),
            *group_profiles.ratings(results),
        ],
        heading=HEADING,
        numbers=(
            list(_people(results)),
            [(view.pair.title, list(_numbers(view))) for view in pages],
        ),
        answer=sections.found(results, answer(pages[0]), shown),
        methods=methods,
        further=_provenance(results),
    )


def _who(results: Results) -> str:
    caption = (
        "Who takes part. Volumes used: those that entered the models at positive lags; mean r: "
        "over the layers of the first network and all voxels or vertices, at positive lags."
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
    used = results.table(declared.PARTICIPANTS, results.spaces[0])["n_rows"].dropna()
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
    mean, low, high, p = group_tests.mean_and_test(view.table(declared.ALIGNMENT_TEST), wanted)
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


def answer(view: GroupView) -> Iterator[str]:
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
