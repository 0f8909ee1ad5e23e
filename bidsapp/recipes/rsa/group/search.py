"""The searchlights of all participants, slab by slab; finished slabs are kept and found again.

A slab is a fixed number of consecutive centres. Only the columns of its members are in memory,
and a slab that would need too much is halved; neither changes a number. Each slab is written at
once when it is done, in a folder named by everything it depends on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import Comparison, Dissimilarity
from bidsapp.models.searchlight import (
    ClipNull,
    ModelTable,
    clip_null,
    group_searchlight,
    model_table,
)
from bidsapp.recipes.rsa.slabs import run_slabs

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GroupSearch:
    """What all slabs share.

    Attributes
    ----------
    datasets
        One array (n_items, n_units) per participant, mapped from disk.
    models
        (n_models, n_pairs) of all networks.
    families
        Rows of `models` whose maximum is tested: one slice per network.
    nuisance
        (n_nuisance, n_pairs).
    pairs
        (n_pairs,) those that are compared.
    clip
        (n_items,).
    permutations
        (n_perm, n_clips), the same for all participants; none for no test.
    each
        Whether the expected maximum over layers of each participant is wanted.
    dissimilarity, comparison
        As in `bidsapp.models.searchlight`.
    n_threads, memory_bytes
        Searchlights at a time; what the columns of a slab may take.
    """

    datasets: Sequence[NDArray[np.float32]]
    models: Floats
    families: Sequence[slice]
    nuisance: Floats
    pairs: NDArray[np.bool_]
    clip: NDArray[np.int64]
    permutations: NDArray[np.int64]
    each: bool
    dissimilarity: Dissimilarity
    comparison: Comparison
    n_threads: int
    memory_bytes: int

    @cached_property
    def score_table(self) -> ModelTable:
        """All models, ranked once."""
        return self._table(slice(None))

    @cached_property
    def null_tables(self) -> list[ModelTable]:
        """The families, ranked once."""
        return [self._table(family) for family in self.families]

    def _table(self, rows: slice) -> ModelTable:
        """Rank some models and the nuisance RDMs on the pairs that count."""
        return model_table(
            self.models[rows],
            pairs=self.pairs,
            nuisance=self.nuisance if len(self.nuisance) else None,
            comparison=self.comparison,
        )


@dataclass(frozen=True, eq=False)
class GroupFound:
    """Scores of centres.

    Attributes
    ----------
    rho
        (n_participants, n_models, n_centres) given the nuisance RDMs, if there are any.
    ceiling_lower, ceiling_upper
        (n_centres,).
    observed
        (n_models, n_centres) mean over the participants that have an RDM.
    exceed
        (n_models, n_centres) permutations that reach it.
    maximum
        (n_families, n_perm) largest permuted score over the family and these centres.
    expected
        (n_families, n_centres) mean over permutations of the largest score over the family.
    expected_each
        (n_families, n_centres) mean over participants of what the largest of their own scores
        is on average over permutations; NaN unless asked for.
    """

    rho: NDArray[np.float32]
    ceiling_lower: Floats
    ceiling_upper: Floats
    observed: Floats
    exceed: NDArray[np.int64]
    maximum: Floats
    expected: Floats
    expected_each: Floats


def run_group_search(
    search: GroupSearch,
    searchlights: Neighbourhoods,
    folder: Path,
    *,
    label: str,
    quiet: bool,
    slab: int | None = None,
) -> GroupFound:
    """Score all centres, taking finished slabs from `folder`.

    Parameters
    ----------
    search
        Patterns and models.
    searchlights
        Centres and members.
    folder
        Of finished slabs.
    label, quiet
        Of the progress bar.
    slab
        Centres of a slab; never changes a result.

    Returns
    -------
    GroupFound
        Of all centres, in their order.
    """
    parts = run_slabs(
        searchlights,
        folder,
        partial(search_slab, search),
        GroupFound,
        label=label,
        quiet=quiet,
        size=slab,
    )
    return _join(parts)


def search_slab(search: GroupSearch, part: Neighbourhoods) -> GroupFound:
    """Score some centres, in halves if their columns need too much memory.

    Parameters
    ----------
    search
        Patterns and models.
    part
        Centres and members.
    """
    columns, members = np.unique(part.members, return_inverse=True)
    n_bytes = 4 * columns.size * sum(len(data) for data in search.datasets)
    if n_bytes > search.memory_bytes and part.n_centres > 1:
        middle = part.n_centres // 2
        halves = slice(0, middle), slice(middle, part.n_centres)
        return _join([search_slab(search, part.subset(half)) for half in halves])
    local = replace(part, members=members.astype(np.int32))
    datasets = [np.asarray(data[:, columns]) for data in search.datasets]
    return _search_local(search, datasets, local)


def _search_local(
    search: GroupSearch, datasets: Sequence[NDArray[np.float32]], part: Neighbourhoods
) -> GroupFound:
    scores = group_searchlight(
        datasets,
        part,
        search.score_table,
        dissimilarity=search.dissimilarity,
        compare=search.comparison,
        n_threads=search.n_threads,
    )
    rho = scores.rho if scores.partial is None else scores.partial
    n_families, n_centres, n_perm = len(search.families), part.n_centres, len(search.permutations)
    observed = _mean(rho)
    exceed = np.zeros(observed.shape, dtype=np.int64)
    maximum = np.full((n_families, n_perm), np.nan)
    expected, each = np.full((2, n_families, n_centres), np.nan)
    for number, (family, table) in enumerate(
        zip(search.families, search.null_tables, strict=True) if n_perm else ()
    ):
        null = _null(search, datasets, part, table)
        observed[family], exceed[family] = null.observed, null.exceed_count
        maximum[number], expected[number] = null.maximum, null.expected_max_over_models
        if search.each:
            singles = [_null(search, [data], part, table) for data in datasets]
            each[number] = _mean(np.stack([one.expected_max_over_models for one in singles]))
    return GroupFound(
        rho.astype(np.float32),
        scores.ceiling_lower,
        scores.ceiling_upper,
        observed,
        exceed,
        maximum,
        expected,
        each,
    )


def _null(
    search: GroupSearch,
    datasets: Sequence[NDArray[np.float32]],
    part: Neighbourhoods,
    table: ModelTable,
) -> ClipNull:
    """Permute clips, the same way for all participants, and average correlations."""
    return clip_null(
        datasets,
        part,
        table,
        search.clip,
        search.permutations,
        dissimilarity=search.dissimilarity,
        compare=search.comparison,
        n_threads=search.n_threads,
    )


def _mean(values: Floats) -> Floats:
    """Mean over the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    n = known.sum(axis=0)
    return np.where(n > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(n, 1), np.nan)


def _join(parts: Sequence[GroupFound]) -> GroupFound:
    """Put centres side by side; of maxima take the larger."""
    joined = {
        item.name: np.concatenate([getattr(part, item.name) for part in parts], axis=-1)
        for item in fields(GroupFound)
        if item.name != "maximum"
    }
    return GroupFound(**joined, maximum=np.fmax.reduce([part.maximum for part in parts]))
