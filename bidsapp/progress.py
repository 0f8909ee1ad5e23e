"""Progress on long work: a bar on a terminal, plain lines elsewhere, no silence for long.

`job` says whose work it is (``[2/5] sub-02 · fsaverage5``) and repeats its phase when nothing has
been said for a while; `track` counts the steps of a phase; `phase` names one that has no steps.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
_PLAIN_INTERVAL_S = 10.0
_SILENCE_S = 20.0


@dataclass
class _Watch:
    """Whose work is going on, what it is at, and when that was last said."""

    whose: str
    start: float
    said: float
    phase: str = "starting"
    bar: bool = False


_WATCH: ContextVar[_Watch | None] = ContextVar("watch", default=None)


@contextmanager
def job(whose: str, *, quiet: bool = False, silence_s: float = _SILENCE_S) -> Iterator[None]:
    """Name the job that the work inside belongs to, and break its silences.

    Parameters
    ----------
    whose
        What its lines begin with.
    quiet
        Say nothing.
    silence_s
        Seconds without a line after which its phase is said again.
    """
    if quiet or sys.stderr is None:
        yield
        return
    now = time.monotonic()
    watch = _Watch(whose, now, now)
    token, over = _WATCH.set(watch), threading.Event()
    thread = threading.Thread(target=_break_silence, args=(watch, over, silence_s), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        _WATCH.reset(token)


def _break_silence(watch: _Watch, over: threading.Event, silence_s: float) -> None:
    while not over.wait(min(1.0, silence_s)):
        now = time.monotonic()
        if now - watch.said >= silence_s and not watch.bar:
            watch.said = now
            text = f"{watch.whose} · {watch.phase} · {duration(now - watch.start)} so far"
            print(text, file=sys.stderr)


def phase(name: str) -> None:
    """Name what the job is at, for the line that breaks a silence."""
    watch = _WATCH.get()
    if watch is not None and name:
        watch.phase = name


def duration(seconds: float) -> str:
    """Write seconds as people say them.

    Examples
    --------
    >>> duration(42), duration(130), duration(5400)
    ('42 s', '2 min', '1.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def track(items: Iterable[T], *, total: int, label: str, quiet: bool = False) -> Iterator[T]:
    """Yield `items`, showing how far the work is on standard error.

    Parameters
    ----------
    items
        What is worked through.
    total
        Their number.
    label
        What the bar says; the phase of the job.
    quiet
        Show nothing.
    """
    phase(label)
    if quiet or sys.stderr is None:
        yield from items
    elif sys.stderr.isatty():
        yield from _bar(items, total, label)
    else:
        yield from _plain(items, total, label)


def _bar(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    from tqdm import tqdm

    watch = _WATCH.get()
    text = label if watch is None else f"{watch.whose} · {label}"
    if watch is not None:
        watch.bar = True
    try:
        yield from tqdm(items, total=total, desc=text, leave=False, file=sys.stderr)
    finally:
        if watch is not None:
            watch.bar, watch.said = False, time.monotonic()


def _plain(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    watch = _WATCH.get()
    text = label if watch is None else f"{watch.whose} · {label}"
    start = shown = time.monotonic()
    for done, item in enumerate(items):
        yield item
        now = time.monotonic()
        if now - shown >= _PLAIN_INTERVAL_S:
            shown = now
            if watch is not None:
                watch.said = now
            left = duration((now - start) / (done + 1) * (total - done - 1))
            print(f"{text} {done + 1} of {total} · about {left} left", file=sys.stderr)
