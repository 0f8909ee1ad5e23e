"""How well each layer predicts: profile, null, parcels, pieces, penalties, ratings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bidsapp.report.figures.null import NullData, null_figure
from bidsapp.report.figures.profile import Curve, ProfileData, layer_profile
from bidsapp.report.html import (
    Cell,
    Prose,
    Section,
    Table,
    cell,
    columns,
    p_cell,
    picture,
    plural,
)
from bidsapp.report.maps import Array
from bidsapp.report.participant_methods import unit_words
from bidsapp.report.results import (
    NEGATIVE,
    POSITIVE,
    ModelResults,
    SpaceResults,
    rows_of,
)

_TOP_PARCELS = 20


def profile(space: SpaceResults, model: ModelResults, suffix: str) -> Section:
    """Layer profile over significant units, with reference lines."""
    chosen, who = chosen_units(space, model)
    curves = {lags: _curve(model, lags, chosen) for lags in (POSITIVE, NEGATIVE)}
    if curves[POSITIVE] is None:
        return Section(
            "Layer profile", f"profile{suffix}", [Prose("No layer scores were written.")]
        )
    layers = model.layers
    data = ProfileData(
        layers=[str(name) for name in layers["layer"]],
        kinds=[str(kind) for kind in layers.get("kind", [""] * len(layers))],
        positive=curves[POSITIVE],
        negative=curves[NEGATIVE],
        baselines=_baselines(space, chosen),
        ceiling=_mean(space.ceiling, chosen),
        explained=_column(layers, "explained_variance"),
    )
    caption = (
        f"Score of each layer over {who}. Solid: mean; dotted: median; band: middle half of the "
        "units. Grey dashes: mean score of the acoustic baselines in the same units. Shaded "
        "columns group the stages of the network; markers are layer kinds (circle convolution, "
        "triangle ReLU, diamond pooling, plus fully connected, square input and output). Bars: "
        "variance of the layer that its components keep."
    )
    alt = _profile_words(data)
    return Section("Layer profile", f"profile{suffix}",
                   [picture(layer_profile(data), alt=alt, caption=caption)])  # fmt: skip


def chosen_units(space: SpaceResults, model: ModelResults) -> tuple[Array | None, str]:
    """Return the significant units (None: all, when there are none), and who that is in words."""
    mask = model.significant
    if mask is None or not mask.any():
        return None, f"all {unit_words(space)[1]}, because no parcel is significant"
    text = f"the {plural(mask.sum(), *unit_words(space))} in significant parcels"
    return mask, f"{text} (chosen by these scores: read the shape, not the height)"


def _curve(model: ModelResults, lags: str, chosen: Array | None) -> Curve | None:
    scores = model.scores(lags)
    if scores is None:
        return None
    return Curve.over_units(scores.values if chosen is None else scores.values[:, chosen])


def _baselines(space: SpaceResults, chosen: Array | None) -> dict[str, float]:
    if space.baseline is None:
        return {}
    scores = space.baseline.scores(POSITIVE)
    if scores is None:
        return {}
    names = [str(name) for name in space.baseline.layers["layer"]]
    means = [_mean(row, chosen) for row in scores.values]
    return {name: mean for name, mean in zip(names, means, strict=False) if mean is not None}


def _mean(values: Array | None, chosen: Array | None) -> float | None:
    if values is None:
        return None
    kept = values if chosen is None else values[chosen]
    finite = kept[np.isfinite(kept)]
    return float(finite.mean()) if finite.size else None


def _column(table: pd.DataFrame, name: str) -> Array | None:
    return table[name].to_numpy(dtype=float) if name in table else None


def _profile_words(data: ProfileData) -> str:
    if data.positive is None or not np.isfinite(data.positive.mean).any():
        return "Layer profile without finite scores."
    best, worst = int(np.nanargmax(data.positive.mean)), int(np.nanargmin(data.positive.mean))
    words = (
        f"Mean score by layer: highest {data.positive.mean[best]:.3f} in {data.layers[best]}, "
        f"lowest {data.positive.mean[worst]:.3f} in {data.layers[worst]}"
    )
    if data.negative is not None:
        words += f"; at negative lags at most {np.nanmax(data.negative.mean):.3f}"
    named = ", ".join(f"{name} {value:.3f}" for name, value in data.baselines.items())
    return f"{words}; baselines: {named}." if named else f"{words}."


def null(model: ModelResults, suffix: str) -> Section:
    """Observed parcel scores beside what circular shifts produce."""
    anchor, title = f"null{suffix}", "Scores against their null"
    positive = _null_data(model, POSITIVE)
    if positive is None:
        return Section(title, anchor, [Prose("No null distribution was written.")])
    negative = _null_data(model, NEGATIVE)
    passed = int(np.sum(positive.observed > positive.threshold))
    caption = (
        "Left: the best score of each parcel, and the score above which a parcel is significant, "
        "corrected over layers and parcels. Middle and right: what each circular shift produced, "
        "with the whole cross-validation refitted, and what was observed."
    )
    alt = (
        f"Histogram of {len(positive.observed)} parcel scores; {passed} exceed the family-wise "
        f"threshold of {positive.threshold:.3f}; the null maximum has median "
        f"{np.nanmedian(positive.null_max):.3f}."
    )
    figure = null_figure(positive, negative)
    return Section(title, anchor, [picture(figure, alt=alt, caption=caption)])


def _null_data(model: ModelResults, lags: str) -> NullData | None:
    observed, shifts = rows_of(model.summary, lags=lags), rows_of(model.null, lags=lags)
    if observed.empty or (shifts.empty and lags == POSITIVE):
        return None
    scores = rows_of(model.parcels, lags=lags)
    return NullData(
        observed["r_max"].to_numpy(dtype=float),
        shifts["max_r"].to_numpy(dtype=float) if "max_r" in shifts else np.array([]),
        float(scores["r"].mean()) if not scores.empty else np.nan,
        _column(shifts, "mean_r"),
        model.level,
    )


def parcels(model: ModelResults, suffix: str) -> Section:
    """Return the best parcels."""
    rows = rows_of(model.summary, lags=POSITIVE)
    anchor, title = f"parcels{suffix}", "Parcels"
    if rows.empty:
        return Section(title, anchor, [Prose("No parcel table was written.")])
    shown = rows.sort_values("r_max", ascending=False).head(_TOP_PARCELS)
    heads = columns(
        "parcel", "structure", "x#", "y#", "z#", "units#", "best layer", "centroid#", "r#", "p#",
        "p family-wise#", "q#",
    )  # fmt: skip
    n_shifts = model.null["shift"].nunique() if "shift" in model.null else 0
    bound = f"With {n_shifts} shifts no p is below {1 / (n_shifts + 1):.2g}. " if n_shifts else ""
    caption = (
        f"The {len(shown)} parcels with the largest score, of {len(rows)}; coordinates of the "
        "centre in mm; r of the best layer; p over layers, p over layers and parcels, "
        f"false discovery rate over parcels. {bound}Click a heading to sort."
    )
    body = [_parcel(row) for row in shown.to_dict("records")]
    return Section(title, anchor, [Table(heads, body, caption)])


def _parcel(row: dict[Any, Any]) -> list[Cell]:
    """Make one line of the parcel table; the best layer is sorted by its depth."""
    best = Cell(f"{row['best_layer_index']:.0f} {row['best_layer']}", row["best_layer_index"])
    digits = {"x": 0, "y": 0, "z": 0, "n_units": 0}
    return [
        cell(str(row["parcel"])),
        cell(str(row["structure"])),
        *(cell(row[name], number) for name, number in digits.items()),
        best,
        cell(row["centroid"], 1),
        cell(row["r_max"], 3),
        *(p_cell(row[name]) for name in ("p", "p_fwe", "q")),
    ]
