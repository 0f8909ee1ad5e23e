"""Files on this machine, beside results, that the group level of `gradients` reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bidsapp.brain.named_atlas import atlas_files
from bidsapp.brain.references import reference_files
from bidsapp.config import Config
from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.gradients import results
from bidsapp.recipes.gradients.axes import AXES, KNOWN
from bidsapp.recipes.gradients.settings import GradientsGroupSettings


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
