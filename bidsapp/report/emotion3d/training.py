"""How networks learned, and whether labels and volumes meet in time."""

from __future__ import annotations

import numpy as np

from bidsapp.report.emotion3d.figures.time import curves_figure, lags_figure
from bidsapp.report.emotion3d.read import LEAKY, SpaceStudy, Study
from bidsapp.report.html import Part, Prose, Section, picture
from bidsapp.report.results import rows_of, setting


def curves(space: SpaceStudy, suffix: str) -> Section | None:
    """Show learning curves, split by split."""
    table = space.table("curves")
    parts: list[Part] = []
    for split in space.splits:
        rows = rows_of(table, split=split.name)
        if rows.empty:
            continue
        n_networks = len(rows[["fold", "seed"]].drop_duplicates())
        caption = (
            f"{split.title}. Thin: {n_networks} networks (folds and seeds); thick: the mean of "
            "those that still train. Training loss is of augmented volumes with dropout, so it "
            "can lie above the other. The inner part decides when training stops (dots); test "
            "volumes are not in it."
        )
        alt = f"Loss and accuracy of {n_networks} networks over epochs, {split.title.lower()}."
        figure = curves_figure(rows, leaky=split.leaky)
        parts.append(picture(figure, alt=alt, caption=caption))
    return Section("Learning curves", f"curves{suffix}", parts) if parts else None


def _chance(space: SpaceStudy, *, leaky: bool) -> tuple[float, float] | None:
    """Central 95 % of the linear decoder's scores with labels shifted."""
    for split in space.splits:
        row = space.score(split, "linear")
        if split.leaky == leaky and row is not None and np.isfinite(row["low"]):
            return float(row["low"]), float(row["high"])
    return None


def lags(study: Study, space: SpaceStudy, suffix: str) -> Section | None:
    """Show the linear decoder's score over hemodynamic shifts."""
    table = space.table("lags")
    if table.empty:
        return None
    chosen = study.own_settings.get("shift_s", setting(space.facts, "shift_s"))
    best = table.iloc[int(np.nanargmax(table["balanced_accuracy"].to_numpy(float)))]
    intro = (
        "If labels and volumes meet, decoding is best a few seconds after the stimulus. The shift "
        "of the analysis was fixed beforehand; to choose the best one here and report its score "
        "would be circular. A peak at zero or far off says that clocks disagree."
    )
    leaky = bool("leaky" in table and (table["leaky"] == LEAKY).any())
    used = None if chosen is None else float(chosen)
    figure = lags_figure(table, used, _chance(space, leaky=leaky), leaky=leaky)
    caption = (
        f"Balanced accuracy of the linear decoder; largest at {best['lag_s']:g} s "
        f"({best['balanced_accuracy']:.2f})."
    )
    alt = caption
    parts: list[Part] = [Prose(intro), picture(figure, alt=alt, caption=caption)]
    return Section("Hemodynamic shift", f"lags{suffix}", parts)
