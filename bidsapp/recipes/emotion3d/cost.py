"""What one participant's analysis will cost."""

from __future__ import annotations

import math
from typing import Any

from bidsapp.bids.headers import n_mask_voxels
from bidsapp.brain.stored_volumes import cache_bytes
from bidsapp.config import Config
from bidsapp.recipes.base.cost import BASE_BYTES, Cost, steps_s
from bidsapp.recipes.emotion3d.inputs import EmotionInputs
from bidsapp.recipes.emotion3d.labels import n_folds, split_names
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings

_PASSES = 3  # of all volumes in float64: principal components of a fold's training volumes
_CHECKPOINT_BYTES = 2 << 20
_PRODUCT_S, _REFIT_S = 3.6e-11, 0.06
"""CPU seconds of a fold of linear decoders: for each pair of volumes and voxel, of its principal
components; and of fitting all of them again (``benchmarks/study.py``)."""
_UNIT_S = {"small": 6.8e-8, "residual": 1.8e-7, "faithful": 1.7e-6}
"""CPU seconds per voxel, volume and epoch, of the small network in a whole run; the others are so
many times slower (``benchmarks/cnn3d.py``)."""
_EPOCHS = 0.55
"""Share of the epochs that are trained where training stops early (the same run)."""


def estimate(inputs: EmotionInputs, settings: Emotion3dSettings, config: Config) -> Cost:
    """Estimate what one participant in one space costs; see `Recipe.cost`."""
    run = inputs.runs[0]
    n_units = _working_voxels(inputs, settings.voxel_mm)
    n_volumes = sum(item.n_trs for item in inputs.runs)
    stored = sum(
        cache_bytes(item, n_units, standardise=settings.normalise == "run") for item in inputs.runs
    )
    longest = 4 * max(item.n_trs for item in inputs.runs) * n_units
    wanted = BASE_BYTES + _PASSES * 8 * n_volumes * n_units + longest
    folds = [n_folds(name, len(inputs.runs)) for name in split_names(len(inputs.runs), settings)]
    n_trainings = settings.n_seeds * (sum(folds) + folds[0] * settings.n_cnn_shifts)
    # to choose the number of epochs without the held-out and the inner run, then with the latter
    n_runs, stops = len(inputs.runs), settings.patience > 0
    volumes = n_volumes * (max(n_runs - 1, 1) + stops * max(n_runs - 2, 1)) / n_runs
    epochs = settings.epochs * (_EPOCHS if stops else 1)
    seconds = n_trainings * epochs * volumes * n_units * _UNIT_S[settings.network]
    linear = sum(folds) * (n_volumes**2 * n_units * _PRODUCT_S + settings.n_shifts * _REFIT_S)
    checkpoints = settings.n_seeds * (1 + stops) * (sum(folds) + folds[0]) * _CHECKPOINT_BYTES
    return Cost(
        min(wanted, config.memory_bytes),
        stored + checkpoints,
        f"{n_units:,} voxels, {n_volumes:,} volumes of {run.tr_s:g} s, "
        f"{n_trainings} trainings of at most {settings.epochs} epochs",
        steps_s({"network": seconds, "linear decoders": linear}),
    )


def _working_voxels(inputs: EmotionInputs, voxel_mm: float) -> int:
    """Voxels of the working grid, by the share of volume."""
    import nibabel as nib

    run = inputs.runs[0]
    header: Any = nib.load(run.bold[0]).header
    ratios = [max(voxel_mm / float(size), 1.0) for size in header.get_zooms()[:3]]
    return max(1, round(n_mask_voxels(run) / math.prod(ratios)))
