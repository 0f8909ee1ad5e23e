"""Records of jobs: what counts as done, and what may stand beside each other."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from bidsapp.cli.show import _exit_code
from bidsapp.config import Config, configuration_hash, to_toml
from bidsapp.engine.plan import Job, Plan, check_configuration
from bidsapp.engine.status import (
    Record,
    is_complete,
    read_records,
    record_path,
    write_record,
    write_status,
)
from bidsapp.errors import OutputError
from bidsapp.recipes import RECIPES
from bidsapp.text import text_table

RECORD = Record(
    job="gradients_sub-01_space-fsaverage5",
    recipe="gradients",
    level="participant",
    subject="01",
    space="fsaverage5",
    state="done",
    configuration_hash="aaaa",
    inputs_hash="bbbb",
    outputs=("sub-01/func/map.nii.gz",),
)


def make_job(name: str = RECORD.job) -> Job:
    return Job(name, "gradients", "participant", "01", "fsaverage5", None, "aaaa")


def make_plan(code: str) -> Plan:
    return Plan(
        dataset=None,
        subjects=("01",),
        jobs=(make_job(),),
        configuration_hashes={"gradients": code},
    )  # type: ignore[arg-type]


def test_round_trip_and_broken_records(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    record_path(tmp_path, "other").write_text("{ broken")
    assert read_records(tmp_path) == {RECORD.job: RECORD}
    write_status(tmp_path)
    assert len(json.loads((tmp_path / "logs" / "status.json").read_text())["Jobs"]) == 1


def test_complete_means_done_same_and_present(tmp_path: Path) -> None:
    assert not is_complete(tmp_path, None, "aaaa", "bbbb")
    assert not is_complete(tmp_path, RECORD, "aaaa", "bbbb")  # the file is not there
    path = tmp_path / RECORD.outputs[0]
    path.parent.mkdir(parents=True)
    path.touch()
    assert is_complete(tmp_path, RECORD, "aaaa", "bbbb")
    assert not is_complete(tmp_path, RECORD, "other", "bbbb")
    assert not is_complete(tmp_path, RECORD, "aaaa", "other")
    failed = dataclasses.replace(RECORD, state="failed")
    assert not is_complete(tmp_path, failed, "aaaa", "bbbb")


def config(folder: Path, **values: Any) -> Config:
    recipe = ("gradients",)
    return Config(
        bids_dir=folder,
        output_dir=folder,
        analysis_level=("participant",),
        recipe=recipe,
        **values,
    )


def test_configurations_are_not_mixed(tmp_path: Path) -> None:
    same = {RECORD.job: ("gradients", "aaaa")}
    kept, renewed = config(tmp_path), config(tmp_path, overwrite=True)
    check_configuration(same, make_plan("aaaa"), kept)
    with pytest.raises(OutputError, match="--overwrite"):
        check_configuration(same, make_plan("cccc"), kept)
    check_configuration(same, make_plan("cccc"), renewed)
    other = {"gradients_sub-02_space-fsaverage5": ("gradients", "aaaa")}
    with pytest.raises(OutputError, match="sub-02"):
        check_configuration(other, make_plan("cccc"), renewed)
    check_configuration({"rsa_sub-02": ("rsa", "aaaa")}, make_plan("cccc"), kept)


def test_a_conflict_names_the_settings_that_differ(tmp_path: Path) -> None:
    there = config(tmp_path, confounds="motion6", recipe_settings={"gradients": {"hop_s": 2.0}})
    code = configuration_hash(there, "gradients", vars(RECIPES["gradients"].settings(there)))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "config.toml").write_text(to_toml(there))
    held = {RECORD.job: ("gradients", code)}
    wanted = config(tmp_path, confounds="none")
    hop = RECIPES["gradients"].settings(wanted).hop_s
    text = f"confounds motion6 there, none wanted; gradients.hop_s 2.0 there, {hop} wanted"
    with pytest.raises(OutputError) as raised:
        check_configuration(held, make_plan("cccc"), wanted)
    assert f"({text})" in str(raised.value)
    later = config(tmp_path, confounds="motion24")
    (tmp_path / "logs" / "config.toml").write_text(to_toml(later))
    with pytest.raises(OutputError, match=f"configuration {code}; logs/config.toml is of a later"):
        check_configuration(held, make_plan("cccc"), wanted)


@pytest.mark.parametrize(
    ("codes", "n_jobs", "expected"), [([66], 1, 66), ([66, 65], 2, 1), ([66], 2, 1)]
)
def test_exit_code(codes: list[int], n_jobs: int, expected: int) -> None:
    failed = [dataclasses.replace(RECORD, state="failed", exit_code=code) for code in codes]
    assert _exit_code(failed, n_jobs) == expected


def test_table_lays_out_and_says_missing() -> None:
    text = text_table([{"a": 1.0, "b": float("nan")}, {"a": 12.345, "b": None}], ("a", "b"))
    assert text.splitlines() == ["a      b", "1      n/a", "12.35  n/a"]
