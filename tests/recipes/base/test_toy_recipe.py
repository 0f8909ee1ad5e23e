"""A recipe of one file runs through the command line and writes valid derivatives and pages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bidsapp.results.read import Results

HERE = Path(__file__).parent
DRIVER = """
import sys
from toy_recipe import RECIPE
from bidsapp.recipes import RECIPES
RECIPES["toy"] = RECIPE
from bidsapp.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the toy recipe on two simulated participants, both levels."""
    folder = tmp_path_factory.mktemp("toy")
    tools = [sys.executable, "-m", "bidsapp.cli.tools"]
    options = ["--design", "emotions", "--quick", "--participants", "2"]
    subprocess.run([*tools, "simulate", str(folder / "data"), *options], check=True)
    paths = [str(folder / "data"), str(folder / "out"), "participant", "group"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    run = subprocess.run(
        [sys.executable, "-c", DRIVER, *paths, "--recipe", "toy", "-w", str(folder / "work")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "out"


def test_it_has_at_most_150_lines() -> None:
    assert len((HERE / "toy_recipe.py").read_text().splitlines()) <= 150


def test_maps_tables_and_summaries_are_read_by_the_declarations(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    from toy_recipe import P_FWE, RECIPE, RUNS, SLOWNESS

    one = Results(output, "toy", RECIPE.results, "01")
    group = Results(output, "toy", RECIPE.results)
    (space,) = group.spaces
    own, mean, p = one.maps(SLOWNESS, space), group.maps(SLOWNESS, space), group.maps(P_FWE, space)
    assert own is not None
    assert mean is not None
    assert p is not None
    assert own.values.shape[0] == mean.values.shape[0] == 1
    assert 0.3 <= p.values[p.values > 0].min() <= 1  # two participants: four sign flips
    assert list(one.table(RUNS, space)["run"]) == [run["name"] for run in one.facts()["runs"]]
    assert [caution.title for caution in group.cautions()] == ["Only 2 participants"]


def test_what_follows_from_the_declarations_is_there(output: Path) -> None:
    descriptions = (output / "descriptions.tsv").read_text()
    assert "desc-toyslowness\tCorrelation of each volume with the next one." in descriptions
    fidelity = (output / "logs" / "fidelity.tsv").read_text()
    assert "one volume" in fidelity
    sidecar = next((output / "group").glob("*desc-toyfwe_statmap.json"))
    assert json.loads(sidecar.read_text())["Inference"] == "sign flips of participants"
    page = (output / "group_toy.html").read_text()
    for words in ("How slow is the signal?", "Only 2 participants", "Sign flips of participants"):
        assert words in page
    assert "esteban2019" in (output / "logs" / "CITATION.bib").read_text()


def test_the_validator_accepts_the_output(output: Path, tmp_path: Path) -> None:
    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.exists():
        pytest.skip("bids-validator-deno is not installed")
    copy = tmp_path / "out"
    shutil.copytree(output, copy)
    done = subprocess.run(
        [str(validator), str(copy), "--json"], capture_output=True, text=True, check=False
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [item for item in issues if item.get("severity") == "error"] == []
