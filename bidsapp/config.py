"""The configuration of a run: one frozen dataclass, TOML in and out, a hash of what counts.

Every field says in its metadata which section of the TOML file it stands in and whether it can
change a result. The hash covers the second kind only, so that threads, memory and paths never
separate two runs that give the same numbers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bidsapp.coerce import coerce
from bidsapp.errors import UsageError

RESULT_FORMAT = 9
"""Raised whenever the same settings give other numbers or other files than before."""


def _setting(section: str, default: Any = dataclasses.MISSING, *, result: bool = False) -> Any:
    """Declare a field: its TOML section, its default, and whether it changes results."""
    metadata = {"section": section, "result": result}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything the command line or a configuration file can say.

    ``recipe_settings`` holds one table per recipe with the settings that differ from the
    variant's defaults (``{"gradients": {"n_components": 30}}``).
    """

    bids_dir: Path = _setting("inputs")
    output_dir: Path = _setting("inputs")
    analysis_level: tuple[str, ...] = _setting("inputs")
    derivatives: Mapping[str, Path] = _setting("inputs", {})
    stimuli_dir: Path | None = _setting("inputs", None)
    adapter: str | None = _setting("inputs", None, result=True)
    weights_dir: Path | None = _setting("inputs", None)
    atlas: Path | None = _setting("inputs", None, result=True)
    skip_bids_validation: bool = _setting("inputs", False)

    participant_label: tuple[str, ...] = _setting("filters", ())
    exclude_participant_label: tuple[str, ...] = _setting("filters", ())
    session_label: tuple[str, ...] = _setting("filters", (), result=True)
    task_id: tuple[str, ...] = _setting("filters", (), result=True)
    bids_filter_file: Path | None = _setting("filters", None, result=True)
    space: tuple[str, ...] = _setting("filters", ("auto",))
    allow_raw_bold: bool = _setting("filters", False, result=True)
    # both change the times of volumes, which are in the hash of a job's inputs
    dropped_volumes: int = _setting("filters", 0)
    start_time: float | None = _setting("filters", None)

    recipe: tuple[str, ...] = _setting("workflow", ())
    variant: str = _setting("workflow", "robust", result=True)
    network: tuple[str, ...] = _setting("workflow", ())
    weights: str = _setting("workflow", "pretrained", result=True)
    confounds: str = _setting("workflow", "auto", result=True)
    high_pass_hz: float = _setting("workflow", 1 / 128, result=True)
    smoothing_fwhm_mm: float = _setting("workflow", 0.0, result=True)
    solver: str = _setting("workflow", "gram", result=True)
    random_seed: int = _setting("workflow", 0, result=True)

    device: str = _setting("performance", "auto")
    nprocs: int = _setting("performance", 0)
    omp_nthreads: int = _setting("performance", 0)
    mem: str = _setting("performance", "auto")
    work_dir: Path | None = _setting("performance", None)
    executor: str = _setting("performance", "serial")
    workers: int = _setting("performance", 0)
    dask_scheduler: str | None = _setting("performance", None)
    slurm: tuple[str, ...] = _setting("performance", ())
    shard: str | None = _setting("performance", None)

    overwrite: bool = _setting("outputs", False)
    stop_on_first_crash: bool = _setting("outputs", False)
    reports_only: bool = _setting("outputs", False)
    dry_run: bool = _setting("outputs", False)
    list_inputs: bool = _setting("outputs", False)
    plan_json: Path | None = _setting("outputs", None)
    verbose: int = _setting("outputs", 0)
    quiet: bool = _setting("outputs", False)

    recipe_settings: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict, metadata={"section": None, "result": True}
    )

    @property
    def scratch_dir(self) -> Path:
        """Where intermediate files go: ``--work-dir``, else a hidden folder of the output."""
        return self.work_dir if self.work_dir is not None else self.output_dir / ".work"

    @property
    def memory_bytes(self) -> int:
        """The memory contract in bytes."""
        return available_memory() if self.mem == "auto" else parse_memory(self.mem)

    @property
    def n_threads(self) -> int:
        """Threads that numerical libraries may use, at most as many as there are processors."""
        return min(self.omp_nthreads or self.n_processors, _granted_processors())

    @property
    def n_workers(self) -> int:
        """Jobs that run at once: ``--workers``, else one per processor."""
        if self.executor == "serial":
            return 1
        return self.workers or self.n_processors

    def of_one_worker(self) -> Config:
        """Give each of several workers on one machine its part of threads and memory."""
        elsewhere = self.executor == "slurm" or self.dask_scheduler is not None
        n = self.n_workers
        if elsewhere or n == 1:
            return self
        return dataclasses.replace(
            self,
            omp_nthreads=self.omp_nthreads or max(1, self.n_processors // n),
            mem=f"{max(self.memory_bytes // n >> 20, 256)}M",
        )

    @property
    def n_processors(self) -> int:
        """Processors this run may use: ``--nprocs``, at most those the system lets it have."""
        granted = _granted_processors()
        return min(self.nprocs or granted, granted)


def _granted_processors() -> int:
    return len(os.sched_getaffinity(0))


def sections() -> dict[str, tuple[str, ...]]:
    """Map each TOML section to the names of its fields, in order."""
    table: dict[str, list[str]] = {}
    for item in dataclasses.fields(Config):
        if item.metadata["section"] is not None:
            table.setdefault(item.metadata["section"], []).append(item.name)
    return {name: tuple(names) for name, names in table.items()}


def weights_folder() -> Path | None:
    """Folder that ``MUSICOTOPY_WEIGHTS_DIR`` names, which stands in for ``--weights-dir``.

    The image sets it; there is none elsewhere unless the user sets it.
    """
    name = os.environ.get("MUSICOTOPY_WEIGHTS_DIR")
    return Path(name) if name else None


def parse_memory(text: str) -> int:
    """Convert ``16G``, ``512M`` or a bare number of MB into bytes.

    Parameters
    ----------
    text
        Number with an optional unit K, M, G or T (powers of 1024; an optional ``B`` or ``iB``
        may follow). Without a unit the number counts megabytes, as in fMRIPrep.

    Raises
    ------
    UsageError
        If the text is no amount of memory, or less than 256 MB.
    """
    cleaned = text.strip().upper().removesuffix("IB").removesuffix("B")
    unit = cleaned[-1:] if cleaned[-1:] in "KMGT" else ""
    scale = {"": 2**20, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}[unit]
    try:
        amount = int(float(cleaned.removesuffix(unit)) * scale)
    except (ValueError, OverflowError):
        msg = f"--mem {text!r} is not an amount of memory; write for example 16G or 800M"
        raise UsageError(msg) from None
    if amount < 256 * 2**20:
        msg = f"--mem {text!r} is less than the 256M that the smallest job needs"
        raise UsageError(msg)
    return amount


def available_memory() -> int:
    """Return 80 % of the memory this process may use, in bytes (control group or machine)."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(name).read_text()))
        except (OSError, ValueError):
            continue
    return int(0.8 * min(limits))


def configuration_hash(config: Config, recipe: str, settings: Mapping[str, Any]) -> str:
    """Return eight hexadecimal digits that change when, and only when, results may change.

    Parameters
    ----------
    config
        The run's configuration.
    recipe
        Name of the recipe the hash is for.
    settings
        The recipe's complete settings (variant defaults and overrides).
    """
    chosen: dict[str, Any] = {"format": RESULT_FORMAT, "recipe": recipe, "settings": settings}
    for name in _result_fields():
        chosen[name] = _content(getattr(config, name))
    files = {str(path): _content(path) for path in _network_files(settings)}
    if files:
        chosen["network_files"] = files
    text = json.dumps(chosen, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _result_fields() -> list[str]:
    """Return the names of the fields that change results, without the tables of recipes."""
    items = dataclasses.fields(Config)
    return [
        item.name for item in items if item.metadata["result"] and item.name != "recipe_settings"
    ]


def differences(
    there: tuple[Config, Mapping[str, Any]], wanted: tuple[Config, Mapping[str, Any]], recipe: str
) -> list[str]:
    """Name the settings that give two configurations of a recipe different hashes.

    Parameters
    ----------
    there, wanted
        Configuration and the recipe's complete settings: of results that exist, and of a run.
    recipe
        Its name.

    Returns
    -------
    list of str
        ``confounds motion6 there, none wanted``, in the order of the fields. Empty where files
        have changed that bear the same names.
    """
    pairs = {
        name: (getattr(there[0], name), getattr(wanted[0], name)) for name in _result_fields()
    }
    names = dict.fromkeys([*there[1], *wanted[1]])
    pairs |= {f"{recipe}.{name}": (there[1].get(name), wanted[1].get(name)) for name in names}
    return [
        f"{name} {_shown(old)} there, {_shown(new)} wanted"
        for name, (old, new) in pairs.items()
        if old != new
    ]


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "not given"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _network_files(settings: Mapping[str, Any]) -> list[Path]:
    """Return the files of the networks ``PREFIX:PATH``, and what describes them beside them."""
    named = (name.partition(":")[2] for name in settings.get("networks", ()))
    paths = [Path(path) for path in named if path]
    return [*paths, *(path.with_suffix(".toml") for path in paths if path.is_file())]


def _content(value: Any) -> Any:
    """Stand the content of a file, or of a folder's files, in for its path."""
    if not isinstance(value, Path):
        return value
    if value.is_dir():
        files = sorted(path for path in value.rglob("*") if path.is_file())
        return {path.relative_to(value).as_posix(): _content(path) for path in files}
    if not value.is_file():
        return str(value)
    with value.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_toml(config: Config) -> str:
    """Write a configuration as TOML that `read_toml` reads back."""
    import tomli_w

    document: dict[str, Any] = {}
    for section, names in sections().items():
        values = {name: _plain(getattr(config, name)) for name in names}
        document[section] = {name: value for name, value in values.items() if value is not None}
    for recipe, settings in config.recipe_settings.items():
        document[recipe] = {name: _plain(value) for name, value in settings.items()}
    return tomli_w.dumps(document)


def _plain(value: Any) -> Any:
    """Turn paths, tuples and mappings into what TOML knows."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def read_toml(path: Path, recipes: tuple[str, ...]) -> dict[str, Any]:
    """Read a configuration file into the keyword arguments of `Config`.

    Parameters
    ----------
    path
        TOML file with the sections of `sections` and one optional table per recipe.
    recipes
        Names of the recipes whose tables may stand in the file.

    Returns
    -------
    dict
        Field name → value, for the fields the file sets; ``recipe_settings`` among them.

    Raises
    ------
    UsageError
        If the file cannot be read or names a section or a setting that does not exist.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path}: the configuration file cannot be read ({error}); give a TOML file"
        raise UsageError(msg) from None
    known = sections()
    values: dict[str, Any] = {}
    for section, table in document.items():
        if section in recipes and isinstance(table, dict):
            values.setdefault("recipe_settings", {})[section] = table
            continue
        if not isinstance(table, dict):
            place = next((name for name, fields in known.items() if section in fields), "")
            where = f"write it under [{place}]" if place else f"sections are {', '.join(known)}"
            msg = f"{path}: {section} = {table!r} stands outside of any section; {where}"
            raise UsageError(msg)
        if section not in known:
            names = ", ".join([*known, *recipes])
            msg = f"{path}: there is no section [{section}]; the sections are {names}"
            raise UsageError(msg)
        for name, value in table.items():
            if name not in known[section]:
                names = ", ".join(known[section])
                msg = f"{path}: [{section}] has no setting {name!r}; it knows {names}"
                raise UsageError(msg)
            values[name] = convert(name, value, str(path))
    return values


def convert(name: str, value: Any, where: str) -> Any:
    """Bring a plain value into the type of a field of `Config`.

    Raises
    ------
    UsageError
        If the value has another type than the field.
    """
    return coerce(typing.get_type_hints(Config)[name], value, f"{where}: {name}")
