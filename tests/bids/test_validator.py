"""The real validator on a tree that holds every kind of file the app writes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel import cifti2

from bidsapp.bids.atomic import write_image, write_json, write_text, write_tsv, write_tsv_gz
from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.describe import (
    sidecar,
    write_bidsignore,
    write_dataset_description,
    write_descriptions,
    write_readme,
)
from bidsapp.bids.names import build_path, space_entities
from bidsapp.bids.staging import Staging
from bidsapp.results.kinds import Labels, Maps, Mask

MODEL = {"model": "vggish"}
MAPS: tuple[tuple[str, dict[str, str]], ...] = (
    ("statmap", MODEL | {"stat": "r", "desc": "positive"}),
    ("statmap", MODEL | {"stat": "r", "desc": "negativepieces"}),
    ("statmap", MODEL | {"stat": "centroid", "desc": "positive"}),
    ("statmap", MODEL | {"stat": "alpha", "desc": "positive"}),
    ("statmap", {"stat": "ceiling"}),
    ("dseg", {"desc": "bestlayerpositivelagsvggish"}),
    ("mask", {"desc": "significantvggish"}),
    ("dseg", {"desc": "parcels"}),
)
N_VALIDATED = 76
"""What the validator has to look at, not pass over as ``.bidsignore`` tells it."""
DATATYPES = {kind.suffix: kind.datatype for kind in (Maps, Labels, Mask)}
TABLES = (
    *("parcels", "parcelsummary", "pieces", "null", "profile"),
    *("ratings", "alignment", "folds", "waveform"),
)


def _validator() -> str:
    found = Path(sys.executable).with_name("bids-validator-deno")
    path = str(found) if found.exists() else shutil.which("bids-validator-deno")
    if path is None:
        pytest.skip("bids-validator-deno is not installed")
    return path


def validate(folder: Path) -> tuple[int, list[str]]:
    """Return the validator's exit code and its errors."""
    code, errors, _ = _validated(folder)
    return code, errors


def _validated(folder: Path) -> tuple[int, list[str], int]:
    """Return the validator's exit code, its errors, and how many files it looked at."""
    done = subprocess.run(
        [_validator(), str(folder), "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    issues = report["issues"]["issues"]
    errors = [
        f"{issue['code']} {issue.get('location')} {issue.get('subCode', '')}"
        for issue in issues
        if issue["severity"] == "error"
    ]
    return done.returncode, errors, report["summary"]["totalFiles"]


def _volume(suffix: str) -> dict[str, object]:
    kind = np.float32 if suffix == "statmap" else np.uint8
    shape = (3, 3, 3, 2) if suffix == "statmap" else (3, 3, 3)
    return {".nii.gz": nib.Nifti1Image(np.ones(shape, kind), np.eye(4))}


def _surface(suffix: str) -> dict[str, object]:
    kind = np.float32 if suffix == "statmap" else np.int32
    image = nib.gifti.GiftiImage(darrays=[nib.gifti.GiftiDataArray(np.ones(5, kind))])
    return {".label.gii" if suffix == "dseg" else ".func.gii": image}


def _cifti(suffix: str) -> dict[str, object]:
    brain = cifti2.BrainModelAxis.from_mask(np.ones(3, bool), name="CIFTI_STRUCTURE_CORTEX_LEFT")
    if suffix == "dseg":
        axis: object = cifti2.LabelAxis(["best"], {0: ("none", (0, 0, 0, 0))})
        return {".dlabel.nii": cifti2.Cifti2Image(np.zeros((1, 3), np.int16), (axis, brain))}
    image = cifti2.Cifti2Image(np.zeros((1, 3), np.float32), (cifti2.ScalarAxis(["a"]), brain))
    return {".dscalar.nii": image}


def _write_results(staging: Staging, subject: str, dataset, sources: list[Path]) -> None:
    uris = dataset.bids_uris(sources)
    targets = (
        (("MNI152NLin2009cAsym", "2", None), _volume, [{}]),
        (("MNI152NLin6Asym", None, None), _volume, [{}]),
        (("T1w", None, None), _volume, [{}]),
        (("native", None, None), _volume, [{}]),
        (("fsaverage5", None, None), _surface, [{"hemi": "L"}, {"hemi": "R"}]),
        (("fsLR", None, "91k"), _cifti, [{}]),
    )
    for (space, res, den), images, hemispheres in targets:
        place = {"sub": subject} | space_entities(space, res, den)
        for suffix, names in MAPS:
            for hemi in hemispheres:
                for extension, image in images(suffix).items():
                    where = place | names | hemi
                    kind = DATATYPES[suffix]
                    path = build_path(where, suffix, extension, datatype=kind)
                    write_image(staging.path(path), image)
                    extra = {"Type": "ROI"} if suffix == "mask" else {}
                    write_json(
                        staging.path(build_path(where, suffix, ".json", datatype=kind)),
                        sidecar(
                            "A map.",
                            sources=uris,
                            space=space,
                            resolution=res,
                            density=den,
                            **extra,
                        ),
                    )
        best = place | {"desc": "bestlayerpositivelagsvggish"}
        path = build_path(best, "dseg", ".tsv", datatype="anat")
        write_tsv(staging.path(path), [{"index": 1, "name": "conv1"}])
        shared = sidecar("A map.", sources=uris, space=space, resolution=res, density=den)
        path = build_path(best, "dseg", ".json", datatype="anat")
        write_json(staging.path(path), shared)
        for table in TABLES:
            where = place | MODEL | {"desc": table}
            write_tsv(staging.path(build_path(where, "stats", ".tsv")), [{"parcel": 1, "r": 0.5}])
            write_json(staging.path(build_path(where, "stats", ".json")), {"Description": "x"})
        write_json(
            staging.path(build_path(place | {"desc": "summary"}, "stats", ".json")), {"n_units": 3}
        )
    run = {"sub": subject, "task": "music", "run": "1", "recording": "vggish"}
    write_tsv_gz(staging.path(build_path(run, "stim", ".tsv.gz")), [[0.5, 1.0], [0.25, np.nan]])
    write_json(
        staging.path(build_path(run, "stim", ".json")),
        {"SamplingFrequency": 0.5, "StartTime": 0.0, "Columns": ["conv1pc1", "conv1pc2"]},
    )


def test_everything_we_write_is_valid(study, tmp_path) -> None:
    raw, prep = study
    dataset = open_dataset(raw.root)
    output = tmp_path / "out"
    write_dataset_description(output, dataset, configuration_hashes={"gradients": "ab12"})
    write_bidsignore(output)
    write_descriptions(output, {"positive": "Positive lags.", "parcels": "Parcels."})
    write_readme(output)
    write_text(output / "logs" / "config.toml", "a = 1\n")
    write_json(output / "logs" / "jobs" / "gradients_sub-01.json", {"state": "done"})
    write_tsv(output / "logs" / "fidelity.tsv", [{"option": "lags"}])
    write_text(output / "logs" / "CITATION.md", "Cite.\n")
    for subject in ("01", "02"):
        with Staging(output, f"gradients_sub-{subject}") as staging:
            _write_results(staging, subject, dataset, [next(prep.root.rglob("*_bold.nii.gz"))])
            staging.publish()
        write_text(output / f"sub-{subject}.html", "<html></html>\n")
        write_text(output / f"sub-{subject}" / "figures" / "profile.svg", "<svg/>\n")
    group = build_path({"task": "music", "space": "fsaverage", "stat": "t"}, "stats", ".tsv")
    write_tsv(output / group, [{"r": 1.0}])
    code, errors, n_files = _validated(output)
    assert errors == []
    assert code == 0
    # description, README, descriptions, logs and recordings: what BIDS has names for is looked at
    assert n_files >= N_VALIDATED, n_files


def test_the_check_can_fail(study, tmp_path) -> None:
    raw, _ = study
    output = tmp_path / "out"
    write_dataset_description(output, open_dataset(raw.root))
    write_text(output / "sub-01" / "func" / "sub-01_stat-r_statmap.json", "{}")
    code, errors = validate(output)
    assert code == 16
    assert any("statmap" in error for error in errors)
