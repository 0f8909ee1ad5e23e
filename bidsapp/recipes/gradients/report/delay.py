"""How late the responses of a participant come."""

from __future__ import annotations

import numpy as np

from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.report.participant_view import ParticipantView
from bidsapp.report.figures.delays import delay_figure
from bidsapp.report.html import Section, picture, plural

_TOP = 10


def delay(view: ParticipantView) -> Section | None:
    """Draw scores at single lags of the parcels that are predicted; None where not computed."""
    rows = view.table(declared.DELAY).dropna(subset=["r"])
    if rows.empty:
        return None
    passed = view.passed["parcel"] if len(view.passed) else None
    by_lag = rows.pivot_table(index="parcel", columns="lag_s", values="r")
    chosen = by_lag.loc[by_lag.index.isin(passed)] if passed is not None else by_lag.iloc[:0]
    who = f"the {plural(len(chosen), 'significant parcel')}"
    if chosen.empty:
        chosen = by_lag.loc[by_lag.max(axis=1).nlargest(_TOP).index]
        who = f"the {plural(len(chosen), 'parcel')} with the largest score (none is significant)"
    best = chosen.idxmax(axis=1)
    model = [float(lag) for lag in view.results.setting("lags_s")]
    words = (
        f"Scores of {who} with music at one single lag, in the layer that is best at all lags "
        f"together. Thick: mean. Grey: lags of the model ({min(model):g} to {max(model):g} s). "
        f"Half of these parcels are best at {best.median():g} s or later. Slow music makes "
        "neighbouring lags alike; nothing was tested."
    )
    figure = delay_figure(
        chosen.columns.to_numpy(float),
        chosen.to_numpy(),
        np.nanmean(chosen.to_numpy(), axis=0),
        (min(model), max(model)),
        "lag of the response behind the music (s)",
        "r",
    )
    low, high = best.quantile([0.25, 0.75])
    alt = f"Best lag: median {best.median():g} s, middle half from {low:g} to {high:g} s."
    return view.section("Haemodynamic delay", "delay", picture(figure, alt=alt, caption=words))
