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
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

from bidsapp.bids.dataset import Dataset
from bidsapp.config import Config
from bidsapp.engine.clusters import Dask
from bidsapp.engine.plan import Job
from bidsapp.engine.processes import begin_beside
from bidsapp.engine.work import ATTEMPTS, Records, Worker, given_up

LOGGER = logging.getLogger("musicotopy")


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
    worker = Worker(dataset, dataclasses.replace(config.of_one_worker(), quiet=True))
    if config.executor == "local":
        return Local(worker, config.n_workers)
    return Dask(worker, config)


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
        yield given_up(job, self.worker.config)
