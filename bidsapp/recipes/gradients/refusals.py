"""What settings of `gradients` name, looked for before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

from bidsapp.config import Config
from bidsapp.recipes.gradients.settings import GROUP_VARIANTS, GradientsGroupSettings


def refuse(
    settings: object,
    group_settings: GradientsGroupSettings,
    config: Config,
    spaces: Sequence[str],
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
