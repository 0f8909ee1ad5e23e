"""The pieces of the BIDS App `musicotopy` as a library: arrays in, arrays and images out.

The app itself is the package ``bidsapp`` and the command ``musicotopy``; `musicotopy.api` is what
scripts and notebooks use.
"""

from __future__ import annotations

from musicotopy.api import (
    Banded,
    Encoded,
    GroupedRidgeCV,
    Searchlights,
    banded,
    encode,
    load_maps,
    load_results,
    open_results,
    searchlight_rsa,
    spin,
)

__all__ = [
    "Banded",
    "Encoded",
    "GroupedRidgeCV",
    "Searchlights",
    "banded",
    "encode",
    "load_maps",
    "load_results",
    "open_results",
    "searchlight_rsa",
    "spin",
]
