"""Layer profiles of continuous ratings, of a participant and of a group."""

from __future__ import annotations

from collections.abc import Sequence

from bidsapp.report.figures.layers import Panel, best_words, is_known, panels_figure
from bidsapp.report.html import Part, Prose, picture
from bidsapp.report.methods import enumerated


def rating_panels(
    panels: Sequence[Panel], layers: Sequence[str], label: str, caption: str
) -> Part:
    """Draw the ratings that have a score, and name those that have none.

    Parameters
    ----------
    panels
        One for each rating; its first line has the scores.
    layers
        Names, first to last.
    label
        Of the scores.
    caption
        Of the figure.
    """
    known = [panel for panel in panels if is_known(panel.lines[0].values)]
    missing = [panel.title for panel in panels if not is_known(panel.lines[0].values)]
    without = f"{enumerated(missing)}: no layer has a mean score." if missing else ""
    if not known:
        return Prose(f"{without} Nothing is drawn; see the cautions and the table of ratings.")
    figure = panels_figure(known, layers, label, n_columns=2)
    text = f"{caption} {without}".rstrip()
    return picture(figure, alt=best_words(known, layers), caption=text)
