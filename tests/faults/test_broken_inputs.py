"""Broken files of single participants: each is named, the others go on, in one run."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.faults.conftest import BOLD, DERIVATIVES, SETTINGS, App, leftovers, records, results

Damage = Callable[[Path], None]
Finished = tuple[Path, Path]


@dataclass(frozen=True)
class Fault:
    """What happens to the files of a participant, and what is said about it."""

    pattern: str
    damage: Damage
    exit_code: int
    says: str


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(path: Path) -> None:
    path.write_bytes(b"\x81garbage\x00" * 300)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_one_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def break_header(path: Path) -> None:
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[40:56] = b"\xff" * 16
    path.write_bytes(gzip.compress(bytes(data)))


def fill(value: float) -> Damage:
    def damage(path: Path) -> None:
        image: Any = nib.load(path)
        data = np.full(image.shape, value, dtype=np.float32)
        nib.save(nib.Nifti1Image(data, image.affine), path)

    return damage


def half_the_rows(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join(lines[: len(lines) // 2]) + "\n")


def infinite(path: Path) -> None:
    header, *lines = path.read_text("utf-8").splitlines()
    row = "\t".join(["inf"] * len(header.split("\t")))
    path.write_text("\n".join([header, *[row] * len(lines)]) + "\n")


def lead_out(path: Path) -> None:
    path.write_text("onset\tduration\tstim_file\n6\t24\t../../../../etc/passwd\n")


FMRIPREP = f"{DERIVATIVES}/sub-{{label}}/func"
EVENTS = "sub-{label}/func/*_events.tsv"
CONFOUNDS = f"{FMRIPREP}/*confounds_timeseries.tsv"
FAULTS = {
    "truncated": Fault(f"{FMRIPREP}/{BOLD}", truncate, 65, "preproc_bold.nii.gz cannot be read"),
    "garbled": Fault(f"{FMRIPREP}/{BOLD}", garble, 66, "preproc_bold.nii.gz: has no readable"),
    "header": Fault(f"{FMRIPREP}/{BOLD}", break_header, 66, "preproc_bold.nii.gz: has no read"),
    "flipped": Fault(f"{FMRIPREP}/{BOLD}", flip_one_byte, 65, "preproc_bold.nii.gz cannot be"),
    "empty": Fault(f"{FMRIPREP}/{BOLD}", empty, 66, "preproc_bold.nii.gz: has 0 bytes"),
    "nan": Fault(f"{FMRIPREP}/{BOLD}", fill(np.nan), 65, "no signal"),
    "constant": Fault(f"{FMRIPREP}/{BOLD}", fill(7.0), 65, "no signal"),
    "mask": Fault(f"{FMRIPREP}/*brain_mask.nii.gz", truncate, 65, "brain_mask.nii.gz cannot be"),
    "confounds": Fault(CONFOUNDS, garble, 66, "confounds_timeseries.tsv cannot serve"),
    "infinite": Fault(CONFOUNDS, infinite, 65, "infinite values"),
    "short": Fault(CONFOUNDS, half_the_rows, 65, "confounds_timeseries.tsv has"),
    "events": Fault(EVENTS, garble, 66, "events.tsv: has no column"),
    "outside": Fault(EVENTS, lead_out, 66, "leads out of the folder"),
    "rating": Fault("sub-{label}/func/*enjoyment_stim.tsv.gz", truncate, 0, "cannot be read"),
    "sidecar": Fault(f"{FMRIPREP}/*preproc_bold.json", truncate, 0, "is not valid JSON"),
}


def test_every_broken_file_is_named_and_the_others_go_on(
    copy: Callable[..., Path], undisturbed: Finished, app: App, tmp_path: Path
) -> None:
    data, output = copy(*FAULTS), tmp_path / "out"
    for label, fault in FAULTS.items():
        paths = sorted(data.glob(fault.pattern.format(label=label)))
        assert paths, label
        for path in paths:
            fault.damage(path)
    done = app.run(data, output, "participant", "-w", undisturbed[1], *SETTINGS)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    known = records(output)
    for label, fault in FAULTS.items():
        record = known[label]
        assert record["state"] == ("failed" if fault.exit_code else "done"), label
        assert record["exit_code"] == fault.exit_code, (label, record["reason"])
        said = [line for line in done.stderr.splitlines() if f"sub-{label}" in line]
        assert any(fault.says in line for line in said), (label, said)
        assert (output / f"sub-{label}").exists() == (fault.exit_code == 0), label
        assert (output / f"sub-{label}_gradients.html").exists() == (fault.exit_code == 0), label
    assert known["02"]["state"] == "done"
    truth = results(undisturbed[0], "sub-02/")
    for name, digest in results(output, "sub-02/").items():
        assert name.endswith(".json") or truth[name] == digest, name
    assert leftovers(output) == []


def test_broken_sounds(copy: Callable[..., Path], app: App, tmp_path: Path) -> None:
    """A sound that cannot be decoded is left out; with none left, the participant fails."""
    data = copy()
    sounds = sorted((data / "stimuli").glob("*.flac"))
    garble(sounds[0])
    empty(sounds[1])
    words = [data, tmp_path / "out", "participant", "--participant-label", "01", *SETTINGS]
    planned = app.run(*words, "--dry-run")
    for sound in sounds[:2]:
        assert sound.name in planned.stdout
    garble(sounds[2])
    refused = app.run(*words)
    assert refused.returncode in (65, 66)
    assert sounds[2].name in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_truncated_sound(copy: Callable[..., Path], app: App, tmp_path: Path) -> None:
    data = copy()
    sound = sorted((data / "stimuli").glob("*.flac"))[0]
    truncate(sound)
    done = app.run(data, tmp_path / "out", "participant", *SETTINGS)
    assert done.returncode in (0, 65), done.stderr
    assert sound.name in done.stderr
    assert "Traceback" not in done.stderr
    assert leftovers(tmp_path / "out") == []


@pytest.mark.parametrize("damage", [truncate, garble, empty], ids=lambda item: item.__name__)
@pytest.mark.parametrize("kind", ["gifti", "cifti"])
def test_broken_surface_files(tmp_path: Path, kind: Any, damage: Damage) -> None:
    """The header, or else the data, of a broken GIFTI or CIFTI file is refused by name."""
    from bidsapp.bids.headers import time_axis
    from bidsapp.bids.records import Problem

    path = tmp_path / ("bold.func.gii" if kind == "gifti" else "bold.dtseries.nii")
    data = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    if kind == "gifti":
        arrays = [nib.gifti.GiftiDataArray(row, datatype="float32") for row in data]
        nib.save(nib.GiftiImage(darrays=arrays), path)
    else:
        cortex = nib.cifti2.BrainModelAxis.from_surface(np.arange(40), 40, "CORTEX_LEFT")
        axes = (nib.cifti2.SeriesAxis(0, 1, 5), cortex)
        nib.save(nib.Cifti2Image(data, axes), path)
    axis = time_axis(path, kind)
    assert not isinstance(axis, Problem)
    assert axis.n_trs == 5
    damage(path)
    problem = time_axis(path, kind)
    if isinstance(problem, Problem):
        assert problem.path == path
        assert str(problem).count("\n") == 0
        return
    from bidsapp.brain.images import open_image, read_gifti, read_slab
    from bidsapp.errors import InputInvalidError

    with pytest.raises(InputInvalidError, match=path.name):
        read_gifti(path) if kind == "gifti" else read_slab(path, open_image(path).dataobj)


def test_damaged_features_are_named(undisturbed: Finished, tmp_path: Path) -> None:
    import shutil

    from bidsapp.audio.networks import get_network
    from bidsapp.errors import InputInvalidError
    from bidsapp.features.banks import read_index

    bank = next(path for path in (undisturbed[1] / "features").iterdir() if path.is_dir())
    network = get_network("baseline")
    for name in ("bank.json", "frame_piece.npy"):
        damaged = tmp_path / name / bank.name
        shutil.copytree(bank, damaged)
        os.truncate(damaged / name, 20)
        with pytest.raises(InputInvalidError, match="remove the folder") as error:
            read_index(damaged, network)
        assert str(damaged) in str(error.value)
