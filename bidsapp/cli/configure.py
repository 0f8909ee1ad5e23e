"""From the words of a command line to a `Config`, and what is refused before data are read."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bidsapp.audio.networks import network_entry
from bidsapp.bids.names import plain_space
from bidsapp.bids.templateflow import atlas_name
from bidsapp.cli.options import OPTIONS, POSITIONALS, Option
from bidsapp.cli.parser import build_parser
from bidsapp.config import Config, convert, parse_memory, read_toml, weights_folder
from bidsapp.errors import InputMissingError, OutputError, UsageError
from bidsapp.models.devices import refuse_name
from bidsapp.recipes import RECIPES, SETTINGS_TABLES

_LARGEST = 1e4


def parse_arguments(arguments: Sequence[str] | None = None) -> Config:
    """Read the command line, and the configuration file if one is given.

    Parameters
    ----------
    arguments
        Words of the command line; default: those of the process.

    Returns
    -------
    Config
        Flags override the file, the file overrides the defaults.

    Raises
    ------
    UsageError
        If an option or the configuration file is wrong.
    """
    return configure(vars(build_parser().parse_args(arguments)))


def configure(words: Mapping[str, Any]) -> Config:
    """Turn what the parser has read into a `Config`; the configuration file is read, if any.

    Parameters
    ----------
    words
        Destination of each argument → its value.

    Raises
    ------
    UsageError, InputMissingError, OutputError
        An option or the configuration file is wrong; the message names it.
    """
    words = dict(words)
    words.pop("notrack")
    assignments = words.pop("set")
    config_file = words.pop("config_file")
    values = read_toml(Path(config_file), SETTINGS_TABLES) if config_file is not None else {}
    by_name = {option.name: option for option in (*POSITIONALS, *OPTIONS)}
    for name, value in words.items():
        if value is None or value is False:
            continue
        if by_name[name].kind == "path" and str(value) == "":
            flag = name.upper() if by_name[name] in POSITIONALS else by_name[name].flags[0]
            msg = f"{flag} is empty (a variable that is not set?); name a folder or file"
            raise UsageError(msg)
        values[name] = convert(name, _clean(by_name[name], value), "command line")
    for name in ("recipe", "analysis_level", "space"):
        if name in values:
            values[name] = tuple(dict.fromkeys(values[name]))
    if "space" in values:
        values["space"] = tuple(map(plain_space, values["space"]))
    if values.get("weights_dir") is None:
        values["weights_dir"] = weights_folder()
    values["recipe_settings"] = _recipe_settings(values.get("recipe_settings", {}), assignments)
    values.setdefault("recipe", (next(iter(RECIPES)),))
    config = Config(**values)
    _refuse_idle_settings(config, assignments)
    _refuse_idle_options(config, words)
    for name in config.network:
        network_entry(name)
    _check(config)
    return config


def _clean(option: Option, value: Any) -> Any:
    """Strip BIDS prefixes and split ``NAME=PATH``."""
    if option.kind == "mapping":
        pairs = [item.partition("=") for item in value]
        wrong = [name for name, equals, _ in pairs if not equals]
        if wrong:
            msg = f"--{option.name} {wrong[0]}: write NAME=PATH, for example fmriprep={wrong[0]}"
            raise UsageError(msg)
        return {name: path for name, _, path in pairs}
    if option.prefix:
        return [item.removeprefix(option.prefix) for item in value]
    return value


def _recipe_settings(
    from_file: dict[str, dict[str, Any]], assignments: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Add ``RECIPE.SETTING=VALUE`` to the recipe tables of the configuration file."""
    settings = copy.deepcopy(from_file)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        recipe, dot, setting = name.strip().partition(".")
        if not (equals and dot) or recipe not in SETTINGS_TABLES:
            known = ", ".join(SETTINGS_TABLES)
            msg = f"--set {assignment!r}: write RECIPE.SETTING=VALUE; recipes: {known}"
            raise UsageError(msg)
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        table = settings.setdefault(recipe, {})
        *nested, last = setting.split(".")
        for name in nested:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                msg = f"--set {assignment!r}: {recipe}.{name} has a value already, not settings"
                raise UsageError(msg)
        table[last] = value
    return settings


def _refuse_idle_settings(config: Config, assignments: Sequence[str]) -> None:
    """Refuse ``--set`` for a recipe that does not run; a configuration file may serve several.

    Raises
    ------
    UsageError
        The message names the recipes that run.
    """
    for assignment in assignments:
        table = assignment.partition(".")[0].strip()
        if table.removesuffix("_group") not in config.recipe:
            running = ", ".join(config.recipe)
            msg = f"--set {assignment}: {table} does not run, --recipe is {running}; leave it out"
            raise UsageError(msg)


def _refuse_idle_options(config: Config, words: Mapping[str, Any]) -> None:
    """Refuse options of clusters with an executor that takes no notice of them.

    Raises
    ------
    UsageError
        The message says which executor they are for.
    """
    for name, executors in (("dask_scheduler", ("dask", "slurm")), ("slurm", ("slurm",))):
        if words.get(name) is not None and config.executor not in executors:
            flag, wanted = f"--{name.replace('_', '-')}", " or ".join(executors)
            what = f"is for --executor {wanted}, not {config.executor}"
            msg = f"{flag}: {what}; add that, or leave it out"
            raise UsageError(msg)


def _check(config: Config) -> None:
    """Refuse what cannot work before anything is read."""
    for option in (*POSITIONALS, *OPTIONS):
        if not option.choices:
            continue
        value = getattr(config, option.name)
        wrong = set(value if isinstance(value, tuple) else (value,)) - set(option.choices)
        if wrong:
            msg = f"{option.name} = {min(wrong)!r}: choose from {', '.join(option.choices)}"
            raise UsageError(msg)
    bids_dir, output_dir = config.bids_dir.resolve(), config.output_dir.resolve()
    if not bids_dir.is_dir():
        msg = (
            f"{config.bids_dir}: there is no such folder; check the path, and in a container "
            "that it is bound (-v or --bind)"
        )
        raise InputMissingError(msg)
    if output_dir == bids_dir:
        msg = (
            f"{config.output_dir}: results may not be written into BIDS_DIR itself; name another "
            f"folder, such as {config.output_dir}/derivatives/musicotopy"
        )
        raise UsageError(msg)
    if config.output_dir.exists() and not config.output_dir.is_dir():
        msg = f"{config.output_dir}: this is a file; OUTPUT_DIR must be a folder"
        raise OutputError(msg)
    scratch = config.scratch_dir.resolve()
    if scratch.is_relative_to(bids_dir) and not scratch.is_relative_to(output_dir):
        msg = (
            f"--work-dir {config.work_dir}: lies inside BIDS_DIR, which is never written to; "
            "name another folder"
        )
        raise UsageError(msg)
    if config.mem != "auto":
        parse_memory(config.mem)
    for name in ("stimuli_dir", "weights_dir", "bids_filter_file", "atlas"):
        path = getattr(config, name)
        if name == "atlas" and path is not None and atlas_name(path) is not None:
            continue  # of TemplateFlow: looked for in the space of the data
        if path is not None and not path.exists():
            msg = f"--{name.replace('_', '-')} {path}: there is no such file or folder"
            raise InputMissingError(msg)
    refuse_name(config.device)
    _check_numbers(config)
    _check_stimuli(config.stimuli_dir)


def _check_numbers(config: Config) -> None:
    """Refuse numbers that nothing can be made of.

    Raises
    ------
    UsageError
        The message says which values are allowed.
    """
    for name in ("nprocs", "omp_nthreads", "workers", "random_seed", "dropped_volumes"):
        value = getattr(config, name)
        if not 0 <= value < 2**32:
            msg = f"--{name.replace('_', '-')} {value}: give a whole number from 0 to {2**32 - 1}"
            raise UsageError(msg)
    for name in ("high_pass_hz", "smoothing_fwhm_mm", "start_time"):
        value = getattr(config, name)
        if value is not None and not 0 <= value < _LARGEST:
            msg = f"--{name.replace('_', '-')} {value:g}: give a number from 0 to {_LARGEST:g}"
            raise UsageError(msg)


def _check_stimuli(stimuli_dir: Path | None) -> None:
    """Refuse a folder of sounds that is none, or holds nothing.

    Raises
    ------
    InputMissingError
        It is a file, or an empty folder.
    """
    if stimuli_dir is None:
        return
    if not stimuli_dir.is_dir():
        msg = f"--stimuli-dir {stimuli_dir}: this is no folder; name the folder with the sounds"
        raise InputMissingError(msg)
    if not any(path.name[0] != "." for path in stimuli_dir.iterdir()):
        msg = (
            f"--stimuli-dir {stimuli_dir}: the folder is empty; put the sounds there, or "
            "presentations.tsv (and check the mount in a container)"
        )
        raise InputMissingError(msg)
