"""Jobs on a dask cluster: one that runs already, one on this machine, or one of SLURM jobs."""

from __future__ import annotations

import dataclasses
import importlib
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bidsapp.config import Config
from bidsapp.engine.plan import Job
from bidsapp.engine.processes import begin
from bidsapp.engine.slurm import refuse_slurm, slurm_options, wait_for_worker
from bidsapp.engine.status import Record, write_record
from bidsapp.engine.work import ATTEMPTS, Records, Worker, failed, given_up
from bidsapp.errors import ResourceUnavailableError

LOGGER = logging.getLogger("musicotopy")


def refuse_executor(config: Config) -> None:
    """Refuse an executor that no job can run on; nothing is started.

    Parameters
    ----------
    config
        ``executor``, ``dask_scheduler``, ``slurm``.

    Raises
    ------
    UsageError
        A word of ``--slurm`` is no ``KEY=VALUE``, or cannot be used.
    ResourceUnavailableError
        A library is not installed, no scheduler answers, or SLURM takes no jobs.
    """
    if config.executor not in ("dask", "slurm"):
        return
    distributed = _import("distributed", "dask")
    if config.dask_scheduler is not None:
        _connect(distributed, config.dask_scheduler).close()
    elif config.executor == "slurm":
        refuse_slurm(config, _import("dask_jobqueue", "slurm"))


@dataclasses.dataclass(frozen=True)
class Dask:
    """The workers of a dask cluster.

    The scheduler suspects every job that was assigned to a worker when it died; those it gives
    up are tried once more, alone.
    """

    worker: Worker
    config: Config

    def run(self, jobs: Sequence[Job]) -> Records:
        """Yield the record of each job as it ends."""
        if not jobs:
            return
        distributed = _import("distributed", "dask")
        with ExitStack() as stack:
            client = stack.enter_context(self._client(distributed, stack))
            futures = {self._submit(client, job): job for job in jobs}
            suspects: list[Job] = []
            for future in distributed.as_completed(list(futures)):
                job = futures.pop(future)
                if type(future.exception()).__name__ == "KilledWorker":
                    suspects.append(job)
                    continue
                record = self._record(future, job)
                future.release()  # or the death of its worker would have it done again
                yield record
            for job in suspects:
                LOGGER.warning("%s: its worker was killed; trying again", job.name)
                yield self._record(self._submit(client, job), job)

    def _submit(self, client: Any, job: Job) -> Any:
        return client.submit(_call, self.worker, job, pure=False)

    def _client(self, distributed: Any, stack: ExitStack) -> Any:
        """Connect to the scheduler asked for, or start a cluster that ends with the run."""
        config = self.config
        _import("dask", "dask").config.set(
            {
                "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
            }
        )
        if config.dask_scheduler is not None:
            return _connect(distributed, config.dask_scheduler)
        if config.executor == "slurm":
            jobqueue = _import("dask_jobqueue", "slurm")
            cluster = stack.enter_context(jobqueue.SLURMCluster(**slurm_options(config)))
            cluster.scale(jobs=config.n_workers)
            client = distributed.Client(cluster)
            stack.callback(client.close)
            wait_for_worker(client, cluster, config)
            return client
        cluster = stack.enter_context(
            distributed.LocalCluster(
                n_workers=config.n_workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,
                dashboard_address=None,
                silence_logs=logging.ERROR,
            )
        )
        return distributed.Client(cluster)

    def _record(self, future: Any, job: Job) -> Record:
        try:
            record: Record = future.result()
            return record
        except Exception as error:  # KilledWorker, lost connections, what cannot be unpickled
            if type(error).__name__ == "KilledWorker":
                return given_up(job, self.config)
            LOGGER.error("%s: %r", job.name, error)
            record = failed(job, f"the dask cluster lost it: {error!r}", 75)
            write_record(self.config.output_dir, record)
            return record


def _call(worker: Worker, job: Job) -> Record:
    """Attend to a job in a dask worker."""
    begin(worker.config)
    return worker(job)


def _connect(distributed: Any, address: str) -> Any:
    """Connect to a scheduler by address or by its file."""
    msg = f"--dask-scheduler {address}: no scheduler answers there; start one first"
    is_file = "://" not in address
    if is_file and not Path(address).is_file():  # the library would wait for it without end
        raise ResourceUnavailableError(msg)
    place = {"scheduler_file" if is_file else "address": address}
    try:
        return distributed.Client(**place, timeout=20)
    except (OSError, ValueError) as error:
        raise ResourceUnavailableError(msg) from error


def _import(name: str, extra: str) -> Any:
    """Import an optional library.

    Raises
    ------
    ResourceUnavailableError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        msg = f"--executor needs {name}; install it with pip install 'musicotopy[{extra}]'"
        raise ResourceUnavailableError(msg) from error
