"""Atlases and maps at hand are inputs of the group level: another file is another result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bidsapp.bids.neuromaps import PREFIX, annotation_name, annotation_paths
from bidsapp.brain.geometry import surface_units
from bidsapp.recipes.base.group import GroupInputs
from tests.brain.neuromaps_home import write_annotation
from tests.brain.templateflow_home import write_surface_atlas
from tests.brain.test_named_atlas import DESTRIEUX, striped

N5, N32 = 10_242, 32_492
MYELIN = "hcps1200/myelinmap/fsLR/32k"
Identify = Callable[..., tuple[str, tuple[Path, ...]]]


@pytest.fixture
def identify(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[..., None],
    find: Callable[..., list[GroupInputs]],
) -> Identify:
    """Return a function that gives the hash of a group's inputs, and the shared files in it."""
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path / "flow"))
    monkeypatch.setenv("NEUROMAPS_DATA", str(tmp_path / "maps"))
    units = surface_units(N5, N5, space="fsaverage", density="10k")
    scores = {("vggish", "positive"): np.full((6, units.n_units), 0.1, np.float32)}
    for subject in ("01", "02"):
        write(tmp_path / "out", subject, units, scores)

    def hashed(**options: object) -> tuple[str, tuple[Path, ...]]:
        (inputs,) = find(tmp_path / "out", **options)
        return inputs.identity(), inputs.shared_files

    return hashed


def test_the_atlas_of_the_regions_is_in_the_hash(identify: Identify, tmp_path: Path) -> None:
    before = identify()
    assert before[1] == ()
    files = write_surface_atlas(tmp_path / "flow", "Destrieux2009", striped(N5), DESTRIEUX)
    with_atlas = identify()
    assert with_atlas == identify()
    assert with_atlas[1] == tuple(files)
    assert with_atlas[0] != before[0]
    write_surface_atlas(tmp_path / "flow", "Desikan2006", striped(N5), DESTRIEUX)
    assert identify() == with_atlas  # another atlas is not read
    files[1].write_bytes(files[1].read_bytes() + b" ")
    assert identify()[0] != with_atlas[0]
    named = identify(atlas=Path("Desikan2006"))
    assert all("Desikan2006" in path.name for path in named[1])
    assert len(named[1]) == 2


def test_a_file_as_atlas_counts_with_its_other_hemisphere(
    identify: Identify, tmp_path: Path
) -> None:
    pair = write_surface_atlas(tmp_path / "own", "Mine", striped(N5), DESTRIEUX)
    identity, files = identify(atlas=pair[0])
    assert files == tuple(pair)
    pair[1].write_bytes(pair[1].read_bytes() + b" ")
    assert identify(atlas=pair[0])[0] != identity


def test_annotations_and_references_are_in_the_hash(identify: Identify, tmp_path: Path) -> None:
    before, _ = identify()
    values = np.arange(N32, dtype=float)
    write_annotation(tmp_path / "maps", f"{PREFIX}{MYELIN}", values, values)
    profiled, files = identify()
    assert files == annotation_paths(annotation_name(MYELIN))
    assert len(files) == 2
    assert profiled != before
    given = tmp_path / "lh.mine.func.gii"
    for path in (given, tmp_path / "rh.mine.func.gii"):
        data = nib.gifti.GiftiDataArray(np.arange(N5, dtype=np.float32), "NIFTI_INTENT_NONE")
        nib.save(nib.gifti.GiftiImage(darrays=[data]), path)
    settings = {"gradients_group": {"references": [str(given)], "annotations": []}}
    _, files = identify(recipe_settings=settings)
    assert files == (given, tmp_path / "rh.mine.func.gii")
    names = {"gradients_group": {"references": ["gradient1", MYELIN.join([PREFIX, ""])]}}
    assert identify(recipe_settings=names)[1] == annotation_paths(annotation_name(MYELIN))


def test_files_of_annotations_are_those_the_package_finds(tmp_path: Path, monkeypatch) -> None:
    """By name alone, for surfaces and volumes; other densities are other annotations."""
    from bidsapp.bids.neuromaps import annotation_files

    monkeypatch.setenv("NEUROMAPS_DATA", str(tmp_path))
    image = nib.Nifti1Image(np.ones((2, 2, 2), np.float32), np.eye(4))
    wish = "neurosynth/cogpc1/MNI152/2mm"
    write_annotation(tmp_path, wish, image)
    values = np.ones(4)
    write_annotation(tmp_path, MYELIN, values, values)
    first = annotation_paths(annotation_name(MYELIN))[0]
    first.with_name(first.name.replace("_den-32k_", "_den-164k_")).touch()
    for name in (wish, MYELIN):
        paths = annotation_paths(annotation_name(name))
        assert paths == annotation_files(annotation_name(name))
    assert annotation_paths(annotation_name("xu2020/evoexp/fsLR/32k")) == ()
