"""Annotations through neuromaps, from a server on the loopback interface."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import neuromaps.datasets.annotations as package
import pytest

from bidsapp.bids.neuromaps import annotation_facts, annotation_files, annotation_name
from bidsapp.errors import ResourceUnavailableError, UsageError
from bidsapp.fetch.annotations import fetch_annotations
from bidsapp.fetch.download import read_sums

WISH = "hcps1200/myelinmap/fsLR/32k"


@pytest.fixture
def served(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package's own list, with the addresses and checksums of the server's files."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    known = json.loads(json.dumps(package.get_dataset_info("annotations", False)))
    for record in known:
        content = record["fname"].encode()
        server.files[record["fname"]] = content
        record["url"] = f"{server.url}/{record['fname']}"
        record["checksum"] = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(package, "get_dataset_info", lambda *_, **__: known)
    return server


def test_annotations_arrive_with_licence_and_citation(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROMAPS_DATA", str(tmp_path))
    ((words, paths),) = fetch_annotations([f"neuromaps:{WISH}"], tmp_path, quiet=True)
    assert "CC BY-NC-SA 4.0" in words
    assert "Glasser" in words
    assert [path.name.partition("_hemi-")[2][0] for path in paths] == ["L", "R"]
    assert annotation_files(annotation_name(WISH)) == tuple(paths)
    assert len(read_sums(tmp_path)) == 2
    n_asked = len(served.asked)
    list(fetch_annotations([WISH], tmp_path, quiet=True))
    assert len(served.asked) == n_asked


def test_a_server_without_the_file_is_one_sentence(served: Any, tmp_path: Path) -> None:
    served.files.clear()
    with pytest.raises(ResourceUnavailableError, match="neuromaps cannot bring") as refused:
        list(fetch_annotations([WISH], tmp_path, quiet=True))
    assert "\n" not in str(refused.value)


def test_licences_are_in_words() -> None:
    own, common = (
        annotation_facts(annotation_name(name))["licence"]
        for name in ("beliveau2017/dasb/fsaverage/164k", WISH)
    )
    assert own.startswith("CC BY-NC-SA 4.0, https://")
    assert common == "as neuromaps, CC BY-NC-SA 4.0"


@pytest.mark.parametrize("wishes", [[], ["myelinmap"], ["no/such/fsLR/32k"]])
def test_what_is_no_annotation_is_refused(wishes: list[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        list(fetch_annotations(wishes, tmp_path / "none", quiet=True))
    assert not (tmp_path / "none").exists()
