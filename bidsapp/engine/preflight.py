"""What is looked at before anything is computed, by a dry run and by a run alike.

`checked` sets the error of every job that would be refused once it runs, so that a run does not
begin it and a dry run says it; `refuse_before_start` raises what keeps the whole run from
starting; `verdict` puts both, and what it will need, into one line and a list.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bidsapp.bids.output_folder import refuse_output
from bidsapp.bids.records import Problem
from bidsapp.bids.staging import refuse_leftovers
from bidsapp.bids.survey_text import few_sounds
from bidsapp.config import Config
from bidsapp.engine.job_checks import NetworkChecks, job_error, named_files
from bidsapp.engine.plan import Job, Plan, check_configuration, group_plan
from bidsapp.engine.status import is_complete, read_record, read_records
from bidsapp.errors import AppError, InputMissingError, OutputError
from bidsapp.progress import duration
from bidsapp.recipes import RECIPES, load_function
from bidsapp.recipes.base.cost import SOUND_FEATURES
from bidsapp.text import counted, some_of

_INDIVIDUAL = ("T1w", "native", "fsnative")
_GOOD, _BAD = "  [ok]", "  [!!]"


def checked(plan: Plan, config: Config) -> Plan:
    """Return the plan with an error in every job whose inputs cannot serve its settings.

    Networks, the confounds table with the columns and values that the strategy needs, and what
    the options ask of this kind of image are looked at (`bidsapp.engine.job_checks`); images and
    sounds were when the plan was made.

    Parameters
    ----------
    plan
        From `make_plan`.
    config
        The run's configuration.
    """
    networks = NetworkChecks(config)
    jobs = []
    for job in plan.jobs:
        error = job.error or job_error(job, config, networks)
        changes: dict[str, Any] = {"inputs": None, "error": error}
        if error is None:
            names = getattr(job.settings, "networks", ()) if job.level == "participant" else ()
            changes = {"weights": (*networks.files(names), *named_files(job.settings))}
        jobs.append(dataclasses.replace(job, **changes))
    return dataclasses.replace(plan, jobs=tuple(jobs))


def refuse_before_start(plan: Plan, config: Config) -> None:
    """Refuse what keeps the whole run from starting; nothing is written.

    Raises
    ------
    OutputError
        The output folder is an input, belongs to another tool, cannot be written, or holds
        results of other settings.
    InputMissingError
        A task or session that was asked for exists in none of the participants.
    UsageError, ResourceUnavailableError
        ``--executor`` or ``--device`` cannot serve.
    AppError
        What the settings of a recipe name is not there or cannot serve, or several jobs, all
        there are, cannot run for one reason.
    """
    refuse_output(config.output_dir, plan.dataset, config.stimuli_dir)
    refuse_leftovers(config.output_dir)
    recorded = {
        name: (record.recipe, record.configuration_hash)
        for name, record in read_records(config.output_dir).items()
        if record.state == "done" and record.level == "participant"
    }
    check_configuration(recorded, plan, config)
    _refuse_unmet(plan, config)
    if not config.reports_only:
        _refuse_named(plan, config)
        _refuse_machine(config)
        _refuse_common(plan)


def _refuse_common(plan: Plan) -> None:
    """Refuse once what keeps several jobs, all there are, for one reason."""
    errors = [job.error for job in plan.jobs if job.error is not None]
    if len(errors) == len(plan.jobs) > 1 and len({str(error) for error in errors}) == 1:
        raise errors[0]


def _refuse_named(plan: Plan, config: Config) -> None:
    """Refuse what the settings of a recipe name and what cannot serve."""
    for name in config.recipe:
        recipe = RECIPES[name]
        if recipe.refuse:
            spaces = sorted({job.space for job in plan.jobs if job.recipe == name and job.inputs})
            settings, group = recipe.settings(config), recipe.group_settings(config)
            load_function(recipe.refuse)(settings, group, config, spaces)


def _refuse_machine(config: Config) -> None:
    """Refuse an executor or a device that is not there."""
    if config.executor in ("dask", "slurm"):
        from bidsapp.engine.clusters import refuse_executor

        refuse_executor(config)
    elsewhere = config.executor == "slurm" or config.dask_scheduler is not None
    if config.device.startswith("cuda") and not elsewhere:
        from bidsapp.models.devices import resolve_device

        resolve_device(config.device)


def _refuse_unmet(plan: Plan, config: Config) -> None:
    """Refuse a task or session that some chosen runs have and none of them is."""
    runs = [run for job in plan.jobs for run in getattr(job.inputs, "runs", ())]
    if not runs:
        return  # each job says why
    for option, key in (("task_id", "task"), ("session_label", "ses")):
        asked = getattr(config, option)
        present = {run.entities.get(key) for run in runs}
        problems = " ".join(str(p) for job in plan.jobs if job.inputs for p in job.inputs.problems)
        absent = [label for label in asked if label not in present and label not in problems]
        if absent:
            listed = ", ".join(sorted(label for label in present if label))
            msg = (
                f"--{option.replace('_', '-')} {' '.join(absent)}: no run that can be analysed "
                f"has it; they have {listed}"
            )
            raise InputMissingError(msg)


@dataclass(frozen=True)
class PlannedGroup:
    """A group whose participants are about to be analysed by the same command.

    Attributes
    ----------
    subjects
        Labels of those that will be there.
    problems, files
        None: nothing is read yet.
    """

    subjects: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = field(default=())

    def identity(self) -> str:
        """Return no hash: the inputs do not exist yet."""
        return ""

    def overview(self) -> str:
        """Say who takes part."""
        people = counted(len(self.subjects), "participant")
        return f"{people}, planned or done: {' '.join(self.subjects)}"


def expected_groups(plan: Plan, config: Config) -> Plan:
    """Plan the group level over the participants that this command will have analysed.

    Parameters
    ----------
    plan
        The checked plan of the participant level.
    config
        The run's configuration.

    Returns
    -------
    Plan
        One job per recipe and space. Without participants in the command, as `group_plan`.
    """
    if "participant" not in config.analysis_level:
        return group_plan(plan, config)
    jobs = []
    for name in config.recipe:
        recipe = RECIPES[name]
        settings = recipe.group_settings(config)
        spaces: dict[str, set[str]] = {}
        for job in plan.jobs:
            if job.recipe == name and job.inputs is not None:
                spaces.setdefault(job.space, set()).add(job.subject)
        shared = {
            space: subjects
            for space, subjects in spaces.items()
            if space.partition(":")[0] not in _INDIVIDUAL
        }
        code = plan.configuration_hashes[name]
        for record in read_records(config.output_dir).values():
            is_done = record.state == "done" and record.configuration_hash == code
            if is_done and record.level == "participant" and record.space in shared:
                shared[record.space].add(record.subject)
        if not shared:
            msg = f"{name}: no participant can be analysed in a space that all share"
            error = InputMissingError(msg)
            jobs.append(Job(f"{name}_group", name, "group", "", "", settings, "", error=error))
        for space, subjects in shared.items():
            kept = tuple(sorted(subjects - set(config.exclude_participant_label)))
            problem = None
            if len(kept) < recipe.least_participants:
                msg = (
                    f"{name} group, space {space}: {counted(len(kept), 'participant')} will be "
                    f"there, it needs {recipe.least_participants}"
                )
                problem = InputMissingError(msg)
            planned = PlannedGroup(kept) if problem is None else None
            label = f"{name}_group_space-{space}"
            jobs.append(
                Job(label, name, "group", "", space, settings, "", inputs=planned, error=problem)
            )
    return dataclasses.replace(plan, jobs=tuple(jobs))


@dataclass(frozen=True)
class Needs:
    """What the jobs that are not done yet need, as estimated.

    Attributes
    ----------
    memory_bytes
        Of the largest job.
    scratch_bytes
        Of all that run at once.
    seconds
        Of the clock: from the time that jobs took in this output folder, else from estimates.
    """

    memory_bytes: int = 0
    scratch_bytes: int = 0
    seconds: float = 0.0


def needs(jobs: Iterable[Job], config: Config) -> Needs:
    """Estimate what participants' jobs need."""
    costs = [cost for job in jobs if (cost := job.cost(config)) is not None]
    if not costs:
        return Needs()
    scratch = sorted((cost.scratch_bytes for cost in costs), reverse=True)
    records = [
        record.seconds
        for record in read_records(config.output_dir).values()
        if record.state == "done" and record.level == "participant" and record.seconds
    ]
    if records:
        middle = sorted(records)[len(records) // 2]
        seconds = middle * len(costs) / min(config.n_workers, len(costs))
    else:
        sounds = [cost.seconds.get(SOUND_FEATURES, 0.0) for cost in costs]
        whole = sum(sum(cost.seconds.values()) for cost in costs) - sum(sounds) + max(sounds)
        n_cores = config.of_one_worker().n_threads * min(config.n_workers, len(costs))
        seconds = whole / n_cores
    return Needs(
        max(cost.memory_bytes for cost in costs), sum(scratch[: config.n_workers]), seconds
    )


def verdict(parts: Sequence[Plan], config: Config, refusal: AppError | None) -> list[str]:
    """Say in the first line whether a run would start and end well, then what was looked at.

    Parameters
    ----------
    parts
        Checked plans of the levels.
    config
        The run's configuration.
    refusal
        What `refuse_before_start` raised.
    """
    jobs = [job for part in parts for job in part.jobs]
    errors = [job for job in jobs if job.error is not None]
    todo = [job for job in jobs if job.error is None and not _is_done(job, config)]
    need = needs(todo, config)
    lines = [""]
    if isinstance(refusal, OutputError):
        lines.append(_line(False, "output", str(refusal)))
    else:
        lines.append(_line(True, "output", f"{config.output_dir}: free to be written"))
        lines += [_line(False, "options", str(refusal))] * (refusal is not None)
    lines += _reasons([job for job in errors if str(job.error) != str(refusal)])
    left_out = dict.fromkeys(name for job in jobs for name in job.left_out)
    if left_out:
        lines.append(_line(False, "runs", f"without {len(left_out)}: {', '.join(left_out)}"))
    lines += [_line(False, "sounds", text) for text in _few_sounds(jobs)]
    free = _free_bytes(config.scratch_dir)
    lines.append(
        _line(
            need.scratch_bytes <= free,
            "disk",
            f"{_gib(need.scratch_bytes)} of {_gib(free)} free in {config.scratch_dir}",
        )
    )
    allowed = config.memory_bytes
    text = f"{_gib(need.memory_bytes)} of {_gib(allowed)} allowed"
    lines.append(_line(need.memory_bytes < allowed, "memory", text))
    lines.append(_line(True, "done already", counted(len(jobs) - len(errors) - len(todo), "job")))
    doubts = [line.partition(": ")[0][7:] for line in lines if line.startswith(_BAD)]
    return [_first_line(jobs, errors, todo, need, refusal, doubts), *lines[1:]]


def _reasons(errors: Sequence[Job]) -> list[str]:
    """Say each reason once, after the jobs that it keeps."""
    names: dict[str, list[str]] = {}
    for job in errors:
        names.setdefault(str(job.error), []).append(job.name)
    return [_line(False, some_of(own), text) for text, own in names.items()]


def _few_sounds(jobs: Iterable[Job]) -> list[str]:
    """Say once for each recipe and number of sounds where there are few."""
    texts = []
    for job in jobs:
        cut = getattr(job.settings, "clip_s", 0) > 0
        if job.level == "participant" and job.inputs is not None and not cut:
            n_sounds = len(getattr(job.inputs, "sounds", ()))
            few = few_sounds(n_sounds, RECIPES[job.recipe].least_sounds)
            texts += [f"{job.recipe}: {few}"] * bool(few)
    return list(dict.fromkeys(texts))


def _first_line(
    jobs: Sequence[Job],
    errors: Sequence[Job],
    todo: Sequence[Job],
    need: Needs,
    refusal: AppError | None,
    doubts: Sequence[str],
) -> str:
    if refusal is not None:
        return f"not ready: {refusal}"
    if errors:
        first = str(errors[0].error).splitlines()[0]
        word = "job" if len(jobs) == 1 else "jobs"
        return f"not ready: {len(errors)} of {len(jobs)} {word} cannot run: {first}"
    subjects = {job.subject for job in jobs if job.level == "participant"}
    spaces = {job.space for job in jobs if job.level == "participant"}
    parts = []
    if subjects:
        people = counted(len(subjects), "participant")
        parts.append(f"{people} x {counted(len(spaces), 'space')}")
    if any(job.level == "group" for job in jobs):
        parts.append("group")
    needed = f"needs {_gib(need.memory_bytes)}, {_gib(need.scratch_bytes)} scratch"
    if need.seconds:
        needed += f", about {duration(need.seconds)}"
    what = f"{' + '.join(parts)}; {needed if todo else 'everything is done already'}"
    doubt = f"; see {' and '.join(dict.fromkeys(doubts))}" if doubts else ""
    return f"ready: {what}{doubt}"


def _is_done(job: Job, config: Config) -> bool:
    known = read_record(config.output_dir, job.name)
    complete = is_complete(config.output_dir, known, job.configuration_hash, job.inputs_hash)
    return complete and not config.overwrite


def _line(good: bool, name: str, text: str) -> str:
    return f"{_GOOD if good else _BAD} {name}: {text}"


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.1f} GiB"


def _free_bytes(folder: Path) -> int:
    existing = next(
        path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()
    )
    return shutil.disk_usage(existing).free
