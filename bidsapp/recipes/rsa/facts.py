"""Labels of the recipe's files, and where it cannot follow the paper to the letter."""

from __future__ import annotations

DESCRIPTIONS = {
    "rsa": "Comparison of each searchlight's dissimilarities with those of a layer; with "
    "stat-p its uncorrected clip permutation p, with stat-pattern the items' mean patterns, with "
    "stat-radius and stat-size the searchlights themselves.",
    "rsaraw": "As desc-rsa, without removing nuisance dissimilarities; the same pairs.",
    "rsauntrained": "As desc-rsa, mean over networks with random weights.",
    "rsafwe": "Clip permutation p, family-wise over units and layers.",
    "rsabestlayer": "Layer with the largest positive score.",
    "rsasignificant": "Units with a layer that passes family-wise.",
    "rsaitems": "Rows of the dissimilarity matrices.",
    "rsamodels": "Dissimilarities of each layer.",
    "rsanuisance": "Dissimilarities that have nothing to do with the layers.",
    "rsaprofile": "Scores over all units, layer by layer.",
    "rsanull": "Largest score over units and layers under each permutation of clips.",
    "rsalag": "Dissimilarity by distance in time, in searchlights and layers.",
    "rsaalignment": "Which sound meets which volumes.",
    "rsasummary": "Settings, counts and warnings of one analysis.",
}

REMARKS = (
    {
        "option": "detrending",
        "paper": "each run linearly detrended and z-scored",
        "used": "--confounds and --high-pass-hz in one regression per run, then z-scored",
        "variant": "both",
        "source": "Methods: Representational Similarity Analysis",
        "why": "--confounds none with --high-pass-hz 0.001 comes closest to the paper",
    },
    {
        "option": "weights",
        "paper": "trained on parts one to twelve of MagnaTagATune",
        "used": "--weights; musicotopy-tools train tagger trains the same network",
        "variant": "both",
        "source": "Methods: Deep neural network",
        "why": "the paper's parameters are not published",
    },
    {
        "option": "within-participant test",
        "paper": "none",
        "used": "permutation of clips",
        "variant": "both",
        "source": "Methods: Statistical Analysis",
        "why": "pairs of items are not independent: a p-value of one Spearman correlation over "
        "them means nothing, and none is given",
    },
    {
        "option": "layers of few channels",
        "paper": "every layer has 50 channels or more",
        "used": "Euclidean distance below five channels",
        "variant": "both",
        "source": "Table 1",
        "why": "a correlation over fewer channels takes few values",
    },
)
"""Rows of ``logs/fidelity.tsv`` that are no settings."""
