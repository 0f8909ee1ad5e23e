"""The searchlight itself, slab by slab; finished slabs are kept and found again.

A slab is a fixed number of consecutive centres. Each is written at once when it is done, in a
folder named by everything it depends on, so that an analysis that was stopped goes on where it
was and ends with the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.searchlight import (
    ModelTable,
    SearchlightScores,
    clip_null,
    model_table,
    searchlight_rsa,
)
from bidsapp.recipes.rsa.settings import RsaSettings
from bidsapp.recipes.rsa.slabs import run_slabs

MODEL_BYTES = 64
"""Memory for each pair of a model while it is ranked."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Search:
    """What all slabs share.

    Attributes
    ----------
    data
        (n_items, n_units), or (n_folds, n_items, n_units) for crossnobis.
    models
        (n_models, n_pairs) RDMs to compare: those that are tested, that of time, the controls.
    families
        Rows of `models` whose maximum is tested: one slice per network, from the first row on.
    nuisance
        (n_nuisance, n_pairs).
    pairs
        (n_pairs,) those that are compared.
    clip
        (n_items,).
    permutations
        (n_perm, n_clips); none for no test.
    settings
        ``dissimilarity`` and ``comparison``.
    device, n_threads
        Where, and how many at a time.
    memory_bytes
        Bound on the controls that are compared together; never changes a result.
    """

    data: NDArray[np.float32]
    models: Floats
    families: Sequence[slice]
    nuisance: Floats
    pairs: NDArray[np.bool_]
    clip: NDArray[np.int64]
    permutations: NDArray[np.int64]
    settings: RsaSettings
    device: str
    n_threads: int
    memory_bytes: int

    @property
    def n_tested(self) -> int:
        """Models that are tested."""
        return int(self.families[-1].stop)

    @cached_property
    def null_tables(self) -> list[ModelTable]:
        """The families, ranked once."""
        return [self.table(family) for family in self.families]

    @cached_property
    def score_table(self) -> ModelTable:
        """What is tested, and time, ranked once."""
        return self.table(slice(0, self.n_tested + 1))

    @cached_property
    def _control_table(self) -> ModelTable:
        return self.table(slice(self.n_tested + 1, len(self.models)))

    def control_tables(self) -> Iterator[ModelTable]:
        """Yield the controls, as many at once as the memory allows."""
        rows = self.control_rows()
        if len(rows) == 1:
            yield self._control_table
        else:
            yield from map(self.table, rows)

    def table(self, rows: slice) -> ModelTable:
        """Rank some models and the nuisance RDMs on the pairs that count."""
        nuisance = self.nuisance if len(self.nuisance) else None
        return model_table(
            self.models[rows],
            pairs=self.pairs,
            nuisance=nuisance,
            comparison=self.settings.comparison,
        )

    def control_rows(self) -> list[slice]:
        """Rows of the controls, as many at once as the memory allows."""
        first, last = self.n_tested + 1, len(self.models)
        size = max(1, self.memory_bytes // (MODEL_BYTES * self.models.shape[1]))
        return [slice(start, min(start + size, last)) for start in range(first, last, size)]


@dataclass(frozen=True, eq=False)
class Found:
    """Scores of centres.

    Attributes
    ----------
    score, raw
        (n_tested, n_centres) with and without removal of nuisance RDMs.
    lag
        (1, n_centres) comparison with the time between items, nothing removed.
    controls
        (n_controls, n_centres) scores of models that are not tested.
    n_members
        (1, n_centres) members with data.
    exceed
        (n_tested, n_centres) permutations that reach the score.
    maximum
        (n_families, n_perm) largest permuted score over the family and these centres.
    expected
        (n_families, n_centres) mean over permutations of the largest score over the family.
    """

    score: Floats
    raw: Floats
    lag: Floats
    controls: NDArray[np.float32]
    n_members: NDArray[np.float64]
    exceed: NDArray[np.int64]
    maximum: Floats
    expected: Floats


def run_search(
    search: Search,
    searchlights: Neighbourhoods,
    folder: Path,
    *,
    label: str,
    quiet: bool,
    slab: int | None = None,
) -> Found:
    """Score all centres, taking finished slabs from `folder`.

    Parameters
    ----------
    search
        Data and models.
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
    Found
        Of all centres, in their order.
    """
    parts = run_slabs(
        searchlights,
        folder,
        partial(search_slab, search),
        Found,
        label=label,
        quiet=quiet,
        size=slab,
    )
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=1)
        for name in vars(parts[0])
        if name != "maximum"
    }
    return Found(**joined, maximum=np.fmax.reduce([part.maximum for part in parts]))


def search_slab(search: Search, part: Neighbourhoods) -> Found:
    """Score some centres.

    Parameters
    ----------
    search
        Data and models.
    part
        Centres and members.
    """
    settings = search.settings

    def compare(table: ModelTable) -> SearchlightScores:
        return searchlight_rsa(
            search.data,
            part,
            table,
            dissimilarity=settings.dissimilarity,
            compare=settings.comparison,
            device=search.device,
            n_threads=search.n_threads,
        )

    n_tested, n_centres, n_perm = search.n_tested, part.n_centres, len(search.permutations)
    exceed = np.zeros((n_tested, n_centres), dtype=np.int64)
    maximum = np.full((len(search.families), n_perm), np.nan)
    expected = np.full((len(search.families), n_centres), np.nan)
    for number, family in enumerate(search.families if n_perm else ()):
        null = clip_null(
            [search.data],
            part,
            search.null_tables[number],
            search.clip,
            search.permutations,
            dissimilarity=settings.dissimilarity,
            compare=settings.comparison,
            n_threads=search.n_threads,
        )
        exceed[family] = null.exceed_count
        maximum[number], expected[number] = null.maximum, null.expected_max_over_models
    scores = compare(search.score_table)
    controls = [np.empty((0, n_centres), dtype=np.float32)]
    controls += [_given(compare(table)).astype(np.float32) for table in search.control_tables()]
    return Found(
        score=_given(scores)[:n_tested],
        raw=scores.rho[:n_tested],
        lag=scores.rho[n_tested:],
        controls=np.concatenate(controls),
        n_members=scores.n_members[None].astype(np.float64),
        exceed=exceed,
        maximum=maximum,
        expected=expected,
    )


def _given(scores: SearchlightScores) -> Floats:
    """Scores given the nuisance RDMs, if there are any."""
    return scores.rho if scores.partial is None else scores.partial
