"""Find finished participants and refuse to mix what does not belong together."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bidsapp.bids.names import parse_name
from bidsapp.bids.records import ImageKind, Problem
from bidsapp.bids.sidecars import read_json
from bidsapp.errors import InputInvalidError, InputMissingError, OutputError
from bidsapp.recipes.gradients.group.units import check_same_units
from bidsapp.recipes.group_inputs import GroupInputs, ParticipantResult

RECIPE = "gradients"
EXCLUDED = "excluded by request"
NOT_ASKED = "not among the participants asked for"
_KINDS: dict[str, ImageKind] = {
    ".func.gii": "gifti",
    ".dscalar.nii": "cifti",
    ".nii.gz": "volume",
}
_INDIVIDUAL = ("", "T1w", "fsnative")
SpaceKey = tuple[tuple[str, str], ...]


def collect_group(
    output_dir: Path,
    *,
    spaces: Sequence[str] = (),
    participants: Sequence[str] = (),
    excluded: Sequence[str] = (),
    expected: Sequence[str] = (),
) -> list[GroupInputs]:
    """Find the participants of each space, checked to belong together.

    Parameters
    ----------
    output_dir
        Output folder of the participant level.
    spaces
        Spaces to analyse, as runs or results spell them; empty for all.
    participants, excluded
        Labels to take (empty for all) and to leave out.
    expected
        Labels of the dataset: those without results are listed as missing.

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
    found = _find(output_dir)
    failed = _failures(output_dir)
    everyone = {path.name.removeprefix("sub-") for path in output_dir.glob("sub-*/")}
    everyone |= {subject for subject, _ in failed} | set(expected)
    unknown = sorted(set(participants) - everyone)
    if unknown:
        msg = f"{output_dir}: no results of {_names(unknown)}; run the participant level first"
        raise InputMissingError(msg)
    chosen = _choose_spaces(output_dir, found, spaces)
    groups = []
    for key in chosen:
        here = {item.subject: item for item in found[key]}
        space = str(found[key][0].summary.get("space", ""))
        reasons: dict[str, str] = {}
        for subject in sorted(everyone | set(here)):
            reason = _why_not(subject, here, space, failed, participants, excluded)
            if reason:
                reasons[subject] = reason
        kept = [item for subject, item in sorted(here.items()) if subject not in reasons]
        groups.append(_checked(output_dir, space, dict(key), kept, reasons))
    return _one_projection(output_dir, groups)


def _find(output_dir: Path) -> dict[SpaceKey, list[ParticipantResult]]:
    """Find the summaries of finished participants by space."""
    found: dict[SpaceKey, list[ParticipantResult]] = defaultdict(list)
    for path in sorted(output_dir.glob("sub-*/func/sub-*_desc-summary_stats.json")):
        summary = read_json(path)
        if not isinstance(summary, Mapping) or summary.get("recipe") != RECIPE:
            continue
        entities = dict(parse_name(path).entities)
        subject = entities.pop("sub")
        entities.pop("desc")
        key = tuple(entities.items())
        found[key].append(ParticipantResult(subject, output_dir, entities, summary))
    if not found:
        msg = f"{output_dir} holds no finished participant; run the participant level first"
        raise InputMissingError(msg)
    return dict(found)


def _failures(output_dir: Path) -> dict[tuple[str, str], str]:
    """Participant and space (empty: all) of the units whose last run failed, and why."""
    failures = {}
    for path in sorted((output_dir / "logs" / "units").glob("*.json")):
        try:
            record: Any = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if not isinstance(record, dict) or record.get("recipe") != RECIPE:
            continue
        if record.get("level") != "participant":
            continue
        key = str(record.get("subject", "")), str(record.get("space", ""))
        missing = [name for name in record.get("outputs", ()) if not (output_dir / name).is_file()]
        if record.get("state") == "failed":
            failures[key] = f"its last run failed: {record.get('reason') or 'no reason recorded'}"
        elif missing:
            failures[key] = f"{len(missing)} of its files are gone, {missing[0]} among them"
    return failures


def _choose_spaces(
    output_dir: Path, found: Mapping[SpaceKey, Sequence[ParticipantResult]], wanted: Sequence[str]
) -> list[SpaceKey]:
    names = {key: {dict(key).get("space", ""), *map(_run_space, found[key])} for key in found}
    unknown = sorted(set(wanted) - set().union(*names.values()))
    if unknown:
        known = ", ".join(sorted(set().union(*names.values())))
        msg = f"{output_dir} holds no results in space {' '.join(unknown)}; it has {known}"
        raise InputMissingError(msg)
    chosen = [key for key in sorted(found) if not wanted or names[key] & set(wanted)]
    shared = [key for key in chosen if dict(key).get("space", "") not in _INDIVIDUAL]
    if not shared or (wanted and shared != chosen):
        msg = (
            f"{output_dir}: maps in each participant's own space cannot be averaged; run the "
            "participant level with --space fsaverage5, fsLR or an MNI template"
        )
        raise InputInvalidError(msg)
    return shared


def _run_space(participant: ParticipantResult) -> str:
    return str(participant.summary.get("space", ""))


def _why_not(
    subject: str,
    here: Mapping[str, ParticipantResult],
    space: str,
    failed: Mapping[tuple[str, str], str],
    participants: Sequence[str],
    excluded: Sequence[str],
) -> str:
    """Say why a participant does not take part; empty if it does."""
    if subject in excluded:
        return EXCLUDED
    if participants and subject not in participants:
        return NOT_ASKED
    failure = failed.get((subject, space)) or failed.get((subject, ""))
    if failure:
        return failure
    return "" if subject in here else "no finished results in this space"


def _checked(
    output_dir: Path,
    space: str,
    entities: Mapping[str, str],
    kept: list[ParticipantResult],
    reasons: dict[str, str],
) -> GroupInputs:
    """Look at the files of each participant, and refuse mixtures."""
    _refuse_mixture(kept, lambda item: item.configuration_hash, "configuration", space)
    _refuse_mixture(kept, _weights, "weights", space)
    _refuse_mixture(kept, _seed, "random seed", space)
    complete, columns, kind = [], {}, None
    for item in kept:
        try:
            kind, columns[item.subject] = _layers(item)
        except InputMissingError as error:
            reasons[item.subject] = str(error)
            continue
        complete.append(item)
    if kind is None:
        listed = "".join(f"\n  sub-{subject}: {why}" for subject, why in sorted(reasons.items()))
        msg = f"{output_dir}: no participant of space {space} is complete{listed}"
        raise InputMissingError(msg)
    _refuse_mixture(
        complete, lambda item: columns[item.subject], "layers", space, error=InputInvalidError
    )
    models, lags = columns[complete[0].subject]
    problems = _versions(output_dir, complete)
    inputs = GroupInputs(
        RECIPE,
        space,
        entities,
        kind,
        dict(models),
        lags,
        tuple(complete),
        tuple(sorted(reasons.items())),
        tuple(problems),
    )
    check_same_units(inputs)
    return inputs


def _one_projection(output_dir: Path, groups: list[GroupInputs]) -> list[GroupInputs]:
    """Say so when volumes of several templates would be projected under the same names."""
    volumes = [group.space for group in groups if group.kind == "volume"]
    if len(volumes) < 2:
        return groups
    what = f"maps of {' and '.join(volumes)} are projected to fsaverage5 under the same names"
    problem = Problem(output_dir, what, "only the last are kept; analyse one --space for both")
    return [
        dataclasses.replace(group, problems=(*group.problems, problem))
        if group.kind == "volume"
        else group
        for group in groups
    ]


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
    extension = next(key for key, value in _KINDS.items() if value == kind)
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
    for extension, kind in _KINDS.items():
        if participant.image(entities, "statmap", extension)[0].is_file():
            return kind
    msg = f"no map of its scores with {model}"
    raise InputMissingError(msg)


def _weights(participant: ParticipantResult) -> Hashable:
    """Provenance of the networks' weights."""
    return json.dumps(participant.summary.get("weights", {}), sort_keys=True)


def _seed(participant: ParticipantResult) -> Hashable:
    return str(participant.summary.get("config", {}).get("random_seed", ""))


def _refuse_mixture(
    participants: Iterable[ParticipantResult],
    value: Callable[[ParticipantResult], Hashable],
    what: str,
    space: str,
    *,
    error: type[OutputError | InputInvalidError] = OutputError,
) -> None:
    """Refuse participants that differ, naming who has what."""
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for item in participants:
        groups[value(item)].append(item.subject)
    if len(groups) < 2:
        return
    ordered = sorted(groups.items(), key=lambda pair: -len(pair[1]))
    parts = [
        f"{_names(subjects)} ({_short(key, number)})"
        for number, (key, subjects) in enumerate(ordered, start=1)
    ]
    msg = (
        f"space {space}: participants differ in {what}: {'; '.join(parts)}; run the participant "
        "level of the fewer again with the others' settings and --overwrite, or exclude them"
    )
    raise error(msg)


def _short(key: Hashable, number: int) -> str:
    """Show a short value itself, and number long ones."""
    return key if isinstance(key, str) and len(key) <= 16 else f"version {number}"


def _names(subjects: Iterable[str]) -> str:
    return " ".join(f"sub-{subject}" for subject in subjects)


def _versions(output_dir: Path, participants: Sequence[ParticipantResult]) -> list[Problem]:
    groups: dict[str, list[str]] = defaultdict(list)
    for item in participants:
        groups[str(item.summary.get("version", "unknown"))].append(item.subject)
    if len(groups) < 2:
        return []
    parts = "; ".join(f"{version}: {_names(subjects)}" for version, subjects in groups.items())
    what = f"participants were analysed by different versions of musicotopy ({parts})"
    return [Problem(output_dir, what, "run them all with one version if results look uneven")]
