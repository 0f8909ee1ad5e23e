"""Inferences over participants, whatever the analysis."""

from __future__ import annotations

from bidsapp.results.inferences.base import Inference

ENTRIES = (
    Inference(
        key="sign_flip",
        title="Sign flips of participants",
        draws="sign flips of participants",
        method="Over participants, scores (Fisher z) were tested against zero by {n_draws} sign "
        "flips of whole participants; p = (b + 1) / (m + 1), family-wise by the maximum of t.",
        shows="A small p says that the scores are above zero on average over participants, if "
        "participants err independently.",
        does_not_show="Responses that all participants share and no model knows can make it "
        "small: it speaks of consistency over these listeners.",
        cites=("nichols2002", "phipson2010"),
        calibrate="bidsapp.results.calibrations.participants:sign_flip",
    ),
    Inference(
        key="bootstrap",
        title="Bootstrap over participants",
        draws="participants drawn with replacement",
        method="Intervals of means over participants are studentised, from {n_draws} samples of "
        "participants drawn with replacement.",
        shows="The interval shows how far the mean moves with the choice of participants.",
        does_not_show="None is given for fewer than five participants.",
        cites=("efron1987",),
        gives="interval",
        calibrate="bidsapp.results.calibrations.participants:bootstrap",
    ),
)
