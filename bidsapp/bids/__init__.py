"""Reading BIDS datasets and writing BIDS derivatives: the only part that knows file names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bidsapp.bids.results import load_results, open_results

__all__ = ["load_results", "open_results"]


def __getattr__(name: str) -> Any:
    """Import the public functions when they are used: they need pandas and pybids."""
    if name in __all__:
        from bidsapp.bids import results

        return getattr(results, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
