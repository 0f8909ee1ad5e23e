"""Responses to the same sound, for the noise ceiling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.records import Presentation, Run
from bidsapp.brain.clean import BoldMatrix

_MIN_ROWS = 20


def repeated_volumes(
    runs: Sequence[Run], presentations: Sequence[Presentation]
) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """Find the rows of the BOLD matrix in which the same music is heard again.

    Presentations of the same stretch of the same sound are repeats of each other. Volumes are
    paired by their order after the onset; with different onsets relative to the volumes they
    are up to half a TR apart.

    Returns
    -------
    rows : list of ndarray
        One array of row numbers per repeat, all of one length; empty when nothing was repeated
        or the repeats are shorter than 20 volumes in all.
    piece : ndarray
        Number of the repeated stretch that each row belongs to.
    """
    starts = np.concatenate([[0], np.cumsum([run.n_trs for run in runs])])
    number = {run.name: index for index, run in enumerate(runs)}
    heard: dict[tuple[str, float, float], list[NDArray[np.intp]]] = defaultdict(list)
    for item in presentations:
        if item.run_name not in number:
            continue
        index = number[item.run_name]
        run = runs[index]
        times = run.volume_times_s - item.onset_s
        volumes = np.flatnonzero((times >= 0) & (times < item.duration_s))
        key = (item.stim_file, round(item.stim_start_s, 2), round(item.duration_s, 1))
        heard[key].append(starts[index] + volumes)
    groups = [group for group in heard.values() if len(group) > 1]
    if not groups:
        return [], np.empty(0, np.intp)
    n_repeats = min(map(len, groups))
    repeats: list[list[NDArray[np.intp]]] = [[] for _ in range(n_repeats)]
    lengths = [min(map(len, group[:n_repeats])) for group in groups]
    for group, length in zip(groups, lengths, strict=True):
        for repeat, volumes in zip(repeats, group, strict=False):
            repeat.append(volumes[:length])
    rows = [np.concatenate(parts) for parts in repeats]
    piece = np.repeat(np.arange(len(groups)), lengths)
    return (rows, piece) if rows[0].size >= _MIN_ROWS else ([], piece[:0])


def repeated_responses(
    runs: Sequence[Run], presentations: Sequence[Presentation], bold: BoldMatrix
) -> tuple[NDArray[np.floating[Any]], NDArray[np.intp]] | None:
    """Return the responses to repeated sounds, or None when nothing was repeated.

    Returns
    -------
    responses : ndarray, (n_repeats, n_rows, n_units)
    piece : ndarray, (n_rows,)
        Number of the repeated stretch of each row.
    """
    rows, piece = repeated_volumes(runs, presentations)
    if not rows:
        return None
    data = bold.data
    return np.stack([np.asarray(data[some]) for some in rows]), piece
