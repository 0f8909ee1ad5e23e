"""Retrieval by cosine: against brute force, with everything that must be left out."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.errors import InputInvalidError
from bidsapp.models.retrieval import NEAR_DUPLICATE, cosines, nearest, retrieve


def corpus(seed=0, n_pieces=40, n_dimensions=16):
    """Items in pieces of one to five windows."""
    rng = np.random.default_rng(seed)
    pieces = np.repeat(np.arange(n_pieces), rng.integers(1, 6, n_pieces))
    return rng.standard_normal((len(pieces), n_dimensions)), pieces, rng


def brute_force(queries, items, pieces, n, own=None, excluded=None):
    """One item and one query at a time."""

    def cosine(a, b):
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    result = []
    for row, query in enumerate(queries):
        best = {}
        for place, (item, piece) in enumerate(zip(items, pieces, strict=True)):
            if excluded is not None and piece in excluded[row]:
                continue
            value = cosine(query, item)
            if piece not in best or value > best[piece][0]:
                best[piece] = (value, place)
        if own is not None:
            for item, piece in zip(items, pieces, strict=True):
                if cosine(own[row], item) > NEAR_DUPLICATE:
                    best.pop(piece, None)
        ranked = sorted(best.values(), key=lambda pair: (-pair[0], pair[1]))[:n]
        ranked += [(np.nan, -1)] * (n - len(ranked))
        result.append(ranked)
    return np.array([[p for _, p in r] for r in result]), np.array(
        [[v for v, _ in r] for r in result]
    )


@pytest.mark.parametrize("memory_bytes", [1, 4000, 1 << 26])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_nearest_is_brute_force_in_any_blocks(memory_bytes, dtype):
    items, pieces, rng = corpus()
    items = items.astype(dtype)
    queries = rng.standard_normal((7, 16))
    own = items[rng.integers(0, len(items), 7)].astype(float) + 0.01
    excluded = [rng.choice(40, 5, replace=False).tolist() for _ in range(7)]
    found = nearest(
        queries, items, pieces, 6, own=own, excluded=excluded, memory_bytes=memory_bytes
    )
    places, values = brute_force(queries, items.astype(float), pieces, 6, own, excluded)
    np.testing.assert_array_equal(found.items, places)
    np.testing.assert_allclose(found.similarity, values, atol=1e-6)
    assert found.similarity.dtype == np.float32


def test_the_stimulus_itself_is_not_retrieved_unless_it_may_be():
    items, pieces, rng = corpus(1)
    copy = items[pieces == 7][0]
    query = 3 * copy + 0.05 * rng.standard_normal(16)
    first = nearest(query[None], items, pieces, 1).items[0, 0]
    assert pieces[first] == 7
    for left_out in ({"own": copy[None]}, {"excluded": [[7]]}):
        places = nearest(query[None], items, pieces, 40, **left_out).items[0]
        assert 7 not in pieces[places[places >= 0]]
        assert np.count_nonzero(places >= 0) == 39


def test_equal_items_come_in_the_order_of_the_corpus():
    items = np.tile(np.eye(4)[:1], (30, 1))
    items[20:] = np.eye(4)[1]
    pieces = np.arange(30)
    for memory_bytes in (1, 900, 1 << 20):
        places = nearest(np.eye(4)[:1], items, pieces, 5, memory_bytes=memory_bytes).items
        np.testing.assert_array_equal(places[0], np.arange(5))


def test_fewer_pieces_than_asked_for_and_rows_of_zeros():
    items, pieces, _ = corpus(2, n_pieces=3)
    items[pieces == 1] = 0
    found = nearest(np.ones((1, 16)), items, pieces, 5)
    assert set(pieces[found.items[0, :2]]) == {0, 2}
    np.testing.assert_array_equal(found.items[0, 2:], -1)
    assert np.isnan(found.similarity[0, 2:]).all()
    everything = nearest(np.ones((1, 16)), items, pieces, 2, excluded=[[0, 1, 2]])
    np.testing.assert_array_equal(everything.items, -1)


def test_decoding_lies_between_random_and_oracle():
    items, pieces, rng = corpus(3, n_pieces=200)
    own = rng.standard_normal((30, 16))
    decoded = own + 1.0 * rng.standard_normal((30, 16))
    excluded = [[i] for i in range(30)]
    sources = retrieve(decoded, own, items, pieces, excluded=excluded, seed=0, n_nearest=3)
    close = {
        name: cosines(own, items, getattr(sources, name).items[:, :1]).mean()
        for name in ("decoded", "oracle", "random")
    }
    assert close["random"] + 0.2 < close["decoded"] < close["oracle"] - 0.05
    assert abs(close["random"]) < 0.15
    for found in (sources.decoded, sources.oracle, sources.random):
        for row, places in enumerate(found.items):
            assert row not in pieces[places]
            assert len(set(pieces[places])) == 3
    again = retrieve(decoded, own, items, pieces, excluded=excluded, seed=0, n_nearest=3)
    other = retrieve(decoded, own, items, pieces, excluded=excluded, seed=1, n_nearest=3)
    np.testing.assert_array_equal(sources.random.items, again.random.items)
    assert (sources.random.items != other.random.items).mean() > 0.9
    expected = cosines(decoded, items, sources.random.items)
    np.testing.assert_array_equal(sources.random.similarity, expected)


def test_random_pieces_are_all_equally_likely_and_no_duplicates():
    items, pieces, _ = corpus(4, n_pieces=10)
    own = np.tile(items[pieces == 4][0], (3000, 1))
    excluded = [[2]] * 3000
    drawn = retrieve(own, own, items, pieces, excluded=excluded, seed=5, n_nearest=1).random.items
    counts = np.bincount(pieces[drawn[:, 0]], minlength=10)
    assert counts[2] == counts[4] == 0
    others = np.delete(counts, [2, 4])
    assert ((others - 375) ** 2 / 375).sum() < 24.3  # chi-square, 7 degrees of freedom, p = .001


def test_what_does_not_fit_is_refused():
    items, pieces, _ = corpus(6)
    query = np.ones((2, 16))
    with pytest.raises(InputInvalidError, match="8 dimensions, the corpus 16"):
        nearest(query[:, :8], items, pieces)
    with pytest.raises(InputInvalidError, match="numbers must agree"):
        nearest(query, items, pieces[:-1])
    with pytest.raises(InputInvalidError, match="numbers must agree"):
        nearest(query, items, pieces, excluded=[[1]])
    with pytest.raises(InputInvalidError, match="follow each other"):
        nearest(query, items, np.arange(len(items)) % 7)
    with pytest.raises(InputInvalidError, match="query 2 of 2 is zero"):
        nearest(np.array([[1.0] * 16, [0.0] * 16]), items, pieces)
    items[3, 3] = np.nan
    with pytest.raises(InputInvalidError, match="corpus hold NaN"):
        nearest(query, items, pieces)
