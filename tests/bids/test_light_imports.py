"""What the command line imports for `--help` and for a plan must not be heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"numpy", "pandas", "torch", "nibabel", "bids", "nilearn", "sklearn", "soundfile"}
MODULES = (
    *("records", "names", "tables", "sidecars", "dataset", "filters", "acquisitions", "index"),
    *("adapters", "sounds", "stimuli", "presentations", "annotations", "atomic", "survey"),
    *("headers", "describe", "staging"),
)


@pytest.mark.parametrize("module", MODULES)
def test_modules_import_nothing_heavy(module) -> None:
    code = f"import sys, bidsapp.bids.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())


def test_a_dataset_is_opened_without_anything_heavy(study) -> None:
    raw, _ = study
    code = (
        "import sys; from pathlib import Path\n"
        "from bidsapp.bids.dataset import open_dataset, participants\n"
        f"print(participants(open_dataset(Path({str(raw.root)!r}))), *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())
