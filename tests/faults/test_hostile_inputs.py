"""Files made to do harm: nothing is executed, nothing outside is read or written."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bidsapp.audio.networks.weights import read_state
from bidsapp.bids.adapters import load_adapter
from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.index import find_runs
from bidsapp.bids.presentations import find_presentations
from bidsapp.errors import AppError, InputInvalidError
from tests.faults.conftest import SETTINGS, App, Copy


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("form", ["zip", "old", "pickle", "numpy"])
def test_weights_that_run_code(tmp_path: Path, form: str) -> None:
    harm, weights = tmp_path / "harm", tmp_path / "weights.pth"
    content = {"a": torch.zeros(2), "b": Payload(harm)}
    if form == "numpy":
        array = np.array([Payload(harm)], dtype=object)
        with weights.open("wb") as file:
            np.save(file, array, allow_pickle=True)
    elif form == "pickle":
        weights.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, weights, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(InputInvalidError, match=r"weights\.pth"):
        read_state(weights)
    assert not harm.exists()


def test_kept_features_that_run_code(tmp_path: Path) -> None:
    from bidsapp.audio.networks import get_network
    from bidsapp.features.banks import read_index

    harm, bank = tmp_path / "harm", tmp_path / "bank"
    bank.mkdir()
    (bank / "bank.json").write_text('{"layers": [], "piece_s": []}')
    with (bank / "frame_piece.npy").open("wb") as file:
        np.save(file, np.array([Payload(harm)], dtype=object), allow_pickle=True)
    with pytest.raises(InputInvalidError, match="damaged"):
        read_index(bank, get_network("baseline"))
    assert not harm.exists()


OUTSIDE = (
    "../outside.flac",
    "stimuli/../../outside.flac",
    "/etc/passwd",
    "..\\outside.flac",
    "C:\\outside.flac",
    "a\0b.flac",
    "",
    ".",
    "-rf.flac",
    "$(touch harm).flac",
    "x" * 5000,
    "\u202egnp.flac",
)


@pytest.mark.parametrize("where", ["events.tsv", "presentations.tsv", "stimuli.tsv", "adapter"])
def test_no_table_leads_outside(copy: Copy, tmp_path: Path, where: str) -> None:
    data = copy()
    outside = data.parent / "outside.flac"
    outside.write_bytes(next((data / "stimuli").glob("*.flac")).read_bytes())
    lines = ["onset\tduration\tstim_file", *(f"{10 * i}\t5\t{x}" for i, x in enumerate(OUTSIDE))]
    adapter = None
    if where == "events.tsv":
        for path in data.glob("sub-*/func/*_events.tsv"):
            path.write_text("\n".join(lines))
    elif where == "presentations.tsv":
        (data / "stimuli" / where).write_text("\n".join(lines))
    elif where == "stimuli.tsv":
        rows = ["stim_id\tstim_file", *(f"s{i}\t{x}" for i, x in enumerate(OUTSIDE))]
        (data / "stimuli" / where).write_text("\n".join(rows))
        events = ["onset\tduration\tstim_id", *(f"{9 * i}\t5\ts{i}" for i in range(len(OUTSIDE)))]
        for path in data.glob("sub-*/func/*_events.tsv"):
            path.write_text("\n".join(events))
    else:
        adapter = str(tmp_path / "hostile.toml")
        played = "".join(
            f'[[played]]\ntask = "music"\nonset_s = {9 * i}\nduration_s = 5\nstim_file = "{x}"\n'
            for i, x in enumerate(OUTSIDE)
            if "\\" not in x and "\0" not in x
        )
        Path(adapter).write_text(f'title = "t"\nsource = "s"\n{played}')
    dataset = open_dataset(data)
    runs, _ = find_runs(dataset, "01")
    found, problems = find_presentations(dataset, runs, adapter=adapter)
    assert problems
    for item in found:
        assert item.path is None or item.path.resolve().is_relative_to(data / "stimuli"), item
    assert not [item for item in found if item.path is not None]
    text = " ".join(map(str, problems))
    assert "leads out of" in text


@pytest.mark.parametrize(
    "text",
    [
        "title = ",
        "title = 1\nsource = 2\nnonsense = 3\n",
        "[[played]]\nonset_s = 'x'\n",
        'title = "t"\nsource = "s"\nplayed = "../../etc/passwd"\n',
        'title = "t"\nsource = "s"\nevents = 3\n',
        "\0\1\2",
        "[a" * 3000,
    ],
)
def test_hostile_adapters(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hostile.toml"
    path.write_text(text)
    with pytest.raises(AppError, match="hostile"):
        load_adapter(str(path))


def test_hostile_configuration_file(dataset: Path, app: App, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    for text in (
        "[performance]\nwork_dir = 3\n",
        "[nonsense]\nx = 1\n",
        "[workflow]\nrecipe = '../../etc'\n",
        "\0",
    ):
        config.write_text(text)
        refused = app.run(dataset, tmp_path / "out", "participant", "--config-file", config)
        assert refused.returncode == 2, (text, refused.stderr)
        assert refused.stderr.startswith("musicotopy: ")
        assert "Traceback" not in refused.stderr
    assert not (tmp_path / "out").exists()


HOSTILE_NAMES = ("sub-01;touch harm", "sub-$(touch harm)", "sub-..", "sub-\n", "sub-01 ", "-rf")


def test_hostile_names_of_participants_and_files(copy: Copy, app: App, tmp_path: Path) -> None:
    data = copy()
    for name in HOSTILE_NAMES:
        (data / name / "func").mkdir(parents=True)
    func = data / "derivatives/fmriprep/sub-01/func"
    bold = next(func.glob("*run-1*desc-preproc_bold.nii.gz"))
    for name in ("a\nb_bold.nii.gz", "sub-01_task-`id`_bold.nii.gz", "-_bold.nii.gz", "ü.nii.gz"):
        (func / name).write_bytes(bold.read_bytes())
    (func / "loop").symlink_to(func)
    words = [data, tmp_path / "out", "participant", *SETTINGS, "--dry-run"]
    planned = app.run(*words)
    assert "Traceback" not in planned.stderr
    assert "gradients_sub-01" in planned.stdout
    assert "gradients_sub-02" in planned.stdout
    assert planned.returncode == 0, planned.stderr
    assert not list(tmp_path.rglob("harm"))
    assert not Path("harm").exists()


def test_links_are_followed_inputs_are_not_written(copy: Copy, tmp_path: Path) -> None:
    """A link in place of a result is replaced, never written through."""
    from bidsapp.bids.atomic import write_text
    from bidsapp.bids.staging import Staging

    data = copy()
    target = data / "participants.tsv"
    before = target.read_bytes()
    output = tmp_path / "out"
    (output / "sub-01").mkdir(parents=True)
    (output / "sub-01" / "a.tsv").symlink_to(target)
    with Staging(output, "job") as staging:
        write_text(staging.path("sub-01/a.tsv"), "new")
        staging.publish()
    write_text(output / "sub-01" / "b.tsv", "x")
    assert target.read_bytes() == before
    assert not (output / "sub-01" / "a.tsv").is_symlink()


def test_archive_bomb_header(tmp_path: Path) -> None:
    """A header that promises more than there is, is refused before memory is taken."""
    from bidsapp.bids.headers import time_axis

    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 4, 32767, 32767, 32767, 32767, 1, 1, 1)
    struct.pack_into("<h", header, 70, 16)
    struct.pack_into("<h", header, 72, 32)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    path = tmp_path / "sub-01_bold.nii"
    path.write_bytes(bytes(header))
    assert time_axis(path, "volume") is not None
    with zipfile.ZipFile(tmp_path / "empty.pth", "w"):
        pass
    with pytest.raises(InputInvalidError, match=r"empty\.pth"):
        read_state(tmp_path / "empty.pth")
