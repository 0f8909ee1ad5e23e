"""Inferences of the identification of held-out clips."""

from __future__ import annotations

from functools import partial

from bidsapp.results.inferences.base import Inference

_exchange = partial(Inference, cites=("nichols2002", "phipson2010"))

ENTRIES = (
    _exchange(
        key="clip_exchange",
        title="Exchange of held-out clips",
        draws="exchanges of the held-out clips of a fold",
        method="Chance is the identification accuracy with the embeddings of the held-out clips "
        "of each fold exchanged between them ({n_draws} exchanges; within genres for "
        "identification within genres), the decoder left as it was. Exchanges move clips on in "
        "the order in which they were heard, and shuffle and reverse parts of up to five of them, "
        "so that most neighbours stay together. As folds train on each "
        "other's clips, which at most doubles the variance of their mean, exchanged scores were "
        "moved away from .5 by the square root of 2 where there are several folds; their 2.5th "
        "and 97.5th percentiles are given. p = (b + 1) / (m + 1), one-sided.",
        shows="A small p says that held-out clips are told apart better than if the decoder knew "
        "nothing of them; within genres, that more than the genre is decoded. Clips are drawn, "
        "so that it holds for music like theirs.",
        does_not_show="It speaks of this person. It does not say what is decoded: whatever "
        "differs between clips and is in the embedding, such as loudness or tempo, will do.",
    ),
    _exchange(
        key="clip_exchange_fwe",
        title="Exchange of held-out clips: regions",
        draws="exchanges of the held-out clips of a fold, the same for all regions",
        method="For regions, the same {n_draws} exchanges were scored in all regions, and p is "
        "family-wise by the largest accuracy over regions.",
        shows="A small family-wise p of a region says that its responses alone tell clips apart.",
        does_not_show="It does not say that a region differs from others, and nothing about "
        "single voxels or vertices of it.",
    ),
    _exchange(
        key="clip_exchange_classes",
        title="Exchange of held-out clips: classes",
        draws="exchanges of the held-out clips of a fold",
        method="Chance agreement of classes is that with the classes of the held-out clips of "
        "each fold exchanged between them ({n_draws} exchanges), what was reconstructed left as "
        "it was; exchanged means were moved away from their mean by the square root of 2 where "
        "there are several folds.",
        shows="A small p says that what is reconstructed has more of the most probable classes of "
        "the clip that was heard than of other clips.",
        does_not_show="It does not say that listeners would hear these classes: a network tells "
        "them, of both sounds.",
    ),
    _exchange(
        key="clip_exchange_alike",
        title="Exchange of held-out clips, alike in all participants",
        draws="exchanges of the held-out clips of a fold, the same in all participants",
        method="Over participants, the mean identification accuracy was compared with its values "
        "under {n_draws} exchanges of clips that were the same in all participants.",
        shows="A small p says that the mean accuracy of these listeners is larger than if the "
        "decoders knew nothing of the held-out clips; it does not need independent participants.",
        does_not_show="It does not say that other listeners would show it, nor how many of these "
        "do (see prevalence).",
    ),
    _exchange(
        key="clip_exchange_alike_fwe",
        title="Exchange of held-out clips, alike in all participants: regions",
        draws="exchanges of the held-out clips of a fold, alike in all participants and regions",
        method="Regions were corrected by the largest mean accuracy over regions under the same "
        "{n_draws} exchanges.",
        shows="A small family-wise p of a region says that in the mean of these listeners its "
        "responses alone tell clips apart.",
        does_not_show="It does not say that a region differs from others.",
    ),
    _exchange(
        key="clip_exchange_gain",
        title="Exchange of held-out clips: gain of a decoder over another",
        draws="exchanges of the held-out clips of a fold, alike in participants and decoders",
        method="The gain of a decoder over another, averaged over participants, was compared with "
        "its values under {n_draws} exchanges of clips that were the same in all participants and "
        "in both decoders (one-sided).",
        shows="A small p says that one decoder tells held-out clips apart better than the other "
        "in the mean of these participants.",
        does_not_show="It does not say why: rotations that are learnt from the same music may "
        "also gather what differs between participants in other ways than in place.",
    ),
    _exchange(
        key="clip_exchange_gain_interval",
        title="Interval of the gain of a decoder over another",
        draws="exchanges of the held-out clips of a fold, alike in participants and decoders",
        method="The 95 % interval of a gain holds the values that the exchanges, moved by them, "
        "do not reject.",
        shows="The interval says how large a gain is compatible with these participants and "
        "clips like these.",
        does_not_show="It does not cover the gain in other participants.",
        gives="interval",
    ),
    Inference(
        key="listening_choices",
        title="Forced choices of listeners",
        draws="nothing: the exact distribution over which option of each trial is the correct one",
        method="Listeners chose the original that a reconstruction belongs to. The number of "
        "correct answers was compared with its exact distribution when each option of a trial is "
        "equally likely to be the correct one; all answers to one trial are one draw. With one "
        "listener this is the exact binomial test, one-sided.",
        shows="A small p says that listeners recognise which of these originals these "
        "reconstructions were made from.",
        does_not_show="It speaks of these clips and options, not of other music; a genre that is "
        "recognised is enough, unless all options of a trial are of one genre. It does not say "
        "that other listeners would do as well.",
    ),
)
