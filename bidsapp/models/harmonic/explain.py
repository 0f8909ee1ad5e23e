"""Grad-CAM of networks over mel spectrograms, and whether to believe it.

Source: Selvaraju et al. 2017, ICCV; Adebayo et al. 2018, Sanity checks for saliency maps, NeurIPS;
brightness per quadrant as in Fong, Kumar and Sudhir, arXiv 2408.07113.
"""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bidsapp.models.gradcam import class_activation
from bidsapp.models.harmonic.bands import ABSENT
from bidsapp.models.harmonic.networks import MelNetwork, randomise

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

_AT_ONCE = 32


def branch_maps(network: MelNetwork, mel_db: npt.NDArray[np.float32], classes: Ints) -> Floats:
    """Grad-CAM of each branch over time.

    Parameters
    ----------
    network
        In evaluation mode.
    mel_db
        (n, n_bands, n_times).
    classes
        (n,) the class whose logit is explained in each.

    Returns
    -------
    array of shape (n, n_groups, …, n_times of the last convolution)
        Not negative. Of the harmonic network: pitch class × time.
    """
    parts = []
    device = next(network.parameters()).device
    for start in range(0, len(mel_db), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        with torch.no_grad():
            maps = network.maps(torch.as_tensor(np.asarray(mel_db[rows]), device=device).float())
        maps = maps.requires_grad_()
        target = torch.as_tensor(np.asarray(classes[rows], np.int64), device=device)
        score = network.head(maps).gather(1, target[:, None]).sum()
        (slopes,) = torch.autograd.grad(score, maps)
        groups = class_activation(maps.detach().flatten(0, 1), slopes.flatten(0, 1))
        parts.append(groups.reshape(*maps.shape[:2], *groups.shape[1:]).cpu().numpy())
    return np.concatenate(parts).astype(np.float64)


def on_spectrogram(maps: Floats, bands: Ints, n_bands: int) -> Floats:
    """Lay the map of each branch on the mel bands it sees.

    Parameters
    ----------
    maps
        (n, 12, n_times), from `branch_maps`.
    bands
        (12, k) bands of the branches.
    n_bands
        Mel bands.

    Returns
    -------
    array of shape (n, n_bands, n_times)
        Sums over the branches that see a band; NaN at bands that none sees.
    """
    out = np.zeros((len(maps), n_bands, maps.shape[-1]))
    seen = np.zeros(n_bands, bool)
    for branch, row in enumerate(bands):
        own = row[row != ABSENT]
        out[:, own] += maps[:, branch, None]
        seen[own] = True
    out[:, ~seen] = np.nan
    return out


def brightness(maps: Floats) -> Floats:
    """Mean of each map after division by its maximum, (n,); 0 where a map is empty.

    Parameters
    ----------
    maps
        (n, …), not negative.
    """
    flat = maps.reshape(len(maps), -1)
    largest = flat.max(axis=1)
    return np.where(largest > 0, flat.mean(axis=1) / np.where(largest > 0, largest, 1.0), 0.0)


def cascade(network: MelNetwork, seed: int) -> list[tuple[str, MelNetwork]]:
    """Networks with the deepest layer random, then the two deepest, and so on.

    Parameters
    ----------
    network
        Trained; not changed.
    seed
        Of the random weights.

    Returns
    -------
    list of (name of the last layer made random, network)
        From the output to the input.
    """
    layers = [
        (name, layer)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear)
    ]
    changed, out = copy.deepcopy(network), []
    for depth, (name, _) in enumerate(reversed(layers)):
        randomise(changed.get_submodule(name), seed + depth)
        out.append((name, copy.deepcopy(changed)))
    return out
