"""A survey in words: the table that is printed, the tables to fill in, the next command."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Protocol

from bidsapp.bids.headers import NO_CONTENT
from bidsapp.bids.names import space_kind
from bidsapp.bids.overlay import OVERLAY
from bidsapp.bids.sounds import sound_duration_s
from bidsapp.bids.stimuli import CATALOGUE
from bidsapp.bids.survey import LABELS, Survey, TaskFacts, adapter_title, has_table
from bidsapp.text import counted

_N_SHOWN = 8
_KINDS = {"volume": "volumes", "gifti": "surfaces (GIFTI)", "cifti": "grayordinates (CIFTI)"}


class Demands(Protocol):
    """What a recipe declares that it needs of a dataset.

    Attributes
    ----------
    needs
        What is collected beside BOLD: ``sounds``, ``intervals``, ``ratings``.
    kinds
        Kinds of image it can analyse.
    least_sounds
        Number of different sounds below which it has little to work on.
    least_sound_s
        Length of a sound in seconds below which several share a block of cross-validation.
    """

    @property
    def needs(self) -> Iterable[str]: ...  # noqa: D102

    @property
    def kinds(self) -> Iterable[str]: ...  # noqa: D102

    @property
    def least_sounds(self) -> int: ...  # noqa: D102

    @property
    def least_sound_s(self) -> float: ...  # noqa: D102


Recipes = Mapping[str, Demands]
Refused = Mapping[str, str]
"""Name of a recipe → why a run would be refused although nothing is missing by name."""
NONE_REFUSED: Refused = MappingProxyType({})


def few_sounds(n_sounds: int, least: int) -> str:
    """Say that a recipe has little to work on; empty where there are enough sounds, or none.

    Parameters
    ----------
    n_sounds, least
        Different sounds, and how many a recipe should have.
    """
    if not 0 < n_sounds < least:
        return ""
    word = "sound is" if n_sounds == 1 else "sounds are"
    return f"{n_sounds} {word} few, {least} or more are better; long ones can be cut into parts"


def proposed(found: Survey, recipes: Recipes, refused: Refused = NONE_REFUSED) -> str:
    """Return the recipe that lacks least of a dataset; of several, one that fits its sounds."""
    missing = missing_for(found, recipes, refused)

    def lacks(name: str) -> tuple[int, bool, bool]:
        recipe = recipes[name]
        short = 0 < found.longest_s < recipe.least_sound_s
        return len(missing[name]), bool(_few(found, recipe)), short

    return min(missing, key=lacks)


def survey_text(
    found: Survey,
    recipes: Recipes,
    weights: Sequence[str] = (),
    refused: Refused = NONE_REFUSED,
) -> str:
    """Return the survey as lines of text.

    Parameters
    ----------
    found
        The survey.
    recipes
        Name → what it needs, for the table of recipes and the next command.
    weights
        Commands that bring the weights which the networks of the proposed recipe lack.
    refused
        Why recipes that lack nothing would be refused, as a dry run says it.
    """
    blocks = [
        _table(_dataset_rows(found)),
        "Tasks\n" + _table(_task_rows(found)) if found.tasks else "",
        "BOLD\n" + _table(_space_rows(found)) if found.spaces else "",
        "What listeners heard and said\n" + _table(_sound_rows(found)),
        "Recipes\n" + _table(_recipe_rows(found, recipes, refused)),
        _problems(found),
        "Next\n" + "\n".join(f"  {line}" for line in _next(found, recipes, weights, refused)),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def survey_tables(found: Survey) -> dict[str, str]:
    """Return the tables that a user should fill in, by file name, unless they exist."""
    tables = {}
    silent = [task for task in found.tasks if task not in found.tasks_with_sound]
    if silent and not found.tasks_with_sound and not has_table(found, OVERLAY):
        tables[OVERLAY] = _presentations(found, silent)
    if (found.sounds or found.stim_files) and not has_table(found, CATALOGUE):
        tables[CATALOGUE] = _catalogue(found)
    return tables


def missing_for(
    found: Survey, recipes: Recipes, refused: Refused = NONE_REFUSED
) -> dict[str, list[str]]:
    """Return, for each recipe, what the dataset lacks; an empty list means that it can run."""
    return {
        name: [*_missing(found, recipe), *([refused[name]] if name in refused else [])]
        for name, recipe in recipes.items()
    }


def _missing(found: Survey, recipe: Demands) -> list[str]:
    missing = _missing_bold(found, recipe.kinds)
    if "sounds" in recipe.needs:
        missing += _missing_sounds(found)
    if "intervals" in recipe.needs and not (found.intervals or "emotion" in found.labels):
        missing.append("emotion labels (intervals or stimuli.tsv)")
    return missing


def _few(found: Survey, recipe: Demands) -> str:
    return few_sounds(len(found.stim_files), recipe.least_sounds)


def _missing_bold(found: Survey, kinds: Iterable[str]) -> list[str]:
    if not found.spaces:
        return ["BOLD"]
    missing = []
    if found.dataset.fmriprep is None:
        missing.append("fMRIPrep derivatives (-d fmriprep=PATH, or --allow-raw-bold)")
    if all(absent == runs for _, runs, absent in found.spaces.values()):
        missing.append("the content of the images (datalad get)")
    if found.dataset.fmriprep is not None and not found.n_confounds[0]:
        missing.append("confounds tables (or --confounds none)")
    if _open_variants(found):
        missing.append("a choice of variants (--bids-filter-file)")
    if not {space_kind(space) for space in found.spaces} & set(kinds):
        missing.append(f"BOLD {' or '.join(_KINDS[kind] for kind in kinds)}")
    return missing


def _missing_sounds(found: Survey) -> list[str]:
    missing = [] if found.tasks_with_sound else ["what was played when (presentations.tsv)"]
    n_empty, n_absent = len(_on_disk(found)), _n_absent(found)
    if n_empty:
        missing.append(f"the content of {counted(n_empty, 'sound')} (datalad get)")
    return [*missing, counted(n_absent, "sound")] if n_absent > 0 else missing


def _n_absent(found: Survey) -> int:
    """Count the sounds that were played and are not on disk, not even without content."""
    return sum(facts.n_missing for facts in found.tasks.values()) - len(_on_disk(found))


def _on_disk(found: Survey) -> list[str]:
    """Return the sounds that were played and are on disk by name, with content or without."""
    empty = {problem.path.name for problem in found.problems if problem.what in NO_CONTENT}
    names = {PurePosixPath(name).name for name in found.stim_files}
    return sorted(names & empty & {PurePosixPath(name).name for name in found.sounds})


def _open_variants(found: Survey) -> list[str]:
    """Return the tasks, of those that can be analysed, in which a variant must be chosen."""
    tasks = found.tasks_with_sound or list(found.tasks)
    return [task for task in tasks if task in found.variants]


def _dataset_rows(found: Survey) -> list[list[str]]:
    dataset = found.dataset
    rows = [
        ["Dataset", str(dataset.description.get("Name") or dataset.bids_dir.name)],
        ["Layout", dataset.layout],
        ["fMRIPrep", str(dataset.fmriprep or "none found")],
        ["Participants", f"{len(found.participants)}: {_some(found.participants)}"],
    ]
    if found.without_bold:
        label = "not in fMRIPrep" if dataset.fmriprep else "without BOLD"
        rows.append([label, f"{len(found.without_bold)}: {_some(found.without_bold)}"])
    if found.adapter:
        rows.append(["Adapter", f"{found.adapter} ({adapter_title(found.adapter)})"])
    return rows


def _task_rows(found: Survey) -> list[list[str]]:
    head = ["task", "participants", "runs each", "TR (s)", "volumes", "presentations", "sounds"]
    return [head, *(_task_row(task, facts) for task, facts in found.tasks.items())]


def _task_row(task: str, facts: TaskFacts) -> list[str]:
    each = facts.runs_each
    runs = ", ".join(
        str(count) if len(each) == 1 else f"{count} (in {people})"
        for count, people in each.items()
    )
    sample = facts.n_looked_at < facts.n_participants
    people = "participant" if facts.n_looked_at == 1 else "participants"
    among = f" (in {facts.n_looked_at} {people})" if sample else ""
    played = "unknown"
    if facts.n_presentations:
        played = f"{facts.n_presentations} from {facts.source}{among}"
    sounds = f"{facts.n_pieces - facts.n_missing} found, {facts.n_missing} missing"
    return [
        task,
        str(facts.n_participants),
        runs,
        ", ".join(f"{tr:g}" for tr in facts.tr_s) or "unknown",
        ", ".join(map(str, facts.n_trs)) or "unknown (no content)",
        played,
        sounds if facts.n_pieces else "-",
    ]


def _space_rows(found: Survey) -> list[list[str]]:
    rows = [["space", "participants", "runs", "images without content"]]
    for space, counts in found.spaces.items():
        rows.append([space, *map(str, counts)])
    tables, runs = found.n_confounds
    return [*rows, ["confounds tables", "", f"{tables} of {runs}", ""]]


def _sound_rows(found: Survey) -> list[list[str]]:
    unlabelled = f"{counted(len(found.catalogue.rows), 'row')}, no {' or '.join(LABELS[:3])}"
    return [
        ["sounds on disk", f"{len(found.sounds)}: {_some(found.sounds)}" if found.sounds else "0"],
        ["ratings", _some(found.ratings) or "none found"],
        ["labelled intervals", _some(f"{k} ({n})" for k, n in found.intervals.items()) or "none"],
        [
            "stimuli.tsv",
            ", ".join(found.labels) or (unlabelled if found.catalogue.path else "none"),
        ],
    ]


def _recipe_rows(found: Survey, recipes: Recipes, refused: Refused) -> list[list[str]]:
    rows = []
    for name, missing in missing_for(found, recipes, refused).items():
        few = _few(found, recipes[name])
        ready = f"ready; {few}" if few else "ready"
        rows.append([name, f"missing: {'; '.join(missing)}" if missing else ready])
    return rows


def _problems(found: Survey) -> str:
    lines = [f"  {reason}" for reason in found.variants.values()]
    empty = [problem for problem in found.problems if problem.what in NO_CONTENT]
    others = [problem for problem in found.problems if problem.what not in NO_CONTENT]
    if empty:
        others_too = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
        first = f"{empty[0].path} {empty[0].what}{others_too}"
        lines.append(f"  {first}; see below how to fetch them")
    lines += [f"  {problem}" for problem in others[:_N_SHOWN]]
    more = len(others) - _N_SHOWN
    if more > 0:
        lines.append(f"  ... and {more} more")
    return "Problems\n" + "\n".join(lines) if lines else ""


def _next(found: Survey, recipes: Recipes, weights: Sequence[str], refused: Refused) -> list[str]:
    """Return what to do next: what is missing for the recipe that lacks least, then a dry run."""
    recipe = proposed(found, recipes, refused)
    missing = missing_for(found, recipes, refused)[recipe]
    lines = []
    if missing:
        lines.append(f"no recipe can run yet; {recipe} lacks least: {'; '.join(missing)}")
    if not found.spaces:
        return lines
    lines += weights
    if OVERLAY in survey_tables(found):
        lines.append(
            f"write what was played when into {OVERLAY} (init --write DIR starts it), then"
        )
    command = [*command_words(found), *(["--weights-dir", "weights"] if weights else [])]
    command += ["--recipe", recipe]
    if any(absent for _, _, absent in found.spaces.values()) or _on_disk(found):
        lines.append(f"{shlex.join([*command, '--list-inputs'])} | xargs -d '\\n' datalad get")
    return [*lines, shlex.join([*command, "--dry-run"])]


def command_words(found: Survey) -> list[str]:
    """Return the command of a run, with the options that this dataset needs."""
    command = ["musicotopy", str(found.dataset.bids_dir), "OUT_DIR", "participant"]
    for name, path in found.dataset.derivatives.items():
        command += ["-d", f"{name}={path}"]
    if found.sounds_dir is not None:
        command += ["--stimuli-dir", str(found.sounds_dir)]
    elif OVERLAY in survey_tables(found) or _n_absent(found) > 0:
        command += ["--stimuli-dir", "DIR"]
    if found.adapter:
        command += ["--adapter", found.adapter]
    if 0 < len(found.tasks_with_sound) < len(found.tasks):
        command += ["--task-id", *found.tasks_with_sound]
    if found.dataset.fmriprep is None:
        command += ["--allow-raw-bold"]
    if _open_variants(found):
        command += ["--bids-filter-file", "FILTER.json"]
    return command


def _presentations(found: Survey, tasks: Iterable[str]) -> str:
    """One row for each run that exists, with the sound if one is named like the task.

    Runs that all participants have stand there once, for all of them.
    """
    by_stem = {PurePosixPath(name).stem.lower(): name for name in found.sounds}
    lines = ["task\trun\tsession\tsubject\tonset\tduration\tstim_file\tstim_start"]
    for task in tasks:
        runs_of = found.tasks[task].runs_of
        same = len(set(runs_of.values())) == 1
        rows = [("n/a", next(iter(runs_of.values())))] if same else list(runs_of.items())
        for subject, runs in rows:
            for number, (session, run) in enumerate(runs, start=1):
                sound = by_stem.get(task.lower()) or by_stem.get(f"{task}{number}".lower())
                cells = (task, run or "n/a", session or "n/a", subject, "0", "n/a")
                lines.append("\t".join([*cells, sound or "n/a", "0"]))
    return "\n".join(lines) + "\n"


def _catalogue(found: Survey) -> str:
    """One row for each sound; what the name of its folder says is taken for the genre."""
    names = found.stim_files or tuple(sorted(found.sounds))
    lines = ["\t".join(["stim_file", "duration", *LABELS])]
    for name in names:
        path = found.sounds.get(name)
        length = sound_duration_s(path) if path is not None else None
        genre = PurePosixPath(name).parent.name or "n/a"
        cells = {"genre": genre}
        lines.append(
            "\t".join(
                [
                    name,
                    "n/a" if length is None else f"{length:.3f}",
                    *(cells.get(column, "n/a") for column in LABELS),
                ]
            )
        )
    return "\n".join(lines) + "\n"


def _some(items: Iterable[str] | Mapping[str, object]) -> str:
    names = list(items)
    shown = ", ".join(names[:_N_SHOWN])
    return shown + (f", ... ({len(names)})" if len(names) > _N_SHOWN else "")


def _table(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(len(rows[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    )
    return "\n".join(f"  {line}" for line in lines)
