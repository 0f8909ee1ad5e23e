"""Find the finished participants of a recipe and refuse to mix what does not belong together.

Which files must be there, and which tables alike, the results declare (`required`, `same`).
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.records import ImageKind, Problem
from bidsapp.config import Config
from bidsapp.errors import AppError, InputInvalidError, InputMissingError, OutputError
from bidsapp.recipes import load_function
from bidsapp.recipes.base.inputs import JobInputs, collect_participant
from bidsapp.recipes.base.recipe import Recipe
from bidsapp.recipes.base.settings import override
from bidsapp.results.kinds import Maps, Table, expand
from bidsapp.results.read import APART, Results, Space, finished, read_json
from bidsapp.text import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXCLUDED = "excluded by request"
NOT_ASKED = "not among the participants asked for"
_INDIVIDUAL = ("", "T1w", "fsnative")
_CONFIG_OF_VOLUMES = ("confounds", "high_pass_hz", "smoothing_fwhm_mm", "random_seed")
Reasons = dict[str, str]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class GroupInputs:
    """The input of the group level in one space.

    Attributes
    ----------
    recipe
        Whose results these are.
    space
        As the runs spell it.
    at
        As the names of the results spell it.
    kind
        Of image.
    participants
        Their results, sorted by label.
    left_out
        (label, reason) of everyone else.
    problems
        What does not forbid the analysis but has to be said.
    members
        Label → what was collected of the participant again, if the recipe's group level reads
        BOLD.
    shared_files
        Atlases and maps of the cortex that are used, as far as they are on this machine.
    """

    recipe: Recipe
    space: str
    at: Space
    kind: ImageKind
    participants: tuple[Results, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    problems: tuple[Problem, ...] = ()
    members: Mapping[str, Any] = field(default_factory=dict)
    shared_files: tuple[Path, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Labels of the participants."""
        return tuple(item.subject for item in self.participants)

    @property
    def not_chosen(self) -> tuple[tuple[str, str], ...]:
        """(label, reason) of those who are left out although nobody asked for it."""
        return tuple(item for item in self.left_out if item[1] not in (EXCLUDED, NOT_ASKED))

    @property
    def network_facts(self) -> Mapping[str, Mapping[str, Any]]:
        """Network → ``layers``, those apart, and ``weights``; from the first participant."""
        wanted = ("layers", APART, "weights")
        facts = {name: self.participants[0].network(name, self.at) for name in self.networks}
        return {name: {key: of[key] for key in wanted if key in of} for name, of in facts.items()}

    def competes(self, network: str) -> NDArray[np.bool_]:
        """(n_layers,) whether each layer of a network may be the best one."""
        return self.participants[0].competes(network, self.at)

    @property
    def networks(self) -> Mapping[str, tuple[str, ...]]:
        """Network → names of its layers, the same for all participants."""
        first = self.participants[0]
        return {name: first.layers(name, self.at) for name in first.networks(self.at)}

    @property
    def configuration_hash(self) -> str:
        """Hash of the settings that all participants were analysed with."""
        return str(self.participants[0].facts(self.at)["ConfigurationHash"])

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Everything the group level reads."""
        required = [item for item in expand(self.recipe.results) if item.required]
        paths: set[Path] = set()
        for participant in self.participants:
            paths.update(participant.files(participant.summary, self.at))
            for result in required:
                networks = participant.networks(self.at) if result.by_network else ("",)
                for network in networks:
                    paths.update(participant.files(result, self.at, network))
        for member in self.members.values():
            paths.update(member.files)
        return tuple(sorted(paths))

    def identity(self) -> str:
        """Hash of who takes part and of all files (name, size, time of change)."""
        digest = hashlib.blake2b(digest_size=8)
        identity = (self.recipe.name, self.space, self.subjects, self.left_out)
        digest.update(repr(identity).encode())
        for path in (*self.files, *self.shared_files):
            stat = path.stat()
            digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        for member in self.members.values():
            digest.update(member.identity().encode())
        return digest.hexdigest()

    def overview(self) -> str:
        """Say who takes part and who does not, for ``--dry-run``."""
        lines = [f"{counted(len(self.participants), 'participant')}: {' '.join(self.subjects)}"]
        lines += [f"left out: {subject} ({reason})" for subject, reason in self.left_out]
        lines += [f"sub-{subject}: {item.brief()}" for subject, item in self.members.items()]
        return "\n".join(lines)


def collect_group(
    recipe: Recipe, dataset: Dataset, subjects: Sequence[str], config: Config
) -> list[GroupInputs]:
    """Find the participants of each space, checked to belong together.

    Parameters
    ----------
    recipe
        Declares what must be there.
    dataset
        Read again only if the recipe's group level reads BOLD.
    subjects
        Labels of the dataset: those without results are listed as missing.
    config
        Output folder, spaces, participants wanted and left out.

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
        If layers, meshes, grids or tables that must be the same differ, or no space is shared.
    """
    root = config.output_dir
    results = {
        label: Results(root, recipe.name, recipe.results, label)
        for label in finished(root, recipe.name)
    }
    if not results:
        msg = (
            f"{root} holds no finished participant of {recipe.name}; run the participant level "
            "first"
        )
        raise InputMissingError(msg)
    failures = _failures(root, recipe.name)
    everyone = {path.name.removeprefix("sub-") for path in root.glob("sub-*/")}
    everyone |= {subject for subject, _ in failures} | set(subjects)
    unknown = sorted(set(config.participant_label) - everyone)
    if unknown:
        msg = f"{root}: no results of {names_of(unknown)}; run the participant level first"
        raise InputMissingError(msg)
    groups = []
    for at, space in _choose_spaces(root, results, config):
        reasons: Reasons = {}
        for subject in sorted(everyone):
            there = subject in results and at in results[subject].spaces
            reason = _why_not(subject, there, space, failures, config)
            if reason:
                reasons[subject] = reason
        kept = [results[subject] for subject in sorted(results) if subject not in reasons]
        groups.append(_complete(recipe, dataset, config, at, space, kept, reasons))
    return groups


def _complete(
    recipe: Recipe,
    dataset: Dataset,
    config: Config,
    at: Space,
    space: str,
    kept: Sequence[Results],
    reasons: Reasons,
) -> GroupInputs:
    """Look at the files of each participant, and refuse mixtures."""
    _refuse_mixed_settings(kept, at)
    complete, members = [], {}
    for item in kept:
        absent = item.missing(at)
        if absent:
            reasons[item.subject] = f"its {', '.join(absent)} is missing"
            continue
        if recipe.group_reads_inputs:
            try:
                members[item.subject] = _collect_again(recipe, dataset, config, item, at)
            except AppError as error:
                reasons[item.subject] = f"its BOLD or labels are not as they were: {error}"
                continue
        complete.append(item)
    if len(complete) < recipe.least_participants:
        raise _too_few(at, len(complete), recipe.least_participants, reasons)
    refuse_mixture(
        complete,
        lambda item: json.dumps([(name, item.layers(name, at)) for name in item.networks(at)]),
        "layers",
        at,
        error=InputInvalidError,
    )
    for result in expand(recipe.results):
        if isinstance(result, Table) and result.same:
            _refuse_other_rows(result, complete, at)
    kind = complete[0].kind(at)
    if kind is None:
        msg = f"{complete[0].folder} holds no maps in {at.title}; run the participant level again"
        raise InputMissingError(msg)
    inputs = GroupInputs(
        recipe,
        space,
        at,
        kind,
        tuple(complete),
        tuple(sorted(reasons.items())),
        tuple(_version_problems(config.output_dir, complete, at)),
        members,
    )
    _check_units(inputs)
    if not recipe.group_files:
        return inputs
    settings = recipe.group_settings(config)
    shared_files = load_function(recipe.group_files)(inputs, settings, config)
    return replace(inputs, shared_files=tuple(shared_files))


def _check_units(inputs: GroupInputs) -> None:
    """Refuse participants on another mesh or grid than the first."""
    from bidsapp.brain.units import check_same_units

    for result in expand(inputs.recipe.results):
        if not (isinstance(result, Maps) and result.required):
            continue
        network = next(iter(inputs.networks), "") if result.by_network else ""
        images = [
            tuple(
                path for path in item.files(result, inputs.at, network) if path.suffix != ".json"
            )
            for item in inputs.participants
        ]
        check_same_units(images, inputs.kind)
        return


def participant_settings(recipe: Recipe, results: Results, space: Space) -> Any:
    """Return the settings that a participant was analysed with."""
    variant = str(results.facts(space)["variant"])
    return override(recipe.variants[variant], recipe.name, results.facts(space)["settings"])


def _collect_again(
    recipe: Recipe, dataset: Dataset, config: Config, results: Results, at: Space
) -> JobInputs:
    """Collect the input of a participant again; it has to be what the results were made from."""
    facts = results.facts(at)
    stored = {name: facts["config"][name] for name in _CONFIG_OF_VOLUMES}
    inputs = collect_participant(
        recipe,
        dataset,
        results.subject,
        str(facts["space"]),
        replace(config, **stored),
        participant_settings(recipe, results, at),
    )
    before = [str(run["name"]) for run in facts["runs"]]
    now = [run.name for run in getattr(inputs, "runs", ())]
    if now != before:
        msg = (
            f"runs {', '.join(now)} were found, its results are of {', '.join(before)}; give the "
            "same filters as at the participant level"
        )
        raise InputMissingError(msg)
    return inputs


def _failures(root: Path, recipe: str) -> dict[tuple[str, str], str]:
    """Participant and space (empty: all) of the jobs whose last run failed, and why."""
    failures = {}
    for path in sorted((root / "logs" / "jobs").glob("*.json")):
        try:
            record = read_json(path)
        except InputInvalidError:
            continue
        if record.get("recipe") != recipe or record.get("level") != "participant":
            continue
        key = str(record.get("subject", "")), str(record.get("space", ""))
        missing = [name for name in record.get("outputs", ()) if not (root / name).is_file()]
        if record.get("state") == "failed":
            failures[key] = f"its last run failed: {record.get('reason') or 'no reason recorded'}"
        elif missing:
            failures[key] = f"{len(missing)} of its files are gone, {missing[0]} among them"
    return failures


def _choose_spaces(
    root: Path, results: Mapping[str, Results], config: Config
) -> list[tuple[Space, str]]:
    """Return the spaces to analyse, as the results and as the runs spell them."""
    wanted = set() if config.space == ("auto",) else set(config.space)
    spelled: dict[Space, str] = {}
    for item in results.values():
        for at in item.spaces:
            spelled.setdefault(at, str(item.facts(at).get("space", "")))
    names = {at: {at.space, space} for at, space in spelled.items()}
    unknown = sorted(wanted - set().union(*names.values()))
    if unknown:
        known = ", ".join(sorted(set().union(*names.values()) - {""}))
        msg = f"{root} holds no results in space {' '.join(unknown)}; it has {known}"
        raise InputMissingError(msg)
    chosen = sorted(
        (at for at in names if not wanted or names[at] & wanted), key=lambda at: at.anchor
    )
    shared = [at for at in chosen if at.space not in _INDIVIDUAL]
    if not shared or (wanted and shared != chosen):
        msg = (
            f"{root}: maps in each participant's own space cannot be averaged; run the "
            "participant level with --space fsaverage5, fsLR or an MNI template"
        )
        raise InputInvalidError(msg)
    return [(at, spelled[at]) for at in shared]


def _why_not(
    subject: str, there: bool, space: str, failures: Mapping[tuple[str, str], str], config: Config
) -> str:
    """Say why a participant does not take part; empty if it does."""
    if subject in config.exclude_participant_label:
        return EXCLUDED
    if config.participant_label and subject not in config.participant_label:
        return NOT_ASKED
    failure = failures.get((subject, space)) or failures.get((subject, ""))
    if failure:
        return failure
    return "" if there else "no finished results in this space"


def _refuse_mixed_settings(participants: Sequence[Results], at: Space) -> None:
    """Refuse participants with different settings, weights or seeds."""

    def weights(item: Results) -> str:
        networks = {name: item.network(name, at).get("weights") for name in item.networks(at)}
        return json.dumps(networks, sort_keys=True)

    refuse_mixture(
        participants, lambda item: str(item.facts(at)["ConfigurationHash"]), "configuration", at
    )
    refuse_mixture(participants, weights, "weights", at)
    refuse_mixture(
        participants, lambda item: str(item.facts(at)["config"]["random_seed"]), "random seed", at
    )


def refuse_mixture(
    participants: Iterable[Results],
    value: Callable[[Results], Hashable],
    what: str,
    at: Space,
    *,
    error: type[OutputError | InputInvalidError] = OutputError,
) -> None:
    """Refuse participants that differ, naming who has what.

    Parameters
    ----------
    participants
        To compare.
    value
        What has to be the same.
    what
        Its name in the message.
    at
        The space.
    error
        Class of the error that is raised.
    """
    groups = _alike(participants, value)
    if not groups:
        return
    parts = [
        f"{names_of(subjects)} ({_short(key, number)})"
        for number, (key, subjects) in enumerate(groups, start=1)
    ]
    msg = (
        f"space {at.title}: participants differ in {what}: {'; '.join(parts)}; run the "
        "participant level of the fewer again with the others' settings and --overwrite, or "
        "exclude them"
    )
    raise error(msg)


def _alike(
    participants: Iterable[Results], value: Callable[[Results], K]
) -> list[tuple[K, list[str]]]:
    """Return who has which value, the most participants first; nothing where all have one."""
    groups: dict[K, list[str]] = defaultdict(list)
    for item in participants:
        groups[value(item)].append(item.subject)
    return sorted(groups.items(), key=lambda pair: -len(pair[1])) if len(groups) > 1 else []


def _refuse_other_rows(result: Table, participants: Sequence[Results], at: Space) -> None:
    """Refuse participants whose table differs from most others' in columns that must agree."""

    def content_of(item: Results) -> tuple[tuple[str, ...], ...]:
        rows = item.table(result, at)[list(result.same)].itertuples(index=False)
        return tuple(tuple(map(str, row)) for row in rows)

    groups = _alike(participants, content_of)
    if not groups:
        return
    (usual, many), *others = groups
    parts = [f"{names_of(few)} {_difference(content, usual)}" for content, few in others]
    fewer = " ".join(subject for _, few in others for subject in few)
    msg = (
        f"space {at.title}: participants differ in {result.title.lower()} "
        f"({', '.join(result.same)}): unlike {names_of(many)} with {len(usual)} rows, "
        f"{'; '.join(parts)}; exclude the fewer (--exclude-participant-label {fewer}), or run the "
        "participant level of all again without what some lack: its runs (--bids-filter-file), or "
        "its rows of events.tsv or presentations.tsv"
    )
    raise InputInvalidError(msg)


def _difference(content: Sequence[Sequence[str]], usual: Sequence[Sequence[str]]) -> str:
    lacking = sorted({" ".join(row) for row in set(usual) - set(content)})
    extra = sorted({" ".join(row) for row in set(content) - set(usual)})
    parts = [
        f"{verb} {' '.join(names[:5])}{' …' if len(names) > 5 else ''}"
        for verb, names in (("lacks", lacking), ("adds", extra))
        if names
    ]
    return " and ".join(parts) or f"has {len(content)} rows of the same content"


def _short(key: Hashable, number: int) -> str:
    """Show a short value itself, and number long ones."""
    return key if isinstance(key, str) and len(key) <= 16 else f"version {number}"


def _too_few(at: Space, n: int, least: int, reasons: Reasons) -> InputMissingError:
    listed = "".join(f"\n  sub-{subject}: {why}" for subject, why in sorted(reasons.items()))
    if not n:
        return InputMissingError(f"no participant of space {at.title} is complete{listed}")
    msg = (
        f"space {at.title}: {n} complete participant(s), the group level needs {least}; run the "
        f"participant level of more{listed}"
    )
    return InputMissingError(msg)


def names_of(subjects: Iterable[str]) -> str:
    """List participants as ``sub-01 sub-02``."""
    return " ".join(f"sub-{subject}" for subject in subjects)


def _version_problems(root: Path, participants: Sequence[Results], at: Space) -> list[Problem]:
    """Say so when participants were analysed by different versions."""
    groups = _alike(participants, lambda item: str(item.facts(at).get("version", "unknown")))
    if not groups:
        return []
    parts = "; ".join(f"{version}: {names_of(subjects)}" for version, subjects in groups)
    what = f"participants were analysed by different versions of musicotopy ({parts})"
    return [Problem(root, what, "run them all with one version if results look uneven")]
