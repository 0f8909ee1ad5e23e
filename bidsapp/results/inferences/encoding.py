"""Inferences about encoding models of one participant."""

from __future__ import annotations

from bidsapp.results.inferences.base import Inference

ENTRIES = (
    Inference(
        key="circular_shift",
        title="Circular shifts of the music",
        draws="circular shifts of the music within blocks, all models refitted",
        method="The null distribution came from {n_draws} circular shifts of the music within "
        "blocks; for each of them all models were fitted and scored again. "
        "p = (b + 1) / (m + 1); family-wise p-values use the maximum over layers and parcels.",
        shows="A small p says that the features predict the responses of this participant better "
        "than the same features predict responses displaced in time.",
        does_not_show="It does not say that one layer predicts better than another, nor that "
        "other participants respond alike.",
        cites=("nichols2002", "phipson2010"),
        calibrate="bidsapp.results.calibrations.encoding:circular_shift",
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
        calibrate="bidsapp.results.calibrations.encoding:circular_shift_fdr",
    ),
)
