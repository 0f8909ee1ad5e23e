"""Settings of `gradients` at both levels: the poster of Kim, Overath and Sammler, and ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from bidsapp.recipes.base.settings import EncodingSettings, input_layers, setting

_METHODS = "poster, Methods"
_ours = partial(setting, paper="none")
"""Declares a setting of what the paper does not do."""
_unstated = partial(setting, paper="not stated")
"""Declares a setting that the paper does not state."""


@dataclass(frozen=True)
class GradientsSettings(EncodingSettings):
    """What the recipe does; the defaults are those of the robust variant."""

    networks: tuple[str, ...] = setting(
        ("vggish", "baseline"),
        paper="VGGish only",
        source=f"{_METHODS}: feature extraction",
        why="baseline: an acoustic baseline (mel, loudness, spectral, mtf) beside each network",
    )
    hop_s: float = setting(
        0.48,
        paper="not stated; the default overlap of the MATLAB toolbox, 50 %, gives 0.48 s",
        source="MATLAB Audio Toolbox, vggishPreprocess",
        above=0.0,
    )
    n_components: int = setting(
        50, paper="50 principal components per layer", source="Table 1", least=1
    )
    pca_fit: Literal["train", "all"] = setting(
        "train",
        paper="all pieces",
        source=f"{_METHODS}: feature extraction",
        why="components fitted on all pieces have seen the held-out one",
    )
    response: Literal["canonical", "lags"] = setting(
        "canonical",
        paper="one regressor for each lag",
        source=f"{_METHODS}: encoding models",
        why="components convolved with the canonical response (for the control with its mirror "
        "image) find more with a third of the regressors; 'lags' assumes no shape",
    )
    lags_s: tuple[float, ...] = setting(
        (4.0, 5.0, 6.0),
        paper="4, 5, 6 s",
        source=f"{_METHODS}: encoding models",
        why="of ratings, and of voxels under response 'lags'; earlier volumes are left out",
    )
    delay_lags_s: tuple[float, ...] = setting(
        (0.0, 2.0, 4.0, 6.0, 8.0, 10.0),
        paper="none: one delay everywhere",
        why="single lags at which each parcel is predicted, to see its delay; none: not done",
    )
    control_lags_s: tuple[float, ...] = setting(
        (-6.0, -5.0, -4.0),
        paper="-6, -5, -4 s",
        source=f"{_METHODS}: gradient mapping",
        why="a picture beside the scores, without p-values; none: not done",
    )
    centre: Literal["block", "train"] = setting(
        "block",
        paper="not stated; an ordinary intercept",
        source="Figure 1",
        why="differences between the means of pieces (happy, sad) are not tracking",
    )
    filter_features: bool = setting(
        True,
        paper="not stated; nuisance is removed from the data alone",
        source=f"{_METHODS}: encoding models",
        why="the projection that cleans a run is applied to the lagged features too; predictions "
        "are attenuated otherwise",
    )
    input_layers: Literal["apart", "compete"] = input_layers(
        "24 layers, among them InputBatch", f"{_METHODS}: feature extraction"
    )
    log10_alpha: tuple[float, ...] = _unstated(
        (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0),
        why="spans no to complete shrinkage when the mean feature variance is 1",
        least=-30,
        most=30,
    )
    alpha_metric: Literal["correlation", "mse"] = _unstated(
        "correlation", why="penalties are chosen by the measure that is reported"
    )
    max_outer_folds: int = setting(
        10,
        paper="cross-validation partitions, number not stated",
        source="Figure 1",
        why="one piece per fold up to ten folds",
        least=2,
    )
    max_inner_folds: int = _unstated(4, why="penalties need few folds", least=2)
    min_block_s: float = setting(
        40.0,
        paper="not stated; its pieces last minutes",
        why="where most presentations are shorter, those of a run are pooled; where few are, "
        "those of half of it are used (docs/benchmarks.md, recovery) and shorter ones left out",
    )
    begin_s: float = _unstated(
        12.0,
        why="that a sound begins is one event in brain and sound (docs/calibration.md); at most "
        "a fifth of a presentation is left out",
        least=0,
    )
    purge_s: float = _unstated(
        18.0, why="longest lag plus 12 s of haemodynamic memory between parts of one piece"
    )
    n_parcels: int = setting(
        200,
        paper="four regions of interest",
        source=f"{_METHODS}: encoding models",
        why="the temporal null is refitted for each parcel; used when no atlas is given",
        least=1,
    )
    n_shifts: int = setting(
        200,
        paper="none: no test within participants",
        why="circular shifts with refit keep the error rate; least p: 1 / (n_shifts + 1)",
    )
    n_beyond: int = setting(
        99,
        paper="none: no acoustic control",
        why="displacements for what a layer adds to acoustics, at most n_shifts; 0: not tested",
        least=0,
    )
    acoustic_components: int = setting(
        8,
        paper="none: no acoustic control",
        why="components of each acoustic layer that are removed; fewer where a regressor would "
        "have less than 8 volumes",
        least=1,
    )
    min_shift_s: float = _ours(15.0, why="longer than the haemodynamic response")
    significance: float = setting(0.05, paper="p < .05", source="Figure 5", above=0.0, most=0.5)
    mask_maps: bool = setting(
        True,
        paper="no threshold: best and centroid layer at each vertex",
        source=f"{_METHODS}: gradient mapping",
        why="the best layer of an unresponsive vertex is dominated by noise",
    )


VARIANTS = {
    "robust": GradientsSettings(),
    "faithful": GradientsSettings(
        networks=("vggish",),
        pca_fit="all",
        centre="train",
        filter_features=False,
        input_layers="compete",
        begin_s=0.0,
        response="lags",
        n_beyond=0,
        delay_lags_s=(),
        mask_maps=False,
    ),
}
"""Defaults of both variants."""

_mapped = partial(setting, source="poster, Methods: representational gradient mapping")
"""Declares a setting of the comparison with gradients of the cortex."""


@dataclass(frozen=True)
class GradientsGroupSettings:
    """What the group level does; the defaults are those of the robust variant."""

    references: tuple[str, ...] = _mapped(
        ("gradient1", "gradient2"),
        paper="first functional gradient",
        why="the second gradient shows whether the first one is special; files may be given",
    )
    annotations: tuple[str, ...] = setting(
        ("known",),
        paper="none: one reference",
        why="published maps for the annotation profile: neuromaps:SOURCE/DESC/SPACE/DENSITY or "
        "files; known stands for those of the default set that are on this machine",
    )
    n_rotations: int = _mapped(10_000, paper="10,000 random rotations")
    n_swapped_rotations: int = _mapped(
        1000,
        paper="not stated which of the two maps rotates",
        why="sensitivity: the layer map rotates instead of the reference",
    )
    spin_statistic: Literal["spearman", "pearson"] = setting(
        "spearman",
        paper="correlation coefficient, kind not stated; Pearson assumed",
        source="Figure 5",
        why="layer numbers are ordinal; p does not depend on how layers are spaced",
    )
    second_null: Literal["none", "vasa", "hungarian", "burt2020", "moran"] = setting(
        "none",
        paper="none: rotations only",
        why="a null of neuromaps beside the rotations, over 400 parcels; hungarian and moran "
        "(which needs brainspace) held their level on unrelated maps",
    )
    n_second_null: int = _ours(1000, why="draws of the second null", least=1)
    overlap_floor: float = _unstated(
        0.5, why="rotations that leave less than half of a map are refused for it"
    )
    thresholded: Literal["none", "significant"] = _mapped(
        "none",
        paper="no threshold",
        why="the layer map stays and the complete reference rotates, so either is valid",
    )
    best_layer: Literal["positive", "everywhere"] = _mapped(
        "positive",
        paper="argmax at each vertex",
        why="where no layer predicts anything there is no best layer",
    )
    n_flips: int = setting(
        5000,
        paper="none: no test over participants",
        why="sign flips of participants; all of them when they are not more than this",
    )
    alternative: Literal["greater", "two-sided"] = _ours(
        "greater", why="for maps and ratings: a negative accuracy is no finding"
    )
    tfce: bool = _ours(
        False,
        why="threshold-free cluster enhancement of t, in addition to single units; minutes more",
    )
    n_tfce_flips: int = _ours(1000, why="sign flips for TFCE; each enhances a map per layer")
    n_bootstrap: int = _ours(1000, why="intervals of profiles, over participants")
    significance: float = setting(0.05, paper="p < .05", source="Figure 5")
    min_share: float = _unstated(
        0.5, why="a unit needs values of at least this share of the participants"
    )
    n_pcs: int = setting(3, paper="first 3 principal components", source="Figure 4")
    mni305: bool = _unstated(
        False, why="shifts MNI152 volumes to fsaverage's MNI305 before projection"
    )


GROUP_VARIANTS = {
    "robust": GradientsGroupSettings(),
    "faithful": GradientsGroupSettings(
        references=("gradient1",),
        annotations=(),
        spin_statistic="pearson",
        n_swapped_rotations=0,
        best_layer="everywhere",
        min_share=0.0,
    ),
}
"""Defaults of both variants of the group level."""
