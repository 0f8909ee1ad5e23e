"""Whose an output folder is, and that nothing outside it is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.describe import write_bidsignore, write_dataset_description, write_readme
from bidsapp.bids.output_folder import check_output, refuse_output
from bidsapp.bids.staging import Staging, clean_leftovers
from bidsapp.errors import OutputError


def snapshot(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_an_output_that_is_an_input_is_refused(study, tmp_path) -> None:
    raw, prep = study
    dataset = open_dataset(raw.root)
    for folder in (raw.root, prep.root):
        with pytest.raises(OutputError, match="is an input"):
            check_output(folder, dataset)
    check_output(tmp_path / "out", dataset)
    assert list((tmp_path / "out").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file, not a folder"):
        check_output(tmp_path / "file" / "out", dataset)


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"dataset_description.json": '{"GeneratedBy": [{"Name": "XCP-D"}]}'}, "belongs to XCP-D"),
        ({"dataset_description.json": '{"Name": "raw"}'}, "a dataset of its own"),
        ({"dataset_description.json": "{"}, "cannot be read"),
        ({"README.md": "# My thesis"}, "README.md that this app did not write"),
        ({"README": "notes"}, "README that this app did not write"),
        ({".bidsignore": "*.html\nsecret"}, ".bidsignore that this app did not write"),
    ],
)
def test_folders_of_others_are_refused_untouched(study, tmp_path, files, what) -> None:
    dataset = open_dataset(study[0].root)
    output = tmp_path / "theirs"
    output.mkdir()
    for name, text in files.items():
        (output / name).write_text(text)
    before = snapshot(output)
    with pytest.raises(OutputError, match=what) as error:
        check_output(output, dataset)
    assert error.value.exit_code == 73
    assert snapshot(output) == before


def test_our_own_folder_is_known_again(study, tmp_path) -> None:
    dataset = open_dataset(study[0].root)
    output = tmp_path / "ours"
    check_output(output, dataset)
    write_dataset_description(output, dataset)
    write_readme(output)
    write_bidsignore(output)
    check_output(output, dataset)


def test_what_a_user_added_to_our_folder_stays(study, tmp_path) -> None:
    dataset = open_dataset(study[0].root)
    output = tmp_path / "ours"
    write_dataset_description(output, dataset)
    (output / "README.md").write_text("# About these results")
    (output / ".bidsignore").write_text("notes.txt\n")
    check_output(output, dataset)
    write_readme(output)
    write_bidsignore(output)
    assert (output / "README.md").read_text() == "# About these results"
    assert (output / ".bidsignore").read_text().endswith("notes.txt\n")
    assert (output / ".bidsignore").read_text().startswith("*.html\n")


def test_refusing_writes_nothing(study, tmp_path) -> None:
    refuse_output(tmp_path / "new" / "out", open_dataset(study[0].root))
    assert not (tmp_path / "new").exists()


def test_the_folder_of_sounds_is_an_input(study, tmp_path) -> None:
    with pytest.raises(OutputError, match="is an input"):
        check_output(tmp_path, open_dataset(study[0].root), tmp_path)


class TestCraftedFolders:
    """An output folder from elsewhere may hold anything."""

    @pytest.fixture
    def home(self, tmp_path) -> Path:
        home = tmp_path / "home"
        home.mkdir()
        (home / "thesis.txt").write_text("precious")
        return home

    def journal(self, tmp_path, content: object, job: str = "x") -> Path:
        folder = tmp_path / "out" / f".staging-{job}"
        folder.mkdir(parents=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / ".publish").write_text(text)
        return tmp_path / "out"

    @pytest.mark.parametrize("absolute", [True, False])
    @pytest.mark.parametrize("verb", ["remove", "move"])
    def test_a_journal_touches_nothing_outside(self, tmp_path, home, absolute, verb) -> None:
        name = str(home / "thesis.txt") if absolute else "../home/thesis.txt"
        output = self.journal(tmp_path, {"remove": [], "move": []} | {verb: [name]})
        (output / "kept.txt").write_text("x")
        for start in (lambda: clean_leftovers(output), Staging(output, "x").__enter__):
            with pytest.raises(OutputError, match="lies outside"):
                start()
        assert snapshot(home) == {"thesis.txt": "precious"}
        assert (output / "kept.txt").exists()

    def test_nor_through_a_link(self, tmp_path, home) -> None:
        output = self.journal(tmp_path, {"remove": ["sub-01/thesis.txt"], "move": []})
        (output / "sub-01").symlink_to(home)
        with pytest.raises(OutputError, match="lies outside"):
            clean_leftovers(output)
        assert snapshot(home) == {"thesis.txt": "precious"}

    def test_a_staging_folder_that_is_a_link_is_replaced(self, tmp_path, home) -> None:
        output = tmp_path / "out"
        output.mkdir()
        (output / ".staging-x").symlink_to(home)
        with Staging(output, "x") as staging:
            staging.path("a").write_text("x")
            staging.publish()
        (output / ".staging-y").symlink_to(home)
        assert clean_leftovers(output) == []
        assert snapshot(home) == {"thesis.txt": "precious"}
        assert sorted(path.name for path in output.iterdir()) == ["a"]

    @pytest.mark.parametrize(
        "content", ["", "{", "[]", '{"remove": 1, "move": []}', '{"move": []}', "[" * 100_000]
    )
    def test_a_damaged_journal_is_none(self, tmp_path, content) -> None:
        output = self.journal(tmp_path, content)
        assert clean_leftovers(output) == ["x"]
        assert list(output.iterdir()) == []
        with Staging(output, "x") as staging:
            assert staging.files() == []
