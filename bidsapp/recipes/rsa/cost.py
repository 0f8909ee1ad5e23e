"""What one participant's analysis will cost."""

from __future__ import annotations

from bidsapp.audio.networks import network_entry
from bidsapp.bids.headers import n_units as count_units
from bidsapp.config import Config
from bidsapp.recipes.base.cost import BASE_BYTES, Cost, sound_seconds, steps_s
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.rsa.items import make_items
from bidsapp.recipes.rsa.settings import RsaSettings

MODEL_BYTES = 64
"""Memory for each pair of a model while it is ranked."""
_LAYERS = 10
_MAPS_S = 60.0
"""CPU seconds of maps and tables (`benchmarks/study.py`)."""
_RANKED_S, _PERMUTED_S = 1.2e-8, 4e-11
"""CPU seconds of a searchlight for each pair of items, of a pass over models; and for each pair of
items, pair of clips and layer, of a test (`benchmarks/study.py`)."""


def estimate(inputs: Inputs, settings: RsaSettings, config: Config) -> Cost:
    """Estimate what one participant in one space costs; see `Recipe.cost`."""
    run = inputs.runs[0]
    n_units = count_units(run)
    items = make_items(inputs, settings)
    n_pairs = items.n_items * (items.n_items - 1) // 2
    trained = [name for name in settings.networks if network_entry(name).weight_files]
    networks = [*settings.networks, *trained * settings.n_untrained]
    n_models = _LAYERS * len(networks)
    bold = 4 * n_units * sum(item.n_trs for item in inputs.runs)
    patterns = 4 * n_units * items.n_items
    models = 8 * n_pairs * n_models
    models += min(MODEL_BYTES * n_pairs * n_models, config.memory_bytes // 4)
    wanted = BASE_BYTES + bold + models + config.n_threads * (8 << 20)
    each_s = _searchlight_s(n_pairs, len(items.clips), len(settings.networks), settings)
    own = {"searchlights and their test": n_units * each_s, "maps": _MAPS_S}
    return Cost(
        min(wanted, config.memory_bytes),
        bold + 2 * patterns,
        f"{n_units:,} units, {items.n_items:,} items of {len(items.clips)} clips, "
        f"{n_models:,} model RDMs",
        steps_s(own, networks, sound_seconds(inputs)),
    )


def _searchlight_s(n_pairs: int, n_clips: int, n_networks: int, settings: RsaSettings) -> float:
    """CPU seconds of one searchlight: scores, controls, and tests by permutation of clips."""
    n_tests = (settings.n_permutations > 0) * (1 + bool(settings.acoustics))
    n_blocks = n_clips * (n_clips - 1) // 2
    permuted = n_networks * _LAYERS * n_blocks * _PERMUTED_S
    return n_pairs * ((2 + n_tests) * _RANKED_S + n_tests * permuted)
