"""From channel courses to predicted BOLD: convolution at the rate of the frames, then sampling.

Every sound is convolved for itself: before it there is nothing, and nothing of it reaches into
the next one. Frames start half a window after the sound and end half a window before its end; the
first and the last frame speak for the margins.

Source: Thielen et al., Representational Similarity Analysis (convolution with the HRF); response
of Glover 1999 in the parameters of SPM12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve
from scipy.stats import gamma

from bidsapp.features.sampling import sampling_matrix

Floats = npt.NDArray[np.float64]

LENGTH_S = 32.0
PEAK_S, UNDERSHOOT_S = 6.0, 16.0
UNDERSHOOT_RATIO = 1.0 / 6.0


def hrf(dt_s: float, length_s: float = LENGTH_S, *, delay_s: float = 0.0) -> Floats:
    """Canonical response to an impulse: difference of two gamma densities.

    Parameters
    ----------
    dt_s
        Time between samples.
    length_s
        Length of the response.
    delay_s
        How much later than the canonical one it is. An earlier one lacks its beginning: nothing
        answers to sound that is still to come.

    Returns
    -------
    numpy.ndarray
        (n_samples,) at 0, dt, 2 dt, …; sums to 1, so that a constant stays what it is.
    """
    response = response_at(dt_s * np.arange(round(length_s / dt_s)) - delay_s)
    response /= response.sum()
    return response


def response_at(times_s: npt.NDArray[np.floating]) -> Floats:
    """Canonical response at times after an impulse, of any shape; zero before it.

    It peaks at 5 s and goes below zero from 12 to 25 s.
    """
    response: Floats = gamma.pdf(times_s, PEAK_S) - UNDERSHOOT_RATIO * gamma.pdf(
        times_s, UNDERSHOOT_S
    )
    return response


@dataclass(frozen=True, slots=True)
class Responses:
    """Predicted BOLD on a regular clock within each sound.

    Attributes
    ----------
    values
        (n_times, n_channels).
    piece
        (n_times,) position of the sound.
    time_s
        (n_times,) from the start of the sound to its end, every `dt_s`.
    dt_s
        Time between samples.
    """

    values: Floats
    piece: npt.NDArray[np.intp]
    time_s: Floats
    dt_s: float

    def at(self, piece: int, times_s: npt.ArrayLike, width_s: float) -> Floats:
        """Sample one sound's response.

        Parameters
        ----------
        piece
            Position of the sound.
        times_s
            Wanted times (n,) from the start of the sound, as of volumes.
        width_s
            Window to average around each, as the repetition time; 0 interpolates.

        Returns
        -------
        numpy.ndarray
            (n, n_channels).

        Raises
        ------
        InputInvalidError
            A time lies outside the sound by more than half a window and a step.
        """
        rows = np.flatnonzero(self.piece == piece)
        weights = sampling_matrix(
            self.time_s[rows],
            np.asarray(times_s, dtype=np.float64),
            width_s,
            reach_s=width_s / 2 + self.dt_s,
        )
        sampled: Floats = weights @ self.values[rows]
        return sampled


def convolve_pieces(
    course: npt.NDArray[np.floating],
    frame_piece: npt.NDArray[np.intp],
    frame_time_s: Floats,
    dt_s: float,
    piece_s: npt.ArrayLike,
    *,
    delay_s: float = 0.0,
) -> Responses:
    """Convolve the course of every sound with the response, each for itself, after silence.

    Parameters
    ----------
    course
        (n_frames, n_channels).
    frame_piece
        (n_frames,) sound of each frame, ascending.
    frame_time_s
        (n_frames,) centre of each frame from the start of its sound.
    dt_s
        Time between frames.
    piece_s
        (n_pieces,) lengths of the sounds.
    delay_s
        Of the response, see `hrf`.

    Returns
    -------
    Responses
        On the clock of the frames, continued to both ends of each sound.
    """
    kernel = hrf(dt_s, delay_s=delay_s)
    values, pieces, times = [], [], []
    for piece, length_s in enumerate(np.asarray(piece_s, dtype=np.float64)):
        rows = np.flatnonzero(frame_piece == piece)
        clock = frame_time_s[rows]
        before = int(np.floor(clock[0] / dt_s + 1e-6))
        after = max(0, int(np.floor((length_s - clock[-1]) / dt_s + 1e-6)))
        heard = np.pad(
            np.asarray(course[rows], dtype=np.float64), ((before, after), (0, 0)), mode="edge"
        )
        values.append(fftconvolve(heard, kernel[:, None], axes=0)[: len(heard)])
        times.append(clock[0] + dt_s * np.arange(-before, len(rows) + after))
        pieces.append(np.full(len(heard), piece))
    return Responses(np.vstack(values), np.concatenate(pieces), np.concatenate(times), dt_s)
