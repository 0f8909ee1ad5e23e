"""Settings of the `rsa` recipe: the paper of Thielen and colleagues, and ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bidsapp.recipes.base.settings import setting

_RSA = "Methods: Representational Similarity Analysis"
_NETWORK = "Methods: Deep neural network"


@dataclass(frozen=True)
class RsaSettings:
    """What the recipe does; the defaults are those of the robust variant."""

    networks: tuple[str, ...] = setting(
        ("resnet1d",),
        paper="a residual network of 18 layers, ten of them compared",
        source=f"{_NETWORK}, Table 1",
    )
    n_untrained: int = setting(
        10,
        paper="no untrained network",
        source="-",
        why="layers differ in smoothness and reach before they have learned anything",
    )
    hop_s: float = setting(
        0.48,
        paper="activations aligned with the TR",
        source=_RSA,
        why="finer than the response; activations are averaged over each hop, then over each TR",
    )
    item_unit: Literal["tr", "clip"] = setting("tr", paper="pairs of TRs", source=_RSA)
    clip_s: float = setting(
        0.0,
        paper="whole clips of 29 s",
        source="Methods: Natural music stimuli",
        why="0 takes each sound as one clip; a length cuts longer ones into clips",
    )
    drop_s: float = setting(
        12.0,
        paper="first 6 s of each clip",
        source=_RSA,
        why="the response to the clip before needs 12 s to fade; until then clips are not "
        "exchangeable",
    )
    average_repeats: bool = setting(True, paper="repetitions averaged over runs", source=_RSA)
    standardise_channels: bool = setting(
        True,
        paper="not stated",
        source=_RSA,
        why="voxels are z-scored, so channels are: otherwise their means decide what is alike",
    )
    pairs: Literal["between-clip", "all"] = setting(
        "between-clip",
        paper="all pairs of TRs",
        source=_RSA,
        why="neighbours in time are alike in brain and sound without any coupling",
    )
    nuisance: tuple[str, ...] = setting(
        ("position", "lag", "order", "run", "loudness", "motion"),
        paper="none",
        source="-",
        why="what makes volumes alike beside the music's features; partialled out by rank",
    )
    dissimilarity: Literal["spearman", "pearson", "euclid", "crossnobis"] = setting(
        "spearman", paper="1 - Spearman correlation", source=_RSA
    )
    comparison: Literal["spearman", "pearson"] = setting(
        "spearman", paper="Spearman correlation", source=_RSA
    )
    searchlight_count: int = setting(100, paper="100 voxels", source=_RSA)
    searchlight_radius_mm: float = setting(
        0.0, paper="none", source=_RSA, why="above 0 it takes the place of the count"
    )
    grey_matter: float = setting(
        0.25,
        paper="grey-matter mask, threshold not stated",
        source=_RSA,
        why="smallest probability of fMRIPrep's segmentation; 0 takes the brain mask",
    )
    n_permutations: int = setting(
        1000,
        paper="none: no test within participants",
        source="-",
        why="clips of the models are permuted; whatever else is alike stays in place",
    )
    significance: float = setting(
        0.05,
        paper="q = .05 / 10 over participants",
        source="Methods: Statistical Analysis",
        why="family-wise over units and layers",
    )
    mask_maps: bool = setting(
        True,
        paper="none within participants: layer of the maximum at each voxel",
        source="Methods: Statistical Analysis",
        why="the best layer of a searchlight without effect is a biased draw",
    )


VARIANTS = {
    "robust": RsaSettings(),
    "faithful": RsaSettings(
        n_untrained=0,
        drop_s=6.0,
        standardise_channels=False,
        pairs="all",
        nuisance=(),
        mask_maps=False,
    ),
}
"""Defaults of both variants."""
