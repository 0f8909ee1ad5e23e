"""Parcel time courses by time in the sound, by which participants are compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.records import Presentation, Run
from bidsapp.features.timeline import timeline


def course_rows(
    runs: Sequence[Run],
    presentations: Sequence[Presentation],
    durations_s: Mapping[str, float],
    parcel_means: NDArray[Any],
) -> Iterator[dict[str, Any]]:
    """Yield one row per volume that heard a sound.

    Parameters
    ----------
    runs, presentations
        What was played when.
    durations_s
        Sound file → its length in seconds.
    parcel_means
        (n_trs_total, n_parcels) cleaned BOLD of all runs, averaged over each parcel.

    Yields
    ------
    dict
        ``piece``, ``repeat`` (1 for its first presentation), ``stim_time_s`` (position in the
        sound) and ``parcel001``, ``parcel002``, …
    """
    heard = timeline(runs, presentations, (0.0,), durations_s)
    starts = np.concatenate([[0], np.cumsum([run.n_trs for run in runs])])
    repeat: dict[int, dict[int, int]] = defaultdict(dict)
    for piece, presentation in zip(heard.piece, heard.presentation, strict=True):
        order = repeat[int(piece)]
        order.setdefault(int(presentation), len(order) + 1)
    names = [f"parcel{number + 1:03d}" for number in range(parcel_means.shape[1])]
    for row in range(heard.n_rows):
        piece = int(heard.piece[row])
        values = parcel_means[starts[heard.run[row]] + heard.volume[row]]
        yield {
            "piece": heard.pieces[piece],
            "repeat": repeat[piece][int(heard.presentation[row])],
            "stim_time_s": round(float(heard.stim_time_s[row]), 4),
            **dict(zip(names, values, strict=True)),
        }
