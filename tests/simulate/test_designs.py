"""What holds for every design: valid BIDS, the same bytes from the same seed, the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bidsapp.cli import app, tools
from bidsapp.recipes import RECIPES
from bidsapp.simulate.dataset import DESIGNS, simulate
from bidsapp.simulate.planted import read_truth

TINY = {
    "music": {"n_pieces": 2, "piece_s": 10.0},
    "clips": {"n_participants": 1, "n_runs": 2, "n_pieces": 3, "voxel_mm": 12},
    "genres": {"n_participants": 1, "n_runs": 2, "n_pieces": 4, "piece_s": 6.0, "voxel_mm": 12},
    "emotions": {"n_participants": 1, "n_runs": 2, "run_s": 96.0},
}


@pytest.fixture(params=DESIGNS)
def options(request):
    return DESIGNS[request.param].options.quick(**TINY[request.param])


def test_every_design_is_valid_bids_and_says_what_it_is(options, tmp_path, stand_in):
    simulate(tmp_path, options, features=stand_in, quiet=True)
    assert read_truth(tmp_path).design == options.design
    found = Path(sys.executable).with_name("bids-validator-deno")
    validator = str(found) if found.exists() else shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("bids-validator-deno is not installed")
    for folder in (tmp_path, tmp_path / "derivatives" / "truth"):
        done = subprocess.run(
            [validator, "--ignoreWarnings", "--format", "json", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        issues = json.loads(done.stdout)["issues"]["issues"]
        assert [issue for issue in issues if issue["severity"] == "error"] == []


def test_the_same_seed_gives_the_same_bytes(options, tmp_path, stand_in):
    trees = []
    for name in ("one", "two"):
        simulate(tmp_path / name, options, features=stand_in, quiet=True)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        trees.append({path.relative_to(tmp_path / name): path.read_bytes() for path in files})
        for path in [path for path in trees[-1] if path.suffix == ".npz"]:
            del trees[-1][path]
    assert trees[0] == trees[1]


@pytest.fixture(scope="module")
def smallest(tmp_path_factory, stand_in):
    """Folder of the smallest dataset of each design, as ``--quick`` makes it."""
    folder = tmp_path_factory.mktemp("smallest")
    for name, design in DESIGNS.items():
        simulate(folder / name, design.options.quick(), features=stand_in, quiet=True)
    return folder


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_smallest_dataset_can_be_analysed_by_its_recipe(recipe, smallest, tmp_path, capsys):
    data, out = str(smallest / RECIPES[recipe].design), str(tmp_path / "out")
    words = [data, out, "participant", "--recipe", recipe, "--weights", "random", "--dry-run"]
    assert app.main(words) == 0, capsys.readouterr()
    assert "ready: " in capsys.readouterr().out


def test_the_command_line_knows_every_design_and_refuses_foreign_options(tmp_path, capsys):
    assert set(tools.DESIGNS) == set(DESIGNS)
    words = ["simulate", str(tmp_path / "out"), "--quick", "--run-s", "96", "--runs", "1"]
    assert tools.main([*words, "--design", "clips"]) == 2
    assert "run_s cannot be chosen with --design clips" in capsys.readouterr().err
    assert tools.main([*words, "--design", "emotions", "--participants", "1"]) == 0
    assert read_truth(tmp_path / "out").options["run_s"] == 96.0
