"""Inferences of representational similarity analysis."""

from __future__ import annotations

from bidsapp.results.inferences.base import Inference

ENTRIES = (
    Inference(
        key="clip_permutation",
        title="Permutation of clips",
        draws="permutations of clips",
        method="Scores were compared with those of {n_draws} orders of the clips in the layers' "
        "matrices, the same for all participants: within each pair of clips all dissimilarities "
        "moved together, so that what is alike for its place in a clip stays alike. p-values are "
        "right-sided, (b + 1) / (m + 1), family-wise by the maximum over searchlights and layers. "
        "No p-value is made of the correlation of two matrices by itself: pairs of items are not "
        "independent.",
        shows="A small family-wise p at a searchlight and layer says that its dissimilarities of "
        "clips follow those of the layer more than those of the layer with its clips exchanged. "
        "Clips are drawn, so that it holds for music like theirs.",
        does_not_show="Participants are taken as given: it says nothing about other listeners, "
        "nor that layers differ. Passing the level means that at least one layer does. Layers "
        "follow loudness and other acoustic features in part, and these alone may do.",
        cites=("nichols2002", "phipson2010"),
    ),
    Inference(
        key="clip_permutation_beyond",
        title="Permutation of clips, beyond acoustics",
        draws="permutations of clips",
        method="Beyond acoustics, acoustic features were regressed out of the responses to the "
        "items before dissimilarities were computed, what this regression makes alike was "
        "partialled out, and scores were compared with those of the same {n_draws} orders of the "
        "clips.",
        shows="A small family-wise p says that clips which the layer finds alike are alike in the "
        "brain beyond what these acoustic features explain.",
        does_not_show="Features that were not removed may still do. The test is conservative: "
        "layers that follow acoustics lose that part of their score, so that a large p is no "
        "evidence for acoustics alone.",
        cites=("nichols2002", "phipson2010"),
    ),
    Inference(
        key="clip_permutation_fdr",
        title="False discovery rate",
        draws="permutations of clips",
        method="False discovery rates (Benjamini-Hochberg) of the uncorrected p-values of "
        "{n_draws} permutations of clips are over searchlights and layers.",
        shows="q below a level says that of all searchlights and layers that pass, at most this "
        "share is expected to be false.",
        does_not_show="It says nothing about a single searchlight.",
        cites=("benjamini1995",),
    ),
    Inference(
        key="maximum_t",
        title="The paper's test of the maximum over layers",
        draws="nothing: Student's t over participants",
        method="As in the paper, each participant's largest score over layers was tested against "
        "zero by a one-sample right-sided t, with a false discovery rate of {level} divided by "
        "the number of layers; layer maps are mean layer numbers where it passes.",
        shows="It reproduces the maps of the paper.",
        does_not_show="The maximum of several correlations is above zero without any effect, so a "
        "small p says nothing by itself: judge by the permutation of clips.",
        holds=False,
    ),
)
