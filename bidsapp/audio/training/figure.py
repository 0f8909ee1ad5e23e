"""The picture of a tagger's scores: one line per tag."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.audio.training.evaluation import TagScore, mean_scores

_LINE_IN, _MARGIN_IN, _WIDTH_IN = 0.19, 1.4, 8.0
_MEASURED, _CHANCE, _MEAN = "#0072b2", "#8a8a8a", "#d55e00"


def tag_figure(scores: Sequence[TagScore], judged: str) -> Figure:
    """Draw ROC-AUC and PR-AUC of every tag, best told on top.

    Parameters
    ----------
    scores
        One per tag.
    judged
        Which clips were judged, for the title.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels that share their lines; chance in grey, the mean over tags as a line.
    """
    order = sorted(scores, key=lambda score: (np.isfinite(score.roc_auc), score.roc_auc))
    figure = Figure((_WIDTH_IN, _MARGIN_IN + _LINE_IN * max(4, len(order))), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    means = mean_scores(scores)
    chance = [score.n_tagged / score.n_clips for score in order]
    _panel(left, [s.roc_auc for s in order], [0.5] * len(order), means[0], "ROC-AUC")
    _panel(right, [s.pr_auc for s in order], chance, means[1], "PR-AUC (average precision)")
    left.set_yticks(range(len(order)), [f"{s.tag} ({s.n_tagged})" for s in order], fontsize=8)
    left.set_ylim(-0.7, len(order) - 0.3)
    left.set_ylabel("tag (its clips)")
    left.set_xlim(min(0.45, np.nanmin([0.45, *(s.roc_auc for s in order)]) - 0.02), 1.01)
    right.set_xlim(-0.01, 1.01)
    figure.suptitle(
        f"{len(order)} tags, {order[0].n_clips} {judged}: mean ROC-AUC {means[0]:.3f}, "
        f"PR-AUC {means[1]:.3f}",
        fontsize=10,
    )
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def _panel(
    axes: Axes, values: Sequence[float], chance: Sequence[float], mean: float, label: str
) -> None:
    rows = np.arange(len(values))
    axes.hlines(rows, chance, values, color=_CHANCE, linewidth=0.8)
    axes.plot(chance, rows, "|", color=_CHANCE, label="chance")
    axes.plot(values, rows, "o", color=_MEASURED, markersize=4, label="measured")
    axes.axvline(mean, color=_MEAN, linewidth=1.0, zorder=1, label="mean over tags")
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", linewidth=0.4, alpha=0.5)
