"""Inferences of decoders: of one participant, and over participants."""

from __future__ import annotations

from bidsapp.results.inferences.base import Inference

ENTRIES = (
    Inference(
        key="label_shift",
        title="Labels shifted in time",
        draws="circular shifts of the labels within runs, everything fitted again",
        method="The labels were shifted circularly in time within runs, which keeps how long "
        "classes last, and the whole cross-validation was fitted again: {n_draws}. Chance is what "
        "these shifts score, not one over the number of classes. p-values are one-sided, "
        "(b + 1) / (m + 1).",
        shows="A small p says that the decoder recognises the classes better than it recognises "
        "the same sequence of classes at other times of the same runs.",
        does_not_show="It does not say which brain process carries the classes: motion, loudness "
        "or anything else in time with them can make it small. It speaks of these runs and of "
        "those scanned in them.",
        cites=("valente2021", "phipson2010"),
    ),
    Inference(
        key="stretches",
        title="Interval over stretches",
        draws="nothing: Wilson's interval with the effective number of volumes",
        method="Recalls have Wilson's 95 % interval with the number of volumes divided by the "
        "design effect over contiguous stretches of one class (over participants where they are "
        "pooled), and Student's t.",
        shows="The interval covers the recognition rate over stretches like these.",
        does_not_show="It does not say whether the rate is above chance: compare scores with "
        "shifted labels. None is given for fewer than five stretches.",
        cites=("wilson1927", "korn1998"),
        gives="interval",
    ),
    Inference(
        key="label_shift_hidden",
        title="Separability of classes in the hidden layer",
        draws="circular shifts of the labels within runs",
        method="How far classes lie apart in the hidden layer is their mean silhouette over "
        "folds, compared with {n_draws} circular shifts of the labels of the held-out volumes.",
        shows="A small p says that volumes of one class lie closer together than stretches of "
        "the same lengths at other times.",
        does_not_show="The directions were found without labels, but by networks trained on the "
        "classes in other runs; clouds by themselves prove nothing.",
        cites=("rousseeuw1987",),
    ),
    Inference(
        key="sign_flip_scores",
        title="Sign flips of participants: scores above own chance",
        draws="sign flips of participants",
        method="How consistent participants are was described by {n_draws} sign flips of each "
        "participant's score minus their own chance (all of them where there are no more).",
        shows="A small p says that scores lie above the participants' own chance in most of "
        "these people, if they err independently.",
        does_not_show="Responses that all participants share and that have nothing to do with the "
        "classes can make it small; it is no evidence for decoding.",
        cites=("winkler2014", "allefeld2016"),
    ),
    Inference(
        key="label_shift_alike",
        title="Labels shifted alike in all participants",
        draws="circular shifts of the labels, the same in all participants",
        method="Mean scores over participants were compared with those under labels shifted alike "
        "in all participants, which keeps what they share; so was the difference of the network "
        "and the linear decoder, each above its own chance (two-sided).",
        shows="A small p says that the mean score is larger than with the classes at other times "
        "of the stimulus; it does not need independent participants.",
        does_not_show="It does not say how many people show the effect (see prevalence), nor "
        "that other people or other stimuli would.",
        cites=("valente2021",),
    ),
    Inference(
        key="minimum_statistic",
        title="Prevalence by the minimum statistic",
        draws="circular shifts of the labels, the same in all participants",
        method="Whether nobody shows the effect was tested by the smallest score over "
        "participants (minimum statistic) among those with labels shifted alike in all; where it "
        "passes, the share of people was bounded under combinations of the participants' nulls.",
        shows="A small p of the global null says that somebody shows the effect; a small p of "
        "the majority null says that more than half of the population does.",
        does_not_show="The bound and the majority null take participants as independent, though "
        "all had the same stimulus.",
        cites=("allefeld2016",),
        calibrate="bidsapp.results.calibrations.decoding:minimum_statistic_p",
    ),
    Inference(
        key="prevalence_density",
        title="Bayesian prevalence",
        draws="nothing: the posterior density of the share, from the number of significant people",
        method="The share of people who show the effect was inferred from the number of "
        "participants above their own chance, with its 95 % interval of highest density.",
        shows="The interval holds the share of the population that the test within participants "
        "would find, with a probability of 95 % under a uniform prior.",
        does_not_show="A participant without a significant score may still show a weak effect.",
        cites=("ince2021",),
        gives="interval",
    ),
)
