"""Where `gradients` cannot follow the poster to the letter, beyond its settings."""

from __future__ import annotations

REMARKS = (
    {
        "option": "layer table",
        "paper": "24 rows; the type row repeats Conv-ReLU-MaxPool five times, and the dimension "
        "row lists 98304 and 49152 once too rarely and 128 five times",
        "used": "24 layers of VGGish: 1 input, 6 convolutions, 9 ReLU, 4 pools, 3 fully "
        "connected, 1 output",
        "variant": "both",
        "source": "Table 1",
        "why": "the network has two convolutions before the third and the fourth pool",
    },
    {
        "option": "software",
        "paper": "MATLAB Audio Toolbox (inferred from its layer names)",
        "used": "own implementation of the same network, resampled by soxr",
        "variant": "both",
        "source": "Table 1",
        "why": "log-mel frames agree but for the resampler's roll-off in the top bands",
    },
    {
        "option": "output layer",
        "paper": "layer 24, Output",
        "used": "a copy of layer 23, or its published principal components when "
        "vggish_pca_params-970ea276.pth lies beside the weights",
        "variant": "both",
        "source": "Table 1",
        "why": "a regression output adds nothing to the layer before it",
    },
    {
        "option": "confounds",
        "paper": "not stated",
        "used": "--confounds, --high-pass-hz",
        "variant": "both",
        "source": "-",
        "why": "stated in the methods text of each report",
    },
    {
        "option": "functional gradient",
        "paper": "recreated from the template data included in BrainSpace 0.1.10",
        "used": "the first gradient that BrainSpace stores for fsLR-32k, carried to fsaverage5",
        "variant": "both",
        "source": "poster, Methods: representational gradient mapping",
        "why": "recreation depends on kernel and approach and can mix the first two gradients",
    },
    {
        "option": "surface projection",
        "paper": "after surface projection; mesh and method not stated",
        "used": "fsaverage5 or fsLR-32k as delivered by fMRIPrep; volumes are projected layer by "
        "layer to fsaverage5 (mean of five depths)",
        "variant": "both",
        "source": "poster, Methods: representational gradient mapping",
        "why": "a best layer cannot be interpolated",
    },
    {
        "option": "centroid layer",
        "paper": "centroid of the profile; handling of negative accuracies not stated",
        "used": "weights are the positive mean scores",
        "variant": "both",
        "source": "poster, Methods: representational gradient mapping",
        "why": "with negative weights the centroid may lie outside the layers",
    },
    {
        "option": "spin test",
        "paper": "which map rotates, one- or two-sided, and the medial wall are not stated",
        "used": "the gradient rotates, two-sided, (b + 1) / (n + 1), medial wall missing",
        "variant": "both",
        "source": "Figure 5",
        "why": "a complete smooth map rotates; missing vertices are never zero",
    },
    {
        "option": "cluster statistics",
        "paper": "none",
        "used": "TFCE (E = 0.5, H = 2) if asked for (tfce), largest value over units and layers",
        "variant": "both",
        "source": "-",
        "why": "the largest t is exact and names single units; TFCE finds wide effects",
    },
)
"""Rows of ``logs/fidelity.tsv`` that are no settings."""
