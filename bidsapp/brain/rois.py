"""The poster's four regions (STG, MTG, IFG, mPFC) as unions of an atlas's labels.

Which labels of the Destrieux, HCP-MMP, Desikan and Harvard-Oxford atlases belong to which region
is in ``resources/rois.tsv``; the atlases themselves do not come with the app.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from importlib.resources import files

#: The regions, in the order of the poster's figure.
ROIS = ("STG", "MTG", "IFG", "mPFC")
_SIDE = r"(?:lh|rh|l|r|left|right)"
_BEFORE = re.compile(rf"^(?:ctx[ ._-]+)?(?:{_SIDE}[ ._-]+)*", re.IGNORECASE)
_AFTER = re.compile(rf"(?:_ROI|[ ._-]{_SIDE})*$", re.IGNORECASE)


def find_rois(names: Sequence[str]) -> tuple[str, dict[str, list[int]]] | None:
    """Find the four regions among the labels of an atlas.

    Parameters
    ----------
    names
        Of parcels, with or without a hemisphere (``L_A1_ROI``, ``ctx_lh_G_temp_sup-Lateral``).

    Returns
    -------
    (atlas, parcels of each region) or None
        ``Destrieux``, ``HCP-MMP``, ``Desikan`` or ``Harvard-Oxford``; None unless every region
        has a parcel, so that names that happen to agree make no region.
    """
    plain = [plain_label(name) for name in names]
    for atlas, table in _tables().items():
        found = {
            roi: [place for place, name in enumerate(plain) if table.get(name) == roi]
            for roi in ROIS
        }
        if all(found.values()):
            return atlas, found
    return None


def plain_label(name: str) -> str:
    """Return a label without hemisphere, prefix ``ctx`` and suffix ``ROI``."""
    return _AFTER.sub("", _BEFORE.sub("", name.strip()))


def _tables() -> dict[str, dict[str, str]]:
    """Atlas → label → region."""
    tables: dict[str, dict[str, str]] = defaultdict(dict)
    text = (files("bidsapp.resources") / "rois.tsv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines(), delimiter="\t"):
        tables[row["atlas"]][row["label"]] = row["roi"]
    return dict(tables)
