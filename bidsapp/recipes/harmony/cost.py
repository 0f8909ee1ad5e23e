"""What one participant's analysis will cost."""

from __future__ import annotations

from bidsapp.bids.headers import n_units as count_units
from bidsapp.config import Config
from bidsapp.recipes.base.cost import BASE_BYTES, Cost
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.harmony.settings import HarmonySettings

_FRAME_BYTES = 4 * 384 * 259
"""Activations of the largest layer for one frame."""


def estimate(inputs: Inputs, settings: HarmonySettings, config: Config) -> Cost:
    """Estimate what one participant in one space costs.

    Parameters
    ----------
    inputs
        What was found.
    settings
        The recipe's settings (``hop_s`` is used).
    config
        For the memory that may be used.
    """
    run = inputs.runs[0]
    n_units = count_units(run)
    n_trs = sum(item.n_trs for item in inputs.runs)
    seconds = {row["stim_file"]: float(row["sound_s"]) for row in inputs.alignment}
    n_frames = int(sum(seconds.values()) / settings.hop_s)
    bold, grams = 4 * n_trs * n_units, 11 * 8 * n_frames**2
    wanted = BASE_BYTES + bold + _FRAME_BYTES * n_frames // 8
    return Cost(
        min(wanted, config.memory_bytes),
        bold + grams,
        f"{n_units:,} units, {n_frames:,} feature frames",
    )
