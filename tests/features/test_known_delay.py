"""A sound and its response with a known delay: the delay comes back from the times of volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bidsapp.bids.clock import Stated, start_time
from bidsapp.bids.headers import TimeAxis
from bidsapp.bids.records import Presentation
from bidsapp.features.sampling import sampling_matrix
from bidsapp.features.timeline import timeline
from tests.runs import make_run

TR_S, N_TRS, FINE_HZ = 2.0, 150, 50.0


def best_lag_s(start_s: float, response: np.ndarray, course: np.ndarray) -> float:
    """Lag (s) at which the course of the sound correlates best with the volumes."""
    run = make_run(tr_s=TR_S, n_trs=N_TRS, start_time_s=start_s)
    shown = Presentation(run.name, 7.3, 280.0, "a.wav", Path("a.wav"))
    lags = np.arange(3.0, 7.01, 0.25)
    rows = timeline([run], [shown], (0.0, *lags.tolist()))
    clock = np.arange(course.size) / FINE_HZ
    scores = []
    for lag in lags:
        heard = sampling_matrix(clock, rows.stim_time_s - lag, TR_S, reach_s=1.0) @ course
        scores.append(np.corrcoef(heard, response[rows.volume])[0, 1])
    return float(lags[int(np.argmax(scores))])


@pytest.mark.parametrize("delay_s", [4.0, 5.5])
@pytest.mark.parametrize(("corrected", "reference_s"), [(False, None), (True, 0.5), (True, 1.0)])
def test_the_delay_comes_back(delay_s: float, corrected: bool, reference_s: float | None) -> None:
    """Uncorrected volumes average their slices; corrected ones are sampled at the reference."""
    rng = np.random.default_rng(1)
    kernel = np.hanning(round(4 * FINE_HZ))
    course = np.convolve(rng.standard_normal(round(280 * FINE_HZ)), kernel, "same")
    fine = np.zeros(round((N_TRS + 2) * TR_S * FINE_HZ))
    first = round((7.3 + delay_s) * FINE_HZ)
    fine[first : first + course.size] = course[: fine.size - first]
    step = round(TR_S * FINE_HZ)
    if reference_s is None:
        volumes = fine[: N_TRS * step].reshape(N_TRS, step).mean(axis=1)
    else:
        volumes = fine[round(reference_s * FINE_HZ) :: step][:N_TRS]
    sidecar = {"SliceTimingCorrected": corrected}
    if reference_s is not None:
        sidecar["StartTime"] = reference_s
    stated = Stated([sidecar], {}, TimeAxis(N_TRS, TR_S), None)
    start_s, _ = start_time(Path("bold.nii.gz"), stated, TR_S, preprocessed=True, given_s=None)
    assert best_lag_s(start_s, volumes, course) == pytest.approx(delay_s, abs=0.13)
