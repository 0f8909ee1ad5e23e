"""Find finished participants of `rsa` and check that they heard the same clips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.records import ImageKind
from bidsapp.bids.sidecars import read_json
from bidsapp.bids.tables import Table, read_table
from bidsapp.brain.units import check_same_units
from bidsapp.config import Config
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.recipes.group_collect import (
    Choice,
    Reasons,
    collect_spaces,
    names_of,
    nobody_left,
    refuse_mixed_settings,
    refuse_mixture,
    version_problems,
)
from bidsapp.recipes.group_inputs import MAP_EXTENSIONS, ParticipantResult
from bidsapp.recipes.rsa.group.inputs import GroupInputs, items_file, models_file

RECIPE = "rsa"
Models = tuple[tuple[str, tuple[str, ...]], ...]


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
        If their clips, items, layers, meshes or grids differ, or no space is shared.
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
    complete, models, clips, kinds = [], {}, {}, {}
    for item in kept:
        try:
            kinds[item.subject] = _kind(item)
            models[item.subject] = _layers(item, MAP_EXTENSIONS[kinds[item.subject]])
            clips[item.subject] = item_clips(item)
        except InputMissingError as error:
            reasons[item.subject] = str(error)
            continue
        complete.append(item)
    if not complete:
        raise nobody_left(space, reasons)
    refuse_mixture(
        complete, lambda item: models[item.subject], "layers", space, error=InputInvalidError
    )
    _refuse_other_clips(clips, space)
    first = complete[0]
    inputs = GroupInputs(
        RECIPE,
        space,
        entities,
        kinds[first.subject],
        tuple(complete),
        tuple(sorted(reasons.items())),
        tuple(version_problems(first.output_dir, complete)),
        models=dict(models[first.subject]),
    )
    check_same_units([inputs.sizes(one) for one in inputs.participants], inputs.kind)
    return inputs


def item_clips(participant: ParticipantResult) -> tuple[str, ...]:
    """Return the clip of each item of a participant.

    Raises
    ------
    InputMissingError
        If the table of items is missing or not readable.
    """
    table = read_table(items_file(participant))
    if not isinstance(table, Table) or "clip" not in table.columns or not table.rows:
        msg = f"{items_file(participant).name} is missing or has no items"
        raise InputMissingError(msg)
    return tuple(row["clip"] for row in table.rows)


def _refuse_other_clips(clips: Mapping[str, tuple[str, ...]], space: str) -> None:
    """Refuse participants whose items are of other clips than most others'."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for subject, found in clips.items():
        groups[found].append(subject)
    if len(groups) < 2:
        return
    (usual, many), *others = sorted(groups.items(), key=lambda pair: -len(pair[1]))
    parts = [f"{names_of(few)} {_difference(found, usual)}" for found, few in others]
    msg = (
        f"space {space}: participants have different items: unlike {names_of(many)} with "
        f"{len(usual)} items of {len(set(usual))} clips, {'; '.join(parts)}; exclude the fewer, "
        "or run the participant level for all with the clips (and rsa.clip_s) that they have in "
        "common"
    )
    raise InputInvalidError(msg)


def _difference(found: tuple[str, ...], usual: tuple[str, ...]) -> str:
    lacking, extra = sorted(set(usual) - set(found)), sorted(set(found) - set(usual))
    parts = [
        f"{verb} {' '.join(names[:5])}{' …' if len(names) > 5 else ''}"
        for verb, names in (("lacks", lacking), ("adds", extra))
        if names
    ]
    return " and ".join(parts) or f"has {len(found)} items of the same clips"


def _kind(participant: ParticipantResult) -> ImageKind:
    """Kind of image of a participant whose patterns and searchlights are there."""
    for kind, extension in MAP_EXTENSIONS.items():
        found = [
            path
            for stat in ("pattern", "size")
            for path in participant.image({"stat": stat, "desc": "rsa"}, "statmap", extension)
        ]
        if all(path.is_file() for path in found):
            return kind
    msg = "no maps of its patterns (stat-pattern_desc-rsa) and searchlights (stat-size_desc-rsa)"
    raise InputMissingError(msg)


def _layers(participant: ParticipantResult, extension: str) -> Models:
    """Layers of each network of a complete participant.

    Raises
    ------
    InputMissingError
        If a score map, its sidecar or the model RDMs are missing.
    """
    models = []
    for model in participant.summary.get("settings", {}).get("networks", ()):
        names: set[tuple[str, ...]] = set()
        entities = {"model": model, "stat": "rho", "desc": "rsa"}
        for path in participant.image(entities, "statmap", extension):
            content = read_json(path.with_name(path.name.removesuffix(extension) + ".json"))
            if not path.is_file() or not isinstance(content, Mapping):
                msg = f"{path.name} or its sidecar is missing"
                raise InputMissingError(msg)
            names.add(tuple(content.get("Columns", ())))
        if not models_file(participant, model).is_file():
            msg = f"{models_file(participant, model).name} is missing"
            raise InputMissingError(msg)
        if len(names) != 1:
            msg = f"its maps of {model} have different layers"
            raise InputMissingError(msg)
        models.append((str(model), names.pop()))
    if not models:
        raise InputMissingError("its summary names no network")
    return tuple(models)
