"""The Boutiques descriptor: up to date, valid, and it runs the app."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bidsapp.cli.configure import parse_arguments
from bidsapp.cli.parser import build_parser
from bidsapp.simulate.dataset import MusicOptions, simulate

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "boutiques.json"
Bosh = Callable[..., "subprocess.CompletedProcess[str]"]


def load_tool() -> ModuleType:
    path = ROOT / "tools" / "write_boutiques.py"
    spec = importlib.util.spec_from_file_location("write_boutiques", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def bosh(tmp_path_factory: pytest.TempPathFactory) -> Bosh:
    pytest.importorskip("boutiques", reason="pip install boutiques")
    home = tmp_path_factory.mktemp("home")
    executables = Path(sys.executable).parent
    environment = {
        **os.environ,
        "HOME": str(home),
        "PATH": f"{executables}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }

    def run(*words: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(executables / "bosh"), *map(str, words)],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_descriptor_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == load_tool().text(), (
        "run: python tools/write_boutiques.py"
    )


def test_every_option_of_the_parser_is_described(described: dict[str, Any]) -> None:
    """Not the table, the parser itself is compared: an option added by hand is noticed too."""
    parser = build_parser()
    flags = {
        item["command-line-flag"] for item in described["inputs"] if "command-line-flag" in item
    }
    actions = [
        action
        for action in parser._actions
        if action.option_strings and action.dest not in {"help", "version"}
    ]
    assert all(sum(flag in flags for flag in action.option_strings) == 1 for action in actions)
    known = {flag for action in actions for flag in action.option_strings}
    assert flags <= known
    by_flag = {flag: action for action in actions for flag in action.option_strings}
    for item in described["inputs"]:
        action = by_flag.get(item.get("command-line-flag", ""))
        if action is not None:
            assert item.get("value-choices") == (list(action.choices) if action.choices else None)
            assert (item["type"] == "Flag") == (action.nargs == 0)


@pytest.mark.parametrize("kind", [(), ("--bids",)])
def test_bosh_finds_it_valid(bosh: Bosh, kind: tuple[str, ...]) -> None:
    done = bosh("validate", *kind, FILE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_gives_this_command(bosh: Bosh) -> None:
    done = bosh("exec", "simulate", "-i", ROOT / "boutiques" / "invocation.json", FILE)
    assert done.stdout.splitlines()[-1] == (
        "mkdir -p results; musicotopy data results participant --participant_label 01 "
        "--recipe gradients --weights random --set gradients.n_components=30 "
        "--set gradients.n_shifts=199"
    )


@pytest.mark.parametrize("atlas", ["HCP-MMP", "Schaefer2018:400Parcels7Networks", "mine.nii.gz"])
def test_an_atlas_is_a_name_or_a_file(
    bosh: Bosh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, atlas: str
) -> None:
    """A name is no file, and Boutiques refuses files that are absent."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("mine.nii.gz").touch()
    content = {"bids_dir": "data", "output_dir_name": "out", "analysis_level": "participant"}
    Path("invocation.json").write_text(json.dumps({**content, "atlas": atlas}))
    done = bosh("exec", "simulate", "-i", "invocation.json", FILE, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    words = done.stdout.splitlines()[-1].partition("; musicotopy ")[2].split()
    config = parse_arguments(words)
    assert config.atlas is not None
    assert config.atlas.name == atlas


@pytest.mark.parametrize("seed", range(20))
def test_commands_with_any_options_are_understood(
    described: dict[str, Any], tmp_path: Path, seed: int
) -> None:
    """Random values for a random half of the inputs, as the descriptor puts them together."""
    rng = random.Random(seed)
    (tmp_path / "file").touch()
    command = described["command-line"].partition("; musicotopy ")[2]
    given = {"[BIDS_DIR]": str(tmp_path), "[OUTPUT_DIR]": str(tmp_path / "out")}
    for item in described["inputs"]:
        key = item["value-key"]
        if key in given:
            continue
        chosen = not item["optional"] or rng.random() < 0.5 or item["id"] == "executor"
        given[key] = _words(item, tmp_path, rng) if chosen else ""
    for key, words in given.items():
        command = command.replace(key, words)
    config = parse_arguments(command.split())
    assert config.analysis_level[0] in {"participant", "group"}
    assert not config.quiet or given["[QUIET]"]


def _words(item: dict[str, Any], folder: Path, rng: random.Random) -> str:
    flag = item.get("command-line-flag", "")
    if item["type"] == "Flag":
        return str(flag)
    values = {"String": "word", "Number": "2", "File": str(folder / "file")}
    special = {
        "mem": "2G",
        "set": "gradients.n_components=3",
        "derivatives": "fmriprep=here",
        "stimuli_dir": str(folder),
        "network": "vggish",
        "device": "cuda:1",
        "executor": "slurm",  # whose options may be drawn, too
    }
    if item["id"] == "config_file":
        return ""
    value = special.get(item["id"], values[item["type"]])
    if "value-choices" in item and item["id"] not in special:
        value = rng.choice(item["value-choices"])
    value = "gradients" if item["id"] == "recipe" else value  # whose setting is set above
    n_values = rng.randint(1, 2) if item.get("list") else 1
    return f"{flag} {item.get('list-separator', ' ').join([value] * n_values)}"


@pytest.mark.slow
def test_launch_runs_the_app(bosh: Bosh, tmp_path: Path) -> None:
    """Participant, then group in the folder that holds the participants."""
    options = MusicOptions.quick(n_participants=2, n_pieces=3, piece_s=24.0)
    simulate(tmp_path / "data", options, quiet=True)
    settings = [
        'gradients.networks=["baseline"]',
        "gradients.min_block_s=10",
        "gradients.n_components=8",
        "gradients.n_parcels=12",
        "gradients.n_shifts=19",
    ]
    common = {"bids_dir": "data", "output_dir_name": "out", "weights": "random"}
    for level in ("participant", "group"):
        content = {**common, "analysis_level": level, "set": settings, "quiet": True}
        (tmp_path / "invocation.json").write_text(json.dumps(content))
        done = bosh(
            *("exec", "launch", "--no-container", "--skip-data-collection", "-s"),
            *(FILE, tmp_path / "invocation.json"),
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "logs" / "status.json").exists()


def test_the_exit_code_comes_through(bosh: Bosh, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    content = {
        "bids_dir": "data",
        "output_dir_name": "out",
        "analysis_level": "participant",
        "mem": "1M",
    }
    (tmp_path / "invocation.json").write_text(json.dumps(content))
    done = bosh(
        *("exec", "launch", "--no-container", "--skip-data-collection"),
        *(FILE, tmp_path / "invocation.json"),
        cwd=tmp_path,
    )
    assert done.returncode == 2
