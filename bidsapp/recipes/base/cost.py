"""What a job will cost, before it runs."""

from __future__ import annotations

from dataclasses import dataclass

from bidsapp.bids.headers import n_units as count_units
from bidsapp.config import Config
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.base.settings import EncodingSettings

BASE_BYTES = 900 * 2**20
"""Resident size of the libraries and one network."""
_DECOMPOSED_S, _SHIFTED_S = 0.0065, 0.0036
"""CPU seconds of one displacement, layer and fold for 150 features and 200 parcels: of each
decomposition where features are filtered, and of shifted responses (``benchmarks/study.py``)."""
_GROWTH = 1.3
"""Power of the number of features with which these grow from 50 to 150 (the same benchmark)."""


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
    inputs: Inputs, settings: EncodingSettings, config: Config, *, n_layers: int, frame_bytes: int
) -> Cost:
    """Estimate what encoding one participant's BOLD by layers of networks costs.

    Parameters
    ----------
    inputs, settings
        What was found, and the recipe's settings.
    config
        For memory and cores that may be used.
    n_layers
        Layers of all networks together; of each a Gram matrix, frames × frames, is kept.
    frame_bytes
        Held for each frame while features are made.
    """
    n_units = count_units(inputs.runs[0])
    n_trs = sum(run.n_trs for run in inputs.runs)
    seconds = {row["stim_file"]: float(row["sound_s"]) for row in inputs.alignment}
    n_frames = int(sum(seconds.values()) / settings.hop_s)
    bold, grams = 4 * n_trs * n_units, n_layers * 8 * n_frames**2
    wanted = BASE_BYTES + bold + frame_bytes * n_frames
    n_copies = settings.n_shifts + getattr(settings, "n_beyond", 0)
    time = null_time(inputs, settings, n_layers, n_copies, config.n_threads)
    sizes = (f"{n_units:,} units, {n_frames:,} feature frames", time)
    return Cost(min(wanted, config.memory_bytes), bold + grams, ", ".join(filter(None, sizes)))


def null_time(
    inputs: Inputs, settings: EncodingSettings, n_layers: int, n_copies: int, n_threads: int
) -> str:
    """Say how long the null of parcels takes, in words; empty for less than a minute.

    Parameters
    ----------
    inputs
        What was found.
    settings
        Of the recipe.
    n_layers
        Layers of all networks together.
    n_copies
        Displacements of all sets of lags together.
    n_threads
        Cores.
    """
    n_pieces = len({row["stim_file"] for row in inputs.alignment if row["n_rows"] > 0})
    n_folds = max(3, min(settings.max_outer_folds, n_pieces))
    n_inner = min(settings.max_inner_folds, n_folds - 1)
    n_features = settings.n_components
    if settings.response == "lags":
        n_features *= len(settings.lags_s)
    fits = n_layers * n_copies * n_folds
    each_s = _DECOMPOSED_S * (n_inner + 2) * (n_features / 150) ** _GROWTH
    seconds = fits * (each_s if settings.filter_features else _SHIFTED_S)
    minutes = round(seconds / n_threads / 60)
    cores = f"{n_threads} core{'s' * (n_threads != 1)}"
    return f"null of parcels about {minutes:,} min on {cores}" if minutes else ""
