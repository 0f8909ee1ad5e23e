"""Continuous ratings in place of the brain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bidsapp.report.figures.ratings import RatingProfile, rating_figure
from bidsapp.report.html import Part, Prose, Section, picture
from bidsapp.report.maps import Array
from bidsapp.report.results import BASELINE, NEGATIVE, POSITIVE, Results, rows_of


def ratings(results: Results) -> list[Section]:
    """Layer profiles of continuous ratings, one section per model."""
    tables = {name: table for name, table in results.ratings().items() if not table.empty}
    networks = {name: table for name, table in tables.items() if name != BASELINE} or tables
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
