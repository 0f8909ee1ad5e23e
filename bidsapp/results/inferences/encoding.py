"""Inferences about encoding models of one participant."""

from __future__ import annotations

from functools import partial

from bidsapp.results.inferences.base import Inference

_CLIPS = "bidsapp.results.calibrations.clip_encoding"
_exchange = partial(
    Inference,
    draws="exchanges of the held-out clips of a fold, the same for all units and models",
    cites=("nichols2002", "phipson2010"),
)

ENTRIES = (
    Inference(
        key="circular_shift",
        title="Circular shifts of the music",
        draws="circular shifts of the music within blocks, all models refitted",
        method="The null distribution came from {n_draws} circular shifts of the music within "
        "blocks; for each of them all models were fitted and scored again. "
        "p = (b + 1) / (m + 1); family-wise p-values use the maximum over layers and parcels.",
        shows="A small p says that the features predict the responses of this participant better "
        "than the same features do when they are displaced in time.",
        does_not_show="It does not say that one layer predicts better than another, nor that "
        "other participants respond alike.",
        cites=("nichols2002", "phipson2010"),
    ),
    Inference(
        key="circular_shift_fdr",
        title="False discovery rate within a participant",
        draws="circular shifts of the music within blocks, all models refitted",
        method="False discovery rates (Benjamini-Hochberg) come from the uncorrected p-values of "
        "{n_draws} circular shifts: over layers and parcels for single layers, and over parcels "
        "for the best layer of each parcel.",
        shows="q below a level says that of all that pass in its table, at most this share is "
        "expected to be false.",
        does_not_show="It says nothing about a single parcel.",
        cites=("benjamini1995",),
    ),
    _exchange(
        key="encoding_exchange",
        title="Exchange of responses to held-out clips",
        method="Responses to held-out clips were correlated with those that encoding models "
        "predicted, and with the responses exchanged between the clips of a fold ({n_draws} "
        "exchanges, the same in all units and models), the models left as they were. Exchanges "
        "keep most clips that were heard one after the other together. As folds "
        "train on each other's clips, exchanged correlations were moved away from 0 by the square "
        "root of 2 where there are several folds. p = (b + 1) / (m + 1), one-sided; regions are "
        "tested by the mean over their units.",
        shows="A small p says that the embedding predicts responses to clips that the model was "
        "not fitted to.",
        does_not_show="It does not say that this embedding predicts them better than another, nor "
        "that other participants respond alike.",
        calibrate=f"{_CLIPS}:encoding_exchange",
    ),
    _exchange(
        key="encoding_exchange_fwe",
        title="Exchange of responses to held-out clips: maps",
        method="Maps were corrected by the largest effect over units under the same {n_draws} "
        "exchanges, an effect being a score in root mean squares of its exchanged values.",
        shows="A small family-wise p of a unit says that the embedding predicts its responses to "
        "clips that the model was not fitted to.",
        does_not_show="It does not say that a unit differs from others.",
        calibrate=f"{_CLIPS}:encoding_exchange_fwe",
    ),
    Inference(
        key="encoding_exchange_fdr",
        title="False discovery rate of maps of encoding",
        draws="exchanges of the held-out clips of a fold, the same for all units and models",
        method="False discovery rates (Benjamini-Hochberg) over units come from the uncorrected "
        "p-values of {n_draws} exchanges, which are at least 1 / ({n_draws} + 1).",
        shows="q below a level says that of all units that pass, at most this share is expected "
        "to be false.",
        does_not_show="It says nothing about a single unit, and units beyond the reach of the "
        "smallest p cannot pass alone.",
        cites=("benjamini1995",),
        calibrate=f"{_CLIPS}:encoding_exchange_fdr",
    ),
    _exchange(
        key="encoding_exchange_gain",
        title="Exchange of responses to held-out clips: difference of two models",
        method="Differences of the correlations of two models were compared with their values "
        "under the same {n_draws} exchanges (one-sided).",
        shows="A small p says that one model predicts responses to held-out clips better than the "
        "other; for all embeddings against all but one, that this one adds something.",
        does_not_show="It does not say why: embeddings differ in dimensions, and in what of the "
        "music they leave out.",
        calibrate=f"{_CLIPS}:encoding_exchange_gain",
    ),
    _exchange(
        key="encoding_exchange_gain_fwe",
        title="Exchange of responses to held-out clips: maps of differences",
        method="Maps of differences were corrected by the largest effect over units.",
        shows="A small family-wise p of a unit says that one model predicts its responses better "
        "than the other.",
        does_not_show="It does not say that a unit differs from others.",
        calibrate=f"{_CLIPS}:encoding_exchange_gain_fwe",
    ),
    _exchange(
        key="encoding_exchange_alike",
        title="Exchange of responses to held-out clips, alike in all participants",
        draws="exchanges of the held-out clips of a fold, the same in all participants",
        method="Over participants, mean correlations of regions, and differences of two models, "
        "were compared with their values under {n_draws} exchanges that were the same in all "
        "participants.",
        shows="A small p says that in the mean of these listeners a model predicts responses to "
        "held-out clips, or predicts them better than another; it does not need independent "
        "participants.",
        does_not_show="It does not say that other listeners would show it.",
        calibrate=f"{_CLIPS}:encoding_exchange_alike",
    ),
    _exchange(
        key="encoding_exchange_alike_fwe",
        title="Exchange of responses to held-out clips, alike in all participants: regions",
        draws="exchanges of the held-out clips of a fold, alike in all participants and regions",
        method="Regions were corrected by the largest mean over regions under the same {n_draws} "
        "exchanges.",
        shows="A small family-wise p of a region says that in the mean of these listeners the "
        "model predicts its responses to held-out clips.",
        does_not_show="It does not say that a region differs from others.",
        calibrate=f"{_CLIPS}:encoding_exchange_alike_fwe",
    ),
)
