"""The registry of inferences: every way to a p-value or an interval that the app prints.

A declared result or column names its inference by key (``by``). Sidecars, the methods text, the
section on what each test does and does not show, citations, the smallest possible p and the
calibration follow from the entry. An entry stands in the module of this package that belongs to
its kind of analysis; its calibration draws null data and calls the functions that recipes call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from bidsapp.results.inferences import clips, decoding, encoding, participants, rsa, spatial
from bidsapp.results.inferences.base import Inference


def _calibrated(entry: Inference, module: str) -> Inference:
    """Fill in the address of the calibration of an entry that names none."""
    calibration = f"bidsapp.results.calibrations.{module.rpartition('.')[2]}:{entry.key}"
    return replace(entry, calibrate=entry.calibrate or calibration)


INFERENCES: Mapping[str, Inference] = MappingProxyType(
    {
        entry.key: _calibrated(entry, module.__name__)
        for module in (encoding, rsa, clips, decoding, participants, spatial)
        for entry in module.ENTRIES
    }
)
"""Key → entry."""

__all__ = ["INFERENCES", "Inference"]
