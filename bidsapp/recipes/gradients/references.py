"""Reference maps: those that are known, and the labels of those that do not come with the app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bidsapp.bids.neuromaps import PREFIX
from bidsapp.brain.references import GRADIENTS, MARGULIES

KNOWN: Final = "known"
"""Word for those of `AXES` that are on this machine."""
AXES: Final = tuple(
    f"{PREFIX}{name}"
    for name in (
        *("hcps1200/myelinmap/fsLR/32k", "hcps1200/thickness/fsLR/32k"),
        *(f"margulies2016/fcgradient0{number}/fsLR/32k" for number in (1, 2, 3)),
        *("sydnor2021/SAaxis/fsLR/32k", "abagen/genepc1/fsaverage/10k"),
        *("xu2020/evoexp/fsLR/32k", "xu2020/FChomology/fsLR/32k"),
        *("neurosynth/cogpc1/MNI152/2mm", "satterthwaite2014/meancbf/MNI152/1mm"),
        *(
            f"beliveau2017/{ligand}/fsaverage/164k"
            for ligand in ("cimbi36", "cumi101", "az10419369", "sb207145", "dasb")
        ),
        *("norgaard2021/flumazenil/fsaverage/164k", "sandiego2015/flb457/MNI152/1mm"),
        *("finnema2016/ucbj/MNI152/1mm", "smart2019/abp688/MNI152/1mm"),
    )
)
"""Annotations of which a profile is made by default, those that are at hand."""


def reference_labels(names: Sequence[str]) -> dict[str, str]:
    """Label the maps of references that do not come with the app.

    Parameters
    ----------
    names
        Of all references, in their order.

    Returns
    -------
    dict
        Name → label of `bidsapp.recipes.gradients.group_results.REFERENCE`.
    """
    given = [name for name in names if name not in (*GRADIENTS, *MARGULIES)]
    published = [name for name in given if not name.startswith("user")]
    numbered = {
        name: f"annotation{number if number > 1 else ''}"
        for number, name in enumerate(published, start=1)
    }
    return {name: numbered.get(name, name) for name in given}
