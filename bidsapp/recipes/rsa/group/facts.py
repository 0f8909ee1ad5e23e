"""Labels of the group level's files, and where it cannot follow the paper to the letter."""

from __future__ import annotations

DESCRIPTIONS = {
    "rsamean": "Mean over participants of the comparison of searchlights and layers.",
    "rsafdr": "False discovery rate of the clip permutation p over units and layers.",
    "rsamax": "Of each participant's largest score over layers: mean, mean layer number, "
    "one-sample t, and what is expected when clips are permuted.",
    "rsadifference": "Trained minus untrained network, mean over participants.",
    "rsalower": "Lower noise ceiling: each participant against the mean of the others.",
    "rsaupper": "Upper noise ceiling: each participant against the mean of all.",
    "rsalayers": "Share of the units that follow each layer, by hemisphere.",
    "rsastg": "Layers along the superior temporal gyrus, from its posterior to its anterior end.",
    "rsaparticipants": "Who takes part and who does not.",
}

REMARKS = (
    {
        "option": "statistic of the clip permutation",
        "paper": "none",
        "used": "mean over participants of the correlation itself, not of its Fisher z",
        "variant": "both",
        "source": "-",
        "why": "at correlations below .1 both are the same; the null of the mean correlation is "
        "exact and its error rate was measured",
    },
    {
        "option": "nuisance matrices of the group",
        "paper": "none",
        "used": "mean over participants of the ranks of each nuisance matrix",
        "variant": "robust",
        "source": "-",
        "why": "the group's score is that of the mean normalised matrix of participants",
    },
    {
        "option": "place of the superior temporal gyrus",
        "paper": "anatomical labels of the group maps",
        "used": "a slab of 20 mm in MNI coordinates from planum temporale to planum polare",
        "variant": "both",
        "source": "Results",
        "why": "it is the same for voxels, fsaverage and grayordinates",
    },
)
"""Rows of ``logs/fidelity.tsv`` that are no settings."""
