"""Inferences of decoders."""

from __future__ import annotations

from bidsapp.results.inferences.base import Inference

ENTRIES: tuple[Inference, ...] = ()
