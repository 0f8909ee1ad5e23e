"""Sections on scores: all decoders beside chance, class by class, and stated probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from bidsapp.recipes.emotion3d import results as declared
from bidsapp.recipes.emotion3d.figures.decoders import (
    Confusion,
    Recalls,
    Reliability,
    Scored,
    SplitScores,
    confusion_figure,
    decoder_colour,
    recall_figure,
    reliability,
    reliability_figure,
    scores_figure,
)
from bidsapp.recipes.emotion3d.names import BRAIN, DECODERS, LEAKY, PREDICTED, SplitInfo
from bidsapp.recipes.emotion3d.report.view import BALANCED, EmotionView
from bidsapp.report.figures.nulls import NullPanel, in_rows, null_figure
from bidsapp.report.figures.style import Array
from bidsapp.report.html import (
    Cell,
    Notes,
    Part,
    Prose,
    Section,
    Table,
    cell,
    p_cell,
    p_text,
    picture,
)
from bidsapp.report.tables import Row, choose, interval, rows_of, table
from bidsapp.results.cautions import Caution, Severity
from bidsapp.results.kinds import Column

_LINES = {"majority": "always the most frequent class", "prior": "drawn from class shares"}
_FEW = 3
_COLUMNS = (
    *choose(declared.SCORES.columns, "decoder"),
    Column("value", title="balanced accuracy"),
    Column("chance", title="chance (95 %)"),
    *choose(declared.SCORES.columns, "p"),
    Column("accuracy", title="accuracy"),
    Column("macro_f1", title="macro F1"),
)
_CALIBRATION = (
    *choose(declared.SCORES.columns, "decoder"),
    Column("split", text=True),
    Column("log_loss", title="log-loss", unit="nats"),
    Column("calibration_error"),
    Column("n_volumes", title="volumes", digits=0),
)


def decoder_cell(row: Row) -> Cell:
    """Show the title of a row's decoder."""
    return cell(DECODERS[str(row["decoder"])].title)


def scores(view: EmotionView) -> Section:
    """Compare all decoders under all splits in one figure and one table each."""
    panels = [_panel(view, split) for split in view.splits]
    caption = (
        "Each dot is a decoder's balanced accuracy on held-out volumes. The grey band is the "
        "central 95 % of what the same decoder scores when the labels are shifted in time and "
        "everything is fitted again, its tick the mean: that is chance. A network is worth its "
        "cost if it lies beyond its own band, beyond the linear decoder on the same volumes, and "
        "beyond decoders that see no brain."
    )
    figure = scores_figure(panels, len(view.classes))
    parts: list[Part] = [
        Notes([_meaning(split) for split in view.splits]),
        picture(figure, alt=_alt(panels), caption=caption),
        *(_table(view, split) for split in view.splits),
    ]
    title = "Scores in new participants" if view.is_group else "Scores"
    return view.section(title, "scores", *parts)


def _meaning(split: SplitInfo) -> Caution:
    title = f"{split.title}." if not split.leaky else f"{split.title}. Do not report it."
    note = split.note.removeprefix(f"{LEAKY}: ")
    same = split.name == "leave_participant_out"
    severity: Severity = "serious" if split.leaky else "caution" if same else "note"
    return Caution(severity, title, note[:1].upper() + note[1:])


def _panel(view: EmotionView, split: SplitInfo) -> SplitScores:
    lines = {
        title: float(row["value"])
        for decoder, title in _LINES.items()
        if (row := view.score(split, decoder)) is not None and np.isfinite(row["value"])
    }
    decoders = [name for name in view.decoders(split) if name not in _LINES]
    scored = [observed(view, split, name) for name in decoders]
    return SplitScores(split.title, split.leaky, scored, lines)


def observed(view: EmotionView, split: SplitInfo, decoder: str) -> Scored:
    """Return the balanced accuracy of a decoder with its chance; NaN where unknown."""
    row = view.score(split, decoder)
    assert row is not None
    values = {name: float(row[name]) for name in ("value", "low", "high", "chance", "p")}
    return Scored(decoder, **values, n_draws=len(view.nulls(split, decoder)))


def _alt(panels: Sequence[SplitScores]) -> str:
    sentences = []
    for split in panels:
        each = ", ".join(
            f"{DECODERS[item.decoder].title} {item.value:.2f}"
            + (f" (chance {item.chance:.2f})" if np.isfinite(item.chance) else "")
            for item in split.scores
        )
        sentences.append(f"{split.title}: {each}.")
    return " ".join(sentences)


def _table(view: EmotionView, split: SplitInfo) -> Table:
    caption = f"{split.title}: scores of held-out volumes, pooled over folds."
    rows = rows_of(view.scores, split=split.name)
    frame = rows[rows["measure"] == BALANCED].set_index("decoder")
    for measure in ("accuracy", "macro_f1"):
        frame[measure] = rows[rows["measure"] == measure].set_index("decoder")["value"]
    frame = frame.reindex(view.decoders(split)).reset_index()
    frame["smallest_p"] = 1 / (frame["n_shifts"] + 1)
    cells = {"decoder": decoder_cell, "chance": interval("chance", "low", "high")}
    return table(frame, _COLUMNS, caption, cells=cells, floor="smallest_p")


def chance(view: EmotionView) -> Section | None:
    """Show the scores with shifted labels of each decoder that was tested."""
    panels = []
    for split in view.honest:
        for decoder in view.decoders(split):
            null = view.nulls(split, decoder)
            if null:
                title = DECODERS[decoder].title
                title += f", {split.short}" if len(view.honest) > 1 else ""
                panels.append(_null_panel(title, null, observed(view, split, decoder)))
    if not panels:
        return None
    intro = (
        f"Chance is measured, not taken to be 1/K = {1 / len(view.classes):.2f}. Classes come in "
        "segments, runs differ in what they contain, and a decoder trained without a run has "
        "learned the other runs' shares. So the labels are moved along each run, keeping their "
        "segments, and the whole cross-validation is fitted again, shift by shift."
    )
    most = max(len(panel.null) for panel in panels)
    caption = (
        "Grey: balanced accuracy with shifted labels. Line: with the true ones. p = (b + 1)/(m + "
        f"1), so the smallest possible p is {p_cell(1 / (most + 1)).text}."
    )
    figure = null_figure(in_rows(panels, 2 if len(panels) in (2, 4) else 3), "balanced accuracy")
    alt = f"Histograms of balanced accuracy with shifted labels, {len(panels)} panels."
    parts: list[Part] = [Prose(intro), picture(figure, alt=alt, caption=caption)]
    return view.section("Chance", "chance", *parts, *view.claim("label_shift"))


def _null_panel(title: str, null: Sequence[float], scored: Scored) -> NullPanel:
    words = f"{p_text(scored.p, len(null))}, {len(null)} shifts"
    colour = decoder_colour(scored.decoder)
    return NullPanel(title, np.array(null), scored.value, words, colour)


# ------------------------------------------------------------------ class by class


def confusion(view: EmotionView) -> Section:
    """Show the predicted classes of the volumes of each class."""
    pooled = view.pooled(view.confusion)
    tables = [
        Confusion(_title(view, split, decoder), counts, split.name, split.leaky)
        for split in view.splits
        for decoder in BRAIN
        if (counts := confusion_counts(pooled, split, decoder, view.classes)) is not None
    ]
    caption = (
        "Rows: the true class; columns: the predicted class. Colour is the share of the row, "
        "the number counts volumes; a dash marks a class that never occurs."
    )
    alt = f"Confusion matrices of {len(tables)} decoders: " + "; ".join(
        f"{item.title.replace(chr(10), ', ')}, {np.trace(item.counts):.0f} of "
        f"{item.counts.sum():.0f} correct"
        for item in tables
    )
    figure = confusion_figure(tables, view.classes)
    return view.section("Confusions", "confusions", picture(figure, alt=alt, caption=caption))


def _title(view: EmotionView, split: SplitInfo, decoder: str) -> str:
    name = DECODERS[decoder].title
    return name if len(view.splits) == 1 else f"{name}\n{split.short}"


def confusion_counts(
    frame: pd.DataFrame, split: SplitInfo, decoder: str, classes: Sequence[str]
) -> Array | None:
    """Return volumes of true by predicted class, (n_classes, n_classes); None without rows."""
    rows = rows_of(frame, split=split.name, decoder=decoder)
    if rows.empty:
        return None
    wide = rows.pivot_table(index="true", columns="predicted", values="n", aggfunc="sum")
    return np.asarray(
        wide.reindex(index=list(classes), columns=list(classes)).fillna(0).to_numpy(float)
    )


def recall(view: EmotionView) -> Section:
    """Show how often each class was recognised."""
    panels = {}
    for split in view.splits:
        rows = [rows_of(view.recall, split=split.name, decoder=decoder) for decoder in BRAIN]
        recalls = [_recalls(item, view.classes) for item in rows if not item.empty]
        panels[split.title] = (split.leaky, recalls)
    caption = (
        "Share of the volumes of each class that were recognised, with its 95 % interval over "
        "stretches of one class (over participants where they are pooled); none for fewer than "
        "five."
    )
    alt = "Recall of each class: " + ", ".join(view.classes) + "."
    figure = recall_figure(panels, view.classes)
    drawn = picture(figure, alt=alt, caption=caption)
    return view.section("Recall of each class", "recall", drawn)


def _recalls(rows: pd.DataFrame, classes: Sequence[str]) -> Recalls:
    by_class = rows.set_index("class").reindex(list(classes))
    value, low, high = (by_class[name].to_numpy(float) for name in ("recall", "low", "high"))
    return Recalls(str(rows["decoder"].iloc[0]), value, low, high)


# ------------------------------------------------------------------ stated probabilities


def calibration(view: EmotionView) -> Section | None:
    """Compare stated probabilities with how often they were right."""
    diagrams = list(_reliabilities(view))
    if not diagrams:
        return None
    caption = (
        "Held-out volumes in bins of the probability that the decoder gave to the class it chose; "
        "circles grow with the number of volumes. On the dashed line "
        "a probability of 0.7 is right in 70 % of the volumes; below it the decoder is too sure "
        "of itself."
    )
    alt = f"Reliability diagrams of {len(diagrams)} decoders."
    of_table = (
        "Log-loss and calibration error on held-out volumes. Knowing only how frequent the "
        f"classes are has a log-loss of about {_entropy(view):.2f}; more is worse than that."
    )
    cells = {
        "decoder": decoder_cell,
        "split": lambda row: cell(SplitInfo(str(row["split"])).title),
    }
    kept = view.scores[view.scores["decoder"].isin(PREDICTED)]
    index = ["split", "decoder"]
    frame = kept[kept["measure"] == "log_loss"].set_index(index)
    for measure in ("log_loss", "calibration_error"):
        frame[measure] = kept[kept["measure"] == measure].set_index(index)["value"]
    parts: list[Part] = [
        picture(reliability_figure(diagrams), alt=alt, caption=caption),
        table(frame.reset_index(), _CALIBRATION, of_table, cells=cells),
    ]
    return view.section("Calibration", "calibration", *parts)


def _entropy(view: EmotionView) -> float:
    """Entropy of the shares of the classes, nats."""
    rows = rows_of(view.recall, split=view.splits[0].name, decoder="linear")
    n = rows["n"].to_numpy(float)
    share = n[n > 0] / n.sum()
    return float(-(share * np.log(share)).sum())


def _reliabilities(view: EmotionView) -> Iterator[Reliability]:
    predictions = view.table(declared.PREDICTIONS)
    names = [f"p_{name}" for name in view.classes]
    for split in view.splits:
        for decoder in PREDICTED:
            rows = rows_of(predictions, split=split.name, decoder=decoder)
            rows = rows[rows["label"].notna()]
            if len(rows) < _FEW:
                continue
            largest = rows[names].to_numpy(float).max(axis=1)
            correct = (rows["label"] == rows["predicted"]).to_numpy()
            yield reliability(decoder, largest, correct, leaky=split.leaky)


def separability(view: EmotionView) -> list[Part]:
    """Tabulate how far classes lie apart in the hidden layer."""
    rows = rows_of(view.scores, measure="silhouette")
    if rows.empty:
        return [Prose("Separability of the classes was not tested.")]
    columns = (
        Column("split", text=True),
        Column("value", title="silhouette"),
        Column("chance", title="with labels shifted (95 %)"),
        *choose(declared.SCORES.columns, "p", "n_shifts"),
    )
    cells = {
        "split": lambda row: cell(SplitInfo(str(row["split"])).title),
        "chance": interval("chance", "low", "high"),
    }
    caption = (
        "Separability: mean silhouette over folds, 1 for tight classes far apart, 0 for none, "
        "below 0 for classes inside each other"
    )
    rows = rows.assign(smallest_p=1 / (rows["n_shifts"] + 1))
    made = table(rows, columns, caption, cells=cells, floor="smallest_p")
    return [made, *view.claim("label_shift_hidden")]
