"""Inference of the listening test."""

from __future__ import annotations

from bidsapp.results.inferences.base import Inference

ENTRIES = (
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
