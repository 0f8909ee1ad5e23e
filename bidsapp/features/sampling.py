"""Series on one clock, read on another: the only two ways the app ever does it.

Both average what lies within a window around the wanted time, interpolate linearly where the
window holds nothing, and never invent a value beyond the ends.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from bidsapp.bids.records import Rating
from bidsapp.errors import InputInvalidError

Floats = npt.NDArray[np.float64]

_ROUNDING_S = 1e-6


def sampling_matrix(
    frame_times_s: Floats,
    times_s: Floats,
    width_s: float | Floats,
    *,
    reach_s: float,
    what: str = "features",
) -> csr_array:
    """Weights that read a series of frames at given times.

    Row i holds the mean over the frames in ``[t_i - width/2, t_i + width/2)``; where there are
    none, the linear interpolation between the two frames around; before the first and after the
    last frame, that frame, up to `reach_s`.

    Parameters
    ----------
    frame_times_s
        Centres of the frames (n_frames,), increasing.
    times_s
        Wanted times (n_times,) on the same clock.
    width_s
        Length of the windows, one or (n_times,).
    reach_s
        How far outside the frames a time may lie: a frame speaks for the sound it saw.
    what
        Network and sound, for the message.

    Returns
    -------
    scipy.sparse.csr_array
        (n_times, n_frames), each row sums to 1.

    Raises
    ------
    InputInvalidError
        A time lies farther out than `reach_s`.
    """
    frames = np.asarray(frame_times_s, dtype=np.float64)
    times = np.asarray(times_s, dtype=np.float64)
    refuse_beyond(frames, times, reach_s, what)
    half = np.broadcast_to(np.asarray(width_s, dtype=np.float64) / 2, times.shape)
    first = np.searchsorted(frames, times - half - _ROUNDING_S)
    last = np.searchsorted(frames, times + half - _ROUNDING_S)
    empty = first == last
    right = np.clip(np.searchsorted(frames, times), 0, len(frames) - 1)
    left = np.clip(right - 1, 0, None)
    gap = np.where(right > left, frames[right] - frames[left], 1.0)
    share = np.clip((times - frames[left]) / gap, 0.0, 1.0)
    first = np.where(empty, left, first)
    counts = np.where(empty, right + 1, last) - first
    starts = np.concatenate([[0], np.cumsum(counts)])
    columns = np.arange(starts[-1]) - np.repeat(starts[:-1] - first, counts)
    values = np.repeat(1.0 / np.maximum(counts, 1), counts)
    between = np.flatnonzero(empty & (counts == 2))
    values[starts[between]] = 1.0 - share[between]
    values[starts[between] + 1] = share[between]
    return csr_array((values, columns, starts), shape=(len(times), len(frames)))


def refuse_beyond(frames: Floats, times: Floats, reach_s: float, what: str) -> None:
    """Refuse times that lie outside the frames.

    Parameters
    ----------
    frames
        Centres of the frames (n_frames,) in seconds, increasing.
    times
        Wanted times (n_times,) in seconds on the same clock.
    reach_s
        How far outside a time may lie.
    what
        Network and sound, for the message.

    Raises
    ------
    InputInvalidError
        A time lies farther out.
    """
    if times.size == 0:
        return
    early, late = frames[0] - times.min(), times.max() - frames[-1]
    if max(early, late) > reach_s + _ROUNDING_S:
        msg = (
            f"{what}: the features lie from {frames[0]:.2f} to {frames[-1]:.2f} s of the sound, "
            f"{times.min():.2f} to {times.max():.2f} s are needed; compute them for the whole "
            "sound, or correct onset, duration and stim_start"
        )
        raise InputInvalidError(msg)


def sample_series(rating: Rating, times_s: Floats, width_s: float) -> Floats:
    """Read a continuous annotation at given times.

    Parameters
    ----------
    rating
        The annotation; its missing samples are NaN.
    times_s
        Wanted times (n_times,) on the annotation's clock.
    width_s
        Length of the window to average.

    Returns
    -------
    numpy.ndarray
        (n_times,): mean of the samples in ``[t - width/2, t + width/2)`` that are not missing;
        where the window holds no sample (a slow annotation), linear interpolation; NaN where the
        annotation is missing or t lies before its first or after its last sample (by more than
        half a sample).
    """
    values = np.asarray(rating.values, dtype=np.float64)
    times = np.asarray(times_s, dtype=np.float64)
    clock = rating.start_time_s + np.arange(values.size) / rating.sampling_hz
    half_sample = 0.5 / rating.sampling_hz + _ROUNDING_S
    out = np.full(times.shape, np.nan)
    if values.size == 0:
        return out
    inside = (times >= clock[0] - half_sample) & (times <= clock[-1] + half_sample)
    first = np.searchsorted(clock, times - width_s / 2 - _ROUNDING_S)
    last = np.searchsorted(clock, times + width_s / 2 - _ROUNDING_S)
    present = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(present, values, 0.0))])
    number = np.concatenate([[0], np.cumsum(present)])
    counts = number[last] - number[first]
    filled = inside & (counts > 0)
    out[filled] = (total[last] - total[first])[filled] / counts[filled]
    sparse = inside & (last == first)
    out[sparse] = np.interp(times[sparse], clock, values)
    return out
