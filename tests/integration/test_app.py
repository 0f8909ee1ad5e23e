"""The app as users run it: whole runs in processes of their own."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.integration.conftest import BASELINE, SMALL, Run
from tests.processes import kill_at

N_LABELS = 22
"""Label maps, masks, their tables and sidecars of two participants: 11 each."""
N_ROOT = 3
"""``dataset_description.json``, ``README.md``, ``descriptions.tsv``."""
VOLATILE = ("logs", "sub-01_gradients.html", "sub-02_gradients.html", ".work", ".locks")


def contents(folder: Path) -> dict[str, str]:
    """Digest of every result; logs and reports carry times and are left out."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in VOLATILE
    }


def test_outputs_are_complete(finished: tuple[Path, Path]) -> None:
    output, _ = finished
    names = set(contents(output))
    stem = "sub-01/func/sub-01_space-MNI152NLin2009cAsym_model-baseline"
    label = "sub-01/anat/sub-01_space-MNI152NLin2009cAsym"
    for expected in (
        f"{stem}_stat-r_desc-gradientspositivelags_statmap.nii.gz",
        f"{stem}_stat-r_desc-gradientspositivelagspieces_statmap.nii.gz",
        f"{stem}_stat-centroid_desc-gradientsnegativelags_statmap.json",
        f"{stem}_stat-alpha_desc-gradientspositivelags_statmap.nii.gz",
        f"{label}_desc-gradientsbestlayerpositivelagsbaseline_dseg.nii.gz",
        f"{label}_desc-gradientsbestlayerpositivelagsbaseline_dseg.tsv",
        f"{label}_desc-gradientssignificantbaseline_mask.nii.gz",
        f"{stem}_desc-gradientsparcels_stats.tsv",
        f"{stem}_desc-gradientsparcelsummary_stats.tsv",
        f"{stem}_desc-gradientspieces_stats.tsv",
        f"{stem}_desc-gradientsnull_stats.tsv",
        f"{stem}_desc-gradientsprofile_stats.tsv",
        "sub-01/func/sub-01_model-baseline_desc-gradientsratings_stats.tsv",
        "sub-01/func/sub-01_desc-gradientsalignment_stats.tsv",
        "sub-01/func/sub-01_desc-gradientsfolds_stats.tsv",
        "sub-01/func/sub-01_space-MNI152NLin2009cAsym_desc-gradientssummary_stats.json",
        "sub-01/func/sub-01_space-MNI152NLin2009cAsym_stat-ceiling_desc-gradients_statmap.nii.gz",
        "dataset_description.json",
        "descriptions.tsv",
        ".bidsignore",
    ):
        assert expected in names, expected
    assert (output / "sub-01_gradients.html").stat().st_size > 50_000
    for log in ("config.toml", "status.json", "inputs.tsv", "fidelity.tsv", "CITATION.md"):
        assert (output / "logs" / log).is_file(), log
    assert not [path for path in output.iterdir() if path.name.startswith(".staging")]


def test_maps_read_in_nilearn(finished: tuple[Path, Path]) -> None:
    from nilearn import image

    output, _ = finished
    stem = output / "sub-01" / "func" / "sub-01_space-MNI152NLin2009cAsym_model-baseline"
    stem = f"{stem}_stat-r_desc-gradientspositivelags_statmap"
    scores = image.load_img(f"{stem}.nii.gz")
    columns = json.loads(Path(f"{stem}.json").read_text())["Columns"]
    assert scores.shape[3] == len(columns) == 4
    values = scores.get_fdata()
    assert np.isnan(values[0, 0, 0]).all()
    assert np.nanmax(np.abs(values)) <= 1


def test_load_results(finished: tuple[Path, Path]) -> None:
    from bidsapp import load_results

    table = load_results(finished[0], "gradientsparcelsummary")
    assert set(table["participant"]) == {"01", "02"}
    is_control = table["lags"] == "negative"
    assert table.loc[~is_control, "p"].between(0.05, 1).all()
    assert table.loc[is_control, "p"].isna().all()
    assert table.loc[is_control, "r_max"].notna().all()


@pytest.mark.slow
def test_validator_finds_no_error(finished: tuple[Path, Path]) -> None:
    command = [
        Path(sys.executable).with_name("bids-validator-deno"),
        finished[0],
        "--format",
        "json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    report = json.loads(done.stdout)
    errors = [item for item in report["issues"]["issues"] if item["severity"] == "error"]
    assert errors == []
    assert done.returncode == 0
    anatomical = [path for path in finished[0].glob("sub-*/anat/*") if path.is_file()]
    assert len(anatomical) >= N_LABELS
    # every label map, mask and sidecar of theirs is looked at, beside the files of the root
    assert report["summary"]["totalFiles"] >= len(anatomical) + N_ROOT


def test_second_run_does_nothing(
    dataset: Path, finished: tuple[Path, Path], musicotopy: Run
) -> None:
    output, work = finished
    before = {path: path.stat().st_mtime_ns for path in output.rglob("sub-*") if path.is_file()}
    words = [word for word in BASELINE if word != "-q"]
    done = musicotopy(dataset, output, "participant", "-v", "-w", work, *words)
    assert done.returncode == 0
    assert done.stderr.count("already done, nothing to do") == 2
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_other_settings_are_refused_then_replaced(
    dataset: Path, finished: tuple[Path, Path], musicotopy: Run, tmp_path: Path
) -> None:
    output, work = tmp_path / "out", finished[1]
    shutil.copytree(finished[0], output)
    words = [dataset, output, "participant", "-w", work, *BASELINE]
    words += ["--set", "gradients.n_components=5"]
    refused = musicotopy(*words)
    assert refused.returncode == 73
    assert "--overwrite" in refused.stderr
    assert contents(output) == contents(finished[0])
    partly = musicotopy(*words, "--overwrite", "--participant-label", "01")
    assert partly.returncode == 73
    done = musicotopy(*words, "--overwrite")
    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(output) != contents(finished[0])


def test_one_broken_participant_leaves_the_other(
    dataset: Path, finished: tuple[Path, Path], musicotopy: Run, tmp_path: Path
) -> None:
    broken = tmp_path / "data"
    shutil.copytree(dataset, broken)
    for path in broken.glob("derivatives/fmriprep/sub-02/func/*desc-preproc_bold.nii.gz"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    output = tmp_path / "out"
    done = musicotopy(broken, output, "participant", "-w", tmp_path / "work", *BASELINE)
    assert done.returncode == 1
    jobs = json.loads((output / "logs" / "status.json").read_text())["Jobs"]
    states = {job["subject"]: job for job in jobs}
    assert states["01"]["state"] == "done"
    assert states["02"]["state"] == "failed"
    assert "sub-02" in states["02"]["reason"]
    assert "Traceback" not in done.stderr
    assert not (output / "sub-02").exists()
    one = {
        name: text for name, text in contents(finished[0]).items() if name.startswith("sub-01/")
    }
    two = {name: text for name, text in contents(output).items() if name.startswith("sub-01/")}
    assert {name for name in one if not name.endswith(".json")} == {
        name for name in two if not name.endswith(".json")
    }
    assert all(one[name] == two[name] for name in one if name.endswith((".nii.gz", ".tsv")))


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", ["sub-01 .*positive lags", "sub-01.*: done", "sub-02 .*negative lags"]
)
def test_killed_run_goes_on(
    dataset: Path, finished: tuple[Path, Path], musicotopy: Run, tmp_path: Path, line: str
) -> None:
    output, work = tmp_path / "out", tmp_path / "work"
    words = [dataset, output, "participant", "-w", work, *BASELINE]
    loud = ["-v" if word == "-q" else word for word in map(str, words)]
    command = [sys.executable, "-m", "bidsapp.cli.app", *loud]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdout=quiet, stderr=quiet, text=True, start_new_session=True
    )
    kill_at(process, output, line)
    done = musicotopy(*words)
    assert done.returncode == 0, done.stderr
    assert contents(output) == contents(finished[0])
    leftovers = [path.name for path in output.rglob("*") if ".part" in path.name]
    leftovers += [path.name for path in output.glob(".staging*")]
    assert leftovers == []


def test_unknown_participant_lists_the_known(
    dataset: Path, musicotopy: Run, tmp_path: Path
) -> None:
    done = musicotopy(dataset, tmp_path, "participant", "--participant-label", "sub-99")
    assert done.returncode == 66
    assert "99" in done.stderr
    assert "01 02" in done.stderr


def test_missing_weights(dataset: Path, musicotopy: Run, tmp_path: Path) -> None:
    done = musicotopy(dataset, tmp_path / "out", "participant", "--weights-dir", tmp_path)
    assert done.returncode == 69
    assert "--weights random" in done.stderr


def test_dry_run_prints_the_alignment_and_writes_nothing(
    dataset: Path, musicotopy: Run, tmp_path: Path
) -> None:
    done = musicotopy(dataset, tmp_path / "out", "participant", "--dry-run", *SMALL)
    assert done.returncode == 0, done.stderr
    for word in ("gradients_sub-01", "n_rows", ".flac", "estimate", "enjoyment"):
        assert word in done.stdout
    assert not (tmp_path / "out").exists()


def test_written_configuration_repeats_the_run(
    dataset: Path, finished: tuple[Path, Path], musicotopy: Run
) -> None:
    output, _ = finished
    config = output / "logs" / "config.toml"
    done = musicotopy(dataset, output, "participant", "--config-file", config)
    assert done.returncode == 0, done.stderr
    assert json.loads((output / "logs" / "status.json").read_text())["Jobs"]


def test_reports_only(dataset: Path, finished: tuple[Path, Path], musicotopy: Run) -> None:
    output, work = finished
    report = output / "sub-02_gradients.html"
    report.unlink()
    done = musicotopy(dataset, output, "participant", "-w", work, "--reports-only", *BASELINE)
    assert done.returncode == 0, done.stderr
    assert report.is_file()


def test_dataset_is_never_written(dataset: Path, finished: tuple[Path, Path]) -> None:
    newest = max(path.stat().st_mtime for path in dataset.rglob("*"))
    oldest = min(path.stat().st_mtime for path in finished[0].rglob("*.nii.gz"))
    assert newest < oldest


@pytest.mark.slow
def test_memory_is_respected_and_changes_nothing(
    dataset: Path, finished: tuple[Path, Path], musicotopy: Run, tmp_path: Path
) -> None:
    done = musicotopy(
        dataset, tmp_path / "out", "participant", "-w", tmp_path / "w", "--mem", "1G", *BASELINE
    )
    assert done.returncode == 0, done.stderr
    one, two = (
        np.nan_to_num(
            _scores(folder / "sub-01/func/sub-01_space-MNI152NLin2009cAsym_model-baseline")
        )
        for folder in (finished[0], tmp_path / "out")
    )
    np.testing.assert_allclose(one, two, atol=1e-5)


def _scores(stem: Path) -> np.ndarray:
    import nibabel

    return nibabel.load(f"{stem}_stat-r_desc-gradientspositivelags_statmap.nii.gz").get_fdata()


def test_dry_run_imports_no_network_library(dataset: Path, tmp_path: Path) -> None:
    """A table of features is read; own files of weights are built, which is another case."""
    stimuli = dataset / "stimuli"
    sounds = [path.relative_to(stimuli).as_posix() for path in stimuli.rglob("*.flac")]
    rows = [f"{sound}\t{0.5 + second}\t{second}" for sound in sounds for second in range(28)]
    table = "\n".join(["stim_file\ttime\tloudness", *rows])
    (tmp_path / "table.tsv").write_text(f"{table}\n")
    own = [f"features:{tmp_path / 'table.tsv'}"]
    words = [str(dataset), str(tmp_path / "out"), "participant", "--dry-run", "-q"]
    words += ["--network", "baseline", *own]
    code = (
        "import sys\nfrom bidsapp.cli.app import main\n"
        f"code = main({words!r})\n"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'librosa'} & set(sys.modules)\n"
        "sys.exit(code or (f'imported {heavy}' if heavy else 0))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
