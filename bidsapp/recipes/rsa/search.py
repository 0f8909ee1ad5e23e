"""The searchlights of one participant or of a group, slab by slab.

A slab is a fixed number of consecutive centres. Each is kept when it is done and found again, so
that an analysis that was stopped goes on where it was and ends with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, TypeVar

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
    searchlight_rsa,
)
from bidsapp.progress import track
from bidsapp.recipes.rsa.prepare import MODEL_BYTES
from bidsapp.scratch import Scratch

SLAB = 2000
"""Centres of a slab."""
Floats = NDArray[np.float64]
Data = Sequence[NDArray[np.float32]]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Search:
    """What all slabs share.

    Attributes
    ----------
    datasets
        One array (n_items, n_units) per participant; (n_folds, n_items, n_units) for crossnobis.
    models
        (n_models, n_pairs) RDMs that are tested, of all networks.
    families
        Rows of `models` whose maximum is tested: one slice per network.
    nuisance
        (n_nuisance, n_pairs) RDMs that are partialled out.
    pairs
        (n_pairs,) those that are compared.
    clip
        (n_items,) clip of each item.
    permutations
        (n_permutations, n_clips) orders of the clips, the same for all participants; none for
        no test.
    dissimilarity, comparison
        As in `bidsapp.models.searchlight`.
    n_threads, device
        Searchlights at a time, and where.
    memory_bytes
        Bound on the controls that are compared together, or the columns of a slab of a group;
        never changes a result.
    controls
        (n_controls, n_pairs) RDMs that are compared but not tested: distance in time, then
        networks with random weights.
    each
        Whether a group wants the expected maximum over layers of each participant.
    """

    datasets: Data
    models: Floats
    families: Sequence[slice]
    nuisance: Floats
    pairs: NDArray[np.bool_]
    clip: NDArray[np.int64]
    permutations: NDArray[np.int64]
    dissimilarity: Dissimilarity
    comparison: Comparison
    n_threads: int
    memory_bytes: int
    device: str = "cpu"
    controls: Floats = field(default_factory=lambda: np.empty((0, 0)))
    each: bool = False

    @cached_property
    def score_table(self) -> ModelTable:
        """What is tested, and time, ranked once."""
        lag = [self.controls[:1]] if len(self.controls) else []
        return self.table(np.concatenate([self.models, *lag]))

    @cached_property
    def null_tables(self) -> list[ModelTable]:
        """The families, ranked once; none without permutations."""
        used = self.families if len(self.permutations) else ()
        return [self.table(self.models[family]) for family in used]

    @cached_property
    def _control_table(self) -> ModelTable:
        return self.table(self.controls[1:])

    def control_tables(self) -> Iterator[ModelTable]:
        """Yield the networks with random weights, as many RDMs as the memory allows."""
        n_models, n_pairs = self.controls.shape
        size = max(1, self.memory_bytes // (MODEL_BYTES * n_pairs))
        if 1 < n_models <= size + 1:
            yield self._control_table
        else:
            starts = range(1, n_models, size)
            yield from (self.table(self.controls[start : start + size]) for start in starts)

    def table(self, models: Floats) -> ModelTable:
        """Rank some models and the nuisance RDMs on the pairs that count."""
        nuisance = self.nuisance if len(self.nuisance) else None
        return model_table(models, pairs=self.pairs, nuisance=nuisance, comparison=self.comparison)

    def null(self, data: Data, part: Neighbourhoods, table: ModelTable) -> ClipNull:
        """Permute the clips of some models, the same way for all data sets, and average."""
        return clip_null(
            data,
            part,
            table,
            self.clip,
            self.permutations,
            dissimilarity=self.dissimilarity,
            compare=self.comparison,
            n_threads=self.n_threads,
        )


@dataclass(frozen=True, eq=False)
class Tested:
    """Scores of centres beside those of permuted clips.

    Attributes
    ----------
    score
        (n_models, n_centres) given the nuisance RDMs, if there are any; of a group the mean over
        the participants that have an RDM.
    exceed
        (n_models, n_centres) permutations that reach the score.
    maximum
        (n_families, n_permutations) largest permuted score over the family and these centres.
    expected
        (n_families, n_centres) mean over permutations of the largest score over the family.
    """

    score: Floats
    exceed: NDArray[np.int64]
    maximum: Floats
    expected: Floats


@dataclass(frozen=True, eq=False)
class Scores(Tested):
    """Scores of one participant.

    Attributes
    ----------
    raw
        (n_models, n_centres) without removal of nuisance RDMs.
    lag
        (1, n_centres) comparison with the time between items, nothing removed.
    controls
        (n_controls - 1, n_centres) scores of the networks with random weights.
    n_members
        (1, n_centres) members with data.
    """

    raw: Floats
    lag: Floats
    controls: NDArray[np.float32]
    n_members: Floats


@dataclass(frozen=True, eq=False)
class GroupScores(Tested):
    """Scores of a group.

    Attributes
    ----------
    rho
        (n_participants, n_models, n_centres) given the nuisance RDMs, if there are any.
    lower, upper
        (n_centres,) noise ceilings.
    expected_each
        (n_families, n_centres) mean over participants of what the largest of their own scores
        is on average over permutations; NaN unless asked for.
    """

    rho: NDArray[np.float32]
    lower: Floats
    upper: Floats
    expected_each: Floats


def score_participant(search: Search, part: Neighbourhoods) -> Scores:
    """Score some centres of one participant.

    Parameters
    ----------
    search
        With one data set.
    part
        Centres and members.
    """
    (data,) = search.datasets
    n_models = len(search.models)
    compare = partial(
        searchlight_rsa,
        data,
        part,
        dissimilarity=search.dissimilarity,
        compare=search.comparison,
        device=search.device,
        n_threads=search.n_threads,
    )
    scores = compare(search.score_table)
    controls = [np.empty((0, part.n_centres), dtype=np.float32)]
    controls += [_given(compare(table)).astype(np.float32) for table in search.control_tables()]
    score = _given(scores)[:n_models]
    tested, _ = _test(search, score.copy(), search.datasets, part)
    return Scores(
        **{**vars(tested), "score": score},
        raw=scores.rho[:n_models],
        lag=scores.rho[n_models:],
        controls=np.concatenate(controls),
        n_members=scores.n_members[None].astype(np.float64),
    )


def score_group(search: Search, part: Neighbourhoods) -> GroupScores:
    """Score some centres of a group, in halves if their columns need too much memory.

    Parameters
    ----------
    search
        With one data set per participant, mapped from disk.
    part
        Centres and members.
    """
    columns, members = np.unique(part.members, return_inverse=True)
    n_bytes = 4 * columns.size * sum(len(data) for data in search.datasets)
    if n_bytes > search.memory_bytes and part.n_centres > 1:
        middle = part.n_centres // 2
        halves = slice(0, middle), slice(middle, part.n_centres)
        return join([score_group(search, part.subset(half)) for half in halves])
    part = replace(part, members=members.astype(np.int32))
    datasets = [np.asarray(data[:, columns]) for data in search.datasets]
    scores = group_searchlight(
        datasets,
        part,
        search.score_table,
        dissimilarity=search.dissimilarity,
        compare=search.comparison,
        n_threads=search.n_threads,
    )
    rho = _given(scores)
    tested, each = _test(search, mean_known(rho), datasets, part)
    return GroupScores(
        **vars(tested),
        rho=rho.astype(np.float32),
        lower=scores.ceiling_lower,
        upper=scores.ceiling_upper,
        expected_each=each,
    )


def _test(
    search: Search, score: Floats, datasets: Data, part: Neighbourhoods
) -> tuple[Tested, Floats]:
    """Set scores beside those of permuted clips; the expected maximum of each participant."""
    n_families, n_centres = len(search.families), part.n_centres
    exceed = np.zeros(score.shape, dtype=np.int64)
    maximum = np.full((n_families, len(search.permutations)), np.nan)
    expected, each = np.full((2, n_families, n_centres), np.nan)
    for number, table in enumerate(search.null_tables):
        family = search.families[number]
        null = search.null(datasets, part, table)
        exceed[family], maximum[number] = null.exceed_count, null.maximum
        expected[number] = null.expected_max_over_models
        score[family] = null.observed
        if search.each:
            own = [search.null([data], part, table) for data in datasets]
            each[number] = mean_known(np.stack([item.expected_max_over_models for item in own]))
    return Tested(score, exceed, maximum, expected), each


def run_slabs(
    searchlights: Neighbourhoods,
    compute: Callable[[Neighbourhoods], T],
    kind: Callable[..., T],
    scratch: Scratch,
    *,
    size: int | None = None,
) -> T:
    """Score all centres, taking finished slabs from the scratch.

    Parameters
    ----------
    searchlights
        Centres and members.
    compute
        Scores some centres; its result is a dataclass of arrays whose last axis is centres.
    kind
        That dataclass.
    scratch
        Of finished slabs.
    size
        Centres of a slab; never changes a result.

    Returns
    -------
    Scores of all centres, in their order.
    """
    size = size or SLAB
    slabs = list(searchlights.slabs(size))
    return join(
        [
            scratch.kept(f"slab-{size}-{rows.start:07d}", kind, partial(compute, part))
            for rows, part in track(
                slabs, total=len(slabs), label="searchlights", quiet=scratch.quiet
            )
        ]
    )


def join(parts: Sequence[T]) -> T:
    """Put centres side by side; of the maxima take the larger."""
    joined: dict[str, Any] = {
        name: np.concatenate([vars(part)[name] for part in parts], axis=-1)
        for name in vars(parts[0])
    }
    joined["maximum"] = np.fmax.reduce([vars(part)["maximum"] for part in parts])
    return type(parts[0])(**joined)


def mean_known(values: NDArray[np.floating[Any]]) -> Floats:
    """Mean over the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    n = known.sum(axis=0)
    return np.where(n > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(n, 1), np.nan)


def _given(scores: Any) -> Floats:
    """Scores given the nuisance RDMs, if there are any."""
    given: Floats = scores.rho if scores.partial is None else scores.partial
    return given
