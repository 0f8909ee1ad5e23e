"""What lies behind the mean scores: single pieces, and the penalties that were chosen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bidsapp.report.distrust import edge_share
from bidsapp.report.figures.crossval import alpha_figure, piece_figure
from bidsapp.report.html import Prose, Section, picture, plural
from bidsapp.report.participant_methods import alpha_range
from bidsapp.report.participant_sections.scores import chosen_units
from bidsapp.report.results import NEGATIVE, POSITIVE, ModelResults, SpaceResults, rows_of

_TOP_IF_NONE = 10


def pieces(model: ModelResults, suffix: str) -> Section:
    """Scores in each held-out piece."""
    anchor, title = f"pieces{suffix}", "Piece by piece"
    scores, who = _piece_scores(model, POSITIVE)
    if scores.empty:
        return Section(title, anchor, [Prose("No piece table was written.")])
    layers = [str(name) for name in model.layers["layer"]]
    scores = scores.reindex(columns=layers)
    control, _ = _piece_scores(model, NEGATIVE)
    figure = piece_figure(
        scores.to_numpy(),
        layers,
        [str(name) for name in scores.index],
        None if control.empty else control.reindex(scores.index).mean(axis=1).to_numpy(),
    )
    means = scores.mean(axis=1)
    caption = (
        f"Mean correlation over {who}, in each held-out piece. A mean carried by one piece is not "
        "a result about music."
    )
    alt = "Scores by piece: " + ", ".join(f"{name} {value:.3f}" for name, value in means.items())
    return Section(title, anchor, [picture(figure, alt=alt + ".", caption=caption)])


def _piece_scores(model: ModelResults, lags: str) -> tuple[pd.DataFrame, str]:
    rows = rows_of(model.pieces, lags=lags)
    if rows.empty:
        return pd.DataFrame(), ""
    summary, chosen = rows_of(model.summary, lags=POSITIVE), model.passed
    who = f"the {plural(len(chosen), 'significant parcel')}"
    if chosen.empty and not summary.empty:
        chosen = summary.nlargest(_TOP_IF_NONE, "r_max")
        who = f"the {len(chosen)} parcels with the largest score (none is significant)"
    if chosen.empty:
        chosen, who = rows, "all parcels"
    kept = rows[rows["parcel"].isin(chosen["parcel"])]
    table = kept.pivot_table(index="piece", columns="layer", values="r", sort=False)
    return table, who


def penalties(space: SpaceResults, model: ModelResults, suffix: str) -> Section:
    """Ridge penalties chosen, and how often they sat at an edge of the grid."""
    anchor, title = f"alphas{suffix}", "Ridge penalties"
    rows = rows_of(model.profile, lags=POSITIVE)
    if rows.empty or "alpha_edge_low" not in rows:
        return Section(title, anchor, [Prose("No penalties were recorded.")])
    rows = rows.sort_values("layer_index")
    low, high = (edge_share(rows, side).to_numpy() for side in ("low", "high"))
    alphas = model.maps(stat="alpha", desc=POSITIVE)
    quartiles, who = None, ""
    if alphas is not None:
        chosen, who = chosen_units(space, model)
        kept = alphas.values if chosen is None else alphas.values[:, chosen]
        kept = kept[:, np.isfinite(kept).any(axis=0)]
        if kept.shape[1]:
            quartiles = np.nanpercentile(kept, [25, 50, 75], axis=1)
    grid = alpha_range(space.facts)
    figure = alpha_figure(
        [str(name) for name in rows["layer"]], quartiles, low, high, grid[:2] if grid else None
    )
    caption = (
        (f"Top: median and middle half of the penalty over {who.partition(' (')[0]}; dashes are "
         "the ends of the grid. " if quartiles is not None else "")
        + "Bars: share of the choices for significant units that fell on the smallest or the "
        "largest value offered."
    )  # fmt: skip
    alt = "Penalties by layer; none was recorded for significant units."
    if np.isfinite(low).any():
        alt = (
            f"Share of penalties at the smallest value {np.nanmean(low):.1%}, at the largest "
            f"{np.nanmean(high):.1%}."
        )
    return Section(title, anchor, [picture(figure, alt=alt, caption=caption)])
