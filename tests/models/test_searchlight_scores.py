from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from bidsapp.errors import InputInvalidError
from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import compare, midranks, partial_compare, rdm
from bidsapp.models.searchlight import patterns as patterns_module
from bidsapp.models.searchlight import searchlight_rsa
from bidsapp.models.searchlight.devices import inner_products_on
from bidsapp.models.searchlight.patterns import eight_bit_products_are_exact
from bidsapp.models.searchlight.scores import inner_products
from bidsapp.models.searchlight.sorting import sorted_ranks
from bidsapp.models.searchlight.table import model_table

Array = npt.NDArray[Any]
N_ITEMS, N_UNITS = 26, 90
N_PAIRS = N_ITEMS * (N_ITEMS - 1) // 2


def searchlights(rng: np.random.Generator, n: int, sizes: tuple[int, int]) -> Neighbourhoods:
    members = [
        rng.choice(N_UNITS, rng.integers(*sizes, endpoint=True), replace=False) for _ in range(n)
    ]
    return Neighbourhoods.from_lists(members, np.arange(n), np.full(n, np.nan))


def patterns(kind: str, rng: np.random.Generator) -> Array:
    data = rng.standard_normal((N_ITEMS, N_UNITS)).astype(np.float32)
    if kind == "tied":
        return np.round(data * 1.5).astype(np.float32)
    if kind == "few ties":
        data[3], data[7, 40:] = np.round(data[3]), data[7, :50]
        data[11, ::7] = 0.25
    if kind == "constant":
        data[:, rng.choice(N_UNITS, 30, replace=False)] = 0
    return data


def model_rdms(rng: np.random.Generator, n: int = 3) -> Array:
    models = rng.standard_normal((n, N_PAIRS))
    models[-1] = np.round(models[-1])
    return models


@pytest.mark.parametrize("kind", ["random", "few ties", "tied", "constant"])
def test_equals_scipy_spearman_of_spearman(kind: str) -> None:
    rng = np.random.default_rng(1)
    data, models = patterns(kind, rng), model_rdms(rng)
    units = searchlights(rng, 12, (8, 40))
    pairs = rng.random(N_PAIRS) < 0.7
    for mask in (None, pairs):
        found = searchlight_rsa(data, units, models, pairs=mask)
        kept = slice(None) if mask is None else mask
        for i in range(units.n_centres):
            block = spearmanr(data[:, units.of(i)], axis=1).statistic
            brain = (1 - block)[np.triu_indices(N_ITEMS, 1)].round(13)
            for j, model in enumerate(models):
                expected = spearmanr(brain[kept], model[kept]).statistic
                assert found.rho[j, i] == pytest.approx(expected, abs=1e-12)
    assert found.partial is None


@pytest.mark.parametrize("size", [130, 380])
def test_searchlights_of_many_units(size: int) -> None:
    rng = np.random.default_rng(2)
    data = rng.standard_normal((8, 400)).astype(np.float32)
    models = rng.standard_normal((2, 28))
    members = np.sort(rng.choice(400, size, replace=False))
    units = Neighbourhoods.from_lists([members], [0], [1.0])
    brain = (1 - spearmanr(data[:, members], axis=1).statistic)[np.triu_indices(8, 1)].round(13)
    expected = [spearmanr(brain, model).statistic for model in models]
    np.testing.assert_allclose(
        searchlight_rsa(data, units, models).rho[:, 0], expected, atol=1e-12
    )


@pytest.mark.parametrize("dissimilarity", ["spearman", "pearson", "euclid", "crossnobis"])
@pytest.mark.parametrize("comparison", ["spearman", "pearson", "rho-a"])
def test_agrees_with_the_definitions(dissimilarity: Any, comparison: Any) -> None:
    rng = np.random.default_rng(3)
    folds = rng.standard_normal((3, N_ITEMS, N_UNITS)).astype(np.float32)
    data = folds if dissimilarity == "crossnobis" else folds[0]
    models, units = model_rdms(rng), searchlights(rng, 6, (5, 20))
    pairs = rng.random(N_PAIRS) < 0.8
    nuisance = None if comparison == "rho-a" else rng.standard_normal((2, N_PAIRS))
    found = searchlight_rsa(
        data,
        units,
        models,
        pairs=pairs,
        nuisance=nuisance,
        dissimilarity=dissimilarity,
        compare=comparison,
    )
    for i in range(units.n_centres):
        brain = rdm(folds[0][:, units.of(i)], dissimilarity, folds=folds[:, :, units.of(i)])
        for j, model in enumerate(models):
            expected = compare(brain, model, comparison, pairs)
            assert found.rho[j, i] == pytest.approx(expected, abs=1e-12)
            if nuisance is not None:
                assert found.partial is not None
                partial = partial_compare(brain, model, nuisance, comparison, pairs)
                assert found.partial[j, i] == pytest.approx(partial, abs=1e-10)


@pytest.mark.parametrize("kind", ["random", "few ties", "tied"])
def test_numerators_do_not_depend_on_threads_chunks_or_device(kind: str) -> None:
    rng = np.random.default_rng(4)
    data, units = patterns(kind, rng), searchlights(rng, 40, (2, 60))
    table = model_table(model_rdms(rng), nuisance=rng.standard_normal((1, N_PAIRS)))
    one = inner_products(data, units, table, "spearman", chunk=40)
    others = [
        inner_products(data, units, table, "spearman", chunk=7, n_threads=2),
        inner_products(data, units, table, "spearman", n_threads=2),
        inner_products_on("cpu", data, units, table, "spearman", batch=9),
    ]
    assert one.rows.dtype == np.int64
    for other in others:
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.squares, other.squares)
        np.testing.assert_array_equal(one.n_members, other.n_members)


@pytest.mark.parametrize("dissimilarity", ["spearman", "pearson", "euclid", "crossnobis"])
@pytest.mark.parametrize("comparison", ["spearman", "pearson"])
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
        ),
    ],
)
def test_torch_route_agrees(device: str, dissimilarity: Any, comparison: Any) -> None:
    rng = np.random.default_rng(5)
    folds = rng.standard_normal((2, N_ITEMS, N_UNITS)).astype(np.float32)
    folds[..., :4] = 2
    folds[0, 3, 4] = np.nan
    data = folds if dissimilarity == "crossnobis" else folds[0]
    members: list[Any] = [
        [0, 1, 2],
        [4],
        [5, 6, 7],
        *(rng.choice(N_UNITS, 9, replace=False) for _ in range(9)),
    ]
    units = Neighbourhoods.from_lists(members, np.zeros(12), np.zeros(12))
    table = model_table(model_rdms(rng), comparison=comparison)
    ours = inner_products(data, units, table, dissimilarity)
    other = inner_products_on(device, data, units, table, dissimilarity)
    np.testing.assert_allclose(
        table.scores(other.rows, other.squares), table.scores(ours.rows, ours.squares), atol=1e-9
    )
    assert (ours.squares[:2] == 0).all()


def test_what_has_no_rdm_is_nan() -> None:
    rng = np.random.default_rng(6)
    data, models = patterns("random", rng), model_rdms(rng)
    data[:, :10] = 3.7
    data[:, 10:20] = rng.standard_normal(10)
    data[4, 20:25] = 1
    data[2, 30] = np.nan
    members = [range(10), range(10, 20), range(20, 25), [30], [], [30, 41, 42, 43], [41, 42, 43]]
    units = Neighbourhoods.from_lists([list(m) for m in members], range(7), range(7))
    for dissimilarity in ("spearman", "pearson"):
        found = searchlight_rsa(data, units, models, dissimilarity=dissimilarity)
        assert np.isnan(found.rho[:, :5]).all()
        assert np.isfinite(found.rho[:, 5:]).all()
        np.testing.assert_array_equal(found.rho[:, 5], found.rho[:, 6])
        assert found.n_members.tolist() == [10, 10, 5, 0, 0, 3, 3]
    euclid = searchlight_rsa(data, units, models, dissimilarity="euclid")
    assert np.isnan(euclid.rho[:, [0, 1, 3, 4]]).all()
    models[0, 3] = np.nan
    models[1] = 1
    found = searchlight_rsa(data, units, models)
    assert np.isnan(found.rho[:2]).all()
    assert np.isfinite(found.rho[2, 5:]).all()


def test_nuisance_that_explains_a_model_leaves_nan() -> None:
    rng = np.random.default_rng(7)
    data, models = patterns("random", rng), model_rdms(rng, 2)
    nuisance = np.stack([models[0], np.ones(N_PAIRS), models[0] ** 3])
    found = searchlight_rsa(data, searchlights(rng, 4, (9, 9)), models, nuisance=nuisance)
    assert found.partial is not None
    assert np.isnan(found.partial[0]).all()
    assert np.isfinite(found.partial[1]).all()


def test_planted_geometry_is_found_and_noise_is_not() -> None:
    rng = np.random.default_rng(8)
    latent = rng.standard_normal((N_ITEMS, 4))
    data = rng.standard_normal((N_ITEMS, N_UNITS))
    data[:, :40] += latent @ rng.standard_normal((4, 40))
    model = pdist(latent)
    members = [rng.choice(40, 20, replace=False) for _ in range(20)]
    members += [40 + rng.choice(50, 20, replace=False) for _ in range(20)]
    units = Neighbourhoods.from_lists(members, range(40), range(40))
    rho = searchlight_rsa(data, units, model[None]).rho[0]
    assert rho[:20].min() > 0.3
    assert abs(rho[20:].mean()) < 0.1


@pytest.mark.parametrize("route", [inner_products, partial(inner_products_on, "cpu")])
def test_correlation_needs_members(route: Any) -> None:
    rng = np.random.default_rng(12)
    data, table = patterns("random", rng), model_table(model_rdms(rng))
    pair = Neighbourhoods.from_lists([[3, 8]], [0], [0.0])
    assert route(data, pair, table, "pearson").squares == 0
    assert route(data, pair, table, "spearman").squares > 0
    assert route(data, pair, table, "euclid").squares > 0


@pytest.mark.parametrize("n_items", [63, 150])
@pytest.mark.parametrize("eight_bit", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_panels_of_the_upper_triangle(
    n_items: int, eight_bit: bool, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = eight_bit_products_are_exact()
    monkeypatch.setattr(patterns_module, "eight_bit_products_are_exact", lambda: eight_bit & exact)
    rng = np.random.default_rng(13)
    n_pairs = n_items * (n_items - 1) // 2
    data = rng.standard_normal((n_items, 60)).astype(np.float32)
    data[::20, 1] = data[::20, 0]
    units = Neighbourhoods.from_lists([np.arange(60)], [0], [0.0])
    models = rng.standard_normal((3, n_pairs))
    clip = np.arange(n_items) // 10
    row, column = np.triu_indices(n_items, 1)
    pairs = clip[row] != clip[column] if masked else np.ones(n_pairs, dtype=bool)
    brain = midranks(rdm(data, "spearman")[pairs])
    found = inner_products(data, units, model_table(models, pairs=pairs), "spearman")
    np.testing.assert_array_equal(found.rows[0], midranks(models[:, pairs]) @ brain)
    assert found.squares[0] == brain @ brain


def test_negative_zero_equals_zero() -> None:
    rng = np.random.default_rng(14)
    data, table = patterns("random", rng), model_table(model_rdms(rng))
    units = Neighbourhoods.from_lists([np.arange(9)], [0], [0.0])
    data[:2, :2] = 0
    one = inner_products(data, units, table, "spearman")
    data[:2, 0] = -0.0
    other = inner_products(data, units, table, "spearman")
    np.testing.assert_array_equal(one.rows, other.rows)


def test_slabs_and_progress() -> None:
    rng = np.random.default_rng(9)
    data, models, units = patterns("random", rng), model_rdms(rng), searchlights(rng, 20, (5, 9))
    done: list[int] = []
    whole = searchlight_rsa(data, units, models, progress=done.append)
    parts = [searchlight_rsa(data, slab, models).rho for _, slab in units.slabs(6)]
    np.testing.assert_array_equal(whole.rho, np.concatenate(parts, axis=1))
    assert sum(done) == 20


@pytest.mark.parametrize("spread", ["normal", "one outlier", "few values", "tiny"])
def test_sorted_ranks_of_any_values(spread: str) -> None:
    rng = np.random.default_rng(10)
    values = rng.standard_normal(3000)
    if spread == "one outlier":
        values[5] = 1e12
    if spread == "few values":
        values = np.round(values)
    if spread == "tiny":
        values *= 1e-310
    out = np.empty(values.size, dtype=np.int32)
    square = sorted_ranks(values, out)
    np.testing.assert_array_equal(out, midranks(values))
    assert square == (midranks(values) ** 2).sum()


def test_misfits_are_refused() -> None:
    rng = np.random.default_rng(11)
    data, models, units = patterns("random", rng), model_rdms(rng), searchlights(rng, 2, (5, 9))
    with pytest.raises(InputInvalidError, match="models of 26 items"):
        searchlight_rsa(data[:-1], units, models)
    with pytest.raises(InputInvalidError, match="no upper triangle"):
        searchlight_rsa(data, units, models[:, :-1])
    with pytest.raises(InputInvalidError, match="pairs of items count"):
        searchlight_rsa(data, units, models, pairs=np.zeros(N_PAIRS, dtype=bool))
    with pytest.raises(InputInvalidError, match="one flag per pair"):
        searchlight_rsa(data, units, models, pairs=np.ones(3, dtype=bool))
    with pytest.raises(InputInvalidError, match="have NaN"):
        searchlight_rsa(data, units, models, nuisance=np.full((1, N_PAIRS), np.nan))
    with pytest.raises(InputInvalidError, match="no partial form"):
        searchlight_rsa(data, units, models, nuisance=models, compare="rho-a")
    table = model_table(models)
    with pytest.raises(InputInvalidError, match="when the table is prepared"):
        searchlight_rsa(data, units, table, nuisance=models)
    with pytest.raises(InputInvalidError, match="compared by spearman"):
        searchlight_rsa(data, units, table, compare="pearson")
    with pytest.raises(InputInvalidError, match="crossnobis"):
        searchlight_rsa(data, units, models, dissimilarity="crossnobis")
