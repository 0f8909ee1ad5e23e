"""The plan of a run: which jobs there are, what each needs, which are already done.

A job is one recipe × level × participant × space. The plan is data: it can be printed by
``--dry-run`` and executed anywhere.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bidsapp.bids.dataset import Dataset, open_dataset, participants
from bidsapp.bids.index import runs_left_out
from bidsapp.bids.near import near_text
from bidsapp.config import Config, configuration_hash, differences, read_toml
from bidsapp.errors import AppError, InputMissingError, OutputError, UsageError
from bidsapp.recipes import RECIPES, SETTINGS_TABLES, load_function
from bidsapp.recipes.base.cost import Cost
from bidsapp.recipes.base.group import collect_group
from bidsapp.recipes.base.inputs import (
    JobInputs,
    chosen_spaces,
    collect_participant,
    query_filters,
)


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes
    ----------
    name
        ``gradients_sub-01_space-fsaverage5``; also the name of its record.
    recipe, level, subject, space
        What it is.
    settings
        The recipe's complete settings.
    configuration_hash
        Hash of everything that changes results.
    inputs
        What was found for it; None when `error` says why nothing was.
    error
        Why it cannot run.
    left_out
        Runs of its tasks that lie there and are not part of it.
    weights
        Files of parameters that its networks are built from, and files that its settings name.
    number
        ``[2/5]`` among those that a run has to do.
    """

    name: str
    recipe: str
    level: str
    subject: str
    space: str
    settings: Any
    configuration_hash: str
    inputs: JobInputs | None = None
    error: AppError | None = None
    left_out: tuple[str, ...] = ()
    weights: tuple[Path, ...] = ()
    number: str = ""

    @property
    def whose(self) -> str:
        """Whose data, and in which space: ``[2/5] sub-02 · fsaverage5``."""
        who = f"sub-{self.subject}" if self.subject else "group"
        return " · ".join(filter(None, (f"{self.number} {who}".strip(), self.space)))

    def cost(self, config: Config) -> Cost | None:
        """Estimate what it will cost; None for a group, and for what cannot run."""
        if self.inputs is None or self.level != "participant":
            return None
        estimate = load_function(RECIPES[self.recipe].cost)
        cost: Cost = estimate(self.inputs, self.settings, config.of_one_worker())
        return cost

    @property
    def inputs_hash(self) -> str:
        """Hash of the job's input and of its networks' weights; empty when there is none."""
        if self.inputs is None:
            return ""
        identity = self.inputs.identity()
        if not self.weights:
            return identity
        files = [
            (path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in self.weights
        ]
        return hashlib.blake2b(f"{identity} {files}".encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Plan:
    """The jobs of a run, in order.

    Attributes
    ----------
    dataset
        The opened dataset.
    subjects
        Labels chosen.
    jobs
        What is to be done.
    configuration_hashes
        Recipe → hash of the settings of its participant level.
    """

    dataset: Dataset
    subjects: tuple[str, ...]
    jobs: tuple[Job, ...]
    configuration_hashes: Mapping[str, str] = field(default_factory=dict)


def select_participants(dataset: Dataset, config: Config) -> tuple[str, ...]:
    """Return the labels to analyse.

    Raises
    ------
    InputMissingError
        If a label does not exist (the known ones are listed) or none is left.
    """
    known = participants(dataset)
    for option in ("participant_label", "exclude_participant_label"):
        unknown = sorted(set(getattr(config, option)) - set(known))
        if unknown:
            near = near_text(unknown[0], known)
            msg = (
                f"--{option.replace('_', '-')} {' '.join(unknown)}: not in {config.bids_dir}"
                f"{near}; it has {' '.join(known) or 'no sub-* folder'}"
            )
            raise InputMissingError(msg)
    wanted = config.participant_label or known
    chosen = [label for label in known if label in wanted]
    chosen = [label for label in chosen if label not in config.exclude_participant_label]
    if not chosen:
        msg = f"{config.bids_dir}: no participant is left to analyse; it has {' '.join(known)}"
        raise InputMissingError(msg)
    return shard(tuple(chosen), config.shard) if config.shard is not None else tuple(chosen)


def shard(labels: tuple[str, ...], part: str) -> tuple[str, ...]:
    """Return part ``I/N`` of the participants: every N-th, from the I-th on.

    Raises
    ------
    UsageError
        If the text is no such part.
    """
    number, sign, total = part.partition("/")
    if not (sign and number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
        msg = f"--shard {part}: write I/N with I from 1 to N, for example 2/8"
        raise UsageError(msg)
    return labels[int(number) - 1 :: int(total)]


def make_plan(config: Config) -> Plan:
    """Find out what there is to do; nothing is computed.

    Raises
    ------
    AppError
        If the dataset cannot be opened or a participant does not exist. What is wrong with
        single participants stands in their jobs instead.
    """
    if config.shard is not None and "group" in config.analysis_level:
        msg = "--shard: the group level needs all participants; run it alone when they are done"
        raise UsageError(msg)
    dataset = open_dataset(config.bids_dir, config.derivatives)
    subjects = select_participants(dataset, config)
    jobs: list[Job] = []
    hashes: dict[str, str] = {}
    for name in config.recipe:
        recipe = RECIPES[name]
        recipe.group_settings(config)  # refuses what is wrong
        settings = recipe.settings(config)
        hashes[name] = configuration_hash(config, name, vars(settings))
        if "participant" in config.analysis_level:
            for subject in subjects:
                jobs += _participant_jobs(dataset, config, name, settings, hashes[name], subject)
    return Plan(dataset, subjects, tuple(jobs), hashes)


def _participant_jobs(
    dataset: Dataset, config: Config, recipe: str, settings: Any, code: str, subject: str
) -> list[Job]:
    jobs = []
    entry = RECIPES[recipe]
    try:
        spaces: Sequence[str] = chosen_spaces(dataset, subject, config, entry.kinds)
    except AppError as error:
        name = f"{recipe}_sub-{subject}"
        return [Job(name, recipe, "participant", subject, "", settings, code, error=error)]
    for space in spaces:
        inputs, problem = None, None
        try:
            inputs = collect_participant(entry, dataset, subject, space, config, settings)
        except AppError as error:
            problem = error
        left_out: tuple[str, ...] = ()
        if inputs is not None:
            runs = getattr(inputs, "runs", ())
            left_out = runs_left_out(dataset, subject, runs, query_filters(config))
        name = f"{recipe}_sub-{subject}_space-{space}"
        jobs.append(
            Job(
                *(name, recipe, "participant", subject, space, settings, code),
                inputs=inputs,
                error=problem,
                left_out=left_out,
            )
        )
    return jobs


def group_plan(plan: Plan, config: Config) -> Plan:
    """Plan the group level over the participants that are finished now.

    Parameters
    ----------
    plan
        The plan of the participant level; its dataset and participants are kept.
    config
        The run's configuration.

    Returns
    -------
    Plan
        One job per recipe and space. A recipe whose participants cannot be brought together
        has one job that says why.
    """
    jobs: list[Job] = []
    for name in config.recipe:
        recipe = RECIPES[name]
        settings = recipe.group_settings(config)
        try:
            groups = collect_group(recipe, plan.dataset, plan.subjects, config)
        except AppError as error:
            job = f"{name}_group"
            jobs.append(Job(job, name, "group", "", "", settings, "", error=error))
            continue
        for inputs in groups:
            basis = f"{name}-group-{inputs.configuration_hash}"
            code = configuration_hash(config, basis, vars(settings))
            job = f"{name}_group_space-{inputs.space}"
            jobs.append(Job(job, name, "group", "", inputs.space, settings, code, inputs))
    return dataclasses.replace(plan, jobs=tuple(jobs))


def check_configuration(
    recorded: Mapping[str, tuple[str, str]], plan: Plan, config: Config
) -> None:
    """Refuse to mix results of different configurations in one output folder.

    Parameters
    ----------
    recorded
        Job name → (recipe, configuration hash) of what the folder holds.
    plan
        What is about to run.
    config
        Its configuration. With ``overwrite``, jobs of the plan may replace results of other
        settings.

    Raises
    ------
    OutputError
        If results of another configuration would stand beside the new ones; the settings that
        differ are named.
    """
    renewed = {job.name for job in plan.jobs} if config.overwrite else set()
    for job, (recipe, code) in sorted(recorded.items()):
        wanted = plan.configuration_hashes.get(recipe)
        if wanted is not None and code != wanted and job not in renewed:
            differing = "; ".join(settings_that_differ(recipe, code, config))
            msg = (
                f"the output folder holds {job}, made with other settings ({differing}); choose "
                "another output folder, or pass --overwrite and all participants that are there"
            )
            raise OutputError(msg)


def settings_that_differ(recipe: str, code: str, config: Config) -> list[str]:
    """Name the settings in which results that exist differ from a configuration.

    Parameters
    ----------
    recipe, code
        Recipe, and the hash of the configuration that made the results.
    config
        What is wanted now; its output folder holds the results.

    Returns
    -------
    list of str
        As `bidsapp.config.differences`, or one sentence where that cannot be said.
    """
    try:
        values = read_toml(config.output_dir / "logs" / "config.toml", SETTINGS_TABLES)
        there = Config(**values)
        settings = vars(RECIPES[recipe].settings(there))
    except (AppError, TypeError):
        return [f"configuration {code}, which logs/config.toml no longer describes"]
    if configuration_hash(there, recipe, settings) != code:
        version = "files that they name have changed, or another version made the results"
        return [f"configuration {code}; logs/config.toml is of a later run, {version}"]
    return differences((there, settings), (config, vars(RECIPES[recipe].settings(config))), recipe)
