"""The interactive cortex's payload: small, exact enough, honest about what is missing."""

from __future__ import annotations

import base64
import json
import re

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bidsapp.report.brain.interactive import (
    NO_VALUE,
    CorticalMap,
    Regions,
    payload,
    quantise,
    rgba,
    viewer,
)
from bidsapp.report.figures.surface import Look, Mesh

N = 4
FACES = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]])
NOWHERE = Regions(["", "here"], {"L": np.zeros(N, int), "R": np.ones(N, int)})


def tetrahedron(faces: np.ndarray = FACES) -> Mesh:
    corners = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 50 + 7
    return Mesh(corners, faces, np.array([0.0, 1.0, -1.0, 5.0]))


MESHES = {"L": tetrahedron(), "R": tetrahedron()}
SCALE = Look(mpl.colormaps["viridis"], 0.0, 2.0, "mean r")


def scores(title: str = "scores", **changes: object) -> CorticalMap:
    values = {"L": np.array([0.0, 0.5, np.nan, 2.0]), "R": np.array([1.0, -1.0, np.nan, 0.1])}
    return CorticalMap("group", title, values, SCALE, **changes)  # type: ignore[arg-type]


def unpack(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


@given(
    arrays(np.float64, st.integers(1, 50), elements=st.floats(-1e6, 1e6) | st.just(float("nan")))
)
def test_codes_bring_values_back_within_half_a_step(values: np.ndarray) -> None:
    codes, low, step = quantise(values)
    back = np.where(codes == NO_VALUE, np.nan, low + step * codes.astype(float))
    assert np.array_equal(np.isnan(back), np.isnan(values))
    slack = 1e-9 * (1 + np.nanmax(np.abs(values), initial=0))
    assert np.nanmax(np.abs(back - values), initial=0) <= 0.5 * step + slack


def test_extremes_are_exact_and_a_constant_map_survives() -> None:
    codes, low, step = quantise(np.array([-3.0, np.nan, 5.0]))
    assert (low, codes[0], codes[1]) == (-3.0, 0, NO_VALUE)
    assert low + step * codes[2] == pytest.approx(5.0)
    codes, low, step = quantise(np.full(3, 0.25))
    assert (low + step * codes == 0.25).all()
    assert (quantise(np.full(3, np.nan))[0] == NO_VALUE).all()


def test_coordinates_are_centred_and_keep_their_shape() -> None:
    content = payload([scores()], MESHES, NOWHERE)["meshes"]
    points = unpack(content["points"]["L"], "<i2").reshape(N, 3) * content["reach"] / 32767
    assert np.allclose(points, tetrahedron().coordinates - 7, atol=0.01)
    assert np.array_equal(unpack(content["faces"], "<u2").reshape(-1, 3), FACES)
    assert unpack(content["relief"]["L"], "i1").max() == 127


def test_left_comes_before_right_and_labels_keep_zero_for_nothing() -> None:
    labels = {"L": np.array([1.0, 2.0, np.nan, 3.0]), "R": np.array([np.nan, 3.0, 3.0, 1.0])}
    scale = Look(mpl.colormaps["viridis"], 1, 3, "layer")
    shown = CorticalMap("group", "best", labels, scale, "labels", ("a", "b", "c"))
    (entry,) = payload([shown], MESHES, NOWHERE)["maps"]
    assert unpack(entry["data"], "u1").tolist() == [1, 2, 0, 3, 0, 3, 3, 1]
    assert len(unpack(entry["colours"], "u1")) == 3 * 3
    places = [place for place, _ in entry["ticks"]]
    assert places == sorted(places)
    assert 0 <= places[0] < places[-1] <= 1


def test_colours_of_rgb_maps_have_an_alpha_for_missing_vertices() -> None:
    colours = np.array([[1.0, 0.0, 0.5], [np.nan, 0, 0]])
    assert rgba(colours).tolist() == [[255, 0, 128, 255], [0, 0, 0, 0]]


def test_hemispheres_with_other_faces_are_refused() -> None:
    other = {"L": tetrahedron(), "R": tetrahedron(FACES[:, ::-1])}
    with pytest.raises(ValueError, match="same faces"):
        payload([scores()], other, NOWHERE)
    with pytest.raises(ValueError, match="needs a map"):
        viewer([], MESHES, NOWHERE)


def test_titles_cannot_break_out_of_the_page() -> None:
    made = str(viewer([scores("</script><b>&")], MESHES, NOWHERE).markup)
    assert "</script><b>" not in made
    found = re.search(r'id="cortex-data">(.*?)</script>', made, re.DOTALL)
    assert found
    assert json.loads(found[1])["maps"][0]["title"] == "</script><b>&"


def test_each_map_can_be_chosen_and_groups_keep_their_order() -> None:
    maps = [scores("one"), scores("two", series="net", place=1)]
    made = str(viewer(maps, MESHES, NOWHERE).markup)
    assert re.findall(r'name="cortex-map" value="(\d)"', made) == ["0", "1"]
    assert "layer profile" in made
    assert "layer profile" not in str(viewer(maps[:1], MESHES, NOWHERE).markup)
