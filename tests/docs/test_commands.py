"""Every command that the README and docs/ show is one that the programs take."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bidsapp.cli import configure
from bidsapp.cli.tools import parse_words
from bidsapp.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:musicotopy|musicotopy-tools) [^`]+)`")
SHELL = {"sh", "bash"}
IMAGES = {"musicotopy", "musicotopy.sif"}
ELSEWHERE = {
    *("apptainer", "bash", "cd", "datalad", "docker", "export", "fmriprep", "git", "mkdir"),
    "fmriprep-docker",
    *("pip", "podman", "pytest", "xargs"),
}
"""Programs whose own words are not looked at."""


def fences(page: Path, languages: set[str]) -> list[str]:
    return [
        text for language, text in FENCE.findall(page.read_text("utf-8")) if language in languages
    ]


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of every command of a page."""
    for language in (*SHELL, ""):
        for text in fences(page, {language}):
            for line in text.replace("\\\n", " ").splitlines():
                if not language and not line.startswith("musicotopy"):
                    continue  # a block without a language shows tables and output, too
                words = shlex.split(line, comments=True)
                if words:
                    yield words
    text = FENCE.sub("", page.read_text("utf-8"))
    for line in INLINE.findall(text):
        if not re.search(r"…|\.\.\.|\[", line):
            yield shlex.split(line)


def parts(words: list[str]) -> Iterator[list[str]]:
    """Cut a line at pipes, and take settings of the environment away."""
    part: list[str] = []
    for word in [*words, "|"]:
        if word in ("|", "&&", ";"):
            while part and re.fullmatch(r"[A-Z_]+=.*", part[0]):
                del part[0]
            if part:
                yield part
            part = []
        else:
            part.append(word)


def inside_container(words: list[str]) -> list[str]:
    """Return the command that an image is given, if this starts one."""
    if words[:2] in (["docker", "run"], ["podman", "run"], ["apptainer", "run"]):
        place = next(index for index, word in enumerate(words) if word in IMAGES)
        first = "musicotopy"
        if "--entrypoint" in words:
            first = words[words.index("--entrypoint") + 1]
            place = next(index for index, word in enumerate(words) if word in IMAGES and index > 3)
        return [first, *words[place + 1 :]]
    if words[:2] == ["apptainer", "exec"]:
        place = next(index for index, word in enumerate(words) if word in IMAGES)
        return words[place + 1 :]
    return words


def check(words: list[str], folder: Path) -> None:
    program, *rest = inside_container(words)
    if program == "musicotopy":
        for word in rest:
            prefix, colon, path = word.partition(":")
            if colon and prefix in ("onnx", "features"):
                (folder / path).touch()
        configure.parse_arguments(rest)
    elif program == "musicotopy-tools":
        try:
            parse_words(rest)
        except UsageError as error:  # a tool may be named alone, without its arguments
            if "arguments are required" not in str(error) or any(word[0] == "-" for word in rest):
                raise
            with pytest.raises(SystemExit):
                parse_words([*rest, "--help"])
    elif program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(rest) <= set(targets)
    elif program == "python":
        assert (ROOT / next(word for word in rest if word.endswith(".py"))).is_file()
    elif program.startswith("tests/"):
        assert (ROOT / program).is_file()
    else:
        assert program in ELSEWHERE, program


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_parses(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(configure, "_check", lambda config: None)  # its folders are placeholders
    wrong = []
    for words in commands(page):
        for part in parts(words):
            try:
                check(part, tmp_path)
            except Exception as error:
                wrong.append(f"{shlex.join(part)}: {error}")
    capsys.readouterr()
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_other_block_is_what_it_says(page: Path) -> None:
    for text in fences(page, {"python"}):
        compile(text, page.name, "exec")
    for text in fences(page, {"toml"}):
        tomllib.loads(text)
    languages = {language for language, _ in FENCE.findall(page.read_text("utf-8"))}
    assert languages <= {*SHELL, "", "python", "toml", "json", "text"}


def test_the_commands_are_found() -> None:
    found = [inside_container(words)[0] for page in PAGES for words in commands(page)]
    assert found.count("musicotopy") >= 10
    assert found.count("musicotopy-tools") >= 10
