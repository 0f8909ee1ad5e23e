"""Searchlights: how many units they have and how far they reach."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import Normalize

from bidsapp.report.figures import style
from bidsapp.report.html import Part, Prose, Section, number_text, picture
from bidsapp.report.participant_methods import unit_words
from bidsapp.report.rsa.figures.sizes import sizes_figure
from bidsapp.report.rsa.maps import Shown, brain
from bidsapp.report.rsa.read import SpaceStudy, Study


def searchlights(study: Study) -> Section:
    """Histograms and a map for each space."""
    several = len(study.spaces) > 1
    found = [
        Section(space.space.title, f"searchlights-{place}", _parts(space))
        for place, space in enumerate(study.spaces, start=1)
    ]
    if not several:
        return Section("Searchlights", "searchlights", found[0].parts)
    return Section("Searchlights", "searchlights", children=found)


def _parts(space: SpaceStudy) -> list[Part]:
    size, radius = (space.values(stat=stat, desc="rsa") for stat in ("size", "radius"))
    if size is None or radius is None:
        return [Prose("No sizes of searchlights were written.")]
    units = unit_words(space.within)[1]
    n = int(np.isfinite(radius).sum())
    mask = str(space.facts.get("mask") or "")
    where = f" within {mask}" if mask and "units with data" not in mask else ""
    how = (
        "Distances are along the mesh."
        if space.within.grid is not None and space.within.grid.is_surface
        else "A searchlight of a fixed number of voxels grows at the border of its mask."
    )
    caption = f"{number_text(n, 0)} searchlights{where}. {how}"
    finite = radius[np.isfinite(radius)]
    alt = (
        f"Sizes {np.nanmin(size):.0f} to {np.nanmax(size):.0f}, radii up to {finite.max():.1f} mm."
    )
    low, high = np.percentile(finite, [1, 99])
    shown = Shown("Radius of the searchlights", radius, style.layer_colours(256),
                  Normalize(low, max(high, low + 1e-3)), "mm", in_slices=True)  # fmt: skip
    return [
        picture(sizes_figure(size, radius, units), alt=alt, caption=caption),
        *brain(space.within, [shown], None, projected=False),
    ]
