"""Time, overhead and memory of 64 simulated participants on one and on two workers.

    python benchmarks/executors.py [--participants 64] [--runs local:2 local:1]

The participants share the files of one (symbolic links), so that making them takes no time and
each does the same work. Every run starts with an empty output and with the sounds' features there.
``bare`` is the time of the recipe's function alone, as each job's record has it; what a run takes
beyond the sum of these, divided by the number of workers, is overhead: start, plan, reports.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bidsapp.simulate.dataset import MusicOptions, simulate
from bidsapp.simulate.features import Stimuli
from bidsapp.simulate.signals import LayerFeatures

SETTINGS = [
    *("--weights", "random", "--mem", "4G", "--omp-nthreads", "1", "-q"),
    *("--set", "gradients.min_block_s=10"),
    *("--set", "gradients.n_components=8"),
    *("--set", "gradients.n_parcels=12"),
    *("--set", "gradients.n_shifts=5"),
    *("--set", "gradients.lags_s=[5.0]"),
    *("--set", "gradients.control_lags_s=[]"),
    *("--set", 'gradients.networks=["baseline"]'),
]
RUNS = ("local:2", "local:1", "serial:1", "dask:2")


def noise(stimuli: Stimuli) -> LayerFeatures:
    """Two layers of random components: what is planted does not matter here."""
    rng = np.random.default_rng(0)
    n = 48 * len(stimuli)
    return LayerFeatures(
        network="stand-in",
        layers=("a", "b"),
        pieces=tuple(name for name, _ in stimuli),
        frame_piece=np.repeat(np.arange(len(stimuli)), 48),
        frame_time_s=np.tile(0.48 + 0.48 * np.arange(48), len(stimuli)),
        scores=tuple(rng.standard_normal((n, 8)) for _ in range(2)),
    )


def make_dataset(folder: Path, n: int) -> Path:
    """Simulate one participant, and link its files under the labels of `n`."""
    one, many = folder / "one", folder / "many"
    options = MusicOptions.quick(n_participants=1, n_pieces=3, piece_s=24.0)
    simulate(one, options, features=noise, quiet=True)
    for path in one.rglob("*"):
        relative = path.relative_to(one).as_posix()
        if path.is_dir() or "truth" in relative:
            continue
        names = [relative.replace("sub-01", f"sub-{number:03d}") for number in range(1, n + 1)]
        for name in names if "sub-01" in relative else [relative]:
            (many / name).parent.mkdir(parents=True, exist_ok=True)
            (many / name).symlink_to(path)
    return many


def run(dataset: Path, output: Path, work: Path, executor: str, workers: int) -> dict[str, float]:
    """Run the app once and return seconds, CPU seconds and bytes."""
    command = [sys.executable, "-m", "bidsapp.cli.app", dataset, output, "participant"]
    command += ["-w", work, "--executor", executor, "--workers", workers, *SETTINGS]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*map(str, command)], check=True, env=environment, stdout=subprocess.DEVNULL)
    wall_s = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    jobs = json.loads((output / "logs" / "status.json").read_text())["Jobs"]
    assert all(job["state"] == "done" for job in jobs)
    files = [path for path in output.rglob("*") if path.is_file()]
    return {
        "jobs": len(jobs),
        "wall_s": wall_s,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "bare_s": sum(job["seconds"] for job in jobs),
        "peak_mb": max(job["peak_memory_bytes"] for job in jobs) / 2**20,
        "files": len(files) / len(jobs),
        "written_mb": sum(path.stat().st_size for path in files) / 2**20 / len(jobs),
    }


def main() -> None:
    """Run every executor and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--participants", type=int, default=64)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--runs", nargs="+", default=RUNS, metavar="EXECUTOR:WORKERS")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        dataset = make_dataset(folder, options.participants)
        first = make_dataset(folder / "first", 1)
        run(first, folder / "first-out", folder / "work", "serial", 1)
        print("| executor | workers | wall s | CPU s | bare s/job | overhead s/job | peak MB |")
        print("|---|---|---|---|---|---|---|")
        for number, text in enumerate(options.runs):
            executor, workers = text.split(":")[0], int(text.split(":")[1])
            output = folder / f"out-{number}"
            row = run(dataset, output, folder / "work", executor, workers)
            n = row["jobs"]
            overhead = (row["wall_s"] * workers - row["bare_s"]) / n
            print(
                f"| {executor} | {workers} | {row['wall_s']:.0f} | {row['cpu_s']:.0f} | "
                f"{row['bare_s'] / n:.2f} | {overhead:.2f} | {row['peak_mb']:.0f} |",
                flush=True,
            )
        print(f"\n{row['files']:.0f} files and {row['written_mb']:.1f} MB written per participant")


if __name__ == "__main__":
    main()
