"""The memory bound of the brain part, measured: peak resident memory of a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

MIB = 1 << 20
SHAPE, N_TRS = (64, 60, 40), 220  # 153,600 units: 129 MiB as float32
BOUND_MIB = 24

CODE = """
import sys
from pathlib import Path
import numpy as np
from bidsapp.bids.records import Run
from bidsapp.brain.clean import Cleaning, load_bold
from bidsapp.brain.parcels import geometric_parcels, parcel_means
from bidsapp.brain.units import unit_space

def peak():  # not ru_maxrss: that includes the parent's memory at the fork
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024

def work(bold, mask, n_trs, cache, memory_bytes):
    run = Run({"sub": "01", "task": "m"}, "MNI152NLin2009cAsym", None, None, "volume",
              (Path(bold),), Path(mask), None, 1.0, n_trs)
    units = unit_space([run])
    matrix = load_bold([run], units, Cleaning("none"), Path(cache),
                       memory_bytes=memory_bytes, quiet=True)
    means = parcel_means(matrix.data, geometric_parcels(units, 50), 50,
                         memory_bytes=memory_bytes)
    assert np.isfinite(means).all()

folder, bold, mask, n_trs, bound = sys.argv[1:]
work(f"{folder}/small.nii", f"{folder}/small_mask.nii.gz", 20, f"{folder}/a", 1 << 20)
before = peak()
work(bold, mask, int(n_trs), f"{folder}/b", int(bound) << 20)
print(peak() - before)
"""


def write(folder: Path, name: str, extension: str, shape: tuple[int, ...], n_trs: int) -> None:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((*shape, 1), dtype=np.float32) * np.sin(
        np.arange(n_trs, dtype=np.float32) ** 2
    )
    nib.save(nib.Nifti1Image(data + 100, np.eye(4)), folder / f"{name}{extension}")
    nib.save(nib.Nifti1Image(np.ones(shape, np.uint8), np.eye(4)), folder / f"{name}_mask.nii.gz")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is measured on Linux")
@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
def test_peak_memory_stays_near_the_bound(tmp_path, extension):
    write(tmp_path, "small", ".nii", (8, 8, 8), 20)
    write(tmp_path, "big", extension, SHAPE, N_TRS)
    arguments = [tmp_path, tmp_path / f"big{extension}", tmp_path / "big_mask.nii.gz"]
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, arguments), str(N_TRS), str(BOUND_MIB)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},  # buffers of each BLAS thread are not ours
    )
    added_mib = int(done.stdout)
    matrix_mib = 4 * np.prod(SHAPE) * N_TRS / MIB
    # beside the chunks: the unit space itself (coordinates, structure, mask positions)
    unit_space_mib = 150 * np.prod(SHAPE) / MIB
    assert added_mib > 0
    assert added_mib < BOUND_MIB + unit_space_mib < matrix_mib / 2
