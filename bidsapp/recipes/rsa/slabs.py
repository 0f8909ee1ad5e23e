"""Slabs of searchlights: each is written when it is done, and found again.

A slab is a fixed number of consecutive centres; the folder is named by everything its content
depends on. An analysis that was stopped goes on where it was and ends with the same numbers.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from bidsapp.bids.atomic import write_bytes
from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.progress import track

SLAB = 2000
"""Centres of a slab."""
T = TypeVar("T")


def run_slabs(
    searchlights: Neighbourhoods,
    folder: Path,
    compute: Callable[[Neighbourhoods], T],
    kind: Callable[..., T],
    *,
    label: str,
    quiet: bool,
    size: int | None = None,
) -> list[T]:
    """Compute every slab, or read it from `folder`.

    Parameters
    ----------
    searchlights
        Centres and members.
    folder
        Of finished slabs.
    compute
        Scores some centres; its results are dataclasses of arrays.
    kind
        Makes such a result from its arrays.
    label, quiet
        Of the progress bar.
    size
        Centres of a slab; never changes a result.

    Returns
    -------
    list
        Results of the slabs, in order.
    """
    size = size or SLAB
    folder.mkdir(parents=True, exist_ok=True)
    slabs = list(searchlights.slabs(size))
    parts = []
    for rows, part in track(slabs, total=len(slabs), label=label, quiet=quiet):
        path = folder / f"slab-{size}-{rows.start:07d}.npz"
        if not path.exists():
            buffer = io.BytesIO()
            np.savez(buffer, **vars(compute(part)))
            write_bytes(path, buffer.getvalue())
        with np.load(path) as arrays:
            parts.append(kind(**arrays))
    return parts
