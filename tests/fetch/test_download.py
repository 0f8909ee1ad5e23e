"""Fetching from a server that answers well, badly, half, or not at all."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bidsapp.errors import InputInvalidError, OutputError, ResourceUnavailableError
from bidsapp.fetch.download import SUMS, fetch_bundle, read_sums
from bidsapp.fetch.packages import PACKAGES
from bidsapp.fetch.table import BUNDLES, Bundle, RemoteFile

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = "folder/net.pth"


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy between the test and its server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def bundle(server: Any, sha256: str = SHA256, content: bytes = CONTENT) -> Bundle:
    server.files[NAME] = content
    file = RemoteFile(NAME, f"{server.url}/{NAME}", sha256)
    return Bundle("net", "a network", "weights", "free", "--weights-dir DIR", (file,))


@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8], ""])
def test_a_file_arrives_whole_and_its_hash_is_recorded(
    server: Any, tmp_path: Path, sha256: str
) -> None:
    paths = fetch_bundle(bundle(server, sha256), tmp_path, quiet=True)
    assert paths == [tmp_path / NAME]
    assert paths[0].read_bytes() == CONTENT
    assert read_sums(tmp_path) == {NAME: SHA256}
    checked = subprocess.run(["sha256sum", "-c", SUMS], cwd=tmp_path, check=False)
    assert checked.returncode == 0


def test_what_is_there_is_not_asked_for_again(server: Any, tmp_path: Path) -> None:
    for _ in range(2):
        fetch_bundle(bundle(server), tmp_path, quiet=True)
    assert len(server.asked) == 1


@pytest.mark.parametrize("digits", [8, 64])
def test_a_wrong_hash_leaves_nothing_behind(server: Any, tmp_path: Path, digits: int) -> None:
    wrong = bundle(server, hashlib.sha256(b"another").hexdigest()[:digits])
    with pytest.raises(InputInvalidError, match="promised"):
        fetch_bundle(wrong, tmp_path, quiet=True)
    assert not list((tmp_path / "folder").iterdir())
    assert not (tmp_path / SUMS).exists()


def test_a_file_that_changed_upstream_is_noticed(server: Any, tmp_path: Path) -> None:
    """Without a published hash the first download is the promise."""
    fetch_bundle(bundle(server, ""), tmp_path, quiet=True)
    (tmp_path / NAME).unlink()
    with pytest.raises(InputInvalidError, match="promised"):
        fetch_bundle(bundle(server, "", CONTENT[::-1]), tmp_path, quiet=True)


def test_a_damaged_file_on_disk_is_named(server: Any, tmp_path: Path) -> None:
    fetch_bundle(bundle(server), tmp_path, quiet=True)
    (tmp_path / NAME).write_bytes(CONTENT[:-1])
    with pytest.raises(InputInvalidError, match=r"net\.pth"):
        fetch_bundle(bundle(server), tmp_path, quiet=True)


def test_a_broken_connection_goes_on_where_it_stopped(server: Any, tmp_path: Path) -> None:
    server.faults = ["stop"]
    with pytest.raises(ResourceUnavailableError, match="goes on from there"):
        fetch_bundle(bundle(server), tmp_path, quiet=True)
    assert not (tmp_path / NAME).exists()
    fetch_bundle(bundle(server), tmp_path, quiet=True)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    asked_from = int(server.asked[1][1].removeprefix("bytes=").rstrip("-"))
    assert 0 < asked_from <= len(CONTENT) // 2
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["net.pth"]


def test_a_server_that_cannot_resume_sends_all_again(server: Any, tmp_path: Path) -> None:
    server.faults = ["stop", "whole"]
    with pytest.raises(ResourceUnavailableError):
        fetch_bundle(bundle(server), tmp_path, quiet=True)
    fetch_bundle(bundle(server), tmp_path, quiet=True)
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("n_bytes", [1000, len(CONTENT), len(CONTENT) + 5])
def test_a_part_of_another_version_is_given_up(server: Any, tmp_path: Path, n_bytes: int) -> None:
    part = tmp_path / (NAME + ".part")
    part.parent.mkdir()
    part.write_bytes(b"x" * n_bytes)
    fetch_bundle(bundle(server), tmp_path, quiet=True)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert not part.exists()


def test_a_complete_part_needs_no_more_bytes(server: Any, tmp_path: Path) -> None:
    part = tmp_path / (NAME + ".part")
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    fetch_bundle(bundle(server), tmp_path, quiet=True)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_404_says_what_to_do(server: Any, tmp_path: Path) -> None:
    asked = bundle(server)
    server.files.clear()
    with pytest.raises(ResourceUnavailableError, match=r"404.*--mirror"):
        fetch_bundle(asked, tmp_path, quiet=True)


def test_no_server_says_what_to_do(server: Any, tmp_path: Path) -> None:
    asked = bundle(server)
    with pytest.raises(ResourceUnavailableError, match="--mirror"):
        fetch_bundle(asked, tmp_path, mirror="http://127.0.0.1:9", quiet=True)


def test_a_mirror_is_asked_for_the_same_name(server: Any, tmp_path: Path) -> None:
    file = RemoteFile(NAME, "https://nowhere.invalid/best.pth", SHA256)
    server.files[f"mirror/{NAME}"] = CONTENT
    asked = Bundle("net", "", "weights", "free", "", (file,))
    fetch_bundle(asked, tmp_path, mirror=f"{server.url}/mirror/", quiet=True)
    assert server.asked == [(f"/mirror/{NAME}", None)]


def test_an_empty_placeholder_is_filled(server: Any, tmp_path: Path) -> None:
    """TemplateFlow lays out its archive as empty files."""
    (tmp_path / "folder").mkdir()
    (tmp_path / NAME).touch()
    fetch_bundle(bundle(server, ""), tmp_path, quiet=True)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_named(server: Any, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(OutputError, match="file"):
        fetch_bundle(bundle(server), blocked, quiet=True)


@pytest.mark.parametrize("name", BUNDLES)
def test_the_table_names_licences_and_safe_paths(name: str) -> None:
    known = BUNDLES[name]
    assert known.name == name
    assert known.licence
    for file in known.files:
        assert file.url.startswith("https://")
        assert not Path(file.name).is_absolute()
        assert ".." not in Path(file.name).parts
        assert len(file.sha256) in {0, 8, 64}
        if "-" in Path(file.name).stem and known.kind == "weights":
            assert file.sha256.startswith(Path(file.name).stem.rsplit("-", 1)[1])


def test_the_weights_are_those_that_networks_look_for() -> None:
    from bidsapp.audio.networks import NETWORKS

    for entry in NETWORKS.values():
        wanted = {file for files in entry.weight_files.values() for file in files}
        verb, _, bundle = entry.tool.partition(" ")
        if verb == "fetch":
            fetched = [file.name for file in BUNDLES[bundle].files]
            package = PACKAGES.get(bundle)
            folder = BUNDLES[bundle].repository.rpartition("/")[2]
            assert wanted & {folder, *fetched, *(package.files if package else ())}


@pytest.mark.data
def test_the_hash_of_musicnn_is_that_of_the_published_file(test_data: Path) -> None:
    file = BUNDLES["musicnn-mtat"].files[0]
    content = (test_data / "weights" / file.name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == file.sha256
