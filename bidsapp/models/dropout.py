"""Dropout whose draws belong to a run, so that training can be repeated and resumed exactly."""

from __future__ import annotations

import torch
from torch import nn


class SeededDropout(nn.Module):
    """Dropout that draws from a generator of its own, not from the process-wide one."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop a share `p` of the values while training."""
        if not self.training or self.p == 0:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * keep / (1 - self.p)


def use_generator(network: nn.Module, generator: torch.Generator) -> None:
    """Let all dropout of a network draw from `generator`."""
    for module in network.modules():
        if isinstance(module, SeededDropout):
            module.generator = generator
