"""Configurations for Nipoppy and BABS: their own validators, and the app's parser, take them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bidsapp.cli.parser import build_parser

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, ROOT / "tools" / "write_site_configs.py", folder], check=True)
    return folder


def content(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_every_file_of_the_bundle_is_named_and_there(written: Path) -> None:
    bundle = written / "nipoppy"
    (step,) = content(bundle / "config.json")["STEPS"]
    named = {value for key, value in step.items() if key.endswith("_FILE")}
    assert {path.name for path in bundle.iterdir()} == {*named, "config.json"}
    assert content(bundle / "descriptor.json") == content(ROOT / "boutiques.json")


def test_the_invocation_is_one_of_the_descriptor(written: Path) -> None:
    inputs = {
        item["id"]: item for item in content(written / "nipoppy" / "descriptor.json")["inputs"]
    }
    invocation = content(written / "nipoppy" / "invocation.json")
    assert set(invocation) <= set(inputs)
    needed = {name for name, item in inputs.items() if not item["optional"]}
    assert needed <= set(invocation)
    for name, value in invocation.items():
        assert isinstance(value, list) == inputs[name].get("list", False), name


def test_nipoppy_takes_the_bundle(written: Path) -> None:
    validation = pytest.importorskip("nipoppy.pipeline_validation", reason="pip install nipoppy")
    validation.check_pipeline_bundle(written / "nipoppy", strict=True)


def test_the_app_takes_the_arguments_of_babs(written: Path) -> None:
    config = yaml.safe_load((written / "babs.yaml").read_text("utf-8"))
    arguments = dict(config["bids_app_args"])
    flag = arguments.pop("$SUBJECT_SELECTION_FLAG")
    words = [word for key, value in arguments.items() for word in (key, value)]
    parsed = build_parser().parse_args(["in", "out", "participant", *words, flag, "sub-01"])
    assert parsed.participant_label == ["sub-01"]
    sections = {"input_datasets", "zip_foldernames", "cluster_resources", "job_compute_space"}
    assert sections <= set(config)


def test_styx_compiles_the_descriptor(tmp_path: Path) -> None:
    compiler = pytest.importorskip("styx", reason="styx is not among the packages of pip here")
    frontend = pytest.importorskip("styx.frontend.boutiques")
    assert compiler is not None
    assert frontend.from_boutiques(content(ROOT / "boutiques.json"), "musicotopy")
