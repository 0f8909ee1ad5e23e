"""From layer features to the time courses that are planted.

Layers of one network share most of what they say. To make recovery possible, each layer's
courses are chosen, inside the span of its leading components, to be well predicted by a ridge
regression on that layer and badly by one on distant layers; nothing is planted that the layer
does not contain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LayerFeatures:
    """Leading principal components of every layer of a network.

    Attributes
    ----------
    network
        Name of the network.
    layers
        Names of the layers.
    pieces
        Sound files.
    frame_piece
        (n_frames,) number of the piece of each frame.
    frame_time_s
        (n_frames,) centre of each frame in piece time.
    scores
        Per layer (n_frames, k), mean zero.
    n_inputs
        Layers at the beginning that are the network's input; no unit follows them.
    """

    network: str
    layers: tuple[str, ...]
    pieces: tuple[str, ...]
    frame_piece: npt.NDArray[np.int64]
    frame_time_s: Floats
    scores: tuple[Floats, ...]
    n_inputs: int = 0

    @property
    def hop_s(self) -> float:
        """Spacing of the frames."""
        first = self.frame_time_s[self.frame_piece == self.frame_piece[0]]
        return float(np.median(np.diff(first)))


@dataclass(frozen=True, slots=True)
class Playing:
    """One presentation of a piece during a run (s)."""

    piece: int
    onset_s: float
    duration_s: float
    stim_start_s: float = 0.0


def canonical_hrf(time_s: Floats) -> Floats:
    """Haemodynamic response to an impulse at time 0: peak at 5 s, undershoot at 15 s.

    Source: Glover 1999 / Friston 1998: the difference of two gamma densities.
    """
    from scipy.stats import gamma

    return np.asarray(gamma.pdf(time_s, 6.0) - gamma.pdf(time_s, 16.0) / 6.0, dtype=np.float64)


def rating_kernel(time_s: Floats) -> Floats:
    """How a listener's slider follows the music: slow, latest weight at about 5 s."""
    from scipy.stats import gamma

    return np.asarray(gamma.pdf(time_s, 6.0), dtype=np.float64)


def response_matrix(
    times_s: Floats,
    playing: Sequence[Playing],
    features: LayerFeatures,
    kernel: Callable[[Floats], Floats] = canonical_hrf,
) -> Floats:
    """Linear map from frames to responses: (n_times, n_frames).

    Entry (t, f) is hop × kernel(t - onset - frame time), summed over the presentations of the
    frame's piece, for frames that were played.
    """
    matrix = np.zeros((len(times_s), len(features.frame_time_s)))
    for item in playing:
        within = features.frame_time_s - item.stim_start_s
        columns = np.flatnonzero(
            (features.frame_piece == item.piece) & (within >= 0) & (within <= item.duration_s)
        )
        delay = times_s[:, None] - item.onset_s - within[None, columns]
        matrix[:, columns] += features.hop_s * np.where(delay > 0, kernel(delay), 0.0)
    return matrix


def distinct_courses(
    responses: Sequence[Floats], groups: npt.NDArray[np.int64], n_courses: int, *, shrink: float
) -> list[Floats]:
    """Pick directions in which each layer says what other layers do not.

    For layer l with responses S_l (n_times, k), and ridge smoothers H_m = K_m (K_m + λI)⁻¹ of
    all layers, the directions w maximise
    ``w'S_l' (H_l - Σ_m g_lm H_m) S_l w / w'S_l'S_l w`` where g weighs distant layers.

    Parameters
    ----------
    responses
        Per layer (n_times, k): components after the haemodynamic response.
    groups
        (n_times,) run or piece; responses are centred inside each.
    n_courses
        Directions per layer.
    shrink
        λ as a share of the mean eigenvalue times n_times (stands for noise).

    Returns
    -------
    list
        Per layer (k, n_courses) weights; responses times weights have unit variance.
    """
    centred = [_centre(item, groups) for item in responses]
    smoothed = [_smoother(item, shrink) for item in centred]
    n_layers = len(centred)
    depth = np.arange(n_layers)
    chosen = []
    for layer, own in enumerate(centred):
        far = np.clip(np.abs(depth - layer) / (n_layers / 3), 0, 1)
        far /= max(far.sum(), 1e-12)
        basis, values, loadings = np.linalg.svd(own, full_matrices=False)
        keep = values > 1e-6 * values[0]
        basis, values, loadings = basis[:, keep], values[keep], loadings[keep]
        contrast = _project(smoothed[layer], basis)
        for weight, other in zip(far, smoothed, strict=True):
            if weight > 0:
                contrast -= weight * _project(other, basis)
        _, vectors = np.linalg.eigh(contrast)
        top = vectors[:, ::-1][:, :n_courses]
        chosen.append(np.sqrt(len(own)) * loadings.T @ (top / values[:, None]))
    return chosen


def _centre(data: Floats, groups: npt.NDArray[np.int64]) -> Floats:
    centred = data.copy()
    for group in np.unique(groups):
        rows = groups == group
        centred[rows] -= centred[rows].mean(axis=0)
    return centred


def _smoother(data: Floats, shrink: float) -> tuple[Floats, Floats]:
    """Left singular vectors and the shrinkage factors of the ridge smoother of `data`."""
    basis, values, _ = np.linalg.svd(data, full_matrices=False)
    power = values**2
    return basis, power / (power + shrink * power.sum())


def _project(smoother: tuple[Floats, Floats], basis: Floats) -> Floats:
    """``basis' H basis`` for a smoother H."""
    inner = smoother[0].T @ basis
    return inner.T @ (smoother[1][:, None] * inner)
