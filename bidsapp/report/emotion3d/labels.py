"""What was to be decoded: counts of each run and class, and where they lie in time."""

from __future__ import annotations

import pandas as pd

from bidsapp.report.emotion3d.figures.colours import class_colours
from bidsapp.report.emotion3d.figures.time import RunLabels, timeline_figure
from bidsapp.report.emotion3d.read import DECODERS, SpaceStudy, SplitInfo
from bidsapp.report.html import Part, Prose, Section, Table, cell, columns, picture
from bidsapp.report.results import rows_of, short_run

_SHOWN = ("cnn", "linear")


def labels(space: SpaceStudy, suffix: str) -> Section | None:
    """Show the labels of each run, beside what decoders said of volumes they had not seen."""
    if space.labels.empty:
        return None
    parts: list[Part] = [Prose(_intro(space))]
    split = space.honest[0] if space.honest else None
    if split is not None and not space.predictions.empty:
        parts += _timeline(space, split)
    return Section("Labels", f"labels{suffix}", [*parts, _counts(space)])


def _intro(space: SpaceStudy) -> str:
    table = space.labels
    volumes, blocks = int(table["n_volumes"].sum()), int(table["n_blocks"].sum())
    return (
        f"{volumes} volumes have a class, in {blocks} stretches of one class each. Volumes of one "
        "stretch are alike for many reasons; the number of stretches is nearer to the number of "
        "independent samples. A class that lives in one run only cannot be learned when this run "
        "is held out."
    )


def _timeline(space: SpaceStudy, split: SplitInfo) -> list[Part]:
    table = rows_of(space.predictions, split=split.name)
    if table.empty or "participant" in table:
        return []
    runs = [_run(str(name), rows) for name, rows in table.groupby("run", sort=False)]
    figure = timeline_figure(runs, class_colours(space.classes))
    caption = (
        "Classes along each run: the labels, and below them what decoders said of the same "
        f"volumes when they were held out ({split.title.lower()}). "
        "Decoders also judge volumes without a label; those do not count."
    )
    alt = f"Class labels over time in {len(runs)} runs, with predictions below."
    return [picture(figure, alt=alt, caption=caption)]


def _run(name: str, rows: pd.DataFrame) -> RunLabels:
    first = rows[rows["decoder"] == rows["decoder"].iloc[0]].sort_values("volume")
    predicted = {
        _short(decoder): rows[rows["decoder"] == decoder]
        .set_index("volume")["predicted"]
        .reindex(first["volume"])
        .astype(object)
        .where(lambda found: found.notna(), None)
        .tolist()
        for decoder in _SHOWN
        if (rows["decoder"] == decoder).any()
    }
    true = first["label"].astype(object).where(first["label"].notna(), None).tolist()
    return RunLabels(short_run(name), first["time_s"].to_numpy(float), true, predicted)


def _short(decoder: str) -> str:
    return DECODERS[decoder].partition(",")[0]


def _counts(space: SpaceStudy) -> Table:
    table, names = space.labels, space.classes
    heads = columns("run", *(f"{name}#" for name in names), "labelled#", "stretches#")
    rows = []
    for run, mine in table.groupby("run", sort=False):
        counts = mine.set_index("class")["n_volumes"]
        rows.append(
            [
                cell(short_run(run)),
                *(cell(float(counts.get(name, 0)), 0) for name in names),
                cell(float(mine["n_volumes"].sum()), 0),
                cell(float(mine["n_blocks"].sum()), 0),
            ]
        )
    both = table.groupby("class")[["n_volumes", "n_blocks"]].sum()
    for title, column in (("volumes, all runs", "n_volumes"), ("stretches, all runs", "n_blocks")):
        total = both[column]
        rows.append(
            [
                cell(title),
                *(cell(float(total.get(name, 0)), 0) for name in names),
                cell(float(both["n_volumes"].sum()) if column == "n_volumes" else None, 0),
                cell(float(both["n_blocks"].sum()) if column == "n_blocks" else None, 0),
            ]
        )
    return Table(heads, rows, "Labelled volumes of each run and class")
