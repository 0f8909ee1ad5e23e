"""SLURM jobs as workers of a dask cluster: their options, whether SLURM takes them, their wait."""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from bidsapp.config import Config
from bidsapp.errors import ResourceUnavailableError, UsageError
from bidsapp.progress import duration

LOGGER = logging.getLogger("musicotopy")
ANSWER_S = 30
"""How long a command of SLURM may take to answer, in seconds."""
LOOK_S = 30
"""How often the queue is looked at while no worker has started, in seconds."""


def slurm_options(config: Config) -> dict[str, Any]:
    """Return the arguments of `dask_jobqueue.SLURMCluster`: one job per SLURM job at a time.

    Parameters
    ----------
    config
        ``--slurm`` (``KEY=VALUE``), threads and memory of each job.

    Raises
    ------
    UsageError
        If a word of ``--slurm`` is no ``KEY=VALUE``.
    """
    options: dict[str, Any] = {
        "cores": config.omp_nthreads or 1,
        "processes": 1,
        "memory": f"{config.memory_bytes >> 20}MiB",
        "log_directory": str(config.output_dir / "logs" / "slurm"),
        "local_directory": str(config.scratch_dir / "dask"),
        "scheduler_options": {"dashboard_address": None},
    }
    for word in config.slurm:
        key, sign, value = word.partition("=")
        if not sign or not key.isidentifier():
            msg = f"--slurm {word}: write KEY=VALUE, for example queue=main walltime=04:00:00"
            raise UsageError(msg)
        options[key] = int(value) if value.isdigit() else value
    return options


def refuse_slurm(config: Config, jobqueue: Any) -> None:
    """Have SLURM check a worker's job without submitting it.

    Parameters
    ----------
    config
        ``--slurm``, threads and memory of each job.
    jobqueue
        The module `dask_jobqueue`.

    Raises
    ------
    UsageError
        ``--slurm`` names an argument that does not exist, or has a value of the wrong kind.
    ResourceUnavailableError
        There is no ``sbatch``, it does not answer, or it refuses the job.
    """
    options = slurm_options(config)
    if shutil.which("sbatch") is None:
        msg = (
            "--executor slurm: there is no sbatch on this machine; start the app where jobs are "
            "submitted, or write scripts with musicotopy-tools sbatch"
        )
        raise ResourceUnavailableError(msg)
    del options["scheduler_options"]
    try:
        job = jobqueue.slurm.SLURMJob(scheduler="tcp://127.0.0.1:0", name="check", **options)
        script = job.job_script()
    except (TypeError, ValueError, AttributeError) as error:
        msg = f"--slurm {' '.join(config.slurm)}: {error}; see the arguments of SLURMCluster"
        raise UsageError(msg) from error
    with tempfile.NamedTemporaryFile("w", suffix=".sh", encoding="utf-8") as file:
        file.write(script)
        file.flush()
        try:
            done = _ask("sbatch", "--test-only", file.name)
        except subprocess.TimeoutExpired:
            msg = (
                f"--executor slurm: sbatch did not answer for {ANSWER_S} s; check with sinfo "
                "that the controller of SLURM is up"
            )
            raise ResourceUnavailableError(msg) from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        reason = lines[-1].removeprefix("sbatch: ").removeprefix("error: ")
        msg = (
            f"--executor slurm: sbatch refuses the job of a worker ({reason}); check with sinfo "
            "that SLURM is up, and the words of --slurm"
        )
        raise ResourceUnavailableError(msg)


def wait_for_worker(client: Any, cluster: Any, config: Config) -> None:
    """Wait until the first worker has started; say what is waited for.

    Parameters
    ----------
    client, cluster
        Of `distributed` and `dask_jobqueue`.
    config
        For the folder of the workers' logs.

    Raises
    ------
    ResourceUnavailableError
        No job of a worker is in the queue any more, and none has reported.
    """
    start, empty = time.monotonic(), 0
    while True:
        try:
            client.wait_for_workers(1, timeout=LOOK_S)
            return
        except TimeoutError:
            states = _states(cluster)
        waited = duration(time.monotonic() - start)
        empty = 0 if states else empty + 1
        if empty > 1:  # a job may end in the moment in which its worker reports
            logs = config.output_dir / "logs" / "slurm"
            msg = (
                f"--executor slurm: no worker has reported within {waited} and none of their "
                f"jobs is in the queue any more; their logs are in {logs}"
            )
            raise ResourceUnavailableError(msg)
        LOGGER.log(
            25,
            "waiting for SLURM to start a worker, since %s: %s (squeue)",
            waited,
            ", ".join(f"job {number} {state}" for number, state in states.items()) or "no job",
        )


def _states(cluster: Any) -> dict[str, str]:
    """Return job number → state of the workers' jobs that are in the queue."""
    numbers = [str(worker.job_id) for worker in cluster.workers.values() if worker.job_id]
    if not numbers:
        return {}
    try:
        done = _ask("squeue", "--noheader", "--format=%i %T", f"--jobs={','.join(numbers)}")
    except (OSError, subprocess.TimeoutExpired):
        return dict.fromkeys(numbers, "of unknown state")
    rows = (line.split() for line in done.stdout.splitlines())
    return {row[0]: row[1].lower() for row in rows if len(row) == 2}


def _ask(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, capture_output=True, text=True, timeout=ANSWER_S, check=False, cwd=Path.cwd()
    )
