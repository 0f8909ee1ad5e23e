"""The noise ceiling: how much of the response participants share."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import Normalize

from bidsapp.report.figures import style
from bidsapp.report.figures.surface import CortexMap, cortex_figure
from bidsapp.report.group.cortex import upper
from bidsapp.report.group.figures.shared import ceiling_figure
from bidsapp.report.group.results import GroupModel, GroupSpace, OnCortex
from bidsapp.report.group.words import licence
from bidsapp.report.html import Part, Prose, Section, Table, cell, columns, picture
from bidsapp.report.maps import Array
from bidsapp.report.projection import cortex
from bidsapp.report.results import POSITIVE


def noise_ceiling(space: GroupSpace, model: GroupModel, suffix: str) -> Section:
    """Inter-subject correlation of parcels, and how much of it the best layer reaches."""
    title, anchor = "Noise ceiling", f"ceiling{suffix}"
    table = space.isc
    if table.empty:
        text = (
            "No inter-subject correlation: it needs two participants who heard the same sounds "
            "and have the same parcels."
        )
        return Section(title, anchor, [Prose(text)])
    isc = table["isc"].to_numpy(dtype=float)
    reached = _reached(space, model)
    caption = (
        "Each participant's parcel is correlated with the mean of the others at the same moments "
        "of the same sounds (leave one out). What listeners do not share no model of the sound "
        "can predict for the group."
    )
    ratio = None if reached is None else _share(reached, isc)
    told = "" if ratio is None else f" The best layer reaches {100 * ratio:.0f} % of it (median)."
    alt = f"Inter-subject correlation of {len(isc)} parcels: median {np.nanmedian(isc):.2f}."
    parts: list[Part] = [picture(ceiling_figure(isc, reached), alt=alt + told,
                                 caption=caption + told)]  # fmt: skip
    values = isc_on_cortex(space, model)
    if values is not None:
        row = CortexMap("Inter-subject correlation", values, style.score_colours(),
                        Normalize(0, upper(values)), label="ISC")  # fmt: skip
        parts.append(
            picture(cortex_figure([row], cortex().meshes), alt="ISC of parcels on the cortex.",
                    caption="Each vertex has the value of its parcel.", vector=False)
        )  # fmt: skip
    return Section(title, anchor, [*parts, *licence(space, "isc"), _table(space, reached)])


def isc_on_cortex(space: GroupSpace, model: GroupModel) -> OnCortex | None:
    """Return the parcels' inter-subject correlation at each vertex of fsaverage5."""
    parcels, table = space.parcels, space.isc
    if parcels is None or table.empty:
        return None
    by_parcel = dict(zip(table["parcel"], table["isc"], strict=True))
    values = np.array([by_parcel.get(number, np.nan) for number in parcels], dtype=float)
    return model.on_cortex(values)


def _reached(space: GroupSpace, model: GroupModel) -> Array | None:
    """Largest mean score over layers of each parcel, the layers averaged over its units."""
    scores, parcels = model.scores(POSITIVE), space.parcels
    if scores is None or parcels is None:
        return None
    found = []
    for number in space.isc["parcel"]:
        here = scores.values[:, parcels == number]
        here = here[:, np.isfinite(here).all(axis=0)]
        found.append(float(here.mean(axis=1).max()) if here.size else np.nan)
    return np.array(found)


def _share(reached: Array, isc: Array) -> float | None:
    usable = np.isfinite(reached) & (isc > 0.05)
    return float(np.median(reached[usable] / isc[usable])) if usable.any() else None


def _table(space: GroupSpace, reached: Array | None) -> Table:
    heads = columns("parcel", "structure", "x#", "y#", "z#", "units#", "ISC#", "n#",
                    "best layer, mean r#")  # fmt: skip
    values = np.full(len(space.isc), np.nan) if reached is None else reached
    rows = [
        [
            cell(str(row["parcel"])), cell(str(row["structure"])),
            *(cell(row[name], 0) for name in ("x", "y", "z", "n_units")),
            cell(row["isc"], 3), cell(row["n"], 0), cell(value, 3),
        ]
        for row, value in zip(space.isc.to_dict("records"), values, strict=True)
    ]  # fmt: skip
    caption = "Parcels: centre in mm, inter-subject correlation, and the score of the best layer"
    return Table(heads, rows, caption)
