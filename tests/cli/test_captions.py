"""`musicotopy-tools captions`: from a table to features that a run can take."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from bidsapp.audio.networks import get_network
from bidsapp.cli.tools import main
from tests.audio.small_models import CAPTIONS, save_clap

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def clap(tmp_path_factory):
    return save_clap(tmp_path_factory.mktemp("models") / "clap")


@pytest.fixture
def sounds(tmp_path):
    for name, seconds in (("a.wav", 3), ("jazz/b.wav", 2), ("c.wav", 1)):
        path = tmp_path / "sounds" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * np.ones(8000 * seconds), 8000)
    table = tmp_path / "stimuli.tsv"
    rows = [("a.wav", CAPTIONS[0]), ("jazz/b.wav", CAPTIONS[1]), ("c.wav", "n/a")]
    table.write_text("stim_file\tcaption\n" + "".join(f"{a}\t{b}\n" for a, b in rows))
    return table, tmp_path / "sounds"


def test_captions_become_a_network(clap, sounds, tmp_path, capsys):
    from bidsapp.audio.networks.clap import embed_texts

    out = tmp_path / "captions.npz"
    words = ["captions", str(sounds[0]), str(sounds[1]), str(out), "--weights", str(clap)]
    assert main(words) == 0
    assert f"use: --network features:{out}" in capsys.readouterr().out
    network = get_network(f"features:{out}")
    assert [layer.name for layer in network.layers] == ["embedding"]
    expected = embed_texts(clap, CAPTIONS[:2])
    for name, vector, n in (("a.wav", expected[0], 3), ("jazz/b.wav", expected[1], 2)):
        frames, times_s = network.read_sound(name, sounds[1] / name)
        np.testing.assert_allclose(frames, np.tile(vector, (n, 1)), atol=1e-6)
        np.testing.assert_array_equal(times_s, 0.5 + np.arange(n))


def test_tables_that_do_not_fit_are_refused(clap, sounds, tmp_path, capsys):
    table, folder = sounds

    def run():
        out = tmp_path / "x.npz"
        code = main(["captions", str(table), str(folder), str(out), "--weights", str(clap)])
        assert not out.exists()
        return code, capsys.readouterr().err

    for text, code, message in (
        ("stim_file\tcaption\nabsent.wav\tpiano\n", 66, "1 of 1 sounds with a caption are not in"),
        ("stim_file\ttext\na.wav\tpiano\n", 65, "has no column caption"),
        ("stim_file\tcaption\na.wav\tn/a\n", 65, "has no caption"),
        ("stim_file\tcaption\na.wav\tx\na.wav\ty\n", 65, "has a sound twice"),
    ):
        table.write_text(text)
        found, sentence = run()
        assert found == code
        assert message in sentence
        assert str(table) in sentence
