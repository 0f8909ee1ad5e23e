"""How well each layer predicts: profile, null, parcels, pieces, penalties, ratings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bidsapp.report.distrust import edge_share
from bidsapp.report.figures.crossval import alpha_figure, piece_figure
from bidsapp.report.figures.null import NullData, null_figure
from bidsapp.report.figures.profile import Curve, ProfileData, layer_profile
from bidsapp.report.figures.ratings import RatingProfile, rating_figure
from bidsapp.report.html import (
    Cell,
    Column,
    Part,
    Prose,
    Section,
    Table,
    cell,
    number_text,
    p_text,
    picture,
)
from bidsapp.report.maps import Array
from bidsapp.report.methods import alpha_range, unit_word
from bidsapp.report.results import (
    NEGATIVE,
    POSITIVE,
    ModelResults,
    Results,
    SpaceResults,
    rows_of,
)

_TOP_PARCELS = 20
_TOP_IF_NONE = 10


def profile(space: SpaceResults, model: ModelResults, suffix: str) -> Section:
    """Layer profile over significant units, with reference lines."""
    chosen, who = _chosen_units(space, model)
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


def _chosen_units(space: SpaceResults, model: ModelResults) -> tuple[Array | None, str]:
    mask = model.significant
    word = unit_word(space)
    if mask is None or not mask.any():
        return None, f"all {word}, because no parcel is significant"
    text = f"the {number_text(float(mask.sum()), 0)} {word} in significant parcels"
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
        "Left: the best score of each parcel, and the score that the largest of all layers and "
        "parcels exceeds in 5 % of the circular shifts. Middle and right: what each shift "
        "produced, with the whole cross-validation refitted, and what was observed."
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
    )


def parcels(model: ModelResults, suffix: str) -> Section:
    """Return the best parcels."""
    rows = rows_of(model.summary, lags=POSITIVE)
    anchor, title = f"parcels{suffix}", "Parcels"
    if rows.empty:
        return Section(title, anchor, [Prose("No parcel table was written.")])
    shown = rows.sort_values("r_max", ascending=False).head(_TOP_PARCELS)
    smallest = float(rows["p"].min())
    columns = [
        Column("parcel"), Column("structure"), Column("x", True), Column("y", True),
        Column("z", True), Column("units", True), Column("best layer"), Column("layer no.", True),
        Column("centroid", True), Column("r", True), Column("p", True),
        Column("p family-wise", True), Column("q", True),
    ]  # fmt: skip
    caption = (
        f"The {len(shown)} parcels with the largest score, of {len(rows)}; coordinates of the "
        "centre in mm; r of the best layer; p over layers, p over layers and parcels, "
        "false discovery rate over parcels. Click a heading to sort."
    )
    body = [_parcel(row, smallest) for row in shown.to_dict("records")]
    return Section(title, anchor, [Table(columns, body, caption)])


def _parcel(row: dict[object, object], smallest: float) -> list[Cell]:
    def number(name: str, digits: int) -> Cell:
        return cell(row[name], digits)

    def probability(name: str) -> Cell:
        value = float(str(row[name]))
        return Cell(p_text(value, smallest), value if np.isfinite(value) else np.inf)

    label = row["parcel"]
    return [
        cell(label if isinstance(label, str) else number_text(float(str(label)), 0)),
        cell(str(row["structure"])), number("x", 0), number("y", 0), number("z", 0),
        number("n_units", 0), cell(str(row["best_layer"])), number("best_layer_index", 0),
        number("centroid", 1), number("r_max", 3), probability("p"), probability("p_fwe"),
        probability("q"),
    ]  # fmt: skip


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
    summary = rows_of(model.summary, lags=POSITIVE)
    passed = summary.loc[summary["p_fwe"] < 0.05, "parcel"]
    who = f"the {len(passed)} significant parcels"
    if passed.empty:
        passed = summary.nlargest(_TOP_IF_NONE, "r_max")["parcel"]
        who = f"the {len(passed)} parcels with the largest score (none is significant)"
    kept = rows[rows["parcel"].isin(passed)]
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
        chosen, who = _chosen_units(space, model)
        kept = alphas.values if chosen is None else alphas.values[:, chosen]
        kept = kept[:, np.isfinite(kept).any(axis=0)]
        if kept.shape[1]:
            quartiles = np.nanpercentile(kept, [25, 50, 75], axis=1)
    grid = alpha_range(space.facts)
    figure = alpha_figure(
        [str(name) for name in rows["layer"]], quartiles, low, high, grid[:2] if grid else None
    )
    caption = (
        (f"Top: median and middle half of the penalty over {who.partition(' (')[0]}; dashes are the "
         "ends of the grid. " if quartiles is not None else "")
        + "Bars: share of all choices that fell on the smallest or the largest value offered."
    )  # fmt: skip
    alt = f"Share of penalties at the smallest value {np.nanmean(low):.1%}, at the largest {np.nanmean(high):.1%}."
    return Section(title, anchor, [picture(figure, alt=alt, caption=caption)])


def ratings(results: Results) -> list[Section]:
    """Layer profiles of continuous ratings, one section per model."""
    tables = {name: table for name, table in results.ratings().items() if not table.empty}
    networks = {name: table for name, table in tables.items() if name != "baseline"} or tables
    sections = []
    for name, table in networks.items():
        profiles, layers = _rating_profiles(table)
        parts: list[Part] = []
        if profiles:
            parts.append(_rating_picture(profiles, layers))
        title = "Ratings" if len(networks) == 1 else f"Ratings ({name})"
        anchor = "ratings" if len(networks) == 1 else f"ratings-{name}"
        sections.append(Section(title, anchor, parts or [Prose("No rating could be predicted.")]))
    return sections


def _rating_picture(profiles: Sequence[RatingProfile], layers: Sequence[str]) -> Part:
    best = [
        f"{profile.title}: best {np.nanmax(profile.positive):.2f} in "
        f"{layers[int(np.nanargmax(profile.positive))]}"
        for profile in profiles
        if np.isfinite(profile.positive).any()
    ]
    caption = (
        "The same models with a continuous rating in place of the brain. Thin lines are single "
        "held-out pieces. There is one rating per piece: few independent samples, so only large "
        "differences between layers mean anything."
    )
    return picture(rating_figure(profiles, layers), alt="; ".join(best) + ".", caption=caption)


def _rating_profiles(table: pd.DataFrame) -> tuple[list[RatingProfile], list[str]]:
    order = table.drop_duplicates("layer_index").sort_values("layer_index")
    layers = [str(name) for name in order["layer"]]
    profiles = []
    for (name, rater), group in table.groupby(["rating", "rater"], sort=False, dropna=False):
        positive = rows_of(group, lags=POSITIVE)
        scores = _by_layer(rows_of(positive, piece="mean"), layers, "r")
        if scores is None:
            continue
        singles = {
            str(piece): values
            for piece, rows in positive[positive["piece"] != "mean"].groupby("piece", sort=False)
            if (values := _by_layer(rows, layers, "r")) is not None
        }
        negative = _by_layer(rows_of(group, lags=NEGATIVE, piece="mean"), layers, "r")
        p = _by_layer(rows_of(positive, piece="mean"), layers, "p")
        title = f"{name} ({rater})" if isinstance(rater, str) else str(name)
        profiles.append(RatingProfile(title, scores, negative, p, singles))
    return profiles, layers


def _by_layer(rows: pd.DataFrame, layers: Sequence[str], column: str) -> Array | None:
    if rows.empty or column not in rows:
        return None
    unique = rows.drop_duplicates("layer").set_index("layer")[column]
    return unique.reindex(list(layers)).to_numpy(dtype=float)
