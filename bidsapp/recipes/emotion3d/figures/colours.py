"""Colours of classes and decoders, and the stamp on whatever is leaky."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from bidsapp.recipes.emotion3d.names import BRAIN, CONTROLS, LEAKY
from bidsapp.report.figures import style

RED = "#a3231f"
DARK_SHARE = 0.6
"""Share above which text on `SHARES` is white."""
SHARES = LinearSegmentedColormap.from_list("shares", ["#ffffff", "#9cc3e0", "#0b5c94"])
_PALE_RED = "#fdf1f0"


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """Give each class a colour that any colour vision tells apart from the first eight."""
    if len(classes) <= len(style.PIECES):
        return dict(zip(classes, style.PIECES, strict=False))
    wheel = mpl.colormaps["turbo"]
    places = [(k + 0.5) / len(classes) for k in range(len(classes))]
    return {
        name: mpl.colors.to_hex(wheel(place)) for name, place in zip(classes, places, strict=True)
    }


def decoder_colour(decoder: str) -> str:
    """Return blue for the network, green for linear ones, orange where no brain is seen."""
    if decoder == "cnn":
        return style.POSITIVE
    if decoder in BRAIN:
        return "#2a7f62"
    return style.NEGATIVE if decoder in CONTROLS else style.MUTED


def entitle(axes: Axes, title: str, *, leaky: bool, size: float = 26) -> None:
    """Write the title; where axes show what is leaky, in red and with a stamp across them."""
    axes.set_title(title, color=RED if leaky else style.INK)
    if leaky:
        stamp(axes, size=size)


def stamp(axes: Axes, *, size: float = 26) -> None:
    """Write LEAKY large across axes."""
    axes.set_facecolor(_PALE_RED)
    axes.text(
        0.5, 0.5, LEAKY, transform=axes.transAxes, ha="center", va="center", rotation=20,
        fontsize=size, weight="bold", color=RED, alpha=0.35, zorder=5,
    )  # fmt: skip
