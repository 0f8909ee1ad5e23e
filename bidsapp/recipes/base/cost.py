"""What a job will cost, before it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bidsapp.audio.networks import network_entry
from bidsapp.bids.headers import n_units as count_units
from bidsapp.config import Config
from bidsapp.progress import duration
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.base.settings import EncodingSettings
from bidsapp.text import counted

BASE_BYTES = 900 * 2**20
"""Resident size of the libraries and one network."""
SOUND_FEATURES = "features of the sounds"
"""Step that is taken once for all participants who heard the same sounds."""
_PAGE_S = 30.0
"""CPU seconds of drawing the figures and writing the page of a participant, and of starting."""
_DECOMPOSED_S, _SHIFTED_S = 0.0065, 0.0036
"""CPU seconds of one displacement, layer and fold for 150 features and 200 parcels: of each
decomposition where features are filtered, and of shifted responses (``benchmarks/study.py``)."""
_GROWTH = 1.3
"""Power of the number of features with which these grow from 50 to 150 (the same benchmark)."""
_UNIT_S = 4e-5
"""CPU seconds of one unit, layer, set of lags and fold, single lags and maps included (the same
benchmark)."""
_GRAM_S = 5e-12
"""CPU seconds of Gram matrices, for each pair of frames and byte of a frame."""
_SHARE = 0.1
"""Steps below this share of the time are not named."""


@dataclass(frozen=True)
class Cost:
    """Estimated size of one job.

    Attributes
    ----------
    memory_bytes, scratch_bytes
        Peak memory, bounded by ``--mem``, and intermediate files.
    size
        What makes it big, in words: ``20,484 units, 5,120 feature frames``.
    seconds
        CPU seconds of its steps, from whole participants at published size
        (``benchmarks/study.py``). `SOUND_FEATURES` is the only one that participants share.
    """

    memory_bytes: int
    scratch_bytes: int
    size: str
    seconds: Mapping[str, float]

    def time(self, n_cores: int) -> str:
        """Say how long it takes on so many cores, and what most of it is.

        Examples
        --------
        >>> Cost(0, 0, "", {"network": 1200.0, "linear decoders": 240.0, "page": 40.0}).time(2)
        'about 12 min on 2 cores (network 10 min, linear decoders 2 min)'
        """
        whole = sum(self.seconds.values())
        large = sorted(self.seconds.items(), key=lambda item: -item[1])
        parts = [f"{step} {duration(s / n_cores)}" for step, s in large if s > _SHARE * whole]
        told = f" ({', '.join(parts)})" if len(self.seconds) > 1 else ""
        return f"about {duration(whole / n_cores)} on {counted(n_cores, 'core')}{told}"


def steps_s(
    own: Mapping[str, float], networks: Iterable[str] = (), sound_s: float = 0.0
) -> dict[str, float]:
    """Put what every participant's analysis takes around the steps of a recipe.

    Parameters
    ----------
    own
        CPU seconds of these.
    networks
        Networks that hear the sounds.
    sound_s
        Length of all sounds.
    """
    features = sound_s * sum(network_entry(name).seconds for name in networks)
    return {SOUND_FEATURES: features, **own, "page": _PAGE_S}


def sound_seconds(inputs: Inputs) -> float:
    """Length of all sounds that the participant heard, each once."""
    lengths = {row["stim_file"]: float(row["sound_s"]) for row in inputs.alignment}
    return sum(lengths.values())


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
    sound_s = sound_seconds(inputs)
    n_frames = int(sound_s / settings.hop_s)
    bold, grams = 4 * n_trs * n_units, n_layers * 8 * n_frames**2
    wanted = BASE_BYTES + bold + frame_bytes * n_frames
    n_copies = settings.n_shifts + getattr(settings, "n_beyond", 0)
    n_lag_sets = 1 + bool(getattr(settings, "control_lags_s", ()))
    n_folds, _ = _folds(inputs, settings)
    own = {
        "scores": n_units * n_layers * n_lag_sets * n_folds * _UNIT_S,
        "null of parcels": null_seconds(inputs, settings, n_layers, n_copies),
    }
    seconds = steps_s(own, getattr(settings, "networks", ()), sound_s)
    seconds[SOUND_FEATURES] += n_frames**2 * frame_bytes * _GRAM_S
    return Cost(
        min(wanted, config.memory_bytes),
        bold + grams,
        f"{n_units:,} units, {n_frames:,} feature frames",
        seconds,
    )


def null_seconds(
    inputs: Inputs, settings: EncodingSettings, n_layers: int, n_copies: int
) -> float:
    """CPU seconds of the null of parcels.

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
    """
    n_folds, n_inner = _folds(inputs, settings)
    n_features = settings.n_components
    if settings.response == "lags":
        n_features *= len(settings.lags_s)
    each_s = _DECOMPOSED_S * (n_inner + 2) * (n_features / 150) ** _GROWTH
    return n_layers * n_copies * n_folds * (each_s if settings.filter_features else _SHIFTED_S)


def _folds(inputs: Inputs, settings: EncodingSettings) -> tuple[int, int]:
    """Outer and inner folds."""
    n_pieces = len({row["stim_file"] for row in inputs.alignment if row["n_rows"] > 0})
    n_folds = max(3, min(settings.max_outer_folds, n_pieces))
    return n_folds, min(settings.max_inner_folds, n_folds - 1)
