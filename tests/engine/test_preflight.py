"""What a plan says before a run; what it refuses stands in test_refusals.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bidsapp.audio.networks import network_entry
from bidsapp.cli import tools
from bidsapp.cli.app import main
from bidsapp.cli.configure import parse_arguments
from bidsapp.config import Config
from bidsapp.engine.plan import Job, make_plan
from bidsapp.engine.preflight import _reasons, checked, needs
from bidsapp.errors import AppError, ResourceUnavailableError
from bidsapp.recipes.base.cost import SOUND_FEATURES, Cost
from tests.engine.conftest import SETTINGS, first


def test_ready_names_what_it_needs(study, tmp_path, capsys) -> None:
    words = [str(study), str(tmp_path / "out"), "participant", *SETTINGS, "--dry-run"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert re.match(r"ready: 1 participant x 1 space; needs .*, about \d+ (s|min)", out)
    assert re.search(r"feature frames; about .* on \d cores? \(.*\); memory", out)


def test_features_of_the_sounds_are_counted_once_for_all_participants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cost = Cost(1, 1, "", {SOUND_FEATURES: 600.0, "scores": 60.0})
    monkeypatch.setattr(Job, "cost", lambda job, config: cost)
    config = Config(
        bids_dir=Path("data"), output_dir=Path("out"), analysis_level=("participant",), nprocs=1
    )
    jobs = [Job(f"job-{k}", "gradients", "participant", f"{k}", "", None, "") for k in range(3)]
    assert needs(jobs, config).seconds == 600 + 3 * 60


def test_a_run_that_cannot_be_used_is_said_and_has_its_code(study, tmp_path, capsys) -> None:
    path = first(study, "*run-2*hemi-L*fsaverage5*.gii")
    path.write_bytes(b"")
    words = [str(study), str(tmp_path / "out"), "participant", *SETTINGS]
    words += ["--space", "fsaverage5"]
    assert main([*words, "--dry-run"]) == 3
    assert "without 1: sub-01_task-" in capsys.readouterr().out
    assert main(words) == 3
    assert "done, without 1 run that could not be used: sub-01_" in capsys.readouterr().err
    status = json.loads((tmp_path / "out" / "logs" / "status.json").read_text())
    assert [name[-5:] for name in status["Jobs"][0]["left_out"]] == ["run-2"]
    assert main(words) == 3  # reused, and said again
    assert "nothing to do, 0 failed, 0 computed, 1 reused" in capsys.readouterr().out
    assert main([*words, "--reports-only"]) == 3
    assert "0 failed, 1 report written again" in capsys.readouterr().out
    damaged = sorted((tmp_path / "out").rglob("*_desc-gradientspositivelags_statmap.func.gii"))[0]
    damaged.write_bytes(damaged.read_bytes()[:3000])
    assert main([*words, "--reports-only"]) == 65
    error = capsys.readouterr().err
    assert f"the report failed: {damaged} cannot be read as an image" in error
    assert "Traceback" not in error


def test_a_group_is_counted_on_the_participants_of_the_same_command(
    study, tmp_path, capsys
) -> None:
    words = [str(study), str(tmp_path / "out"), "participant", "group", *SETTINGS, "--dry-run"]
    main(words)
    out = capsys.readouterr().out
    assert "holds no finished participant" not in out
    assert "planned or done: 01" in out or "1 participants will be there" in out


def test_other_weights_are_other_inputs(study, tmp_path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    vggish = ["--weights-dir", str(folder), "--weights", "pretrained", "--set"]
    words = [str(study), str(tmp_path / "out"), "participant", *vggish]
    config = parse_arguments([*words, 'gradients.networks=["vggish"]'])
    name = next(iter(network_entry("vggish").weight_files.values()))[1]
    hashes = []
    for content in (b"one", b"three"):
        (folder / name).write_bytes(content)
        (job,) = checked(make_plan(config), config).jobs
        assert [path.name for path in job.weights] == [name]
        hashes.append(job.inputs_hash)
    assert hashes[0] != hashes[1]


def test_init_calls_nothing_ready_that_a_run_refuses(study, capsys) -> None:
    """Two short pieces are there by name and do not fill the folds."""
    for path in study.rglob("*task-*_events.tsv"):
        lines = path.read_text().splitlines()
        path.write_text("\n".join(lines[:2]) + "\n")
    assert tools.main(["init", str(study)]) == 0
    text = capsys.readouterr().out
    reason = re.search(r"^ *gradients +missing: (sub-01: .*)$", text, re.MULTILINE)
    assert reason is not None
    words = ["--weights", "random", "--dry-run"]
    assert main([str(study), str(study.parent / "out"), "participant", *words]) == 65
    assert reason[1] in capsys.readouterr().out


def test_silence_in_front_of_a_sound_is_said(study, capsys) -> None:
    """As long as before, and exported with three seconds of silence: the onset is off by them."""
    path = sorted((study / "stimuli").glob("*.flac"))[0]
    samples, rate = soundfile.read(path)
    soundfile.write(path, np.r_[np.zeros(3 * rate), samples[: -3 * rate]], rate)
    words = [str(study), str(study.parent / "out"), "participant", *SETTINGS, "--dry-run"]
    assert main(words) == 0
    assert f"{path.name}: begins with 3 s of silence" in capsys.readouterr().out


def test_a_sound_of_a_narrow_band_is_said(study, capsys) -> None:
    path = sorted((study / "stimuli").glob("*.flac"))[0]
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples[:: rate // 8000][: len(samples) * 8000 // rate], 8000)
    words = [str(study), str(study.parent / "out"), "participant", *SETTINGS, "--dry-run"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert f"{path.name}: is sampled at 8,000 Hz: it has nothing above 4,000 Hz" in said
    assert f"others reach {rate // 2:,} Hz" in said


def test_what_keeps_all_participants_is_refused_once_before_any_work(
    study, tmp_path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = ResourceUnavailableError("weights: no such file; check the path")
    monkeypatch.setattr("bidsapp.engine.preflight.job_error", lambda *_: reason)
    words = [str(study), str(tmp_path / "out"), "participant", "group", *SETTINGS]
    words += ["--space", "fsaverage5", "MNI152NLin2009cAsym"]
    code = main(words)
    error = capsys.readouterr().err
    assert (code, error.count("no such file")) == (ResourceUnavailableError.exit_code, 1)
    assert not (tmp_path / "out").exists()
    assert main([*words, "--dry-run"]) == code
    assert capsys.readouterr().out.count("no such file") == 3  # first line, options, first job


def test_a_reason_of_some_participants_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [
        Job(f"job-{k}", "gradients", "participant", f"{k}", "", None, "", error=AppError("late"))
        for k in range(5)
    ]
    assert _reasons(errors) == ["  [!!] job-0, job-1, job-2 and 2 more: late"]
