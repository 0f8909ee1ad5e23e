"""Arrange the group report and write it."""

from __future__ import annotations

from pathlib import Path

from bidsapp.report.group import (
    cautions,
    components,
    cortex,
    inference,
    overview,
    profiles,
    shared,
    spins,
    text,
    viewer,
)
from bidsapp.report.group.results import GroupModel, GroupResults, GroupSpace, load_group
from bidsapp.report.html import Page, Section, write_page
from bidsapp.report.methods import Methods


def group_report(output_dir: Path) -> Path:
    """Write ``OUTPUT/group_gradients.html``: one file, readable offline.

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
        When there are no group results.
    InputInvalidError
        When a result cannot be read.
    """
    return write_page(group_page(load_group(output_dir)), output_dir / "group_gradients.html")


def methods_of_group(output_dir: Path) -> Methods:
    """Return the methods text of the group level, with what it cites."""
    return text.group_methods(load_group(output_dir))


def group_page(results: GroupResults) -> Page:
    """Arrange the sections of a group's report."""
    sections = [
        overview.glance(results),
        cautions.caution(results),
        overview.participants(results),
        viewer.interactive(results),
        *_results(results),
        *profiles.ratings(results),
        text.licences(results),
        text.methods_section(results),
        text.fidelity(results),
        text.about(results),
    ]
    n = results.spaces[0].n_participants
    return Page(
        title=f"Group of {n} participant{'s' * (n != 1)}",
        subtitle="Representational gradients: how the cortex follows music, layer by layer",
        meta=overview.meta(results),
        banners=overview.banners(results),
        sections=[section for section in sections if section is not None],
    )


def _results(results: GroupResults) -> list[Section]:
    pairs = results.models()
    return [
        Section(
            f"Results: {model.title}, {space.space.title}",
            f"results-{space.space.anchor}-{model.name}",
            children=_children(space, model, "" if len(pairs) == 1 else f"-{number}"),
        )
        for number, (space, model) in enumerate(pairs, start=1)
    ]


def _children(space: GroupSpace, model: GroupModel, suffix: str) -> list[Section]:
    return [
        cortex.accuracy(space, model, suffix),
        cortex.gradients(space, model, suffix),
        spins.spin_tests(space, model, suffix),
        spins.subject_level(space, model, suffix),
        profiles.region_profiles(space, model, suffix),
        profiles.stability(space, model, suffix),
        components.components(space, model, suffix),
        inference.inference(space, model, suffix),
        shared.noise_ceiling(space, model, suffix),
    ]
