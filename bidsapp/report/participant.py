"""The report of `gradients` on one participant, from the written derivatives only."""

from __future__ import annotations

from pathlib import Path

from bidsapp.report.files import open_derivatives
from bidsapp.report.html import Page, Section, write_page
from bidsapp.report.participant_sections import (
    about,
    cortex,
    crossval,
    overview,
    ratings,
    scores,
    timing,
)
from bidsapp.report.results import ModelResults, Results, SpaceResults, load_results


def participant_report(output_dir: Path, subject: str) -> Path:
    """Write ``OUTPUT/sub-<subject>_gradients.html``: one file, readable offline.

    Parameters
    ----------
    output_dir
        Where the app wrote its results.
    subject
        Participant label, with or without ``sub-``.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    InputMissingError
        When the participant has no results.
    InputInvalidError
        When a result cannot be read.
    """
    files = open_derivatives(output_dir, subject)
    results = load_results(files)
    path = output_dir / f"sub-{files.subject}_gradients.html"
    return write_page(participant_page(results), path)


def participant_page(results: Results) -> Page:
    """Arrange the sections of a participant's report."""
    sections = [
        overview.glance(results),
        about.caution(results),
        overview.analysed(results),
        timing.alignment(results),
        timing.folds(results),
        *_results(results),
        *ratings.ratings(results),
        about.methods_section(results),
        about.fidelity(results),
        about.about(results),
    ]
    return Page(
        title=f"sub-{results.files.subject}",
        subtitle="How the brain follows music, layer by layer",
        meta=overview.meta(results),
        banners=overview.banners(results),
        sections=[section for section in sections if section is not None],
    )


def _results(results: Results) -> list[Section]:
    pairs = [(space, model) for space in results.spaces for model in space.models]
    return [
        Section(
            f"Results: {model.name}, {space.space.title}",
            f"results-{space.space.anchor}-{model.name}",
            children=_children(space, model, "" if len(pairs) == 1 else f"-{number}"),
        )
        for number, (space, model) in enumerate(pairs, start=1)
    ]


def _children(space: SpaceResults, model: ModelResults, suffix: str) -> list[Section]:
    return [
        scores.profile(space, model, suffix),
        cortex.maps(space, model, suffix),
        scores.null(model, suffix),
        scores.parcels(model, suffix),
        crossval.pieces(model, suffix),
        crossval.penalties(space, model, suffix),
    ]
