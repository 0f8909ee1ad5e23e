"""What one participant's analysis will cost."""

from __future__ import annotations

from bidsapp.bids.headers import n_units as count_units
from bidsapp.config import Config
from bidsapp.recipes.base.cost import BASE_BYTES, Cost, sound_seconds, steps_s
from bidsapp.recipes.reconstruct.clips import ReconstructInputs, make_clips
from bidsapp.recipes.reconstruct.encoding.results import MOST_BANDS
from bidsapp.recipes.reconstruct.settings import ReconstructSettings

_N_DIMENSIONS = 512
_SQUARES = 10
"""Arrays of rows by rows that the dual form of a large region holds."""
_UNITS_AT_ONCE, _COPIES = 4_000, 4
"""Responses of all regions together are read in parts of so many units, copied so often."""
_OTHER_ARRAYS = 10
"""Arrays (n_clips, n_units) beside predictions of encoding models."""
_DECODED_S, _ENCODED_S = 9e-8, 4e-6
"""CPU seconds of decoding, for each row, unit and pair of folds, and of encoding models, for each
clip and unit (`benchmarks/reconstruct_study.py`)."""
_CURVES, _ABLATION = 0.3, 0.5
"""Time of response windows, and of genres left out, as parts of that of decoding."""


def estimate(inputs: ReconstructInputs, settings: ReconstructSettings, config: Config) -> Cost:
    """Estimate what one participant in one space costs; see `Recipe.cost`.

    Responses, and predictions of all regions, are mapped from disk. Predictions of encoding models
    are held for as many units as an eighth of ``--mem`` allows.
    """
    clips = make_clips(inputs, settings)
    n_clips = len(clips.clips)
    n_rows = n_clips * clips.n_windows
    n_units = count_units(inputs.runs[0])
    n_spaces = len(settings.networks)
    n_trs = sum(run.n_trs for run in inputs.runs)
    of_region = n_units // settings.n_parcels + 1
    predicted = 8 * n_clips * _N_DIMENSIONS * n_spaces
    decoding = 8 * _SQUARES * n_rows**2
    if settings.whole_brain:
        decoding += 8 * _COPIES * n_rows * min(n_units, _UNITS_AT_ONCE)
    n_windows = len(settings.curve_shifts_s) + len(settings.curve_lengths_s)
    # of each core: BOLD and responses of a region, and what it predicts of every window
    at_work = 12 * n_trs * of_region + 16 * n_rows * of_region + (1 + n_windows) * predicted
    decoding += config.n_threads * at_work + (2 + n_windows) * predicted
    n_pairs = settings.n_folds * (settings.n_folds + 1) // 2
    parts = 1 + _CURVES * (n_windows > 0) + _ABLATION * settings.genre_ablation
    own = {"decoders": n_rows * n_units * n_pairs * parts * _DECODED_S}
    encoding = 0
    if settings.encoding:
        own["encoding models"] = n_clips * n_units * _ENCODED_S
        n_models = 2 ** min(n_spaces, MOST_BANDS)
        models = 4 * n_units * n_clips * (n_models + _OTHER_ARRAYS)
        encoding = 4 * n_units * n_clips + min(models, config.memory_bytes // 4)
    return Cost(
        min(BASE_BYTES + max(decoding, encoding), config.memory_bytes),
        4 * n_units * (n_trs + n_rows) + settings.n_parcels * predicted,
        f"{n_units:,} units, {n_clips} clips of {clips.n_windows} windows",
        steps_s(own, settings.networks, sound_seconds(inputs)),
    )
