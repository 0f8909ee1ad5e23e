"""Execution of jobs: isolation, reasons, exit codes, what an earlier run left."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bidsapp.config import Config
from bidsapp.engine import work as engine
from bidsapp.engine.plan import Job, Plan
from bidsapp.engine.run import execute
from bidsapp.errors import InputInvalidError, InputMissingError


class StandInInputs:
    """Inputs that do not change."""

    def identity(self) -> str:
        return "inputs"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(bids_dir=tmp_path, output_dir=tmp_path / "out", analysis_level=("participant",))


def make_plan(*subjects: str, code: str = "aaaa") -> Plan:
    jobs = tuple(
        Job(
            f"gradients_sub-{subject}_space-x",
            "gradients",
            "participant",
            subject,
            "x",
            None,
            code,
            StandInInputs(),  # type: ignore[arg-type]
        )
        for subject in subjects
    )
    return Plan(None, subjects, jobs, {"gradients": code})  # type: ignore[arg-type]


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], None]], None]:
    """Put a function in the place of the recipe."""

    def install(function: Callable[[Any], None]) -> None:
        monkeypatch.setattr(
            engine,
            "RECIPES",
            {"gradients": SimpleNamespace(participant="", group="", descriptions=lambda _: {})},
        )
        monkeypatch.setattr(engine, "load_function", lambda address: function)

    return install


def write_result(analysis: Any, name: str = "result.tsv") -> None:
    subject = analysis.staging.job.split("_")[1]
    analysis.staging.path(f"{subject}/{name}").write_text("result")


@pytest.mark.parametrize(
    ("error", "code", "part"),
    [
        (InputInvalidError("the TR is 0"), 65, "the TR is 0"),
        (InputMissingError("no sound"), 66, "no sound"),
        (MemoryError(), 75, "--mem"),
        (OSError(28, "No space left on device", "/out/x"), 73, "No space left"),
        (ZeroDivisionError("oops"), 70, "internal error"),
    ],
)
def test_a_failure_is_recorded_and_leaves_the_others(
    config: Config, recipe: Any, error: Exception, code: int, part: str
) -> None:
    def analyse(analysis: Any) -> None:
        write_result(analysis)
        if "sub-01" in analysis.staging.job:
            raise error

    recipe(analyse)
    first, second = execute(make_plan("01", "02"), config)
    assert (first.state, first.exit_code) == ("failed", code)
    assert part in first.reason
    assert second.state == "done"
    assert not (config.output_dir / "sub-01").exists()
    assert (config.output_dir / "sub-02" / "result.tsv").is_file()
    assert not list(config.output_dir.glob(".staging*"))


def test_stop_on_first_crash(config: Config, recipe: Any) -> None:
    import dataclasses

    def analyse(analysis: Any) -> None:
        raise InputInvalidError("broken")

    recipe(analyse)
    stopping = dataclasses.replace(config, stop_on_first_crash=True)
    assert len(execute(make_plan("01", "02"), stopping)) == 1


def test_done_is_not_done_again_and_old_files_go(config: Config, recipe: Any) -> None:
    calls = []

    def analyse(analysis: Any) -> None:
        calls.append(analysis.staging.job)
        write_result(analysis, f"run{len(calls)}.tsv")

    recipe(analyse)
    execute(make_plan("01"), config)
    execute(make_plan("01"), config)
    assert len(calls) == 1
    (refused,) = execute(make_plan("01", code="bbbb"), config)
    assert (refused.state, refused.exit_code, len(calls)) == ("failed", 73, 1)
    execute(make_plan("01", code="bbbb"), dataclasses.replace(config, overwrite=True))
    assert len(calls) == 2
    assert [path.name for path in (config.output_dir / "sub-01").iterdir()] == ["run2.tsv"]


def test_failing_again_does_not_forget_what_is_there(config: Config, recipe: Any) -> None:
    recipe(write_result)
    execute(make_plan("01"), config)

    def fail(analysis: Any) -> None:
        raise InputInvalidError("broken")

    recipe(fail)
    (failed,) = execute(make_plan("01", code="bbbb"), config)
    assert failed.outputs == ("sub-01/result.tsv",)

    recipe(lambda analysis: write_result(analysis, "new.tsv"))
    execute(make_plan("01", code="bbbb"), config)
    assert [path.name for path in (config.output_dir / "sub-01").iterdir()] == ["new.tsv"]
