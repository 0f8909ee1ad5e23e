"""What is checked, and what it will cost, before a participant is analysed."""

from __future__ import annotations

import math

from bidsapp.audio.networks import network_entry
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.headers import n_units as count_units
from bidsapp.config import Config
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.base.cost import BASE_BYTES, Cost
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.rsa.items import make_items
from bidsapp.recipes.rsa.nuisances import MAKERS, check_names
from bidsapp.recipes.rsa.settings import RsaSettings

FEATURES = ("loudness", "onsets", "centroid", "mel")
"""Acoustic features that can be removed."""


def prepare(dataset: Dataset, inputs: Inputs, settings: RsaSettings, config: Config) -> Inputs:
    """Check that the sounds of a participant make items.

    Parameters
    ----------
    dataset, config
        Not looked at.
    inputs
        What was collected.
    settings
        How sounds become items.

    Raises
    ------
    InputInvalidError
        Fewer than two clips, or fewer than two presentations of each for crossnobis.
    UsageError
        A nuisance RDM or an acoustic feature is not known.
    """
    check_names("nuisance", settings.nuisance, MAKERS)
    check_names("acoustics", settings.acoustics, FEATURES)
    items = make_items(inputs, settings)
    if settings.dissimilarity == "crossnobis" and items.n_complete < 2:
        msg = (
            f"sub-{inputs.subject}: a clip was heard once, crossnobis needs two presentations of "
            "each; choose rsa.dissimilarity='spearman' (and rsa.average_repeats=true)"
        )
        raise InputInvalidError(msg)
    return inputs


MODEL_BYTES = 64
"""Memory for each pair of a model while it is ranked."""
_LAYERS = 10
_RANKED_S, _PERMUTED_S = 1.2e-8, 4e-11
"""CPU seconds of a searchlight for each pair of items, of a pass over models; and for each pair of
items, pair of clips and layer, of a test (`benchmarks/whole_participant.py`)."""


def estimate(inputs: Inputs, settings: RsaSettings, config: Config) -> Cost:
    """Estimate what one participant in one space costs; see `Recipe.cost`."""
    run = inputs.runs[0]
    n_units = count_units(run)
    items = make_items(inputs, settings)
    n_pairs = items.n_items * (items.n_items - 1) // 2
    entries = [network_entry(name) for name in settings.networks]
    n_untrained = settings.n_untrained * sum(bool(entry.weight_files) for entry in entries)
    n_models = _LAYERS * (len(entries) + n_untrained)
    bold = 4 * n_units * sum(item.n_trs for item in inputs.runs)
    patterns = 4 * n_units * items.n_items
    models = 8 * n_pairs * n_models
    models += min(MODEL_BYTES * n_pairs * n_models, config.memory_bytes // 4)
    wanted = BASE_BYTES + bold + models + config.n_threads * (8 << 20)
    seconds = n_units * _searchlight_s(n_pairs, len(items.clips), len(entries), settings)
    minutes = max(1, math.ceil(seconds / config.n_threads / 60))
    cores = f"{config.n_threads} core{'s' * (config.n_threads != 1)}"
    return Cost(
        min(wanted, config.memory_bytes),
        bold + 2 * patterns,
        f"{n_units:,} units, {items.n_items:,} items of {len(items.clips)} clips, "
        f"{n_models:,} model RDMs (searchlights at most {minutes:,} min on {cores})",
    )


def _searchlight_s(n_pairs: int, n_clips: int, n_networks: int, settings: RsaSettings) -> float:
    """CPU seconds of one searchlight: scores, controls, and tests by permutation of clips."""
    n_tests = (settings.n_permutations > 0) * (1 + bool(settings.acoustics))
    n_blocks = n_clips * (n_clips - 1) // 2
    permuted = n_networks * _LAYERS * n_blocks * _PERMUTED_S
    return n_pairs * ((2 + n_tests) * _RANKED_S + n_tests * permuted)
