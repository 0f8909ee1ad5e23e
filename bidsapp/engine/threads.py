"""Bind every numerical library to the number of threads asked for."""

from __future__ import annotations

import os
import sys

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def limit_threads(n_threads: int) -> None:
    """Set the threads of BLAS, OpenMP, numba and torch; call before they are imported.

    Parameters
    ----------
    n_threads
        Threads per process.
    """
    for name in _VARIABLES:
        os.environ[name] = str(n_threads)


def limit_torch(n_threads: int) -> None:
    """Set torch's threads if it is imported already; else it will follow the environment."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(n_threads)
