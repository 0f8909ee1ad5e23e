"""What one participant's analysis will cost."""

from __future__ import annotations

from bidsapp.config import Config
from bidsapp.recipes.base.cost import Cost, encoding_cost
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.gradients.settings import GradientsSettings

_N_LAYERS = 27
_FRAME_BYTES = 12_000 * 64 * 4
"""Activations of the largest layer for one frame, in the blocks that are held at once."""


def estimate(inputs: Inputs, settings: GradientsSettings, config: Config) -> Cost:
    """Estimate what one participant in one space costs; see `encoding_cost`."""
    n_copies = settings.n_shifts + settings.n_beyond
    return encoding_cost(
        inputs,
        settings,
        config,
        n_layers=_N_LAYERS,
        n_copies=n_copies,
        frame_bytes=_FRAME_BYTES,
    )
