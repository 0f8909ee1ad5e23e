"""The listening test: trials, key, page in a browser, answers read back."""

from __future__ import annotations

import base64
import csv
import io
import json
import re

import numpy as np
import pytest
import soundfile

from bidsapp.audio.listening import (
    Excerpt,
    encode_excerpt,
    make_trials,
    score_answers,
    write_key,
)
from bidsapp.cli.tools import main
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.report.listening import write_listening_page
from tests.report.browser import browse, check_page, needs_chromium

CLIPS = [f"clip-{number}" for number in range(1, 11)]
SEED = 3


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Originals and two conditions of reconstructions; tones of different pitch."""
    folder = tmp_path_factory.mktemp("sounds")
    for number, clip in enumerate(CLIPS):
        time_s = np.arange(8000 * 2) / 8000
        for place, name, pitch in (
            ("originals", f"{clip}.wav", 200),
            ("made/retrieved", f"{clip}.wav", 210),
            ("made/generated", f"{clip}_sample-1.wav", 220),
            ("made/generated", f"{clip}_sample-2.wav", 230),
        ):
            (folder / place).mkdir(parents=True, exist_ok=True)
            sound = 0.3 * np.sin(2 * np.pi * (pitch + 50 * number) * time_s)
            soundfile.write(folder / place / name, sound, 8000)
    return folder


def trials_of(folders, **options):
    originals = {clip: Excerpt(folders / "originals" / f"{clip}.wav") for clip in CLIPS}
    made = {clip: Excerpt(folders / "made" / "retrieved" / f"{clip}.wav") for clip in CLIPS}
    return make_trials(originals, {"retrieved": made}, seed=SEED, **options)


def test_every_trial_has_the_original_and_others(folders):
    trials = trials_of(folders, n_options=3)
    assert [trial.clip for trial in trials] == CLIPS
    assert len({trial.name for trial in trials}) == 10
    for trial in trials:
        assert len(trial.options) == 3
        assert trial.clip in trial.options
        assert trial.clip not in trial.name
    assert trials == trials_of(folders, n_options=3)
    places = [list(trial.options).index(trial.clip) for trial in trials]
    assert len(set(places)) > 1


def test_other_options_of_the_same_genre(folders):
    groups = {clip: str(number % 3) for number, clip in enumerate(CLIPS)}
    for trial in trials_of(folders, groups=groups):
        assert len({groups[clip] for clip in trial.options}) == 1
    with pytest.raises(InputMissingError, match="clip-2 has 2 other originals"):
        trials_of(folders, groups=groups, n_options=4)


def test_excerpts_are_levelled_and_cut(folders, tmp_path):
    loud, quiet = tmp_path / "loud.wav", tmp_path / "quiet.wav"
    noise = np.random.default_rng(0).standard_normal(24_000 * 4)
    soundfile.write(loud, 0.2 * noise, 24_000)
    soundfile.write(quiet, 0.002 * noise, 24_000)
    levels = []
    for path in (loud, quiet):
        address = encode_excerpt(Excerpt(path, 1.0), 2.0)
        content = base64.b64decode(address.removeprefix("data:audio/mpeg;base64,"))
        sound, rate = soundfile.read(io.BytesIO(content))
        assert rate == 24_000
        assert 2.0 <= len(sound) / rate < 2.2
        levels.append(np.sqrt(np.mean(sound**2)))
    assert levels[0] == pytest.approx(levels[1], rel=0.1)
    assert 0.06 < levels[0] < 0.11
    soundfile.write(quiet, np.zeros(24_000), 24_000)
    for start_s in (0.0, 5.0):
        with pytest.raises(InputInvalidError, match=f"no sound from {start_s:g} s on"):
            encode_excerpt(Excerpt(quiet, start_s), 2.0)


def test_answers_are_scored_with_the_key(folders, tmp_path):
    trials = trials_of(folders)
    key = tmp_path / "key.tsv"
    write_key(trials, key, SEED)
    with key.open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    head = "listener\ttrial\tchoice\torder\tresponse_time_s\n"

    def answer(path, listener, n_right):
        lines = [head]
        for number, row in enumerate(rows):
            wrong = next(item for item in row["options"].split() if item != row["correct"])
            choice = row["correct"] if number < n_right else wrong
            lines.append(f"{listener}\t{row['trial']}\t{choice}\t{number + 1}\t2.5\n")
        path.write_text("".join(lines))
        return path

    first = answer(tmp_path / "a.tsv", "A", 9)
    test = score_answers(key, [first])["retrieved"]
    assert (test.n_correct, test.n_answers) == (9, 10)
    assert test.p == pytest.approx(11 / 1024)
    both = score_answers(key, [first, answer(tmp_path / "b.tsv", "B", 10)])["retrieved"]
    assert (both.n_trials, both.n_answers, both.n_correct) == (10, 20, 19)
    with pytest.raises(InputInvalidError, match="listener A answers trial"):
        score_answers(key, [first, first])
    (tmp_path / "c.tsv").write_text(head + "C\tnothing\tx\t1\t1\n")
    with pytest.raises(InputInvalidError, match="is not in"):
        score_answers(key, [tmp_path / "c.tsv"])
    (tmp_path / "c.tsv").write_text("listener\ttrial\nA\tb\n")
    with pytest.raises(InputInvalidError, match="has no column choice"):
        score_answers(key, [tmp_path / "c.tsv"])
    with pytest.raises(InputInvalidError, match="has no row"):
        score_answers(
            key, [answer(tmp_path / "d.tsv", "D", 0).with_name("c.tsv"), empty(tmp_path)]
        )


def empty(folder):
    (folder / "c.tsv").write_text("listener\ttrial\tchoice\torder\tresponse_time_s\n")
    return folder / "c.tsv"


def test_the_page_does_not_tell_the_answers(folders, tmp_path):
    trials = trials_of(folders)
    page = write_listening_page(trials, tmp_path / "page.html", title="Test", seed=SEED, seconds=1)
    text = page.read_text()
    assert not [clip for clip in CLIPS if clip in text]
    assert str(folders) not in text
    assert 'retrieved"' not in text
    content = json.loads(re.search(r'id="content">(.*?)</script>', text)[1])
    assert len(content["sounds"]) == 20
    assert [trial["name"] for trial in content["trials"]] == sorted(t.name for t in trials)
    same = write_listening_page(trials, tmp_path / "b.html", title="Test", seed=SEED, seconds=1)
    assert same.read_text() == text


def test_the_commands(folders, tmp_path, capsys):
    page = tmp_path / "page.html"
    words = ["listening-test", str(folders / "originals"), str(folders / "made"), str(page)]
    assert main([*words, "--seconds", "0.5", "--options", "3"]) == 0
    assert "20 trials of 3 options" in capsys.readouterr().out
    key = tmp_path / "page_key.tsv"
    rows = list(csv.DictReader(key.open(), delimiter="\t"))
    assert {row["condition"] for row in rows} == {"retrieved", "generated"}
    lines = ["listener\ttrial\tchoice\torder\tresponse_time_s"]
    lines += [
        f"A\t{row['trial']}\t{row['correct']}\t1\t1" for row in rows if "g" in row["condition"]
    ]
    (tmp_path / "a.tsv").write_text("\n".join(lines) + "\n")
    assert main(["listening-score", str(key), str(tmp_path / "a.tsv")]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"generated +10 +10 +10 \(100\.0%\) +33\.3% +1\.7e-05", shown)
    assert "retrieved " not in shown
    assert "does not say that other listeners" in shown
    (tmp_path / "none").mkdir()
    assert main([*words[:2], str(tmp_path / "none"), str(page)]) == 66
    assert "no folder here has a sound" in capsys.readouterr().err
    assert main([*words, "--options", "1"]) == 2


def test_names_of_clips_that_begin_alike(folders, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert (
        main(["listening-test", str(folders / "originals"), str(folders / "made"), str(page)]) == 0
    )
    rows = list(csv.DictReader((tmp_path / "page_key.tsv").open(), delimiter="\t"))
    assert sorted(row["clip"] for row in rows) == sorted(CLIPS * 2)


#: plays nothing (a headless browser may not), but says that everything has been heard
_WALK = """
  const press = (key) => dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const ran = [];
  window.Audio = class extends EventTarget {
    constructor(source) { super(); ran.push(source.slice(0, 15)); }
    pause() {}
    play() { this.dispatchEvent(new Event("playing")); return Promise.resolve(); }
  };
  document.getElementById("listener").value = "L1";
  document.querySelector("#who button").click();
  seen.first = document.getElementById("progress").textContent;
  press("Enter");
  seen.early = document.getElementById("progress").textContent;
  press("1");
  seen.locked = document.querySelector(".choose").disabled;
  press("0"); press("2");
  seen.open = !document.querySelector(".choose").disabled;
  press("Enter");
  while (!document.getElementById("trial").hidden) {
    press("0"); press("2"); press("1"); press("Enter");
  }
  seen.answers = document.getElementById("answers").textContent;
  seen.ran = [...new Set(ran)];
  seen.button = document.getElementById("save").offsetParent !== null;
"""


class TestBrowser:
    pytestmark = needs_chromium

    def test_a_listener_answers_by_keyboard(self, folders, tmp_path):
        trials = trials_of(folders)
        page = write_listening_page(
            trials, tmp_path / "page.html", title="Test", seed=SEED, seconds=1
        )
        key = tmp_path / "key.tsv"
        write_key(trials, key, SEED)
        seen = check_page(page, tmp_path, _WALK)
        assert seen["first"] == seen["early"] == "Trial 1 of 10"
        assert seen["locked"]
        assert seen["open"]
        assert seen["button"]
        assert seen["ran"] == ["data:audio/mpeg"]
        answers = tmp_path / "answers.tsv"
        answers.write_text(seen["answers"])
        rows = list(csv.DictReader(answers.open(), delimiter="\t"))
        assert {row["trial"] for row in rows} == {trial.name for trial in trials}
        assert [row["order"] for row in rows] == [str(number) for number in range(1, 11)]
        assert [row["trial"] for row in rows] != sorted(row["trial"] for row in rows)
        test = score_answers(key, [answers])["retrieved"]
        assert test.n_answers == 10
        assert 0 < test.n_correct < 10  # options are shuffled: the first is not always right

    def test_the_browser_can_play_the_sounds(self, folders, tmp_path):
        trials = trials_of(folders)
        page = write_listening_page(
            trials, tmp_path / "page.html", title="Test", seed=SEED, seconds=1
        )
        content = re.search(r'id="content">(.*?)</script>', page.read_text())[1]
        sources = json.loads(content)["sounds"].values()
        elements = "".join(f'<audio preload="auto" src="{source}"></audio>' for source in sources)
        page.write_text(page.read_text().replace("<main", elements + "<main"))
        script = """
          seen.lengths = [...document.querySelectorAll("audio")].map((audio) => audio.duration);
        """
        seen, console = browse(page, tmp_path, script)
        assert not console
        assert len(seen["lengths"]) == 20
        assert all(1.0 <= length < 1.2 for length in seen["lengths"])
