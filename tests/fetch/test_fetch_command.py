"""`musicotopy-tools fetch`, and the promise that nothing else opens a socket."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from bidsapp.cli.commands import fetch
from bidsapp.errors import UsageError
from bidsapp.fetch import table
from bidsapp.fetch.table import Bundle, RemoteFile
from bidsapp.simulate.dataset import MusicOptions, simulate

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
        "templates": table.BUNDLES["templates"],
    }
    monkeypatch.setattr(fetch, "BUNDLES", bundles)
    mask = "tpl-MNIInfant/cohort-2/tpl-MNIInfant_cohort-2_res-2_desc-brain_mask.nii.gz"
    server.files = {"weights.bin": b"1", mask: b"2"}
    words = ["fetch", "weights", "templates", "MNIInfant+2:desc=brain,resolution=2,suffix=mask"]
    options = parser().parse_args(
        [*words, "--mirror", server.url, "-q", "--weights-dir", str(tmp_path / "here")]
    )
    options.function(options)
    assert (tmp_path / "here" / "weights.bin").read_bytes() == b"1"
    assert (tmp_path / "flow" / mask).read_bytes() == b"2"
    shown = capsys.readouterr().out
    assert "licence of weights" in shown
    assert "MNIInfant: " in shown
    assert str(tmp_path / "flow" / mask) in shown


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
    return environment


def test_the_guard_stops_a_connection(guarded: dict[str, str]) -> None:
    code = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9', timeout=2)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=guarded, capture_output=True, text=True, check=False
    )
    assert done.returncode == 99
    assert "SOCKET" in done.stderr


def test_a_run_opens_no_socket(guarded: dict[str, str], tmp_path: Path) -> None:
    """Participant, group and reports, by an audit hook in the process of the app itself."""
    data = tmp_path / "data"
    simulate(data, MusicOptions.quick(n_participants=2, n_pieces=3, piece_s=24.0), quiet=True)
    settings = [
        *("--weights", "random", "-q"),
        *("--set", 'gradients.networks=["baseline"]'),
        *("--set", "gradients.min_block_s=10"),
        *("--set", "gradients.n_components=8"),
        *("--set", "gradients.n_parcels=12"),
        *("--set", "gradients.n_shifts=19"),
    ]
    words = [data, tmp_path / "out", "participant", "group", *settings]
    done = subprocess.run(
        [sys.executable, "-m", "bidsapp.cli.app", *map(str, words)],
        env=guarded,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "SOCKET" not in done.stderr
    assert done.returncode == 0, done.stderr
