"""`musicotopy-tools fetch`, and the promise that nothing else opens a socket."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from bidsapp import resources
from bidsapp.cli.commands import fetch
from bidsapp.errors import InputInvalidError, ResourceUnavailableError, UsageError
from bidsapp.fetch import table
from bidsapp.fetch.download import SUMS, read_sums
from bidsapp.fetch.table import Bundle, RemoteFile
from bidsapp.simulate.dataset import MusicOptions, simulate
from tests.brain.neuromaps_home import write_annotation
from tests.brain.templateflow_home import write_table, write_volume
from tests.brain.test_named_atlas import OXFORD

GRADIENT = "margulies2016/fcgradient01/fsLR/32k"

GUARD = textwrap.dedent(
    """
    import sys

    EVENTS = {"socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"}
    PROBE = ("::1", 0)  # urllib3 binds it when imported, to learn whether there is IPv6

    def guard(event, arguments):
        if event in EVENTS and arguments[-1] != PROBE:
            if getattr(arguments[0], "family", None) != 1:  # AF_UNIX
                print("SOCKET", event, *arguments, file=sys.stderr)
                raise SystemExit(99)

    sys.addaudithook(guard)
    """
)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="musicotopy-tools")
    fetch.add(top.add_subparsers(required=True))
    return top


def test_licences_are_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["fetch", "--help"])
    shown = capsys.readouterr().out
    for bundle in table.BUNDLES.values():
        assert bundle.name in shown
        assert bundle.licence in shown


def test_weights_and_templates_go_to_their_folders(
    server: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path / "flow"))
    bundles = {
        "weights": Bundle(
            "weights", "", "weights", "licence of weights", "DIR", (RemoteFile("weights.bin", ""),)
        ),
        **{name: table.BUNDLES[name] for name in ("templates", "atlases")},
    }
    monkeypatch.setattr(fetch, "BUNDLES", bundles)
    mask = "tpl-MNIInfant/cohort-2/tpl-MNIInfant_cohort-2_res-2_desc-brain_mask.nii.gz"
    labels = [
        f"tpl-fsaverage/tpl-fsaverage_hemi-{side}_den-10k_atlas-Destrieux2009_dseg.label.gii"
        for side in "LR"
    ]
    server.files = {"weights.bin": b"1", mask: b"2", **dict.fromkeys(labels, b"3")}
    words = ["fetch", "weights", "templates", "MNIInfant+2:desc=brain,resolution=2,suffix=mask"]
    words += ["atlases", "Destrieux2009"]
    options = parser().parse_args(
        [*words, "--mirror", server.url, "-q", "--weights-dir", str(tmp_path / "here")]
    )
    options.function(options)
    assert (tmp_path / "here" / "weights.bin").read_bytes() == b"1"
    assert (tmp_path / "flow" / mask).read_bytes() == b"2"
    shown = capsys.readouterr().out
    assert "licence of weights" in shown
    assert "templates: licence MNIInfant: " in shown
    assert "atlases: licence fsaverage: " in shown
    assert str(tmp_path / "flow" / mask) in shown


def test_hcp_mmp_is_fetched_when_its_terms_are_accepted(
    server: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    own = table.BUNDLES["hcp-mmp"]
    content = {file.name: file.name.encode() for file in own.files}
    files = tuple(
        dataclasses.replace(file, md5=hashlib.md5(content[file.name]).hexdigest())
        for file in own.files
    )
    monkeypatch.setitem(table.BUNDLES, "hcp-mmp", dataclasses.replace(own, files=files))
    server.files = dict(content)
    words = ["fetch", "hcp-mmp", "--mirror", server.url, "-q"]
    options = parser().parse_args(words)
    with pytest.raises(UsageError, match=r"Data Use Terms.*--accept-terms"):
        options.function(options)
    assert not server.asked
    options = parser().parse_args([*words, "--accept-terms"])
    options.function(options)
    options.function(options)
    assert len(server.asked) == 2
    assert "Data Use Terms" in capsys.readouterr().out
    for name, data in content.items():
        assert (tmp_path / name).read_bytes() == data
        assert read_sums(tmp_path)[name] == hashlib.sha256(data).hexdigest()
    (tmp_path / own.files[0].name).unlink()
    (tmp_path / SUMS).unlink()
    server.files[own.files[0].name] = b"another"
    with pytest.raises(InputInvalidError, match="MD5 begins with"):
        options.function(options)
    assert not (tmp_path / own.files[0].name).exists()
    asked = parser().parse_args(["fetch", "atlases", "HCP-MMP", "--mirror", server.url, "-q"])
    with pytest.raises(ResourceUnavailableError, match="fetch hcp-mmp --accept-terms"):
        asked.function(asked)


def test_words_that_are_neither_name_nor_query_are_refused() -> None:
    options = parser().parse_args(["fetch", "vggish", "fsLR"])
    with pytest.raises(UsageError, match="fetch fsLR: no such name; known are vggish"):
        options.function(options)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose Python ends when it opens a socket, cache folders empty."""
    folder = tmp_path_factory.mktemp("guard")
    (folder / "sitecustomize.py").write_text(GUARD)
    environment = {**os.environ, "PYTHONPATH": str(folder), "HOME": str(folder / "home")}
    environment["TEMPLATEFLOW_HOME"] = str(folder / "flow")
    environment["NEUROMAPS_DATA"] = str(folder / "annotations-home")
    _write_oxford(folder / "flow")
    gradient = np.nan_to_num(resources.functional_gradient("fsLR32k", 1))
    home = folder / "annotations-home"
    write_annotation(home, f"neuromaps:{GRADIENT}", *np.split(gradient, 2))
    return environment


def test_the_guard_stops_a_connection(guarded: dict[str, str]) -> None:
    code = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9', timeout=2)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=guarded, capture_output=True, text=True, check=False
    )
    assert done.returncode == 99
    assert "SOCKET" in done.stderr


def _write_oxford(home: Path) -> None:
    """Stripes from left to right, named as parts of the four regions."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [-96, -132, -78]
    labels = 1 + np.indices((97, 115, 97))[0] // 5 % len(OXFORD)
    image = nib.Nifti1Image(labels.astype(np.int16), affine)
    write_volume(home, "MNI152NLin2009cAsym", "res-02_atlas-HOCPA_desc-th25_dseg", image)
    write_table(home, "MNI152NLin6Asym", "atlas-HOCPA_dseg", OXFORD)


def _run(environment: dict[str, str], *words: object) -> subprocess.CompletedProcess[str]:
    """Run the app; in a network namespace without any interface where the system permits that."""
    alone = ["unshare", "--net"]
    permitted = (
        shutil.which("unshare") and not subprocess.run([*alone, "true"], check=False).returncode
    )
    command = [*(alone if permitted else []), sys.executable, "-m", "bidsapp.cli.app"]
    return subprocess.run(
        [*command, *map(str, words)], env=environment, capture_output=True, text=True, check=False
    )


def test_a_run_opens_no_socket(guarded: dict[str, str], tmp_path: Path) -> None:
    """Participant, group and reports, by an audit hook in the process of the app itself.

    The atlas comes from a prefetched home of TemplateFlow, the reference and the annotation
    profile from one of neuromaps.
    """
    data = tmp_path / "data"
    simulate(data, MusicOptions.quick(n_participants=2, n_pieces=3, piece_s=24.0), quiet=True)
    settings = [
        *("--weights", "random", "-q"),
        *("--set", 'gradients.networks=["baseline"]'),
        *("--set", "gradients.min_block_s=10"),
        *("--set", "gradients.n_components=8"),
        *("--set", "gradients.n_parcels=12"),
        *("--set", "gradients.n_shifts=19"),
        *("--set", "gradients_group.n_rotations=99", "--atlas", "HOCPA:th25"),
    ]
    given = f'gradients_group.references=["neuromaps:{GRADIENT}"]'
    out = tmp_path / "out"
    done = _run(guarded, data, out, "participant", "group", *settings, "--set", given)
    assert "SOCKET" not in done.stderr
    assert done.returncode == 0, done.stderr
    (summary,) = out.glob("group/*summary*.json")
    facts = json.loads(summary.read_text())
    assert facts["references"][0]["name"] == "margulies2016-fcgradient01"
    assert any("HOCPA" in name for name in facts["region_files"])

    empty = {
        **guarded,
        "TEMPLATEFLOW_HOME": str(tmp_path / "none"),
        "NEUROMAPS_DATA": str(tmp_path),
    }
    words = [data, tmp_path / "out2", "participant", *settings]
    refused = _run(empty, *words)
    assert refused.returncode not in (0, 99)
    assert "fetch atlases HOCPA:th25" in refused.stderr + refused.stdout
    bare = {**guarded, "NEUROMAPS_DATA": str(tmp_path)}
    refused = _run(bare, data, out, "group", *settings, "--set", given, "--overwrite")
    assert refused.returncode not in (0, 99)
    assert f"fetch neuromaps {GRADIENT}" in refused.stderr + refused.stdout
