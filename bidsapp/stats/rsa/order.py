"""Whether participants heard the clips in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.errors import InputInvalidError

#: From this similarity of places on, orders count as common.
SIMILAR_ORDERS = 0.5


@dataclass(frozen=True)
class OrderCheck:
    """How alike the orders of the clips are.

    Attributes
    ----------
    n_participants, n_orders
        Participants, and different orders among them.
    similarity
        Mean correlation of two participants' mean places of the clips: 1 for a common order,
        about 0 for orders drawn by chance; NaN where all places are balanced within each
        participant (a Latin square over runs), or with one participant.
    balanced
        Whether each clip has the same mean place within each participant.
    """

    n_participants: int
    n_orders: int
    similarity: float
    balanced: bool

    @property
    def common(self) -> bool:
        """Whether participants heard (nearly) one order, so that drift can pose as a model.

        Tests over participants (t, sign flips) are then no evidence of their own, unless the
        order is balanced within each participant.
        """
        one_order = self.n_orders == 1 or self.similarity >= SIMILAR_ORDERS
        return one_order and not self.balanced


def check_orders(orders: Sequence[Sequence[Sequence[int]]]) -> OrderCheck:
    """Compare the orders in which participants heard the clips.

    Parameters
    ----------
    orders
        For each participant and run: the clips as they came.

    Returns
    -------
    OrderCheck

    Raises
    ------
    InputInvalidError
        No participant, or one without clips.
    """
    if not orders or not all(sum(len(run) for run in runs) for runs in orders):
        msg = "the order of clips needs at least one presentation per participant"
        raise InputInvalidError(msg)
    distinct = {tuple(tuple(run) for run in runs) for runs in orders}
    clips = sorted({clip for runs in orders for run in runs for clip in run})
    places = np.array([_mean_places(runs, clips) for runs in orders])
    spread = np.nanmax(places, axis=1) - np.nanmin(places, axis=1)
    balanced = bool((spread < 1e-9).all()) and len(clips) > 1
    return OrderCheck(len(orders), len(distinct), _similarity(places), balanced)


def _mean_places(runs: Sequence[Sequence[int]], clips: Sequence[int]) -> list[float]:
    """Mean place of each clip over the runs that have it, NaN for none."""
    found = [[place for run in runs for place, c in enumerate(run) if c == clip] for clip in clips]
    return [float(np.mean(places)) if places else np.nan for places in found]


def _similarity(places: NDArray[np.float64]) -> float:
    values = []
    for i, one in enumerate(places):
        for other in places[:i]:
            both = np.isfinite(one) & np.isfinite(other)
            if both.sum() > 1 and np.ptp(one[both]) > 0 and np.ptp(other[both]) > 0:
                values.append(np.corrcoef(one[both], other[both])[0, 1])
    return float(np.mean(values)) if values else float("nan")
