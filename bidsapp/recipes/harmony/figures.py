"""Figures of `harmony`: emotion and Grad-CAM of a sound over time, unique contributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.models.harmonic.names import PITCH_CLASSES, QUADRANTS
from bidsapp.recipes.harmony.listen import Spectrogram
from bidsapp.report.figures import style

_MOST_COLUMNS = 1200
_TICKS_HZ = (200, 500, 1000, 2000, 5000, 10000)
QUADRANT_COLOURS = ("#e08a1e", "#b3364c", "#3c5a9a", "#4f9a5b")
"""Of Q1 exuberance, Q2 anxiety, Q3 sadness, Q4 contentment."""
QUADRANT_WORDS = ("Q1 exuberance", "Q2 anxiety", "Q3 sadness", "Q4 contentment")


def sound_figure(
    course: pd.DataFrame, gradcam: pd.DataFrame, spectrogram: Spectrogram | None = None
) -> Figure:
    """Draw the quadrants, spectrogram, Grad-CAM and consonance of one sound over time.

    Parameters
    ----------
    course, gradcam
        Rows of one sound of the tables of these names.
    spectrogram
        With Grad-CAM on it; None for a figure without it.

    Returns
    -------
    matplotlib.figure.Figure
        Panels that share time in the sound, in seconds.
    """
    heights = (1.2, 1.6, 1.2, 1.0) if spectrogram is not None else (1.2, 1.2, 1.0)
    figure = Figure((9.0, 1.8 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    top, *shown, middle, bottom = panels
    time_s = course["time_s"].to_numpy(float)
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0
    span = time_s[0] - step / 2, time_s[-1] + step / 2
    _draw_quadrants(top, course)
    if spectrogram is not None:
        _draw_spectrogram(shown[0], spectrogram, span)
    maps = gradcam[list(PITCH_CLASSES)].to_numpy(float).T
    extent = (*span, len(maps) - 0.5, -0.5)
    image = middle.imshow(maps, aspect="auto", extent=extent, cmap="magma", vmin=0)
    middle.set_yticks(range(len(PITCH_CLASSES)), PITCH_CLASSES, fontsize=7)
    middle.set_ylabel("pitch class")
    figure.colorbar(image, ax=middle, label="Grad-CAM", pad=0.01)
    for name, colour in (("roughness", "#b3364c"), ("harmonicity", "#3c5a9a")):
        bottom.plot(time_s, _standardised(course[name]), color=colour, label=name, linewidth=1)
    bottom.axhline(0, color="#999999", linewidth=0.6)
    bottom.set_ylabel("z in this sound")
    bottom.set_xlabel("time in the sound (s)")
    style.legend_above(bottom, fontsize=7)
    bottom.set_xlim(0.0, span[1] if spectrogram is None else max(span[1], spectrogram.duration_s))
    for axes in (top, bottom):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_quadrants(axes: Axes, course: pd.DataFrame) -> None:
    """Stack the probabilities of the quadrants over time."""
    shares = [course[name].to_numpy(float) for name in QUADRANTS]
    axes.stackplot(
        course["time_s"].to_numpy(float), *shares, colors=QUADRANT_COLOURS, labels=QUADRANT_WORDS
    )
    axes.set_ylim(0, 1)
    axes.set_ylabel("probability")
    axes.legend(ncols=4, frameon=False, fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _draw_spectrogram(axes: Axes, spectrogram: Spectrogram, span: tuple[float, float]) -> None:
    """Draw a spectrogram in grey, and Grad-CAM in colour on the bands that filters see."""
    n_rows, n_times = spectrogram.values.shape
    whole = (0.0, spectrogram.duration_s, -0.5, n_rows - 0.5)
    values = spectrogram.values[:, :: max(1, n_times // _MOST_COLUMNS)]
    axes.imshow(values, aspect="auto", extent=whole, cmap="gray_r", origin="lower")
    laid = spectrogram.gradcam
    largest = np.nanmax(laid) or 1.0
    opacity = np.clip(np.nan_to_num(laid) / largest, 0, 1)
    axes.imshow(
        np.nan_to_num(laid),
        aspect="auto",
        extent=(*span, -0.5, n_rows - 0.5),
        cmap="autumn_r",
        origin="lower",
        alpha=opacity,
        interpolation="nearest",
    )
    places = np.interp(_TICKS_HZ, spectrogram.hz, np.arange(n_rows))
    axes.set_yticks(places, [f"{hz:g}" for hz in _TICKS_HZ], fontsize=7)
    axes.set_ylim(-0.5, n_rows - 0.5)
    axes.set_ylabel("Hz")


def plane_figure(courses: pd.DataFrame) -> Figure:
    """Draw the path of each sound in the plane of predicted valence and arousal.

    Parameters
    ----------
    courses
        The table of this name.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure((5.6, 5.0), layout="constrained")
    axes = figure.subplots()
    for number, (piece, own) in enumerate(courses.groupby("piece", sort=True)):
        x, y = own["valence"].to_numpy(float), own["arousal"].to_numpy(float)
        colour = f"C{number % 10}"
        axes.plot(x, y, color=colour, linewidth=0.7, alpha=0.5)
        axes.plot(x.mean(), y.mean(), "o", color=colour, markersize=6, clip_on=False)
        if number < 10:
            axes.annotate(_short(piece), (x.mean(), y.mean()), fontsize=7, xytext=(5, 3),
                          textcoords="offset points")  # fmt: skip
    axes.axhline(0, color="#999999", linewidth=0.6)
    axes.axvline(0, color="#999999", linewidth=0.6)
    axes.set_xlim(-1, 1)
    axes.set_ylim(-1, 1)
    for (right, high), words in zip(
        ((0.97, 0.95), (-0.97, 0.95), (-0.97, -0.97), (0.97, -0.97)), QUADRANT_WORDS, strict=True
    ):
        side = "right" if right > 0 else "left"
        axes.text(right, high, words, fontsize=7, color="#666666", ha=side)
    axes.set_xlabel("predicted valence")
    axes.set_ylabel("predicted arousal")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def unique_figure(parcels: pd.DataFrame) -> Figure:
    """Draw the score of the joint model of each parcel against that of acoustics alone.

    Parameters
    ----------
    parcels
        The table of unique contributions.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure((8.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    alone, joint = (parcels[name].to_numpy(float) for name in ("r_acoustics", "r_joint"))
    both = np.concatenate([alone, joint])
    low, high = float(np.nanmin(both)), float(np.nanmax(both))
    left.plot([low, high], [low, high], color="#999999", linewidth=0.8)
    left.plot(alone, joint, "o", color="#1f5a8a", markersize=3, alpha=0.7)
    left.set_xlabel("r of acoustics alone")
    left.set_ylabel("r of harmony and acoustics")
    unique = parcels[["unique_harmony", "unique_acoustics"]].to_numpy(float)
    edges = np.histogram_bin_edges(unique[np.isfinite(unique)], 30)
    for name, colour in (("unique_harmony", "#1f5a8a"), ("unique_acoustics", "#b5562d")):
        values = parcels[name].to_numpy(float)
        label = name.replace("_", " to ")
        right.hist(values[np.isfinite(values)], edges, color=colour, alpha=0.6, label=label)
    right.axvline(0, color="#999999", linewidth=0.8)
    right.set_xlabel("unique contribution (difference of r)")
    right.set_ylabel("parcels")
    style.legend_above(right, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _standardised(values: Any) -> Any:
    x = np.asarray(values, float)
    return (x - x.mean()) / (x.std() or 1.0)


def _short(name: Any) -> str:
    text = str(name).rpartition("/")[2].rpartition(".")[0] or str(name)
    return text if len(text) <= 22 else f"{text[:20]}…"
