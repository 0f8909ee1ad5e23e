"""Progress on long work: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_PLAIN_INTERVAL_S = 10.0


def track(items: Iterable[T], *, total: int, label: str, quiet: bool = False) -> Iterator[T]:
    """Yield `items`, showing how far the work is on standard error.

    Parameters
    ----------
    items
        What is worked through.
    total
        Their number.
    label
        What the bar says.
    quiet
        Show nothing.
    """
    if quiet or sys.stderr is None:
        yield from items
    elif sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=label, leave=False, file=sys.stderr)
    else:
        yield from _plain(items, total, label)


def _plain(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    start = shown = time.monotonic()
    for done, item in enumerate(items):
        yield item
        now = time.monotonic()
        if now - shown >= _PLAIN_INTERVAL_S:
            shown = now
            left = (now - start) / (done + 1) * (total - done - 1)
            print(f"{label}: {done + 1}/{total}, about {left:.0f} s left", file=sys.stderr)
