"""Models of the Hugging Face hub: which files, which hashes, and licences that are opt-in."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bidsapp.cli.commands import fetch
from bidsapp.errors import InputInvalidError, ResourceUnavailableError, UsageError
from bidsapp.fetch.hub import hub_files
from bidsapp.fetch.table import BUNDLES

REPOSITORY = "owner/model"
WEIGHTS = b"weights" * 100


@pytest.fixture
def hub(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A hub with one model, in two formats of weights and a subfolder."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    files = {
        "config.json": {},
        "README.md": {},
        "model.safetensors": {"lfs": {"sha256": sha256, "size": len(WEIGHTS)}},
        "pytorch_model.bin": {"lfs": {"sha256": "0" * 64}},
        "vae/diffusion_pytorch_model.bin": {},
        "../outside.json": {},
    }
    listing = [{"rfilename": name, **more} for name, more in files.items()]
    answer = {"sha": "c0ffee", "siblings": listing}
    server.files = {
        f"api/models/{REPOSITORY}?blobs=true": json.dumps(answer).encode(),
        f"{REPOSITORY}/resolve/c0ffee/config.json": b"{}",
        f"{REPOSITORY}/resolve/c0ffee/model.safetensors": WEIGHTS,
        f"{REPOSITORY}/resolve/c0ffee/vae/diffusion_pytorch_model.bin": b"vae",
    }
    return server


def run(words: list[str]) -> None:
    top = argparse.ArgumentParser(prog="musicotopy-tools")
    fetch.add(top.add_subparsers(required=True))
    options = top.parse_args(["fetch", *words, "-q"])
    options.function(options)


def test_one_format_of_the_weights_with_the_hubs_hash(hub: Any) -> None:
    files = {file.name: file for file in hub_files(REPOSITORY, hub.url)}
    expected = ["model/config.json", "model/model.safetensors"]
    assert list(files) == [*expected, "model/vae/diffusion_pytorch_model.bin"]
    assert files[expected[1]].sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert files[expected[0]].sha256 == ""


def test_a_model_is_fetched_as_a_folder(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = BUNDLES["clap-music"]
    changed = type(bundle)(
        **{
            **{
                name: getattr(bundle, name)
                for name in ("name", "summary", "kind", "licence", "use")
            },
            "repository": REPOSITORY,
        }
    )
    monkeypatch.setattr(fetch, "BUNDLES", {**BUNDLES, "clap-music": changed})
    words = ["clap-music", "--weights-dir", str(tmp_path), "--mirror", hub.url]
    run(words)
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == WEIGHTS
    assert (tmp_path / "model" / "vae" / "diffusion_pytorch_model.bin").read_bytes() == b"vae"
    assert "licence Apache-2.0" in capsys.readouterr().out
    assert "model/model.safetensors" in (tmp_path / "SHA256SUMS").read_text()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputInvalidError, match="damaged or another one"):
        run(words)
    hub.files[f"{REPOSITORY}/resolve/c0ffee/model.safetensors"] = b"another"
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(InputInvalidError, match="SHA-256"):
        run(words)


def test_non_commercial_weights_are_opt_in(hub: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"CC BY-NC-SA 4\.0.*--non-commercial"):
        run(["musicldm", "--weights-dir", str(tmp_path), "--mirror", hub.url])
    assert not hub.asked
    for bundle in BUNDLES.values():
        assert (bundle.consent == "--non-commercial") == ("NC" in bundle.licence), bundle.name


def test_answers_that_are_not_the_hubs(hub: Any) -> None:
    key = f"api/models/{REPOSITORY}?blobs=true"
    with pytest.raises(ResourceUnavailableError, match="404"):
        hub_files("owner/absent", hub.url)
    for body, message in ((b"<html>", "no JSON"), (b"[]", "names no files"), (b"{}", "no files")):
        hub.files[key] = body
        with pytest.raises(InputInvalidError, match=message):
            hub_files(REPOSITORY, hub.url)
    hub.files[key] = json.dumps({"sha": "1", "siblings": [{"rfilename": "a.json"}]}).encode()
    with pytest.raises(InputInvalidError, match="no weights"):
        hub_files(REPOSITORY, hub.url)
    with pytest.raises(ResourceUnavailableError, match="connection failed"):
        hub_files(REPOSITORY, "http://127.0.0.1:9")
