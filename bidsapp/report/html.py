"""Build a self-contained HTML page from sections made of a few kinds of parts.

A report is data: `Page` holds `Section`s, a section holds parts (`Prose`, `Numbers`, `Picture`,
`Table`, `Notes`, `Listing`), and one template turns them into HTML. Nothing is loaded from
elsewhere: styles, the sorting script and all pictures are inside the file.
"""

from __future__ import annotations

import base64
import functools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import jinja2
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from bidsapp.bids.atomic import write_text
from bidsapp.report.figures.style import to_png, to_svg
from bidsapp.report.sounds import TimedSound, timed_sound
from bidsapp.results.cautions import Caution
from bidsapp.results.kinds import Column

_LONG_TABLE = 30
_LEVELS = (0.05, 0.01, 0.001)
_LINKS = (
    (re.compile(r"\bdoi:(10\.\d[^\s,;&<>]*[^\s.,;:&<>)])"), "https://doi.org/"),
    (re.compile(r"\barXiv:(\d{4}\.\d{4,5})"), "https://arxiv.org/abs/"),
)


@dataclass(frozen=True)
class Prose:
    """A paragraph of plain text."""

    kind: ClassVar[str] = "prose"
    text: str


@dataclass(frozen=True)
class Number:
    """One figure at a glance: what, how much, and a short remark."""

    label: str
    value: str
    remark: str = ""


@dataclass(frozen=True)
class Numbers:
    """A row of numbers at a glance."""

    kind: ClassVar[str] = "numbers"
    items: Sequence[Number]


@dataclass(frozen=True)
class Picture:
    """An image with its alternative text and caption, and the sound that it shows over time."""

    kind: ClassVar[str] = "picture"
    source: str
    alt: str
    caption: str
    width: int
    height: int
    sound: TimedSound | None = None


@dataclass(frozen=True)
class Cell:
    """What a cell shows, what it is sorted by, and where it leads to."""

    text: str
    key: float | str
    href: str = ""


@dataclass(frozen=True)
class Table:
    """A table whose columns can be sorted by a click; a long one is folded unless told not to."""

    kind: ClassVar[str] = "table"
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    fold: bool = True

    @property
    def is_long(self) -> bool:
        """Whether it is shown folded."""
        return self.fold and len(self.rows) > _LONG_TABLE


@dataclass(frozen=True)
class Notes:
    """What the reader should know before believing a number."""

    kind: ClassVar[str] = "notes"
    items: Sequence[Caution]


@dataclass(frozen=True)
class Listing:
    """Preformatted text with a button that copies it."""

    kind: ClassVar[str] = "listing"
    text: str
    label: str
    prose: bool = False


@dataclass(frozen=True)
class Facts:
    """Names and values, side by side."""

    kind: ClassVar[str] = "facts"
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Embedded:
    """Markup that brings its own script, as it is."""

    kind: ClassVar[str] = "embedded"
    markup: Markup


Part = Prose | Numbers | Picture | Table | Notes | Listing | Facts | Embedded


@dataclass(frozen=True)
class Section:
    """A titled stretch of the page; `children` are its subsections.

    A `folded` one shows its heading and opens on a click: details that a first reading, and a
    printed page, can do without.
    """

    title: str
    anchor: str
    parts: Sequence[Part] = ()
    children: Sequence[Section] = ()
    folded: bool = False


@dataclass(frozen=True)
class Page:
    """A whole report.

    Attributes
    ----------
    title, subtitle
        Heading.
    meta
        Names and values under the heading.
    banners
        Loud statements: what to distrust.
    sections
        Body.
    answer
        What was found, in a few sentences and one figure; stands before the banners.
    up
        Relative address of the page that lists all pages; empty for a page of its own.
    """

    title: str
    subtitle: str
    meta: Sequence[tuple[str, str]] = ()
    banners: Sequence[Caution] = ()
    sections: Sequence[Section] = field(default_factory=tuple)
    answer: Sequence[Part] = ()
    up: str = ""


def once(sections: Iterable[Section | None], answer: Sequence[Part]) -> Iterator[Section | None]:
    """Replace a figure that stands in the answer at the top of a page by a word of where it is.

    Parameters
    ----------
    sections
        Below the answer; None is passed on.
    answer
        Parts at the top.
    """
    top = {part.source for part in answer if isinstance(part, Picture)}

    def without(section: Section) -> Section:
        parts = [
            Prose("The figure stands at the top of this page.")
            if isinstance(part, Picture) and part.source in top
            else part
            for part in section.parts
        ]
        return replace(section, parts=parts, children=[*map(without, section.children)])

    yield from (None if section is None else without(section) for section in sections)


def picture(
    figure: Figure, *, alt: str, caption: str, vector: bool = True, mp3: bytes | None = None
) -> Picture:
    """Embed a figure.

    Parameters
    ----------
    figure
        What to show.
    alt
        Says in words what can be seen, for readers who cannot.
    caption
        Says how to read it.
    vector
        SVG; False makes a PNG, for figures with very many elements.
    mp3
        Sound whose time, in seconds, is the abscissa of the figure; it gets a player, and a line
        in the figure follows it.
    """
    sound = None if mp3 is None else timed_sound(figure, mp3, f"Sound: {alt}")
    data, kind = (to_svg(figure), "svg+xml") if vector else (to_png(figure), "png")
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    width, height = (round(96 * float(size)) for size in figure.get_size_inches())
    return Picture(source, alt, caption, width, height, sound)


def cell(value: Any, digits: int = 3) -> Cell:
    """Format a value for a table; a missing number is an en dash and sorts last."""
    if isinstance(value, str):
        return Cell(value, value)
    number = math.nan if value is None else float(value)
    if not math.isfinite(number):
        return Cell("\u2013", math.inf)
    return Cell(number_text(number, digits), number)


def number_text(value: float, digits: int = 3) -> str:
    """Write a number with `digits` decimals, thousands apart, and a proper minus sign."""
    if not math.isfinite(value):
        return "\u2013"
    if digits == 0:
        text = f"{value:,.0f}".replace(",", "\u2009")
    elif 0 < abs(value) < 0.5 * 10**-digits:
        text = f"{value:.1g}"
    else:
        text = f"{value:.{digits}f}"
    if not float(text.replace(",", "").replace("\u2009", "")):
        text = text.lstrip("-")
    return text.replace("-", "\u2212")


def plural(number: float, word: str, words: str | None = None) -> str:
    """Write a number with its noun: ``1 parcel``, ``3 parcels``."""
    return f"{number_text(number, 0)} {word if number == 1 else words or word + 's'}"


def p_cell(p: float) -> Cell:
    """Format a p-value for a table, never rounded over .05, .01 or .001.

    Examples
    --------
    >>> [p_cell(p).text for p in (0.25, 0.0499, 0.04996, 0.002)]
    ['0.250', '0.0499', '0.04996', '0.0020']
    """
    digits = 4 if p < 0.01 else 3
    while any(
        (round(p, digits) < level) != (p < level) or (round(p, digits) > level) != (p > level)
        for level in _LEVELS
    ):
        digits += 1
    return cell(p, digits)


def p_text(p: float, n_draws: int = 0) -> str:
    """Write a p-value in a sentence.

    Parameters
    ----------
    p
        NaN is missing.
    n_draws
        Draws of the null distribution: a p of 1 / (n_draws + 1) cannot be smaller.

    Examples
    --------
    >>> p_text(0.0123), p_text(0.01, 99)
    ('p = 0.012', 'p ≤ 0.010')
    """
    sign = "\u2264" if n_draws and p * (n_draws + 1) < 1 + 1e-6 else "="
    return f"p {sign} {p_cell(p).text}" if math.isfinite(p) else "p \u2013"


def linked(text: str) -> Markup:
    """Escape a text and make links of the DOIs and arXiv numbers in it.

    Examples
    --------
    >>> print(linked("See doi:10.1/ab."))
    See <a href="https://doi.org/10.1/ab">doi:10.1/ab</a>.
    """
    escaped = str(escape(text))
    for pattern, address in _LINKS:
        escaped = pattern.sub(rf'<a href="{address}\1">\g<0></a>', escaped)
    return Markup(escaped)


@functools.cache
def environment() -> jinja2.Environment:
    """Return the template environment; undefined names are errors."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("bidsapp.report"),
        autoescape=jinja2.select_autoescape(["html", "html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["linked"] = linked
    return made


def render(page: Page) -> str:
    """Turn a page into one HTML document."""
    return environment().get_template("page.html.j2").render(page=page)


def write_page(page: Page, path: Path) -> Path:
    """Write a page so that the file is either the old or the new one, never half of one.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    write_text(path, render(page))
    return path
