"""Class by class: confusions, recalls, and whether stated probabilities can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bidsapp.report.emotion3d.figures.classes import (
    Confusion,
    Recalls,
    Reliability,
    confusion_figure,
    recall_figure,
    reliability,
    reliability_figure,
)
from bidsapp.report.emotion3d.read import BRAIN, DECODERS, SpaceStudy, SplitInfo
from bidsapp.report.html import Part, Section, Table, cell, columns, picture
from bidsapp.report.maps import Array
from bidsapp.report.results import rows_of

_FEW = 3


def confusion(space: SpaceStudy, suffix: str) -> Section | None:
    """Show what each class was taken for."""
    tables = [
        Confusion(_title(space, split, decoder), counts, split.name, split.leaky)
        for split in space.splits
        for decoder in BRAIN
        if (counts := confusion_counts(space.confusion, split, decoder, space.classes)) is not None
    ]
    if not tables:
        return None
    caption = (
        "Rows: the true class; columns: what it was taken for. Colour is the share of the row, "
        "the number counts volumes; a dash marks a class that never occurs."
    )
    alt = f"Confusion matrices of {len(tables)} decoders: " + "; ".join(
        f"{table.title.replace(chr(10), ', ')}, {np.trace(table.counts):.0f} of "
        f"{table.counts.sum():.0f} correct"
        for table in tables
    )
    figure = confusion_figure(tables, space.classes)
    return Section(
        "Confusions", f"confusions{suffix}", [picture(figure, alt=alt, caption=caption)]
    )


def _title(space: SpaceStudy, split: SplitInfo, decoder: str) -> str:
    name = DECODERS[decoder]
    return name if len(space.splits) == 1 else f"{name}\n{split.short}"


def confusion_counts(
    table: pd.DataFrame, split: SplitInfo, decoder: str, classes: tuple[str, ...]
) -> Array | None:
    """(n_classes, n_classes) volumes of true by predicted class; None without rows."""
    rows = rows_of(table, split=split.name, decoder=decoder)
    if rows.empty:
        return None
    wide = rows.pivot_table(index="true", columns="predicted", values="n", aggfunc="sum")
    return np.asarray(wide.reindex(index=classes, columns=classes).fillna(0).to_numpy(float))


def recall(space: SpaceStudy, suffix: str) -> Section | None:
    """Show how often each class was recognised."""
    panels = {}
    for split in space.splits:
        found = [
            _recalls(rows, decoder, space.classes)
            for decoder in BRAIN
            if not (rows := rows_of(space.recall, split=split.name, decoder=decoder)).empty
        ]
        if found:
            panels[split.title] = (split.leaky, found)
    if not panels:
        return None
    caption = (
        "Share of the volumes of each class that were recognised, with Wilson's 95 % interval. "
        "These intervals take volumes as independent, which neighbours in time are not: they are "
        "too narrow."
    )
    alt = "Recall of each class: " + ", ".join(space.classes) + "."
    figure = recall_figure(panels, space.classes)
    return Section(
        "Recall of each class", f"recall{suffix}", [picture(figure, alt=alt, caption=caption)]
    )


def _recalls(rows: pd.DataFrame, decoder: str, classes: tuple[str, ...]) -> Recalls:
    by_class = rows.set_index(rows["class"].map(str)).reindex(list(classes))
    value, low, high = (by_class[name].to_numpy(float) for name in ("recall", "low", "high"))
    return Recalls(decoder, value, low, high)


def calibration(space: SpaceStudy, suffix: str) -> Section | None:
    """Compare stated probabilities with how often they were right."""
    found = list(_reliabilities(space))
    if not found:
        return None
    caption = (
        "Held-out volumes in bins of the probability that the decoder gave to the class it chose; "
        "circles grow with the number of volumes, bars are Wilson's intervals. On the dashed line "
        "a probability of 0.7 is right in 70 % of the volumes; below it the decoder is too sure "
        "of itself."
    )
    alt = f"Reliability diagrams of {len(found)} decoders."
    heads = columns("decoder", "split", "log-loss (nats)#", "calibration error#", "volumes#")
    rows = [
        [
            cell(DECODERS[decoder]), cell(split.title),
            *(cell(_value(space, split, decoder, name), 3)
              for name in ("log_loss", "calibration_error")),
            cell(_value(space, split, decoder, "log_loss", "n_volumes"), 0),
        ]
        for split in space.splits
        for decoder in ("cnn", "linear")
        if space.score(split, decoder, "log_loss") is not None
    ]  # fmt: skip
    told = (
        "Log-loss and calibration error on held-out volumes. Knowing only how frequent the "
        f"classes are has a log-loss of about {_entropy(space):.2f}; more is worse than that."
    )
    parts: list[Part] = [picture(reliability_figure(found), alt=alt, caption=caption),
             Table(heads, rows, told)]  # fmt: skip
    return Section("Calibration", f"calibration{suffix}", parts)


def _value(
    space: SpaceStudy, split: SplitInfo, decoder: str, measure: str, column: str = "value"
) -> float | None:
    row = space.score(split, decoder, measure)
    return None if row is None or column not in row else float(row[column])


def _entropy(space: SpaceStudy) -> float:
    """Entropy of the shares of the classes, nats."""
    counts = rows_of(space.recall, split=space.splits[0].name, decoder="linear")
    n = counts["n"].to_numpy(float) if "n" in counts else np.empty(0)
    share = n[n > 0] / max(n.sum(), 1)
    return float(-(share * np.log(share)).sum())


def _reliabilities(space: SpaceStudy) -> Iterator[Reliability]:
    table = space.predictions
    names = [f"p_{name}" for name in space.classes]
    if table.empty or any(name not in table for name in names):
        return
    for split in space.splits:
        for decoder in ("cnn", "linear"):
            rows = rows_of(table, split=split.name, decoder=decoder)
            rows = rows[rows["label"].notna()]
            if len(rows) < _FEW:
                continue
            largest = rows[names].to_numpy(float).max(axis=1)
            correct = (rows["label"].map(str) == rows["predicted"].map(str)).to_numpy()
            yield reliability(decoder, largest, correct, leaky=split.leaky)
