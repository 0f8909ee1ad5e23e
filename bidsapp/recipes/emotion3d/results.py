"""Everything that `emotion3d` writes, at both levels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bidsapp.recipes.base.score_results import quality
from bidsapp.recipes.emotion3d.names import DECODERS, LEAKY
from bidsapp.results.kinds import Column, Maps, Scale, declared_in, summary, table

NAME = "emotion3d"

_SPLIT = Column(
    "split", f"how volumes were divided; {LEAKY} where scores say nothing about the brain",
    text=True,
)  # fmt: skip
_DECODER = Column("decoder", "; ".join(f"{k}: {v.sees}" for k, v in DECODERS.items()), text=True)
_LEAKY = Column(
    "leaky", f"{LEAKY}: training and test volumes are neighbours; no: they are not", text=True
)
_LEVEL = Column(
    "level",
    "within: each participant's own results; across: trained on other participants",
    "participants",
    text=True,
)
_WHO = Column("participant", "label; n/a for the pool of all", text=True)
_CLASS = Column("class", "emotion of the label", text=True)
_RUN = Column("run", "name of the run", text=True)
_LABEL = Column("label", "class of the volume; n/a without", text=True)
_RECALL = (
    _SPLIT,
    _DECODER,
    _CLASS,
    Column("n", "volumes of the class", "volumes", 0),
    Column("recall", "share of them that was recognised"),
    Column("low", "95 % interval over stretches of one class, or participants", by="stretches"),
    Column("high", "upper end of the interval", by="stretches"),
    _LEAKY,
)
_TRUE = (
    _SPLIT,
    _DECODER,
    Column("true", "class of the volumes", text=True),
    Column("predicted", "predicted class", text=True),
    Column("n", "volumes", "volumes", 0),
)


_table = partial(table, by_network=False)


def _maps(stat: str, title: str, says: str) -> Maps:
    """Declare the maps of one method, of a participant."""
    return Maps(
        desc=NAME,
        stat=stat,
        title=title,
        says=f"{says}; one map per class.",
        scale=Scale("evidence", colours="signed"),
        by_network=False,
        required=stat == "haufe",
    )


_OF_NETWORK = "averaged over correctly classified held-out volumes"
_MEAN = (
    "Mean over participants of their maps, each divided by its spread over voxels; one map per "
    "class."
)
HAUFE = _maps(
    "haufe",
    "Activation patterns of the linear decoder",
    "Activation patterns of the linear decoder (Haufe et al. 2014), averaged over folds",
)
IG = _maps(
    "ig",
    "Integrated gradients of the network",
    f"Integrated gradients of the network, {_OF_NETWORK}",
)
GRADCAM = _maps("gradcam", "Grad-CAM of the network", f"Grad-CAM of the network, {_OF_NETWORK}")
GROUP_HAUFE, GROUP_IG, GROUP_GRADCAM = (
    replace(maps, says=_MEAN, level="group", required=False) for maps in (HAUFE, IG, GRADCAM)
)
MAPS = {"ig": IG, "haufe": HAUFE, "gradcam": GRADCAM}
"""Method → maps of a participant."""
GROUP_MAPS = {"ig": GROUP_IG, "haufe": GROUP_HAUFE, "gradcam": GROUP_GRADCAM}
"""Method → maps of the group."""

SCORES = _table(
    "emotion3dscores",
    "Scores",
    "Scores of held-out volumes, pooled over folds; of the group: of participants whom "
    "decoders were not trained on.",
    _SPLIT,
    _DECODER,
    Column("measure", "balanced_accuracy: mean recall of the classes that occur", text=True),
    Column("value", "the score"),
    Column(
        "low",
        "lower end of the central 95 % of the scores with labels shifted in time",
        by="label_shift",
    ),
    Column("high", "upper end", by="label_shift"),
    Column("chance", "mean score with labels shifted in time (of the group: alike in all)"),
    Column("p", "(b + 1) / (m + 1) over shifts, one-sided", by="label_shift"),
    Column("n_shifts", "number of shifts, each with all folds fitted again", "shifts", 0),
    Column("n_volumes", "labelled volumes that were scored", "volumes", 0),
    _LEAKY,
    level="both",
    required=True,
)
NULL = _table(
    "emotion3dnull",
    "Null distribution",
    "Balanced accuracy with labels shifted in time (of the group: alike in all "
    "participants) and all folds fitted again.",
    _SPLIT,
    _DECODER,
    Column("shift", "number of the shift, from 1", digits=0),
    Column("balanced_accuracy", "mean recall over classes"),
    _LEAKY,
    level="both",
    required=True,
)
RECALL = _table(
    "emotion3drecall",
    "Recall of each class",
    "Share of the volumes of each class that were recognised.",
    *_RECALL,
    required=True,
)
GROUP_RECALL = _table(
    "emotion3drecall",
    "Recall of each class",
    "Share of the volumes of each class that were recognised in new participants.",
    _WHO,
    *_RECALL,
    level="group",
)
CONFUSION = _table(
    "emotion3dconfusion",
    "Confusions",
    "Volumes of each true class by predicted class.",
    *_TRUE,
    _LEAKY,
)
GROUP_CONFUSION = _table(
    "emotion3dconfusion",
    "Confusions",
    "Volumes of each true class by predicted class: of all, and of each participant.",
    _WHO,
    *_TRUE,
    Column("share", "of the volumes of the true class"),
    Column("share_of_others", "the same, mean over all other participants"),
    _LEAKY,
    level="group",
)
LABELS = _table(
    "emotion3dlabels",
    "Labels",
    "Labelled volumes of each run and class, and the contiguous segments they form.",
    _RUN,
    _CLASS,
    Column("n_volumes", "volumes of the class", "volumes", 0),
    Column("n_blocks", "contiguous segments of the class", "segments", 0),
)
PREDICTIONS = _table(
    "emotion3dpredictions",
    "Predictions",
    "Predictions of held-out volumes, also of those without a label.",
    _RUN,
    Column("volume", "number in the run's file, from 0", digits=0),
    Column("time_s", "acquisition in the time of the run", "time", 1, "s"),
    _LABEL,
    _SPLIT,
    _DECODER,
    Column("predicted", "class of the largest probability", text=True),
    _LEAKY,
    further="Probability of the class.",
)
LAGS = _table(
    "emotion3dlags",
    "Hemodynamic shift",
    "Scores of the linear decoder over hemodynamic shifts: whether labels and volumes meet. "
    "Not for choosing the shift.",
    Column("lag_s", "volumes after the stimulus by", "shift", 1, "s"),
    Column("n_volumes", "labelled volumes", "volumes", 0),
    Column("balanced_accuracy", "of the linear decoder"),
    _LEAKY,
)
QUALITY = quality(NAME)
CURVES = _table(
    "emotion3dcurves",
    "Learning curves",
    "Learning curves: losses on augmented training volumes and on the inner held-out part, "
    "by which training stops.",
    _SPLIT,
    Column("fold", "name of the held-out fold", text=True),
    Column("seed", "number of the network of the ensemble", digits=0),
    Column("epoch", "pass over the training volumes", digits=0),
    Column("loss", "on augmented training volumes", unit="nats"),
    Column("accuracy", "on augmented training volumes"),
    Column("val_loss", "on the inner held-out part", unit="nats"),
    Column("val_accuracy", "on the inner held-out part"),
    Column("learning_rate", "of the optimiser in this epoch", digits=5),
    Column("kept", "1 for the epoch whose weights are used", digits=0),
    _LEAKY,
)
RANDOMISATION = _table(
    "emotion3drandomisation",
    "Sanity checks of attributions",
    "Rank correlation of absolute attributions with those after layers were made random "
    "(from the output down), or labels were shifted. Near 1: the map shows the data, not what "
    "was learned.",
    Column("method", "of attribution", text=True),
    Column("randomised", "last layer that is random; labels: labels shifted", text=True),
    Column("similarity", "rank correlation"),
)
EMBEDDING = _table(
    "emotion3dembedding",
    "Hidden layer",
    "Hidden layer of held-out volumes on its first two principal components; axes differ "
    "between folds, whose networks differ.",
    _SPLIT,
    Column("fold", "name of the held-out fold", text=True),
    _RUN,
    Column("volume", "number in the run's file, from 0", digits=0),
    _LABEL,
    Column("x", "first principal component"),
    Column("y", "second principal component"),
    _LEAKY,
    by="label_shift_hidden",
)
PARTICIPANTS = _table(
    "emotion3dparticipants",
    "Participants",
    "Balanced accuracy of each participant, within and across participants, and what it is "
    "with labels shifted in time.",
    Column("participant", "label", text=True),
    _LEVEL,
    _SPLIT,
    _DECODER,
    Column("balanced_accuracy", "mean recall over classes"),
    Column("chance", "mean with labels shifted in time", "own chance"),
    Column("above_chance", "the difference"),
    Column("p", "(b + 1) / (m + 1) over shifts, one-sided", by="label_shift"),
    _LEAKY,
    level="group",
)
TESTS = _table(
    "emotion3dgroup",
    "Tests over participants",
    "Mean scores among those with labels shifted alike in all participants, and the same for "
    "the difference of network and linear decoder, each above its own chance.",
    _LEVEL,
    _SPLIT,
    Column("test", "decoder > chance, or the difference of two decoders", text=True),
    Column("n", "participants", "participants", 0),
    Column("mean", "mean score, or mean difference of scores"),
    Column("chance", "mean of the participants' own chance"),
    Column("difference", "mean score above own chance, or mean difference of two such scores"),
    Column(
        "p",
        "(b + 1) / (m + 1): mean score, or mean difference, among those with labels shifted alike "
        "in all participants",
        by="label_shift_alike",
    ),
    Column("smallest_p", "smallest p this number of shifts can give"),
    Column("t", "of participants", digits=2),
    Column(
        "p_flip",
        "sign flips of participants: consistency over these people, too small where they share "
        "responses to the stimulus",
        "p (consistency)",
        by="sign_flip_scores",
    ),
    Column("alternative", "hypothesis that the test is against", text=True),
    level="group",
)
PREVALENCE = _table(
    "emotion3dprevalence",
    "Prevalence",
    "Share of people who show the effect: a mean above chance says only that somebody does.",
    _LEVEL,
    _SPLIT,
    _DECODER,
    Column("n", "participants", digits=0),
    Column(
        "n_significant",
        "participants with p at most the level; n/a where the shifts are too few for any to pass",
        "above chance",
        0,
    ),
    Column("prevalence", "most probable share (Ince et al. 2021)", digits=2),
    Column("low", "its interval of highest density, 95 %", by="prevalence_density"),
    Column("high", "upper end of the interval", by="prevalence_density"),
    Column(
        "p_global",
        "nobody shows the effect: smallest score over participants among those with labels "
        "shifted alike in all",
        "p (global null)",
        by="minimum_statistic",
    ),
    Column(
        "p_majority",
        "at most half of the population shows the effect",
        "p (majority null)",
        by="minimum_statistic",
    ),
    Column(
        "bound",
        "largest share that is exceeded at the level of the test (Allefeld et al. 2016); "
        "n/a: not even 0",
        "\u03b3\u2080",
        2,
    ),
    level="group",
)
SUMMARY = summary(NAME, "participant")
GROUP_SUMMARY = summary(NAME, "group")

RESULTS = declared_in(globals())
