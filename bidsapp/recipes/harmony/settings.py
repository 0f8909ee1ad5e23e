"""Settings of `harmony` at both levels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from bidsapp.recipes.base.settings import EncodingSettings, input_layers, setting

_PAPER = "arXiv 2408.07113"
_NO_BRAIN = "none: no brain data"
_stated = partial(setting, source=_PAPER)
_ours = partial(setting, paper=_NO_BRAIN)
"""Declares a setting that the paper has nothing to say of."""


@dataclass(frozen=True)
class HarmonySettings(EncodingSettings):
    """What the recipe does; the defaults are those of the robust variant."""

    networks: tuple[str, ...] = _stated(
        ("harmonic", "consonance", "baseline"),
        paper="the harmonic network only",
        why="theory without training, and an acoustic description, stand beside it",
    )
    hop_s: float = _stated(
        0.48,
        paper="windows of 6 s, distance not stated",
        why="quadrants are followed over time",
        above=0.0,
    )
    moment_s: float = _stated(
        12.0,
        paper="moments of a video into which an advertisement is inserted",
        why="stretches of each sound that are compared with the other sounds",
        above=0.0,
    )
    n_players: int = setting(
        12,
        paper="none",
        why="sounds that the page shows over time, each with a player; 0 for none",
    )
    player_s: float = setting(
        90.0, paper="none", why="longest excerpt in the page; half a megabyte"
    )
    ratings_are: Literal["not stated", "felt", "perceived"] = _stated(
        "not stated",
        paper="perceived (DEAM and Soundtracks)",
        why="what listeners felt is not what they heard expressed; say which was rated",
    )
    n_components: int = _ours(50, why="principal components of each layer", least=1)
    pca_fit: Literal["train", "all"] = _ours(
        "train", why="nothing is fitted on the held-out piece"
    )
    response: Literal["canonical", "lags"] = _ours(
        "canonical", why="components are convolved with the canonical response; or 'lags'"
    )
    lags_s: tuple[float, ...] = _ours(
        (4.0, 5.0, 6.0), why="of ratings, and of voxels under response 'lags'"
    )
    input_layers: Literal["apart", "compete"] = input_layers(_NO_BRAIN, "-")
    centre: Literal["block", "train"] = _ours(
        "block", why="differences between the means of pieces are not tracking"
    )
    filter_features: bool = _ours(
        True, why="the projection that cleans a run is applied to the lagged features too"
    )
    log10_alpha: tuple[float, ...] = _ours(
        (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0),
        why="spans no to complete shrinkage when the mean feature variance is 1",
        least=-30,
        most=30,
    )
    alpha_metric: Literal["correlation", "mse"] = _ours(
        "correlation", why="the measure that is reported"
    )
    max_outer_folds: int = _ours(10, why="one piece per fold up to ten folds", least=2)
    max_inner_folds: int = _ours(4, why="penalties need few folds", least=2)
    min_block_s: float = _ours(40.0, why="as in gradients: shorter presentations are pooled")
    begin_s: float = _ours(
        12.0,
        why="that a sound begins is one event in brain and sound (docs/calibration.md); at most "
        "a fifth of a presentation is left out",
        least=0,
    )
    purge_s: float = _ours(
        18.0, why="longest lag plus 12 s of haemodynamic memory between parts of one piece"
    )
    n_parcels: int = _ours(200, why="the null is refitted for each parcel", least=1)
    n_shifts: int = _ours(200, why="least p: 1 / (n_shifts + 1)")
    min_shift_s: float = _ours(15.0, why="longer than the haemodynamic response")
    significance: float = _stated(0.05, paper="p < .05", above=0.0, most=0.5)


VARIANTS = {
    "robust": HarmonySettings(),
    "faithful": HarmonySettings(networks=("harmonic",), begin_s=0.0),
}
"""Defaults of both variants."""


@dataclass(frozen=True)
class HarmonyGroupSettings:
    """What the group level does; the defaults are those of the robust variant."""

    n_flips: int = _ours(5000, why="sign flips of participants; all if they are fewer")
    alternative: Literal["greater", "two-sided"] = _ours(
        "greater", why="a negative accuracy is no finding"
    )
    min_share: float = _ours(
        0.5, why="a unit needs values of this share of participants", least=0.0, most=1.0
    )
    n_bootstrap: int = _ours(2000, why="resamples of raters for intervals of mean scores")
    significance: float = _ours(0.05, why="family-wise", above=0.0, most=0.5)


GROUP_VARIANTS = {"robust": HarmonyGroupSettings(), "faithful": HarmonyGroupSettings()}
"""Defaults of both variants of the group level."""
