"""Who takes part in a group, and which mixtures are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidsapp.brain.geometry import surface_units, volume_units
from bidsapp.errors import InputInvalidError, InputMissingError, OutputError
from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.gradients import results as declared

Make = Callable[..., Path]
Find = Callable[..., list[GroupInputs]]


def record(output: Path, subject: str, **values: Any) -> None:
    folder = output / "logs" / "jobs"
    folder.mkdir(parents=True, exist_ok=True)
    content = {"recipe": "gradients", "level": "participant", "subject": subject, "space": "toy"}
    (folder / f"gradients_sub-{subject}.json").write_text(json.dumps(content | values))


def test_finds_participants_layers_and_lags(toy_group: Make, find: Find) -> None:
    (inputs,) = find(toy_group(3))
    assert inputs.subjects == ("01", "02", "03")
    assert inputs.kind == "gifti"
    assert inputs.space == "toy"
    assert list(inputs.networks) == ["vggish"]
    assert len(inputs.networks["vggish"]) == 6
    assert inputs.left_out == ()
    images = [path for path in inputs.files if path.suffix == ".gii" and "_stat-r_" in path.name]
    assert len(images) == 3 * 2  # positive lags, two hemispheres


@pytest.mark.parametrize(
    ("option", "values", "word"),
    [
        ("code", ["aaaa1111", "bbbb2222", "aaaa1111"], "configuration"),
        ("seed", [0, 1, 0], "random seed"),
        ("weights", [{"vggish": {"sha256": x}} for x in "aba"], "weights"),
    ],
)
def test_refuses_mixed_settings_by_name(
    toy_group: Make, find: Find, option: str, values: list[Any], word: str
) -> None:
    output = toy_group(3, **{option: values})
    with pytest.raises(OutputError, match=word) as caught:
        find(output)
    assert caught.value.exit_code == 73
    assert "sub-01 sub-03" in str(caught.value)
    assert "sub-02" in str(caught.value)
    (inputs,) = find(output, exclude_participant_label=("02",))
    assert inputs.subjects == ("01", "03")


def test_refuses_other_layers_by_name(toy_group: Make, find: Find) -> None:
    layers = [tuple("abcdef"), tuple("abcdef"), tuple("abcdeX")]
    with pytest.raises(InputInvalidError, match=r"layers: sub-01 sub-02 .*; sub-03"):
        find(toy_group(3, layers=layers))


def test_refuses_another_mesh_by_name(
    toy_group: Make, find: Find, write: Callable[..., None], tmp_path: Path
) -> None:
    output = toy_group(2)
    other = surface_units(42, 42, space="toy")
    scores = {("vggish", lags): np.ones((6, 84)) / 9 for lags in ("positive", "negative")}
    write(output, "03", other, scores)
    with pytest.raises(InputInvalidError, match=r"sub-03.*42 vertices, not 162"):
        find(output)


def test_refuses_another_grid_but_not_another_mask(
    write: Callable[..., None], find: Find, tmp_path: Path
) -> None:
    scores = {("vggish", "positive"): np.full((6, 8), 0.1)}
    mask = np.zeros((4, 4, 4), bool)
    mask[:2, :2, :2] = True
    name = "MNI152NLin6Asym"
    for subject, shift in (("01", 0), ("02", 1)):
        units = volume_units(np.roll(mask, shift, axis=0), np.eye(4), space=name)
        write(tmp_path / "masks", subject, units, scores)
        units = volume_units(mask, np.diag([1.0 + shift, 1, 1, 1]), space=name)
        write(tmp_path / "grids", subject, units, scores)
    assert find(tmp_path / "masks")[0].subjects == ("01", "02")
    with pytest.raises(InputInvalidError, match="sub-02"):
        find(tmp_path / "grids")


def test_lists_everyone_who_is_missing_and_why(toy_group: Make, find: Find) -> None:
    output = toy_group(5)
    (output / "sub-06" / "func").mkdir(parents=True)
    record(output, "02", state="failed", reason="the disk is full")
    record(output, "03", state="done", outputs=["sub-03/func/gone.tsv"])
    record(output, "07", state="failed", reason="no BOLD run")
    record(output, "01", state="done", outputs=[])
    for path in (output / "sub-04" / "func").glob("*desc-gradientspositive_statmap.*"):
        path.unlink()
    (inputs,) = find(output, ["01", "08"], exclude_participant_label=("05",))
    assert inputs.subjects == ("01",)
    reasons = dict(inputs.left_out)
    assert set(reasons) == {"02", "03", "04", "05", "06", "07", "08"}
    assert "the disk is full" in reasons["02"]
    assert "gone.tsv" in reasons["03"]
    assert "desc-gradientspositive" in reasons["04"]
    assert reasons["05"] == "excluded by request"
    assert reasons["06"] == reasons["08"] == "no finished results in this space"
    assert "no BOLD run" in reasons["07"]


def test_chosen_participants_only(toy_group: Make, find: Find) -> None:
    output = toy_group(3)
    (inputs,) = find(
        output,
        participant_label=(
            "01",
            "03",
        ),
    )
    assert inputs.subjects == ("01", "03")
    with pytest.raises(InputMissingError, match="sub-09"):
        find(output, participant_label=("09",))


def test_spaces_are_groups_of_their_own(
    toy_group: Make, find: Find, write: Callable[..., None]
) -> None:
    output = toy_group(2)
    other = surface_units(12, 12, space="other")
    write(output, "01", other, {("vggish", "positive"): np.full((6, 24), 0.1)})
    by_space = {inputs.space: inputs for inputs in find(output)}
    assert by_space["toy"].subjects == ("01", "02")
    assert by_space["other"].subjects == ("01",)
    assert dict(by_space["other"].left_out) == {"02": "no finished results in this space"}
    (only,) = find(output, space=("other",))
    assert only.space == "other"
    with pytest.raises(InputMissingError, match="fsLR"):
        find(output, space=("fsLR",))


def test_own_spaces_cannot_be_averaged(toy_group: Make, find: Find) -> None:
    units = surface_units(162, 162, space="fsnative")
    with pytest.raises(InputInvalidError, match="own space"):
        find(toy_group(2, units=units))


def test_nothing_there(find: Find, tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="participant level first"):
        find(tmp_path)


def test_versions_are_said_not_refused(toy_group: Make, find: Find) -> None:
    (inputs,) = find(toy_group(2, version=["0.1.0", "0.2.0"]))
    assert any("0.2.0: sub-02" in str(problem) for problem in inputs.problems)


def test_identity_follows_files_and_people(toy_group: Make, find: Find) -> None:
    output = toy_group(2)
    first = find(output)[0]
    assert first.identity() == find(output)[0].identity()
    assert first.identity() != find(output, exclude_participant_label=("02",))[0].identity()
    before = first.identity()
    os.utime(first.participants[1].files(declared.COURSES, first.at)[0], (1, 1))
    assert find(output)[0].identity() != before
