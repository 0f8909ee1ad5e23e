"""Who takes part in a group, and which mixtures are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace, surface_units, volume_units
from bidsapp.config import Config
from bidsapp.errors import InputInvalidError, InputMissingError, OutputError
from bidsapp.recipes.base.group import GroupInputs, collect_group
from bidsapp.recipes.base.recipe import Recipe
from bidsapp.results.kinds import Column, Maps, Table, summary
from bidsapp.results.write import Output

SCORE = Maps(desc="toyscore", title="Score", says="Score.", stat="r", required=True)
ITEMS = Table(
    desc="toyitems",
    title="Items",
    says="Items.",
    columns=(Column("clip", text=True), Column("n")),
    same=("clip",),
    by_network=False,
)
SUMMARY = summary("toy", "participant")
RECIPE = Recipe(
    name="toy",
    question="?",
    paper="",
    variants={},
    group_variants={},
    results=(SCORE, ITEMS, SUMMARY),
    cost="",
    participant="",
    group="",
    report="",
)
LAYERS = tuple("abcdef")
Make = Callable[..., Path]


def write(
    root: Path,
    subject: str,
    units: UnitSpace,
    *,
    layers: Sequence[str] = LAYERS,
    code: str = "aaaa1111",
    seed: int = 0,
    weights: str = "x",
    version: str = "0.1.0",
    clips: Sequence[str] = ("one", "two"),
    recipe: Recipe = RECIPE,
) -> None:
    """Write the results of one participant."""
    with Staging(root, f"{recipe.name}_sub-{subject}_{units.space}") as staging:
        out = Output(staging, units, subject=subject, common={"ConfigurationHash": code})
        values = np.full((len(layers), units.n_units), 0.1)
        out.write(SCORE, values, network="net", names=layers)
        out.write(ITEMS, [{"clip": clip, "n": int(subject)} for clip in clips])
        network = {"layers": list(layers), "weights": {"sha256": weights}}
        content = {
            "space": units.space,
            "version": version,
            "networks": {"net": network},
            "config": {"random_seed": seed},
        }
        out.write(summary(recipe.name, "participant"), content)
        staging.publish()


@pytest.fixture
def make(tmp_path: Path, toy: UnitSpace) -> Make:
    """Return a function that writes participants 01, 02, … on the toy mesh.

    Keywords given as a list hold one value per participant.
    """

    def write_all(n: int = 3, **options: Any) -> Path:
        for number in range(n):
            own = {
                key: value[number] if isinstance(value, list) else value
                for key, value in options.items()
            }
            write(tmp_path / "out", f"{number + 1:02d}", own.pop("units", toy), **own)
        return tmp_path / "out"

    return write_all


def collect(
    root: Path, subjects: Sequence[str] = (), *, recipe: Recipe = RECIPE, **config: Any
) -> list[GroupInputs]:
    dataset = Dataset(bids_dir=root, root=root, fmriprep=None, layout="raw")
    chosen = Config(bids_dir=root, output_dir=root, analysis_level=("group",), **config)
    return collect_group(recipe, dataset, subjects, chosen)


def record(root: Path, subject: str, **values: Any) -> None:
    folder = root / "logs" / "jobs"
    folder.mkdir(parents=True, exist_ok=True)
    content = {"recipe": "toy", "level": "participant", "subject": subject, "space": "toy"}
    (folder / f"toy_sub-{subject}.json").write_text(json.dumps(content | values))


def test_finds_participants_networks_and_files(make: Make) -> None:
    (inputs,) = collect(make(3))
    assert inputs.subjects == ("01", "02", "03")
    assert inputs.kind == "gifti"
    assert inputs.space == "toy"
    assert inputs.networks == {"net": LAYERS}
    assert inputs.left_out == ()
    images = [path for path in inputs.files if path.suffix == ".gii"]
    assert len(images) == 3 * 2
    assert not any("toyitems" in path.name for path in inputs.files)  # not required


@pytest.mark.parametrize(
    ("option", "values", "word"),
    [
        ("code", ["aaaa1111", "bbbb2222", "aaaa1111"], "configuration"),
        ("seed", [0, 1, 0], "random seed"),
        ("weights", ["a", "b", "a"], "weights"),
    ],
)
def test_refuses_mixed_settings_by_name(
    make: Make, option: str, values: list[Any], word: str
) -> None:
    root = make(3, **{option: values})
    with pytest.raises(OutputError, match=word) as refusal:
        collect(root)
    assert refusal.value.exit_code == 73
    assert "sub-01 sub-03" in str(refusal.value)
    assert "sub-02" in str(refusal.value)
    (inputs,) = collect(root, exclude_participant_label=("02",))
    assert inputs.subjects == ("01", "03")


def test_refuses_other_layers_by_name(make: Make) -> None:
    layers = [LAYERS, LAYERS, tuple("abcdeX")]
    with pytest.raises(InputInvalidError, match=r"layers: sub-01 sub-02 .*; sub-03"):
        collect(make(3, layers=layers))


def test_refuses_other_rows_of_a_table_that_has_to_agree(make: Make) -> None:
    clips = [("one", "two"), ("one", "two"), ("one", "three")]
    with pytest.raises(InputInvalidError, match=r"sub-03 lacks two and adds three"):
        collect(make(3, clips=clips))


def test_refuses_another_mesh_by_name(make: Make) -> None:
    root = make(2)
    write(root, "03", surface_units(42, 42, space="toy"))
    with pytest.raises(InputInvalidError, match=r"sub-03.*42 vertices, not 162"):
        collect(root)


def test_refuses_another_grid_but_not_another_mask(tmp_path: Path) -> None:
    mask = np.zeros((4, 4, 4), bool)
    mask[:2, :2, :2] = True
    name = "MNI152NLin6Asym"
    for subject, shift in (("01", 0), ("02", 1)):
        units = volume_units(np.roll(mask, shift, axis=0), np.eye(4), space=name)
        write(tmp_path / "masks", subject, units)
        units = volume_units(mask, np.diag([1.0 + shift, 1, 1, 1]), space=name)
        write(tmp_path / "grids", subject, units)
    assert collect(tmp_path / "masks")[0].subjects == ("01", "02")
    with pytest.raises(InputInvalidError, match="sub-02"):
        collect(tmp_path / "grids")


def test_lists_everyone_who_is_missing_and_why(make: Make) -> None:
    root = make(5)
    (root / "sub-06" / "func").mkdir(parents=True)
    record(root, "02", state="failed", reason="the disk is full")
    record(root, "03", state="done", outputs=["sub-03/func/gone.tsv"])
    record(root, "07", state="failed", reason="no BOLD run")
    record(root, "01", state="done", outputs=[])
    next((root / "sub-04").rglob("*hemi-R*desc-toyscore_statmap.func.gii")).unlink()
    (inputs,) = collect(root, ("01", "08"), exclude_participant_label=("05",))
    assert inputs.subjects == ("01",)
    reasons = dict(inputs.left_out)
    assert set(reasons) == {"02", "03", "04", "05", "06", "07", "08"}
    assert "the disk is full" in reasons["02"]
    assert "gone.tsv" in reasons["03"]
    assert reasons["04"] == "its score (desc-toyscore) is missing"
    assert reasons["05"] == "excluded by request"
    assert reasons["06"] == reasons["08"] == "no finished results in this space"
    assert "no BOLD run" in reasons["07"]


def test_too_few_participants_are_refused_with_the_reasons(make: Make) -> None:
    root = make(2)
    recipe = replace(RECIPE, least_participants=2)
    assert collect(root, recipe=recipe)[0].subjects == ("01", "02")
    with pytest.raises(InputMissingError, match=r"(?s)needs 2.*sub-02: excluded by request"):
        collect(root, recipe=recipe, exclude_participant_label=("02",))


def test_chosen_participants_only(make: Make) -> None:
    root = make(3)
    (inputs,) = collect(root, participant_label=("01", "03"))
    assert inputs.subjects == ("01", "03")
    with pytest.raises(InputMissingError, match="sub-09"):
        collect(root, participant_label=("09",))


def test_spaces_are_groups_of_their_own(make: Make) -> None:
    root = make(2)
    write(root, "01", surface_units(12, 12, space="other"))
    by_space = {inputs.space: inputs for inputs in collect(root)}
    assert by_space["toy"].subjects == ("01", "02")
    assert by_space["other"].subjects == ("01",)
    assert dict(by_space["other"].left_out) == {"02": "no finished results in this space"}
    (only,) = collect(root, space=("other",))
    assert only.space == "other"
    with pytest.raises(InputMissingError, match="fsLR"):
        collect(root, space=("fsLR",))


def test_own_spaces_cannot_be_averaged(make: Make) -> None:
    with pytest.raises(InputInvalidError, match="own space"):
        collect(make(2, units=surface_units(162, 162, space="fsnative")))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="participant level first"):
        collect(tmp_path)


def test_results_of_other_recipes_are_not_ours(make: Make, toy: UnitSpace) -> None:
    root = make(1)
    write(root, "02", toy, recipe=replace(RECIPE, name="other"))
    (inputs,) = collect(root)
    assert inputs.subjects == ("01",)


def test_versions_are_said_not_refused(make: Make) -> None:
    (inputs,) = collect(make(2, version=["0.1.0", "0.2.0"]))
    assert any("0.2.0: sub-02" in str(problem) for problem in inputs.problems)


def test_identity_follows_files_and_people(make: Make) -> None:
    root = make(2)
    first = collect(root)[0]
    assert first.identity() == collect(root)[0].identity()
    assert first.identity() != collect(root, exclude_participant_label=("02",))[0].identity()
    before = first.identity()
    os.utime(next(path for path in first.files if path.suffix == ".gii"), (1, 1))
    assert collect(root)[0].identity() != before
