"""`musicotopy-tools train tagger` from the command line, with the paper's network."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest
import soundfile

from bidsapp.audio.networks import get_network
from bidsapp.cli.commands import train


def run(*arguments):
    parser = argparse.ArgumentParser()
    train.add(parser.add_subparsers(required=True))
    options = parser.parse_args(["train", "tagger", *map(str, arguments)])
    options.function(options)


@pytest.fixture
def corpus(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "corpus"
    folder.mkdir()
    lines = ["path\ttags\tsplit"]
    for split, n in (("train", 4), ("validation", 2), ("test", 2)):
        for number in range(n):
            sound = 0.1 * rng.standard_normal(51_000)
            soundfile.write(folder / f"{split}{number}.flac", sound, 16_000)
            lines.append(f"{split}{number}.flac\t{'loud|a' if number % 2 else 'a'}\t{split}")
    (folder / "clips.tsv").write_text("\n".join(lines) + "\n")
    return folder


def test_two_steps_of_the_paper_s_network(corpus, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ("--corpus", corpus, "--out", out, "--batch", 2, "--device", "cpu", "--quiet")
    run(*arguments, "--epochs", 1)
    printed = capsys.readouterr().out
    assert "best epoch 1 of 1" in printed
    assert f"weights: {out / 'resnet1d.pth'}" in printed
    facts = json.loads((out / "training.json").read_text())
    assert facts["settings"]["width"] == 64
    assert facts["settings"]["samples"] == 50_176
    assert facts["settings"]["betas"] == [0.5, 0.999]
    assert facts["tags"] == ["a", "loud"]
    assert facts["tags_judged"] == 1
    network = get_network("resnet1d", weights="tagger", weights_dir=out)
    assert network.weights["sha256"] == facts["weights_sha256"]
    assert network.layers[-1].n_channels == 2
    (out / "resnet1d.pth").unlink()
    run(*arguments, "--epochs", 1)
    again = get_network("resnet1d", weights="tagger", weights_dir=out)
    assert again.weights["sha256"] == network.weights["sha256"]


@pytest.mark.parametrize("wrong", ["--batch 0", "--learning-rate nan", "--epochs x", "--bat 3"])
def test_wrong_numbers_are_refused(corpus, tmp_path, wrong, capsys):
    with pytest.raises(SystemExit):
        run("--corpus", corpus, "--out", tmp_path / "out", *wrong.split())
    assert capsys.readouterr().err
