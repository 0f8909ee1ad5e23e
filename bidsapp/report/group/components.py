"""Figure 4 of the poster: components over layers, their topographies and loadings."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Normalize

from bidsapp.report.figures import style
from bidsapp.report.figures.surface import CortexMap, cortex_figure
from bidsapp.report.group.cortex import how_drawn, pooled
from bidsapp.report.group.figures.components import loading_figure, rgb_figure
from bidsapp.report.group.results import GroupModel, GroupSpace, OnCortex
from bidsapp.report.group.words import lags_title
from bidsapp.report.html import Part, Prose, Section, picture
from bidsapp.report.maps import Array
from bidsapp.report.projection import cortex
from bidsapp.report.results import NEGATIVE, POSITIVE, rows_of
from bidsapp.stats.layer_pca import rgb_map


def topographies(model: GroupModel, lags: str) -> list[OnCortex]:
    """Return each component's topography on fsaverage5."""
    found = model.maps(stat="pc", desc=lags)
    rows = [] if found is None else [model.on_cortex(row) for row in found.values]
    return [row for row in rows if row is not None]


def rgb(maps: Sequence[OnCortex]) -> OnCortex | None:
    """Return (n_vertices, 3) colours of the positive scores; None without three components."""
    if len(maps) < 3:
        return None
    size = len(maps[0]["L"])
    both = np.stack([np.concatenate([each["L"], each["R"]]) for each in maps[:3]])
    colours = rgb_map(both)
    return {"L": colours[:size], "R": colours[size:]}


def components(space: GroupSpace, model: GroupModel, suffix: str) -> Section:
    """RGB map, topographies and loadings."""
    title, anchor = "Components over layers", f"components{suffix}"
    shown = {lags: topographies(model, lags) for lags in (POSITIVE, NEGATIVE)}
    parts: list[Part] = []
    colours = {lags: rgb(maps) for lags, maps in shown.items()}
    coloured = [(f"Components 1 to 3 in red, green and blue, {lags_title(lags)}", values)
                for lags, values in colours.items() if values is not None]  # fmt: skip
    if coloured:
        caption = (
            "Positive scores of the first three components, each scaled to its 99th percentile; "
            "black: none is positive, that is, worse predicted than the average vertex. "
            f"{how_drawn(space)}"
        )
        alt = "Both hemispheres coloured by three components: " + "; ".join(
            name for name, _ in coloured
        )
        parts.append(picture(rgb_figure(coloured, cortex().meshes), alt=f"{alt}.", caption=caption,
                             vector=False))  # fmt: skip
    parts += _loadings(model)
    parts += _topographies(model, shown[POSITIVE])
    if not parts:
        parts.append(Prose("No components were written."))
    return Section(title, anchor, parts)


def _loadings(model: GroupModel) -> list[Part]:
    panels = []
    for lags in (POSITIVE, NEGATIVE):
        rows = rows_of(model.components, lags=lags)
        if rows.empty:
            continue
        wide = rows.pivot_table(index="layer_index", columns="component", values="loading")
        explained = rows.drop_duplicates("component").set_index("component")["explained"]
        panels.append(
            (lags_title(lags), wide.to_numpy(), explained.reindex(wide.columns).to_numpy())
        )
    if not panels:
        return []
    caption = (
        "Loading of each layer on components 1 to 3; in brackets the share of the variance over "
        "vertices. The sign of a component is chosen so that its largest loading is positive; "
        "scores are centred over vertices."
    )
    words = "; ".join(f"{title}: {_peaks(model, loadings)}" for title, loadings, _ in panels)
    figure = loading_figure(panels, model.layers)
    return [picture(figure, alt=f"Loadings, {words}.", caption=caption)]


def _peaks(model: GroupModel, loadings: Array) -> str:
    names = [model.layers[int(place)] for place in np.nanargmax(loadings, axis=0)]
    return ", ".join(f"component {k} peaks at {name}" for k, name in enumerate(names, start=1))


def _topographies(model: GroupModel, maps: Sequence[OnCortex]) -> list[Part]:
    rows = []
    explained = rows_of(model.components, lags=POSITIVE)
    for number, values in enumerate(maps, start=1):
        found = pooled(values)
        if not found.size:
            continue
        top = max(float(np.percentile(np.abs(found), 99)), 1e-6)
        share = rows_of(explained, component=number)
        told = f" ({100 * share['explained'].iloc[0]:.0f} % of the variance)" if len(share) else ""
        rows.append(
            CortexMap(f"Component {number}{told}, positive lags", values,
                      style.signed_colours(), Normalize(-top, top), label="score")
        )  # fmt: skip
    if not rows:
        return []
    caption = "Topographies, signed; scales end at the 99th percentile of the size."
    alt = "Topographies of " + ", ".join(row.title for row in rows) + "."
    return [picture(cortex_figure(rows, cortex().meshes), alt=alt, caption=caption, vector=False)]


def signed_scale(values: OnCortex) -> tuple[mpl.colors.Colormap, float]:
    """Return diverging colours and the value at their upper end."""
    return style.signed_colours(), max(float(np.percentile(np.abs(pooled(values)), 99)), 1e-6)
