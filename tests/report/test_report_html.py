"""Pages: numbers as text, escaping, structure."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bidsapp.errors import OutputError
from bidsapp.report.html import (
    Cell,
    Facts,
    Listing,
    Notes,
    Number,
    Numbers,
    Page,
    Picture,
    Prose,
    Section,
    Table,
    cell,
    linked,
    number_text,
    once,
    p_cell,
    render,
    write_page,
)
from bidsapp.results.cautions import Caution
from bidsapp.results.kinds import Column

EVIL = "<script>alert('x')</script> & \"quotes\""


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (20484, 0, "20\u2009484"),
        (1.0, 3, "1.000"),
        (-0.25, 2, "\u22120.25"),
        (-0.3, 0, "0"),
        (0.00004, 3, "4e\u221205"),
        (0.0, 3, "0.000"),
        (math.nan, 3, "\u2013"),
    ],
)
def test_numbers_read_well(value: float, digits: int, text: str) -> None:
    assert number_text(value, digits) == text


def test_missing_sorts_last_and_p_keeps_its_digits() -> None:
    assert cell(math.nan).key == math.inf
    assert cell(None).text == "\u2013"
    assert [p_cell(p).text for p in (0.004975, 0.04, 1.0)] == ["0.0050", "0.040", "1.000"]


def _page(text: str, n_rows: int = 2) -> Page:
    heads = [Column(text, text=True), Column("n")]
    parts = [
        Prose(text),
        Numbers([Number(text, text, text)]),
        Table(heads, [[cell(text), cell(k)] for k in range(n_rows)], text),
        Notes([Caution("serious", text, text)]),
        Listing(text, text),
        Facts([(text, text)]),
    ]
    child = Section(text, "child", parts)
    return Page(text, text, [(text, text)], [Caution("caution", text, text)],
                [Section("Top", "top", children=[child])])  # fmt: skip


def test_every_part_escapes_what_it_is_given() -> None:
    html = render(_page(EVIL))
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert") > 15
    assert html.count("<script>") == 1  # our own


def test_contents_lead_to_sections() -> None:
    html = render(_page("x"))
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)


def test_nothing_can_be_loaded_from_elsewhere() -> None:
    html = render(_page("x"))
    assert "default-src 'none'" in html
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", html)
    assert not re.findall(r"url\(|@import|https?://", html)


def test_long_tables_are_folded() -> None:
    assert "<details>" not in render(_page("x", 30))
    assert "<details><summary>x (31 rows)" in render(_page("x", 31))


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = write_page(_page("old"), tmp_path / "sub-01.html")
    blocked = tmp_path / "folder.html"
    blocked.mkdir()
    with pytest.raises(OutputError):
        write_page(_page("new"), blocked)
    assert "old" in path.read_text()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["folder.html", "sub-01.html"]


def test_a_folded_section_keeps_its_heading_in_sight() -> None:
    section = Section("Details", "details", [Prose("unfolded words")], folded=True)
    text = render(Page("t", "s", sections=[section], up="index.html"))
    words = ('id="details-title"', '<details class="folded"', "unfolded words")
    heading, opened, inside = (text.index(x) for x in words)
    assert heading < opened < inside < text.index("</details>", opened)
    assert '<a href="index.html">All pages of this study</a>' in text
    assert "details class" not in render(Page("t", "s", sections=[replace(section, folded=False)]))


def test_a_cell_may_lead_to_a_page() -> None:
    rows = [[Cell("01", "01", "sub-01_x.html"), Cell("a", "a")]]
    text = render(
        Page("t", "s", sections=[Section("T", "t", [Table([Column("p", text=True)] * 2, rows)])])
    )
    assert '<a href="sub-01_x.html">01</a>' in text
    assert text.count("<td") == 2
    assert text.count('<a href="sub') == 1


def test_dois_and_arxiv_numbers_are_links() -> None:
    text = "A (2016). B <i>. C.doi:10.1016/j.x(2).003. D. arXiv:2408.07113, end doi:10.5/a,b"
    made = str(linked(text))
    assert '<a href="https://doi.org/10.1016/j.x(2).003">doi:10.1016/j.x(2).003</a>. D.' in made
    assert '<a href="https://arxiv.org/abs/2408.07113">arXiv:2408.07113</a>, end' in made
    assert '<a href="https://doi.org/10.5/a">doi:10.5/a</a>,b' in made
    assert "&lt;i&gt;" in made
    assert linked("nothing") == "nothing"


def test_the_figure_at_the_top_is_not_repeated_below() -> None:
    top, other = (Picture(f"data:{name}", "alt", "caption", 1, 1) for name in ("a", "b"))
    inner = Section("Inner", "inner", [Prose("Text."), replace(top, caption="again"), other])
    below = list(once([None, Section("Outer", "outer", [other], [inner])], [Prose("Found."), top]))
    assert below[0] is None
    assert below[1].parts == [other]
    (left,) = below[1].children
    assert [type(part) for part in left.parts] == [Prose, Prose, Picture]
    assert "top of this page" in left.parts[1].text
    assert left.parts[2] == other
