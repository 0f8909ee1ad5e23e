"""Everything that the participant level of `gradients` writes."""

from __future__ import annotations

from functools import partial

from bidsapp.recipes.base.score_results import (
    LAGS_COLUMN,
    LAYER_COLUMNS,
    PARCEL_COLUMN,
    PLACE_COLUMNS,
    SHIFT,
    SHIFT_FDR,
    alignment,
    folds,
    null_scores,
    parcel_labels,
    parcel_scores,
    peak_courses,
    profile,
    quality,
    ratings,
    ratings_null,
    significant,
)
from bidsapp.results.kinds import (
    LAYER,
    Column,
    Labels,
    Maps,
    Result,
    Scale,
    declared_in,
    overall_table,
    summary,
    table,
)

RECIPE = "gradients"
LAGS = ("positive", "negative")
FLIP, FLIP_FDR, TFCE = "sign_flip", "sign_flip_fdr", "sign_flip_tfce"
SPIN, SPIN_PEOPLE, EFFECT = "spin", "sign_flip_alignment", "effect_size"
ANNOTATION, SECOND_NULL = "annotation_spin", "second_null"
DISPLACED_ALONG = "displacement_along"
BEYOND_ACOUSTICS = "beyond_acoustics"
MONTE_CARLO, SHARE = "monte_carlo", "bootstrap_layers"

# ------------------------------------------------------------------ participant: maps

_lag_maps = partial(Maps, labels=LAGS)
SCORE = _lag_maps(
    desc="gradients{label}lags",
    title="Prediction at {label} lags",
    says="Correlation of predicted and measured BOLD inside held-out blocks at {label} lags, "
    "averaged over blocks.",
    stat="r",
    required="positive",  # negative lags may not have been asked for
)
SCORE_PIECES = _lag_maps(
    desc="gradients{label}lagspieces",
    title="Prediction at {label} lags, by piece",
    says="Correlation of predicted and measured BOLD inside held-out blocks at {label} lags, one "
    "map per layer and piece.",
    stat="r",
)
CENTROID = _lag_maps(
    desc="gradients{label}lags",
    title="Centroid layer, {label} lags",
    says="Mean layer number weighted by positive scores at {label} lags.",
    level="both",
    stat="centroid",
    scale=LAYER,
    names=("centroid",),
)
BEST_LAYER = Labels(
    desc="gradientsbestlayer{label}lags",
    title="Best layer, {label} lags",
    says="Layer with the largest score at {label} lags; 0 where there is none.",
    labels=LAGS,
    level="both",
)
ALPHA = _lag_maps(
    desc="gradients{label}lags",
    title="Ridge penalty, {label} lags",
    says="log10 of the ridge penalty at {label} lags, averaged over outer folds.",
    stat="alpha",
    scale=Scale("log10 \u03b1", colours="sequential"),
)
SIGNIFICANT = significant(RECIPE, " (positive lags)")
CEILING = Maps(
    desc="gradients",
    title="Noise ceiling",
    says="Correlation that a perfect model is expected to reach with one repeat, from the "
    "agreement of repeated presentations; undefined where it is not above its null.",
    stat="ceiling",
    names=("ceiling",),
    by_network=False,
)
PARCEL_LABELS = parcel_labels(RECIPE, required=True)

# ------------------------------------------------------------------ participant: tables

PARCELS = parcel_scores(RECIPE, lags=True)
PARCEL_SUMMARY = table(
    "gradientsparcelsummary",
    "Best layer of parcels",
    "Best and centroid layer of each parcel, and how sure one can be that it responds.",
    LAGS_COLUMN,
    PARCEL_COLUMN,
    *PLACE_COLUMNS,
    Column("best_layer", "layer with the largest positive score", "best layer", text=True),
    Column("best_layer_index", "its number from 1", "layer", 0),
    Column("centroid", "mean layer number weighted by positive scores", digits=1),
    Column("r_max", "largest score over layers, a network's input among them", "r"),
    Column("p", "largest score against the null of the largest score", by=SHIFT),
    Column("p_fwe", "against the maximum over layers and parcels", "p (FWE)", by=SHIFT),
    Column("q", "false discovery rate of the largest score, over parcels", by=SHIFT_FDR),
)
NULL = table(
    "gradientsnull",
    "Null distribution",
    "Circular shifts: largest and mean score over layers and parcels.",
    LAGS_COLUMN,
    Column("shift", "number of the shift", digits=0),
    Column("max_r", "largest over layers and parcels"),
    Column("mean_r", "mean over layers and parcels"),
)
NULL_SCORES = null_scores(RECIPE, " at positive lags")
BEYOND_COLUMNS = (
    PARCEL_COLUMN,
    *LAYER_COLUMNS,
    *PLACE_COLUMNS,
    Column("r", "correlation inside held-out blocks, acoustics removed on both sides"),
    Column("effect", "in standard deviations of its null, above the null mean", digits=1),
    Column("p", "(b + 1) / (m + 1) over displacements of the layer", by=BEYOND_ACOUSTICS),
    Column(
        "p_fwe",
        "effect against the largest over layers and parcels",
        "p (FWE)",
        by=BEYOND_ACOUSTICS,
    ),
)
BEYOND = table(
    "gradientsbeyond",
    "Beyond acoustics",
    "What each layer predicts in each parcel when the components of the acoustic baseline "
    "have been projected out of responses and layer (positive lags).",
    *BEYOND_COLUMNS,
)
BEYOND_SCORES = Result(
    desc="gradientsbeyondscores",
    title="Scores beyond acoustics of displaced layers",
    says="Score of each layer in each parcel beyond acoustics, and under each displacement of the "
    "layer: observed (layers, parcels), null (copies, layers, parcels).",
)
BEYOND_BEST = Labels(
    desc="gradientsbeyondbestlayer",
    title="Best layer beyond acoustics",
    says="Layer that adds most to acoustics, in standard deviations of its null, among those that "
    "pass family-wise; 0 where none does.",
    level="both",
)
DELAY = table(
    "gradientsdelay",
    "Haemodynamic delay",
    "Score of each parcel with music at one single lag, in the layer that is best at all "
    "lags together.",
    PARCEL_COLUMN,
    Column("lag_s", "how long after the music the response is", "lag", 1, "s"),
    *PLACE_COLUMNS,
    LAYER_COLUMNS[0],
    Column("r", "mean correlation over blocks"),
)
PIECES = table(
    "gradientspieces",
    "Scores of pieces",
    "Score of each layer and parcel inside each held-out piece.",
    LAGS_COLUMN,
    Column("piece", "sound file, or run where a block holds several", text=True),
    LAYER_COLUMNS[0],
    PARCEL_COLUMN,
    Column("r", "mean correlation over the blocks of the piece"),
)
PROFILE = profile(RECIPE, lags=True)
RATINGS = ratings(RECIPE, lags=True)
RATINGS_NULL = ratings_null(RECIPE, lags=True)
ALIGNMENT = alignment(RECIPE, required=False)
QUALITY = quality(RECIPE)
PEAK = peak_courses(RECIPE)
FOLDS = folds(RECIPE)
WAVEFORM = overall_table(
    "gradientswaveform",
    "Waveforms",
    "Root mean square amplitude of each sound, ten values per second.",
    Column("piece", "sound file", text=True),
    Column("time_s", "middle of the window", unit="s"),
    Column("rms", "root mean square amplitude"),
)
COURSES = table(
    "gradientsparcelcourses",
    "Parcel courses",
    "Cleaned BOLD of each parcel (mean over units, standardised by run) for the volumes in "
    "which a sound was heard.",
    Column("piece", "sound file", text=True),
    Column("repeat", "1 for the first presentation of the piece", digits=0),
    Column("stim_time_s", "position in the sound", unit="s"),
    further="mean over the units of this parcel",
    by_network=False,
    required=True,
)

SUMMARY = summary(RECIPE, "participant")
RESULTS = declared_in(globals())
