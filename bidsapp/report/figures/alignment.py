"""What met what in time: scan, presentations and sound of each run on one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

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
