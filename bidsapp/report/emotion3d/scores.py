"""How well each decoder does, beside chance and beside decoders that see no brain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bidsapp.report.emotion3d.figures.scores import (
    Scored,
    SplitScores,
    null_figure,
    scores_figure,
)
from bidsapp.report.emotion3d.read import (
    BALANCED,
    DECODERS,
    LEAKY,
    SpaceStudy,
    SplitInfo,
)
from bidsapp.report.html import (
    Cell,
    Note,
    Notes,
    Part,
    Prose,
    Section,
    Table,
    cell,
    columns,
    number_text,
    p_cell,
    picture,
)
from bidsapp.results.cautions import Severity
from bidsapp.stats.classification import wilson_interval

_LINES = {"majority": "always the most frequent class", "prior": "drawn from class shares"}


def scores(space: SpaceStudy, suffix: str) -> Section | None:
    """Compare all decoders under all splits in one figure and one table."""
    splits = [split for split in space.splits if space.decoders(split)]
    if not splits:
        return None
    shown = [_shown(space, split) for split in splits]
    n_classes = max(len(space.classes), 1)
    caption = (
        "Each dot is a decoder's balanced accuracy on held-out volumes. The grey band is the "
        "central 95 % of what the same decoder scores when the labels are shifted in time and "
        "everything is fitted again, its tick the mean: that is chance. A network is worth its "
        "cost if it lies beyond its own band, beyond the linear decoder on the same volumes, and "
        "beyond decoders that see no brain."
    )
    parts: list[Part] = [
        Notes([_meaning(split) for split in splits]),
        picture(scores_figure(shown, n_classes), alt=_words(shown), caption=caption),
        *(_table(space, split) for split in splits),
    ]
    title = "Scores in new participants" if space.is_group else "Scores"
    return Section(title, f"scores{suffix}", parts)


def _meaning(split: SplitInfo) -> Note:
    title = f"{split.title}." if not split.leaky else f"{split.title}. Do not report it."
    note = split.note.removeprefix(f"{LEAKY}: ")
    same = split.name == "leave_participant_out"
    severity: Severity = "serious" if split.leaky else "caution" if same else "note"
    return Note(severity, title, note[:1].upper() + note[1:])


def _shown(space: SpaceStudy, split: SplitInfo) -> SplitScores:
    lines = {}
    for decoder, title in _LINES.items():
        row = space.score(split, decoder)
        if row is not None and np.isfinite(row["value"]):
            lines[title] = float(row["value"])
    found = [observed(space, split, name) for name in space.decoders(split) if name not in _LINES]
    return SplitScores(split.title, split.leaky, found, lines)


def observed(space: SpaceStudy, split: SplitInfo, decoder: str) -> Scored:
    """Return the balanced accuracy of a decoder with its chance; NaN where unknown."""
    row = space.score(split, decoder)
    if row is None:
        return Scored(decoder, np.nan)
    return Scored(decoder, *(float(row[name]) for name in ("value", "low", "high", "chance", "p")))


def _words(shown: list[SplitScores]) -> str:
    told = []
    for split in shown:
        each = ", ".join(
            f"{DECODERS.get(one.decoder, one.decoder)} {one.value:.2f}"
            + (f" (chance {one.chance:.2f})" if np.isfinite(one.chance) else "")
            for one in split.scores
        )
        told.append(f"{split.title}: {each}.")
    return " ".join(told)


def _table(space: SpaceStudy, split: SplitInfo) -> Table:
    heads = columns("decoder", "balanced accuracy#", "chance (95 %)#", "p#",
                    "accuracy (Wilson)#", "macro F1#")  # fmt: skip
    caption = (
        f"{split.title}: scores of held-out volumes, pooled over folds. Wilson's interval of the "
        "accuracy takes volumes as independent and is too narrow."
    )
    return Table(heads, list(_rows(space, split)), caption)


def _rows(space: SpaceStudy, split: SplitInfo) -> Iterator[list[Cell]]:
    for decoder in space.decoders(split):
        row = space.score(split, decoder)
        if row is None:
            continue
        accuracy, f1 = (space.score(split, decoder, name) for name in ("accuracy", "macro_f1"))
        yield [
            cell(DECODERS[decoder]), cell(row["value"], 3),
            _around(row["chance"], row["low"], row["high"]), p_cell(float(row["p"])),
            _wilson(accuracy, real=decoder != "prior"),
            cell(None if f1 is None else f1["value"], 3),
        ]  # fmt: skip


def _wilson(row: pd.Series | None, *, real: bool) -> Cell:
    """Accuracy with Wilson's interval, if it is of real predictions."""
    if row is None:
        return cell(None)
    if not real or not row["n_volumes"] > 0:
        return cell(row["value"], 3)
    n = np.array([row["n_volumes"]])
    low, high = wilson_interval(np.rint(row["value"] * n), n)
    return _around(float(row["value"]), float(low[0]), float(high[0]))


def _around(value: float, low: float, high: float) -> Cell:
    if not np.isfinite(low):
        return cell(value, 3)
    between = f"{low:.2f} \u2013 {high:.2f}"
    return Cell(f"{number_text(value, 3)} ({between})", value)


def chance(space: SpaceStudy, suffix: str) -> Section | None:
    """Show the scores with shifted labels of each decoder that was tested."""
    panels = []
    for split in (*space.honest, *(split for split in space.splits if split.leaky)):
        for decoder in space.decoders(split):
            null = space.nulls(split, decoder)
            if len(null) and not split.leaky:
                several = len(space.honest) > 1
                title = DECODERS[decoder] + (f", {split.short}" if several else "")
                panels.append((title, null, observed(space, split, decoder)))
    if not panels:
        return None
    one_over = 1 / max(len(space.classes), 1)
    intro = (
        f"Chance is measured, not taken to be 1/K = {one_over:.2f}. Classes come in stretches, "
        "runs differ in what they contain, and a decoder trained without a run has learned the "
        "other runs' shares. So the labels are moved along each run, keeping their stretches, and "
        "the whole cross-validation is fitted again, shift by shift."
    )
    smallest = 1 / (max(len(null) for _, null, _ in panels) + 1)
    caption = (
        "Grey: balanced accuracy with shifted labels. Line: with the true ones. p = (b + 1)/(m + "
        f"1), so no p here is below {smallest:.2g}."
    )
    figure = null_figure(panels)
    alt = f"Histograms of {BALANCED.replace('_', ' ')} with shifted labels, {len(panels)} panels."
    parts: list[Part] = [Prose(intro), picture(figure, alt=alt, caption=caption)]
    return Section("Chance", f"chance{suffix}", parts)
