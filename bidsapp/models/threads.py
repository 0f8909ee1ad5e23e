"""Coarse parallelism: one thread per task, not many threads inside one product.

Matrix products of a few million operations wait for one another's threads at every step; on a
busy machine that wait costs hundreds of times the work. Tasks that never meet do not wait, and
since each runs on one thread its result does not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_single_threaded(
    work: Callable[[Item], Result], items: Sequence[Item], *, n_workers: int | None = None
) -> list[Result]:
    """Apply `work` to all items in workers in which torch uses one thread.

    Parameters
    ----------
    work
        Uses torch (not numpy's linear algebra) for what is heavy.
    items
        One task each.
    n_workers
        By default as many as torch has threads.

    Returns
    -------
    list
        Results in the order of `items`.
    """
    n_threads = torch.get_num_threads()
    workers = max(1, min(n_workers or n_threads, len(items)))
    if workers == n_threads == 1:  # as within a worker: a pool of one thread would only cost
        return [work(item) for item in items]
    try:
        with ThreadPoolExecutor(workers, initializer=_use_one_thread) as pool:
            return list(pool.map(work, items))
    finally:
        torch.set_num_threads(n_threads)


def _use_one_thread() -> None:
    torch.set_num_threads(1)
