"""Templates and atlases through TemplateFlow's client, from a server on the loopback interface."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from bidsapp.bids.anatomy import template_grey_matter
from bidsapp.bids.templateflow import atlas_name, template_files
from bidsapp.errors import (
    InputInvalidError,
    OutputError,
    ResourceUnavailableError,
    UsageError,
)
from bidsapp.fetch.download import read_sums
from bidsapp.fetch.templates import DEFAULTS, fetch_templates

SPHERE = "tpl-fsLR/tpl-fsLR_space-fsaverage_hemi-{}_den-32k_sphere.surf.gii"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path / "flow"))
    return tmp_path / "flow"


def fetch(kind: str, wishes: list[str], home: Path, server: Any) -> list[Path]:
    answers = fetch_templates(kind, wishes, home, mirror=server.url, quiet=True)
    return [path for _, paths in answers for path in paths]


def serve(server: Any, *names: str) -> None:
    server.files = {name: name.encode() for name in names}


def test_default_spheres_arrive_and_a_run_finds_them(home: Path, server: Any) -> None:
    serve(server, SPHERE.format("L"), SPHERE.format("R"))
    assert template_files("fsLR", suffix="sphere") == ()
    paths = fetch("templates", [], home, server)
    assert [path.relative_to(home).as_posix() for path in paths] == [
        SPHERE.format(side) for side in "LR"
    ]
    found = template_files("fsLR", space="fsaverage", density="32k", suffix="sphere")
    assert found == tuple(paths)
    digest = hashlib.sha256(SPHERE.format("L").encode()).hexdigest()
    assert read_sums(home)[SPHERE.format("L")] == digest
    n_asked = len(server.asked)
    fetch("templates", [], home, server)  # what is there is left alone
    assert len(server.asked) == n_asked == 2


def test_atlases_come_on_fsaverage5_and_at_2_mm_with_their_names(home: Path, server: Any) -> None:
    """Placeholders and tables of the client's own list say what there is."""
    every = [
        *(f"tpl-fsaverage/tpl-fsaverage_hemi-{side}_den-10k_atlas-Destrieux2009_dseg.label.gii"
          for side in "LR"),
        *(f"tpl-{space}/tpl-{space}_res-02_atlas-HOCPA_desc-th25_dseg.nii.gz"
          for space in ("MNI152NLin2009cAsym", "MNI152NLin6Asym")),
        *(f"tpl-fsaverage/tpl-fsaverage_hemi-{side}_den-164k_atlas-Schaefer2018_seg-7n_"
          "scale-400_dseg.label.gii" for side in "LR"),
        *(f"tpl-{space}/tpl-{space}_res-02_atlas-Schaefer2018_desc-400Parcels7Networks_dseg.nii.gz"
          for space in ("MNI152NLin2009cAsym", "MNI152NLin6Asym")),
    ]  # fmt: skip
    serve(server, *every)
    paths = fetch("atlases", [], home, server)
    names = {path.relative_to(home).as_posix() for path in paths}
    assert set(every) <= names
    assert {path.lstrip("/") for path, _ in server.asked} == set(every)
    tables = {name for name in names if name.endswith(".tsv")}
    assert "tpl-fsaverage/tpl-fsaverage_atlas-Destrieux2009_dseg.tsv" in tables
    assert "tpl-MNI152NLin6Asym/tpl-MNI152NLin6Asym_atlas-HOCPA_dseg.tsv" in tables
    assert all((home / name).stat().st_size for name in tables)


def test_a_template_brings_its_brain_mask_and_its_grey_matter(home: Path, server: Any) -> None:
    """MNIInfant has no grey matter at TemplateFlow, MNIPediatricAsym has."""
    for template, cohort, images in (
        ("MNIPediatricAsym", 2, ("desc-brain_mask", "label-GM_probseg")),
        ("MNIInfant", 3, ("desc-brain_mask",)),
    ):
        stem = f"tpl-{template}/cohort-{cohort}/tpl-{template}_cohort-{cohort}"
        every = [f"{stem}_res-{res}_{image}.nii.gz" for image in images for res in (1, 2)]
        serve(server, *every)
        paths = fetch("templates", [f"{template}+{cohort}"], home, server)
        assert sorted(path.relative_to(home).as_posix() for path in paths) == sorted(every)
    grey = template_grey_matter("MNIPediatricAsym+2")
    assert grey is not None
    assert grey.read_bytes().endswith(b"res-2_label-GM_probseg.nii.gz")
    assert template_grey_matter("MNIInfant+3") is None


def test_a_broken_download_leaves_a_placeholder(home: Path, server: Any) -> None:
    serve(server, SPHERE.format("L"), SPHERE.format("R"))
    server.faults = ["", "stop"]
    with pytest.raises(ResourceUnavailableError, match=r"sphere\.surf\.gii .*--mirror"):
        fetch("templates", [], home, server)
    assert template_files("fsLR", space="fsaverage", density="32k", suffix="sphere") == ()
    assert len(fetch("templates", [], home, server)) == 2


@pytest.mark.parametrize(
    ("kind", "wish"), [("templates", "fsLR:density=1k,suffix=x"), ("atlases", "NoSuchAtlas")]
)
def test_what_templateflow_does_not_have_is_one_sentence(
    kind: str, wish: str, home: Path, server: Any
) -> None:
    with pytest.raises(ResourceUnavailableError, match="TemplateFlow has no such file") as refused:
        fetch(kind, [wish], home, server)
    assert "\n" not in str(refused.value)
    assert not server.asked


def test_a_server_that_does_not_answer(home: Path) -> None:
    with pytest.raises(ResourceUnavailableError, match=r"client cannot bring .*ConnectionError"):
        list(fetch_templates("templates", [], home, mirror="http://127.0.0.1:9", quiet=True))


def test_a_file_that_changed_is_noticed(home: Path, server: Any) -> None:
    serve(server, SPHERE.format("L"), SPHERE.format("R"))
    (first, _) = fetch("templates", [], home, server)
    first.write_bytes(b"")
    server.files[SPHERE.format("L")] = b"another"
    with pytest.raises(InputInvalidError, match="is recorded in SHA256SUMS"):
        fetch("templates", [], home, server)


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path, server: Any) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as refused:
        fetch("templates", [], tmp_path / "file" / "flow", server)
    assert "\n" not in str(refused.value)


def test_a_path_is_no_atlas_to_fetch(home: Path, server: Any) -> None:
    with pytest.raises(UsageError, match="name an atlas"):
        fetch("atlases", ["folder/atlas.nii.gz"], home, server)


def test_no_address_of_templateflow_stands_in_our_code() -> None:
    import bidsapp

    folder = Path(bidsapp.__file__).parent
    for path in folder.rglob("*.py"):
        if path.name == "describe.py":  # names spaces by their address, as BIDS asks
            continue
        assert "s3.amazonaws.com" not in path.read_text("utf-8"), path
    for wish in DEFAULTS["atlases"]:
        assert atlas_name(wish) is not None
