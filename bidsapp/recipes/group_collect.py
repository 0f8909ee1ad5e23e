"""Find finished participants of a recipe and refuse to mix what does not belong together."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bidsapp.bids.names import parse_name
from bidsapp.bids.records import Problem
from bidsapp.bids.results import summary_files
from bidsapp.bids.sidecars import read_json
from bidsapp.config import Config
from bidsapp.errors import InputInvalidError, InputMissingError, OutputError
from bidsapp.recipes.group_inputs import GroupInputs, ParticipantResult, summary_label

EXCLUDED = "excluded by request"
NOT_ASKED = "not among the participants asked for"
_INDIVIDUAL = ("", "T1w", "fsnative")
SpaceKey = tuple[tuple[str, str], ...]
Reasons = dict[str, str]
G = TypeVar("G", bound=GroupInputs)
Complete = Callable[[str, Mapping[str, str], list[ParticipantResult], Reasons], G]


@dataclass(frozen=True)
class Choice:
    """Which spaces and participants a group is made of.

    Attributes
    ----------
    spaces
        As runs or results spell them; empty for all.
    participants, excluded
        Labels to take (empty for all) and to leave out.
    expected
        Labels of the dataset: those without results are listed as missing.
    """

    spaces: Sequence[str] = ()
    participants: Sequence[str] = ()
    excluded: Sequence[str] = ()
    expected: Sequence[str] = ()

    @classmethod
    def of(cls, config: Config, subjects: Sequence[str]) -> Choice:
        """Return what the command line asks for, among the participants of the dataset."""
        spaces = () if config.space == ("auto",) else config.space
        return cls(spaces, config.participant_label, config.exclude_participant_label, subjects)


def collect_spaces(
    recipe: str, output_dir: Path, choice: Choice, complete: Complete[G]
) -> list[G]:
    """Find the participants of each space, checked to belong together.

    Parameters
    ----------
    recipe
        Whose results to look for.
    output_dir
        Output folder of the participant level.
    choice
        Spaces and participants.
    complete
        ``(space, entities, participants, reasons) → GroupInputs`` of the recipe: looks at the
        files of each participant and refuses mixtures; may move participants to ``reasons``.

    Returns
    -------
    list of GroupInputs
        One per space, in the order of their names.

    Raises
    ------
    InputMissingError
        If there is no result, or a wanted space or participant has none.
    InputInvalidError
        If no space is shared by participants.
    """
    found = _find(output_dir, recipe)
    failed = _failures(output_dir, recipe)
    everyone = {path.name.removeprefix("sub-") for path in output_dir.glob("sub-*/")}
    everyone |= {subject for subject, _ in failed} | set(choice.expected)
    unknown = sorted(set(choice.participants) - everyone)
    if unknown:
        msg = f"{output_dir}: no results of {names_of(unknown)}; run the participant level first"
        raise InputMissingError(msg)
    groups = []
    for key in _choose_spaces(output_dir, found, choice.spaces):
        here = {item.subject: item for item in found[key]}
        space = str(found[key][0].summary.get("space", ""))
        reasons: Reasons = {}
        for subject in sorted(everyone | set(here)):
            reason = _why_not(subject, here, space, failed, choice)
            if reason:
                reasons[subject] = reason
        kept = [item for subject, item in sorted(here.items()) if subject not in reasons]
        groups.append(complete(space, dict(key), kept, reasons))
    return groups


def _find(output_dir: Path, recipe: str) -> dict[SpaceKey, list[ParticipantResult]]:
    """Find the summaries of finished participants by space."""
    found: dict[SpaceKey, list[ParticipantResult]] = defaultdict(list)
    for path in summary_files(output_dir, summary_label(recipe)):
        summary = read_json(path)
        if not isinstance(summary, Mapping) or summary.get("recipe") != recipe:
            continue
        entities = dict(parse_name(path).entities)
        subject = entities.pop("sub")
        entities.pop("desc")
        key = tuple(entities.items())
        found[key].append(ParticipantResult(subject, output_dir, entities, summary))
    if not found:
        msg = (
            f"{output_dir} holds no finished participant of {recipe}; run the participant level "
            "first"
        )
        raise InputMissingError(msg)
    return dict(found)


def _failures(output_dir: Path, recipe: str) -> dict[tuple[str, str], str]:
    """Participant and space (empty: all) of the units whose last run failed, and why."""
    failures = {}
    for path in sorted((output_dir / "logs" / "jobs").glob("*.json")):
        try:
            record: Any = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if not isinstance(record, dict) or record.get("recipe") != recipe:
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
    choice: Choice,
) -> str:
    """Say why a participant does not take part; empty if it does."""
    if subject in choice.excluded:
        return EXCLUDED
    if choice.participants and subject not in choice.participants:
        return NOT_ASKED
    failure = failed.get((subject, space)) or failed.get((subject, ""))
    if failure:
        return failure
    return "" if subject in here else "no finished results in this space"


def refuse_mixed_settings(participants: Sequence[ParticipantResult], space: str) -> None:
    """Refuse participants with different settings, weights or seeds.

    Raises
    ------
    OutputError
        Names who has what.
    """
    refuse_mixture(participants, lambda item: item.configuration_hash, "configuration", space)
    refuse_mixture(participants, _weights, "weights", space)
    refuse_mixture(participants, _seed, "random seed", space)


def _weights(participant: ParticipantResult) -> Hashable:
    """Provenance of the networks' weights."""
    return json.dumps(participant.summary.get("weights", {}), sort_keys=True)


def _seed(participant: ParticipantResult) -> Hashable:
    return str(participant.summary.get("config", {}).get("random_seed", ""))


def nobody_left(space: str, reasons: Reasons) -> InputMissingError:
    """Return the error that says why each participant is incomplete."""
    listed = "".join(f"\n  sub-{subject}: {why}" for subject, why in sorted(reasons.items()))
    return InputMissingError(f"no participant of space {space} is complete{listed}")


def refuse_mixture(
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
        f"{names_of(subjects)} ({_short(key, number)})"
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


def names_of(subjects: Iterable[str]) -> str:
    """List participants as ``sub-01 sub-02``."""
    return " ".join(f"sub-{subject}" for subject in subjects)


def version_problems(output_dir: Path, participants: Sequence[ParticipantResult]) -> list[Problem]:
    """Say so when participants were analysed by different versions."""
    groups: dict[str, list[str]] = defaultdict(list)
    for item in participants:
        groups[str(item.summary.get("version", "unknown"))].append(item.subject)
    if len(groups) < 2:
        return []
    parts = "; ".join(f"{version}: {names_of(subjects)}" for version, subjects in groups.items())
    what = f"participants were analysed by different versions of musicotopy ({parts})"
    return [Problem(output_dir, what, "run them all with one version if results look uneven")]
