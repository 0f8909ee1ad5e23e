"""Regions, their profiles and how reliable a best layer is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bidsapp.bids.atomic import write_image
from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.maps import label_images
from bidsapp.brain.spin_surface import Cortex
from bidsapp.recipes.base.regions import (
    Profiles,
    pca_rows,
    profile_rows,
    regions,
    reliability_rows,
)
from bidsapp.stats.bootstrap import resample_counts
from bidsapp.stats.layer_pca import layer_pca

LAYERS = ("a", "b", "c")
COMPETES = np.ones(3, np.bool_)


def test_networks_and_cortex_of_both_sides(fsaverage5: UnitSpace) -> None:
    cortex = Cortex(fsaverage5)
    found = regions(fsaverage5, cortex, None)
    names = [name for item in found for name in item.names]
    sides = [side for item in found for side in item.structures]
    assert len(names) == 1 + 2 + 7 + 14
    assert names.count("Default") == 3
    assert {side for name, side in zip(names, sides, strict=True) if name == "Default"} == {
        "both",
        "L",
        "R",
    }
    values = np.where(cortex.mask, 0.0, np.nan) + (fsaverage5.structure == "R")
    means = np.hstack([item.means(values[None]) for item in found])[0]
    expected = {"L": 0.0, "R": 1.0}
    for mean, side in zip(means, sides, strict=True):
        assert mean == expected[side] if side != "both" else 0.35 < mean < 0.65


def test_atlas_names_its_parcels(fsaverage5: UnitSpace, tmp_path: Path) -> None:
    labels = np.zeros(fsaverage5.n_units, int)
    labels[:100] = 1
    labels[12000:12050] = 2
    for item in label_images(labels, fsaverage5, ["STG", "IFG"]):
        side = item.entities["hemi"]
        write_image(tmp_path / f"atlas_hemi-{side}_dseg.label.gii", item.image)
    (found,) = regions(fsaverage5, None, tmp_path / "atlas_hemi-L_dseg.label.gii")
    assert not found.on_surface
    assert found.names == ("STG", "IFG")
    assert found.structures == ("L", "R")
    values = np.full((1, fsaverage5.n_units), 5.0)
    values[0, :100] = np.arange(100)
    values[0, 0] = np.nan
    assert found.means(values).tolist() == [[50.0, 5.0]]


def test_no_surface_and_no_atlas_means_no_region(fsaverage5: UnitSpace) -> None:
    assert regions(fsaverage5, None, None) == ()


@pytest.fixture
def profiles() -> Profiles:
    """Region 1 has its best layer in b, clearly; region 2 is noise; region 3 is missing once."""
    rng = np.random.default_rng(0)
    r = 0.05 * rng.standard_normal((12, 3, 3))
    r[:, 1, 0] += 0.3
    r[4, :, 2] = np.nan
    return Profiles(("one", "two", "three"), ("L", "R", "both"), r)


def test_profile_is_the_mean_with_its_interval(profiles: Profiles) -> None:
    counts = resample_counts(12, 400, 0)
    rows = list(profile_rows(profiles, counts, LAYERS, "positive"))
    assert len(rows) == 9
    row = rows[1]
    assert (row["roi"], row["structure"], row["layer"], row["layer_index"]) == ("one", "L", "b", 2)
    assert row["mean_r"] == pytest.approx(np.tanh(np.arctanh(profiles.r[:, 1, 0]).mean()))
    assert row["ci_low"] < row["mean_r"] < row["ci_high"]
    assert row["ci_low"] > 0.2
    assert [row["n"] for row in rows] == [12] * 6 + [11] * 3


def test_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(3)
    covered = []
    for seed in range(200):
        r = np.tanh(0.2 + 0.1 * rng.standard_normal((20, 1, 1)))
        counts = resample_counts(20, 300, seed)
        (row,) = profile_rows(Profiles(("x",), ("L",), r), counts, ("a",), "positive")
        covered.append(row["ci_low"] < np.tanh(0.2) < row["ci_high"])
    assert 0.86 < np.mean(covered) < 0.99


def test_reliable_and_unreliable_best_layers(profiles: Profiles) -> None:
    counts = resample_counts(12, 400, 0)
    rows = list(reliability_rows(profiles, counts, LAYERS, "positive", COMPETES))
    share = np.array([row["share"] for row in rows]).reshape(3, 3)
    assert share[0].tolist() == [0, 1, 0]
    assert share[1].max() < 1
    assert np.all(share.sum(axis=1) <= 1 + 1e-9)
    width = [row["centroid_high"] - row["centroid_low"] for row in rows[::3]]
    assert width[0] < width[1]
    assert 1.5 < rows[0]["centroid_low"] < rows[0]["centroid_high"] < 2.5


def test_one_participant_has_no_interval(profiles: Profiles) -> None:
    one = Profiles(profiles.names, profiles.structures, profiles.r[:1])
    counts = resample_counts(1, 50, 0)
    row = next(profile_rows(one, counts, LAYERS, "positive"))
    assert row["mean_r"] == pytest.approx(profiles.r[0, 0, 0])
    assert np.isnan(row["ci_low"])
    row = next(reliability_rows(one, counts, LAYERS, "positive", COMPETES))
    assert np.isnan(row["share"])
    assert np.isnan(row["centroid_low"])


def test_component_rows() -> None:
    rng = np.random.default_rng(0)
    scores = np.outer([1.0, 2.0, 0.0], rng.standard_normal(50)) + 0.01 * rng.standard_normal(
        (3, 50)
    )
    pca = layer_pca(scores, 2)
    rows = list(pca_rows(pca, LAYERS, "negative"))
    assert [row["component"] for row in rows] == [1, 1, 1, 2, 2, 2]
    assert rows[1]["loading"] == pytest.approx(2 / 5**0.5, abs=0.01)
    assert rows[0]["explained"] > 0.99
