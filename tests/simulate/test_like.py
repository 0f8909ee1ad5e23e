"""Filling a metadata tree: volumes from published sizes, sounds dealt out, text files kept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import soundfile

from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.simulate.grayordinates import CiftiSpace
from bidsapp.simulate.like import LikeOptions, simulate_like
from bidsapp.simulate.like_sounds import write_sounds
from bidsapp.simulate.placeholders import find_tree
from bidsapp.simulate.planted import read_map, read_truth
from bidsapp.simulate.study import ScheduledRun

CIFTI_BYTES = 628_944 + 182_564 * np.array([40, 60, 30])
TASKS = ("happy", "sad", "rest")


@pytest.fixture
def tree(tmp_path):
    """Two participants, three runs each, all images empty, sizes in a table."""
    root = tmp_path / "tree"
    sizes = ["path\tbytes\tannex_key"]
    for label in ("01", "02"):
        for task, n_bytes in zip(TASKS, CIFTI_BYTES, strict=True):
            stem = f"sub-{label}/func/sub-{label}_task-{task}"
            for name in ("bold.nii.gz",):
                _touch(root / "bids" / f"{stem}_{name}")
            for name in (
                "space-fsLR_den-91k_bold.dtseries.nii",
                "hemi-L_space-fsaverage5_bold.func.gii",
                "hemi-R_space-fsaverage5_bold.func.gii",
                "desc-confounds_timeseries.tsv",
                "space-T1w_desc-preproc_bold.nii.gz",
            ):
                _touch(root / "fmriprep" / f"{stem}_{name}")
            sizes.append(f"{stem}_space-fsLR_den-91k_bold.dtseries.nii\t{n_bytes}\tMD5E")
            sidecar = root / "fmriprep" / f"{stem}_hemi-L_space-fsaverage5_bold.json"
            sidecar.write_text('{"TaskName": "as published"}')
    sizes.append("sub-01/anat/unknown.nii.gz\tNone\tMD5E")
    (root / "fmriprep.annex_sizes.tsv").write_text("\n".join(sizes))
    for task in TASKS:
        (root / "bids" / f"task-{task}_bold.json").write_text('{"RepetitionTime": 1.5}')
    return root


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _sound(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, int(8000 * seconds)), 8000)


def test_volumes_come_from_the_published_sizes(tree):
    runs = find_tree(tree).runs("02")
    assert {run.entities["task"]: run.n_trs for run in runs} == {
        "happy": 40,
        "sad": 60,
        "rest": 30,
    }
    assert {(run.tr_s, run.start_s) for run in runs} == {(1.5, 0.75)}


def test_volumes_come_from_a_dangling_annex_link(tree):
    (tree / "fmriprep.annex_sizes.tsv").unlink()
    for path, n_bytes in zip(
        sorted((tree / "fmriprep/sub-01/func").glob("*.dtseries.nii")),
        sorted(CIFTI_BYTES),
        strict=False,
    ):
        path.unlink()
        path.symlink_to(f"../../.git/annex/objects/MD5E-s{n_bytes}--0f.dtseries.nii")
    assert sorted(run.n_trs for run in find_tree(tree).runs("01")) == [30, 40, 60]
    with pytest.raises(InputMissingError, match="annex_sizes"):
        find_tree(tree).runs("02")


def test_a_size_that_fits_no_volumes_is_refused(tree):
    table = tree / "fmriprep.annex_sizes.tsv"
    table.write_text(table.read_text().replace(str(CIFTI_BYTES[0]), str(CIFTI_BYTES[0] + 90_000)))
    with pytest.raises(InputInvalidError, match="no whole number of volumes"):
        find_tree(tree).runs("01")


def test_an_unknown_participant_and_a_tree_without_derivatives_are_named(tree, tmp_path):
    with pytest.raises(InputMissingError, match="participants are 01, 02"):
        find_tree(tree).runs("07")
    with pytest.raises(InputMissingError, match="no fmriprep"):
        find_tree(tmp_path / "tree" / "bids")


@pytest.mark.slow
def test_the_filled_tree_has_true_shapes_and_keeps_published_text(tree, tmp_path, stand_in):
    out = tmp_path / "filled"
    options = LikeOptions(tree, participants=("02",), spaces=("fsaverage5", "fsLR"))
    simulate_like(out, options, features=stand_in, quiet=True)
    func = out / "derivatives/fmriprep/sub-02/func"
    for task, n_trs in (("happy", 40), ("sad", 60), ("rest", 30)):
        stem = f"sub-02_task-{task}"
        cifti = nib.load(func / f"{stem}_space-fsLR_den-91k_bold.dtseries.nii")
        assert cifti.shape == (n_trs, 91282)
        assert cifti.header.get_axis(0).step == 1.5
        left = nib.load(func / f"{stem}_hemi-L_space-fsaverage5_bold.func.gii")
        assert (len(left.darrays), left.darrays[0].data.shape) == (n_trs, (10242,))
        assert len(pd.read_table(func / f"{stem}_desc-confounds_timeseries.tsv")) == n_trs
        assert nib.load(out / f"sub-02/func/{stem}_bold.nii.gz").shape[3] == n_trs
        assert (func / f"{stem}_space-T1w_desc-preproc_bold.nii.gz").stat().st_size == 0
        sidecar = json.loads((func / f"{stem}_hemi-L_space-fsaverage5_bold.json").read_text())
        assert sidecar == {"TaskName": "as published"}
    assert not (out / "sub-01").exists()
    played = pd.read_table(out / "stimuli/presentations.tsv")
    assert dict(zip(played.task, played.duration, strict=True)) == {"sad": 75.0, "happy": 45.0}
    truth = read_truth(out)
    assert set(truth.maps()) == {("02", "fsaverage5"), ("02", "fsLR")}
    assert read_map(truth.maps()["02", "fsLR"]).layer.shape == (91282,)
    rest = next(run for run in truth.runs("02") if run.entities["task"] == "rest")
    assert rest.playing == ()


def test_sounds_are_dealt_out_and_never_outlast_the_scan(tmp_path):
    for number, seconds in enumerate((50.0, 40.0, 30.0, 20.0, 12.0)):
        _sound(tmp_path / f"sounds/deep/{number}.wav", seconds)
    runs = [
        ScheduledRun({"task": task}, n_trs, 2.0, 0.0, ())
        for task, n_trs in (("a", 30), ("b", 50), ("b", 49), ("rest", 90))
    ]
    playlist = write_sounds(tmp_path / "stimuli", runs, tmp_path / "sounds", seed=0)
    names = [name for name, _ in playlist.stimuli]
    heard = {
        task: [(names[item.piece], item.onset_s, item.duration_s) for item in items]
        for task, items in playlist.played.items()
    }
    assert heard == {
        "b": [("0.wav", 0.0, 50.0), ("2.wav", 58.0, 30.0)],
        "a": [("1.wav", 0.0, 40.0), ("3.wav", 48.0, 12.0)],
    }
    assert sorted(path.name for path in (tmp_path / "stimuli").glob("*.wav")) == names


def test_a_folder_without_sounds_is_named(tmp_path):
    runs = [ScheduledRun({"task": "a"}, 50, 2.0, 0.0, ())]
    with pytest.raises(InputMissingError, match="holds no sounds"):
        write_sounds(tmp_path / "stimuli", runs, tmp_path, seed=0)


def test_grayordinates_have_the_counts_of_the_real_space(tmp_path):
    space = CiftiSpace()
    counts = {name: len(part) for name, _, part in _structures(space)}
    assert counts["CIFTI_STRUCTURE_CORTEX_LEFT"] == 29696
    assert counts["CIFTI_STRUCTURE_CORTEX_RIGHT"] == 29716
    assert (len(counts), sum(counts.values())) == (21, 91282)
    assert np.isfinite(space.coordinates_mm).all()
    voxels = space.axis.voxel[space.axis.volume_mask]
    assert len(np.unique(voxels, axis=0)) == 31870
    bold = np.full((3, 91282), 1000.0, dtype=np.float32)
    path = space.save(bold, 1.0, lambda *_: tmp_path / "x.dtseries.nii")[0]
    assert path.stat().st_size - 3 * 182_564 == pytest.approx(629_000, abs=1000)


def _structures(space):
    return [(name, place, part) for name, place, part in space.axis.iter_structures()]


@pytest.mark.data
def test_the_real_tree_has_the_volumes_that_were_published(tmp_path, stand_in):
    folder = os.environ.get("MUSICOTOPY_TEST_DATA")
    if not folder:
        pytest.skip("MUSICOTOPY_TEST_DATA is not set")
    tree = find_tree(Path(folder) / "ds003085")
    assert tree.participants() == ("01", "02", "03")
    for label in tree.participants():
        lengths = {run.entities["task"]: run.n_trs for run in tree.runs(label)}
        assert lengths == {"happy": 183, "sadsh": 271, "sadln": 530, "rest": 360}
    options = LikeOptions(Path(folder) / "ds003085", ("03",), sounds=Path(folder) / "audio")
    simulate_like(tmp_path, options, features=stand_in, quiet=True)
    func = tmp_path / "derivatives/fmriprep/sub-03/func"
    name = "sub-03_task-sadln_hemi-R_space-fsaverage5_bold.func.gii"
    assert len(nib.load(func / name).darrays) == 530
    original = Path(folder) / "ds003085/fmriprep/sub-03/func"
    for sidecar in original.glob("*.json"):
        assert (func / sidecar.name).read_bytes() == sidecar.read_bytes()
