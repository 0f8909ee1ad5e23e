"""musicotopy: where, how well and at which level of abstraction the brain follows music."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bidsapp.bids.results import load_results

__version__ = "0.1.0"
__all__ = ["__version__", "load_results"]


def __getattr__(name: str) -> Any:
    """Import `load_results` when it is asked for: the command line stays light."""
    if name == "load_results":
        from bidsapp.bids.results import load_results

        return load_results
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
