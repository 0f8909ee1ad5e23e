"""The items of a corpus whose embeddings are nearest to given ones.

Similarity is the cosine. The corpus is read once, in blocks of whole pieces, and each block is one
matrix product; no index structure is needed up to some million items.

Source: Denk et al. 2025, music retrieval and music reconstruction (section 3.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError

Floats = npt.NDArray[np.floating]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

NEAR_DUPLICATE = 0.99
"""Cosine to the stimulus's own embedding from which on an item counts as the stimulus itself."""
_BLOCK_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Nearest:
    """What was retrieved.

    Attributes
    ----------
    items
        (n_queries, n_nearest) position of each item in the corpus, best first; -1 where fewer
        pieces were left.
    similarity
        The same shape: cosine; NaN where there is no item.
    """

    items: Integers
    similarity: Singles


@dataclass(frozen=True, slots=True)
class Sources:
    """Retrieval from decoded embeddings between its upper and lower bound.

    Attributes
    ----------
    decoded
        Nearest items to the decoded embeddings.
    oracle
        Nearest items to the stimuli's own embeddings: what perfect decoding would retrieve.
    random
        Items of pieces drawn at random among those allowed.
    """

    decoded: Nearest
    oracle: Nearest
    random: Nearest


def nearest(
    queries: Floats,
    corpus: Floats,
    pieces: npt.NDArray[np.integer],
    n_nearest: int = 10,
    *,
    own: Floats | None = None,
    excluded: Sequence[Sequence[int]] | None = None,
    memory_bytes: int = _BLOCK_BYTES,
) -> Nearest:
    """Find the nearest items, at most one of each piece.

    Parameters
    ----------
    queries
        (n_queries, n_dimensions) embeddings, not all zero.
    corpus
        (n_items, n_dimensions) of any floating type, an array or a memory map; rows of length 0
        are never retrieved. Must be finite.
    pieces
        (n_items,) number of the piece that each item is a window of; items of a piece follow each
        other.
    n_nearest
        Pieces to retrieve for each query.
    own
        (n_queries, n_dimensions) embedding of the stimulus itself; items whose cosine to it
        exceeds `NEAR_DUPLICATE` are left out, and so is the whole of their piece.
    excluded
        Per query, numbers of pieces to leave out (the stimulus, the training set).
    memory_bytes
        Bound on a block of the corpus and its similarities; one piece at least is held.

    Returns
    -------
    Nearest
        Items of equal similarity in order of the corpus.

    Raises
    ------
    InputInvalidError
        Shapes do not fit, or a query is zero or not finite.
    """
    _check(queries, corpus, pieces, own, excluded)
    found, _ = _scan(queries, corpus, pieces, n_nearest, own, excluded, memory_bytes)
    return found


def retrieve(
    decoded: Floats,
    own: Floats,
    corpus: Floats,
    pieces: npt.NDArray[np.integer],
    *,
    excluded: Sequence[Sequence[int]],
    seed: int,
    n_nearest: int = 10,
    memory_bytes: int = _BLOCK_BYTES,
) -> Sources:
    """Retrieve from decoded embeddings, from the stimuli's own, and at random.

    Pieces left out are the same in all three: those in `excluded`, and near-duplicates of the
    stimulus.

    Parameters
    ----------
    decoded, own
        (n_clips, n_dimensions) decoded embedding and embedding of the stimulus itself.
    corpus, pieces, excluded, n_nearest, memory_bytes
        As `nearest` takes them.
    seed
        Of the random items.
    """

    def find(queries: Floats) -> Nearest:
        return nearest(
            queries,
            corpus,
            pieces,
            n_nearest,
            own=own,
            excluded=excluded,
            memory_bytes=memory_bytes,
        )

    twice = [*excluded, *excluded]
    queries, owns = np.vstack([decoded, own]), np.vstack([own, own])
    _check(queries, corpus, pieces, owns, twice)
    found, duplicates = _scan(queries, corpus, pieces, n_nearest, own, twice, memory_bytes)
    rng = np.random.Generator(np.random.Philox(key=[seed, 0]))
    firsts = np.flatnonzero(np.diff(pieces, prepend=-1))
    drawn: Integers = np.full((len(own), n_nearest), -1, np.int64)
    for clip, near in enumerate(duplicates):
        order = rng.permutation(firsts)
        forbidden = np.array([*near, *excluded[clip]], np.int64)
        taken = order[~np.isin(pieces[order], forbidden)][:n_nearest]
        drawn[clip, : len(taken)] = taken
    halves = zip(np.split(found.items, 2), np.split(found.similarity, 2), strict=True)
    first, second = (Nearest(*half) for half in halves)
    return Sources(first, second, Nearest(drawn, cosines(decoded, corpus, drawn)))


def cosines(queries: Floats, corpus: Floats, items: Integers) -> Singles:
    """Cosine of each query with chosen items, (n_queries, n); NaN where the item is -1."""
    values = np.full(items.shape, np.nan, np.float32)
    for row, (query, places) in enumerate(zip(_unit(queries), items, strict=True)):
        known = places >= 0
        if known.any():
            values[row, known] = _unit(corpus[places[known]]) @ query
    return values


def _scan(
    queries: Floats,
    corpus: Floats,
    pieces: npt.NDArray[np.integer],
    n_nearest: int,
    own: Floats | None,
    excluded: Sequence[Sequence[int]] | None,
    memory_bytes: int,
) -> tuple[Nearest, list[set[int]]]:
    """Read the corpus once; also return the pieces that hold near-duplicates, per row of `own`.

    Rows of `own` are those of the queries, which may be several times as many.
    """
    n = len(queries)
    near: list[set[int]] = [set() for _ in (() if own is None else own)]
    asked = _unit(queries) if own is None else np.vstack([_unit(queries), _unit(own)])
    places: Integers = np.empty((n, 0), np.int64)
    values: Singles = np.empty((n, 0), np.float32)
    for block, starts in _blocks(pieces, corpus.shape[1], len(asked), memory_bytes):
        items = np.asarray(corpus[block], np.float32)
        length = np.sqrt(np.einsum("ij,ij->i", items, items))
        if not np.isfinite(length).all():
            msg = f"items {block.start} to {block.stop - 1} of the corpus hold NaN; index it again"
            raise InputInvalidError(msg)
        similarity = asked @ items.T
        similarity /= np.where(length > 0, length, 1)
        similarity[:, length == 0] = -np.inf
        scores = similarity[:n]
        best = np.maximum.reduceat(scores, starts, axis=1)
        present = pieces[block][starts]
        if own is not None:
            same = np.maximum.reduceat(similarity[n:], starts, axis=1) > NEAR_DUPLICATE
            best[np.tile(same, (n // len(own), 1))] = -np.inf
            for row, piece in zip(*np.nonzero(same), strict=True):
                near[row].add(int(present[piece]))
        if excluded is not None:
            _leave_out(best, present, excluded)
        columns, largest = _largest(best, n_nearest)
        chosen = _first_best(scores, starts, columns) + block.start
        places = np.hstack([places, np.where(largest > -np.inf, chosen, -1)])
        values = np.hstack([values, largest])
        columns, values = _largest(values, n_nearest)
        places = np.take_along_axis(places, columns, 1)
    missing = ((0, 0), (0, max(0, n_nearest - values.shape[1])))
    places = np.pad(places, missing, constant_values=-1)
    similarity = np.pad(values, missing, constant_values=-np.inf)
    similarity[places < 0] = np.nan
    return Nearest(places, similarity), near


def _unit(rows: Floats) -> Singles:
    """Rows in single precision and of length 1; rows of zeros stay."""
    single = np.asarray(rows, np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", single, single))[:, None]
    unit: Singles = np.divide(single, np.where(length > 0, length, 1), dtype=np.float32)
    return unit


def _blocks(
    pieces: npt.NDArray[np.integer], n_dimensions: int, n_queries: int, memory_bytes: int
) -> Iterator[tuple[slice, Integers]]:
    """Cut the corpus into blocks of whole pieces, and name the first item of each within it."""
    firsts = np.flatnonzero(np.diff(pieces, prepend=-1))
    ends = np.append(firsts[1:], len(pieces))
    n_items = max(1, memory_bytes // (4 * (2 * n_dimensions + 3 * n_queries)))
    first = 0
    while first < len(firsts):
        last = int(np.searchsorted(ends, firsts[first] + n_items, side="right"))
        last = max(last, first + 1)
        block = slice(int(firsts[first]), int(ends[last - 1]))
        yield block, firsts[first:last] - firsts[first]
        first = last


def _leave_out(
    best: Singles, present: npt.NDArray[np.integer], excluded: Sequence[Sequence[int]]
) -> None:
    for row, numbers in enumerate(excluded):
        if len(numbers):
            best[row, np.isin(present, np.asarray(numbers))] = -np.inf


def _first_best(scores: Singles, starts: Integers, columns: Integers) -> Integers:
    """Within a block, the position of the first best item of chosen pieces."""
    ends = np.append(starts[1:], scores.shape[1])
    first = starts[columns]
    if len(starts) < scores.shape[1]:
        for (row, rank), piece in np.ndenumerate(columns):
            first[row, rank] += scores[row, starts[piece] : ends[piece]].argmax()
    return first


def _largest(values: Singles, n: int) -> tuple[Integers, Singles]:
    """Columns of the n largest values of each row, largest first; of equal ones, the first."""
    if values.shape[1] > n:
        limit = np.partition(values, -n, axis=1)[:, -n]
        kept = [np.flatnonzero(row >= low) for row, low in zip(values, limit, strict=True)]
    else:
        kept = [np.arange(values.shape[1])] * len(values)
    order = [
        columns[np.argsort(-row[columns], kind="stable")][:n]
        for row, columns in zip(values, kept, strict=True)
    ]
    index = np.array(order, np.int64).reshape(len(values), -1)
    return index, np.take_along_axis(values, index, 1)


def _check(
    queries: Floats,
    corpus: Floats,
    pieces: npt.NDArray[np.integer],
    own: Floats | None,
    excluded: Sequence[Sequence[int]] | None,
) -> None:
    """Refuse what does not fit together."""
    if queries.shape[1] != corpus.shape[1]:
        msg = (
            f"queries have {queries.shape[1]} dimensions, the corpus {corpus.shape[1]}; both must "
            f"be of one embedding"
        )
        raise InputInvalidError(msg)
    n_own = len(queries) if own is None else len(own)
    n_excluded = len(queries) if excluded is None else len(excluded)
    if len(pieces) != len(corpus) or n_own != len(queries) or n_excluded != len(queries):
        msg = (
            f"{len(queries)} queries with {n_own} own embeddings and {n_excluded} exclusions, "
            f"{len(corpus)} items with {len(pieces)} pieces; numbers must agree"
        )
        raise InputInvalidError(msg)
    if len(np.unique(pieces)) != np.count_nonzero(np.diff(pieces, prepend=-1)):
        msg = "items of one piece must follow each other in the corpus"
        raise InputInvalidError(msg)
    broken = ~np.isfinite(queries).all(axis=1) | ~queries.any(axis=1)
    if broken.any():
        msg = f"query {int(broken.argmax()) + 1} of {len(queries)} is zero or not finite"
        raise InputInvalidError(msg)
