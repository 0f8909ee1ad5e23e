"""Settings of the `rsa` recipe: the paper of Thielen and colleagues, and ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from bidsapp.recipes.base.settings import input_layers, setting

_RSA = "Methods: Representational Similarity Analysis"
_NETWORK = "Methods: Deep neural network"
_STATISTICS = "Methods: Statistical Analysis"
_compared = partial(setting, source=_RSA)
_tested = partial(setting, source=_STATISTICS)
_ours = partial(setting, paper="none")
"""Declares a setting of what the paper does not do."""


@dataclass(frozen=True)
class RsaSettings:
    """What the recipe does; the defaults are those of the robust variant."""

    networks: tuple[str, ...] = setting(
        ("resnet1d",),
        paper="a residual network of 18 layers, ten of them compared",
        source=f"{_NETWORK}, Table 1",
    )
    n_untrained: int = setting(
        5,
        paper="no untrained network",
        why="layers differ in smoothness and reach before they have learned anything; more than "
        "five change their mean by .01 or less (docs/benchmarks.md)",
    )
    hop_s: float = _compared(
        0.48,
        paper="activations aligned with the TR",
        why="finer than the response; activations are averaged over each hop, then over each TR",
    )
    item_unit: Literal["tr", "clip"] = _compared("tr", paper="pairs of TRs")
    clip_s: float = setting(
        0.0,
        paper="whole clips of 29 s",
        source="Methods: Natural music stimuli",
        why="0 takes each sound as one clip; a length cuts longer ones into clips",
    )
    drop_s: float = _compared(
        12.0,
        paper="first 6 s of each clip",
        why="the response to the clip before needs 12 s to fade; until then clips are not "
        "exchangeable",
    )
    average_repeats: bool = _compared(True, paper="repetitions averaged over runs")
    standardise_channels: bool = _compared(
        True,
        paper="not stated",
        why="voxels are z-scored, so channels are: otherwise their means decide what is alike",
    )
    centre_patterns: bool = _compared(
        True,
        paper="not stated",
        why="what all items share in a voxel (sound against silence) says nothing of which are "
        "alike; channels are centred by standardise_channels",
    )
    pairs: Literal["between-clip", "all"] = _compared(
        "between-clip",
        paper="all pairs of TRs",
        why="neighbours in time are alike in brain and sound without any coupling",
    )
    nuisance: tuple[str, ...] = _ours(
        ("position", "lag", "order", "run", "motion"),
        why="what makes volumes alike beside the music's features; partialled out by rank",
    )
    acoustics: tuple[str, ...] = _ours(
        ("loudness", "onsets", "centroid", "mel"),
        why="a second test, beyond these features: they are regressed out of each voxel, in this "
        "order, one regressor for three clips; a brain that follows loudness only is like any "
        "layer that does (docs/calibration.md)",
    )
    dissimilarity: Literal["spearman", "pearson", "euclid", "crossnobis"] = _compared(
        "spearman", paper="1 - Spearman correlation"
    )
    layer_dissimilarity: Literal["cosine", "brain"] = _compared(
        "cosine",
        paper="1 - Spearman correlation, as in the brain",
        why="a correlation over channels takes away what all of them share, often the loudness; "
        "voxels that mix channels keep it, and so does the cosine; 'brain' compares channels as "
        "voxels are",
    )
    comparison: Literal["spearman", "pearson"] = _compared(
        "spearman", paper="Spearman correlation"
    )
    searchlight_count: int = _compared(100, paper="100 voxels")
    searchlight_radius_mm: float = _compared(
        0.0, paper="none", why="above 0 it takes the place of the count"
    )
    grey_matter: float = _compared(
        0.5,
        paper="grey-matter mask, threshold not stated",
        why="smallest probability of fMRIPrep's segmentation: voxels that are mostly grey matter; "
        "at .25 a fifth more voxels without signal joined the searchlights of a study with known "
        "truth (layer map .80 instead of .88); 0 takes the brain mask",
    )
    n_permutations: int = setting(
        1000,
        paper="none: no test within participants",
        why="clips of the models are permuted; whatever else is alike stays in place",
    )
    significance: float = _tested(
        0.05, paper="q = .05 / 10 over participants", why="family-wise over units and layers"
    )
    delays_s: tuple[float, ...] = _tested(
        (-4.0, -2.0, 2.0, 4.0),
        paper="none: one canonical response everywhere",
        why="seconds by which responses are later than the canonical one, to see their delay; "
        "none: not done",
        least=-10,
        most=10,
    )
    input_layers: Literal["apart", "compete"] = input_layers(
        "ten layers, none of them an input", "Methods: network"
    )
    mask_maps: bool = _tested(
        True,
        paper="none within participants: layer of the maximum at each voxel",
        why="the best layer of a searchlight without effect is dominated by noise",
    )


VARIANTS = {
    "robust": RsaSettings(),
    "faithful": RsaSettings(
        n_untrained=0,
        delays_s=(),
        drop_s=6.0,
        standardise_channels=False,
        centre_patterns=False,
        layer_dissimilarity="brain",
        pairs="all",
        nuisance=(),
        acoustics=(),
        mask_maps=False,
    ),
}
"""Defaults of both variants."""


@dataclass(frozen=True)
class GroupSettings:
    """What the group level does; the defaults are those of the robust variant."""

    test: Literal["clip-permutation", "maximum-t"] = _tested(
        "clip-permutation",
        paper="one-sample right-sided t of each participant's maximum over layers",
        why="the maximum of several correlations is above zero without any effect; what clips "
        "permuted in the models leave standing is no effect of the models",
    )
    n_permutations: int = _ours(
        5000,
        why="orders of the clips, the same for all participants; all of them when they are not "
        "more than this; 0 for no test",
    )
    significance: float = _tested(
        0.05,
        paper="q = .05 / 10",
        why="family-wise over units and layers; maximum-t: false discovery rate over units, "
        "divided by the number of layers",
    )
    ceiling_above_zero: bool = setting(
        True,
        paper="no noise ceiling",
        why="where participants do not agree there is no best layer of the group",
    )
    min_share: float = setting(
        0.8,
        paper="not stated",
        why="a searchlight needs data of at least this share of the participants",
    )
    n_bootstrap: int = _ours(1000, why="how often redrawn participants agree on a best layer")
    axis_bins: int = setting(
        10,
        paper="maps along the superior temporal gyrus, no bins",
        source="Results",
        why="bins from the posterior to the anterior end",
    )


GROUP_VARIANTS = {
    "robust": GroupSettings(),
    "faithful": GroupSettings(test="maximum-t", n_permutations=1000, ceiling_above_zero=False),
}
"""Defaults of both variants of the group level."""
