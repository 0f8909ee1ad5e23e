"""Features of the user as layers: every form of file, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bidsapp.audio.feature_tables import read_features
from bidsapp.audio.networks import get_network
from bidsapp.errors import InputInvalidError, InputMissingError

RNG = np.random.default_rng(0)
TIMES = {"a.wav": np.arange(8) * 0.5 + 0.25, "b.flac": np.arange(5) * 0.5}
LAYERS = {
    name: {
        "low": RNG.standard_normal((len(times), 3)).astype(np.float32),
        "deep/er": RNG.standard_normal((len(times), 1)).astype(np.float32),
    }
    for name, times in TIMES.items()
}


def wide() -> pd.DataFrame:
    parts = []
    for name, times in TIMES.items():
        columns = {"stim_file": name, "time": times}
        for layer, values in LAYERS[name].items():
            columns |= {f"{layer}/{i}": column for i, column in enumerate(values.T)}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts)


def long() -> pd.DataFrame:
    parts = []
    for name, times in TIMES.items():
        for layer, values in LAYERS[name].items():
            columns = {"stim_file": name, "time": times, "layer": layer}
            columns |= {f"v{i}": column for i, column in enumerate(values.T)}
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts)


def write_wide(folder: Path) -> Path:
    wide().to_csv(folder / "wide.tsv", sep="\t", index=False, na_rep="n/a")
    return folder / "wide.tsv"


def write_long(folder: Path) -> Path:
    long().to_csv(folder / "long.tsv", sep="\t", index=False, na_rep="n/a")
    return folder / "long.tsv"


def write_csv(folder: Path) -> Path:
    wide().to_csv(folder / "wide.csv", index=False)
    return folder / "wide.csv"


def write_parquet(folder: Path) -> Path:
    pytest.importorskip("pyarrow")
    wide().to_parquet(folder / "wide.parquet")
    return folder / "wide.parquet"


def write_lists(folder: Path) -> Path:
    pytest.importorskip("pyarrow")
    table = long()
    names = ["v0", "v1", "v2"]
    table["values"] = [[x for x in row if x == x] for row in table[names].to_numpy()]  # noqa: PLR0124
    table.drop(columns=names).to_parquet(folder / "lists.parquet")
    return folder / "lists.parquet"


def write_npz(folder: Path) -> Path:
    arrays = {f"{name}/time": times for name, times in TIMES.items()}
    for name, layers in LAYERS.items():
        arrays |= {f"{name}/{layer}": values for layer, values in layers.items()}
    np.savez(folder / "all.npz", **arrays)
    return folder / "all.npz"


def write_npz_folder(folder: Path) -> Path:
    for name, layers in LAYERS.items():
        np.savez(folder / f"{Path(name).stem}.npz", time=TIMES[name], **layers)
    return folder


def write_stim(folder: Path) -> Path:
    for name, layers in LAYERS.items():
        for number, (layer, values) in enumerate(layers.items()):
            stem = folder / f"{Path(name).stem}_recording-{number}_stim"
            lines = ("\t".join(map(repr, map(float, row))) for row in values)
            with gzip.open(f"{stem}.tsv.gz", "wt") as file:
                file.write("\n".join(lines) + "\n")
            facts = {
                "SamplingFrequency": 2.0,
                "StartTime": float(TIMES[name][0]),
                "Columns": [f"{layer}/{i}" for i in range(values.shape[1])],
            }
            Path(f"{stem}.json").write_text(json.dumps(facts))
    return folder


WRITERS = [
    *(write_wide, write_long, write_csv, write_parquet, write_lists),
    *(write_npz, write_npz_folder, write_stim),
]


@pytest.mark.parametrize("write", WRITERS)
def test_every_form_gives_the_same_layers(write, tmp_path):
    network = get_network(f"features:{write(tmp_path)}")
    assert [layer.name for layer in network.layers] == ["low", "deep/er"]
    assert [layer.n_features for layer in network.layers] == [3, 1]
    assert network.weights["source"] == "table"
    for name, times in TIMES.items():
        frames, frame_times = network.read_sound(name, Path("nowhere"))
        np.testing.assert_allclose(frame_times, times, atol=1e-9)
        for index, columns in network.blocks(frames, memory_bytes=1):
            expected = LAYERS[name][network.layers[index].name]
            np.testing.assert_allclose(columns, expected, rtol=1e-6)
        channels = dict(network.channels(frames, memory_bytes=1))
        np.testing.assert_allclose(channels[0], LAYERS[name]["low"], rtol=1e-6)


def test_identity_follows_the_content(tmp_path):
    path = write_wide(tmp_path)
    before = get_network(f"features:{path}")
    assert before.identity() == get_network(f"features:{path}").identity()
    assert (before.name, before.hop_s) == ("featureswide", 0.5)
    path.write_text(path.read_text().replace("0.25", "0.26", 1))
    assert get_network(f"features:{path}").identity() != before.identity()


def refused(path: Path, text: str, error: type[Exception] = InputInvalidError) -> None:
    with pytest.raises(error, match=text):
        read_features(path)


def test_what_cannot_be_used_is_refused_in_one_sentence(tmp_path):
    def table(frame: pd.DataFrame) -> Path:
        frame.to_csv(tmp_path / "t.tsv", sep="\t", index=False, na_rep="n/a")
        return tmp_path / "t.tsv"

    refused(table(wide().drop(columns="time")), "has no column time")
    refused(table(wide().iloc[::-1]), "times of b.flac are not all numbers that increase")
    gap = wide().reset_index(drop=True)
    gap.loc[2, "low/1"] = np.nan
    refused(table(gap), r"1 of 24 values of layer low of a\.wav are missing")
    refused(table(gap.assign(note="x")), "column note holds text")
    other = long().reset_index(drop=True)
    other.loc[9, "time"] += 0.1
    refused(table(other), "layer deep/er of a.wav has other times")
    fewer = {f"{name}/time": times for name, times in TIMES.items()}
    fewer |= {"a.wav/low": np.zeros((8, 3)), "b.flac/low": np.zeros((5, 2))}
    np.savez(tmp_path / "fewer.npz", **fewer)
    refused(tmp_path / "fewer.npz", r"b\.flac has the layers \{'low': 2\}")
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    refused(tmp_path / "broken.npz", "cannot be read")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "holds no features", InputMissingError)


def test_a_sound_without_features_is_named_with_what_there_is(tmp_path):
    network = get_network(f"features:{write_npz_folder(tmp_path)}")
    network.read_sound("stimuli/a.ogg", Path("x"))  # found by the name without extension
    with pytest.raises(InputMissingError, match=r"no features of c\.wav; it has a, b"):
        network.read_sound("c.wav", Path("x"))
