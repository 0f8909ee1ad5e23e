"""The response of the best predicted parcel beside its prediction."""

from __future__ import annotations

import pandas as pd

from bidsapp.report.figures.courses import course_figure
from bidsapp.report.html import Section, number_text, picture
from bidsapp.results.kinds import Table

_MOST_VOLUMES = 300


def peak_section(frame: pd.DataFrame, declared: Table, suffix: str = "") -> Section | None:
    """Draw prediction, response and regressors of the block whose score is the median.

    Parameters
    ----------
    frame
        One row per held-out volume; columns are those of `declared`.
    declared
        Its declaration.
    suffix
        Of the anchor.

    Returns
    -------
    Section or None
        None when nothing was predicted.
    """
    scores = frame.groupby("block", sort=True)[["r", "piece"]].first()
    finite = scores["r"].dropna().sort_values(kind="stable")
    if finite.empty:
        return None
    block = finite.index[(len(finite) - 1) // 2]
    rows = frame[frame["block"] == block].iloc[:_MOST_VOLUMES]
    first = rows.iloc[0]
    components = [name for name in frame.columns if name.startswith("component_")]
    figure = course_figure(
        rows["stim_time_s"].to_numpy(float),
        {name: rows[name].to_numpy(float) for name in ("measured", "predicted")},
        rows[components].to_numpy(float).T,
        ([str(name) for name in scores["piece"]], scores["r"].to_numpy(float)),
        list(scores.index).index(block),
    )
    r = number_text(float(first["r"]), 2)
    mean = number_text(float(scores["r"].mean()), 2)
    caption = (
        f"Parcel {first['parcel']:.0f}, layer {first['layer']}: the largest score (mean r = "
        f"{mean}; chosen for it, so inflated). Shown is {first['piece']}, held out, whose r = {r} "
        "is the median of all blocks, circled on the right. Top: the first regressors of the "
        "layer as they enter the model. Bottom: cleaned BOLD of the parcel and its prediction."
    )
    alt = (
        f"Predicted and measured BOLD in {first['piece']}: r = {r}; over blocks from "
        f"{number_text(float(finite.iloc[0]), 2)} to {number_text(float(finite.iloc[-1]), 2)}."
    )
    return Section(declared.title, f"peak{suffix}", [picture(figure, alt=alt, caption=caption)])
