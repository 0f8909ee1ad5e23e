"""`musicotopy-tools inspect-network`: taps, shapes, and a description that works once filled."""

from __future__ import annotations

import tomllib
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from bidsapp.cli.tools import main

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two convolutions over (n, 1, time, mel)."""
    layers = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 5, 3))
    path = tmp_path / "tiny.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            layers,
            (torch.zeros(1, 1, 98, 64),),
            path,
            dynamo=False,
            input_names=["mel"],
            dynamic_axes={"mel": {0: "batch"}},
        )
    return path


def test_what_it_prints_can_be_saved_and_used(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect-network", str(model)]) == 0
    shown = capsys.readouterr().out
    assert "input mel: batch x 1 x 98 x 64" in shown
    assert "3 x 98 x 64" in shown
    toml = shown[shown.index("# Input of tiny.onnx") :]
    description = tomllib.loads(toml)
    assert description["input"] == {"kind": "mel", "layout": ["batch", 1, "time", "mel"]}
    assert description["mel"]["n_mels"] == 64
    model.with_suffix(".toml").write_text(toml)
    assert main(["inspect-network", str(model)]) == 0
    shown = capsys.readouterr().out
    assert "layers with tiny.toml, window 1.002 s" in shown
    last = shown.strip().splitlines()[-1].split()
    assert last[-3:] == ["29760", "5", "96"]  # 5 channels, 96 times, 62 bands


def test_files_that_are_no_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect-network", str(tmp_path / "nowhere.onnx")]) == 66
    (tmp_path / "text.onnx").write_text("no model")
    assert main(["inspect-network", str(tmp_path / "text.onnx")]) == 65
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 2
    assert "is no ONNX model" in shown[1]
