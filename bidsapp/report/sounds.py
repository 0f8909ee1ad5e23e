"""Players of sounds in a page, alone or below a picture whose time axis follows them."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure


def player(mp3: bytes, label: str, *, width: str) -> Markup:
    """Return a player with its sound.

    Parameters
    ----------
    mp3
        The sound.
    label
        Names it for readers who cannot see the page.
    width
        CSS length.
    """
    data = base64.b64encode(mp3).decode("ascii")
    return Markup(
        '<audio controls preload="none" style="width:{}" aria-label="{}" '
        'src="data:audio/mpeg;base64,{}"></audio>'
    ).format(width, label, data)


@dataclass(frozen=True)
class TimedSound:
    """A player below a picture, and where its time is in the picture.

    Attributes
    ----------
    markup
        The player.
    left, right
        Where the time axis begins and ends, as shares of the picture's width.
    start_s, stop_s
        Times of the sound at both ends, in seconds.
    """

    markup: Markup
    left: float
    right: float
    start_s: float
    stop_s: float


def timed_sound(figure: Figure, mp3: bytes, label: str) -> TimedSound:
    """Put a sound below a figure whose first axes have its time, in seconds, as abscissa.

    Parameters
    ----------
    figure
        Laid out by this function; not to be changed afterwards.
    mp3
        The sound, from time 0.
    label
        Names it.
    """
    figure.draw_without_rendering()
    axes = figure.axes[0]
    place = axes.get_position()
    start_s, stop_s = (float(edge) for edge in axes.get_xlim())
    markup = player(mp3, label, width="100%")
    return TimedSound(markup, float(place.x0), float(place.x1), start_s, stop_s)
