"""What one participant's analysis will cost."""

from __future__ import annotations

from bidsapp.config import Config
from bidsapp.recipes.base.cost import Cost, encoding_cost
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.harmony.settings import HarmonySettings

_N_LAYERS = 11
_FRAME_BYTES = 4 * 384 * 259 // 8
"""Activations of the largest layer for one frame, in the blocks that are held at once."""


def estimate(inputs: Inputs, settings: HarmonySettings, config: Config) -> Cost:
    """Estimate what one participant in one space costs; see `encoding_cost`."""
    return encoding_cost(
        inputs,
        settings,
        config,
        n_layers=_N_LAYERS,
        n_copies=settings.n_shifts,
        frame_bytes=_FRAME_BYTES,
    )
