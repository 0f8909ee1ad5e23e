"""Principal components of the weights of an encoding model, and the clips' places on them.

Source: Denk et al. 2025, principal component analysis on the weight matrix (A.1.7): weights of
the units that are predicted best, of all participants together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.alignment import orthonormal_map
from bidsapp.recipes.reconstruct.encoding.results import N_COMPONENTS

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Components:
    """Components of weights.

    Attributes
    ----------
    weights
        (n_units, n_dimensions) in responses per standard deviation of a dimension.
    units
        (n_units,) their units.
    embedding
        (n_clips, n_dimensions) embeddings in standard deviations over clips.
    share
        (n_components,) of the variance of the weights; NaN beyond their rank.
    of_units, of_clips
        (n_units, n_components) and (n_clips, n_components) places; NaN likewise.
    """

    weights: Floats
    units: NDArray[np.int64]
    embedding: Floats
    share: Floats
    of_units: Floats
    of_clips: Floats


def components_of(weights: Floats, band: Floats, units: NDArray[np.int64]) -> Components:
    """Find the components of the weights of one participant.

    Parameters
    ----------
    weights
        (n_units, n_dimensions) in responses per unit of the embedding.
    band
        (n_clips, n_dimensions) embeddings.
    units
        (n_units,) their units.
    """
    sd = band.std(axis=0)
    scaled = np.nan_to_num(weights) * sd
    embedding = (band - band.mean(axis=0)) / np.where(sd > 0, sd, np.inf)
    axes, share = principal_axes(scaled)
    centred = scaled - scaled.mean(axis=0)
    return Components(scaled, units, embedding, share, centred @ axes, embedding @ axes)


def principal_axes(weights: Floats) -> tuple[Floats, Floats]:
    """Return the first principal axes of weights (n_units, n_dimensions).

    Returns
    -------
    axes : array, (n_dimensions, n_components)
        The largest entry of each is positive; NaN beyond the rank of the weights.
    share : array, (n_components,)
        Of the variance.
    """
    centred = weights - weights.mean(axis=0)
    _, sizes, vectors = np.linalg.svd(centred, full_matrices=False)
    variance = sizes**2
    n = min(N_COMPONENTS, int((sizes > 1e-9 * max(sizes[0], 1e-30)).sum()))
    axes = np.full((weights.shape[1], N_COMPONENTS), np.nan)
    share = np.full(N_COMPONENTS, np.nan)
    first = vectors[:n]
    largest = np.abs(first).argmax(axis=1)
    axes[:, :n] = (first * np.sign(first[np.arange(n), largest])[:, None]).T
    share[:n] = variance[:n] / variance.sum() if n else np.nan
    return axes, share


def agreement(own: Sequence[Floats], together: Floats) -> Floats:
    """Correlate the clips' places by the components of one participant with those of others.

    Parameters
    ----------
    own
        Per participant (n_clips, n_components) places by the participant's own components.
    together
        (n_clips, n_components) places by the components of all participants.

    Returns
    -------
    array, (n_components,)
        Each participant's places are rotated on those of all by half of the clips; in the other
        half they are correlated with the mean of the others. Mean over participants and halves;
        NaN with one participant.
    """
    n_people, n_clips = len(own), len(together)
    if n_people < 2:
        return np.full(together.shape[1], np.nan)
    each = []
    for half in range(2):
        fitted = np.arange(n_clips) % 2 == half
        aligned = []
        for places in own:
            mean, target = places[fitted].mean(axis=0), together[fitted].mean(axis=0)
            rotation = orthonormal_map(places[fitted] - mean, together[fitted] - target)
            aligned.append((places[~fitted] - mean) @ rotation)
        total = np.sum(aligned, axis=0)
        for places in aligned:
            others = total - places
            first, second = (x - x.mean(axis=0) for x in (places, others))
            norms = np.linalg.norm(first, axis=0) * np.linalg.norm(second, axis=0)
            each.append((first * second).sum(axis=0) / np.where(norms > 0, norms, np.nan))
    return np.asarray(np.mean(each, axis=0))
