"""Random changes of training volumes: noise, scale, and translation without wrap-around."""

from __future__ import annotations

import torch
from torch.nn.functional import pad


def perturb(
    values: torch.Tensor, *, noise: float, scale: float, generator: torch.Generator
) -> torch.Tensor:
    """Scale each volume and add noise to its voxels.

    Parameters
    ----------
    values : tensor of shape (n, n_channels, n_voxels)
        Masked values.
    noise
        Standard deviation of white noise, in units of the (z-scored) data.
    scale
        Factors are uniform in 1 ± this, one per volume.
    generator
        Source of randomness, on the device of `values`.

    Returns
    -------
    tensor of shape (n, n_channels, n_voxels)
        float32.
    """
    values = values.float()
    if scale:
        factor = torch.empty(len(values), 1, 1, device=values.device)
        values = values * factor.uniform_(1 - scale, 1 + scale, generator=generator)
    if noise:
        drawn = torch.empty_like(values).normal_(generator=generator)
        values = values.add(drawn, alpha=noise)
    return values


def translate(
    volumes: torch.Tensor, *, max_shift: int, generator: torch.Generator
) -> torch.Tensor:
    """Move each volume by whole voxels; what comes in at the border is zero.

    Parameters
    ----------
    volumes : tensor of shape (n, n_channels, x, y, z)
    max_shift
        Shifts along each axis are uniform in -max_shift … max_shift.
    generator
        On the CPU, so that shifts do not depend on the device.

    Returns
    -------
    tensor of the shape of `volumes`
    """
    if not max_shift:
        return volumes
    shifts = torch.randint(0, 2 * max_shift + 1, (len(volumes), 3), generator=generator).tolist()
    nx, ny, nz = volumes.shape[2:]
    padded = pad(volumes, (max_shift,) * 6)
    return torch.stack(
        [
            one[:, x : x + nx, y : y + ny, z : z + nz]
            for one, (x, y, z) in zip(padded, shifts, strict=True)
        ]
    )
