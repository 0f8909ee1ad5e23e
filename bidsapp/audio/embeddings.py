"""An embedding is one layer of a network, averaged over a window of sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from bidsapp.audio.networks.base import Layer

EMBEDDING = "embedding"
_OUTPUTS = frozenset({"tags", "logits", "probabilities"})
_ROUNDING_S = 1e-6


def embedding_layer(layers: Sequence[Layer], wish: str = "") -> int:
    """Return the position of the layer that is the embedding.

    Parameters
    ----------
    layers
        Of the network.
    wish
        Its name; of no effect on a network without such a layer. Else ``embedding``, if there is
        one, or the last layer that is not an output such as tags.
    """
    names = [layer.name for layer in layers]
    for name in (wish, EMBEDDING):
        if name in names:
            return names.index(name)
    inner = [k for k, layer in enumerate(layers) if not {layer.name, layer.kind} & _OUTPUTS]
    return inner[-1] if inner else len(layers) - 1


def window_means(
    values: npt.NDArray[np.floating],
    times_s: npt.NDArray[np.float64],
    frame_s: float,
    starts_s: npt.NDArray[np.float64],
    window_s: float,
) -> npt.NDArray[np.float64]:
    """Average frames over windows of one sound.

    Parameters
    ----------
    values
        (n_frames, n_channels) of a layer.
    times_s
        (n_frames,) centre of each frame in seconds.
    frame_s
        Sound that one frame sees, in seconds.
    starts_s
        (n_windows,) beginning of each window in seconds.
    window_s
        Length of a window in seconds.

    Returns
    -------
    numpy.ndarray
        (n_windows, n_channels): mean of the frames that lie inside the window; where a frame is
        longer than the window, the frame whose centre is nearest to that of the window; NaN where
        that is further away than half a frame.
    """
    means = np.full((len(starts_s), values.shape[1]), np.nan)
    for row, inside in enumerate(frames_of_windows(times_s, frame_s, starts_s, window_s)):
        if inside.any():
            means[row] = values[inside].mean(axis=0, dtype=np.float64)
    return means


def frames_of_windows(
    times_s: npt.NDArray[np.float64],
    frame_s: float,
    starts_s: npt.NDArray[np.float64],
    window_s: float,
) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield the frames (n_frames,) that `window_means` averages over each window.

    Parameters
    ----------
    times_s, frame_s, starts_s, window_s
        As for `window_means`.
    """
    half = frame_s / 2
    for start_s in starts_s:
        inside = times_s - half >= start_s - _ROUNDING_S
        inside &= times_s + half <= start_s + window_s + _ROUNDING_S
        if not inside.any() and len(times_s):
            apart = np.abs(times_s - start_s - window_s / 2)
            inside = apart <= min(apart.min(), half)
        yield inside
