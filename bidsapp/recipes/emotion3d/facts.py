"""Labels of the recipe's files, and where it cannot follow the poster to the letter."""

from __future__ import annotations

DESCRIPTIONS = {
    "emotion3d": "Emotion decoded from single volumes: maps of the decoders.",
    "emotion3dscores": "Scores of every split and decoder, with chance.",
    "emotion3dconfusion": "True by predicted classes.",
    "emotion3drecall": "Recall of each class with Wilson's interval.",
    "emotion3dnull": "Balanced accuracy under shifted labels.",
    "emotion3dcurves": "Learning curves of the networks.",
    "emotion3dpredictions": "Predictions of held-out volumes.",
    "emotion3dlabels": "Labelled volumes and blocks per run and class.",
    "emotion3dlags": "Scores of the linear decoder over haemodynamic shifts.",
    "emotion3drandomisation": "Likeness of attributions of trained and randomised networks.",
    "emotion3dembedding": "Hidden layer of the networks in two dimensions.",
    "emotion3dsummary": "Settings, counts and warnings of one analysis.",
    "emotion3dparticipants": "Scores of each participant, within and across participants.",
    "emotion3dprevalence": "How many people show the effect.",
    "emotion3dgroup": "Tests over participants.",
}

REMARKS = (
    {
        "option": "accuracy",
        "paper": "83 % within and 82 % across participants",
        "used": "no target: single volumes drawn at random give 79 to 97 % on pure noise",
        "variant": "both",
        "source": "poster: Inference is powerful",
        "why": "neighbouring volumes share signal and label; whole runs are held out instead",
    },
    {
        "option": "time of labels",
        "paper": "runs laid end to end, though they overlap in the time of the film",
        "used": "annotations on the clock of each run, never cumulated lengths of runs",
        "variant": "both",
        "source": "public code of the poster (lungerjo/DeepEmotion)",
        "why": "labels drift by up to 111.6 s otherwise",
    },
    {
        "option": "admiration",
        "paper": "meant to join love, by a key that does not match",
        "used": "joins love",
        "variant": "both",
        "source": "public code of the poster (lungerjo/DeepEmotion): annotations",
        "why": "what was meant",
    },
    {
        "option": "agreement of pooled classes",
        "paper": "observers counted after pooling",
        "used": "shares of observers of each emotion, thresholded before pooling and summed",
        "variant": "both",
        "source": "public code of the poster (lungerjo/DeepEmotion): annotations",
        "why": "published shares do not say which observer",
    },
    {
        "option": "raw intensity",
        "paper": "as stored",
        "used": "per cent of the mean of the participant's first run",
        "variant": "faithful",
        "source": "public code of the poster (lungerjo/DeepEmotion)",
        "why": "one factor, so that learning does not depend on the scanner's scale",
    },
    {
        "option": "test volumes of shuffled folds",
        "paper": "one part of 20 %",
        "used": "five parts of 20 %, each tested once",
        "variant": "faithful",
        "source": "public code of the poster (lungerjo/DeepEmotion)",
        "why": "every volume is tested",
    },
)
"""Rows of ``logs/fidelity.tsv`` that are no settings."""
