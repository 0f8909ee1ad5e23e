"""Values go to the vertices and voxels that they belong to."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.brain.geometry import UnitSpace, cifti_units, surface_units, volume_units
from bidsapp.report.brain.places import (
    apart,
    coordinate_words,
    parcel_names,
    places,
    region_after_z,
    with_regions,
)
from bidsapp.report.brain.projection import (
    SIZE,
    cortex,
    hemispheres,
    how_projected,
    in_volume,
    on_meshes,
    region_index,
    region_names,
    to_cortex,
    unit_words,
)
from bidsapp.resources import fslr_to_fsaverage5
from bidsapp.results.kinds import Column
from tests.report.toy import surface, volume

AFFINE = np.diag([2.0, 2, 2, 1])


def grayordinates(vertices: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]) -> UnitSpace:
    models = nib.cifti2.BrainModelAxis
    axis = models.from_surface(vertices, 20, "CORTEX_LEFT") + models.from_mask(
        mask, affine=np.diag([3.0, 3, 3, 1]), name="thalamus_left"
    )
    return cifti_units(axis, space="fsLR", density="91k")


def fslr() -> UnitSpace:
    models, every = nib.cifti2.BrainModelAxis, np.arange(32492)
    axis = models.from_surface(every, 32492, "CORTEX_LEFT") + models.from_surface(
        every, 32492, "CORTEX_RIGHT"
    )
    return cifti_units(axis, space="fsLR", density="91k")


def test_voxels_return_to_their_box() -> None:
    data = np.random.default_rng(0).normal(size=(4, 5, 6))
    mask = data > 0
    units = volume_units(mask, AFFINE, space="MNI152NLin2009cAsym")
    box = in_volume(units, data[mask])
    assert box is not None
    np.testing.assert_array_equal(box.data[mask], data[mask])
    assert np.isnan(box.data[~mask]).all()
    assert on_meshes(units, data[mask]) == {}


@given(st.sets(st.integers(0, 19), min_size=1), st.integers(0, 2**16))
def test_grayordinates_return_to_vertices_and_voxels(chosen: set[int], seed: int) -> None:
    vertices = np.array(sorted(chosen))
    mask = np.zeros((2, 3, 2), dtype=bool)
    mask[1, :, 1] = True
    units = grayordinates(vertices, mask)
    values = np.random.default_rng(seed).normal(size=units.n_units)
    left = on_meshes(units, values)["L"]
    np.testing.assert_array_equal(left[vertices], values[: len(vertices)])
    assert np.isnan(np.delete(left, vertices)).all()
    box = in_volume(units, values)
    assert box is not None
    np.testing.assert_array_equal(box.data[mask], values[len(vertices) :])
    assert np.isnan(box.data[~mask]).all()


def test_fsaverage5_is_drawn_as_it_is() -> None:
    values = np.arange(2.0 * SIZE)
    drawn = to_cortex(surface(), values, ordinal=False)
    assert drawn is not None
    np.testing.assert_array_equal(np.concatenate([drawn["L"], drawn["R"]]), values)


def test_denser_fsaverage_is_drawn_at_its_first_vertices() -> None:
    units = surface_units(40962, 40962, space="fsaverage6")
    drawn = to_cortex(units, np.arange(2.0 * 40962), ordinal=True)
    assert drawn is not None
    np.testing.assert_array_equal(drawn["R"], 40962 + np.arange(SIZE))


def test_fslr_is_drawn_at_the_corresponding_vertices() -> None:
    units = fslr()
    drawn = to_cortex(units, np.arange(float(units.n_units)), ordinal=True)
    assert drawn is not None
    np.testing.assert_array_equal(np.concatenate([drawn["L"], drawn["R"]]), fslr_to_fsaverage5())


def test_a_volume_is_drawn_where_it_lies() -> None:
    units = volume()
    x = units.coordinates_mm()[:, 0]
    drawn = to_cortex(units, x, ordinal=False)
    assert drawn is not None
    for side in "LR":
        vertices = (cortex().white[side] + cortex().pial[side])[:, 0] / 2
        known = np.isfinite(drawn[side])
        assert known.mean() > 0.8
        assert np.abs(drawn[side] - vertices)[known].max() < 8.0


def test_native_volumes_and_unknown_meshes_are_not_drawn() -> None:
    native = volume_units(np.ones((3, 3, 3), dtype=bool), AFFINE, space="T1w")
    assert to_cortex(native, np.ones(27), ordinal=False) is None
    coarse = surface_units(642, 642, space="fsaverage4")
    assert to_cortex(coarse, np.ones(1284), ordinal=False) is None


def test_units_are_called_by_their_name() -> None:
    mask = np.ones((2, 2, 2), dtype=bool)
    assert unit_words(volume()) == ("voxel", "voxels")
    assert unit_words(surface())[1] == "vertices"
    assert unit_words(grayordinates(np.arange(3), mask))[0] == "grayordinate"
    assert unit_words(fslr())[0] == "vertex"


def test_hemispheres_are_told_apart_where_they_can_be() -> None:
    sides = hemispheres(volume())
    x = volume().coordinates_mm()[:, 0]
    np.testing.assert_array_equal(sides["L"], x < 0)
    assert (sides["L"] ^ sides["R"]).all()
    native = volume_units(np.ones((3, 3, 3), dtype=bool), AFFINE, space="T1w")
    assert set(hemispheres(native)) == {"both"}


def test_how_maps_came_to_the_cortex_is_said() -> None:
    sentences = {how_projected(units) for units in (volume(), surface(), fslr())}
    assert len(sentences) == 3


class TestPlaces:
    """Peaks."""

    @pytest.mark.parametrize("make", [volume, surface])
    def test_places_are_the_coordinates_of_units(self, make: Any) -> None:
        units = make()
        found = places(units)
        assert found is not None
        np.testing.assert_array_equal(found.units, np.arange(units.n_units))
        gap = np.linalg.norm(found.mm - units.coordinates_mm(), axis=1)
        assert np.nanmedian(gap) < 5

    def test_native_surfaces_have_none(self) -> None:
        assert places(surface_units(642, 642, space="fsnative")) is None

    @given(st.integers(0, 2**16), st.floats(1, 60))
    def test_peaks_are_apart_and_fall(self, seed: int, distance: float) -> None:
        random = np.random.default_rng(seed)
        mm, scores = random.uniform(-60, 60, (80, 3)), random.normal(size=80)
        scores[::7] = np.nan
        chosen = apart(scores, mm, distance, most=10)
        assert chosen[0] == np.nanargmax(scores)
        assert list(scores[chosen]) == sorted(scores[chosen], reverse=True)
        gaps = np.linalg.norm(mm[chosen][:, None] - mm[chosen][None], axis=2)
        assert gaps[~np.eye(len(chosen), dtype=bool)].min(initial=np.inf) >= distance

    def test_no_score_has_no_peak(self) -> None:
        assert apart(np.full(3, np.nan), np.zeros((3, 3))) == []

    def test_the_auditory_cortex_is_found_and_air_has_no_name(self) -> None:
        auditory, air = parcel_names(np.array([[58.0, -20.0, 6.0], [0.0, 0.0, 200.0]]))
        assert auditory.startswith("RH Auditory (SomMot")
        assert air == "\u2013"

    def test_no_parcel_of_the_superior_temporal_plane_is_called_somatomotor(self) -> None:
        names, index = region_names(), region_index()
        for number, name in enumerate(names):
            if "SomMot" in name:
                x, y, z = cortex().middle_mm[index == number].mean(axis=0)
                low = z < 9 or (y < -28 and z < 15 and abs(x) > 38)
                assert name.split()[1] == ("Auditory" if low else "SomMot")

    def test_tables_name_regions_where_the_space_has_them(self) -> None:
        frame = pd.DataFrame({"x": [58.0, np.nan], "y": [-20.0, 0.0], "z": [6.0, 0.0]})
        named = with_regions(frame, surface_units(10242, 10242, space="fsaverage5"))
        assert named["region"].str.startswith("RH Auditory").tolist() == [True, False]
        own = volume_units(np.ones((2, 2, 2), bool), np.eye(4), space="T1w")
        assert with_regions(frame, own)["region"].tolist() == ["\u2013"] * 2
        assert "T1w" in coordinate_words(own)
        columns = region_after_z([Column(name) for name in "xyzp"])
        assert [column.name for column in columns] == ["x", "y", "z", "region", "p"]
