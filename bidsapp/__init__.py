"""musicotopy: voxelwise encoding, searchlight RSA and decoding for music-listening fMRI."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bidsapp.results.load import load_results, open_results

__version__ = "0.1.0"
__all__ = ["__version__", "load_results", "open_results"]


def __getattr__(name: str) -> Any:
    """Import readers of results when they are asked for: the command line stays light."""
    if name in ("load_results", "open_results"):
        from bidsapp.results import load

        return getattr(load, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
