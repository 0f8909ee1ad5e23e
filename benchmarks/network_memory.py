"""Peak memory of a deep ONNX network over a long sound, against ``--mem``.

    python benchmarks/network_memory.py [--layers 60] [--minutes 15] [--mem 2G]

A network of residual convolutions (64 channels, 300 time steps of a 3 s window) is exported, run
over noise and turned into one Gram matrix per layer, in a process of its own. Printed: layers,
frames, seconds, peak resident memory, and what the process held before it began.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import nn

WINDOW = 48_000
TOML = f"""\
sampling_hz = 16000
window_samples = {WINDOW}
[input]
kind = "waveform"
layout = ["batch", "samples"]
"""


class Deep(nn.Module):
    """A stem and residual convolutions."""

    def __init__(self, n_layers: int) -> None:
        super().__init__()
        self.stem = nn.Conv1d(1, 64, 320, stride=160, padding=160)
        self.rest = nn.ModuleList(nn.Conv1d(64, 64, 3, padding=1) for _ in range(n_layers - 1))

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """(n, n_samples) → (n, 64, 301)."""
        x = torch.relu(self.stem(waveform[:, None]))
        for layer in self.rest:
            x = torch.relu(layer(x)) * 0.7
        return x


def resident_bytes(field: str) -> int:
    """Read VmRSS or VmHWM of this process."""
    with Path("/proc/self/status").open() as file:
        line = next(line for line in file if line.startswith(field))
    return 1024 * int(line.split()[1])


def measure(model: str, sound: str, mem: str) -> None:
    """Run in the process that is measured."""
    from bidsapp.audio.networks import get_network
    from bidsapp.config import parse_memory
    from bidsapp.features.extract import extract

    network = get_network(f"onnx:{model}", weights="file", hop_s=0.48)
    before, start = resident_bytes("VmRSS"), time.perf_counter()
    with tempfile.TemporaryDirectory(dir=Path(model).parent) as cache:
        bank = extract(
            [("noise.wav", Path(sound))],
            network,
            Path(cache),
            memory_bytes=parse_memory(mem) // 2,  # as recipes do
            quiet=True,
        )
        row = {
            "layers": len(bank.layers),
            "features": sum(layer.n_features for layer in bank.layers),
            "frames": bank.n_frames,
            "seconds": round(time.perf_counter() - start, 1),
            "before_mib": before >> 20,
            "peak_mib": resident_bytes("VmHWM") >> 20,
        }
    print(json.dumps(row))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--mem", default="2G")
    parser.add_argument("--measure", nargs=2, metavar=("MODEL", "SOUND"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure, options.mem)
        return
    with tempfile.TemporaryDirectory() as folder:
        model, sound = Path(folder, "deep.onnx"), Path(folder, "noise.wav")
        rng = np.random.default_rng(0)
        noise = rng.uniform(-0.3, 0.3, int(options.minutes * 60 * 16_000))
        soundfile.write(sound, noise.astype(np.float32), 16_000)
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Deep(options.layers).eval(),
                (torch.zeros(2, WINDOW),),
                model,
                dynamo=False,
                input_names=["x"],
                dynamic_axes={"x": {0: "batch"}},
            )
        model.with_suffix(".toml").write_text(TOML)
        command = [sys.executable, __file__, "--mem", options.mem]
        done = subprocess.run(
            [*command, "--measure", str(model), str(sound)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    print(done.stdout.strip())


if __name__ == "__main__":
    main()
