"""What one participant's analysis will cost."""

from __future__ import annotations

from dataclasses import replace

from bidsapp.config import Config
from bidsapp.recipes.base.cost import Cost, encoding_cost, null_time
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.gradients.settings import GradientsSettings

_N_GRAMS = 27
_FRAME_BYTES = 12_000 * 64 * 4
"""Activations of the largest layer for one frame, in the blocks that are held at once."""


def estimate(inputs: Inputs, settings: GradientsSettings, config: Config) -> Cost:
    """Estimate what one participant in one space costs.

    Parameters
    ----------
    inputs
        What was found.
    settings
        The recipe's settings.
    config
        For memory and cores that may be used.
    """
    cost = encoding_cost(
        inputs, settings.hop_s, config.memory_bytes, n_grams=_N_GRAMS, frame_bytes=_FRAME_BYTES
    )
    n_copies = settings.n_shifts + settings.n_beyond
    time = null_time(inputs, settings, _N_GRAMS, n_copies, config.n_threads)
    return replace(cost, size=", ".join(filter(None, (cost.size, time))))
