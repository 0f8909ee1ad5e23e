"""Kill a run of the app where its log says it is: for tests of what a killed run leaves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path


def kill_at(
    process: subprocess.Popen[str], output: Path, line: str, timeout_s: float = 240
) -> None:
    """Kill a run, with everything it started, as soon as it has logged a line.

    Parameters
    ----------
    process
        The run, in a session of its own (``start_new_session=True``), with ``-v``.
    output
        Its output folder; its processes write to ``logs/*.log``.
    line
        Regular expression that the line matches.
    timeout_s
        How long the line may take.
    """
    end = time.monotonic() + timeout_s
    while not any(re.search(line, path.read_text()) for path in output.glob("logs/*.log")):
        assert process.poll() is None, f"the run ended before it logged {line!r}"
        assert time.monotonic() < end, f"the run did not log {line!r}"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the run had ended before it was killed"
