"""Training steps of volume networks against MONAI's, and random access to cached volumes.

    OMP_NUM_THREADS=1 python benchmarks/cnn3d.py [--quick] [--rounds 5]

Every network makes forward, backward and AdamW steps on the same random volumes of 48x56x48
voxels, four at a time (the default network also sixteen, as in training), on one thread; networks
take turns and the median of their CPU time per volume is printed. Then single volumes are read in
random order from a masked float16 memory map (and put into their grid) and from a compressed
NIfTI file. MONAI is optional: pip install monai.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from bidsapp.models.cnn3d.networks import NETWORKS3D, build
from bidsapp.models.cnn3d.volumes import Volumes, scatter

SHAPE = (48, 56, 48)
N_CLASSES = 5
BATCH = 4


def networks() -> dict[str, torch.nn.Module]:
    """Ours, and MONAI's where it is installed."""
    ours: dict[str, torch.nn.Module] = {
        name: build(name, N_CLASSES, 1, SHAPE, 0) for name in NETWORKS3D
    }
    try:
        from monai.networks.nets import DenseNet121, resnet10
    except ImportError:
        return ours
    peers = {
        "MONAI DenseNet121": DenseNet121(3, 1, N_CLASSES),
        "MONAI ResNet10": resnet10(spatial_dims=3, n_input_channels=1, num_classes=N_CLASSES),
    }
    return ours | peers


def step(network: torch.nn.Module, batch: int) -> Callable[[], None]:
    """One training step on random volumes."""
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    x, y = torch.randn(batch, 1, *SHAPE), torch.arange(batch) % N_CLASSES

    def run() -> None:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimiser.step()

    return run


def milliseconds(run: Callable[[], None]) -> float:
    """CPU time of one call."""
    start = time.process_time()
    run()
    return 1e3 * (time.process_time() - start)


def interleaved(runs: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """CPU times of all, taking turns after one warm-up each."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(milliseconds(run))
    return times


def training(rounds: int) -> None:
    """Print the table of training steps."""
    made = networks()
    default = "small, batches of 16"
    made[default] = made["small"]
    batches = {name: 16 if name == default else BATCH for name in made}
    times = interleaved({name: step(made[name], batches[name]) for name in made}, rounds)
    fastest = statistics.median(times["small"]) / BATCH
    print("| network | parameters | ms per volume (range) | x small |\n|---|---|---|---|")
    for name, found in times.items():
        per = [t / batches[name] for t in found]
        size = sum(p.numel() for p in made[name].parameters())
        middle = statistics.median(per)
        print(
            f"| {name} | {size:,} | {middle:.1f} ({min(per):.1f}-{max(per):.1f}) "
            f"| {middle / fastest:.1f} |"
        )


def reading(n_volumes: int, rounds: int) -> None:
    """Print the table of random access."""
    rng = np.random.default_rng(0)
    grid = np.moveaxis(np.indices(SHAPE), 0, -1) - (np.array(SHAPE) - 1) / 2
    mask = np.flatnonzero(((grid / (np.array(SHAPE) / 2.1)) ** 2).sum(-1).ravel() < 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        masked = rng.standard_normal((n_volumes, mask.size)).astype(np.float16)
        np.save(folder / "masked.npy", masked)
        image = np.zeros((n_volumes, np.prod(SHAPE)), np.int16)
        image[:, mask] = 1000 + 20 * masked
        whole = image.reshape(n_volumes, *SHAPE).transpose(1, 2, 3, 0)
        nib.Nifti1Image(whole, np.diag([4.0, 4, 4, 1])).to_filename(folder / "run.nii.gz")
        volumes = Volumes(np.load(folder / "masked.npy", mmap_mode="r"), mask, SHAPE)
        index = volumes.index()
        compressed = nib.load(folder / "run.nii.gz")

        def ours() -> None:
            for row in rng.integers(0, n_volumes, 20):
                scatter(volumes.values(np.array([row])), index, SHAPE)

        def nifti() -> None:
            for row in rng.integers(0, n_volumes, 20):
                np.asarray(compressed.dataobj[..., int(row)], np.float32)

        times = interleaved(
            {"memory map, masked float16, scattered": ours, "nii.gz": nifti}, rounds
        )
        kib = {
            "memory map, masked float16, scattered": (folder / "masked.npy").stat().st_size,
            "nii.gz": (folder / "run.nii.gz").stat().st_size,
        }
    base = statistics.median(times["memory map, masked float16, scattered"])
    print("\n| store | KiB per volume | ms per random volume | x memory map |\n|---|---|---|---|")
    for name, found in times.items():
        middle = statistics.median(found)
        size = kib[name] / n_volumes / 1024
        print(f"| {name} | {size:.0f} | {middle / 20:.2f} | {middle / base:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, fewer volumes")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    training(1 if options.quick else options.rounds)
    reading(60 if options.quick else 200, 1 if options.quick else options.rounds)


if __name__ == "__main__":
    main()
