"""What the encoding models write, at both levels."""

from __future__ import annotations

from functools import partial

from bidsapp.results.kinds import (
    CORRELATION,
    P_VALUE,
    Column,
    Maps,
    Result,
    Scale,
    declared_in,
    table,
)

KEY, FWE_KEY, FDR_KEY = "encoding_exchange", "encoding_exchange_fwe", "encoding_exchange_fdr"
GAIN_KEY, GAIN_FWE_KEY = "encoding_exchange_gain", "encoding_exchange_gain_fwe"
GROUP_KEY, GROUP_FWE_KEY = "encoding_exchange_alike", "encoding_exchange_alike_fwe"
KEYS = (KEY, FWE_KEY, FDR_KEY, GAIN_KEY, GAIN_FWE_KEY, GROUP_KEY, GROUP_FWE_KEY)
JOINT, GENRE = "all embeddings", "genre"
"""Models, beside those of one embedding, which have the name of its network."""
MOST_BANDS = 3
"""Variance is divided among the embeddings of as many networks, the first ones."""
N_COMPONENTS = 3
"""Principal components of the weights, as in the paper."""
_DIFFERENCE = Scale("Δr", colours="signed", least=0.02)
_VARIANCE = Scale("r²", colours="signed", least=0.01)

_maps = partial(Maps, by_network=False)
_table = partial(table, by_network=False)
_arrays = partial(Result, by_network=False)
_group_maps = partial(_maps, level="group")
_group_table = partial(_table, level="group")

MODELS = _maps(
    desc="reconstructencoding",
    title="Encoding",
    says="Correlation, over held-out clips of a fold and averaged over folds, of measured "
    "responses with those predicted by each model: of each embedding, of all embeddings together "
    "(banded ridge) and of the genre.",
    stat="r",
    scale=CORRELATION,
)
MODELS_P = _maps(
    desc="reconstructencodingfwe",
    title="Family-wise p of encoding",
    says="p of each model by exchange of held-out clips, corrected over voxels or vertices.",
    stat="p",
    scale=P_VALUE,
    by=FWE_KEY,
)
MODELS_Q = _maps(
    desc="reconstructencodingfdr",
    title="False discovery rate of encoding",
    says="False discovery rate of each model over voxels or vertices, by exchange of held-out "
    "clips.",
    stat="q",
    scale=P_VALUE,
    by=FDR_KEY,
)
DIFFERENCES = _maps(
    desc="reconstructencodinggain",
    title="Differences of models",
    says="Correlation with the responses to held-out clips of one model minus that of another; "
    "for an embedding beyond the others, of all embeddings minus all but this one.",
    stat="difference",
    scale=_DIFFERENCE,
)
DIFFERENCES_P = _maps(
    desc="reconstructencodinggainfwe",
    title="Family-wise p of differences",
    says="p of each difference by exchange of held-out clips, corrected over voxels or vertices.",
    stat="p",
    scale=P_VALUE,
    by=GAIN_FWE_KEY,
)
VARIANCE = _maps(
    desc="reconstructvariance",
    title="Unique and shared variance",
    says="Explained variance (r times its size) of the model of all embeddings, what only one "
    "embedding explains, and what they share; the parts add up to the total.",
    stat="variance",
    scale=_VARIANCE,
)
PENALTIES = _maps(
    desc="reconstructpenalties",
    title="Penalties of the embeddings",
    says="log10 of the penalty of each embedding in the model of all embeddings, mean over the "
    "folds that use it; missing where none does.",
    stat="penalty",
    scale=Scale("log10 penalty", colours="sequential"),
)
COMPONENTS = _maps(
    desc="reconstructcomponents",
    title="Principal components of the weights",
    says="Weights of the first embedding's model, in responses per standard deviation of each "
    "dimension, projected on their principal components; voxels or vertices that the model "
    "predicts best.",
    stat="component",
    scale=Scale("weight", colours="signed"),
)
_SCORE = Column("score", "model, or difference of two", text=True)
SCORES = _table(
    "reconstructencodingscores",
    "Encoding models",
    "How well each model predicts responses to held-out clips, and differences of models, "
    "over all voxels or vertices of the regions.",
    _SCORE,
    Column("kind", "model or difference", text=True),
    Column("n_units", "voxels or vertices", "units", 0),
    Column("mean", "mean over them"),
    Column("largest", "largest of them"),
    Column("n_fwe", "with a family-wise p below the level", "FWE significant", 0),
    Column("n_fdr", "with a false discovery rate below the level", "FDR significant", 0),
)
REGION_SCORES = _table(
    "reconstructencodingregions",
    "Encoding by region",
    "Mean over the voxels or vertices of each region of each model's correlation, and of "
    "differences.",
    Column("region", "name", text=True),
    _SCORE,
    Column("kind", "model or difference", text=True),
    Column("mean", "mean over its voxels or vertices"),
    Column("p", "of a model, one-sided, uncorrected", "p", by=KEY),
    Column("p_difference", "of a difference, one-sided", "p difference", by=GAIN_KEY),
)
EXCHANGES = _arrays(
    desc="reconstructencodingexchanges",
    title="Exchanges of encoding models",
    says="Mean scores of regions, observed (n_scores, n_regions) and with clips exchanged "
    "(m, n_scores, n_regions), in the order of the table of encoding models.",
)
WEIGHTS = _arrays(
    desc="reconstructweights",
    title="Weights of the first embedding",
    says="weights (n_units, n_dimensions) of the first embedding's model at the voxels or "
    "vertices that it predicts best, in responses per standard deviation of a dimension; clips: "
    "embeddings (n_clips, n_dimensions) in standard deviations.",
)
_SHARE = Column("share", "of the variance of the weights", "share of variance")
_COMPONENT = Column("component", "its number", digits=0)
WEIGHT_COMPONENTS = _table(
    "reconstructweightcomponents",
    "Principal components of the weights",
    "Share of the variance of the weights of the voxels or vertices that the first "
    "embedding predicts best.",
    _COMPONENT,
    _SHARE,
)
_MUSIC = (
    Column("clip", "name", text=True),
    Column("genre", "of the sound", text=True),
    *(Column(f"pc{k}", f"place on component {k}", f"PC{k}", 2) for k in range(1, 4)),
)
MUSIC = _table(
    "reconstructmusic",
    "Clips on the components of the weights",
    "Embedding of each clip, in standard deviations, projected on the components.",
    *_MUSIC,
)
GROUP_MODELS = _group_maps(
    desc="reconstructgroupencoding",
    title="Mean encoding",
    says="Mean over participants of the correlation of measured and predicted responses to "
    "held-out clips, by each model.",
    stat="r",
    scale=CORRELATION,
)
GROUP_DIFFERENCES = _group_maps(
    desc="reconstructgroupencodinggain",
    title="Mean differences of models",
    says="Mean over participants of the correlation of one model minus that of another.",
    stat="difference",
    scale=_DIFFERENCE,
)
GROUP_VARIANCE = _group_maps(
    desc="reconstructgroupvariance",
    title="Mean unique and shared variance",
    says="Mean over participants of what all embeddings explain, what only one explains, and "
    "what they share.",
    stat="variance",
    scale=_VARIANCE,
)
GROUP_REGION_SCORES = _group_table(
    "reconstructgroupencodingregions",
    "Encoding by region over participants",
    "Mean over participants of the mean score of each region.",
    Column("region", "name", text=True),
    _SCORE,
    Column("kind", "model or difference", text=True),
    Column("n_participants", "participants", "participants", 0),
    Column("mean", "mean over participants"),
    Column("n_positive", "participants in whom it is positive", "positive in", 0),
    Column("p", "one-sided, clips exchanged alike in all participants", "p", by=GROUP_KEY),
    Column("p_fwe", "corrected over regions", "p (FWE)", by=GROUP_FWE_KEY),
)
GROUP_COMPONENTS = _group_table(
    "reconstructgroupcomponents",
    "Principal components of all participants' weights",
    "Components of the weights of all participants together; agreement: correlation of the "
    "places of clips by the components of one participant, rotated on those of all by half of the "
    "clips, with the mean of the others over the other half, averaged over participants and "
    "halves.",
    _COMPONENT,
    _SHARE,
    Column("agreement", "of the participants"),
)
GROUP_MUSIC = _group_table(
    "reconstructgroupmusic",
    "Clips on the components of all participants' weights",
    "Embedding of each clip, in standard deviations, projected on the components.",
    *_MUSIC,
)

RESULTS = declared_in(globals())
