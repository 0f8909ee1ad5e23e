"""Find finished participants of `gradients` and check that their layers and units agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.records import ImageKind
from bidsapp.bids.sidecars import read_json
from bidsapp.brain.units import check_same_units
from bidsapp.config import Config
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.recipes.gradients.group.inputs import GroupInputs
from bidsapp.recipes.group_collect import (
    Choice,
    Reasons,
    collect_spaces,
    nobody_left,
    refuse_mixed_settings,
    refuse_mixture,
    version_problems,
)
from bidsapp.recipes.group_inputs import MAP_EXTENSIONS, ParticipantResult

RECIPE = "gradients"


def collect_group(dataset: Dataset, subjects: Sequence[str], config: Config) -> list[GroupInputs]:
    """Find the participants that the command line asks for; see `find_group`.

    Parameters
    ----------
    dataset
        Not looked at: the group level reads the participants' results only.
    subjects
        Labels of the dataset: those without results are listed as missing.
    config
        Output folder, spaces, participants wanted and left out.
    """
    return find_group(config.output_dir, Choice.of(config, subjects))


def find_group(output_dir: Path, choice: Choice | None = None) -> list[GroupInputs]:
    """Find the participants of each space, checked to belong together.

    Parameters
    ----------
    output_dir
        Output folder of the participant level.
    choice
        Spaces and participants; all by default.

    Returns
    -------
    list of GroupInputs
        One per space, in the order of their names.

    Raises
    ------
    InputMissingError
        If there is no result, or a wanted space or participant has none.
    OutputError
        If participants were made with different settings, weights or seeds; they are named.
    InputInvalidError
        If their layers, meshes or grids differ, or no space is shared by participants.
    """
    return collect_spaces(RECIPE, output_dir, choice or Choice(), _checked)


def _checked(
    space: str,
    entities: Mapping[str, str],
    kept: list[ParticipantResult],
    reasons: Reasons,
) -> GroupInputs:
    """Look at the files of each participant, and refuse mixtures."""
    refuse_mixed_settings(kept, space)
    complete, columns, kind = [], {}, None
    for item in kept:
        try:
            kind, columns[item.subject] = _layers(item)
        except InputMissingError as error:
            reasons[item.subject] = str(error)
            continue
        complete.append(item)
    if kind is None:
        raise nobody_left(space, reasons)
    refuse_mixture(
        complete, lambda item: columns[item.subject], "layers", space, error=InputInvalidError
    )
    models, lags = columns[complete[0].subject]
    inputs = GroupInputs(
        RECIPE,
        space,
        entities,
        kind,
        tuple(complete),
        tuple(sorted(reasons.items())),
        tuple(version_problems(complete[0].output_dir, complete)),
        models=dict(models),
        lags=lags,
    )
    model = next(iter(inputs.models))
    maps = [inputs.scores(one, model, "positive") for one in inputs.participants]
    check_same_units(maps, kind)
    return inputs


def _layers(
    participant: ParticipantResult,
) -> tuple[ImageKind, tuple[tuple[tuple[str, tuple[str, ...]], ...], tuple[str, ...]]]:
    """Kind of image, layers of each network and sets of lags of a complete participant.

    Raises
    ------
    InputMissingError
        If a score map or its sidecar is missing.
    """
    settings = participant.summary.get("settings", {})
    lags = ("positive", "negative") if settings.get("control_lags_s") else ("positive",)
    kind = _kind(participant, settings["networks"][0])
    extension = MAP_EXTENSIONS[kind]
    models = []
    for model in settings["networks"]:
        names: list[tuple[str, ...]] = []
        for label in lags:
            entities = {"model": model, "stat": "r", "desc": label}
            for path in participant.image(entities, "statmap", extension):
                content = read_json(path.with_name(path.name.removesuffix(extension) + ".json"))
                if not path.is_file() or not isinstance(content, Mapping):
                    msg = f"{path.name} or its sidecar is missing"
                    raise InputMissingError(msg)
                names.append(tuple(content.get("Columns", ())))
        if len(set(names)) != 1:
            msg = f"its maps of {model} have different layers"
            raise InputMissingError(msg)
        models.append((str(model), names[0]))
    return kind, (tuple(models), lags)


def _kind(participant: ParticipantResult, model: str) -> ImageKind:
    entities = {"model": model, "stat": "r", "desc": "positive"}
    for kind, extension in MAP_EXTENSIONS.items():
        if participant.image(entities, "statmap", extension)[0].is_file():
            return kind
    msg = f"no map of its scores with {model}"
    raise InputMissingError(msg)
