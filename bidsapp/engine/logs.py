"""The root files of an output folder: description, settings, inputs, fidelity."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import shlex
import socket
import sys
import time
from pathlib import Path
from typing import Any

from bidsapp import __version__
from bidsapp.bids.atomic import write_text
from bidsapp.bids.describe import (
    merge_table,
    write_bidsignore,
    write_dataset_description,
    write_descriptions,
    write_readme,
)
from bidsapp.config import Config, to_toml
from bidsapp.engine.plan import Plan
from bidsapp.recipes import RECIPES
from bidsapp.recipes.base.settings import fidelity
from bidsapp.recipes.base.study import versions_here

LOGGER = logging.getLogger("musicotopy")


def prepare_output(plan: Plan, config: Config) -> None:
    """Write everything at the root of the output folder that does not depend on results.

    Parameters
    ----------
    plan
        What is about to run.
    config
        Its configuration.
    """
    logs = config.output_dir / "logs"
    write_dataset_description(
        config.output_dir,
        plan.dataset,
        configuration_hashes=plan.configuration_hashes,
        stimuli_dir=config.stimuli_dir,
    )
    for name in plan.configuration_hashes:
        write_descriptions(config.output_dir, RECIPES[name].descriptions())
    write_bidsignore(config.output_dir)
    write_readme(config.output_dir)
    write_text(logs / "config.toml", to_toml(config))
    merge_table(config.output_dir, "logs/inputs.tsv", _input_rows(plan), key="job")
    merge_table(config.output_dir, "logs/fidelity.tsv", _fidelity_rows(plan, config), key="recipe")


def _input_rows(plan: Plan) -> list[dict[str, Any]]:
    return [
        {"job": job.name, "file": str(path), "bytes": path.stat().st_size}
        for job in plan.jobs
        if job.inputs is not None
        for path in job.inputs.files
    ]


def _fidelity_rows(plan: Plan, config: Config) -> list[dict[str, Any]]:
    variant = config.variant
    return [
        {"recipe": name, "level": level, **row}
        for name in plan.configuration_hashes
        for level, rows in (
            ("participant", fidelity(RECIPES[name].settings(config), variant)),
            ("group", fidelity(RECIPES[name].group_settings(config), variant)),
            ("both", RECIPES[name].remarks),
        )
        for row in rows
    ]


class _LogFile(logging.FileHandler):
    """A log that waits for its folder, and goes silent when it cannot be written.

    The output folder is made when the first job is done; what was said before comes first then.
    The terminal has every message in any case.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", delay=True)
        self._waiting: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._waiting.append(record)
        if not Path(self.baseFilename).parent.is_dir():
            return
        records, self._waiting = self._waiting, []
        for item in records:
            with contextlib.suppress(OSError):
                super().emit(item)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - name of logging
        return


def log_to_file(config: Config) -> None:
    """Keep every message of this process in ``logs/``."""
    name = f"run-{time.strftime('%Y%m%dT%H%M%S')}-{socket.gethostname()}-{os.getpid()}.log"
    path = config.output_dir / "logs" / name
    for handler in list(LOGGER.handlers):
        if isinstance(handler, logging.FileHandler):
            LOGGER.removeHandler(handler)
    handler = _LogFile(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOGGER.addHandler(handler)


def log_head(plan: Plan, config: Config) -> None:
    """Begin the log with what was called, what runs, its settings, and what there is to do."""
    LOGGER.debug("command: %s", shlex.join(sys.argv))
    versions = {"musicotopy": __version__, "python": platform.python_version(), **versions_here()}
    LOGGER.debug("versions: %s", ", ".join(f"{name} {code}" for name, code in versions.items()))
    machine = f"{config.n_processors} processors, {config.memory_bytes >> 20} MB allowed"
    LOGGER.debug("machine: %s, %s", platform.platform(), machine)
    n_failing = sum(job.error is not None for job in plan.jobs)
    n_files = len({path for job in plan.jobs if job.inputs for path in job.inputs.files})
    counts = (
        f"{len(plan.jobs)} jobs of participants ({n_failing} cannot run), {n_files} input files"
    )
    LOGGER.debug("plan: %s", counts)
    LOGGER.debug("settings:\n%s", to_toml(config))
