"""What a network holds is bound by what it was given, measured on a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

N_FRAMES = 120
MIB = 2**20
SLACK = 24 * MIB
PROGRAM = """
import json, sys
import numpy as np
from bidsapp.audio.networks import get_network
from bidsapp.features.gram import accumulate

def peak():
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])

network = get_network("vggish")
n = int(sys.argv[1])
frames = np.random.default_rng(0).standard_normal((n, 96, 64)).astype(np.float32)
for _ in network.blocks(frames[:2], memory_bytes=1 << 28):  # threads, kernels
    pass
gram = np.zeros((n, n))
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak starts anew
before = convolutions = peak()
for layer, columns in network.blocks(frames, memory_bytes=int(sys.argv[2])):
    accumulate(gram, columns)
    if network.layers[layer].name == "pool4":
        convolutions = peak()
print(json.dumps([convolutions - before, peak() - before, gram.trace()]))
"""


def measure(memory_bytes):
    command = [sys.executable, "-c", PROGRAM, str(N_FRAMES), str(memory_bytes)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_peak_follows_the_bound():
    bound = 32 * MIB
    small, small_dense, trace = measure(bound)
    large, _, same = measure(4096 * MIB)
    assert small < bound + SLACK
    assert small_dense < bound + SLACK + 4 * 12_288 * 4096
    assert large > 4 * N_FRAMES * (98_304 + 98_304)
    assert trace == pytest.approx(same, rel=1e-6)
