"""Layers written for use elsewhere: content, clocks, and the way back."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from bidsapp.audio.networks import get_network
from bidsapp.cli.tools import main
from bidsapp.errors import InputInvalidError
from bidsapp.features.courses import extract_courses
from bidsapp.features.export import Export, export_features
from bidsapp.features.extract import extract
from bidsapp.features.gram import gram_pca
from bidsapp.features.sampling import sampling_matrix

TR = 1.5
MEMORY = 2**28


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Two sounds, one in a folder of its own."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    (folder / "set one").mkdir()
    for name, seconds in (("set one/a_b.wav", 9.0), ("c.flac", 7.0)):
        pulses = np.sin(np.arange(int(seconds * 8_000)) / 900) ** 2
        soundfile.write(folder / name, 0.2 * pulses * rng.standard_normal(pulses.size), 8_000)
    return [("set one/a_b.wav", folder / "set one/a_b.wav"), ("c.flac", folder / "c.flac")]


@pytest.fixture(scope="module")
def written(sounds, tmp_path_factory):
    """Folder with the export of the acoustic baseline, and the cache it used."""
    folder, cache = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("cache")
    network = get_network("baseline", hop_s=0.5)
    export = Export(n_components=4, tr_s=TR, memory_bytes=MEMORY, quiet=True)
    export_features(sounds, network, folder, cache, export)
    return folder, cache


def read(folder: Path, stem: str):
    path = folder / f"{stem}_recording-baseline_stim.tsv.gz"
    facts = json.loads(path.with_name(path.name.replace(".tsv.gz", ".json")).read_text())
    with gzip.open(path, "rt") as text:
        values = np.loadtxt(text, delimiter="\t", ndmin=2)
    assert values.shape[1] == len(facts["Columns"])
    times = facts["StartTime"] + np.arange(len(values)) / facts["SamplingFrequency"]
    return times, pd.DataFrame(values, columns=facts["Columns"]), facts


def test_components_and_channels_are_those_of_the_banks(written, sounds):
    folder, cache = written
    network = get_network("baseline", hop_s=0.5)
    bank = extract(sounds, network, cache, memory_bytes=MEMORY, quiet=True)
    courses = extract_courses(sounds, network, cache, memory_bytes=MEMORY, quiet=True)
    second = np.flatnonzero(bank.frame_piece == 1)
    times, components, facts = read(folder / "components", "c")
    np.testing.assert_allclose(times, bank.frame_time_s[second], atol=1e-6)
    pca = gram_pca(bank.gram(3), np.arange(bank.n_frames), 4)
    names = [f"mtf/pc{i}" for i in range(1, 5)]
    np.testing.assert_allclose(components[names], pca.scores[second], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        facts["ExplainedVarianceRatio"]["mtf"], pca.explained_ratio, atol=1e-6
    )
    assert list(components.columns).count("loudness/pc1") == 1
    times, channels, facts = read(folder / "channels", "c")
    own = channels[[name for name in channels if name.startswith("mel/")]]
    np.testing.assert_allclose(own, courses.course(0)[second], rtol=1e-4, atol=1e-4)
    assert facts["StimFile"] == "c.flac"
    assert facts["Weights"]["source"] == "none"


def test_the_grid_is_what_volumes_hear(written):
    folder, _ = written
    times, native, _ = read(folder / "components", "a_b")
    volumes, grid, facts = read(folder / "components_TR", "a_b")
    assert facts["RepetitionTime"] == TR
    np.testing.assert_allclose(volumes, np.arange(len(volumes)) * TR)
    assert len(volumes) == 6  # the last window ends at 8.975 s
    weights = sampling_matrix(times, volumes, TR, reach_s=2.0)
    np.testing.assert_allclose(grid, weights @ native.to_numpy(), rtol=1e-4, atol=1e-4)


def test_parquet_holds_the_same(written):
    pytest.importorskip("pyarrow")
    folder, _ = written
    table = pd.read_parquet(folder / "components.parquet")
    times, native, _ = read(folder / "components", "a_b")
    own = table[table["stim_file"] == "set one/a_b.wav"]
    np.testing.assert_allclose(own["time"], times, atol=1e-6)
    np.testing.assert_allclose(own[native.columns], native, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", ["components", "channels", "components_TR", "channels.parquet"])
def test_what_was_written_is_a_network(written, sounds, form):
    """`--network features:` of an export has the layers that were exported."""
    if form.endswith("parquet"):
        pytest.importorskip("pyarrow")
    folder, _ = written
    network = get_network(f"features:{folder / form}")
    assert [layer.name for layer in network.layers] == ["mel", "loudness", "spectral", "mtf"]
    for name, path in sounds:
        frames, times = network.read_sound(name, path)
        assert len(frames) == len(times) > 4


def test_sounds_that_would_share_a_file_are_refused(sounds, tmp_path):
    twins = [("a/x.wav", sounds[0][1]), ("b/x.wav", sounds[1][1])]
    with pytest.raises(InputInvalidError, match="several sounds are called 'x'"):
        export_features(twins, get_network("baseline"), tmp_path, tmp_path, Export(quiet=True))


def test_the_command(sounds, tmp_path, capsys):
    folder = sounds[1][1].parent
    words = ["features", str(folder), str(tmp_path / "out"), "--network", "baseline"]
    assert main([*words, "--kinds", "channels", "--tr", "2", "-q"]) == 0
    assert (tmp_path / "out/channels_TR/a_b_recording-baseline_stim.json").is_file()
    assert not (tmp_path / "out/components").exists()
    assert (tmp_path / "out/dataset_description.json").is_file()
    assert main(["features", str(tmp_path / "no"), str(tmp_path / "out"), *words[3:]]) == 66
    assert main([*words, "--tr", "0"]) == 2
    assert "there is no sound here" in capsys.readouterr().err
