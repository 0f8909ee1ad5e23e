"""Grad-CAM: which places of the last maps of a network raise the score of a class."""

from __future__ import annotations

import torch


def class_activation(maps: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
    """Weight maps by the mean gradient of a class's score and keep what raises it.

    Parameters
    ----------
    maps
        (n, n_channels, *grid) values of a layer.
    slopes
        Of the same shape: derivative of each example's score.

    Returns
    -------
    torch.Tensor
        (n, *grid), not negative.

    Notes
    -----
    Source: Selvaraju et al. 2017, ICCV, equations 1 and 2.
    """
    places = tuple(range(2, maps.ndim))
    weights = slopes.mean(dim=places, keepdim=True)
    return torch.relu((weights * maps).sum(dim=1))
