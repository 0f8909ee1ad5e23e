"""Processor seconds that each network takes for a second of sound.

    OMP_NUM_THREADS=1 python benchmarks/network_seconds.py [--network NAME ...] [--lengths 60 240]

Noise goes through every network of the registry with untrained weights, at the recipes' hop of
.48 s; from its frames the Gram matrix of each layer is made (`gradients`), or the course of each
channel (`rsa`). CPU seconds of one thread; `NetworkEntry.seconds` is that of courses, rounded.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from bidsapp.audio.networks import NETWORKS, get_network, network_weights
from bidsapp.errors import AppError
from bidsapp.features.courses import extract_courses
from bidsapp.features.extract import extract

SOUND_HZ, HOP_S = 22_050, 0.48


def cpu_seconds(name: str, sounds: list[tuple[str, Path]]) -> tuple[int, float, float]:
    """Layers, and CPU seconds of Gram matrices (`gradients`) and of channel courses (`rsa`)."""
    network = get_network(name, weights=network_weights(name, "random"), hop_s=HOP_S)
    taken = []
    for make in (extract, extract_courses):
        with tempfile.TemporaryDirectory() as cache:
            start = time.process_time()
            make(sounds, network, Path(cache), memory_bytes=2 << 30, quiet=True)
            taken.append(time.process_time() - start)
    return len(network.layers), *taken


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--network", nargs="+", default=list(NETWORKS))
    parser.add_argument("--lengths", nargs="+", type=int, default=[60, 240])
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        print("| network | layers | seconds of sound | s for one, Gram | s for one, courses |")
        print("|---|---|---|---|---|")
        for name in options.network:
            for length in options.lengths:
                sound = Path(folder, f"{length}.wav")
                noise = rng.uniform(-0.3, 0.3, length * SOUND_HZ).astype(np.float32)
                soundfile.write(sound, noise, SOUND_HZ)
                try:
                    n_layers, gram, courses = cpu_seconds(name, [(sound.name, sound)])
                except AppError as error:
                    print(f"| {name} | {error} |", flush=True)
                    break
                row = f"| {name} | {n_layers} | {length} | {gram / length:.3f}"
                print(f"{row} | {courses / length:.3f} |", flush=True)


if __name__ == "__main__":
    main()
