"""Files on this machine, beside results, that the group level of `gradients` reads, or refuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bidsapp.brain.named_atlas import atlas_files
from bidsapp.brain.references import reference_files
from bidsapp.config import Config
from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.gradients import results
from bidsapp.recipes.gradients.references import AXES, KNOWN
from bidsapp.recipes.gradients.settings import GROUP_VARIANTS, GradientsGroupSettings


def group_files(
    inputs: GroupInputs, settings: GradientsGroupSettings, config: Config
) -> Iterator[Path]:
    """Yield the atlas of the regions, reference maps and annotations, as far as they are there.

    Parameters
    ----------
    inputs
        Of one space.
    settings
        References and annotations.
    config
        ``--atlas``; without it the atlas of the poster's regions is looked for.
    """
    network = next(iter(inputs.networks))
    images = inputs.participants[0].images(results.SCORE.of("positive"), inputs.at, network)
    yield from atlas_files(config.atlas, inputs.space, inputs.kind, images)
    axes = AXES if KNOWN in settings.annotations else ()
    for name in dict.fromkeys((*settings.references, *settings.annotations, *axes)):
        yield from reference_files(name)


def refuse(
    settings: object, group_settings: GradientsGroupSettings, config: Config, spaces: Sequence[str]
) -> None:
    """Refuse reference maps, annotations and a second null that cannot serve.

    Parameters
    ----------
    settings
        Not looked at.
    group_settings
        ``references``, ``annotations``, ``second_null``.
    config
        Levels.
    spaces
        Of the participants; empty where only the group level runs.

    Raises
    ------
    UsageError
        A name is neither that of a map nor a file.
    ResourceUnavailableError
        An annotation of neuromaps, or a package, is not on this machine.
    InputMissingError, InputInvalidError
        The other hemisphere of a file is absent; a file is unreadable, of another mesh, of several
        maps, or constant.
    """
    if "group" not in config.analysis_level:
        return
    shipped = {name for default in GROUP_VARIANTS.values() for name in _maps(default)}
    named = [name for name in _maps(group_settings) if name not in shipped]
    if named:
        from bidsapp.brain.references import refuse_reference

        for name in named:
            refuse_reference(name, spaces)
    if group_settings.second_null != "none":
        from bidsapp.brain.surrogates import require

        require(group_settings.second_null)


def _maps(settings: GradientsGroupSettings) -> tuple[str, ...]:
    return (*settings.references, *settings.annotations)
