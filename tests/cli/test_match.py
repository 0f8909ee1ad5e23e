"""`musicotopy-tools match`: a table of moments and candidates that agrees with the network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from bidsapp.audio.io import load_audio
from bidsapp.audio.networks import get_network
from bidsapp.cli.tools import main
from bidsapp.models.harmonic.names import MATCH_COLUMNS
from bidsapp.stats.quadrants import CENTRES, entropy, similarity

RATE = 22_050


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A video's sound of 20 s; two candidates, one too short."""
    rng = np.random.default_rng(0)
    for name, seconds in (
        ("film/a.wav", 20),
        ("ads/x.wav", 8),
        ("ads/y.wav", 7),
        ("ads/z.wav", 2),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        sound = np.cumsum(rng.standard_normal(seconds * RATE))
        soundfile.write(path, 0.3 * sound / np.abs(sound).max(), RATE)
    return tmp_path / "film", tmp_path / "ads"


def test_the_table_agrees_with_the_network(folders, tmp_path, capsys) -> None:
    out = tmp_path / "new" / "match.tsv"
    words = ["match", *map(str, folders), str(out), "--weights", "random", "--seed", "3", "-q"]
    assert main([*words, "--moment-s", "10"]) == 0
    said = capsys.readouterr().out
    assert "z.wav: shorter than 6 s, left out" in said
    assert "the quadrants mean nothing" in said
    table = pd.read_csv(out, sep="\t")
    assert list(table.columns) == list(MATCH_COLUMNS)
    assert table["start_s"].tolist() == [0.0, 0.0, 10.0, 10.0]
    assert table["candidate"].tolist() == ["x.wav", "y.wav"] * 2
    network = get_network("harmonic", weights="random", seed=3, hop_s=0.48)

    def quadrants(path: Path) -> tuple[np.ndarray, np.ndarray]:
        frames = network.frames(load_audio(path, network.sampling_hz))
        last = dict(network.channels(frames, memory_bytes=2**28))[3]
        return network.frame_times_s(len(frames)), last.astype(float)

    times_s, own = quadrants(folders[0] / "a.wav")
    moment = own[times_s >= 10].mean(axis=0)
    other = quadrants(folders[1] / "y.wav")[1].mean(axis=0)
    row = table.iloc[3]
    assert row["similarity"] == pytest.approx(similarity(moment, other), abs=1e-5)
    assert row["uncertainty"] == pytest.approx((entropy(moment) + entropy(other)) / 2, abs=1e-5)
    contrast = (other - moment) @ CENTRES
    assert [row["valence_contrast"], row["arousal_contrast"]] == pytest.approx(contrast, abs=1e-5)
    facts = json.loads(out.with_suffix(".json").read_text())
    assert facts["similarity"]["Description"] == MATCH_COLUMNS["similarity"]
    assert facts["Weights"]["source"] == "random"


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (["--moment-s", "0"], 2, "above 0"),
        (["out.csv"], 2, "name the table .tsv"),
        (["--weights", "absent.pth"], 69, "absent.pth"),
    ],
)
def test_what_cannot_be_is_one_sentence(folders, tmp_path, capsys, change, code, message) -> None:
    out = (
        str(tmp_path / change.pop(0))
        if not change[0].startswith("--")
        else str(tmp_path / "t.tsv")
    )
    words = ["match", *map(str, folders), out, "-q", "--weights", "random", *change]
    got = main(words)
    said = capsys.readouterr().err
    assert message in said
    assert got == code
    assert said.count("\n") == 1
    assert not Path(out).exists()


def test_sounds_that_are_all_too_short_are_named(folders, tmp_path, capsys) -> None:
    short = str(folders[1] / "z.wav")
    words = ["match", str(folders[0]), short, str(tmp_path / "t.tsv"), "--weights", "random", "-q"]
    assert main(words) == 65
    assert "none of its 1 sounds lasts 6 s" in capsys.readouterr().err
