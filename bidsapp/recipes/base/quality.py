"""Quality of a participant's runs: motion, temporal signal-to-noise, motion with loudness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.audio.io import load_audio, rms_envelope
from bidsapp.bids.records import Presentation, Run
from bidsapp.bids.tables import Table, number, read_table
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.base.score_results import THRESHOLD_MM

Floats = NDArray[np.float64]
_DISPLACEMENT = "framewise_displacement"
_AUDIO_HZ, _ENVELOPE_HZ = 16_000, 10.0


def quality_rows(inputs: Inputs, tsnr: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Yield one row per run; NaN where there is no displacement, or no sound at hand.

    Parameters
    ----------
    inputs
        Runs, sounds and when they were played.
    tsnr
        Temporal signal-to-noise ratio of each run.
    """
    envelopes = {
        name: rms_envelope(load_audio(path, _AUDIO_HZ), _AUDIO_HZ, _ENVELOPE_HZ)
        for name, path in inputs.sounds
        if path.is_file()  # features of a table need no sounds
    }
    for run, ratio in zip(inputs.runs, tsnr, strict=True):
        moved = _displacement(run)
        has_any = moved is not None and np.isfinite(moved).any()
        fd = moved if moved is not None and has_any else np.full(run.n_trs, np.nan)
        heard = loudness(run, inputs.presentations, envelopes)
        yield {
            "run": run.name,
            "n_trs": run.n_trs,
            "mean_fd": np.nanmean(fd) if has_any else np.nan,
            "max_fd": np.nanmax(fd) if has_any else np.nan,
            "n_moved": int((fd > THRESHOLD_MM).sum()) if has_any else None,
            "tsnr": ratio,
            "r_fd_loudness": _correlation(fd, heard),
        }


def loudness(
    run: Run, presentations: Iterable[Presentation], envelopes: Mapping[str, Floats]
) -> Floats:
    """Return the loudness heard at each volume, (n_trs,); NaN where nothing was played.

    Parameters
    ----------
    run
        One of the study's.
    presentations
        What was played in all runs.
    envelopes
        Sound to its root mean square in windows of 0.1 s.
    """
    times = run.start_time_s + run.tr_s * np.arange(run.n_trs)
    heard = np.full(run.n_trs, np.nan)
    for item in presentations:
        envelope = envelopes.get(item.stim_file)
        if item.run_name != run.name or envelope is None:
            continue
        inside = (times >= item.onset_s) & (times < item.onset_s + item.duration_s)
        windows = (times - item.onset_s + item.stim_start_s) * _ENVELOPE_HZ
        here = inside & (windows < len(envelope))
        heard[here] = envelope[windows[here].astype(int)]
    return heard


def framewise_displacement(run: Run) -> Floats | None:
    """Framewise displacement of a run in mm, (n_trs,), 0 where missing; None without a table."""
    values = _displacement(run)
    return None if values is None else np.nan_to_num(values)


def _displacement(run: Run) -> Floats | None:
    """Framewise displacement in mm, (n_trs,), NaN where missing; None without a table."""
    if run.confounds is None:
        return None
    table = read_table(run.confounds)
    if not isinstance(table, Table) or _DISPLACEMENT not in table.columns:
        return None
    values = np.array([number(row[_DISPLACEMENT]) for row in table.rows])
    return values if values.size == run.n_trs else None


def _correlation(x: Floats, y: Floats) -> float:
    """Pearson correlation over pairs without NaN; NaN for fewer than 3, or a constant."""
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 3 or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return float("nan")
    return float(np.corrcoef(x[both], y[both])[0, 1])
