"""What one participant's analysis will cost."""

from __future__ import annotations

from bidsapp.bids.headers import n_units as count_units
from bidsapp.config import Config
from bidsapp.recipes.base.cost import BASE_BYTES, Cost
from bidsapp.recipes.reconstruct.clips import ReconstructInputs, make_clips
from bidsapp.recipes.reconstruct.encoding.results import MOST_BANDS
from bidsapp.recipes.reconstruct.settings import ReconstructSettings

_N_DIMENSIONS = 512
_SQUARES = 10
"""Arrays of rows by rows that the dual form of a large region holds."""


def estimate(inputs: ReconstructInputs, settings: ReconstructSettings, config: Config) -> Cost:
    """Estimate what one participant in one space costs; see `Recipe.cost`."""
    clips = make_clips(inputs, settings)
    n_clips = len(clips.clips)
    n_rows = n_clips * clips.n_windows
    n_units = count_units(inputs.runs[0])
    bold = 4 * n_units * sum(run.n_trs for run in inputs.runs)
    responses = 4 * n_units * n_rows
    wanted = BASE_BYTES + 8 * _SQUARES * n_rows**2
    wanted += 8 * settings.n_parcels * n_clips * _N_DIMENSIONS
    wanted += 4 * responses if settings.whole_brain else 0
    if settings.encoding:  # responses, and predictions of all subsets of embeddings and the genre
        n_models = 2 ** min(len(settings.networks), MOST_BANDS)
        wanted += 4 * n_units * n_clips * (n_models + 1)
    if settings.curve_shifts_s or settings.curve_lengths_s:
        share = min(1.0, settings.n_folds * settings.n_best / settings.n_parcels)
        wanted += int(share * bold)
    return Cost(
        min(wanted, config.memory_bytes),
        bold + responses,
        f"{n_units:,} units, {n_clips} clips of {clips.n_windows} windows",
    )
