"""The simulated tree: valid BIDS, readable by nilearn, with a truth that fits the files."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bidsapp.errors import UsageError
from bidsapp.simulate.dataset import MusicOptions, simulate
from bidsapp.simulate.planted import read_map, read_truth
from bidsapp.simulate.world import schedule

MNI = "MNI152NLin2009cAsym"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, stand_in):
    folder = tmp_path_factory.mktemp("simulated")
    options = MusicOptions.quick(n_participants=2, spaces=(MNI, "fsaverage5"))
    simulate(folder, options, features=stand_in, quiet=True)
    return folder


def _func(dataset: Path, pattern: str) -> list[Path]:
    return sorted((dataset / "derivatives/fmriprep/sub-01/func").glob(pattern))


@pytest.mark.parametrize("existed", [False, True])
def test_a_simulation_that_fails_leaves_nothing(tmp_path, stand_in, monkeypatch, existed):
    def fail(*_):
        msg = "no space left"
        raise OSError(msg)

    folder = tmp_path / "new"
    if existed:
        folder.mkdir()
    monkeypatch.setattr("bidsapp.simulate.dataset.write_participant", fail)
    with pytest.raises(OSError, match="no space"):
        simulate(folder, MusicOptions.quick(n_participants=1), features=stand_in, quiet=True)
    assert list(tmp_path.rglob("*")) == ([folder] if existed else [])


def test_the_raw_dataset_passes_the_validator(dataset):
    validator = shutil.which("bids-validator-deno", path=str(Path(".venv/bin").resolve()))
    validator = validator or shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("bids-validator-deno is not installed")
    done = subprocess.run(
        [validator, "--ignoreWarnings", str(dataset)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_headers_agree_with_sidecars_events_and_tables(dataset):
    truth = read_truth(dataset)
    for run in truth.runs("01"):
        stem = f"sub-01_task-music_run-{run.entities['run']}"
        volume = nib.load(_func(dataset, f"{stem}_space-{MNI}_desc-preproc_bold.nii.gz")[0])
        assert volume.shape[3] == run.n_trs
        assert volume.header.get_zooms()[3] == run.tr_s
        assert volume.header.get_xyzt_units() == ("mm", "sec")
        raw = nib.load(dataset / "sub-01/func" / f"{stem}_bold.nii.gz")
        assert raw.shape[3] == run.n_trs
        for side in "LR":
            surface = nib.load(_func(dataset, f"{stem}_hemi-{side}_space-fsaverage5*.gii")[0])
            assert len(surface.darrays) == run.n_trs
            assert surface.darrays[0].data.shape == (10242,)
        confounds = pd.read_table(_func(dataset, f"{stem}_desc-confounds_timeseries.tsv")[0])
        assert len(confounds) == run.n_trs
        events = pd.read_table(dataset / "sub-01/func" / f"{stem}_events.tsv")
        assert ((events.onset + events.duration) < run.n_trs * run.tr_s).all()
        assert all((dataset / "stimuli" / name).exists() for name in events.stim_file)


def test_nilearn_reads_the_confounds(dataset):
    from nilearn.interfaces.fmriprep import load_confounds

    image = str(_func(dataset, f"*run-1_space-{MNI}_desc-preproc_bold.nii.gz")[0])
    strategy = ("motion", "wm_csf", "global_signal", "high_pass", "compcor", "scrub")
    table, _ = load_confounds(image, strategy=strategy, compcor="anat_separated", scrub=0)
    names = set(table.columns)
    assert {"trans_x_derivative1_power2", "csf", "white_matter", "cosine00"} <= names
    assert {"c_comp_cor_00", "w_comp_cor_00"} <= names
    surface = str(_func(dataset, "*run-1_hemi-L_space-fsaverage5_bold.func.gii")[0])
    assert len(load_confounds(surface, strategy=("motion",))[0]) == len(table)


def test_the_truth_covers_the_brain_and_half_of_it_is_null(dataset):
    truth = read_truth(dataset)
    assert set(truth.maps()) == {(s, space) for s in ("01", "02") for space in (MNI, "fsaverage5")}
    for (_, space), path in truth.maps().items():
        planted = read_map(path)
        inside = planted.layer >= 0
        assert 0.4 <= (planted.layer[inside] == 0).mean() <= 0.75, space
        assert set(planted.layer[planted.layer > 0]) == set(
            range(1, len(truth.features.layers) + 1)
        )
        assert np.isnan(planted.snr[~inside]).all()
        assert (planted.snr[planted.layer == 0] == 0).all()


def test_values_are_zero_outside_and_near_baseline_inside(dataset):
    planted = read_map(read_truth(dataset).maps()["01", MNI])
    data = nib.load(_func(dataset, f"*run-1_space-{MNI}_desc-preproc_bold.nii.gz")[0]).get_fdata()
    mask = nib.load(_func(dataset, f"*run-1_space-{MNI}_desc-brain_mask.nii.gz")[0]).get_fdata()
    inside = (planted.layer >= 0).reshape(mask.shape)
    np.testing.assert_array_equal(mask > 0, inside)
    assert not data[~inside].any()
    assert np.all(np.abs(data[inside].mean(axis=1) - 1000) < 200)
    assert np.median(data[inside].std(axis=1)) == pytest.approx(14, abs=5)


def test_ratings_are_missing_while_nothing_is_played(dataset):
    truth = read_truth(dataset)
    run = truth.runs("01")[0]
    stem = (
        dataset
        / f"sub-01/func/sub-01_task-music_run-{run.entities['run']}_recording-enjoyment_stim"
    )
    metadata = json.loads(stem.with_name(stem.name + ".json").read_text())
    with gzip.open(stem.with_name(stem.name + ".tsv.gz"), "rt") as file:
        cells = [line.strip() for line in file]
    rate = metadata["SamplingFrequency"]
    assert metadata["Columns"] == ["enjoyment"]
    assert len(cells) == pytest.approx(run.n_trs * run.tr_s * rate, abs=1)
    heard = run.playing[0]
    assert set(cells[: int(heard.onset_s * rate)]) == {"n/a"}
    assert cells[int((heard.onset_s + 1) * rate)] != "n/a"


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path, stand_in):
    trees = {}
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        options = MusicOptions.quick(seed=seed, piece_s=10.0)
        simulate(tmp_path / name, options, features=stand_in, quiet=True)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        trees[name] = {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in files
            if path.suffix != ".npz"
        }
    assert trees["one"] == trees["two"]
    bold = next(path for path in trees["one"] if path.name.endswith("preproc_bold.nii.gz"))
    assert trees["one"][bold] != trees["three"][bold]


def test_the_first_piece_is_the_one_that_is_repeated():
    runs = schedule(MusicOptions(n_pieces=3, repeats=3, n_runs=2))
    played = [item.piece for run in runs for item in run.playing]
    assert sorted(played[:3]) == [0, 1, 2]
    assert played[3:] == [played[0], played[0]]
    for run in runs:
        ends = [item.onset_s + item.duration_s for item in run.playing]
        starts = [item.onset_s for item in run.playing]
        assert all(end < start for end, start in zip(ends, starts[1:], strict=False))


def test_options_that_ask_for_nothing_are_refused(tmp_path):
    with pytest.raises(UsageError, match="at least one"):
        simulate(tmp_path, MusicOptions(n_participants=0))
