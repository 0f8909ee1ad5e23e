"""Where jobs run: in this process, in processes beside it, or on a dask cluster.

``serial``
    one job after the other in this process;
``local``
    several processes on this machine, one job each (`concurrent.futures`);
``dask``
    the workers of a dask cluster: one that is running (``--dask-scheduler``), or one that is
    started on this machine;
``slurm``
    a dask cluster whose workers are SLURM jobs (`dask_jobqueue`).

An executor yields the record of every job it is given. Jobs are independent, write their results
atomically and may be run twice: a worker that dies costs its job only, which is tried again.
"""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import shutil
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from bidsapp.bids.dataset import Dataset
from bidsapp.config import Config
from bidsapp.engine.plan import Job
from bidsapp.engine.processes import begin, begin_beside
from bidsapp.engine.status import Record, write_record
from bidsapp.engine.work import Worker, failed
from bidsapp.errors import ResourceUnavailableError, UsageError

LOGGER = logging.getLogger("musicotopy")
Records = Generator[Record, None, None]
ATTEMPTS = 3
"""How often a job whose worker dies is tried."""


class Executor(Protocol):
    """A place where jobs run."""

    def run(self, jobs: Sequence[Job]) -> Records:
        """Yield the record of each job as it ends, in any order; closing it stops the rest."""


def make_executor(dataset: Dataset, config: Config) -> Executor:
    """Return the executor that the configuration asks for.

    Parameters
    ----------
    dataset
        The opened dataset.
    config
        ``executor``, ``workers``, ``dask_scheduler``, ``slurm``, threads and memory.
    """
    if config.executor == "serial":
        return Serial(Worker(dataset, config))
    one_machine = config.executor != "slurm" and config.dask_scheduler is None
    theirs = _share(config) if one_machine else config
    worker = Worker(dataset, dataclasses.replace(theirs, quiet=True))
    if config.executor == "local":
        return Local(worker, config.n_workers)
    return Dask(worker, config)


def _share(config: Config) -> Config:
    """Give each of several workers on one machine its part of threads and memory."""
    n = config.n_workers
    return dataclasses.replace(
        config,
        omp_nthreads=config.omp_nthreads or max(1, config.n_processors // n),
        mem=f"{max(config.memory_bytes // n >> 20, 256)}M",
    )


@dataclasses.dataclass(frozen=True)
class Serial:
    """One job after the other in this process."""

    worker: Worker

    def run(self, jobs: Sequence[Job]) -> Records:
        """Yield the record of each job in order."""
        yield from map(self.worker, jobs)


@dataclasses.dataclass(frozen=True)
class Local:
    """Processes on this machine, one job each.

    When a process is killed, the pool is lost: what was waiting goes on in a new pool, and the
    jobs that may have been at work are then tried one by one, so that only a job that kills
    its worker every time is given up.
    """

    worker: Worker
    n_workers: int

    def run(self, jobs: Sequence[Job]) -> Records:
        """Yield the record of each job as it ends."""
        waiting, suspects = list(jobs), []
        while waiting:
            broken: list[Job] = []
            yield from self._pool(waiting, self.n_workers, broken)
            if not broken:
                break
            started = broken[: self.n_workers]
            suspects += started
            waiting = broken[len(started) :]
        for job in suspects:
            yield from self._retry(job)

    def _pool(self, jobs: Sequence[Job], n: int, broken: list[Job]) -> Records:
        """Run jobs in one pool; those it did not finish before it broke go to `broken`."""
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(n, context, begin_beside, (self.worker.config,))
        try:
            futures = {pool.submit(self.worker, job): job for job in jobs}
            for future in as_completed(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    broken.append(futures[future])
            order = {job.name: number for number, job in enumerate(jobs)}
            broken.sort(key=lambda job: order[job.name])
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _retry(self, job: Job) -> Records:
        for _ in range(ATTEMPTS - 1):
            LOGGER.warning("%s: its process was killed; trying again", job.name)
            broken: list[Job] = []
            yield from self._pool([job], 1, broken)
            if not broken:
                return
        yield _given_up(job, self.worker.config)


def _given_up(job: Job, config: Config) -> Record:
    reason = (
        "its process was killed every time it was tried (out of memory?); give it more with "
        "--mem or use fewer --workers"
    )
    LOGGER.error("%s: %s", job.name, reason)
    record = failed(job, reason, 75)
    write_record(config.output_dir, record)
    return record


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
            if shutil.which("sbatch") is None:
                msg = (
                    "--executor slurm: there is no sbatch on this machine; start the app where "
                    "jobs are submitted, or write scripts with musicotopy-tools sbatch"
                )
                raise ResourceUnavailableError(msg)
            jobqueue = _import("dask_jobqueue", "slurm")
            cluster = stack.enter_context(jobqueue.SLURMCluster(**slurm_options(config)))
            cluster.scale(jobs=config.n_workers)
            return distributed.Client(cluster)
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
                return _given_up(job, self.config)
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


def _import(name: str, extra: str) -> Any:
    """Import an optional library.

    Raises
    ------
    ResourceUnavailableError
        If it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        msg = f"--executor needs {name}; install it with pip install 'musicotopy[{extra}]'"
        raise ResourceUnavailableError(msg) from error
