"""Lines that say how far long work is."""

from __future__ import annotations

import time

import pytest

from bidsapp import progress


def test_a_silent_phase_is_said_again(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.job("[2/5] sub-02 · fsaverage5", silence_s=0.05):
        progress.phase("writing")
        time.sleep(0.4)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("[2/5] sub-02 · fsaverage5 · writing · 0 s") for line in lines)
    time.sleep(0.2)
    assert not capsys.readouterr().err  # nothing more after its end


def test_quiet_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.job("sub-02", quiet=True, silence_s=0.01):
        assert list(progress.track(range(3), total=3, label="steps", quiet=True)) == [0, 1, 2]
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_plain_lines_count_and_name_whose_work_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_PLAIN_INTERVAL_S", 0.0)
    with progress.job("[1/2] sub-01 · MNI"):
        list(progress.track(range(2), total=2, label="layers"))
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("[1/2] sub-01 · MNI · layers 1 of 2 · about ")
    assert last == "[1/2] sub-01 · MNI · layers 2 of 2 · about 0 s left"
    list(progress.track(range(1), total=1, label="layers"))
    assert capsys.readouterr().err == "layers 1 of 1 · about 0 s left\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89.4, "89 s"), (90, "2 min"), (5399, "90 min"), (7200, "2.0 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert progress.duration(seconds) == text
