from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bidsapp.brain import clean as module
from bidsapp.brain.clean import Cleaning, clean, load_bold
from bidsapp.brain.confounds import nuisance
from bidsapp.brain.units import unit_space
from bidsapp.errors import InputInvalidError, OutputError, UsageError

PLAIN = Cleaning(confounds="none", high_pass_hz=0)


def drifting(make, *shape, seed=0):
    """Noise with a drift along the last axis."""
    drift = np.cos(np.linspace(0, 3, shape[-1])) * 30
    return (make.noise(*shape, seed=seed) + drift).astype(np.float32)


def make_runs(make, kind, *, lengths=(150, 170), confounds=True):
    runs = []
    for seed, n_trs in enumerate(lengths):
        table = make.confounds(f"{kind}{seed}", n_trs, seed) if confounds else None
        runs.append(make.plain(kind, n_trs=n_trs, seed=seed, confounds=table))
    return runs


def raw_matrix(run, units):
    """Read a run the plain way."""
    if run.kind == "volume":
        return nib.load(run.bold[0]).get_fdata()[units.geometry.mask].T
    if run.kind == "gifti":
        return np.vstack([nib.load(path).agg_data() for path in run.bold]).T
    return nib.load(run.bold[0]).get_fdata()


@pytest.mark.parametrize("kind", ["volume", "gifti", "cifti"])
def test_signal_to_noise_ratio_is_that_before_cleaning(make, tmp_path, kind):
    runs = make_runs(make, kind)
    units = unit_space(runs)
    bold = load_bold(runs, units, Cleaning("motion6", 1 / 128), tmp_path, quiet=True)
    for run, ratio in zip(runs, bold.tsnr, strict=True):
        raw = raw_matrix(run, units).astype(float)
        spread = raw.std(axis=0)
        assert ratio == pytest.approx(np.median((raw.mean(axis=0) / spread)[spread > 0]), rel=1e-4)


@pytest.mark.parametrize("kind", ["volume", "gifti", "cifti"])
@pytest.mark.parametrize("strategy", ["none", "motion6", "motion24+wmcsf"])
@pytest.mark.parametrize("high_pass_hz", [0, 1 / 128, 1 / 60])
def test_equals_nilearn_signal_clean(make, tmp_path, kind, strategy, high_pass_hz):
    from nilearn import signal
    from nilearn.interfaces.fmriprep import load_confounds

    runs = make_runs(make, kind)
    units = unit_space(runs)
    bold = load_bold(runs, units, Cleaning(strategy, high_pass_hz), tmp_path, quiet=True)
    assert bold.run_start == (0, 150, 320)
    for run, start, stop in zip(runs, bold.run_start, bold.run_start[1:], strict=False):
        confounds = None
        if strategy != "none":
            parts = {"motion6": ("motion",), "motion24+wmcsf": ("motion", "wm_csf")}[strategy]
            path = str(run.confounds).replace("desc-confounds_timeseries.tsv", "desc-preproc")
            image = f"{path}_bold.nii.gz"
            motion = "basic" if strategy == "motion6" else "full"
            confounds, _ = load_confounds(image, strategy=parts, motion=motion, wm_csf="basic")
            confounds = confounds.to_numpy()
        expected = signal.clean(
            raw_matrix(run, units).astype(np.float64),
            confounds=confounds,
            detrend=False,
            standardize="zscore_sample",
            filter="cosine" if high_pass_hz else False,
            high_pass=high_pass_hz or None,
            t_r=run.tr_s,
        )
        np.testing.assert_allclose(bold.data[start:stop], expected, atol=2e-5)


@pytest.mark.parametrize("kind", ["volume", "gifti", "cifti"])
def test_every_run_has_mean_zero_and_sample_deviation_one(make, tmp_path, kind):
    runs = make_runs(make, kind)
    bold = load_bold(runs, unit_space(runs), Cleaning(), tmp_path, quiet=True)
    assert bold.data.dtype == np.float32
    for start, stop in zip(bold.run_start, bold.run_start[1:], strict=False):
        np.testing.assert_allclose(bold.data[start:stop].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(bold.data[start:stop].std(axis=0, ddof=1), 1, atol=1e-5)
    assert not bold.invalid.any()
    assert len(bold.confounds[0]) == 8 + 3  # the default in short runs
    assert bold.nuisance[0].shape == (bold.run_start[1], 11)
    models = [nuisance(run, Cleaning().confounds, Cleaning().high_pass_hz) for run in runs]
    for model, start, stop in zip(models, bold.run_start, bold.run_start[1:], strict=False):
        basis = model.basis
        np.testing.assert_allclose(basis.T @ bold.data[start:stop], 0, atol=1e-4)


def test_constant_and_missing_units_are_nan_everywhere_and_counted(make, tmp_path):
    data = [make.noise(60, 44, seed=seed) for seed in (0, 1)]
    data[0][:, 3] = 7.25
    data[1][5, 4] = np.nan
    data[1][:, 5] = 0
    data[0][2, 6] = np.inf
    data[0][:, 4] = 2
    runs = [make.cifti(f"r{i}", values) for i, values in enumerate(data)]
    bold = load_bold(runs, unit_space(runs), PLAIN, tmp_path, quiet=True)
    assert np.flatnonzero(bold.invalid).tolist() == [3, 4, 5, 6]
    assert (bold.n_constant, bold.n_nan) == (2, 2)
    assert np.isnan(bold.data[:, 3:7]).all()
    assert np.isfinite(np.delete(bold.data, np.s_[3:7], axis=1)).all()
    untouched = [make.cifti(f"s{i}", make.noise(60, 44, seed=i)) for i in (0, 1)]
    same = load_bold(untouched, unit_space(untouched), PLAIN, tmp_path, quiet=True)
    valid = ~bold.invalid
    np.testing.assert_array_equal(bold.data[:, valid], same.data[:, valid])


def test_a_unit_the_confounds_explain_fully_is_constant_not_noise(make, tmp_path):
    path = make.confounds("r", 80)
    data = make.noise(80, 44)
    data[:, 7] = 1000 * (1 + pd.read_csv(path, sep="\t")["trans_x"].round(3))
    pure = pd.read_csv(path, sep="\t")
    pure["trans_x"] = data[:, 7].astype(np.float64)
    pure.to_csv(path, sep="\t", index=False)
    run = make.cifti("r", data, confounds=path)
    bold = load_bold([run], unit_space([run]), Cleaning("motion6", 0), tmp_path, quiet=True)
    assert np.flatnonzero(bold.invalid).tolist() == [7]
    assert bold.n_constant == 1


def test_drifts_and_confounds_leave_jointly(make, tmp_path):
    path = make.confounds("r", 200)
    motion = pd.read_csv(path, sep="\t")["rot_y"].to_numpy()
    base = make.noise(200, 44)
    dirty = base + 500 * motion[:, None] + 40 * np.cos(np.linspace(0, np.pi, 200))[:, None]
    runs = [make.cifti(n, d, confounds=path) for n, d in (("a", base), ("b", dirty))]
    first, second = (
        load_bold([run], unit_space([run]), Cleaning("motion6"), tmp_path, quiet=True).data
        for run in runs
    )
    for k in range(44):
        assert np.corrcoef(first[:, k], second[:, k])[0, 1] > 0.995


@pytest.mark.parametrize("kind", ["volume", "cifti"])
def test_results_do_not_depend_on_the_memory_bound(make, tmp_path, kind):
    runs = make_runs(make, kind)
    units = unit_space(runs)
    roomy = load_bold(runs, units, Cleaning(), tmp_path / "a", quiet=True)
    tight = load_bold(runs, units, Cleaning(), tmp_path / "b", memory_bytes=60_000, quiet=True)
    np.testing.assert_allclose(roomy.data, tight.data, atol=2e-6)


@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
def test_scaled_integers_are_read_with_their_slope(make, tmp_path, extension):
    run = make.plain("volume")
    data = np.random.default_rng(0).integers(-500, 500, (*make.shape, 40)).astype(np.int16)
    image = nib.Nifti1Image(data, make.affine)
    image.header.set_slope_inter(0.25, 1000)
    path = make.folder / f"scaled_bold{extension}"
    nib.save(image, path)
    run = replace(run, bold=(path,))
    units = unit_space([run])
    bold = load_bold([run], units, PLAIN, tmp_path, memory_bytes=80_000, quiet=True)
    raw = nib.load(path).get_fdata()[units.geometry.mask].T
    expected = (raw - raw.mean(axis=0)) / raw.std(axis=0, ddof=1)
    np.testing.assert_allclose(bold.data, expected, atol=1e-5)


def test_smoothing_equals_nilearn_and_keeps_missing_missing(make, tmp_path):
    from nilearn.image import smooth_img

    data = make.noise(*make.shape, 30)
    mask = np.ones(make.shape, dtype=bool)
    data[4, 4, 2] = 0
    data[2, 2, 2, 7] = np.nan
    run = make.volume("r", data, mask)
    units = unit_space([run])
    cleaning = replace(PLAIN, smoothing_fwhm_mm=5.0)
    bold = load_bold([run], units, cleaning, tmp_path, memory_bytes=400_000, quiet=True)
    raw = smooth_img(nib.Nifti1Image(data, make.affine), 5.0).get_fdata()[mask].T
    expected = (raw - raw.mean(axis=0)) / raw.std(axis=0, ddof=1)
    voxels = np.argwhere(mask)
    hole = (voxels == (4, 4, 2)).all(axis=1) | (voxels == (2, 2, 2)).all(axis=1)
    np.testing.assert_array_equal(bold.invalid, hole)
    np.testing.assert_allclose(bold.data[:, ~hole], expected[:, ~hole], atol=1e-4)
    assert (bold.n_constant, bold.n_nan) == (1, 1)


@pytest.mark.parametrize("kind", ["gifti", "cifti"])
def test_smoothing_of_surfaces_is_refused(make, tmp_path, kind):
    run = make.plain(kind)
    with pytest.raises(UsageError, match="smoothing"):
        load_bold([run], unit_space([run]), Cleaning("none", 0, 6.0), tmp_path)


@pytest.mark.parametrize("kind", ["volume", "gifti", "cifti"])
def test_a_run_of_another_length_is_refused_and_leaves_nothing(make, tmp_path, kind):
    run = make.plain(kind)
    with pytest.raises(InputInvalidError, match=rf"{run.bold[0].name}.*40 volumes.*41"):
        load_bold([replace(run, n_trs=41)], unit_space([run]), PLAIN, tmp_path / "c", quiet=True)
    assert not [path for path in (tmp_path / "c").iterdir() if path.suffix != ".lock"]


def test_a_truncated_file_is_named(make, tmp_path):
    run = make.plain("volume", n_trs=60)
    units = unit_space([run])
    content = run.bold[0].read_bytes()
    run.bold[0].write_bytes(content[: len(content) // 2])
    with pytest.raises(InputInvalidError, match=run.bold[0].name):
        load_bold([run], units, PLAIN, tmp_path, quiet=True)


def test_too_little_room_is_said_before_work_starts(make, tmp_path, monkeypatch):
    run = make.plain("cifti")
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match="GiB free"):
        load_bold([run], unit_space([run]), PLAIN, tmp_path, quiet=True)


class TestCache:
    def test_a_second_call_reads_no_bold(self, make, tmp_path, monkeypatch):
        runs = make_runs(make, "gifti")
        units = unit_space(runs)
        first = load_bold(runs, units, Cleaning(), tmp_path, quiet=True)
        monkeypatch.setattr(module, "_stream", lambda *_: pytest.fail("read again"))
        second = load_bold(runs, units, Cleaning(), tmp_path, quiet=True)
        assert first.path == second.path
        assert second.confounds == first.confounds
        np.testing.assert_array_equal(first.data, second.data)

    def test_every_file_is_opened_once(self, make, tmp_path, monkeypatch):
        run = make.plain("volume", n_trs=60)
        units = unit_space([run])
        opened = []
        from bidsapp.brain import images

        real = images.nib.load

        def counting(path, **options):
            opened.append(path)
            return real(path, **options)

        monkeypatch.setattr(images.nib, "load", counting)
        load_bold([run], units, PLAIN, tmp_path, memory_bytes=200_000, quiet=True)
        assert opened == [run.bold[0]]

    @pytest.mark.parametrize(
        "change", ["cleaning", "touched", "confounds", "order", "tr", "mask", "fewer"]
    )
    def test_what_changes_the_numbers_changes_the_key(self, make, tmp_path, change):
        runs = make_runs(make, "volume")
        units = unit_space(runs)
        first = load_bold(runs, units, Cleaning("motion6"), tmp_path, quiet=True)
        cleaning = Cleaning("motion6")
        if change == "cleaning":
            cleaning = Cleaning("motion24")
        elif change == "touched":
            os.utime(runs[0].bold[0], ns=(1, 1))
        elif change == "confounds":
            make.confounds("volume0", 150, seed=9)
            os.utime(runs[0].confounds, ns=(1, 1))
        elif change == "order":
            runs = runs[::-1]
        elif change == "tr":
            runs = [replace(run, tr_s=2.0) for run in runs]
        elif change == "mask":
            units = unit_space([make.volume("x", make.noise(*make.shape, 3))])
        else:
            runs = runs[:1]
        second = load_bold(runs, units, cleaning, tmp_path, quiet=True)
        assert first.path != second.path

    def test_a_moved_dataset_keeps_its_key(self, make, tmp_path):
        run = make.plain("cifti")
        units = unit_space([run])
        first = load_bold([run], units, PLAIN, tmp_path, quiet=True)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        moved = run.bold[0].rename(elsewhere / run.bold[0].name)
        second = load_bold([replace(run, bold=(moved,))], units, PLAIN, tmp_path, quiet=True)
        assert first.path == second.path

    def test_a_killed_build_is_made_again(self, make, tmp_path):
        run = make.plain("cifti")
        units = unit_space([run])
        whole = load_bold([run], units, PLAIN, tmp_path, quiet=True)
        expected = np.array(whole.data)
        whole.path.with_suffix(".npz").unlink()  # killed between the two renames
        whole.path.with_suffix(".part.npy").write_bytes(b"half")  # killed while reading
        whole.path.write_bytes(b"other")
        again = load_bold([run], units, PLAIN, tmp_path, quiet=True)
        np.testing.assert_array_equal(again.data, expected)
        names = {path.name for path in tmp_path.iterdir() if path.is_file()}
        stem = whole.path.stem
        assert names == {f"{stem}.npy", f"{stem}.npz", f"{stem}.lock"}

    def test_two_at_once_build_one(self, make, tmp_path, monkeypatch):
        runs = make_runs(make, "cifti")
        units = unit_space(runs)
        built = []
        real = module._build
        monkeypatch.setattr(module, "_build", lambda *args: (built.append(1), real(*args)))
        with ThreadPoolExecutor(4) as pool:
            results = list(
                pool.map(lambda _: load_bold(runs, units, PLAIN, tmp_path, quiet=True), range(4))
            )
        assert len(built) == 1
        assert len({result.path for result in results}) == 1


def test_the_matrix_is_read_only_and_can_be_removed(make, tmp_path):
    run = make.plain("cifti")
    bold = load_bold([run], unit_space([run]), PLAIN, tmp_path, quiet=True)
    with pytest.raises(ValueError, match="read-only"):
        bold.data[0, 0] = 1
    bold.remove()
    bold.remove()
    assert [path.suffix for path in tmp_path.glob("bold-*")] == [".lock"]


def test_a_run_that_ends_first_leaves_the_matrix_to_the_other(make, tmp_path):
    """Two runs share a work folder; the one that is done deletes the file."""
    run = make.plain("cifti")
    first, second = (
        load_bold([run], unit_space([run]), PLAIN, tmp_path, quiet=True) for _ in range(2)
    )
    expected = np.array(second.data)
    first.remove()
    assert not second.path.exists()
    np.testing.assert_array_equal(second.data, expected)
    again = load_bold([run], unit_space([run]), PLAIN, tmp_path, quiet=True)
    np.testing.assert_array_equal(again.data, expected)


def test_clean_is_a_projection(make):
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((50, 4)) - 0)[0]
    basis = np.linalg.qr(basis - basis.mean(axis=0))[0]
    y = make.noise(50, 6)
    once, constant = clean(y, basis)
    twice, _ = clean(once, basis)
    assert not constant.any()
    np.testing.assert_allclose(once, twice, atol=1e-5)
    scaled, _ = clean(3 * y + 100, basis)
    np.testing.assert_allclose(scaled, once, atol=1e-3)


@pytest.mark.data
def test_real_bold_of_the_haxby_study(test_data, make, tmp_path):
    folder = test_data / "haxby_bids" / "sub-001" / "func"
    paths = sorted(folder.glob("*acq-25mm*_bold.nii.gz"))[:3]
    runs = [make.run("volume", (path,), 121, tr_s=2.5, space="native") for path in paths]
    units = unit_space(runs)
    assert units.n_units + 0 == (nib.load(paths[0]).get_fdata()[..., :10].mean(-1) > 0).sum()
    bold = load_bold(runs, units, Cleaning("none"), tmp_path, quiet=True)
    assert bold.data.shape == (363, units.n_units)
    lag1 = [
        np.corrcoef(bold.data[:120, k], bold.data[1:121, k])[0, 1]
        for k in np.flatnonzero(~bold.invalid)
    ]
    assert 0.0 < np.median(lag1) < 0.5
