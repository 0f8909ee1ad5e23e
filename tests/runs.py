"""Runs of BOLD whose files are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bidsapp.bids.records import Run


def make_run(number: str = "", **changes: Any) -> Run:
    """One run (with this number) of 100 volumes of 1 s, but for the fields that are named."""
    entities = {"sub": "01", "task": "music"} | ({"run": number} if number else {})
    volume = {"space": "native", "resolution": None, "density": None, "kind": "volume"}
    files = {"bold": (Path("bold.nii.gz"),), "mask": None, "confounds": None}
    return Run(**{"entities": entities, **volume, **files, "tr_s": 1.0, "n_trs": 100, **changes})


def on_surface(number: str = "", **changes: Any) -> Run:
    """As `make_run`, on fsaverage5."""
    return make_run(number, **{"space": "fsaverage5", "kind": "gifti", "bold": (), **changes})
