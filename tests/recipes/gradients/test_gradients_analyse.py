"""The whole group level, from participants' files to the group's."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from bidsapp.bids.atomic import write_image
from bidsapp.bids.names import parse_name
from bidsapp.brain.geometry import UnitSpace, cifti_units, surface_units, volume_units
from bidsapp.brain.maps import label_images, read_maps, to_images
from bidsapp.brain.references import reference_map
from bidsapp.recipes import RECIPES
from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.base.settings import fidelity
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.gradients.group import group as analyse_group
from bidsapp.recipes.gradients.settings import GROUP_VARIANTS, GradientsGroupSettings
from bidsapp.resources import cortex_mask

QUICK = GradientsGroupSettings(n_rotations=199, n_swapped_rotations=64, n_bootstrap=100)
N_LAYERS = 6
CORTEX = np.flatnonzero(cortex_mask("fsaverage5"))
HOLE, LONE = CORTEX[100:300], CORTEX[50]
"""Vertices that one participant lacks, and one that only two participants have."""
Study = Callable[..., GroupStudy]
Find = Callable[..., list[GroupInputs]]


def profiles(target: np.ndarray) -> np.ndarray:
    """Layer profiles (n_layers, n_units) that peak where the rank of `target` says."""
    known = np.isfinite(target)
    rank = np.full(target.shape, np.nan)
    rank[known] = target[known].argsort().argsort() / known.sum()
    layer = np.arange(1, N_LAYERS + 1)[:, None]
    return 0.25 * np.exp(-((layer - 1 - rank * (N_LAYERS - 1)) ** 2) / 3)


def field(points: np.ndarray, seed: int, scale: float) -> np.ndarray:
    """Random smooth map of coordinates."""
    rng = np.random.default_rng(seed)
    waves = rng.standard_normal((40, 3)) * scale
    return np.cos(points @ waves.T + rng.uniform(0, 7, 40)).sum(axis=1)


def write_group(
    write: Callable[..., None],
    output: Path,
    units: UnitSpace,
    gradient: np.ndarray,
    n: int,
    change: Callable[[int, np.ndarray], np.ndarray] = lambda _, r: r,
    **options: Any,
) -> None:
    """Positive lags follow the gradient, negative ones another smooth map; both with noise."""
    xyz = np.nan_to_num(units.coordinates_mm())
    if not xyz.any():
        xyz = np.arange(units.n_units)[:, None] * [1.0, 0, 0]
    other = np.where(np.isfinite(gradient), field(xyz, 8, 0.03), np.nan)
    silent = field(xyz, 9, 0.03) > 5  # no layer predicts anything there at negative lags
    for number in range(n):
        rng = np.random.default_rng(number)
        scores = {}
        for lags, target in (("positive", gradient), ("negative", other)):
            noise = 0.03 * rng.standard_normal((N_LAYERS, units.n_units))
            r = (profiles(target) + noise).astype(np.float32)
            if lags == "negative":
                r[:, silent] -= 0.4
            scores["vggish", lags] = change(number, r)
        write(output, f"{number + 1:02d}", units, scores, **options)


def analyse(study: GroupStudy) -> Path:
    with study.staging as staging:
        analyse_group(study)
        staging.publish()
    return staging.output_dir / "group"


def table(folder: Path, desc: str) -> pd.DataFrame:
    (path,) = folder.glob(f"*desc-gradients{desc}_stats.tsv")
    return pd.read_csv(path, sep="\t", na_values=["n/a"], keep_default_na=False)


def facts(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("*desc-gradientssummary_stats.json")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def maps_of(folder: Path, pattern: str, units: UnitSpace | None = None) -> np.ndarray:
    return read_maps(sorted(folder.glob(pattern)), units).values


def main_row(spin: pd.DataFrame, lags: str, kind: str, reference: str = "gradient1") -> pd.Series:
    chosen = spin[
        (spin.lags == lags)
        & (spin["map"] == kind)
        & (spin.reference == reference)
        & (spin.hemisphere == "both")
        & (spin.direction == "reference rotated")
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


@pytest.fixture(scope="module")
def group(
    tmp_path_factory: pytest.TempPathFactory,
    write: Callable[..., None],
    fsaverage5: UnitSpace,
    gradient: np.ndarray,
    make_study: Study,
    find: Find,
) -> Path:
    """Seven participants on fsaverage5; one has holes, one more has failed."""
    output = tmp_path_factory.mktemp("fsaverage5")

    def holes(number: int, r: np.ndarray) -> np.ndarray:
        r = r.copy()
        if number == 2:
            r[:, HOLE] = np.nan
        if number >= 2:
            r[:, LONE] = np.nan
        return r

    write_group(write, output, fsaverage5, gradient, 7, holes)
    (output / "sub-08" / "func").mkdir(parents=True)
    (inputs,) = find(output)
    return analyse(make_study(inputs, output, QUICK))


def test_planted_gradient_is_found_and_negative_lags_are_not(group: Path) -> None:
    spin = table(group, "spin")
    for kind in ("best", "centroid"):
        row = main_row(spin, "positive", kind)
        assert row.r > 0.8
        assert row.p < 0.01
        assert row.p_max < 0.01
        assert abs(main_row(spin, "negative", kind).r) < 0.5
        assert np.isnan(main_row(spin, "negative", kind).p)
        assert main_row(spin, "positive", kind, "gradient2").p > 0.05
    null = table(group, "spinnull")
    assert len(null) == 199
    assert "positive_best_gradient1" in null
    row = main_row(spin, "positive", "best")
    b = (null["positive_best_gradient1"].abs() >= abs(row.r)).sum()
    assert row.p == pytest.approx((b + 1) / 200)


def test_participants_agree(group: Path) -> None:
    tests = table(group, "participanttest").set_index(["lags", "map", "reference"])
    row = tests.loc[("positive", "centroid", "gradient1")]
    assert row.n == 7
    assert row.exact
    assert row.n_flips == 2**7
    assert row.p == pytest.approx(2 / 2**7)
    subjects = table(group, "participantalignment")
    assert len(subjects) == 7 * 2 * 2 * 2
    mine = subjects[
        (subjects.lags == "positive")
        & (subjects["map"] == "centroid")
        & (subjects.reference == "gradient1")
    ]
    assert row.mean_z == pytest.approx(mine.z.mean())


def test_maps_hold_the_mean_and_missing_is_missing(
    group: Path, fsaverage5: UnitSpace, gradient: np.ndarray
) -> None:
    pattern = "hemi-?_*stat-r_desc-gradientspositivelagsmean_statmap.func.gii"
    mean = maps_of(group, pattern, fsaverage5)
    output = group.parent
    each = np.stack(
        [
            maps_of(
                output / f"sub-{k:02d}/func", "*stat-r_desc-gradientspositivelags_statmap.func.gii"
            )
            for k in range(1, 8)
        ]
    )
    each[:, :, LONE] = np.nan  # only two of seven have it
    known = np.isfinite(each)
    z = np.where(known, np.arctanh(np.where(known, each, 0)), 0).sum(axis=0)
    expected = np.tanh(z / np.maximum(known.sum(axis=0), 1))
    expected[~known.any(axis=0)] = np.nan
    assert np.allclose(mean, expected, atol=1e-6, equal_nan=True)
    n = maps_of(group, "hemi-?_*stat-n_desc-gradientsparticipants_statmap.func.gii", fsaverage5)[0]
    assert n[HOLE].max() == 6
    assert n[LONE] == 2
    assert n[np.isnan(gradient)].max() == 0
    best = maps_of(
        group, "hemi-?_*desc-gradientsbestlayerpositivelagsvggish_dseg.label.gii", fsaverage5
    )[0]
    centroid = maps_of(
        group, "hemi-?_*stat-centroid_desc-gradientspositivelags_statmap.func.gii", fsaverage5
    )
    assert best[LONE] == 0
    assert np.isnan(centroid[0, LONE])
    assert np.array_equal(best > 0, np.isfinite(centroid[0]))
    p = maps_of(group, "hemi-?_*stat-p_desc-gradientspositivelagsfwe_statmap.func.gii", fsaverage5)
    assert np.nanmin(p) == pytest.approx(1 / 2**7)
    mask = maps_of(group, "hemi-?_*desc-gradientsconsistentvggish_mask.func.gii", fsaverage5)[0]
    assert np.array_equal(mask == 1, np.nan_to_num(p, nan=1).min(axis=0) < 0.05)
    assert (
        maps_of(group, "hemi-?_*stat-pc_desc-gradientspositivelags_*gii", fsaverage5).shape[0] == 3
    )


def test_tables_of_regions(group: Path) -> None:
    profile = table(group, "regions")
    assert set(profile.columns) == {
        *("roi", "structure", "lags", "layer", "layer_index"),
        *("mean_r", "ci_low", "ci_high", "n"),
    }
    assert {"Cortex", "Default", "Visual", "Somatomotor"} <= set(profile.roi)
    chosen = (profile.lags == "positive") & (profile.structure == "both")
    deepest = profile[chosen].sort_values("mean_r").groupby("roi").layer_index.last()
    assert deepest["Default"] > deepest["Somatomotor"]
    reliability = table(group, "reliability")
    assert reliability.share.between(0, 1).all()
    pca = table(group, "pca")
    assert sorted(set(pca.component)) == [1, 2, 3]


def test_everyone_is_listed(group: Path) -> None:
    people = table(group, "participants").set_index("participant")
    assert people.included.tolist() == [True] * 7 + [False]
    assert people.loc[8, "reason"] == "no finished results in this space"
    assert people.n_trs[:7].tolist() == [248] * 7
    assert people.mean_r[:7].between(0.05, 0.3).all()
    content = facts(group)
    assert content["left_out"] == [
        {"participant": "08", "reason": "no finished results in this space"}
    ]
    assert any("sub-08" in item["text"] for item in content["cautions"])


def test_summary_can_be_audited(group: Path) -> None:
    content = facts(group)
    assert content["participants_per_unit"] == {"min": 2, "median": 7.0, "max": 7}
    assert content["references"][0]["SHA256"]
    assert content["spin"]["n_cortex"] == int(cortex_mask("fsaverage5").sum())
    assert len(content["spin"]["cortex_mask_sha256"]) == 64
    assert content["sign_flips"] == {"n_flips": 128, "all": True, "smallest_p": 1 / 128}
    assert content["settings"]["n_rotations"] == 199
    assert content["spin"]["n_rotations"] == 199


def test_every_file_has_a_sidecar_with_sources_and_a_description(group: Path) -> None:
    files = [path for path in group.iterdir() if path.suffix != ".json"]
    assert len(files) > 30
    labels = RECIPES["gradients"].descriptions(["baseline", "vggish"])
    for path in files:
        name = parse_name(path)
        if name.suffix == "dseg" and path.suffix == ".tsv":
            continue
        sidecar = path.with_name(path.name.removesuffix(name.extension) + ".json")
        content = json.loads(sidecar.read_text())
        assert content["Description"]
        assert content["ConfigurationHash"] == "cafe0001"
        assert name.entities["desc"] in labels
        if name.entities["desc"] == "gradientspreference":
            assert len(content["Sources"]) >= 7
            assert all("_desc-gradientsnullscores" in source for source in content["Sources"])
        elif name.suffix == "statmap" and name.entities.get("model"):
            lags = "negative" if "negative" in name.entities["desc"] else "positive"
            assert len(content["Sources"]) == 14
            assert all(f"_desc-gradients{lags}lags_" in source for source in content["Sources"])


def test_atlas_and_user_reference(
    tmp_path: Path,
    group: Path,
    make_study: Study,
    find: Find,
    fsaverage5: UnitSpace,
    gradient: np.ndarray,
) -> None:
    labels = np.where(fsaverage5.structure == "L", 1, 2)
    four = ("G_temp_sup-Lateral", "G_temporal_middle", "G_front_inf-Orbital", "G_rectus")
    labels[:4000] = 3 + np.arange(4000) // 1000
    for item in label_images(labels, fsaverage5, ["mine", "yours", *four]):
        write_image(tmp_path / f"atlas_hemi-{item.entities['hemi']}.label.gii", item.image)
    for item in to_images(-gradient, fsaverage5, ["x"]):
        write_image(tmp_path / f"map_hemi-{item.entities['hemi']}.func.gii", item.image)
    (inputs,) = find(group.parent, exclude_participant_label=("07",))
    chosen = dataclasses.replace(
        QUICK,
        references=("gradient1", str(tmp_path / "map_hemi-L.func.gii")),
        n_swapped_rotations=0,
        thresholded="significant",
    )
    atlas = tmp_path / "atlas_hemi-L.label.gii"
    folder = analyse(make_study(inputs, tmp_path / "out", chosen, atlas=atlas))
    spin = table(folder, "spin")
    given = main_row(spin, "positive", "centroid", "user")
    assert given.r == pytest.approx(-main_row(spin, "positive", "centroid").r)
    regions = table(folder, "regions")
    assert {"mine", "yours", "STG", "MTG", "IFG", "mPFC", *four} <= set(regions.roi)
    stg = regions[regions.roi.isin(["STG", four[0]]) & (regions.structure != "R")]
    assert stg.groupby(["lags", "layer"]).mean_r.nunique().max() == 1
    content = facts(folder)
    assert content["references"][1]["File"] == "map_hemi-L.func.gii"
    kept = maps_of(
        folder, "hemi-?_space-fsaverage_den-10k_stat-reference_desc-gradientsreferenceuser_*gii"
    )[0]
    assert np.allclose(kept, -gradient, equal_nan=True)
    assert content["settings"]["thresholded"] == "significant"


def test_volumes_are_projected_layer_by_layer(
    tmp_path: Path,
    write: Callable[..., None],
    make_study: Study,
    find: Find,
    fsaverage5: UnitSpace,
    gradient: np.ndarray,
) -> None:
    """Voxels near the cortex carry its gradient; masks differ between participants."""
    cortex = np.isfinite(gradient)
    points = fsaverage5.coordinates_mm()[cortex]
    affine = np.diag([5.0, 5, 5, 1])
    affine[:3, 3] = -90, -126, -72
    shape = (37, 44, 37)
    grid = nib.affines.apply_affine(affine, np.argwhere(np.ones(shape)))
    distance, nearest = cKDTree(points).query(grid)
    mask = (distance < 9).reshape(shape)
    names = {"space": "MNI152NLin2009cAsym", "resolution": "2"}
    for number in range(6):
        own = mask.copy()
        own[:, :, 5 + number] = False
        units = volume_units(own, affine, **names)
        values = gradient[cortex][nearest][own.ravel()]
        rng = np.random.default_rng(number)
        noise = 0.03 * rng.standard_normal((N_LAYERS, units.n_units))
        write(
            tmp_path,
            f"{number + 1:02d}",
            units,
            {("vggish", "positive"): profiles(values) + noise},
        )
    (inputs,) = find(tmp_path)
    assert inputs.kind == "volume"
    folder = analyse(make_study(inputs, tmp_path, QUICK))
    stem = "space-MNI152NLin2009cAsym_res-2"
    n = nib.load(folder / f"{stem}_stat-n_desc-gradientsparticipants_statmap.nii.gz").get_fdata()
    assert np.nanmin(n) == 5
    assert np.nanmax(n) == 6
    assert np.array_equal(np.isfinite(n), mask)
    spin = table(folder, "spin")
    assert main_row(spin, "positive", "centroid").p < 0.01
    assert set(spin.lags) == {"positive"}
    projected = maps_of(
        folder, "hemi-?_space-fsaverage_den-10k_*desc-gradientspositivelagsmeanprojected*gii"
    )
    assert projected.shape == (N_LAYERS, 20484)
    label = "label-MNI152NLin2009cAsym2"
    best = maps_of(
        folder,
        f"hemi-?_*{label}_desc-gradientsbestlayerpositivelagsprojectedvggish_dseg.label.gii",
    )[0]
    filled = np.isfinite(projected).all(axis=0) & (projected > 0).any(axis=0)
    assert np.array_equal(best[filled], projected[:, filled].argmax(axis=0) + 1)
    sidecar = next(
        folder.glob(f"hemi-L_*centroid_{label}_desc-gradientspositivelagsprojected_*.json")
    )
    content = json.loads(sidecar.read_text())
    assert content["ProjectedFrom"] == "MNI152NLin2009cAsym"
    assert content["Projection"]["Affine"] == "none: MNI305 taken as MNI152"
    assert "Default" in set(table(folder, "regions").roi)


def test_grayordinates_are_spun_on_their_own_mesh(
    tmp_path: Path, write: Callable[..., None], make_study: Study, find: Find
) -> None:
    cortex = cortex_mask("fsLR32k").reshape(2, -1) & (np.arange(32492) % 3 == 0)
    axis = nib.cifti2.BrainModelAxis.from_mask(cortex[0], "cortex_left")
    axis += nib.cifti2.BrainModelAxis.from_mask(cortex[1], "cortex_right")
    axis += nib.cifti2.BrainModelAxis.from_mask(
        np.ones((4, 4, 4), bool), "thalamus_left", affine=np.eye(4)
    )
    units = cifti_units(axis, space="fsLR", density="91k")
    gradient = reference_map("gradient1", units)
    gradient[np.isnan(gradient)] = 0
    write_group(write, tmp_path, units, gradient, 3)
    (inputs,) = find(tmp_path)
    settings = dataclasses.replace(QUICK, n_swapped_rotations=0)
    folder = analyse(make_study(inputs, tmp_path, settings))
    row = main_row(table(folder, "spin"), "positive", "best")
    assert row.p < 0.01
    assert row.n_units <= cortex.sum()
    assert facts(folder)["spin"]["mesh"] == "fsLR32k"
    best = nib.load(
        next(folder.glob("*desc-gradientsbestlayerpositivelagsvggish_dseg.dlabel.nii"))
    )
    assert best.shape == (1, units.n_units)
    assert np.asarray(best.dataobj)[0, -64:].min() > 0
    assert "Default" in set(table(folder, "regions").roi)


def test_one_participant_works_with_warnings(
    tmp_path: Path,
    write: Callable[..., None],
    make_study: Study,
    find: Find,
    fsaverage5: UnitSpace,
    gradient: np.ndarray,
) -> None:
    write_group(write, tmp_path, fsaverage5, gradient, 1)
    (inputs,) = find(tmp_path)
    folder = analyse(make_study(inputs, tmp_path, QUICK))
    assert main_row(table(folder, "spin"), "positive", "best").p < 0.01
    assert not list(folder.glob("*stat-t_*")) + list(folder.glob("*consistent*_mask.func.gii"))
    tests = table(folder, "participanttest")
    assert tests.p.isna().all()
    content = facts(folder)
    assert content["sign_flips"] is None
    assert any(item["title"] == "Only one participant" for item in content["cautions"])


def test_spaces_without_a_sphere_have_maps_only(
    toy_group: Callable[..., Path], make_study: Study, find: Find
) -> None:
    output = toy_group(4)
    (inputs,) = find(output)
    folder = analyse(make_study(inputs, output, QUICK))
    assert list(folder.glob("*stat-t_desc-gradientspositivelags_statmap.func.gii"))
    assert not list(folder.glob("*desc-spin_stats.tsv"))
    content = facts(folder)
    assert content["spin"] is None
    assert any(item["title"] == "No spin tests" for item in content["cautions"])


def test_finer_fsaverage_is_read_at_the_vertices_of_fsaverage5(gradient: np.ndarray) -> None:
    from bidsapp.brain.spin_surface import find_cortex

    units = surface_units(40962, 40962, space="fsaverage6")
    cortex = find_cortex(units, mni305=False)
    assert cortex is not None
    values = np.arange(units.n_units, dtype=float)[None]
    carried = cortex.carry(values)[0]
    assert carried[0] == 0
    assert carried[10242] == 40962
    assert np.allclose(cortex.references(["gradient1"])[0].values, gradient, equal_nan=True)


def test_faithful_does_what_the_poster_did_and_says_so(
    tmp_path: Path, group: Path, make_study: Study, find: Find
) -> None:
    (inputs,) = find(
        group.parent,
        participant_label=(
            "01",
            "02",
        ),
    )
    settings = dataclasses.replace(GROUP_VARIANTS["faithful"], n_rotations=99)
    folder = analyse(make_study(inputs, tmp_path, settings, variant="faithful"))
    spin = table(folder, "spin")
    assert set(spin.statistic) == {"pearson"}
    assert set(spin.reference) == {"gradient1"}
    assert set(spin.direction) == {"reference rotated"}
    best = maps_of(folder, "hemi-?_*desc-gradientsbestlayernegativelagsvggish_dseg.label.gii")[0]
    mean = maps_of(folder, "hemi-?_*stat-r_desc-gradientsnegativelagsmean_statmap.func.gii")
    known = np.isfinite(mean).all(axis=0)
    assert np.array_equal(best[known], mean[:, known].argmax(axis=0) + 1)
    assert (mean[:, known] < 0).all(axis=0).any()
    titles = [item["title"] for item in facts(folder)["cautions"]]
    assert "Consistency over participants cannot be significant" in titles
    assert "Layer maps are not masked" in titles
    rows = {row["option"]: row for row in fidelity(settings, "faithful")}
    assert rows["spin_statistic"]["used"] == "pearson"
    assert rows["best_layer"]["paper"] == "argmax at each vertex"


def test_a_second_run_gives_the_same_bytes(
    tmp_path: Path, group: Path, make_study: Study, find: Find
) -> None:
    (inputs,) = find(group.parent)
    again = analyse(make_study(inputs, tmp_path, QUICK))
    for path in group.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name
