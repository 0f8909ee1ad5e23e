"""One look for all figures, and how they become bytes.

Figures are made through the object interface: pyplot, its state and its windows play no part.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]
P = ParamSpec("P")
T = TypeVar("T")

INK = "#1c2127"
MUTED = "#66707b"
FAINT = "#d9dee3"
POSITIVE = "#0b5c94"
NEGATIVE = "#c05a1c"
CEILING = "#6a4c93"
#: told apart with any colour vision (Okabe and Ito), dark enough for thin lines on white
PIECES = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#a6761d", "#56b4e9", "#332288", "#7f7f7f")
DPI = 130
_LEVELS = 64
MINUS = "\u2212"
DASHES = (0, (4, 2))
"""Of lines that are no data."""

_MEASURED = "DejaVu Sans"  # comes with matplotlib; wide, so that other fonts fit as well
_SHOWN = "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif"

_STYLE: dict[str, Any] = {
    "font.family": [_MEASURED],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "path.simplify": True,
}


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Run a drawing function in the house style, leaving matplotlib's settings alone."""

    @functools.wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with mpl.rc_context(cast(Any, _STYLE)):
            return draw(*args, **kwargs)

    return wrapper


def new_figure(width_in: float = 9.0, height_in: float = 3.2) -> Figure:
    """Make an empty figure that arranges its axes by itself; sizes in inches."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


@styled
def to_png(figure: Figure, dpi: int = DPI) -> bytes:
    """Render a figure as PNG; 64 levels per channel, which no eye misses, pack a third smaller."""
    buffer, small = io.BytesIO(), io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, pil_kwargs={"compress_level": 1})
    colours = np.asarray(Image.open(buffer).convert("RGB"))
    coarse = np.rint(colours / 255 * (_LEVELS - 1)) * (255 / (_LEVELS - 1))
    Image.fromarray(np.rint(coarse).astype(np.uint8)).save(small, format="png", optimize=True)
    return small.getvalue()


@styled
def to_svg(figure: Figure) -> bytes:
    """Render a figure as SVG whose text stays text, identical for identical figures."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue().replace(f"'{_MEASURED}'".encode(), _SHOWN.encode())


def layer_colours(n_layers: int) -> ListedColormap:
    """Sequential, perceptually uniform colours, one for each layer from shallow to deep."""
    viridis = mpl.colormaps["viridis"]
    return ListedColormap(viridis(np.linspace(0.0, 1.0, max(n_layers, 1))), name="layers")


def score_colours() -> Colormap:
    """Sequential, perceptually uniform colours for correlations; no black, no white."""
    inferno = mpl.colormaps["inferno"]
    return LinearSegmentedColormap.from_list("scores", inferno(np.linspace(0.12, 0.96, 256)))


def signed_colours() -> Colormap:
    """Diverging colours for values whose sign matters; grey-white at zero."""
    return mpl.colormaps["RdBu_r"]


def short_layers(names: Sequence[str]) -> list[str]:
    """Abbreviate long layer names for tick labels."""
    return [name if len(name) <= 12 else f"{name[:11]}…" for name in names]


def legend_above(axes: Axes, **options: Any) -> None:
    """Put the legend above the panel, where it hides no data."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, ncols=3, **options)


def colour_bar(
    figure: Figure,
    image: ScalarMappable,
    title: str = "",
    ticks: Mapping[float, str] | None = None,
    length: float = 2,
    **place: Any,
) -> Colorbar:
    """Add a bar of colours without a frame.

    Parameters
    ----------
    figure, image
        Where, and whose colours.
    title
        Above the bar.
    ticks
        Value → text; round numbers by default.
    length
        Of the ticks.
    **place
        As `Figure.colorbar` takes it.
    """
    bar = figure.colorbar(image, **place)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=length, labelsize=7)
    if ticks is not None:
        bar.set_ticks(list(ticks), labels=list(ticks.values()))
        bar.ax.minorticks_off()
    if title:
        bar.ax.set_title(title, fontsize=8, weight="normal", loc="left", pad=4)
    return bar


def key(colour: str, label: str, marker: str = "o", **look: Any) -> Line2D:
    """Return the entry of a legend for dots, or other marks."""
    return Line2D([], [], linestyle="", marker=marker, color=colour, label=label, **look)


def slant(axes: Axes, names: Sequence[str], rotation: float = 45, **look: Any) -> None:
    """Write names below the columns of a panel, numbered from 0, aslant."""
    places = range(len(names))
    axes.set_xticks(places, names, rotation=rotation, ha="right", rotation_mode="anchor", **look)


def bare(axes: Axes) -> None:
    """Take ticks and frame away."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def short_sound(name: str, most: int = 14) -> str:
    """Name a sound in little room.

    Examples
    --------
    >>> short_sound("music/lullaby.flac")
    'lullaby'
    """
    folderless = name.rpartition("/")[2]
    for extension in (".wav", ".flac", ".mp3", ".ogg"):
        folderless = folderless.replace(extension, "")
    return folderless if len(folderless) <= most else f"{folderless[: most - 1]}…"


def tiles(
    n: int,
    n_columns: int,
    row_in: float,
    more_in: float = 0.0,
    *,
    width_in: float = 9.0,
    shared: bool = False,
) -> tuple[Figure, Array]:
    """Make a figure with `n` axes in rows; those that the last row has too many are off.

    Parameters
    ----------
    n, n_columns
        Axes, and how many a row has.
    row_in, more_in, width_in
        Height of a row, what the figure has beside the rows, and its width, in inches.
    shared
        Whether all have the same x and y.

    Returns
    -------
    Figure
        Empty.
    (n_rows, n_columns) array
        Its axes.
    """
    n_rows = -(-n // n_columns)
    figure = new_figure(width_in, row_in * n_rows + more_in)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharex=shared, sharey=shared)
    for axes in grid.ravel()[n:]:
        axes.axis("off")
    return figure, grid


def quiet_grid(axes: Axes, axis: str = "y") -> None:
    """Light guide lines behind the data."""
    axes.grid(True, axis=axis, color=FAINT, linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
