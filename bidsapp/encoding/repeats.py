"""Responses to the same sound, for the noise ceiling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.records import Presentation
from bidsapp.encoding.rows import Rows

_MIN_ROWS = 20


def repeated_rows(
    rows: Rows, presentations: Sequence[Presentation]
) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """Find the rows of a design in which the same music is heard again.

    Presentations of the same stretch of the same sound are repeats of each other. Rows are paired
    by their order after the onset; with different onsets relative to the volumes they are up to
    half a TR apart. Only rows that are scored take part, so that the ceiling is one of the scores.

    Parameters
    ----------
    rows
        Of one set of lags.
    presentations
        That the rows were made of.

    Returns
    -------
    repeats : list of ndarray
        One array of rows per repeat, all of one length; empty when nothing was repeated or the
        repeats are shorter than 20 rows in all.
    piece : ndarray
        Number of the repeated stretch that each row belongs to.
    """
    heard: dict[tuple[str, float, float], list[NDArray[np.intp]]] = defaultdict(list)
    for number, item in enumerate(presentations):
        own = np.flatnonzero((rows.timeline.presentation == number) & (rows.blocks.label >= 0))
        if own.size:
            key = (item.stim_file, round(item.stim_start_s, 2), round(item.duration_s, 1))
            heard[key].append(own)
    groups = [group for group in heard.values() if len(group) > 1]
    if not groups:
        return [], np.empty(0, np.intp)
    n_repeats = min(map(len, groups))
    lengths = [min(map(len, group[:n_repeats])) for group in groups]
    repeats = [
        np.concatenate(
            [group[repeat][:length] for group, length in zip(groups, lengths, strict=True)]
        )
        for repeat in range(n_repeats)
    ]
    piece = np.repeat(np.arange(len(groups)), lengths)
    return (repeats, piece) if piece.size >= _MIN_ROWS else ([], piece[:0])
