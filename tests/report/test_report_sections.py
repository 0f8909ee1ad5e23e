"""Shared sections, from results that the real writer wrote."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from bidsapp.bids.atomic import write_json
from bidsapp.report.html import Notes, Number, Prose, Section, Table, picture, render
from bidsapp.report.methods import Methods, has_random_weights
from bidsapp.report.sections import (
    about,
    cautions,
    claim,
    claims,
    cost_of,
    fidelity,
    found,
    glance,
    meta,
    methods_section,
    page,
    pairs,
    participants,
    used_inferences,
    warnings,
)
from bidsapp.results.cautions import Caution
from bidsapp.results.inferences import INFERENCES
from bidsapp.results.read import Results
from tests.report.toy import FEW, LONG, PARTICIPANTS, RANDOM, surface, volume, write_toy


@pytest.fixture(scope="module")
def participant(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_toy(tmp_path_factory.mktemp("toy"), [surface()])


@pytest.fixture(scope="module")
def two_spaces(tmp_path_factory: pytest.TempPathFactory) -> Results:
    found = [(FEW, RANDOM), (LONG, RANDOM)]
    root = tmp_path_factory.mktemp("two")
    return write_toy(root, [volume(), surface()], cautions=found, networks=("vggish", "baseline"))


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_toy(tmp_path_factory.mktemp("group"), [volume()], subject="", cautions=[()])


def notes(section: Section) -> list[Caution]:
    return [note for part in section.parts if isinstance(part, Notes) for note in part.items]  # type: ignore[misc]


def one_table(section: Section) -> Table:
    (made,) = (part for part in section.parts if isinstance(part, Table))
    return made


class TestHead:
    """Title, names and values, loud statements."""

    def test_it_names_the_study_the_run_and_the_weights(self, participant: Results) -> None:
        named = dict(meta(participant))
        assert named["Dataset"] == "toy study"
        assert named["Recipe"] == "toy, robust"
        assert named["Configuration"] == "abc123"
        assert named["Weights of VGGish"] == "random weights (seed 0)"
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", named["Date"])

    def test_serious_cautions_are_loud_and_others_are_not(self, participant: Results) -> None:
        (loud,) = warnings(participant)
        assert loud.severity == "serious"
        assert "Random weights" in loud.text
        assert "Few pieces" not in loud.text

    def test_nothing_is_loud_without_a_serious_caution(self, group: Results) -> None:
        assert warnings(group) == []

    def test_simulated_data_are_said_to_be_so(self, tmp_path: Path) -> None:
        results = write_toy(tmp_path, [volume()], cautions=[()])
        steps = [{"Name": "musicotopy"}, {"Name": "musicotopy-tools simulate"}]
        write_json(tmp_path / "dataset_description.json", {"Name": "t", "GeneratedBy": steps})
        (loud,) = warnings(results)
        assert loud.title == "Simulated data"

    def test_the_page_has_the_given_sections_in_order(self, group: Results) -> None:
        parts = [Section("B", "b"), None, Section("A", "a")]
        made = page(group, "Which?", parts, heading="Layers")
        assert made.title == "Layers \u00b7 group, N = 2"
        assert made.subtitle == "Which?"
        assert [section.title for section in made.sections] == ["B", "A"]
        assert made.banners == []

    def test_serious_cautions_stand_before_the_sections(self, participant: Results) -> None:
        made = page(participant, "Which?", [Section("B", "b")], heading="Layers")
        assert made.banners == warnings(participant)
        assert 0 < render(made).index("Random weights") < render(made).index('id="b"')

    def test_random_weights_are_known(self, participant: Results) -> None:
        assert has_random_weights(participant, "vggish")


class TestPairs:
    """Networks and spaces."""

    def test_one_pair_needs_neither_space_nor_number(self, participant: Results) -> None:
        (pair,) = pairs(participant)
        assert (pair.title, pair.suffix) == ("VGGish", "")

    def test_several_are_numbered_and_name_their_space(self, two_spaces: Results) -> None:
        made = pairs(two_spaces, leave_out=("baseline",))
        assert [pair.suffix for pair in made] == ["-1", "-2"]
        assert [pair.title for pair in made] == [
            f"VGGish, {space.title}" for space in two_spaces.spaces
        ]
        assert len(pairs(two_spaces)) == 4


class TestCautions:
    """Reasons to doubt."""

    def test_the_most_severe_comes_first(self, two_spaces: Results) -> None:
        found = notes(cautions(two_spaces))
        assert [note.severity for note in found] == ["serious", "caution", "note"]
        assert [note.title for note in found] == [RANDOM.title, FEW.title, LONG.title]

    def test_a_caution_of_one_space_names_it(self, two_spaces: Results) -> None:
        texts = {note.title: note.text for note in notes(cautions(two_spaces))}
        assert texts[RANDOM.title] == RANDOM.text
        assert texts[LONG.title].endswith(f": {LONG.text}")
        assert len({texts[title].partition(":")[0] for title in (FEW.title, LONG.title)}) == 2

    def test_none_is_said_in_words(self, group: Results) -> None:
        section = cautions(group)
        assert notes(section) == []
        assert section.parts


class TestTests:
    """What was tested follows from what was written."""

    def test_inferences_are_those_of_the_level_and_of_written_results(
        self, participant: Results, group: Results
    ) -> None:
        assert [item.key for item in used_inferences(participant)] == ["circular_shift"]
        assert [item.key for item in used_inferences(group)] == ["sign_flip"]

    def test_a_column_without_a_value_was_not_tested(self, tmp_path: Path) -> None:
        results = write_toy(tmp_path, [volume()], tested=False)
        assert used_inferences(results) == []
        assert claims(results) is None

    def test_their_claims_are_listed_once(self, participant: Results) -> None:
        section = claims(participant)
        assert section is not None
        (note,) = notes(section)
        assert note.text == INFERENCES["circular_shift"].claim

    def test_a_claim_stands_below_a_figure_only_if_the_test_was_made(
        self, participant: Results
    ) -> None:
        (part,) = claim(participant, "circular_shift", "sign_flip")
        assert isinstance(part, Notes)
        assert len(part.items) == 1
        assert claim(participant, "sign_flip") == []


def test_participants_and_why_one_is_left_out(group: Results) -> None:
    made = one_table(participants(group, PARTICIPANTS, "Who takes part"))
    rows = [[cell.text for cell in row] for row in made.rows]
    assert rows[0][:3] == ["01", "yes", "100"]
    assert rows[2] == ["03", "no", "\u2013", "no layers"]
    links = [row[0].href for row in made.rows]
    assert links == [f"sub-01_{group.recipe}.html", f"sub-02_{group.recipe}.html", ""]


def test_participants_without_a_table(participant: Results) -> None:
    assert len(participants(participant, PARTICIPANTS, "").parts) == 1


def test_fidelity_lists_the_options_of_this_recipe_only(participant: Results) -> None:
    section = fidelity(participant)
    assert section is not None
    made = one_table(section)
    assert [column.head for column in made.columns] == [
        "option", "level", "paper", "used", "source", "why",
    ]  # fmt: skip
    assert [[cell.text for cell in row] for row in made.rows] == [
        ["n_layers", "participant", "24", "3", "Methods", "a toy"]
    ]


def test_fidelity_without_a_log(tmp_path: Path) -> None:
    results = write_toy(tmp_path, [volume()])
    (tmp_path / "logs" / "fidelity.tsv").unlink()
    assert fidelity(results) is None


def test_about_gives_the_command_seed_time_and_memory(participant: Results) -> None:
    record: dict[str, Any] = {
        "recipe": "toy", "level": "participant", "subject": "01", "state": "done",
        "space": "fsaverage5", "seconds": 120.0, "peak_memory_bytes": 3 * 2**29,
    }  # fmt: skip
    write_json(participant.root / "logs" / "jobs" / "a.json", record)
    write_json(participant.root / "logs" / "jobs" / "b.json", record | {"subject": "02"})
    (facts,) = about(participant).parts
    named = dict(facts.items)  # type: ignore[union-attr]
    assert "participant --participant-label 01 " in named["Same results again"]
    assert named["Random seed"] == "7"
    assert named["toy, fsaverage5"] == "2.0 min, peak memory 1.50 GiB"
    assert sum(name.startswith("toy, ") for name in named) == 1


@pytest.mark.parametrize(("seconds", "text"), [(89.96, "90.0 s"), (90.0, "1.5 min")])
def test_time_is_in_seconds_then_minutes(seconds: float, text: str) -> None:
    assert cost_of({"seconds": seconds})[1].startswith(text)


def test_numbers_at_a_glance_need_headings_only_for_several_groups() -> None:
    study, first, second = (Number(name, "1") for name in "abc")
    (numbers,) = glance([study], [("VGGish", [first])]).parts
    assert [item.label for item in numbers.items] == ["a", "b"]  # type: ignore[union-attr]
    section = glance([study], [("VGGish", [first]), ("MusiCNN", [second])])
    assert [child.title for child in section.children] == ["VGGish", "MusiCNN"]
    assert len({child.anchor for child in section.children}) == 2


def test_methods_can_be_copied_with_references_and_bibtex() -> None:
    section = methods_section(Methods("Text [1].", ("he2016",)))
    parts = [part for part_of in (section, *section.children) for part in part_of.parts]
    texts = [getattr(part, "text", "") for part in parts]
    assert texts[1] == "Text [1]."
    assert texts[2].startswith("[1] He")
    assert texts[3].startswith("@")


class TestFound:
    def test_says_for_whom_it_holds_and_shows_one_figure(
        self, group: Results, participant: Results
    ) -> None:
        figure = picture(Figure(), alt="a", caption="c")
        shown = Section("B", "b", [Prose("x")], [Section("C", "c", [figure])])
        text, seen = found(participant, ["Nothing was found."], shown)
        assert text == Prose(
            "Nothing was found. This is one listener; nothing follows for others."
        )
        assert seen is figure
        (text,) = found(group, ["A.", "B."], None)
        assert isinstance(text, Prose)
        assert text.text.startswith("A. B. These are 2 listeners: too few")
