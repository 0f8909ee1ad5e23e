"""The reports of `emotion3d`, on a participant and on the group, from written results only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.brain.geometry import VolumeGrid
from bidsapp.recipes.emotion3d import results as declared
from bidsapp.recipes.emotion3d.names import BRAIN, CONTROLS, DECODERS, SplitInfo
from bidsapp.recipes.emotion3d.report import data, decoders, people
from bidsapp.recipes.emotion3d.report.view import LEVEL, EmotionView, views
from bidsapp.report import sections
from bidsapp.report.html import Number, Page, Section, number_text, p_text, plural
from bidsapp.report.methods import Methods, enumerated, first_participant, inference_sentences
from bidsapp.report.tables import records_of, rows_of
from bidsapp.report.timing import quality_section
from bidsapp.results.read import Results

_HEADING = "Emotion from single brain volumes"
QUESTION = "Can the emotion of a scene be told from single brain volumes?"


def report(results: Results) -> tuple[Page, Methods]:
    """Arrange the page of a participant or of the group, and write its methods text.

    Parameters
    ----------
    results
        What was written.
    """
    seen = views(results)
    methods = methods_of(results)
    make = _group_sections if results.is_group else _participant_sections
    body = make(seen[0])
    if len(seen) > 1:
        body = [
            Section(
                f"Results: {view.space.title}",
                f"results-{view.space.anchor}",
                children=[section for section in make(view) if section is not None],
            )
            for view in seen
        ]
    if not results.is_group:
        quality = quality_section(results.table(declared.QUALITY), declared.QUALITY)
        body = [quality, *body]
    shown = decoders.scores(seen[0])
    page = sections.standard_page(
        results,
        QUESTION,
        body,
        heading=_HEADING,
        numbers=([], [(view.space.title, list(_numbers(view))) for view in seen]),
        answer=sections.found(results, sentences(seen[0]), shown),
        methods=methods,
    )
    return page, methods


def _participant_sections(view: EmotionView) -> list[Section | None]:
    return [
        data.labels(view),
        decoders.scores(view),
        decoders.confusion(view),
        decoders.recall(view),
        decoders.chance(view),
        decoders.calibration(view),
        data.lags(view),
        data.curves(view),
        data.maps(view),
        data.embedding(view),
    ]


def _group_sections(view: EmotionView) -> list[Section | None]:
    return [
        decoders.scores(view),
        people.participants(view),
        people.tests(view),
        people.prevalence(view),
        people.emotions(view),
        decoders.confusion(view),
        people.profiles(view),
        decoders.chance(view),
        data.maps(view),
    ]


# ------------------------------------------------------------------ numbers at a glance


def _numbers(view: EmotionView) -> Iterator[Number]:
    """Yield the data, then the scores of decoders that see the brain, under honest splits."""
    facts = view.summary
    if view.is_group:
        yield sections.participants_number(view.results)
        yield Number("Runs", number_text(facts["n_runs"], 0))
    else:
        yield Number("Runs", number_text(len(facts["runs"]), 0))
    total = number_text(facts["n_volumes"], 0)
    yield Number("Labelled volumes", number_text(facts["n_labelled"], 0), f"of {total}")
    if not view.is_group:
        segments = float(view.table(declared.LABELS)["n_blocks"].sum())
        yield Number("Contiguous segments", number_text(segments, 0), "of one class each")
    yield Number("Classes", number_text(len(view.classes), 0))
    yield Number("Voxels", number_text(facts["n_units"], 0), view.space.title)
    several = len(view.honest) > 1
    for split in view.honest:
        for decoder in BRAIN:
            row = view.score(split, decoder)
            if row is not None:
                name = DECODERS[decoder].title
                label = f"{name}, {split.short}" if several else name
                yield Number(
                    label,
                    number_text(row["value"], 2),
                    _against(row, len(view.nulls(split, decoder))),
                )
    if view.is_group:
        yield from _means_within(view)


def _against(row: Any, n_draws: int) -> str:
    """Say in a few words what a score is beside its chance, from so many draws of the null."""
    if np.isnan(row["chance"]):
        return "chance not estimated"
    return f"chance {number_text(row['chance'], 2)}, {p_text(row['p'], n_draws)}"


def _means_within(view: EmotionView) -> Iterator[Number]:
    """Yield means of participants who were tested on other runs of their own."""
    for row in records_of(rows_of(view.table(declared.TESTS), level="within")):
        decoder = str(row["test"]).removesuffix(" > chance")
        if decoder in BRAIN:
            label = f"{DECODERS[decoder].title}, within: {SplitInfo(str(row['split'])).short}"
            least = row["smallest_p"]
            n_draws = round(1 / least) - 1 if least > 0 else 0
            yield Number(label, number_text(row["mean"], 2), _against(row, n_draws))


# ------------------------------------------------------------------ methods text


def methods_of(results: Results) -> Methods:
    """Write the methods of an analysis; a group's begin with those of its participants."""
    own = first_participant(results)
    return sections.methods_of(
        results,
        _draws(results),
        view=views(results)[0],
        participant=None if own is None else _participant_context(own),
    )


def _draws(results: Results) -> dict[str, object]:
    return {
        "label_shift": "; ".join(_shifts(views(results)[0])),
        "label_shift_hidden": results.setting("n_embedding_shifts"),
        "sign_flip_scores": results.setting("n_flips"),
    }


def _participant_context(own: Results) -> dict[str, Any]:
    """Return what the methods say of the participant level."""
    view = views(own)[0]
    checks = view.table(declared.RANDOMISATION)
    geometry = own.units(view.space).geometry
    assert isinstance(geometry, VolumeGrid)
    relabelled = rows_of(checks, randomised="labels")["similarity"]
    return {
        "classes": view.classes,
        "n_segments": int(view.table(declared.LABELS)["n_blocks"].sum()),
        "n_volumes": view.summary["n_volumes"],
        "n_labelled": view.summary["n_labelled"],
        "n_units": view.summary["n_units"],
        "grid_mm": float(geometry.voxel_sizes_mm.max()),
        "has_network": bool((view.table(declared.SCORES)["decoder"] == "cnn").any()),
        "splits": view.splits,
        "methods": [stat for stat, maps in declared.MAPS.items() if own.written(maps, view.space)],
        "checked": bool(checks["randomised"].ne("labels").any()),
        "relabelled": bool(relabelled.notna().any()),
        "sentences": inference_sentences(sections.used_inferences(own), _draws(own)),
    }


def _shifts(view: EmotionView) -> Iterator[str]:
    """Say how many shifts each decoder was tested with, under the splits that count."""
    by_number: dict[int, list[str]] = {}
    for split in view.honest:
        for decoder in view.decoders(split):
            n = len(view.nulls(split, decoder))
            called = DECODERS[decoder].called
            if n and called not in by_number.setdefault(n, []):
                by_number[n].append(called)
    for n, names in by_number.items():
        yield f"{plural(n, 'shift')} for {enumerated(names)}"


def sentences(view: EmotionView) -> Iterator[str]:
    """Yield, for each split that may be believed, what decoders reached beside chance.

    Parameters
    ----------
    view
        Results in one space.
    """
    head = f"{plural(len(view.classes), 'class', 'classes')} of emotion in single volumes, "
    for split in view.honest:
        rows = {name: view.score(split, name) for name in BRAIN}
        scored = {name: row for name, row in rows.items() if row is not None}
        if not scored:
            continue
        said = "; ".join(_said(view, split, name, row) for name, row in scored.items())
        title = f"{split.title[0].lower()}{split.title[1:]}" if head else split.title
        yield f"{head}{title}: {said}."
        head = ""
        yield from _without_brain(view, split)


def _said(view: EmotionView, split: SplitInfo, name: str, row: pd.Series) -> str:
    value, chance, p = (float(row[key]) for key in ("value", "chance", "p"))
    text = f"{DECODERS[name].called} reaches a balanced accuracy of {number_text(value, 2)}"
    if pd.isna(chance):
        return f"{text}, whose chance was not estimated"
    verdict = "above" if p <= LEVEL else "not shown to be above"
    words = p_text(p, len(view.nulls(split, name)))
    return f"{text}, {verdict} its chance of {number_text(chance, 2)} ({words})"


def _without_brain(view: EmotionView, split: SplitInfo) -> Iterator[str]:
    """Yield what the best decoder reaches that sees no brain pattern."""
    rows = [(row, name) for name in CONTROLS if (row := view.score(split, name)) is not None]
    if rows:
        best, name = max(rows, key=lambda pair: float(pair[0]["value"]))
        value = number_text(float(best["value"]), 2)
        yield f"Without any brain pattern, {DECODERS[name].called} reaches {value}."
