"""Arrange the reports of `emotion3d` and write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bidsapp.report.emotion3d import (
    cautions,
    classes,
    explanation,
    labels,
    overview,
    people,
    scores,
    text,
    training,
)
from bidsapp.report.emotion3d.read import SpaceStudy, Study, load_group, load_participant
from bidsapp.report.html import Page, Section, write_page
from bidsapp.report.methods import Methods

Make = Callable[[Study, SpaceStudy, str], list[Section]]


def participant_report(output_dir: Path, subject: str) -> Path:
    """Write ``OUTPUT/sub-<subject>_emotion3d.html``: one file, readable offline.

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
        When the recipe has no results of this participant.
    InputInvalidError
        When a result cannot be read.
    """
    study = load_participant(output_dir, subject)
    path = output_dir / f"sub-{study.files.subject}_emotion3d.html"
    return write_page(participant_page(study), path)


def group_report(output_dir: Path) -> Path:
    """Write ``OUTPUT/group_emotion3d.html``: one file, readable offline.

    Parameters
    ----------
    output_dir
        Where the app wrote its results.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    InputMissingError
        When the recipe has no group results.
    InputInvalidError
        When a result cannot be read.
    """
    return write_page(group_page(load_group(output_dir)), output_dir / "group_emotion3d.html")


def participant_methods(output_dir: Path, subject: str) -> Methods:
    """Return the methods text of one participant's analysis, with what it cites."""
    return text.methods(load_participant(output_dir, subject))


def group_methods(output_dir: Path) -> Methods:
    """Return the methods text of the group level, with what it cites."""
    return text.methods(load_group(output_dir))


def participant_page(study: Study) -> Page:
    """Arrange the sections of a participant's report."""
    sections = [
        overview.glance(study),
        cautions.caution(study),
        *_spaces(study, _participant_sections),
        text.methods_section(study),
        text.fidelity(study),
        text.about(study),
    ]
    return _page(f"sub-{study.files.subject}", study, sections)


def group_page(study: Study) -> Page:
    """Arrange the sections of a group's report."""
    sections = [
        overview.glance(study),
        cautions.caution(study),
        *_spaces(study, _group_sections),
        text.licences(study),
        text.methods_section(study),
        text.fidelity(study),
        text.about(study),
    ]
    n = study.n_participants
    return _page(f"Group of {n} participant{'s' * (n != 1)}", study, sections)


def _spaces(study: Study, make: Make) -> list[Section]:
    """Sections of the only space, or of each space under its name."""
    if len(study.spaces) == 1:
        return make(study, study.spaces[0], "")
    return [
        Section(
            f"Results: {space.space.title}",
            f"results-{space.space.anchor}",
            children=make(study, space, f"-{number}"),
        )
        for number, space in enumerate(study.spaces, start=1)
    ]


def _participant_sections(study: Study, space: SpaceStudy, suffix: str) -> list[Section]:
    return _there(
        labels.labels(space, suffix),
        scores.scores(space, suffix),
        classes.confusion(space, suffix),
        classes.recall(space, suffix),
        scores.chance(space, suffix),
        classes.calibration(space, suffix),
        training.lags(study, space, suffix),
        training.curves(space, suffix),
        explanation.maps(space, suffix),
        explanation.embedding(space, suffix),
    )


def _group_sections(_study: Study, space: SpaceStudy, suffix: str) -> list[Section]:
    return _there(
        scores.scores(space, suffix),
        people.participants(space, suffix),
        people.tests(space, suffix),
        people.prevalence(space, suffix),
        people.emotions(space, suffix),
        classes.confusion(space, suffix),
        people.profiles(space, suffix),
        scores.chance(space, suffix),
        explanation.maps(space, suffix),
    )


def _there(*sections: Section | None) -> list[Section]:
    return [section for section in sections if section is not None]


def _page(title: str, study: Study, sections: Sequence[Section | None]) -> Page:
    return Page(
        title=title,
        subtitle="Can the emotion of a scene be told from single brain volumes?",
        meta=overview.meta(study),
        banners=overview.banners(study),
        sections=[section for section in sections if section is not None],
    )
