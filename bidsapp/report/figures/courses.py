"""What was played, and courses over time: responses, and scores over delays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200)
_MOST_TICKS = 12
_SCAN, _PLAYED, _SOUND = 2.0, 1.0, 0.0


@dataclass(frozen=True)
class Played:
    """One presentation in run time; all times in seconds.

    Attributes
    ----------
    piece
        Name of the sound.
    onset_s, duration_s
        When it was played.
    stim_start_s, sound_s
        Where in the sound file playing began, and the length of the file.
    used_s
        Start and end of the volumes that were analysed; None when there are none.
    envelope
        (n, 2): time in the sound file, loudness; None when unknown.
    """

    piece: str
    onset_s: float
    duration_s: float
    stim_start_s: float
    sound_s: float
    used_s: tuple[float, float] | None
    envelope: Array | None


@dataclass(frozen=True)
class RunTrack:
    """One run: its name, the length of its scan in seconds, and what was played."""

    name: str
    scan_s: float
    played: tuple[Played, ...]


@style.styled
def alignment_figure(runs: Sequence[RunTrack], colours: Mapping[str, str]) -> Figure:
    """Draw scan, presentations and sound for each run.

    Parameters
    ----------
    runs
        In order of acquisition.
    colours
        Colour of each piece.
    """
    figure = style.new_figure(9.0, 1.15 * len(runs) + 0.45)
    rows = figure.subplots(len(runs), 1, sharex=True, squeeze=False)[:, 0]
    low, high = _limits(runs)
    for axes, run in zip(rows, runs, strict=True):
        _run(axes, run, colours, high - low)
        axes.set_xlim(low, high)
    last = rows[-1]
    last.spines["bottom"].set_visible(True)
    last.tick_params(axis="x", length=3)
    last.xaxis.set_major_locator(MultipleLocator(tick_step_s(high - low)))
    last.xaxis.set_major_formatter(FuncFormatter(clock))
    last.set_xlabel("time in the run (min:s)")
    return figure


def clock(seconds: float, _position: int | None = None) -> str:
    """Write seconds as ``min:s``."""
    sign = style.MINUS if seconds < -0.5 else ""
    whole = round(abs(seconds))
    return f"{sign}{whole // 60}:{whole % 60:02d}"


def tick_step_s(span_s: float) -> float:
    """Choose a distance of ticks that reads well as minutes and seconds."""
    return next((step for step in _STEPS_S if span_s / step <= _MOST_TICKS), _STEPS_S[-1])


def _limits(runs: Sequence[RunTrack]) -> tuple[float, float]:
    starts = [0.0] + [p.onset_s - p.stim_start_s for run in runs for p in run.played]
    ends = [run.scan_s for run in runs]
    ends += [p.onset_s - p.stim_start_s + p.sound_s for run in runs for p in run.played]
    longest = max(run.scan_s for run in runs)
    low, high = max(min(starts), -0.25 * longest), min(np.nanmax(ends), 1.25 * longest)
    return low - 0.005 * longest, high + 0.005 * longest


def _run(axes: Axes, run: RunTrack, colours: Mapping[str, str], span_s: float) -> None:
    axes.barh(_SCAN, run.scan_s, height=0.42, color=style.FAINT)
    for played in run.played:
        colour = colours.get(played.piece, style.MUTED)
        if played.used_s is not None:
            start, end = played.used_s
            axes.barh(_SCAN, end - start, left=start, height=0.42, color=style.MUTED)
        look: dict[str, Any] = {"color": colour, "edgecolor": "white", "linewidth": 0.5}
        axes.barh(_PLAYED, played.duration_s, left=played.onset_s, height=0.55, **look)
        _label(axes, played, span_s)
        _sound(axes, played, colour)
    axes.set_yticks([_SCAN, _PLAYED, _SOUND], ["scan", "played", "sound"])
    axes.set_ylim(-0.5, 2.4)
    axes.set_title(run.name, pad=2, fontsize=8.5)
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)


def _label(axes: Axes, played: Played, span_s: float) -> None:
    room = int(110 * played.duration_s / span_s)
    if room >= 6:
        name = played.piece if len(played.piece) <= room else played.piece[: room - 1] + "…"
        look: dict[str, Any] = {"va": "center", "fontsize": 7.5, "color": "white", "clip_on": True}
        axes.text(played.onset_s + 0.006 * span_s, _PLAYED, name, **look)


def _sound(axes: Axes, played: Played, colour: str) -> None:
    origin = played.onset_s - played.stim_start_s
    axes.plot([origin, origin + played.sound_s], [_SOUND, _SOUND], color=colour, linewidth=0.6)
    if played.envelope is None or not len(played.envelope):
        return
    time, loudness = played.envelope.T
    half = 0.45 * loudness / max(float(np.nanmax(loudness)), 1e-12)
    heard = (time >= played.stim_start_s) & (time < played.stim_start_s + played.duration_s)
    for shown, strength in ((np.ones_like(heard), 0.25), (heard, 1.0)):
        height = np.where(shown, half, 0.0)
        look: dict[str, Any] = {"color": colour, "alpha": strength, "linewidth": 0}
        axes.fill_between(origin + time, _SOUND - height, _SOUND + height, **look)


@style.styled
def course_figure(
    time_s: Array,
    courses: Mapping[str, Array],
    components: Array,
    blocks: tuple[Sequence[str], Array],
    shown: int,
) -> Figure:
    """Draw regressors, prediction and response of one block, and the scores of all blocks.

    Parameters
    ----------
    time_s
        (n_volumes,) position in the sound in s.
    courses
        ``measured`` and ``predicted``, each (n_volumes,), standardised.
    components
        (n_components, n_volumes) regressors, standardised.
    blocks
        Piece of each block, and (n_blocks,) correlation of prediction and response in it.
    shown
        Number of the block that is drawn, from 0.
    """
    pieces, r = blocks
    names = list(dict.fromkeys(pieces))
    figure = style.new_figure(9.0, max(3.6, 1.2 + 0.24 * len(names)))
    grid = figure.add_gridspec(2, 2, width_ratios=[3, 1], height_ratios=[1, 1.6])
    design, lines = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    image = _design(design, time_s, components)
    place: dict[str, Any] = {"ax": [design, lines], "shrink": 0.36, "anchor": (0.0, 1.0)}
    style.colour_bar(figure, image, aspect=8, **place).set_label("z")
    lines.plot(time_s, courses["measured"], color=style.MUTED, linewidth=1.2, label="measured")
    lines.plot(
        time_s, courses["predicted"], color=style.POSITIVE, linewidth=1.6, label="predicted"
    )
    lines.axhline(0, color=style.FAINT, linewidth=0.8, zorder=0)
    lines.set_xlim(design.get_xlim())
    lines.set_xlabel("position in the sound (s)")
    lines.set_ylabel("BOLD (standardised)")
    lines.legend(loc="lower right", ncols=2, bbox_to_anchor=(1, 1), borderaxespad=0)
    _scores(figure.add_subplot(grid[:, 1]), names, pieces, r, shown)
    return figure


def _design(axes: Axes, time_s: Array, components: Array) -> AxesImage:
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0
    extent = (time_s[0] - step / 2, time_s[-1] + step / 2, len(components) + 0.5, 0.5)
    look: dict[str, Any] = {"cmap": style.signed_colours(), "interpolation": "nearest"}
    image = axes.imshow(components, aspect="auto", vmin=-3, vmax=3, extent=extent, **look)
    axes.set_yticks(range(1, len(components) + 1))
    axes.set_ylabel("regressor")
    axes.tick_params(length=0, labelbottom=False)
    return image


def _scores(axes: Axes, names: Sequence[str], pieces: Sequence[str], r: Array, shown: int) -> None:
    place = np.array([names.index(piece) for piece in pieces])
    axes.plot(r, place, "o", color=style.POSITIVE, alpha=0.7, markersize=5)
    axes.plot(r[shown], place[shown], "o", color="none", markeredgecolor=style.INK, markersize=9)
    axes.axvline(0, color=style.MUTED, linewidth=0.8)
    labels = style.short_layers(names) if len(names) <= 30 else []
    axes.set_yticks(range(len(names)) if labels else [], labels)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("r in each held-out block")
    style.quiet_grid(axes, "x")


@style.styled
def delay_figure(
    delays_s: NDArray[np.floating],
    scores: NDArray[np.floating],
    mean: NDArray[np.floating],
    span: tuple[float, float],
    x_label: str,
    y_label: str,
) -> Figure:
    """Draw one line per place or layer over delays, and what they have in common.

    Parameters
    ----------
    delays_s : array, (n_delays,)
    scores : array, (n_lines, n_delays)
    mean : array, (n_delays,)
        Drawn thick.
    span
        Delays that the model has, shaded.
    x_label, y_label
        Of the axes.
    """
    figure = style.new_figure(5.0, 3.0)
    axes = figure.add_subplot()
    axes.axvspan(*span, color=style.FAINT, alpha=0.5, zorder=0)
    axes.plot(delays_s, scores.T, color=style.MUTED, linewidth=0.5, alpha=0.5)
    axes.plot(delays_s, mean, "o-", color=style.POSITIVE, linewidth=2)
    axes.axhline(0, color=style.MUTED, linewidth=0.6)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    style.quiet_grid(axes)
    return figure
