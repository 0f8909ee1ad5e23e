"""Inferences over participants, whatever the analysis."""

from __future__ import annotations

from bidsapp.results.inferences.base import Inference

ENTRIES = (
    Inference(
        key="displacement",
        title="Common displacement of the music",
        draws="displacements of the music, the same in all participants",
        method="Scores of parcels (mean Fisher z over participants) were compared with the scores "
        "of {n_draws} displacements of the music, each piece by the same time in all participants "
        "and its repeats alike, all models refitted; p = (b + 1) / (m + 1), family-wise by the "
        "maximum over layers and parcels of scores in standard deviations of their own null.",
        shows="A small p says that the layer predicts what these participants share better than "
        "the same layer of displaced music does.",
        does_not_show="It does not say that other layers predict worse, nor that other listeners "
        "or other music would give the same.",
        cites=("nichols2002", "phipson2010"),
        calibrate="bidsapp.results.calibrations.displacement:displacement",
    ),
    Inference(
        key="beyond_acoustics",
        title="Layers beyond acoustics, against displaced layers",
        draws="displacements of the layer, acoustics left in place",
        method="Components of acoustic descriptors, made as those of layers, were projected out "
        "of responses and layers; scores were compared with those of {n_draws} displacements of "
        "the layer, the same in all participants, each projected in the same way. p = (b + 1) / "
        "(m + 1), family-wise by the maximum over layers and parcels of scores in standard "
        "deviations of their own null.",
        shows="A small p says that the layer predicts what these acoustic components, at these "
        "lags, do not.",
        does_not_show="Acoustics that the components or the lags miss may remain in responses and "
        "layer; what layer and acoustics share is not attributed to either.",
        cites=("phipson2010",),
        calibrate="bidsapp.results.calibrations.acoustics:beyond_acoustics",
    ),
    Inference(
        key="displacement_along",
        title="Layers along the reference, against displaced music",
        draws="displacements of the music, the same in all participants",
        method="Alignment: the slope of the layer contrast along the ranks of the reference was "
        "compared with that of {n_draws} displacements of the music. Preference: the first "
        "singular component (one profile over layers, one amplitude over parcels) was taken out; "
        "the null adds the scores of displaced music to that component. p = (b + 1) / (m + 1), "
        "two-sided about the median.",
        shows="A small p of preference says that the preference for layers changes along the "
        "reference beyond amplitude; a small p of alignment, that layers align with it more than "
        "layers of displaced music do.",
        does_not_show="A small p of alignment alone may come from one profile whose amplitude "
        "changes along the reference. Neither speaks of other listeners or other music.",
        cites=("phipson2010",),
        calibrate="bidsapp.results.calibrations.displacement:preference",
    ),
    Inference(
        key="sign_flip",
        title="Sign flips of participants",
        draws="sign flips of participants",
        method="Over participants, scores (Fisher z) were tested against zero by {n_draws} sign "
        "flips of whole participants; p = (b + 1) / (m + 1), family-wise by the maximum of t.",
        shows="A small p says that the scores are above zero on average over participants, if "
        "participants err independently.",
        does_not_show="Responses that all participants share and no model knows can make it "
        "small: it speaks of consistency over these listeners.",
        cites=("nichols2002", "phipson2010"),
    ),
    Inference(
        key="bootstrap",
        title="Bootstrap over participants",
        draws="participants drawn with replacement",
        method="Intervals of means over participants are studentised, from {n_draws} samples of "
        "participants drawn with replacement.",
        shows="The interval shows how far the mean moves with the choice of participants.",
        does_not_show="None is given for fewer than five participants.",
        cites=("efron1993",),
        gives="interval",
    ),
    Inference(
        key="sign_flip_fdr",
        title="False discovery rate over participants",
        draws="sign flips of participants",
        method="False discovery rates (Benjamini-Hochberg) of the uncorrected p-values of "
        "{n_draws} sign flips are over units and layers.",
        shows="q below a level says that of all units and layers that pass, at most this share is "
        "expected to be false.",
        does_not_show="It says nothing about a single unit.",
        cites=("benjamini1995",),
    ),
    Inference(
        key="sign_flip_tfce",
        title="Threshold-free cluster enhancement",
        draws="sign flips of participants",
        method="Maps of t were enhanced by threshold-free cluster enhancement (E = 0.5, H = 2, "
        "exact integral; neighbours share a face of a voxel or an edge of the mesh) and tested by "
        "{n_draws} sign flips, family-wise over units and layers by the largest value.",
        shows="A small p at a unit and layer says that somewhere in the clusters that support "
        "this unit the layer predicts better than chance.",
        does_not_show="The extent of a cluster is not tested, and a single unit in it may be "
        "null.",
        cites=("smith2009",),
    ),
    Inference(
        key="displacement_raters",
        title="Common displacement of the music: ratings",
        draws="displacements of the music, the same for all raters",
        method="The prediction of ratings (mean Fisher z over raters) was compared with that of "
        "{n_draws} displacements of the music, each piece by the same time for all raters, all "
        "models refitted; p = (b + 1) / (m + 1) layer by layer, and family-wise over layers by "
        "the largest score in standard deviations of its own null.",
        shows="A small p says that the layer predicts these raters' mean rating of this music "
        "better than the same layer of displaced music does.",
        does_not_show="There are few pieces and few raters: it says nothing about other music or "
        "other listeners.",
        cites=("nichols2002", "phipson2010"),
        calibrate="bidsapp.results.calibrations.displacement:ratings",
    ),
    Inference(
        key="sign_flip_alignment",
        title="Alignment of participants' own layer maps",
        draws="sign flips of participants",
        method="The correlations of each participant's own layer maps with the reference maps "
        "(Fisher z) were tested over participants by {n_draws} sign flips at most, two-sided, "
        "family-wise over lags and kinds of layer map by the largest t.",
        shows="A small p says that in the population of listeners layer maps align with the "
        "reference.",
        does_not_show="The smoothness of maps does not enter: whether any smooth map would align "
        "as well is what the spin test asks.",
        cites=("nichols2002",),
    ),
    Inference(
        key="effect_size",
        title="Interval of Cohen's d",
        draws="nothing: the noncentral t distribution",
        method="Intervals of Cohen's d are exact for normal values (noncentral t).",
        shows="The interval shows which standardised means are compatible with these "
        "participants.",
        does_not_show="It is for one test at a time.",
        cites=("cumming2001",),
        gives="interval",
    ),
    Inference(
        key="bootstrap_layers",
        title="Layers over participants",
        draws="participants drawn with replacement",
        method="Shares of best layers are over {n_draws} samples of participants drawn with "
        "replacement; intervals of centroid layers are t intervals with the standard error of the "
        "jackknife.",
        shows="The share of a layer, and the interval of the centroid, show how stable they are "
        "over listeners.",
        does_not_show="A share is not the probability that a layer is the true one.",
        cites=("efron1993",),
        gives="interval",
    ),
)
