"""Everything that the group level of `gradients` writes."""

from __future__ import annotations

from functools import partial

from bidsapp.recipes.base.score_results import (
    BOOTSTRAP,
    LAGS_COLUMN,
    LAYER_COLUMNS,
    PARCEL_COLUMN,
    PLACE_COLUMNS,
    group_parcels,
    group_ratings,
    group_significant,
)
from bidsapp.recipes.gradients import results as of
from bidsapp.recipes.gradients.results import LAGS, RECIPE
from bidsapp.results.kinds import (
    LAYER,
    P_VALUE,
    Column,
    Labels,
    Mask,
    Scale,
    declared_in,
    group_maps,
    group_table,
    summary,
)

# ------------------------------------------------------------------ group: maps

_lag_maps = partial(group_maps, labels=LAGS)
MEAN = _lag_maps(
    desc="gradients{label}lagsmean",
    title="Mean prediction, {label} lags",
    says="Mean correlation over participants (Fisher z, back-transformed) at {label} lags.",
    stat="r",
)
T = _lag_maps(
    desc="gradients{label}lags",
    title="t over participants, {label} lags",
    says="One-sample t of Fisher z over participants at {label} lags.",
    stat="t",
    scale=Scale("t", colours="signed", least=2.0),
)
D = _lag_maps(
    desc="gradients{label}lags",
    title="Cohen's d, {label} lags",
    says="Cohen's d of Fisher z over participants at {label} lags.",
    stat="d",
    scale=Scale("d", colours="signed", least=0.5),
)
P_FWE = _lag_maps(
    desc="gradients{label}lagsfwe",
    title="Family-wise p, {label} lags",
    says="Sign-flip p at {label} lags, corrected over units and layers by the largest t.",
    stat="p",
    scale=P_VALUE,
    by=of.FLIP,
)
Q = _lag_maps(
    desc="gradients{label}lagsfdr",
    title="False discovery rate, {label} lags",
    says="False discovery rate (Benjamini-Hochberg) of the sign-flip p over units and layers at "
    "{label} lags.",
    stat="q",
    scale=P_VALUE,
    by=of.FLIP_FDR,
)
P_TFCE = _lag_maps(
    desc="gradients{label}lagstfce",
    title="Family-wise p of clusters, {label} lags",
    says="Sign-flip p of threshold-free cluster enhancement at {label} lags, corrected over units "
    "and layers.",
    stat="p",
    scale=P_VALUE,
    by=of.TFCE,
)
CONSISTENT = Mask(
    desc="gradientsconsistent",
    title="Consistent over participants",
    says="Units where any layer passes at positive lags, family-wise over units and layers (sign "
    "flips of participants).",
    level="group",
    by=of.FLIP,
)
PC = _lag_maps(
    desc="gradients{label}lags",
    title="Principal components, {label} lags",
    says="Principal components of mean scores at {label} lags, layers as variables, units as "
    "observations.",
    stat="pc",
    scale=Scale("component", colours="signed"),
)
REFERENCE = group_maps(
    desc="gradientsreference{label}",
    title="Reference map ({label})",
    says="Reference map given by the user, or a published map that was chosen.",
    labels=tuple(
        f"{kind}{number or ''}" for kind in ("user", "annotation") for number in (0, *range(2, 10))
    ),
    by_network=False,
    stat="reference",
    scale=Scale("reference", colours="sequential"),
)
PROJECTED = _lag_maps(
    desc="gradients{label}lagsmeanprojected",
    title="Mean prediction on the surface, {label} lags",
    says="Mean correlation over participants at {label} lags, projected from the volume layer by "
    "layer.",
    stat="r",
)
CENTROID_PROJECTED = _lag_maps(
    desc="gradients{label}lagsprojected",
    title="Centroid layer on the surface, {label} lags",
    says="Centroid layer of each layer's mean score map at {label} lags, projected from the "
    "volume.",
    stat="centroid",
    scale=LAYER,
    names=("centroid",),
)
BEST_PROJECTED = Labels(
    desc="gradientsbestlayer{label}lagsprojected",
    title="Best layer on the surface, {label} lags",
    says="Best layer of each layer's mean score map at {label} lags, projected from the volume.",
    labels=LAGS,
    level="group",
)
N = group_maps(
    desc="gradientsparticipants",
    title="Participants",
    says="Participants with a value at each unit.",
    by_network=False,
    stat="n",
    scale=Scale("participants", colours="sequential"),
    names=("n",),
)

# ------------------------------------------------------------------ group: tables

PARTICIPANTS = group_table(
    "gradientsparticipants",
    "Participants",
    "Who takes part, and who does not and why.",
    Column("participant", "label", text=True),
    Column("included", "whether they take part", digits=0),
    Column("reason", "why not", "why not", text=True, prose=True),
    Column("configuration_hash", "of the participant level", "configuration", text=True),
    Column("n_trs", "volumes of all runs", "volumes", 0),
    Column("n_rows", "volumes that entered the models at positive lags", "volumes used", 0),
    Column("mean_r", "score at positive lags, over the layers of the first network and units"),
    by_network=False,
)
_REGION = (
    Column("roi", "name of the region", "region", text=True),
    Column("structure", "L, R or both", "side", text=True),
    LAGS_COLUMN,
    *LAYER_COLUMNS,
)
REGIONS = group_table(
    "gradientsregions",
    "Profiles of regions",
    "Mean score of each layer in each region.",
    *_REGION,
    Column("mean_r", "mean over participants (Fisher z)", "mean r"),
    Column("ci_low", "95 % interval over participants", "low", by=BOOTSTRAP),
    Column("ci_high", "95 % interval over participants", "high", by=BOOTSTRAP),
    Column("n", "participants", digits=0),
)
RELIABILITY = group_table(
    "gradientsreliability",
    "Reliability of the best layer",
    "How often each layer is the best of a region when participants are redrawn.",
    *_REGION,
    Column("share", "of the resamples in which the layer is best", digits=2),
    Column("centroid_low", "95 % jackknife interval of the centroid", by=of.SHARE),
    Column("centroid_high", "95 % jackknife interval of the centroid", by=of.SHARE),
)
LOADINGS = group_table(
    "gradientspca",
    "Components over layers",
    "Loadings of the components of mean scores (layers by units).",
    LAGS_COLUMN,
    Column("component", "number from 1", digits=0),
    *LAYER_COLUMNS,
    Column("loading", "of the layer"),
    Column("explained", "share of the variance", digits=2),
)
DISPLACEMENT = group_parcels(RECIPE, " (positive lags)")
BEYOND = group_table(
    "gradientsgroupbeyond",
    "Beyond acoustics, over participants",
    "What each layer predicts in each parcel beyond acoustics, mean over participants, among "
    "scores of layers displaced alike in all of them (positive lags).",
    *of.BEYOND_COLUMNS,
    Column("n", "participants", digits=0),
)
SIGNIFICANT = group_significant(RECIPE, " (positive lags)")
CLAIMS = group_table(
    "gradientsclaims",
    "Layers along the reference",
    "Whether layers align with a reference map, and whether the preference for layers "
    "changes along it beyond amplitude, against music displaced alike in all participants.",
    Column("reference", "name of the reference map", text=True),
    Column("question", "alignment or preference", text=True),
    Column("statistic", "slope of the layer contrast along the ranks of the reference"),
    Column("null_median", "of the statistic over displacements", "median of the null"),
    Column("p", "two-sided about the median", by=of.DISPLACED_ALONG),
    Column("n_copies", "displacements", "displacements", 0),
    Column("n_parcels", "parcels with a score and a reference value", "parcels", 0),
)
PREFERENCE = group_maps(
    desc="gradientspreference",
    title="Preference for deeper layers",
    says="Layer contrast of each parcel's scores beyond the common profile, in standard "
    "deviations of displaced music: above zero, deeper layers do better than the common profile "
    "says (positive lags).",
    stat="contrast",
    scale=Scale("contrast", colours="signed", least=1.0),
    names=("preference",),
)
RATINGS = group_ratings(RECIPE, lags=True)
ISC = group_table(
    "gradientsisc",
    "Inter-subject correlation",
    "Correlation of each participant with the mean of the others, parcel by parcel: a lower "
    "bound of what a perfect model of the sounds reaches.",
    PARCEL_COLUMN,
    *PLACE_COLUMNS,
    Column("isc", "mean over participants (Fisher z)", "ISC"),
    Column("n", "participants", digits=0),
    Column("ceiling", "expected correlation of a perfect model (Spearman-Brown)"),
    by_network=False,
)
SPINS = group_table(
    "gradientsspin",
    "Spin tests",
    "Correlation of layer maps with reference maps, against rotations.",
    Column("lags", "positive, or negative: a control that is not tested", text=True),
    Column("map", "best or centroid layer", text=True),
    Column("reference", "name of the reference map", text=True),
    Column("statistic", "spearman or pearson", text=True),
    Column("hemisphere", "both, L or R", text=True),
    Column("direction", "what was rotated", text=True),
    Column("r", "correlation"),
    Column("p", "two-sided, (b + 1) / (m + 1)", by=of.SPIN),
    Column("p_low", "95 % Monte Carlo interval of p", by=of.MONTE_CARLO),
    Column("p_high", "95 % Monte Carlo interval of p", by=of.MONTE_CARLO),
    Column("p_max", "against the largest |r| over best and centroid", "p (FWE)", by=of.SPIN),
    Column("n_rotations", "rotations that count", "rotations", 0),
    Column("n_units", "vertices at which both maps are defined", "vertices", 0),
    Column("overlap_min", "smallest share of the map left by a rotation", digits=2),
    Column("overlap_median", "median share of the map left by a rotation", digits=2),
)
SPIN_NULL = group_table(
    "gradientsspinnull",
    "Rotations",
    "Correlations after each rotation of the reference.",
    Column("rotation", "number of the rotation", digits=0),
    further="correlation of this layer map (lags, kind) with this reference",
)
ANNOTATIONS = group_table(
    "gradientsannotations",
    "Annotation profile",
    "Correlation of layer maps (positive lags) and of the map of preference with published "
    "maps of the cortex, against rotations of these.",
    Column("map", "best or centroid layer, or preference for deeper layers", text=True),
    Column("annotation", "name of the published map", text=True),
    Column("r", "correlation"),
    Column("p", "two-sided, (b + 1) / (m + 1)", by=of.ANNOTATION),
    Column("p_low", "95 % Monte Carlo interval of p", by=of.MONTE_CARLO),
    Column("p_high", "95 % Monte Carlo interval of p", by=of.MONTE_CARLO),
    Column("p_max", "against the largest |r| over the annotations", "p (FWE)", by=of.ANNOTATION),
    Column("r_significant", "size of r above which p_max is significant", digits=2),
    Column("n_rotations", "rotations that count", "rotations", 0),
    Column("n_units", "vertices at which both maps are defined", "vertices", 0),
    Column("overlap_min", "smallest share of the map left by a rotation", digits=2),
    Column("overlap_median", "median share of the map left by a rotation", digits=2),
)
SECOND = group_table(
    "gradientssecondnull",
    "Second null",
    "Correlation of layer maps with reference maps over parcels, against surrogates of the "
    "references by a null of neuromaps.",
    LAGS_COLUMN,
    Column("map", "best or centroid layer", text=True),
    Column("reference", "name of the reference map", text=True),
    Column("null", "vasa, hungarian, burt2020 or moran", text=True),
    Column("statistic", "spearman or pearson", text=True),
    Column("r", "correlation over parcels"),
    Column("p", "two-sided, (b + 1) / (m + 1)", by=of.SECOND_NULL),
    Column(
        "p_max", "against the largest |r| over the network's maps", "p (FWE)", by=of.SECOND_NULL
    ),
    Column("n_draws", "surrogates", "surrogates", 0),
    Column("n_parcels", "parcels in which all maps have a value", "parcels", 0),
)
ALIGNMENTS = group_table(
    "gradientsparticipantalignment",
    "Alignment of participants",
    "Correlation of each participant's layer maps with reference maps.",
    LAGS_COLUMN,
    Column("participant", "label", text=True),
    Column("map", "best or centroid layer", text=True),
    Column("reference", "name of the reference map", text=True),
    Column("r", "correlation"),
    Column("z", "Fisher z"),
)
ALIGNMENT_TEST = group_table(
    "gradientsparticipanttest",
    "Alignment over participants",
    "Test of these correlations over participants by sign flips.",
    Column("lags", "positive, or negative: a control that is not tested", text=True),
    Column("map", "best or centroid layer", text=True),
    Column("reference", "name of the reference map", text=True),
    Column("n", "participants", digits=0),
    Column("mean_z", "mean Fisher z", "mean z"),
    Column("z_low", "95 % interval of the mean Fisher z", by=BOOTSTRAP),
    Column("z_high", "95 % interval of the mean Fisher z", by=BOOTSTRAP),
    Column("t", "one-sample t", digits=2),
    Column("d", "Cohen's d", digits=2),
    Column("d_low", "95 % interval of d", digits=2, by=of.EFFECT),
    Column("d_high", "95 % interval of d", digits=2, by=of.EFFECT),
    Column("p", "two-sided", by=of.SPIN_PEOPLE),
    Column("p_max", "corrected over best and centroid", "p (FWE)", by=of.SPIN_PEOPLE),
    Column("n_flips", "sign flips", "flips", 0),
    Column("exact", "whether all sign flips were used", text=True),
)
SUMMARY = summary(RECIPE, "group")

RESULTS = declared_in(globals())
