"""Settings of the `gradients` recipe: the poster of Kim, Overath and Sammler, and ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bidsapp.recipes.base.settings import setting

_METHODS = "poster, Methods"


@dataclass(frozen=True)
class GradientsSettings:
    """What the recipe does; the defaults are those of the robust variant."""

    networks: tuple[str, ...] = setting(
        ("vggish", "baseline"),
        paper="VGGish only",
        source=f"{_METHODS}: feature extraction",
        why="mel, loudness and spectral shape are the yardstick of every network",
    )
    hop_s: float = setting(
        0.48,
        paper="not stated; the default overlap of the MATLAB toolbox, 50 %, gives 0.48 s",
        source="MATLAB Audio Toolbox, vggishPreprocess",
    )
    n_components: int = setting(50, paper="50 principal components per layer", source="Table 1")
    pca_fit: Literal["train", "all"] = setting(
        "train",
        paper="all pieces",
        source=f"{_METHODS}: feature extraction",
        why="components fitted on all pieces have seen the held-out one",
    )
    lags_s: tuple[float, ...] = setting(
        (4.0, 5.0, 6.0), paper="4, 5, 6 s", source=f"{_METHODS}: encoding models"
    )
    control_lags_s: tuple[float, ...] = setting(
        (-6.0, -5.0, -4.0), paper="-6, -5, -4 s", source=f"{_METHODS}: gradient mapping"
    )
    centre: Literal["block", "train"] = setting(
        "block",
        paper="not stated; an ordinary intercept",
        source="Figure 1",
        why="differences between the means of pieces (happy, sad) are not tracking",
    )
    log10_alpha: tuple[float, ...] = setting(
        (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0),
        paper="not stated",
        source="-",
        why="spans no to complete shrinkage when the mean feature variance is 1",
    )
    alpha_metric: Literal["correlation", "mse"] = setting(
        "correlation",
        paper="not stated",
        source="-",
        why="penalties are chosen by the measure that is reported",
    )
    max_outer_folds: int = setting(
        10,
        paper="cross-validation partitions, number not stated",
        source="Figure 1",
        why="one piece per fold up to ten folds",
    )
    max_inner_folds: int = setting(
        4, paper="not stated", source="-", why="penalties need few folds"
    )
    min_block_s: float = setting(
        40.0,
        paper="not stated; its pieces last minutes",
        source="-",
        why="a correlation inside a shorter clip says nothing; clips of a run are pooled",
    )
    purge_s: float = setting(
        18.0,
        paper="not stated",
        source="-",
        why="longest lag plus 12 s of haemodynamic memory between parts of one piece",
    )
    n_parcels: int = setting(
        200,
        paper="four regions of interest",
        source=f"{_METHODS}: encoding models",
        why="the temporal null is refitted for each parcel; used when no atlas is given",
    )
    n_shifts: int = setting(
        200,
        paper="none: no test within participants",
        source="-",
        why="circular shifts with refit keep the error rate; smallest p is 1/201",
    )
    min_shift_s: float = setting(
        15.0, paper="none", source="-", why="longer than the haemodynamic response"
    )
    significance: float = setting(0.05, paper="p < .05", source="Figure 5")
    mask_maps: bool = setting(
        True,
        paper="no threshold: best and centroid layer at each vertex",
        source=f"{_METHODS}: gradient mapping",
        why="the best layer of an unresponsive vertex is a biased draw",
    )


VARIANTS = {
    "robust": GradientsSettings(),
    "faithful": GradientsSettings(
        networks=("vggish",), pca_fit="all", centre="train", mask_maps=False
    ),
}
"""Defaults of both variants."""
