"""Which axes layer maps follow: planted ones win, others do not; neuromaps' nulls beside ours."""

from __future__ import annotations

import html
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from bidsapp import resources
from bidsapp.bids.neuromaps import PREFIX
from bidsapp.brain.geometry import surface_units
from bidsapp.brain.spin_surface import Cortex, Reference, find_cortex
from bidsapp.brain.surfaces import sphere
from bidsapp.brain.surrogates import require
from bidsapp.errors import ResourceUnavailableError
from bidsapp.recipes.base.spins import LayerMap, SpinOptions, annotation_null
from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients.annotations import (
    annotation_rows,
    find_annotations,
    second_null_rows,
)
from bidsapp.recipes.gradients.references import AXES
from bidsapp.recipes.gradients.report import report
from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.report.html import render
from bidsapp.scratch import Scratch
from tests.brain.neuromaps_home import write_annotation
from tests.brain.templateflow_home import write_surface_atlas
from tests.brain.test_named_atlas import DESTRIEUX, striped
from tests.recipes.gradients.group_study import analyse_group

N5, N32 = 10242, 32492
SETTINGS = GradientsGroupSettings(n_rotations=199)


@pytest.fixture(scope="module")
def cortex() -> Cortex:
    found = find_cortex(surface_units(N5, N5, space="fsaverage5"), mni305=False)
    assert found is not None
    return found


def smooth_maps(cortex: Cortex, n: int, seed: int) -> np.ndarray:
    """Smooth maps of independent hemispheres, NaN outside cortex."""
    rng = np.random.default_rng(seed)
    sides = []
    for points in sphere(cortex.units):
        centres = points[rng.integers(N5, size=(n, 60))]
        bumps = np.exp((np.einsum("vx,ncx->nvc", points, centres) - 1) / 0.15)
        sides.append(np.einsum("nvc,nc->nv", bumps, rng.standard_normal((n, 60))))
    return np.where(cortex.mask, np.hstack(sides), np.nan)


def as_references(maps: np.ndarray) -> tuple[Reference, ...]:
    return tuple(Reference(f"map{k}", values, values, {}) for k, values in enumerate(maps))


def test_the_planted_axis_wins_and_others_do_not(cortex: Cortex, tmp_path: Path) -> None:
    axes = smooth_maps(cortex, 12, seed=3)
    noise = smooth_maps(cortex, 1, seed=4)[0]
    planted = axes[5] / np.nanstd(axes[5]) + 0.5 * noise / np.nanstd(noise)
    maps = [LayerMap("net", "positive", "centroid", planted)]
    references = as_references(axes)
    options = SpinOptions(199, 0, "spearman", 7)
    null = annotation_null(cortex, maps, references, options, Scratch(tmp_path))
    rows = {row["annotation"]: row for row in annotation_rows(null, maps, references, SETTINGS)}
    best = max(rows.values(), key=lambda row: abs(row["r"]))
    assert best["annotation"] == "map5"
    assert best["p_max"] == pytest.approx(1 / 200)
    assert [name for name, row in rows.items() if row["p_max"] <= 0.05] == ["map5"]
    assert best["r"] == pytest.approx(spearmanr(planted, axes[5], nan_policy="omit")[0], abs=1e-3)
    for row in rows.values():  # the bound and the p-value say the same
        assert (abs(row["r"]) > row["r_significant"]) == (row["p_max"] <= 0.05)
        assert row["p_max"] >= row["p"]


def test_the_family_are_the_annotations_under_the_same_rotations(
    cortex: Cortex, tmp_path: Path
) -> None:
    """Each annotation alone has the p of the whole set; only the correction differs."""
    axes, own = smooth_maps(cortex, 3, seed=5), smooth_maps(cortex, 2, seed=6)
    maps = [
        LayerMap("net", "positive", kind, own[k]) for k, kind in enumerate(("best", "centroid"))
    ]
    options = SpinOptions(99, 0, "spearman", 1)

    def rows(references: tuple[Reference, ...], folder: str) -> dict[tuple[str, str], dict]:
        null = annotation_null(cortex, maps, references, options, Scratch(tmp_path / folder))
        found = annotation_rows(null, maps, references, SETTINGS)
        return {(row["map"], row["annotation"]): row for row in found}

    references = as_references(axes)
    together = rows(references, "all")
    for reference in references:
        for key, row in rows((reference,), reference.name).items():
            assert row["p"] == together[key]["p"] == row["p_max"]
            assert row["p_max"] <= together[key]["p_max"]


@pytest.mark.parametrize("method", ["vasa", "hungarian"])
def test_second_null_finds_the_planted_and_not_the_unrelated(cortex: Cortex, method: str) -> None:
    axis, other = smooth_maps(cortex, 2, seed=8)
    noise = smooth_maps(cortex, 1, seed=9)[0]
    planted = axis / np.nanstd(axis) + 0.5 * noise / np.nanstd(noise)
    maps = [LayerMap("net", "positive", "centroid", planted)]
    settings = GradientsGroupSettings(second_null=method, n_second_null=39)
    found, unrelated = second_null_rows(
        cortex, maps, as_references(np.stack([axis, other])), settings, 1
    )
    assert found["p_max"] == pytest.approx(1 / 40)
    assert unrelated["p"] > 0.05
    labels = resources.schaefer400("fsaverage5")
    parcels = range(1, 401)
    pair = [[np.nanmean(x[labels == k]) for k in parcels] for x in (planted, axis)]
    assert found["r"] == pytest.approx(spearmanr(*pair)[0], abs=1e-9)
    assert (found["n_parcels"], found["n_draws"], found["null"]) == (400, 39, method)


def test_parcels_without_data_are_left_out(cortex: Cortex) -> None:
    axis = smooth_maps(cortex, 1, seed=8)[0]
    holed = np.where(resources.schaefer400("fsaverage5") <= 30, np.nan, axis)
    maps = [LayerMap("net", "positive", "best", holed)]
    settings = GradientsGroupSettings(second_null="vasa", n_second_null=19)
    (row,) = second_null_rows(cortex, maps, as_references(axis[None]), settings, 1)
    assert row["n_parcels"] == 370
    assert row["r"] == pytest.approx(1.0)


@pytest.mark.parametrize("method", ["burt2020", "moran"])
def test_a_null_whose_package_is_absent_is_one_sentence(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        sys.modules, {"burt2020": "brainsmash", "moran": "brainspace"}[method], None
    )
    with pytest.raises(ResourceUnavailableError, match=f"second_null = {method}: needs"):
        require(method)


def test_without_neuromaps_there_is_no_profile(
    cortex: Cortex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROMAPS_DATA", str(tmp_path))
    monkeypatch.setitem(sys.modules, "neuromaps", None)
    assert find_annotations(cortex, ("known",)) == ((), [])
    with pytest.raises(ResourceUnavailableError, match="neuromaps is not installed"):
        find_annotations(cortex, (AXES[0],))


@pytest.mark.slow
def test_forty_annotations_take_less_than_half_a_minute(cortex: Cortex, tmp_path: Path) -> None:
    """Time of the processor, a twentieth of 10,000 rotations: the machine may be busy."""
    references = as_references(np.tile(smooth_maps(cortex, 4, seed=1), (10, 1)))
    maps = [
        LayerMap("net", "positive", kind, references[k].values) for k, kind in enumerate("abc")
    ]
    options = SpinOptions(64, 0, "spearman", 0)
    annotation_null(cortex, maps, references, options, Scratch(tmp_path / "warm"))
    start = time.process_time()
    options = SpinOptions(500, 0, "spearman", 0)
    annotation_null(cortex, maps, references, options, Scratch(tmp_path / "timed"))
    assert 20 * (time.process_time() - start) < 30


@pytest.mark.slow
def test_a_group_has_the_four_regions_and_the_profile_without_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefetched homes of TemplateFlow and neuromaps; the group follows gradient 1."""
    flow, maps = tmp_path / "flow", tmp_path / "maps"
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(flow))
    monkeypatch.setenv("NEUROMAPS_DATA", str(maps))
    write_surface_atlas(flow, "Destrieux2009", striped(N5), DESTRIEUX)
    left, right = resources.fslr_spheres()
    gradient = np.nan_to_num(resources.functional_gradient("fsLR32k", 1))
    write_annotation(maps, f"{PREFIX}margulies2016/fcgradient01/fsLR/32k", *np.split(gradient, 2))
    write_annotation(maps, f"{PREFIX}hcps1200/thickness/fsLR/32k", left[:, 2], right[:, 2])
    results = analyse_group(tmp_path / "group", second_null="vasa", n_second_null=39)
    (space,) = results.spaces
    regions = results.table(declared.REGIONS, space, "vggish")
    assert {"STG", "MTG", "IFG", "mPFC"} <= set(regions["roi"])
    assert any("Destrieux2009" in name for name in results.facts()["region_files"])
    profile = results.table(declared.ANNOTATIONS, space, "vggish")
    centroid = profile[profile["map"] == "centroid"].set_index("annotation")
    assert set(profile["map"]) >= {"best", "centroid"}
    assert centroid.loc["margulies2016-fcgradient01", "p_max"] == pytest.approx(1 / 200)
    assert centroid.loc["hcps1200-thickness", "p_max"] > 0.05
    second = results.table(declared.SECOND, space, "vggish")
    assert set(second["null"]) == {"vasa"}
    page, methods = report(results)
    text = html.unescape(render(page))
    for words in (
        "Known axes of the cortex",
        "gradient 1 of group-averaged functional connectivity (margulies2016-fcgradient01)",
        "the four regions of the poster",
        "have the same verdict as rotations",
        "Annotations that are not at hand",
    ):
        assert words in text, words
    assert "published maps of the cortex" in methods.text
    assert "second opinion" in methods.text
