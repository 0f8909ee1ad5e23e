"""How a process that works for a run begins, and when it ends."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading

from bidsapp.config import Config
from bidsapp.engine.logs import log_to_file
from bidsapp.engine.threads import limit_threads, limit_torch

LOGGER = logging.getLogger("musicotopy")


def begin(config: Config) -> None:
    """Prepare a fresh process: threads, messages to the log file."""
    limit_threads(config.n_threads)
    limit_torch(config.n_threads)
    LOGGER.setLevel(logging.DEBUG if config.verbose > 1 else 20)
    LOGGER.propagate = False
    log_to_file(config)


def begin_beside(config: Config) -> None:
    """Prepare a process that `multiprocessing` started; it ends when its run is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
    begin(config)
