"""`--variant faithful` at both levels, as a user runs it: what it does, writes and says."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bidsapp.recipes import RECIPES
from bidsapp.recipes.reconstruct import results as declared
from bidsapp.recipes.reconstruct.encoding import results as coded
from bidsapp.results.read import Results
from bidsapp.stats.identification import identify

CATALOGUE = RECIPES["reconstruct"].results
NETWORK = "baseline"
CHANGES = (
    "embedding_layer=mel",
    "embedding_window_s=6",
    "clip_s=10",
    "n_parcels=12",
    "n_best=2",
    "n_exchanges=99",
    "n_weights=40",
    "n_players=2",
    "log10_alpha=[0, 2, 3, 4]",
)


@pytest.fixture(scope="module")
def out(study, tmp_path_factory) -> Path:
    """Call the last run of the simulated study the task ``Test``, and analyse it."""
    folder = tmp_path_factory.mktemp("faithful")
    data = shutil.copytree(study.data, folder / "data")
    for path in sorted(data.rglob("sub-*_task-genres_run-2_*")):
        path.rename(path.with_name(path.name.replace("task-genres_run-2_", "task-Test_run-1_")))
        renamed = path.with_name(path.name.replace("task-genres_run-2_", "task-Test_run-1_"))
        if renamed.name.endswith("_bold.json"):
            text = renamed.read_text("utf-8").replace('"genres"', '"Test"')
            renamed.write_text(text, "utf-8")
    for path in data.glob("task-genres_*"):
        shutil.copy(path, path.with_name(path.name.replace("task-genres", "task-Test")))
    words = [data, folder / "out", "participant", "group", "--recipe", "reconstruct", "-q"]
    words += ["--variant", "faithful", "--network", NETWORK, "-w", study.work]
    for change in CHANGES:
        words += ["--set", f"reconstruct.{change}"]
    run = subprocess.run(
        [sys.executable, "-m", "bidsapp.cli.app", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return folder / "out"


@pytest.fixture(scope="module")
def own(out: Path) -> Results:
    return Results(out, "reconstruct", CATALOGUE, "01")


def test_clips_of_the_test_runs_are_held_out_wherever_they_were_heard(own: Results) -> None:
    (space,) = own.spaces
    folds = own.table(declared.FOLDS, space)
    held_out = folds[folds["fold"].astype(str).isin(["1", "1.0"])]
    assert own.facts(space)["variant"] == "faithful"
    assert own.facts(space)["n_folds"] == 1
    assert own.facts(space)["n_held_out"] == len(held_out)
    # 12 clips of the run, and the clip in front of it, which the training run plays as well
    assert len(held_out) == 13
    assert len(folds) == 24
    assert held_out["n_repeats"].astype(int).max() == 2


def test_embeddings_are_compared_as_they_are(own: Results) -> None:
    (space,) = own.spaces
    arrays = own.arrays(declared.EMBEDDINGS, space, NETWORK)
    rows = own.table(declared.DECODING, space, NETWORK)
    assert set(rows["decoder"]) == {declared.ENSEMBLE, declared.ORACLE}
    mean, sd = arrays["mean"][0], arrays["sd"][0]
    raw, target = (arrays[name] * sd + mean for name in ("ensemble", "target"))
    accuracy = identify(raw, target, np.zeros(len(raw), int)).accuracy
    assert rows["identification"].iloc[0] == pytest.approx(accuracy.mean(), abs=0.02)
    null = own.arrays(declared.EXCHANGES, space, NETWORK)
    assert (
        rows["p"].iloc[0] == (1 + (null["ensemble_null"] >= null["ensemble_observed"]).sum()) / 100
    )
    # one test set: exchanged scores are accuracies, not moved away from chance
    steps = null["ensemble_null"] * len(raw) * 2 * (len(raw) - 1)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)


def test_what_the_paper_lacks_is_left_out_and_the_rest_is_there(own: Results, out: Path) -> None:
    (space,) = own.spaces
    assert own.table(declared.CURVE, space, NETWORK).empty
    assert not own.table(declared.ABLATION, space, NETWORK).empty
    assert list(own.table(coded.SCORES, space)["score"])[:2] == [NETWORK, "genre"]
    titles = {item.title for item in own.cautions()}
    assert "The response window begins 0 s after the music" in titles
    page = (out / "sub-01_reconstruct.html").read_text("utf-8")
    assert "Fidelity to the paper" in page
    assert "The response window begins 0 s after the music" in page


def test_fidelity_has_a_row_for_every_setting(out: Path) -> None:
    with (out / "logs" / "fidelity.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert {row["recipe"] for row in rows} == {"reconstruct"}
    used = {row["option"]: row["used"] for row in rows if row["level"] == "participant"}
    assert used["test_task"] == "Test"
    assert float(used["shift_s"]) == 0
    assert used["standardise"] == used["whole_brain"] == "False"
    assert {row["level"] for row in rows} == {"participant", "group", "both"}
    assert all(row["paper"] and row["source"] for row in rows)
    assert {row["variant"] for row in rows if row["level"] != "both"} == {"faithful"}


def test_the_group_averages_the_test_set(out: Path) -> None:
    group = Results(out, "reconstruct", CATALOGUE)
    (space,) = group.spaces
    assert group.facts(space)["variant"] == "faithful"
    rows = group.table(declared.GROUP_DECODING, space, NETWORK)
    people = [Results(out, "reconstruct", CATALOGUE, label) for label in ("01", "02")]
    each = [person.table(declared.DECODING, space, NETWORK) for person in people]
    mean = np.mean([table["identification"] for table in each], axis=0)
    np.testing.assert_allclose(rows["identification"], mean)
    across = group.table(declared.ACROSS, space, NETWORK)
    assert {"within", "anatomical", "aligned", "pooled"} == set(across["source"])
    assert "faithful" in (out / "group_reconstruct.html").read_text("utf-8")
