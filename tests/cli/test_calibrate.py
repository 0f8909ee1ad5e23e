"""`musicotopy-tools calibrate`: foreign sounds, counted p-values, and the registry."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile

from bidsapp.bids.sounds import SoundLibrary
from bidsapp.cli import tools
from bidsapp.cli.commands import calibrate
from bidsapp.report.rates import own_rates, own_rates_path
from bidsapp.simulate.foreign import write_foreign_sounds

SECONDS = (3.0, 2.0)


@pytest.fixture
def stimuli(tmp_path):
    folder = tmp_path / "data" / "stimuli"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, seconds in zip(("a.wav", "more/b.flac"), SECONDS, strict=True):
        sound = (
            0.1 * rng.standard_normal(int(8000 * seconds)) * np.linspace(0, 1, int(8000 * seconds))
        )
        soundfile.write(folder / name, sound, 8000)
    (folder / "presentations.tsv").write_text("task\trun\n")
    return folder


@pytest.mark.parametrize("music", ["synthetic", "reversed", "own"])
def test_sounds_keep_their_names_and_lengths(stimuli, tmp_path, music):
    out = tmp_path / "foreign"
    assert write_foreign_sounds([stimuli], out, music=music, number=1) == 2
    assert (out / "presentations.tsv").read_text() == "task\trun\n"
    assert set(SoundLibrary.open([out]).files) == {"a.wav", "more/b.flac"}
    for name, seconds in zip(("a.wav", "more/b.flac"), SECONDS, strict=True):
        assert soundfile.info(out / name).duration == pytest.approx(seconds, abs=0.01)
    own, other = (np.abs(soundfile.read(f / "a.wav")[0]) for f in (stimuli, out))
    rises = [np.diff([np.mean(half) for half in np.array_split(x, 2)])[0] for x in (own, other)]
    assert rises[0] > 0
    if music != "synthetic":
        assert (rises[1] > 0) is np.bool_(music == "own")


def test_sets_have_other_pieces(stimuli, tmp_path):
    for number in (1, 2):
        write_foreign_sounds([stimuli], tmp_path / str(number), music="synthetic", number=number)
    first, second = (soundfile.read(tmp_path / n / "a.wav")[0] for n in "12")
    assert not np.array_equal(first, second)


def test_p_values_of_all_sets_are_counted(stimuli, tmp_path, monkeypatch, capsys):
    calls = []

    def p_values(output):
        rng = np.random.default_rng(len(calls))
        yield (
            "gradients",
            "participant",
            "Parcels",
            "p",
            "Shift",
            np.append(rng.uniform(0.06, 1, 9), 0.01),
        )
        yield (
            "gradients",
            "group",
            "Displacement",
            "p_fwe",
            "Common",
            np.array([0.05, np.nan, 0.5, 0.6]),
        )

    monkeypatch.setattr(calibrate, "run_app", calls.append)
    monkeypatch.setattr(calibrate, "p_values", p_values)
    out = tmp_path / "out"
    real = tmp_path / "real"
    words = ["calibrate", "study", stimuli.parent, out, "--sets", 3, "--for", real, "--", "-q"]
    assert tools.main([str(word) for word in words]) == 0
    assert [call[-1] for call in calls] == ["-q"] * 4
    assert calls[3][1:5] == [str(real), "participant", "group", "--reports-only"]
    assert own_rates_path(real).read_bytes() == (out / "calibration.tsv").read_bytes()
    (shown,) = own_rates(SimpleNamespace(root=real, recipe="gradients", is_group=True))
    assert [[cell.text for cell in row][3:6] for row in shown.rows] == [["0.333", "9", "3"]]
    assert own_rates(SimpleNamespace(root=real, recipe="rsa", is_group=True)) == []
    assert own_rates(SimpleNamespace(root=out, recipe="gradients", is_group=True)) == []
    assert calls[2][call_place(calls[2], "--stimuli-dir")] == str(out / "set-003" / "sounds")
    with (out / "calibration.tsv").open() as file:
        parcels, displacement = csv.DictReader(file, delimiter="\t")
    assert (parcels["rate"], parcels["values"], parcels["any"]) == ("0.100", "30", "3")
    assert (displacement["rate"], displacement["values"]) == ("0.333", "9")
    assert float(displacement["low"]) < 0.5
    assert "Displacement" in capsys.readouterr().out


def call_place(call, option):
    return call.index(option) + 1


def test_the_registry_is_measured_and_a_table_is_gone_on_with(tmp_path, capsys):
    path = tmp_path / "rates.tsv"
    words = ["calibrate", "bench", "--sets", "40", "--table", str(path), "--only"]
    assert tools.main([*words, "maximum_t"]) == 0
    kept = path.read_text(encoding="utf-8").replace(
        "maximum_t\t40\t0\t1.000", "maximum_t\t40\t0\tkept"
    )
    path.write_text(kept, encoding="utf-8")
    capsys.readouterr()
    assert tools.main([*words, "maximum_t", "stretches"]) == 0
    assert capsys.readouterr().out == path.read_text(encoding="utf-8")
    rates = pd.read_csv(path, sep="\t", index_col="inference")
    assert rates.loc["maximum_t", "p <= .05"] == "kept"
    assert rates.loc["stretches", "coverage"] > 0.8
    assert tools.main([*words, "maximum_t", "--seed", "1"]) == 0
    assert float(pd.read_csv(path, sep="\t").loc[2, "p <= .05"]) > 0.5
    path.write_text("something else\n", encoding="utf-8")
    assert tools.main([*words, "maximum_t"]) > 0


@pytest.mark.parametrize(
    "words",
    [
        ["calibrate", "bench", "--only", "nothing"],
        ["calibrate", "study", "DATA", "OUT", "--music", "reversed", "--sets", "2"],
        ["calibrate", "study", "DATA", "OUT"],
    ],
)
def test_refusals(words, tmp_path, capsys):
    given = [str(tmp_path / word) if word in ("DATA", "OUT") else word for word in words]
    assert tools.main(given) > 0
    assert "musicotopy-tools: " in capsys.readouterr().err
