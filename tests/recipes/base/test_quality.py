"""Loudness on the volumes of a run, from envelopes and presentations."""

from __future__ import annotations

import numpy as np

from bidsapp.bids.records import Presentation
from bidsapp.recipes.base.quality import loudness
from tests.runs import on_surface

RUN = on_surface(tr_s=2.0, n_trs=10, start_time_s=1.0)


def test_loudness_is_that_of_the_moment_that_is_heard() -> None:
    ramp = np.arange(200) / 10.0  # the envelope of a sound of 20 s is its time
    played = Presentation("sub-01_task-music", 4.0, 6.0, "a.wav", None, stim_start_s=2.0)
    other = Presentation("sub-01_task-other", 12.0, 6.0, "a.wav", None)
    heard = loudness(RUN, [played, other], {"a.wav": ramp})
    times = 1.0 + 2.0 * np.arange(10)
    inside = (times >= 4) & (times < 10)
    np.testing.assert_allclose(heard[inside], times[inside] - 4.0 + 2.0)
    assert np.isnan(heard[~inside]).all()


def test_a_sound_that_ended_is_not_heard() -> None:
    played = Presentation("sub-01_task-music", 0.0, 20.0, "a.wav", None)
    heard = loudness(RUN, [played], {"a.wav": np.ones(50)})
    assert np.isfinite(heard).sum() == 2
