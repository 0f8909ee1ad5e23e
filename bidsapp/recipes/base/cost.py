"""What a job will cost, before it runs."""

from __future__ import annotations

from dataclasses import dataclass

from bidsapp.bids.headers import n_units as count_units
from bidsapp.recipes.base.inputs import Inputs

BASE_BYTES = 900 * 2**20
"""Resident size of the libraries and one network."""


@dataclass(frozen=True)
class Cost:
    """Estimated size of one job.

    Attributes
    ----------
    memory_bytes, scratch_bytes
        Peak memory, bounded by ``--mem``, and intermediate files.
    size
        What makes it big, in words: ``20,484 units, 5,120 feature frames``.
    """

    memory_bytes: int
    scratch_bytes: int
    size: str


def encoding_cost(
    inputs: Inputs, hop_s: float, memory_bytes: int, *, n_grams: int, frame_bytes: int
) -> Cost:
    """Estimate what encoding one participant's BOLD by layers of networks costs.

    Parameters
    ----------
    inputs
        What was found.
    hop_s
        Time between frames.
    memory_bytes
        Allowed by ``--mem``.
    n_grams
        Gram matrices, frames × frames, that are kept.
    frame_bytes
        Held for each frame while features are made.
    """
    n_units = count_units(inputs.runs[0])
    n_trs = sum(run.n_trs for run in inputs.runs)
    seconds = {row["stim_file"]: float(row["sound_s"]) for row in inputs.alignment}
    n_frames = int(sum(seconds.values()) / hop_s)
    bold, grams = 4 * n_trs * n_units, n_grams * 8 * n_frames**2
    wanted = BASE_BYTES + bold + frame_bytes * n_frames
    size = f"{n_units:,} units, {n_frames:,} feature frames"
    return Cost(min(wanted, memory_bytes), bold + grams, size)
