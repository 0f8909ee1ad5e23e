"""The documents: what stands in them, what is stamped, what a leaner analysis leaves out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bidsapp.report.emotion3d import (
    explanation,
    group_methods,
    group_report,
    participant_methods,
    participant_report,
    scores,
    training,
)
from bidsapp.report.emotion3d.cautions import distrust, judged
from bidsapp.report.emotion3d.page import group_page, participant_page
from bidsapp.report.emotion3d.read import LEAKY, in_words, load_group, load_participant, split_of

from bidsapp.errors import InputMissingError
from bidsapp.report.html import Page, Picture, Section, Table, render
from bidsapp.report.references import references

MEGABYTE = 2**20
Write = Callable[..., Path]


def anchors(page: Page) -> list[str]:
    """Return the anchors of all sections and subsections."""
    return [one.anchor for top in page.sections for one in (top, *top.children)]


def section(page: Page, anchor: str) -> Section:
    """Return the section with an anchor."""
    return next(
        one for top in page.sections for one in (top, *top.children) if one.anchor == anchor
    )


def pictures(page: Page) -> list[Picture]:
    """Return all pictures."""
    sections = [one for top in page.sections for one in (top, *top.children)]
    return [part for one in sections for part in one.parts if isinstance(part, Picture)]


@pytest.fixture(scope="module")
def page(emotion_tree: Path) -> Page:
    """Everything on a participant, with a leaky split."""
    return participant_page(load_participant(emotion_tree, "01"))


@pytest.fixture(scope="module")
def of_group(emotion_group: Path) -> Page:
    """Everything on a group."""
    return group_page(load_group(emotion_group))


def test_participant_has_every_section(page: Page) -> None:
    assert anchors(page) == [
        *("glance", "distrust", "labels", "scores", "confusions", "recall", "chance"),
        *("calibration", "lags", "curves", "maps", "embedding", "methods", "fidelity", "about"),
    ]
    assert len(pictures(page)) >= 14
    assert all(len(one.alt) > 15 and one.caption for one in pictures(page))


def test_group_has_every_section(of_group: Page) -> None:
    wanted = {"scores", "participants", "tests", "prevalence", "emotions", "confusions",
              "profiles", "chance", "maps", "methods"}  # fmt: skip
    assert wanted <= set(anchors(of_group))
    assert of_group.title == "Group of 3 participants"


def test_documents_are_small_and_offline(page: Page, of_group: Page) -> None:
    for text in (render(page), render(of_group)):
        assert len(text.encode()) < 15 * MEGABYTE
        assert not re.search(r'(src|href)="https?:', text)
        assert "nan" not in re.sub(r"<[^>]*>", " ", text).lower().split()


def test_whatever_is_leaky_is_stamped(page: Page, toy: Write) -> None:
    assert any(note.severity == "serious" and LEAKY in note.title for note in page.banners)
    for anchor in ("scores", "curves"):
        shown = section(page, anchor)
        assert LEAKY in "".join(str(part) for part in shown.parts)
    tables = [part for part in section(page, "scores").parts if isinstance(part, Table)]
    assert [LEAKY in table.caption for table in tables] == [False, True]
    honest = participant_page(load_participant(toy(network=False, maps=False), "01"))
    assert not any(LEAKY in note.title for note in honest.banners)
    assert LEAKY not in str(honest.sections)


def test_group_says_that_participants_have_leaky_scores(of_group: Page) -> None:
    assert any(LEAKY in note.title for note in of_group.banners)
    assert "same stimulus" in str(section(of_group, "emotions"))
    assert "new stimulus" in str(section(of_group, "emotions"))


def test_without_a_network(toy: Write) -> None:
    tree = toy(network=False)
    lean = load_participant(tree, "01")
    space = lean.spaces[0]
    assert training.curves(space, "") is None
    assert explanation.embedding(space, "") is None
    assert scores.scores(space, "") is not None
    shown = explanation.maps(space, "")
    assert shown is not None
    assert sum(isinstance(part, Picture) for part in shown.parts) == 5
    text = participant_methods(tree, "01").text
    assert "Network." not in text
    assert "Integrated gradients" not in text


def test_report_is_written_where_it_is_looked_for(toy: Write) -> None:
    tree = toy(network=False, maps=False)
    written = participant_report(tree, "sub-01")
    assert written == tree / "sub-01_emotion3d.html"
    assert "maps" not in anchors(participant_page(load_participant(tree, "01")))


def test_scores_and_chance_are_those_of_the_files(emotion_tree: Path, page: Page) -> None:
    study = load_participant(emotion_tree, "01")
    space = study.spaces[0]
    row = space.score(space.honest[0], "linear")
    assert row is not None
    (table, *_) = [part for part in section(page, "scores").parts if isinstance(part, Table)]
    linear = next(row for row in table.rows if row[0].text == "Linear, voxels")
    assert linear[1].key == pytest.approx(row["value"])
    assert linear[2].key == pytest.approx(row["chance"])


def test_notes_are_ordered_and_joined(emotion_tree: Path) -> None:
    notes = distrust(load_participant(emotion_tree, "01"))
    order = ["serious", "caution", "note"]
    assert [note.severity for note in notes] == sorted(
        (note.severity for note in notes), key=order.index
    )
    (few,) = [note for note in notes if note.title == "Few samples."]
    assert "Love has 4" in few.text
    assert "Anger has 6" in few.text
    assert any(note.text == "Something nobody foresaw." for note in notes)


def test_same_stimulus_is_said_aloud(emotion_group: Path) -> None:
    notes = distrust(load_group(emotion_group))
    assert notes[0].severity == "serious"
    assert notes[0].title == "Same stimulus."
    chance = next(note for note in notes if note.title == "Chance.")
    assert "leave_participant_out" not in chance.text


def test_words() -> None:
    assert in_words("under leave_participant_and_run_out: (mean -0.1)") == (
        "under \u201cnew stimulus\u201d: (mean \u22120.1)"
    )
    assert "shuffled-LEAKY" in in_words("shuffled-LEAKY: neighbours")
    assert split_of("shuffled-LEAKY").leaky
    assert split_of("blocked").title == "Blocks left out"
    assert judged("Raw BOLD was analysed.").severity == "serious"


def test_methods_cite_what_ran(emotion_tree: Path, emotion_group: Path) -> None:
    made = participant_methods(emotion_tree, "01")
    wanted = {"tanemura", "labs2015", "hanke2014", "haufe2014", "sundararajan2017",
              "selvaraju2017", "schreiber2013", "valente2021", "wilson1927"}  # fmt: skip
    assert wanted <= set(made.references)
    assert "40 shifts for the linear decoder" in made.text
    assert "LEAKY" in made.text
    group = group_methods(emotion_group)
    assert {*wanted, "allefeld2016", "ince2021", "winkler2014"} <= set(group.references)
    assert "3 participants took part" in group.text
    assert "1 was left out" in group.text
    assert set(group.references) <= set(references())
    assert "None" not in made.text + group.text


def test_methods_of_other_choices(toy: Write) -> None:
    settings = {"network": "faithful", "optimiser": "adam", "normalise": "none", "denoise": False,
                "patience": 0, "noise": 0, "scale": 0, "max_shift_voxels": 0}  # fmt: skip
    text = participant_methods(toy(settings=settings, variant="faithful"), "01").text
    assert "after the poster" in text
    assert "not standardised" in text
    assert "No confounds were regressed out" in text
    assert "high-pass" not in text
    assert "moved by up to" not in text


def test_nothing_to_report(tmp_path: Path, emotion_tree: Path) -> None:
    with pytest.raises(InputMissingError, match="run the group level"):
        group_report(emotion_tree)
    with pytest.raises(InputMissingError):
        participant_report(tmp_path, "01")
