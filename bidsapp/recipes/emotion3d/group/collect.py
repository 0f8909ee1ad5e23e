"""Find finished participants of `emotion3d`, and collect their runs and labels once more."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from bidsapp.bids.dataset import Dataset
from bidsapp.config import Config
from bidsapp.errors import AppError, InputMissingError
from bidsapp.recipes.base.settings import override
from bidsapp.recipes.emotion3d.group.inputs import GroupInputs
from bidsapp.recipes.emotion3d.inputs import EmotionInputs, collect_participant
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings
from bidsapp.recipes.group_collect import (
    Choice,
    Reasons,
    collect_spaces,
    refuse_mixture,
    version_problems,
)
from bidsapp.recipes.group_inputs import ParticipantResult

RECIPE = "emotion3d"
_LEAST = 2


def collect_group(dataset: Dataset, subjects: Sequence[str], config: Config) -> list[GroupInputs]:
    """Find the participants of each space whose BOLD and labels are still there.

    Parameters
    ----------
    dataset
        For BOLD and labels: networks are trained across participants.
    subjects
        Labels of the dataset: those without results are listed as missing.
    config
        Output folder, spaces, participants wanted and left out, filters.

    Raises
    ------
    InputMissingError
        If there is no result, or fewer than two participants are complete.
    OutputError
        If participants were made with different settings or seeds; they are named.
    InputInvalidError
        If no space is shared by participants.
    """
    complete = partial(_complete, dataset, config)
    return collect_spaces(RECIPE, config.output_dir, Choice.of(config, subjects), complete)


def participant_settings(participant: ParticipantResult) -> Emotion3dSettings:
    """Return the settings a participant was analysed with."""
    names = {item.name for item in dataclasses.fields(Emotion3dSettings)}
    stored: Mapping[str, Any] = participant.summary.get("settings", {})
    known = {name: value for name, value in stored.items() if name in names}
    return override(Emotion3dSettings(), RECIPE, known)


def participant_config(participant: ParticipantResult, config: Config) -> Config:
    """Return the configuration with what was done to a participant's volumes."""
    stored: Mapping[str, Any] = participant.summary.get("config", {})
    names = ("confounds", "high_pass_hz", "smoothing_fwhm_mm", "random_seed")
    return dataclasses.replace(config, **{name: stored[name] for name in names if name in stored})


def _complete(
    dataset: Dataset,
    config: Config,
    space: str,
    entities: Mapping[str, str],
    kept: list[ParticipantResult],
    reasons: Reasons,
) -> GroupInputs:
    refuse_mixture(kept, lambda item: item.configuration_hash, "configuration", space)
    members: dict[str, EmotionInputs] = {}
    participants = []
    for item in kept:
        try:
            members[item.subject] = _member(dataset, config, item)
        except AppError as error:
            reasons[item.subject] = f"its BOLD or labels are not as they were: {error}"
            continue
        participants.append(item)
    if len(participants) < _LEAST:
        listed = "".join(f"\n  sub-{subject}: {why}" for subject, why in sorted(reasons.items()))
        msg = (
            f"space {space}: {len(participants)} complete participant(s), decoding across "
            f"participants needs {_LEAST}; run the participant level of more{listed}"
        )
        raise InputMissingError(msg)
    return GroupInputs(
        RECIPE,
        space,
        entities,
        "volume",
        tuple(participants),
        tuple(sorted(reasons.items())),
        tuple(version_problems(config.output_dir, participants)),
        members,
    )


def _member(dataset: Dataset, config: Config, participant: ParticipantResult) -> EmotionInputs:
    """Collect the input of a participant again; it has to be what the results were made from."""
    found = collect_participant(
        dataset,
        participant.subject,
        str(participant.summary["space"]),
        participant_config(participant, config),
        participant_settings(participant),
    )
    before = [str(run["name"]) for run in participant.summary.get("runs", ())]
    now = [run.name for run in found.runs]
    if now != before:
        msg = (
            f"runs {', '.join(now)} were found, its results are of {', '.join(before)}; give the "
            "same filters as at the participant level"
        )
        raise InputMissingError(msg)
    return found
