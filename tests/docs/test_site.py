"""The documentation: it builds, its commands exist, its examples run, its tables can be read."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bidsapp.bids.annotation_files import annotation_files
from bidsapp.bids.label_maps import load_label_map
from bidsapp.bids.overlay import read_overlay
from bidsapp.cli.configure import parse_arguments
from bidsapp.cli.tools import parse_words
from bidsapp.recipes import RECIPES
from bidsapp.results.inferences import INFERENCES

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
_FENCE = re.compile(
    r"^(?P<run><!-- run -->\n)?(?P<indent> *)```(?P<kind>\w*)\n(?P<body>.*?)^ *```", re.M | re.S
)


def _blocks(page: Path) -> list[tuple[bool, str, str]]:
    """Return of each fenced block whether it is to be run, its language, and its text."""
    text = page.read_text(encoding="utf-8")
    return [
        (
            bool(match["run"]),
            match["kind"],
            re.sub(f"^{match['indent']}", "", match["body"], flags=re.M),
        )
        for match in _FENCE.finditer(text)
    ]


def _commands(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines()]
    return [
        line for line in lines if re.match(r"musicotopy(-tools)? ", line) and "..." not in line
    ]


COMMANDS = [
    pytest.param(command, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, command in enumerate(
        command
        for _, kind, body in _blocks(page)
        if kind != "python"
        for command in _commands(body)
    )
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_those_of_the_tool(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model.onnx", "captions.npz"):  # files that commands of the pages name
        Path(name).touch()
    words = shlex.split(command, comments=True)
    words = words[: words.index("|")] if "|" in words else words
    if words[0] == "musicotopy":
        # folders that a command reads have to exist, and the output must not be the working folder
        there = {words[1], "/stimuli", "weights", "weights/", "../weights", "my/clap-folder"}
        words = [str(tmp_path) if word in there else word for word in words]
        parse_arguments(words[1:])
    else:
        parse_words(words[1:])


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) > 25


@pytest.mark.slow
def test_examples_run(tmp_path: Path) -> None:
    """One after the other in one folder, as a reader would."""
    blocks = [block for block in _blocks(ROOT / "docs" / "start.md") if block[0]]
    assert len(blocks) == 6
    binaries = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    said = ""
    for _, kind, body in blocks:
        call = [sys.executable, "-c", body] if kind == "python" else ["bash", "-euc", body]
        done = subprocess.run(
            call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"
        said += done.stdout
    page = ROOT / "docs" / "start.md"
    opened = re.search(r"page to open \(`(?P<path>[^`]+)`\)", page.read_text(encoding="utf-8"))
    assert opened is not None
    assert (tmp_path / opened["path"]).is_file()
    assert (tmp_path / "out" / "index.html").is_file()
    assert "What was found: " in said
    assert f"Open: {opened['path']}" in said
    assert "(20484, 4)" in said  # vertices and layers, as the page says


def _tables() -> dict[str, str]:
    """Return the examples of tables of the page on data, by their first column names."""
    tables = {}
    for _, kind, body in _blocks(ROOT / "docs" / "data.md"):
        if not kind and "\t" in body:
            tables[body.partition("\n")[0]] = body
    return tables


def test_tables_of_the_page_on_data_are_tables(tmp_path: Path) -> None:
    tables = _tables()
    assert len(tables) == 7
    for head, body in tables.items():
        widths = {line.count("\t") for line in body.strip().splitlines()}
        assert widths == {head.count("\t")}, body
    overlays = [body for head, body in tables.items() if head.startswith(("task\t", "session\t"))]
    assert len(overlays) == 2
    for body in overlays:
        (tmp_path / "presentations.tsv").write_text(body, encoding="utf-8")
        table, problems = read_overlay([tmp_path])
        assert table is not None
        assert not problems


def test_labels_of_the_page_on_data_are_classes_by_default(tmp_path: Path) -> None:
    tables = _tables()
    labels = next(body for head, body in tables.items() if "agreement" in head)
    pooled = load_label_map("five-emotions")
    rows = [line.split("\t") for line in labels.strip().splitlines()[1:]]
    assert all(pooled.class_of(row[2]) for row in rows)
    catalogue = next(body for head, body in tables.items() if "genre" in head)
    head, *lines = [line.split("\t") for line in catalogue.strip().splitlines()]
    assert all(pooled.class_of(line[head.index("emotion")]) for line in lines)
    (tmp_path / "own.tsv").write_text(tables["source\ttarget"], encoding="utf-8")
    own = load_label_map(str(tmp_path / "own.tsv"))
    assert own.class_of("joy") == "happiness"
    assert own.class_of("neutral") is None


def test_names_of_annotations_on_the_page_are_found(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`(?:stimuli/annotations/)?(allegro_annot-[^`]+)`", text))
    assert len(names) == 4
    for name in names:
        (tmp_path / name).write_bytes(b"")
    files, problems = annotation_files([tmp_path], ["allegro.wav"])
    assert {item.path.name for item in files} == names
    assert not problems
    sidecars = [body for _, kind, body in _blocks(ROOT / "docs" / "data.md") if kind == "json"]
    assert {"SamplingFrequency", "StartTime", "Columns"} <= set(json.loads(sidecars[0]))


def _generated() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("docs_pages", ROOT / "tools" / "docs_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages: dict[str, str] = module.pages()
    return pages


def test_generated_pages_name_every_result_and_inference() -> None:
    pages = _generated()
    for recipe in RECIPES.values():
        for result in recipe.results:
            assert f"`{result.desc}`" in pages["outputs.md"]
    for key, inference in INFERENCES.items():
        assert f"{{ #{key} }}" in pages["inferences.md"]
        assert inference.does_not_show in pages["inferences.md"]
    linked = set(re.findall(r"inferences\.md#(\w+)", pages["outputs.md"]))
    assert linked
    assert linked <= set(INFERENCES)


def test_every_page_of_a_recipe_says_the_same_things() -> None:
    for name in RECIPES:
        text = (ROOT / "docs" / "recipes" / f"{name}.md").read_text(encoding="utf-8")
        heads = re.findall(r"^## (.+)$", text, re.M)
        assert heads == ["Command", "Page", "Interpretation", "Robust against faithful", "Cite"]
        assert f"--recipe {name}" in text


def test_site_builds_strictly_and_loads_nothing(tmp_path: Path) -> None:
    pytest.importorskip("mkdocstrings", reason="the extra `docs` is not installed")
    pytest.importorskip("material", reason="the extra `docs` is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    assert {"index.html", "outputs.html", "inferences.html", "api/musicotopy.html"} <= pages
    for path in tmp_path.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]+src=\"(https?:[^\"]+)\"", html)
        loaded += re.findall(r"<link[^>]+rel=\"stylesheet\"[^>]+href=\"(https?:[^\"]+)\"", html)
        assert not loaded, path
    api = (tmp_path / "api" / "musicotopy.html").read_text(encoding="utf-8")
    assert "searchlight_rsa" in api
