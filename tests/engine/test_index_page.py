"""The page that links all pages names what failed, and leads only where a page is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bidsapp.bids.atomic import write_json
from bidsapp.cli.show import show_answer
from bidsapp.engine.index_page import write_index
from bidsapp.engine.status import Record, write_record
from tests.report.browser import check_page, needs_chromium


def record(subject: str, state: str = "done", reason: str = "") -> Record:
    level = "participant" if subject else "group"
    name = f"gradients_{f'sub-{subject}' if subject else 'group'}_space-fsaverage5"
    return Record(name, "gradients", level, subject, "fsaverage5", state, "a", "b", reason)  # type: ignore[arg-type]


def made(output: Path, *records: Record) -> str:
    write_json(output / "dataset_description.json", {"Name": "A study <of> music"})
    for item in records:
        write_record(output, item)
    write_index(output)
    path = output / "index.html"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def test_pages_are_linked_and_failures_named(tmp_path: Path) -> None:
    for name in ("sub-01_gradients.html", "group_gradients.html"):
        (tmp_path / name).touch()
    reason = "the sound is shorter than 2 s; replace it"
    text = made(tmp_path, record("01"), record("02"), record("03", "failed", reason), record(""))
    links = re.findall(r'<td[^>]*><a href="([^"]+)">([^<]+)</a>', text)
    # sub-02 is done, but its page was moved away
    assert links == [("group_gradients.html", "group"), ("sub-01_gradients.html", "sub-01")]
    assert reason in text
    assert "gradients_sub-03_space-fsaverage5" in text
    assert "A study &lt;of&gt; music" in text


def test_without_failures_nothing_is_said_of_them(tmp_path: Path) -> None:
    (tmp_path / "sub-01_gradients.html").touch()
    assert 'id="failed"' not in made(tmp_path, record("01"))


def test_where_nothing_was_done_there_is_no_page(tmp_path: Path) -> None:
    assert not made(tmp_path, record("01", "failed", "no sounds"))


def test_what_was_found_stands_beside_the_pages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "logs" / "found" / "group_gradients.txt"
    found.parent.mkdir(parents=True)
    found.write_text("Layers predicted responses in 3 of 100 parcels.\n")
    assert "in 3 of 100 parcels" in made(tmp_path, record("01"), record(""))
    show_answer([("gradients", "01"), ("gradients", "")], tmp_path)
    assert capsys.readouterr().out == (
        "What was found: Layers predicted responses in 3 of 100 parcels.\n"
    )
    show_answer([("gradients", "01")], tmp_path)
    assert not capsys.readouterr().out


@needs_chromium[0]
@needs_chromium[1]
@needs_chromium[2]
def test_it_is_whole_in_a_browser(tmp_path: Path) -> None:
    (tmp_path / "sub-01_gradients.html").touch()
    reason = "the sound is shorter than 2 s; replace it by a longer one, " * 3
    made(tmp_path, record("01"), record("03", "failed", reason), record(""))
    folder = tmp_path / "browser"
    folder.mkdir()
    check_page(tmp_path / "index.html", folder)
