"""When each clip was heard, run by run, and which volumes became items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from bidsapp.recipes.rsa.figures.matrices import short_clip
from bidsapp.report.figures import style
from bidsapp.report.figures.alignment import clock, tick_step_s

_CHARACTERS = 105  # of a label over the whole width


@dataclass(frozen=True)
class Heard:
    """One hearing of a clip; times in the run in seconds, `used_s` of its items."""

    clip: str
    onset_s: float
    duration_s: float
    used_s: tuple[float, float] | None


@dataclass(frozen=True)
class Track:
    """One run: its name, the length of its scan in seconds, and what was heard."""

    name: str
    scan_s: float
    heard: tuple[Heard, ...]


@style.styled
def timeline_figure(tracks: Sequence[Track], colours: Mapping[str, str]) -> Figure:
    """Draw one line per run.

    Parameters
    ----------
    tracks
        In order of acquisition.
    colours
        Colour of each clip.
    """
    figure = style.new_figure(9.0, 0.52 * len(tracks) + 1.0)
    axes = figure.subplots()
    longest = max(track.scan_s for track in tracks)
    for line, track in enumerate(tracks):
        axes.barh(line + 0.3, track.scan_s, height=0.14, color=style.FAINT)
        for heard in track.heard:
            _hearing(axes, line, heard, colours.get(heard.clip, style.MUTED), longest)
    axes.set_yticks(range(len(tracks)), [track.name for track in tracks])
    axes.set_ylim(len(tracks) - 0.45, -0.5)
    axes.set_xlim(0, longest)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MultipleLocator(tick_step_s(longest)))
    axes.xaxis.set_major_formatter(FuncFormatter(clock))
    axes.set_xlabel("time in the run (min:s)")
    handles = [Patch(color=style.FAINT, label="scan"),
               Patch(color=style.INK, label="volumes that became items")]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper right", ncols=2)
    return figure


def _hearing(axes: Axes, line: int, heard: Heard, colour: str, longest: float) -> None:
    axes.barh(line, heard.duration_s, left=heard.onset_s, height=0.42, color=colour)
    if heard.used_s is not None:
        start, end = heard.used_s
        axes.barh(line + 0.3, end - start, left=start, height=0.14, color=style.INK)
    room = int(_CHARACTERS * heard.duration_s / longest)
    name = short_clip(heard.clip)
    if room >= 4:
        text = name if len(name) <= room else f"{name[: room - 1]}…"
        axes.text(heard.onset_s + 0.004 * longest, line, text, va="center", fontsize=7,
                  color="white", clip_on=True)  # fmt: skip
