"""The registry of inferences: every way to a p-value or an interval that the app prints.

A declared result or column names its inference by key (``by``). Sidecars, the methods text, the
section on what each test does and does not show, citations, the smallest possible p and the
calibration follow from the entry. An entry stands in the module of this package that belongs to
its kind of analysis; its calibration draws null data and calls the functions that recipes call.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bidsapp.results.inferences import (
    clips,
    decoding,
    encoding,
    listening,
    participants,
    rsa,
    spatial,
)
from bidsapp.results.inferences.base import Inference

INFERENCES: Mapping[str, Inference] = MappingProxyType(
    {
        entry.key: entry
        for module in (encoding, rsa, clips, decoding, participants, spatial, listening)
        for entry in module.ENTRIES
    }
)
"""Key → entry."""

__all__ = ["INFERENCES", "Inference"]
