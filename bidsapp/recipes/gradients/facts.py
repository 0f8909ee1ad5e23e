"""Labels of the recipe's files, and where it cannot follow the poster to the letter."""

from __future__ import annotations

DESCRIPTIONS = {
    "positive": "Lags after the sound (4, 5, 6 s by default).",
    "negative": "Lags before the sound (-6, -5, -4 s by default): the negative control.",
    "positivepieces": "As desc-positive, one map per layer and piece.",
    "negativepieces": "As desc-negative, one map per layer and piece.",
    "bestlayerpositive": "Layer with the largest positive score at positive lags.",
    "bestlayernegative": "Layer with the largest positive score at negative lags.",
    "significant": "Units in parcels that pass the refitted temporal null (positive lags).",
    "parcels": "Parcels of the subject-level test, and their scores.",
    "parcelcourses": "Cleaned BOLD of each parcel on the clock of the sounds.",
    "parcelsummary": "Best and centroid layer of each parcel.",
    "pieces": "Scores inside each held-out piece.",
    "null": "Largest scores under circular shifts.",
    "profile": "Scores over all units, layer by layer.",
    "ratings": "Prediction of continuous ratings.",
    "alignment": "Which sound meets which volumes.",
    "folds": "Blocks and folds of the cross-validation.",
    "waveform": "Envelope of each sound.",
    "summary": "Settings, counts and warnings of one analysis.",
}

REMARKS = (
    {
        "option": "layer table",
        "paper": "24 rows; the type row repeats Conv-ReLU-MaxPool five times, and the dimension "
        "row lists 98304 and 49152 once too rarely and 128 five times",
        "used": "24 layers of VGGish: 1 input, 6 convolutions, 9 ReLU, 4 pools, 3 fully "
        "connected, 1 output",
        "variant": "both",
        "source": "Table 1",
        "why": "the network has two convolutions before the third and the fourth pool",
    },
    {
        "option": "software",
        "paper": "MATLAB Audio Toolbox (inferred from its layer names)",
        "used": "own implementation of the same network, resampled by soxr",
        "variant": "both",
        "source": "Table 1",
        "why": "log-mel frames agree but for the resampler's roll-off in the top bands",
    },
    {
        "option": "output layer",
        "paper": "layer 24, Output",
        "used": "a copy of layer 23, or its published principal components when "
        "vggish_pca_params-970ea276.pth lies beside the weights",
        "variant": "both",
        "source": "Table 1",
        "why": "a regression output adds nothing to the layer before it",
    },
    {
        "option": "confounds",
        "paper": "not stated",
        "used": "--confounds, --high-pass-hz",
        "variant": "both",
        "source": "-",
        "why": "stated in the methods text of each report",
    },
)
"""Rows of ``logs/fidelity.tsv`` that are no settings."""
