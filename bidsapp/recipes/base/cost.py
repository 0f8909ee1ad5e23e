"""What a job will cost, before it runs."""

from __future__ import annotations

from dataclasses import dataclass

BASE_BYTES = 900 * 2**20
"""Resident size of the libraries and one network."""


@dataclass(frozen=True)
class Cost:
    """Estimated size of one job.

    Attributes
    ----------
    memory_bytes, scratch_bytes
        Peak memory, bounded by ``--mem``, and intermediate files.
    size
        What makes it big, in words: ``20,484 units, 5,120 feature frames``.
    """

    memory_bytes: int
    scratch_bytes: int
    size: str
