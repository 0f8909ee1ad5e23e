"""Identification accuracy against the delay and the length of the response window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.decode import Decoded, Judge, Regions
from bidsapp.recipes.reconstruct.refits import predict_other_responses
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.recipes.reconstruct.windows import read_responses, response_weights, response_window

Window = tuple[float, float]
"""Delay and length in seconds."""


def curve_rows(
    study: ParticipantStudy,
    clips: Clips,
    regions: Regions,
    decoded: Sequence[Decoded],
    judges: Sequence[Judge],
) -> list[list[dict[str, Any]]]:
    """Return the identification accuracy of other response windows.

    Regions are those that the ensemble took in the same folds; penalties are chosen again. The
    window of the analysis itself has the accuracy of the ensemble.

    Parameters
    ----------
    study
        The participant.
    clips, regions
        Clips; what is decoded from.
    decoded, judges
        Of each embedding.

    Returns
    -------
    list of list of dict
        For each embedding, one row per window.
    """
    settings: ReconstructSettings = study.settings
    usual = settings.shift_s, settings.embedding_window_s
    varied = list(wanted_windows(settings))
    weights = {
        own: response_weights(clips, study.inputs.runs, **response_window(settings, *own))
        for own in dict.fromkeys(window for _, window in varied)
        if own != usual
    }
    scanned = {own: w for own, w in weights.items() if np.diff(w.indptr).min() > 0}
    data = study.bold.data  # mapped once: each further mapping counts as memory again
    predicted = predict_other_responses(
        [partial(read_responses, w, data) for w in scanned.values()],
        regions,
        [judge.rows for judge in judges],
        [own.chosen for own in decoded],
        settings,
        label=f"{study.label}: response windows",
        quiet=study.config.quiet,
    )
    accuracy = [
        {usual: float(judge.identify(own.ensemble).mean)}
        for judge, own in zip(judges, decoded, strict=True)
    ]
    for window, of_spaces in zip(scanned, predicted, strict=True):
        for known, judge, values in zip(accuracy, judges, of_spaces, strict=True):
            known[window] = float(judge.identify(values).mean)
    return [
        [
            {
                "varied": name,
                "shift_s": window[0],
                "length_s": window[1],
                "identification": known.get(window, np.nan),
            }
            for name, window in varied
        ]
        for known in accuracy
    ]


def wanted_windows(settings: ReconstructSettings) -> Iterator[tuple[str, Window]]:
    """Yield what is varied, and the window, in the order of the table."""
    for shift_s in settings.curve_shifts_s:
        yield "shift", (shift_s, settings.embedding_window_s)
    for length_s in settings.curve_lengths_s:
        yield "length", (settings.shift_s, length_s)
