"""Everything that `reconstruct` writes, at both levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bidsapp.recipes.base.score_results import alignment, quality
from bidsapp.recipes.reconstruct.encoding import results as encoding
from bidsapp.results.kinds import (
    P_VALUE,
    Column,
    Labels,
    Maps,
    Result,
    Scale,
    declared_in,
    group_maps,
    group_table,
    summary,
    table,
)

if TYPE_CHECKING:
    import pandas as pd

RECIPE = "reconstruct"
CLIPS_KEY, REGIONS_KEY = "clip_exchange", "clip_exchange_fwe"
CLASSES_KEY, LISTENING_KEY = "clip_exchange_classes", "listening_choices"
GAIN_KEY, GAIN_INTERVAL_KEY = "clip_exchange_gain", "clip_exchange_gain_interval"
GROUP_KEY, GROUP_REGIONS_KEY = "clip_exchange_alike", "clip_exchange_alike_fwe"
PREVALENCE_KEY = "prevalence_density"
ENSEMBLE, WHOLE, ORACLE = "ensemble of regions", "all regions together", "genre oracle"
"""Decoders, as tables name them."""
ALL, SAME_GENRE = "all clips of the fold", "same genre and fold"
"""Candidates, as tables name them."""
ABOVE_CHANCE = Scale("acc. \u2212 .5", colours="signed", least=0.05)

_METRICS = (
    Column("identification", "mean identification accuracy, chance .5", "identification"),
    Column("recall1", "share of clips whose true candidate ranks first", "recall@1"),
    Column("recall5", "share of clips whose true candidate is among five", "recall@5"),
    Column("recall10", "share of clips whose true candidate is among ten", "recall@10"),
    Column("mrr", "mean of 1 / rank", "MRR"),
    Column("median_rank", "median rank of the true candidate", "median rank", 1),
)
_WHAT = (
    Column("decoder", "what predicts", text=True),
    Column("candidates", "clips that the true one is told from", text=True),
)
DECODING = table(
    "reconstructdecoding",
    "Identification",
    "How well held-out clips are identified by their predicted embeddings.",
    *_WHAT,
    Column("n_clips", "held-out clips with several candidates", "clips", 0),
    Column("n_candidates", "mean number of candidates", "candidates", 1),
    *_METRICS,
    Column("r", "mean over dimensions of the correlation over held-out clips", "r"),
    Column("null_mean", "mean accuracy with clips exchanged", "exchanged"),
    Column("null_low", "2.5th percentile with clips exchanged", "2.5 %", by=CLIPS_KEY),
    Column("null_high", "97.5th percentile with clips exchanged", "97.5 %", by=CLIPS_KEY),
    Column("p", "one-sided, by exchange of held-out clips", "p", by=CLIPS_KEY),
    required=True,
)
MAP = Maps(
    desc="reconstructmap",
    title="Identification above chance",
    says="Identification accuracy minus .5 of the region that each voxel or vertex belongs to.",
    stat="accuracy",
    scale=ABOVE_CHANCE,
    required=True,
)
P_MAP = Maps(
    desc="reconstructmapfwe",
    title="Family-wise p of regions",
    says="p of each region by exchange of held-out clips, corrected over regions.",
    stat="p",
    scale=P_VALUE,
    by=REGIONS_KEY,
)
REGION_LABELS = Labels(
    desc="reconstructlabels",
    title="Regions",
    says="Regions that were decoded from.",
    by_network=False,
)
FOLDS = table(
    "reconstructfolds",
    "Clips and folds",
    "Which clips were decoded, and in which fold each is held out.",
    Column("clip", "name", text=True),
    Column("piece", "sound", text=True),
    Column("start_s", "where it begins in the sound", "from", 1, "s"),
    Column("genre", "of the sound", text=True),
    Column("fold", "fold that holds it out, from 1; 0 for none", "fold", 0),
    Column("n_repeats", "presentations that are averaged", "repeats", 0),
    by_network=False,
    required=True,
    same=("clip", "genre", "fold"),
)
CLIPS = table(
    "reconstructclips",
    "Clips",
    "Identification of each held-out clip by the ensemble of regions.",
    Column("clip", "name", text=True),
    Column("genre", "of the sound", text=True),
    Column("fold", "fold that holds it out, from 1", "fold", 0),
    Column("identification", "identification accuracy", "identification"),
    Column("within_genre", "accuracy among clips of the same genre", "within genre"),
    Column("rank", "rank of the true clip among its candidates", "rank", 1),
    Column("n_candidates", "candidates, the true clip among them", "of", 0),
    Column("decoded_as", "candidate most like the prediction", "most like", text=True),
    Column("decoded_genre", "its genre", "its genre", text=True),
    Column("r", "correlation over dimensions of prediction and embedding", "r"),
    required=True,
)
REGIONS = table(
    "reconstructregions",
    "Regions",
    "Identification by each region alone, and how often the ensemble takes it.",
    Column("region", "name", text=True),
    Column("n_units", "voxels or vertices", "units", 0),
    Column("n_chosen", "folds in which the ensemble takes it", "chosen in", 0),
    Column("inner_score", "mean score in inner folds, which it is chosen by", "inner score"),
    Column("identification", "mean identification accuracy", "identification"),
    Column("p", "one-sided, uncorrected", "p", by=CLIPS_KEY),
    Column("p_fwe", "corrected over regions", "p (FWE)", by=REGIONS_KEY),
)
CURVE = table(
    "reconstructcurve",
    "Response windows",
    "Identification by the regions of the ensemble when the response window is another.",
    Column("varied", "shift or length", text=True),
    Column("shift_s", "delay of the response window", "shift", 1, "s"),
    Column("length_s", "length of the response window", "length", 1, "s"),
    Column("identification", "mean identification accuracy", "identification"),
)
ABLATION = table(
    "reconstructablation",
    "Genres that the decoder never met",
    "Identification of the held-out clips of each genre among all held-out clips of the "
    "fold, with and without the genre in training, in the choice of penalties and in "
    "standardisation; regions are those chosen with it.",
    Column("genre", "left out; all genres one by one", text=True),
    Column("n_clips", "held-out clips of the genre", "clips", 0),
    Column("identification", "mean accuracy with the genre in training", "with the genre"),
    Column("without_genre", "mean accuracy without it", "without it"),
    Column("p", "of the accuracy without it, one-sided", "p", by=CLIPS_KEY),
)
CLASSES = table(
    "reconstructclasses",
    "Agreement of classes",
    "How much the most probable classes of what is reconstructed, the training clip or the "
    "piece of the corpus most like the decoded embedding, are those of the clip that was heard.",
    Column("group", "genres, instruments or moods", text=True),
    Column("source", "what is reconstructed, and from which embedding", text=True),
    Column("agreement", "mean intersection over union of the most probable classes"),
    Column("overlap", "mean share of the most probable classes in common"),
    Column("n", "most probable classes that are compared", "top", 0),
    Column("n_clips", "held-out clips", "clips", 0),
    Column("null_mean", "mean agreement with clips exchanged", "exchanged"),
    Column("null_low", "2.5th percentile with clips exchanged", "2.5 %", by=CLASSES_KEY),
    Column("null_high", "97.5th percentile with clips exchanged", "97.5 %", by=CLASSES_KEY),
    Column("p", "of the agreement, one-sided", "p", by=CLASSES_KEY),
    Column("classes_by", "network that tells the classes", "told by", text=True),
)
SESSIONS = table(
    "reconstructsessions",
    "Sessions",
    "Identification of the held-out clips of a fold that were heard in one session, by "
    "decoders learnt from the training clips that were heard in another; regions are those of the "
    "ensemble.",
    Column("train", "session of the training clips", "trained on", text=True),
    Column("test", "session of the held-out clips", "tested on", text=True),
    Column("n_clips", "held-out clips with several candidates", "clips", 0),
    Column("identification", "mean identification accuracy, chance .5", "identification"),
    Column("p", "one-sided, by exchange of held-out clips", "p", by=CLIPS_KEY),
)
EMBEDDINGS = Result(
    desc="reconstructembeddings",
    title="Embeddings",
    says="Predicted and true embeddings of the held-out clips (n_clips, n_dimensions), in "
    "standard deviations of the training windows: ensemble, target; mean and sd by fold; clips: "
    "embedding of every clip as it is; inner_score by fold and region.",
    required=True,
)
EXAMPLES = table(
    "reconstructexamples",
    "Examples",
    "The first held-out clip of each genre, the candidates most like its prediction, and "
    "what was retrieved and generated from the prediction.",
    Column("example", "number of the example, from 1", digits=0),
    Column("kind", "heard, candidate, retrieved or generated", text=True),
    Column("place", "rank of a candidate; number of a generated sound", digits=0),
    Column("clip", "name of the clip or piece", text=True),
    Column("genre", "of the sound", text=True),
    Column("r", "correlation of the prediction with the clip's embedding", "r"),
)
SOUNDS = Result(
    desc="reconstructsounds",
    title="Sounds of the examples",
    says="MP3 excerpts of the clips of the examples (bytes), in the order of their table.",
)
SOUND_FILES = Result(
    desc="reconstructlistening",
    title="Sounds for listening tests",
    says="FLAC of the clips of the examples (originals), and of what was retrieved, drawn at "
    "random and generated (reconstructions), in a folder of sounds.",
)
RETRIEVED = table(
    "reconstructretrieved",
    "Retrieved music",
    "Windows of the corpus nearest to the embedding decoded for each held-out clip.",
    Column("clip", "name of the clip that was heard", text=True),
    Column("genre", "of the clip", text=True),
    Column("source", "decoded, oracle (the clip's own embedding) or random", text=True),
    Column("place", "1 for the nearest piece", digits=0),
    Column("piece", "file in the corpus", text=True),
    Column("start_s", "where the window begins", "from", 1, "s"),
    Column("cosine", "of the window with what it was retrieved by", "cosine"),
)
RETRIEVAL = table(
    "reconstructretrieval",
    "Retrieval",
    "How much the nearest piece of the corpus is like the clip that was heard.",
    Column("source", "decoded, oracle (the clip's own embedding) or random", text=True),
    Column("n_clips", "held-out clips", "clips", 0),
    Column("cosine", "mean cosine of the piece's embedding and the clip's own"),
    Column("identification", "mean accuracy with the piece's embedding as prediction", digits=3),
)
EXCHANGES = Result(
    desc="reconstructexchanges",
    title="Exchanges",
    says="Mean identification accuracy, observed and with clips exchanged (m, ...): ensemble, "
    "within genre, and regions.",
    required=True,
)
ALIGNMENT = alignment(RECIPE)
QUALITY = quality(RECIPE)
SUMMARY = summary(RECIPE, "participant")

_N = Column("n_participants", "participants", "participants", 0)
PARTICIPANTS = group_table(
    "reconstructparticipants",
    "Participants",
    "Identification in each participant, by the ensemble of regions unless stated.",
    Column("participant", "label", text=True),
    Column("identification", "among all clips of the fold", "identification"),
    Column("p", "by exchange of held-out clips", "p", by=CLIPS_KEY),
    Column("within_genre", "among clips of the same genre", "within genre"),
    Column("p_within_genre", "by exchange within genres", "p within genre", by=CLIPS_KEY),
    Column("whole", "by all regions together", "all regions"),
    Column("oracle", "by the genre oracle", "genre oracle"),
)
GROUP_DECODING = group_table(
    "reconstructgroupdecoding",
    "Identification over participants",
    "Mean identification accuracy over participants, clips exchanged alike in all of them.",
    *_WHAT,
    _N,
    Column("identification", "mean over participants", "identification"),
    Column("smallest", "smallest of a participant"),
    Column("largest", "largest of a participant"),
    Column("null_mean", "mean with clips exchanged", "exchanged"),
    Column("null_low", "2.5th percentile with clips exchanged", "2.5 %", by=GROUP_KEY),
    Column("null_high", "97.5th percentile with clips exchanged", "97.5 %", by=GROUP_KEY),
    Column("p", "one-sided, clips exchanged alike in all participants", "p", by=GROUP_KEY),
    Column("n_significant", "participants with a p below the level", "significant", 0),
    Column("prevalence", "most probable share of the population", "prevalence"),
    Column("prevalence_low", "lower end of the 95 % interval", "low", by=PREVALENCE_KEY),
    Column("prevalence_high", "upper end of the 95 % interval", "high", by=PREVALENCE_KEY),
)
GROUP_MAP = group_maps(
    desc="reconstructgroupmap",
    title="Mean identification above chance",
    says="Mean over participants of the identification accuracy minus .5 of each region.",
    stat="accuracy",
    scale=ABOVE_CHANCE,
)
GROUP_P_MAP = group_maps(
    desc="reconstructgroupmapfwe",
    title="Family-wise p of regions",
    says="p of the mean over participants, clips exchanged alike, corrected over regions.",
    stat="p",
    scale=P_VALUE,
    by=GROUP_REGIONS_KEY,
)
GROUP_REGIONS = group_table(
    "reconstructgroupregions",
    "Regions over participants",
    "Mean identification accuracy of each region.",
    Column("region", "name", text=True),
    _N,
    Column("n_chosen", "mean share of folds in which it is chosen", "chosen"),
    Column("identification", "mean over participants", "identification"),
    Column("p", "one-sided, uncorrected", "p", by=GROUP_KEY),
    Column("p_fwe", "corrected over regions", "p (FWE)", by=GROUP_REGIONS_KEY),
)
GROUP_CLIPS = group_table(
    "reconstructgroupclips",
    "Clips over participants",
    "Mean identification accuracy of each clip.",
    Column("clip", "name", text=True),
    Column("genre", "of the sound", text=True),
    _N,
    Column("identification", "mean over participants", "identification"),
    Column("within_genre", "mean among clips of the same genre", "within genre"),
)
ACROSS = group_table(
    "reconstructacross",
    "Decoders learnt from other participants",
    "Mean identification of each participant's clips by decoders learnt from the participant "
    "(within), from the others unit by unit (anatomical) or after rotations fitted to training "
    "clips (aligned), and from both (pooled); all with the same regions and components.",
    Column("source", "whom the decoder is learnt from", "learnt from", text=True),
    Column("candidates", "clips that the true one is told from", text=True),
    _N,
    Column("identification", "mean over participants", "identification"),
    Column("smallest", "smallest of a participant"),
    Column("largest", "largest of a participant"),
    Column("null_low", "2.5th percentile with clips exchanged", "2.5 %", by=GROUP_KEY),
    Column("null_high", "97.5th percentile with clips exchanged", "97.5 %", by=GROUP_KEY),
    Column("p", "one-sided, clips exchanged alike in all participants", "p", by=GROUP_KEY),
)
GAINS = group_table(
    "reconstructgains",
    "Gains across participants",
    "How much better one decoder identifies clips than another, mean over participants.",
    Column("gain", "the two decoders", text=True),
    Column("candidates", "clips that the true one is told from", text=True),
    Column("difference", "of identification accuracies", "difference"),
    Column("difference_low", "lower end of the 95 % interval", "low", by=GAIN_INTERVAL_KEY),
    Column("difference_high", "upper end of the 95 % interval", "high", by=GAIN_INTERVAL_KEY),
    Column("n_positive", "participants in whom it is positive", "positive in", 0),
    Column("p", "one-sided, clips exchanged alike", "p", by=GAIN_KEY),
)
LISTENING = group_table(
    "reconstructlisteningtest",
    "Listening test",
    "How often listeners chose the original that a reconstruction was made from.",
    Column("test", "key that the answers were scored with", text=True),
    Column("condition", "kind of reconstruction", text=True),
    Column("n_trials", "trials with answers", "trials", 0),
    Column("n_answers", "answers", "answers", 0),
    Column("accuracy", "share of correct answers", "correct"),
    Column("chance", "expected share of correct answers"),
    Column("p", "exact, one-sided", "p", by=LISTENING_KEY),
    by_space=False,
    by_network=False,
)
GROUP_SUMMARY = summary(RECIPE, "group")
RESULTS = (*declared_in(globals()), *encoding.RESULTS)


def row_of(rows: pd.DataFrame, decoder: str, candidates: str) -> dict[str, Any]:
    """Return one row of a table of identification; nothing where there is none.

    Parameters
    ----------
    rows
        The table.
    decoder, candidates
        What it is a row of.
    """
    chosen = rows[(rows["decoder"] == decoder) & (rows["candidates"] == candidates)]
    return {} if chosen.empty else {str(key): value for key, value in chosen.iloc[0].items()}
