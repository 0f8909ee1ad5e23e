"""Maps come back where they were, from every file format."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.errors import InputInvalidError
from bidsapp.report.maps import load_maps


def _volume(path: Path, data: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(data.astype(np.float32), np.diag([2.0, 2, 2, 1])), path)
    return path


def test_volume_keeps_finite_voxels_and_puts_them_back(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(size=(4, 5, 6, 3))
    data[0] = np.nan
    maps = load_maps([_volume(tmp_path / "r.nii.gz", data)], ["a", "b", "c"])
    assert maps.values.shape == (3, 3 * 5 * 6)
    assert maps.names == ("a", "b", "c")
    np.testing.assert_allclose(maps.grid.volume(maps.values[1]), data[..., 1], rtol=1e-6)
    assert maps.grid.hemispheres(maps.values[0]) == {}


def test_zero_is_a_value(tmp_path: Path) -> None:
    data = np.full((2, 2, 2), np.nan)
    data[0, 0, 0] = 0.0
    assert load_maps([_volume(tmp_path / "r.nii.gz", data)]).values.tolist() == [[0.0]]


def test_second_map_is_read_on_the_first_grid(tmp_path: Path) -> None:
    scores, mask = np.full((3, 3, 3), np.nan), np.zeros((3, 3, 3))
    scores[1, 1], mask[1, 1, 2] = 0.1, 1
    grid = load_maps([_volume(tmp_path / "r.nii.gz", scores)]).grid
    on_grid = load_maps([_volume(tmp_path / "m.nii.gz", mask)], grid=grid)
    assert on_grid.values.tolist() == [[0, 0, 1]]


def test_another_shape_is_refused_by_name(tmp_path: Path) -> None:
    grid = load_maps([_volume(tmp_path / "r.nii.gz", np.ones((3, 3, 3)))]).grid
    other = _volume(tmp_path / "other.nii.gz", np.ones((3, 3, 4)))
    with pytest.raises(InputInvalidError, match=r"other\.nii\.gz"):
        load_maps([other], grid=grid)


def test_broken_image_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "r.nii.gz"
    path.write_bytes(b"not an image")
    with pytest.raises(InputInvalidError, match=r"r\.nii\.gz.*--overwrite"):
        load_maps([path])


def test_hemispheres_are_told_apart_by_name(tmp_path: Path) -> None:
    paths = []
    for side, value in (("L", 1), ("R", 2)):
        array = nib.gifti.GiftiDataArray(np.full(7, value, "f4"), datatype="NIFTI_TYPE_FLOAT32")
        paths.append(tmp_path / f"sub-01_hemi-{side}_statmap.func.gii")
        nib.save(nib.GiftiImage(darrays=[array]), paths[-1])
    maps = load_maps(paths)
    spread = maps.grid.hemispheres(maps.values[0])
    assert set(spread["L"]) == {1.0}
    assert set(spread["R"]) == {2.0}
    assert maps.grid.volume(maps.values[0]) is None


@given(st.sets(st.integers(0, 19), min_size=1), st.integers(0, 2**16))
def test_cifti_places_vertices_and_voxels(chosen: set[int], seed: int) -> None:
    vertices = np.array(sorted(chosen))
    mask = np.zeros((2, 3, 2), dtype=bool)
    mask[1, :, 1] = True
    models = nib.cifti2.BrainModelAxis
    axis = models.from_surface(vertices, 20, "CORTEX_LEFT") + models.from_mask(
        mask, affine=np.diag([3.0, 3, 3, 1]), name="thalamus_left"
    )
    values = np.random.default_rng(seed).normal(size=(1, len(axis))).astype(np.float32)
    image = nib.Cifti2Image(values, header=(nib.cifti2.ScalarAxis(["r"]), axis))
    # nibabel keeps the in-memory image readable through the same interface as a file
    from bidsapp.report.maps import _cifti

    read, grid = _cifti(image)
    left = grid.hemispheres(read[0])["L"]
    np.testing.assert_array_equal(left[vertices], values[0, : len(vertices)])
    assert np.isnan(np.delete(left, vertices)).all()
    box = grid.volume(read[0])
    assert box is not None
    np.testing.assert_array_equal(box[mask], values[0, len(vertices) :])
    assert np.isnan(box[~mask]).all()
