"""Arrange the reports of `rsa` and write them."""

from __future__ import annotations

from pathlib import Path

from bidsapp.report.html import Page, Section, write_page
from bidsapp.report.methods import Methods
from bidsapp.report.rsa import (
    cautions,
    dissimilarities,
    gyrus,
    items,
    layers,
    maps,
    nulls,
    overview,
    peaks,
    people,
    sizes,
    text,
    viewer,
)
from bidsapp.report.rsa.read import Study, load_group, load_participant


def participant_report(output_dir: Path, subject: str) -> Path:
    """Write ``OUTPUT/sub-<subject>_rsa.html``: one file, readable offline.

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
    return write_page(participant_page(study), output_dir / f"sub-{study.files.subject}_rsa.html")


def group_report(output_dir: Path) -> Path:
    """Write ``OUTPUT/group_rsa.html``: one file, readable offline.

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
    return write_page(group_page(load_group(output_dir)), output_dir / "group_rsa.html")


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
        items.analysed(study),
        dissimilarities.dissimilarities(study),
        sizes.searchlights(study),
        viewer.interactive(study),
        *_results(study),
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
        items.participants(study),
        items.group_design(study),
        viewer.interactive(study),
        *_results(study),
        text.licences(study),
        text.methods_section(study),
        text.fidelity(study),
        text.about(study),
    ]
    n = study.n_participants
    return _page(f"Group of {n} participant{'s' * (n != 1)}", study, sections)


def _results(study: Study) -> list[Section]:
    pairs = study.pairs()
    return [
        Section(
            f"Results: {network.title}, {space.space.title}",
            f"results-{space.space.anchor}-{network.name}",
            children=[
                section
                for part in (*_COMMON, *(_OF_GROUPS if study.is_group else ()))
                if (section := part(space, network, f"-{place}" if len(pairs) > 1 else ""))
            ],
        )
        for place, (space, network) in enumerate(pairs, start=1)
    ]


_COMMON = (
    maps.maps,
    peaks.peaks,
    layers.profile,
    layers.distributions,
    layers.assignments,
    nulls.null,
)
_OF_GROUPS = (gyrus.gyrus, gyrus.asymmetry, people.confidence, people.ceilings)


def _page(title: str, study: Study, sections: list[Section | None]) -> Page:
    return Page(
        title=title,
        subtitle="Which layer of a sound network is each searchlight like?",
        meta=overview.meta(study),
        banners=overview.banners(study),
        sections=[section for section in sections if section is not None],
    )
