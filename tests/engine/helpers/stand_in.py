"""A worker that other processes can import: what it does is in the name of the job."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

from bidsapp.config import Config
from bidsapp.engine.status import Record


@dataclass(frozen=True)
class StandIn:
    """Attends to jobs without a dataset; leaves a line for every attempt."""

    config: Config

    def __call__(self, job: Any) -> Record:
        attempts = self.config.output_dir / f"attempts-{job.name}"
        with attempts.open("a") as file:
            file.write(f"{os.getpid()} {os.environ.get('OMP_NUM_THREADS')} {self.config.mem}\n")
        times = len(attempts.read_text().splitlines())
        if job.name.startswith("poison") or (job.name.startswith("once") and times == 1):
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGKILL)
        if job.name.startswith("slow"):
            time.sleep(1.0)
        return Record(job.name, "r", "participant", job.subject, "x", "done", "aaaa", "bbbb")
