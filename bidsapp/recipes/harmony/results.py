"""Everything that `harmony` writes, at both levels."""

from __future__ import annotations

from typing import Any

from bidsapp.models.harmonic.names import MATCH_COLUMNS, PITCH_CLASSES, QUADRANTS
from bidsapp.recipes.base.score_results import (
    PARCEL_COLUMN,
    PLACE_COLUMNS,
    alignment,
    folds,
    group_parcels,
    group_ratings,
    group_significant,
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
    CORRELATION,
    P_VALUE,
    Column,
    Maps,
    Result,
    Scale,
    declared_in,
    group_maps,
    group_table,
    overall_table,
    summary,
    table,
)

RECIPE = "harmony"
FLIP = "sign_flip"
HARMONY, ACOUSTICS = "harmony", "acoustics"
_DIFFERENCE = Scale("Δr", colours="signed", least=0.02)

# ------------------------------------------------------------------ participant: maps

SCORE = Maps(
    desc="harmony",
    title="Prediction",
    says="Correlation of predicted and measured BOLD inside held-out blocks, averaged over "
    "blocks, one map per layer.",
    stat="r",
    scale=CORRELATION,
    required=True,
)
SIGNIFICANT = significant(RECIPE)
UNIQUE = Maps(
    desc="harmonyunique",
    title="Unique contributions",
    says="Score of the model of harmony and acoustics together less that of acoustics alone "
    "(harmony), and less that of harmony alone (acoustics), parcel by parcel.",
    stat="r",
    scale=_DIFFERENCE,
    names=(HARMONY, ACOUSTICS),
    by_network=False,
)
PARCEL_LABELS = parcel_labels(RECIPE, required=True)

# ------------------------------------------------------------------ participant: tables

PARCELS = parcel_scores(RECIPE, lags=False)
NULL_SCORES = null_scores(RECIPE)
PROFILE = profile(RECIPE, lags=False)
RATINGS = ratings(RECIPE, lags=False)
RATINGS_NULL = ratings_null(RECIPE, lags=False)
GROUP_RATINGS = group_ratings(RECIPE, lags=False)
_MATCH_SHOWN: dict[str, dict[str, Any]] = {
    "start_s": {"title": "start", "digits": 1, "unit": "s"},
    "similarity": {"digits": 2},
    "valence_contrast": {"digits": 2},
    "arousal_contrast": {"digits": 2},
    "uncertainty": {"digits": 2, "unit": "bits"},
}
_BANDS = (
    Column("r_joint", "harmony and acoustics together", "together"),
    Column("r_harmony", "harmony alone", "harmony"),
    Column("r_acoustics", "acoustics alone", "acoustics"),
    Column("unique_harmony", "together less acoustics alone", "unique to harmony"),
    Column("unique_acoustics", "together less harmony alone", "unique to acoustics"),
    Column("share_harmony", "share of harmony in the regressors of the joint model", digits=2),
)
UNIQUE_PARCELS = table(
    "harmonyunique",
    "Unique contributions to parcels",
    "Banded ridge: scores of harmony and acoustics together and alone in each parcel.",
    PARCEL_COLUMN,
    *PLACE_COLUMNS,
    *_BANDS,
    by_network=False,
)
UNIQUE_RATINGS = overall_table(
    "harmonyuniqueratings",
    "Unique contributions to ratings",
    "Banded ridge: scores of harmony and acoustics together and alone for each rating.",
    Column("rating", "what was rated", text=True),
    Column("rater", "by whom; missing for an average", text=True),
    *_BANDS,
)
COURSES = overall_table(
    "harmonycourses",
    "Emotion and consonance over time",
    "Quadrants predicted for each moment of each sound (windows of 6 s), with consonance.",
    Column("piece", "sound file", text=True),
    Column("time_s", "middle of the window", "time", 2, "s"),
    *(Column(name, f"probability of quadrant {name}", digits=2) for name in QUADRANTS),
    Column("valence", "Q1 + Q4 - Q2 - Q3", digits=2),
    Column("arousal", "Q1 + Q2 - Q3 - Q4", digits=2),
    Column("uncertainty", "entropy of the probabilities", digits=2, unit="bits"),
    Column("brightness", "mean of the Grad-CAM map after division by its maximum"),
    Column("roughness", "after Hutchinson and Knopoff"),
    Column("harmonicity", "after Harrison and Pearce", unit="bits"),
    Column("loudness", "mean square", unit="bels"),
)
GRADCAM = overall_table(
    "harmonygradcam",
    "Grad-CAM",
    "What raises the logit of the predicted quadrant, by pitch class and moment.",
    Column("piece", "sound file", text=True),
    Column("time_s", "middle of the window", "time", 2, "s"),
    *(Column(name, f"filter of pitch class {name}") for name in PITCH_CLASSES),
)
SOUNDS = Result(
    desc="harmonysounds",
    title="Sounds",
    says="Spectrograms (dB as 0 to 255, two mel bands and 0.2 s per value) and MP3 excerpts "
    "(bytes) of the first sounds in the order of the courses, and the mel bands of the filters.",
    by_space=False,
    by_network=False,
)
AGREEMENT = overall_table(
    "harmonyagreement",
    "Agreement with ratings",
    "Correlation over time of predicted valence and arousal with continuous ratings of the "
    "same name, sound by sound.",
    Column("piece", "sound file", text=True),
    Column("rating", "valence or arousal", text=True),
    Column("rater", "by whom; missing for an average", text=True),
    Column("emotion", "what was rated: felt, perceived or not stated", text=True),
    Column("n", "moments with a rating", "moments", 0),
    Column("r", "Pearson correlation"),
)
SIMILARITY = overall_table(
    "harmonysimilarity",
    "Moments and candidates",
    "How alike the predicted emotion of each moment of a sound is to that of each other "
    "sound as a whole.",
    *tuple(
        Column(name, text, **_MATCH_SHOWN.get(name, {"text": True}))
        for name, text in MATCH_COLUMNS.items()
    ),
)
ALIGNMENT = alignment(RECIPE, required=False)
QUALITY = quality(RECIPE)
PEAK = peak_courses(RECIPE)
FOLDS = folds(RECIPE)
SUMMARY = summary(RECIPE, "participant")

# ------------------------------------------------------------------ group

MEAN = group_maps(
    desc="harmonymean",
    title="Mean prediction",
    says="Mean correlation over participants (Fisher z, back-transformed), one map per layer.",
    stat="r",
)
P_FWE = group_maps(
    desc="harmonyfwe",
    title="Family-wise p",
    says="Sign-flip p, corrected over units and layers by the largest t.",
    stat="p",
    scale=P_VALUE,
    by=FLIP,
)
UNIQUE_MEAN = group_maps(
    desc="harmonyuniquemean",
    title="Mean unique contributions",
    says="Mean over participants of what harmony and acoustics add to each other.",
    stat="r",
    scale=_DIFFERENCE,
    names=(HARMONY, ACOUSTICS),
    by_network=False,
)
UNIQUE_P = group_maps(
    desc="harmonyuniquefwe",
    title="Family-wise p of unique contributions",
    says="Sign-flip p, corrected over units and both contributions by the largest t.",
    stat="p",
    scale=P_VALUE,
    names=(HARMONY, ACOUSTICS),
    by_network=False,
    by=FLIP,
)
GROUP_PROFILE = group_table(
    "harmonygroupprofile",
    "Layers over participants",
    "Scores over participants and units, layer by layer.",
    Column("layer", "name of the layer", text=True),
    Column("layer_index", "number of the layer from 1", "layer", 0),
    Column("mean_r", "mean over participants and units", "mean r"),
    Column("max_r", "largest mean over participants", "largest r"),
    Column("n_significant", "significant voxels or vertices, family-wise", "significant", 0),
)
DISPLACEMENT = group_parcels(RECIPE)
GROUP_SIGNIFICANT = group_significant(RECIPE)
PARTICIPANTS = group_table(
    "harmonyparticipants",
    "Participants",
    "Mean score of each participant.",
    Column("participant", "label", text=True),
    Column("mean_r", "over layers and units of the first network", "mean r"),
    Column("unique_harmony", "mean over units", "unique to harmony"),
    by_network=False,
)

GROUP_SUMMARY = summary(RECIPE, "group")
RESULTS = declared_in(globals())
