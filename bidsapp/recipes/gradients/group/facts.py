"""Labels of the group level's files, and where it cannot follow the poster to the letter."""

from __future__ import annotations

DESCRIPTIONS = {
    "positivemean": "Mean over participants, positive lags.",
    "negativemean": "Mean over participants, negative lags.",
    "positivefwe": "Family-wise p over units and layers, positive lags.",
    "negativefwe": "Family-wise p over units and layers, negative lags.",
    "positivefdr": "False discovery rate over units and layers, positive lags.",
    "negativefdr": "False discovery rate over units and layers, negative lags.",
    "positiveprojected": "Positive lags, from scores projected from the volume to fsaverage5.",
    "negativeprojected": "Negative lags, from scores projected from the volume to fsaverage5.",
    "positivemeanprojected": "As positivemean, projected from the volume to fsaverage5.",
    "negativemeanprojected": "As negativemean, projected from the volume to fsaverage5.",
    "bestlayerpositiveprojected": "As bestlayerpositive, from scores projected to fsaverage5.",
    "bestlayernegativeprojected": "As bestlayernegative, from scores projected to fsaverage5.",
    "positivetfce": "Family-wise p of threshold-free cluster enhancement, positive lags.",
    "negativetfce": "Family-wise p of threshold-free cluster enhancement, negative lags.",
    "user": "Reference map given by the user.",
    **{f"user{number}": f"Reference map {number} given by the user." for number in range(2, 10)},
    "participants": "Participants with a value at each unit; who takes part and who does not.",
    "spin": "Layer maps against reference maps, tested by rotation.",
    "spinnull": "Correlation of layer maps with rotated reference maps.",
    "subjects": "Correlation of each participant's layer maps with reference maps.",
    "subjecttest": "These correlations, tested over participants by sign flips.",
    "reliability": "How often each layer is the best when participants are redrawn.",
    "pca": "Components of mean scores over layers and units.",
    "isc": "Correlation of each participant with the mean of the others.",
}

REMARKS = (
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
