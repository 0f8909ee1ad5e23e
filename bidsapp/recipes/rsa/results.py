"""Everything that `rsa` writes, at both levels."""

from __future__ import annotations

from bidsapp.recipes.base.score_results import alignment, quality
from bidsapp.results.kinds import (
    LAYER,
    P_VALUE,
    Column,
    Labels,
    Maps,
    Mask,
    Scale,
    declared_in,
    group_maps,
    group_table,
    overall_table,
    summary,
    table,
)

RECIPE = "rsa"
CLIPS, FDR, MAXIMUM_T = "clip_permutation", "clip_permutation_fdr", "maximum_t"
BEYOND_ACOUSTICS = "clip_permutation_beyond"
BOOTSTRAP = "bootstrap"
RHO = Scale("\u03c1", least=0.005)
GAIN = Scale("\u0394\u03c1", colours="signed", least=0.005)

# ------------------------------------------------------------------ searchlights and items

SIZE = Maps(
    desc="rsa",
    title="Size of the searchlights",
    says="Voxels or vertices with data in each searchlight.",
    stat="size",
    scale=Scale("voxels or vertices", colours="sequential"),
    by_network=False,
    required=True,
)
N = group_maps(
    desc="rsaparticipants",
    title="Participants",
    says="Participants with a searchlight at each voxel or vertex.",
    stat="n",
    scale=Scale("participants", colours="sequential"),
    by_network=False,
)
RADIUS = Maps(
    desc="rsa",
    title="Radius of the searchlights",
    says="Distance from each centre to the farthest voxel or vertex of its searchlight (mm).",
    stat="radius",
    scale=Scale("radius", "mm", colours="sequential"),
    by_network=False,
)
PATTERNS = Maps(
    desc="rsa",
    title="Patterns of the items",
    says="Mean clean BOLD of each item, z-scored by run, acoustics included; in the order of "
    "desc-rsaitems.",
    stat="pattern",
    scale=Scale("z", colours="signed"),
    by_network=False,
    required=True,
)
ITEMS = overall_table(
    "rsaitems",
    "Items",
    "Rows of the dissimilarity matrices.",
    Column("item", "number from 1", digits=0),
    Column("clip", "sound, and where it begins if there are several clips of it", text=True),
    Column("time_s", "mean time of the volumes since the clip began", digits=1, unit="s"),
    Column("n_repeats", "presentations that are averaged", "repeats", 0),
    Column("tested", "1: every clip has this item, clips are permuted; 0: only longer", digits=0),
    same=("clip",),
    required=True,
)
_PAIR = (
    Column("item_i", "row of desc-rsaitems, from 1", digits=0),
    Column("item_j", "row of desc-rsaitems, from 1", digits=0),
)
MODELS = table(
    "rsamodels",
    "Model dissimilarities",
    "Dissimilarity of each pair of items in each layer.",
    *_PAIR,
    further="dissimilarity in this layer",
    by_space=False,
    required=True,
)
NUISANCE = overall_table(
    "rsanuisance",
    "Nuisance dissimilarities",
    "Dissimilarity of each pair of items in what is partialled out.",
    *_PAIR,
    further="dissimilarity in this nuisance",
)
ACOUSTICS = overall_table(
    "rsaacoustics",
    "Acoustics",
    "Orthonormal regressors that span the acoustic features which are removed from responses "
    "to the items that are tested.",
    Column("item", "row of desc-rsaitems, from 1", digits=0),
    further="regressor",
)
LAG = table(
    "rsalag",
    "Dissimilarity by distance in time",
    "Dissimilarity by distance in time: how far autocorrelation reaches.",
    Column("lag_s", "distance in time, mean over the runs with both items", unit="s"),
    Column("n_pairs", "pairs of items", digits=0),
    Column("mean_dissimilarity", "mean over an even sample of searchlights"),
    further="mean over pairs in this layer of the first network",
    by_network=False,
)
DELAY = table(
    "rsadelay",
    "Haemodynamic delay",
    "Scores at other delays than that of the canonical response, mean over significant "
    "searchlights (over all where none is significant).",
    Column("delay_s", "later than the canonical response; 0 is the score", "delay", 1, "s"),
    Column("layer", "name", text=True),
    Column("layer_index", "number from 1", "no.", 0),
    Column("mean_rho", "mean over searchlights", "mean \u03c1", 4),
    Column("n_units", "searchlights", "searchlights", 0),
)
DELAY_MAP = Maps(
    desc="rsa",
    title="Delay of the largest score",
    says="Delay at which the best layer scores most, later than the canonical response (s).",
    stat="delay",
    scale=Scale("delay", "s", colours="signed"),
)
ALIGNMENT = alignment(RECIPE)
QUALITY = quality(RECIPE)

# ------------------------------------------------------------------ scores and their test

_COMPARED = (
    "Correlation of the dissimilarities in each searchlight with those of a layer, given the "
    "nuisance dissimilarities"
)
SCORE = Maps(desc="rsa", title="Score", says=f"{_COMPARED}.", stat="rho", scale=RHO, required=True)
RAW = Maps(
    desc="rsaraw",
    title="Score, nuisances not removed",
    says="As stat-rho_desc-rsa, without removal of nuisance dissimilarities; the same pairs.",
    stat="rho",
    scale=RHO,
)
UNTRAINED = Maps(
    desc="rsauntrained",
    title="Score of untrained networks",
    says="As stat-rho_desc-rsa of networks with random weights: mean over seeds, participants.",
    stat="rho",
    scale=RHO,
    level="both",
)
_P = "p = (b + 1) / (m + 1) over permutations of clips (items that every clip has), right-sided"
_FAMILY = f"{_P}, against the largest score over all searchlights and layers"


def _p_values(name: str, title: str, says: str, by: str) -> Maps:
    return Maps(
        desc=name, title=title, says=says, stat="p", scale=P_VALUE, level="both", by=by,
    )  # fmt: skip


P = _p_values("rsa", "p", f"{_P}, uncorrected.", CLIPS)
P_FWE = _p_values("rsafwe", "Family-wise p", f"{_FAMILY}.", CLIPS)
_BEYOND = "acoustic features regressed out of the responses"
BEYOND = Maps(
    desc="rsabeyond",
    title="Score beyond acoustics",
    says=f"{_COMPARED}; {_BEYOND}; of a group the mean over participants.",
    stat="rho",
    scale=RHO,
    level="both",
)
BEYOND_P = _p_values(
    "rsabeyond", "p beyond acoustics", f"{_P}, uncorrected; {_BEYOND}.", BEYOND_ACOUSTICS
)
BEYOND_P_FWE = _p_values(
    "rsabeyondfwe", "Family-wise p beyond acoustics", f"{_FAMILY}; {_BEYOND}.", BEYOND_ACOUSTICS
)
BEYOND_BEST = Labels(
    desc="rsabeyondbestlayer",
    title="Best layer beyond acoustics",
    says="Layer with the largest positive score beyond acoustics, 0 where no layer passes.",
    level="both",
)
SIGNIFICANT = Mask(
    desc="rsasignificant",
    title="Significant",
    says="Searchlights with a layer that is significant; not written where nothing was tested.",
    level="both",
)
BEST_LAYER = Labels(
    desc="rsabestlayer",
    title="Best layer",
    says="Layer with the largest positive score, 0 where none is shown.",
    level="both",
)
CENTROID = Maps(
    desc="rsa",
    title="Centroid layer",
    says="Mean layer number weighted by positive scores, undefined where no layer is shown.",
    stat="centroid",
    scale=LAYER,
    level="both",
)
_LAYER = (Column("layer", "name", text=True), Column("layer_index", "number from 1", "no.", 0))
_COUNTS = (
    Column("n_best", "searchlights whose best layer this is", "n, best layer", 0),
    Column("n_significant", "searchlights significant in this layer", "n significant", 0),
    Column("n_beyond", "searchlights significant beyond acoustics", "n beyond acoustics", 0),
)
_UNTRAINED = Column("mean_untrained", "mean of untrained networks", "untrained, mean \u03c1", 4)
PROFILE = table(
    "rsaprofile",
    "Layer profile",
    "Scores over all searchlights, layer by layer.",
    *_LAYER,
    Column("n_channels", "channels of the layer", "channels", 0),
    Column("mean_rho", "mean over searchlights", "mean \u03c1", 4),
    Column("p95_rho", "95th percentile over searchlights", "95th percentile"),
    *_COUNTS,
    _UNTRAINED,
    Column("sd_untrained", "standard deviation over random weights of the mean", digits=4),
    Column(
        "acoustic_share",
        "share of the layer's ranked dissimilarities that acoustic features explain",
        "acoustic share",
        2,
    ),
)
NULL = table(
    "rsanull",
    "Null distribution",
    "Largest score over searchlights and layers under each permutation of clips.",
    Column("permutation", "number from 1", digits=0),
    Column("max_rho", "largest \u03c1"),
    level="both",
)
SUMMARY = summary(RECIPE, "participant")

# ------------------------------------------------------------------ participants and the group

MEAN = group_maps(
    desc="rsamean",
    title="Mean score",
    says=f"{_COMPARED}; mean over participants.",
    stat="rho",
    scale=RHO,
)
T = group_maps(
    desc="rsa",
    title="t over participants",
    says="One-sample t over participants; what they share for other reasons counts as effect.",
    stat="t",
    scale=Scale("t", colours="signed"),
)
Q = group_maps(
    desc="rsafdr",
    title="False discovery rate",
    says=f"{_P}, as false discovery rate over searchlights and layers.",
    stat="q",
    scale=P_VALUE,
    by=FDR,
)
_MAXIMUM = "each participant's largest score over layers"


def _maximum(stat: str, title: str, says: str, scale: Scale, by: str = "") -> Maps:
    return Maps(
        desc="rsamax", title=title, says=says, stat=stat, scale=scale, names=("maximum",),
        level="group", by=by,
    )  # fmt: skip


MAX = _maximum("rho", "Mean of the largest scores", f"Mean of {_MAXIMUM}.", RHO)
MAX_LAYER = _maximum(
    "layer", "Mean best layer", "Mean over participants of the number of that layer.", LAYER
)
MAX_T = _maximum("t", "t of the largest scores", f"One-sample t of {_MAXIMUM}.", Scale("t"))
MAX_P = _maximum("p", "p of that t", "Right-sided p of this t.", P_VALUE, MAXIMUM_T)
MAX_Q = _maximum(
    "q", "q of that t", "False discovery rate of this p over searchlights.", P_VALUE, MAXIMUM_T
)
MAX_EXPECTED = _maximum(
    "expected", "Largest scores, clips permuted", f"Mean over permutations of {_MAXIMUM}.", RHO
)
DIFFERENCE = group_maps(
    desc="rsadifference",
    title="Trained \u2212 untrained",
    says="Mean over participants of their own scores, trained minus untrained networks.",
    stat="rho",
    scale=GAIN,
)
CONFIDENCE = group_maps(
    desc="rsa",
    title="Confidence of the best layer",
    says="Share of bootstrap samples of participants with the same layer of largest mean score.",
    stat="confidence",
    scale=Scale("share", colours="share"),
)


def _ceiling(end: str, others: str) -> Maps:
    return Maps(
        desc=f"rsa{end}",
        title=f"{end.capitalize()} noise ceiling",
        says=f"Mean correlation of participants' dissimilarities with the mean of {others}.",
        stat="ceiling",
        scale=RHO,
        level="group",
        by_network=False,
    )


LOWER, UPPER = _ceiling("lower", "the others"), _ceiling("upper", "all")
GROUP_PROFILE = group_table(
    "rsaprofile",
    "Layer profile",
    "Mean scores over all searchlights, layer by layer.",
    *_LAYER,
    Column("mean_rho", "mean over participants and searchlights", "mean \u03c1", 4),
    Column("ci_low", "95 % interval over participants", digits=4, by=BOOTSTRAP),
    Column("ci_high", "95 % interval over participants", digits=4, by=BOOTSTRAP),
    *_COUNTS,
    _UNTRAINED,
    Column("difference", "trained \u2212 untrained, participants' own scores", digits=4),
)
LAYERS = group_table(
    "rsalayers",
    "Layers by hemisphere",
    "Distribution of best layers by hemisphere, and the difference left minus right.",
    Column("hemisphere", "L, R, both where sides cannot be told, or L-R", text=True),
    *_LAYER,
    Column("share", "of the hemisphere's searchlights with a best layer, in the group's map"),
    Column("n", "searchlights of the group's map", digits=0),
    Column("participant_share", "of participants' own maps where the lower noise ceiling > 0"),
)
GYRUS = group_table(
    "rsastg",
    "Superior temporal gyrus",
    "Layers along the superior temporal gyrus, from its posterior to its anterior end.",
    Column("hemisphere", "L or R", text=True),
    Column("position", "from 0 (posterior end) to 1 (anterior end)"),
    Column("n_units", "searchlights", digits=0),
    Column("centroid", "mean over participants of their centroid layers", digits=2),
    Column("ci_low", "95 % interval over participants", digits=2, by=BOOTSTRAP),
    Column("ci_high", "95 % interval over participants", digits=2, by=BOOTSTRAP),
    further="mean score of this layer",
)
PARTICIPANTS = group_table(
    "rsaparticipants",
    "Participants",
    "Who takes part and who does not, and why.",
    Column("participant", "label", text=True),
    Column("included", "whether the participant takes part", digits=0),
    Column("reason", "why not", "why not", prose=True, text=True),
    Column("configuration_hash", "of the participant level", "configuration", text=True),
    Column("n_trs", "volumes of all runs", "volumes", 0),
    Column("fewest_repeats", "presentations of the clip with the fewest", "repeats", 0),
    Column("mean_rho", "over layers of the first network and searchlights", "mean \u03c1", 4),
    Column("best_layer", "layer of the first network with the largest mean", text=True),
    Column("lag_mean_rho", "comparison with the time between items", "\u03c1 of time", 4),
    by_network=False,
)
GROUP_SUMMARY = summary(RECIPE, "group")

RESULTS = declared_in(globals())
