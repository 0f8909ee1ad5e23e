"""Wall-clock and processor seconds, and memory, of steps of the app while it runs."""

from __future__ import annotations

import functools
import importlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass
class Stopwatch:
    """Seconds and memory of steps that may hold each other; inner ones are not counted twice.

    A step does not hold the time of steps within it. Processor seconds are those of all threads
    of this process.
    """

    wall_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    cpu_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    peak_bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    running: list[str] = field(default_factory=lambda: ["other"])
    since: tuple[float, float] = (0.0, 0.0)
    over: bool = False

    def __enter__(self) -> Self:
        """Start."""
        self.since = time.perf_counter(), time.process_time()
        threading.Thread(target=self.watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.turn()
        self.over = True

    def turn(self) -> None:
        """Count the time since the last turn for the step that runs."""
        now = time.perf_counter(), time.process_time()
        self.wall_s[self.running[-1]] += now[0] - self.since[0]
        self.cpu_s[self.running[-1]] += now[1] - self.since[1]
        self.since = now

    def watch(self) -> None:
        """Look at the resident memory every .05 s."""
        page = os.sysconf("SC_PAGE_SIZE")
        while not self.over:
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * page
            step = self.running[-1]
            self.peak_bytes[step] = max(self.peak_bytes[step], resident)
            time.sleep(0.05)

    def timed(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time counted; a generator is run to its end."""

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                return function(*args, **kwargs)
            self.turn()
            self.running.append(step)
            try:
                value = function(*args, **kwargs)
                return iter(list(value)) if isinstance(value, Iterator) else value
            finally:
                self.turn()
                self.running.pop()

        return wrapper

    def attach(self, steps: Mapping[str, str]) -> None:
        """Put the clock around steps.

        Parameters
        ----------
        steps
            Title → function below `bidsapp`, where its caller looks it up
            (``recipes.base.scores:encode``); a title may hold several, divided by spaces.
        """
        for step, addresses in steps.items():
            for address in addresses.split():
                module, _, name = address.partition(":")
                holder: Any = importlib.import_module(f"bidsapp.{module}")
                *outer, last = name.split(".")
                for part in outer:
                    holder = getattr(holder, part)
                setattr(holder, last, self.timed(step, getattr(holder, last)))

    def table(self) -> Iterator[str]:
        """Yield the rows of a table, the most expensive step first."""
        whole = sum(self.wall_s.values()), sum(self.cpu_s.values())
        yield "| step | wall s | CPU s | share of CPU | peak GiB |\n|---|---|---|---|---|"
        for step in sorted(self.cpu_s, key=lambda name: -self.cpu_s[name]):
            share, gib = self.cpu_s[step] / whole[1], self.peak_bytes[step] / 2**30
            yield (
                f"| {step} | {self.wall_s[step]:.0f} | {self.cpu_s[step]:.0f} | {share:.0%} | "
                f"{gib:.2f} |"
            )
        peak = max(self.peak_bytes.values()) / 2**30
        yield f"| all | {whole[0]:.0f} | {whole[1]:.0f} | | {peak:.2f} |"
