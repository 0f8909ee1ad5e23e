"""Pictures of a cross-validation: models, confusion, calibration, and Grad-CAM of windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.models.harmonic.names import QUADRANTS

Rows = Sequence[Mapping[str, object]]

_MEASURED, _CHANCE, _CEILING = "#1f5a8a", "#8a8a8a", "#b5562d"


def emotion_figure(
    scores: Rows, confusion: Rows, calibration: Rows, *, folds: str, agreement: float
) -> Figure:
    """Draw the scores of all models, and confusion and calibration of the first.

    Parameters
    ----------
    scores, confusion, calibration
        Rows of the tables.
    folds
        Words about the folds, for the title.
    agreement
        Agreement of raters; NaN if unknown.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels.
    """
    figure = Figure((11.0, 1.4 + 0.34 * max(6, len(scores))), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.5, 1.0, 1.0))
    _models(left, scores, agreement)
    first = str(scores[0]["model"])
    _confusion(middle, [row for row in confusion if row["model"] == first], first)
    _calibration(right, [row for row in calibration if row["model"] == first], first)
    figure.suptitle(
        f"{scores[0]['n_windows']:,} windows of {scores[0]['n_songs']:,} songs, {folds}",
        fontsize=10,
    )
    return figure


def _models(axes: Axes, scores: Rows, agreement: float) -> None:
    places = np.arange(len(scores))[::-1]
    values = [_value(row, "macro_f1") for row in scores]
    low, high = ([_value(row, f"macro_f1_{end}") for row in scores] for end in ("low", "high"))
    chance = [_value(row, "chance_macro_f1") for row in scores]
    axes.hlines(places, low, high, color=_MEASURED, linewidth=1.5)
    axes.plot(values, places, "o", color=_MEASURED, markersize=5, label="95 % interval over songs")
    axes.plot(chance, places, "|", color=_CHANCE, markersize=10, label="permutation chance")
    if np.isfinite(agreement):
        axes.axvline(
            agreement, color=_CEILING, linewidth=1, label="second panel of raters (accuracy)"
        )
    labels = [f"{row['model']} ({row['n_parameters']:,})" for row in scores]
    axes.set_yticks(places, labels, fontsize=8)
    axes.set_xlabel("macro F1")
    axes.set_title("Models (fitted numbers)", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2
    )


def _confusion(axes: Axes, rows: Rows, model: str) -> None:
    counts = np.array([[_value(row, name) for name in QUADRANTS] for row in rows])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for i, j in np.ndindex(counts.shape):
        colour = "white" if shares[i, j] > 0.55 else "black"
        axes.text(j, i, f"{counts[i, j]:.0f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(QUADRANTS)), QUADRANTS, fontsize=8)
    axes.set_yticks(range(len(QUADRANTS)), QUADRANTS, fontsize=8)
    axes.set_xlabel("predicted quadrant")
    axes.set_ylabel("rated quadrant")
    axes.set_title(f"Windows of {model}", fontsize=9)


def _calibration(axes: Axes, rows: Rows, model: str) -> None:
    confidence = [_value(row, "confidence") for row in rows]
    accuracy = [_value(row, "accuracy") for row in rows]
    sizes = np.array([_value(row, "n_windows") for row in rows])
    axes.plot([0, 1], [0, 1], color=_CHANCE, linewidth=0.8)
    axes.plot(confidence, accuracy, color=_MEASURED, linewidth=1)
    axes.scatter(confidence, accuracy, 10 + 80 * sizes / sizes.max(), color=_MEASURED)
    axes.set_xlim(0.2, 1.0)
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel("probability of the predicted quadrant")
    axes.set_ylabel("share predicted correctly")
    axes.set_title(f"Calibration of {model}", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _value(row: Mapping[str, object], name: str) -> float:
    return float(row[name])  # type: ignore[arg-type]


def gradcam_figure(
    titles: Sequence[str],
    mel_db: npt.NDArray[np.float32],
    maps: npt.NDArray[np.float64],
    window_s: float,
) -> Figure:
    """Draw the spectrograms of some windows above their Grad-CAM on the mel bands.

    Parameters
    ----------
    titles
        One per window.
    mel_db
        (n, n_bands, n_times) in dB.
    maps
        (n, n_bands, n_times) from `bidsapp.models.harmonic.explain.on_spectrogram`; NaN at bands
        that no filter sees.
    window_s
        Length of a window in seconds.

    Returns
    -------
    matplotlib.figure.Figure
        One column per window; all windows share their scales.
    """
    figure = Figure((2.6 * len(titles) + 1.2, 5.0), layout="constrained")
    panels = figure.subplots(2, len(titles), squeeze=False, sharex=True, sharey=True)
    extent = (0.0, window_s, 0.0, float(mel_db.shape[1]))
    common: dict[str, Any] = {"aspect": "auto", "origin": "lower", "extent": extent}
    for column, title in enumerate(titles):
        above, below = panels[:, column]
        level = above.imshow(mel_db[column], vmin=-70, vmax=20, cmap="gray_r", **common)
        largest = float(np.nanmax(maps)) or 1.0
        below.set_facecolor("#dddddd")
        bright = below.imshow(maps[column], vmin=0, vmax=largest, cmap="magma", **common)
        above.set_title(title, fontsize=8)
        below.set_xlabel("s")
    for first in panels[:, 0]:
        first.set_ylabel("mel band")
    figure.colorbar(level, ax=panels[0], label="dB", pad=0.01)
    figure.colorbar(bright, ax=panels[1], label="Grad-CAM", pad=0.01)
    return figure
