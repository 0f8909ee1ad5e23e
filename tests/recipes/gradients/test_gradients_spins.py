"""Spin tests of layer maps: families, differences, hemispheres, and going on after a stop."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.spin_surface import Cortex, Reference
from bidsapp.brain.surfaces import sphere
from bidsapp.recipes.base import spins as module
from bidsapp.recipes.base.spins import LayerMap, SpinOptions, spin_maps
from bidsapp.recipes.gradients.settings import GROUP_VARIANTS, GradientsGroupSettings
from bidsapp.recipes.gradients.spin_tables import null_rows, spin_rows
from bidsapp.scratch import Scratch
from bidsapp.stats.spins.mesh import spin_indices
from bidsapp.stats.spins.rotations import haar_rotations

SETTINGS = GradientsGroupSettings(n_rotations=149, n_swapped_rotations=60)


def waves(units: UnitSpace, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sides = []
    for points in sphere(units):
        directions = 2.5 * rng.standard_normal((40, 3))
        sides.append(np.cos(points @ directions.T + rng.uniform(0, 7, 40)).sum(axis=1))
    return np.concatenate(sides)


@pytest.fixture(scope="module")
def cortex(fsaverage5: UnitSpace) -> Cortex:
    return Cortex(fsaverage5)


@pytest.fixture(scope="module")
def maps(fsaverage5: UnitSpace, cortex: Cortex, gradient: np.ndarray) -> list[LayerMap]:
    """Positive lags follow gradient 1, negative ones nothing; best layers are ordinal."""
    found = []
    for model in ("vggish", "baseline"):
        for lags, seed in (("positive", 1), ("negative", 2)):
            noise = waves(fsaverage5, seed + 10 * (model == "baseline"))
            target = gradient / np.nanstd(gradient) if lags == "positive" else 0 * gradient
            centroid = target + noise / noise.std()
            centroid[:300] = np.nan
            best = np.ceil(rankdata(centroid, nan_policy="omit") / len(centroid) * 6)
            found += [
                LayerMap(model, lags, "best", np.where(cortex.mask, best, np.nan)),
                LayerMap(model, lags, "centroid", np.where(cortex.mask, centroid, np.nan)),
            ]
    return found


def references(cortex: Cortex) -> tuple[Reference, ...]:
    return cortex.references(("gradient1", "gradient2"))


@pytest.fixture(scope="module")
def spins(
    cortex: Cortex, maps: list[LayerMap], tmp_path_factory: pytest.TempPathFactory
) -> module.Spins:
    folder = tmp_path_factory.mktemp("spins")
    return rotate(cortex, maps, references(cortex), SETTINGS, folder, 3)


def rotate(
    cortex: Cortex,
    maps: list[LayerMap],
    against: tuple[Reference, ...],
    settings: GradientsGroupSettings,
    folder: Path,
    seed: int,
) -> module.Spins:
    options = SpinOptions(
        settings.n_rotations, settings.n_swapped_rotations, settings.spin_statistic, seed
    )
    tested = [item for item in maps if item.lags == "positive"]
    controls = [item for item in maps if item.lags == "negative"]
    return spin_maps(cortex, tested, against, options, Scratch(folder), controls=controls)


def pick(rows: list[dict[str, Any]], **wanted: str) -> dict[str, Any]:
    (row,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return row


FIRST = {"reference": "gradient1", "direction": "reference rotated"}


def test_row_equals_a_plain_spin_test(
    spins: module.Spins, cortex: Cortex, maps: list[LayerMap], gradient: np.ndarray
) -> None:
    rows = list(spin_rows(spins, "vggish", SETTINGS))
    row = pick(rows, lags="positive", map="centroid", hemisphere="both", **FIRST)
    fixed = np.where(cortex.mask, maps[1].values, np.nan)
    x, y = (rankdata(values, nan_policy="omit") for values in (gradient, fixed))
    indices = spin_indices(cortex.mesh, haar_rotations(3, 0, 149))

    def r(turned: np.ndarray) -> float:
        good = np.isfinite(turned) & np.isfinite(y)
        return float(np.corrcoef(turned[good], y[good])[0, 1])

    null = np.array([r(x[index]) for index in indices])
    assert row["r"] == pytest.approx(r(x), abs=1e-9)
    assert row["r"] == pytest.approx(spearmanr(x, y, nan_policy="omit")[0], abs=0.01)
    assert row["p"] == pytest.approx((np.sum(np.abs(null) >= abs(r(x))) + 1) / 150)
    assert row["n_units"] == (np.isfinite(x) & np.isfinite(y)).sum()
    assert row["n_rotations"] == 149
    assert 0.5 < row["overlap_min"] <= row["overlap_median"] < 1
    table = list(null_rows(spins, "vggish"))
    assert len(table) == 149
    assert np.allclose([line["positive_centroid_gradient1"] for line in table], null)


def test_planted_found_and_unrelated_not(spins: module.Spins) -> None:
    rows = list(spin_rows(spins, "vggish", SETTINGS))
    for kind in ("best", "centroid"):
        common = {"map": kind, "hemisphere": "both", **FIRST}
        assert pick(rows, lags="positive", **common)["p_max"] < 0.01


def test_every_row_is_there_and_no_other(spins: module.Spins) -> None:
    rows = list(spin_rows(spins, "baseline", SETTINGS))
    keys = [
        tuple(row[key] for key in ("lags", "map", "reference", "hemisphere", "direction"))
        for row in rows
    ]
    assert len(set(keys)) == len(keys) == 2 * 2 * 3 + 2 * 2 + 2 * 2
    assert {key[4] for key in keys} == {"reference rotated", "map rotated"}
    assert len({tuple(row) for row in rows}) == 1


def test_family_is_the_networks_maps(spins: module.Spins) -> None:
    """p_max uses the largest correlation over both maps of the network and hemisphere."""
    null = spins.null
    for number, side in enumerate(("both", "L", "R")):
        columns = [number * 4 + k for k in range(2)]
        largest = np.abs(null.correlations[:, 0, 0, columns]).max(axis=1)
        observed = abs(null.observed[0, 0, columns[1]])
        row = pick(
            list(spin_rows(spins, "vggish", SETTINGS)),
            lags="positive",
            map="centroid",
            hemisphere=side,
            **FIRST,
        )
        assert row["p_max"] == pytest.approx((np.sum(largest >= observed) + 1) / 150)
        assert row["p_max"] >= row["p"]


def test_the_control_has_a_correlation_and_no_p(
    spins: module.Spins, cortex: Cortex, maps: list[LayerMap], gradient: np.ndarray
) -> None:
    row = pick(
        list(spin_rows(spins, "vggish", SETTINGS)), lags="negative", map="centroid", **FIRST
    )
    shared = cortex.mask & np.isfinite(maps[3].values) & np.isfinite(gradient)
    assert row["r"] == pytest.approx(spearmanr(gradient[shared], maps[3].values[shared])[0])
    assert row["hemisphere"] == "both"
    assert row["n_units"] == shared.sum()
    assert row["n_rotations"] == 0
    assert all(np.isnan(row[name]) for name in ("p", "p_low", "p_high", "p_max"))


def test_swapped_direction_has_the_same_correlation(spins: module.Spins) -> None:
    rows = list(spin_rows(spins, "vggish", SETTINGS))
    for reference in ("gradient1", "gradient2"):
        one, other = (
            pick(
                rows,
                lags="positive",
                map="centroid",
                hemisphere="both",
                reference=reference,
                direction=direction,
            )
            for direction in ("reference rotated", "map rotated")
        )
        assert one["r"] == pytest.approx(other["r"])
        assert other["n_rotations"] == 60


def test_hemispheres_see_their_own_side(
    spins: module.Spins, cortex: Cortex, maps: list[LayerMap], gradient: np.ndarray
) -> None:
    rows = list(spin_rows(spins, "vggish", SETTINGS))
    for side in "LR":
        row = pick(rows, lags="positive", map="centroid", hemisphere=side, **FIRST)
        here = (cortex.units.structure == side) & cortex.mask & np.isfinite(maps[1].values)
        assert row["n_units"] == here.sum()
        rho = spearmanr(gradient[here], maps[1].values[here])[0]
        assert row["r"] == pytest.approx(rho, abs=0.02)


def test_monotone_transforms_change_nothing(
    cortex: Cortex, maps: list[LayerMap], tmp_path: Path
) -> None:
    settings = dataclasses.replace(SETTINGS, n_rotations=40, n_swapped_rotations=0)
    bent = [dataclasses.replace(maps[1], values=np.exp(maps[1].values / 2))]
    results = [
        list(
            spin_rows(
                rotate(cortex, chosen, references(cortex), settings, tmp_path, 0),
                "vggish",
                settings,
            )
        )
        for chosen in (maps[1:2], bent)
    ]
    assert [row["p"] for row in results[0]] == [row["p"] for row in results[1]]


def test_faithful_is_pearson(cortex: Cortex, maps: list[LayerMap], tmp_path: Path) -> None:
    settings = dataclasses.replace(GROUP_VARIANTS["faithful"], n_rotations=20)
    found = rotate(cortex, maps[:4], references(cortex)[:1], settings, tmp_path, 0)
    row = next(spin_rows(found, "vggish", settings))
    good = np.isfinite(found.references[0].values) & np.isfinite(maps[0].values) & cortex.mask
    pearson = np.corrcoef(found.references[0].values[good], maps[0].values[good])[0, 1]
    assert row["statistic"] == "pearson"
    assert row["r"] == pytest.approx(pearson)
    assert found.swapped is None


class _StopError(Exception):
    pass


def test_resumed_work_is_identical(
    cortex: Cortex, maps: list[LayerMap], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is stopped after its first save goes on from there, to the same numbers."""
    settings = dataclasses.replace(SETTINGS, n_rotations=400, n_swapped_rotations=0)
    monkeypatch.setattr(module, "SAVE_EVERY", 2)

    def run(folder: Path) -> module.Spins:
        return rotate(cortex, maps[:2], references(cortex)[:1], settings, folder, 5)

    whole = run(tmp_path / "whole")
    real = module.track
    steps: list[int] = []

    def stopping(items: Any, **options: Any) -> Iterator[Any]:
        for number, item in enumerate(real(items, **options)):
            steps.append(item)
            if number == 4:
                raise _StopError
            yield item

    monkeypatch.setattr(module, "track", stopping)
    with pytest.raises(_StopError):
        run(tmp_path / "half")
    saved = list((tmp_path / "half").iterdir())
    assert len(saved) == 1
    assert len(np.load(saved[0])["correlations"]) == 4 * module.CHUNK
    steps.clear()
    resumed = run(tmp_path / "half")
    assert steps == [320, 384, 400]
    assert np.array_equal(resumed.null.correlations, whole.null.correlations)
    assert np.array_equal(resumed.null.overlap, whole.null.overlap)
    steps.clear()
    again = run(tmp_path / "half")
    assert steps == []
    assert np.array_equal(again.null.correlations, whole.null.correlations)


def test_broken_state_is_begun_again(cortex: Cortex, maps: list[LayerMap], tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, n_rotations=10, n_swapped_rotations=0)

    def run() -> module.Spins:
        return rotate(cortex, maps[:1], references(cortex)[:1], settings, tmp_path, 5)

    first = run()
    (state,) = tmp_path.iterdir()
    state.write_bytes(state.read_bytes()[:100])
    assert np.array_equal(run().null.correlations, first.null.correlations)
    state.write_bytes(b"")
    assert np.array_equal(run().null.correlations, first.null.correlations)


def test_other_settings_do_not_share_state(
    cortex: Cortex, maps: list[LayerMap], tmp_path: Path
) -> None:
    settings = dataclasses.replace(SETTINGS, n_rotations=10, n_swapped_rotations=0)
    for seed in (1, 2):
        rotate(cortex, maps[:1], references(cortex)[:1], settings, tmp_path, seed)
    assert len(list(tmp_path.iterdir())) == 2
