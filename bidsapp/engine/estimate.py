"""What a unit will cost, before it runs: units, frames, memory, scratch space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bidsapp.config import Config
from bidsapp.recipes.inputs import Inputs

_N_UNITS = {"gifti": 20_484, "cifti": 91_282}
_BASE_BYTES = 900 * 2**20
"""Resident size of the libraries and one network."""


@dataclass(frozen=True)
class Cost:
    """Estimated size of one unit of work.

    Attributes
    ----------
    n_units
        Voxels or vertices (an upper bound for volumes: the whole grid's brain share).
    n_frames
        Network frames of all sounds.
    memory_bytes, scratch_bytes
        Peak memory, bounded by ``--mem``, and intermediate files.
    """

    n_units: int
    n_frames: int
    memory_bytes: int
    scratch_bytes: int


def estimate(inputs: Inputs, settings: Any, config: Config) -> Cost:
    """Estimate what one unit costs.

    Parameters
    ----------
    inputs
        What was found for it.
    settings
        The recipe's settings (``hop_s`` is used).
    config
        For the memory that may be used.
    """
    from bidsapp.bids.headers import n_mask_voxels

    run = inputs.runs[0]
    n_units = _N_UNITS.get(run.kind) or n_mask_voxels(run)
    n_trs = sum(item.n_trs for item in inputs.runs)
    seconds = {row["stim_file"]: float(row["sound_s"]) for row in inputs.alignment}
    n_frames = int(sum(seconds.values()) / settings.hop_s)
    bold, grams = 4 * n_trs * n_units, 27 * 8 * n_frames**2
    wanted = _BASE_BYTES + bold + 12_000 * 64 * 4 * n_frames
    return Cost(n_units, n_frames, min(wanted, config.memory_bytes), bold + grams)
