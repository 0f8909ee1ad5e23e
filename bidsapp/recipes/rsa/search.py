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
from bidsapp.recipes.rsa.cost import MODEL_BYTES
from bidsapp.scratch import Scratch
from bidsapp.stats.rsa.pairs import pairs_among

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
    dissimilarity, comparison
        As in `bidsapp.models.searchlight`.
    n_threads, device
        Searchlights at a time, and where.
    memory_bytes
        Bound on the controls that are compared together, or the columns of a slab of a group;
        never changes a result.
    permutations
        (n_permutations, n_clips) orders of the clips, the same for all participants, for a test.
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
    dissimilarity: Dissimilarity
    comparison: Comparison
    n_threads: int
    memory_bytes: int
    device: str = "cpu"
    permutations: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 0), np.int64))
    controls: Floats = field(default_factory=lambda: np.empty((0, 0)))
    each: bool = False

    @cached_property
    def score_table(self) -> ModelTable:
        """What is tested, and time, ranked once."""
        lag = [self.controls[:1]] if len(self.controls) else []
        return self.table(np.concatenate([self.models, *lag]))

    @cached_property
    def null_tables(self) -> list[ModelTable]:
        """The families, ranked once."""
        return [self.table(self.models[family]) for family in self.families]

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

    def test(
        self, data: Data, tested: NDArray[np.bool_], permutations: NDArray[np.int64]
    ) -> Search:
        """Return the search that permutes clips of the items that are tested.

        Parameters
        ----------
        data
            As `datasets`, of these items.
        tested
            (n_items,) which these are.
        permutations
            (n_permutations, n_clips) orders of the clips.
        """
        among = pairs_among(tested)
        pairs = self.pairs[among]
        return replace(
            self,
            datasets=data,
            models=self.models[:, among],
            nuisance=varying(self.nuisance[:, among], pairs),
            pairs=pairs,
            clip=self.clip[tested],
            permutations=permutations,
            controls=np.empty((0, 0)),
        )

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


def varying(rdms: Floats, pairs: NDArray[np.bool_]) -> Floats:
    """RDMs (n, n_pairs) that are not the same in all pairs that are compared."""
    return np.asarray(rdms[np.ptp(rdms[:, pairs], axis=1) > 0])


@dataclass(frozen=True, eq=False)
class ClipScores:
    """Scores of centres beside those of permuted clips.

    Attributes
    ----------
    observed
        (n_models, n_centres) score of the items that are tested, given the nuisance RDMs; of a
        group the mean over the participants that have an RDM.
    exceed
        (n_models, n_centres) permutations that reach it.
    maximum
        (n_families, n_permutations) largest permuted score over the family and these centres.
    expected
        (n_families, n_centres) mean over permutations of the largest score over the family.
    expected_each
        (n_families, n_centres) mean over participants of what the largest of their own scores
        is on average over permutations; NaN unless asked for.
    """

    observed: Floats
    exceed: NDArray[np.int64]
    maximum: Floats
    expected: Floats
    expected_each: Floats


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one participant.

    Attributes
    ----------
    score
        (n_models, n_centres) given the nuisance RDMs, if there are any.
    raw
        (n_models, n_centres) without removal of nuisance RDMs.
    lag
        (1, n_centres) comparison with the time between items, nothing removed.
    controls
        (n_controls - 1, n_centres) scores of the networks with random weights.
    n_members
        (1, n_centres) members with data.
    """

    score: Floats
    raw: Floats
    lag: Floats
    controls: NDArray[np.float32]
    n_members: Floats


@dataclass(frozen=True, eq=False)
class GroupScores:
    """Scores of a group.

    Attributes
    ----------
    rho
        (n_participants, n_models, n_centres) given the nuisance RDMs, if there are any.
    mean
        (n_models, n_centres) over the participants that have an RDM.
    lower, upper
        (n_centres,) noise ceilings.
    """

    rho: NDArray[np.float32]
    mean: Floats
    lower: Floats
    upper: Floats


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
    return Scores(
        score=_given(scores)[:n_models],
        raw=scores.rho[:n_models],
        lag=scores.rho[n_models:],
        controls=np.concatenate(controls),
        n_members=scores.n_members[None].astype(np.float64),
    )


def score_group(search: Search, part: Neighbourhoods) -> GroupScores:
    """Score some centres of a group.

    Parameters
    ----------
    search
        With one data set per participant, mapped from disk.
    part
        Centres and members.
    """

    def score(data: Data, part: Neighbourhoods) -> GroupScores:
        scores = group_searchlight(
            data,
            part,
            search.score_table,
            dissimilarity=search.dissimilarity,
            compare=search.comparison,
            n_threads=search.n_threads,
        )
        rho = _given(scores)
        lower, upper = scores.ceiling_lower, scores.ceiling_upper
        return GroupScores(rho.astype(np.float32), mean_known(rho), lower, upper)

    return _in_memory(search, part, score)


def permute_clips(search: Search, part: Neighbourhoods) -> ClipScores:
    """Set the scores of some centres beside those of permuted clips.

    Parameters
    ----------
    search
        From `Search.test`; one data set, or one per participant.
    part
        Centres and members.
    """

    def permute(data: Data, part: Neighbourhoods) -> ClipScores:
        n_families, n_centres = len(search.families), part.n_centres
        observed = np.full((len(search.models), n_centres), np.nan)
        exceed = np.zeros(observed.shape, dtype=np.int64)
        maximum = np.full((n_families, len(search.permutations)), np.nan)
        expected, each = np.full((2, n_families, n_centres), np.nan)
        for number, (table, family) in enumerate(
            zip(search.null_tables, search.families, strict=True)
        ):
            null = search.null(data, part, table)
            observed[family], exceed[family] = null.observed, null.exceed_count
            maximum[number], expected[number] = null.maximum, null.expected_max_over_models
            if search.each:
                own = [search.null([one], part, table) for one in data]
                each[number] = mean_known(
                    np.stack([item.expected_max_over_models for item in own])
                )
        return ClipScores(observed, exceed, maximum, expected, each)

    return _in_memory(search, part, permute)


def _in_memory(
    search: Search, part: Neighbourhoods, compute: Callable[[Data, Neighbourhoods], T]
) -> T:
    """Compute from the columns that are needed, in halves if several data sets are too large."""
    if len(search.datasets) == 1:
        return compute(search.datasets, part)
    columns, members = np.unique(part.members, return_inverse=True)
    n_bytes = 4 * columns.size * sum(len(data) for data in search.datasets)
    if n_bytes > search.memory_bytes and part.n_centres > 1:
        middle = part.n_centres // 2
        halves = slice(0, middle), slice(middle, part.n_centres)
        return join([_in_memory(search, part.subset(half), compute) for half in halves])
    part = replace(part, members=members.astype(np.int32))
    return compute([np.asarray(data[:, columns]) for data in search.datasets], part)


def run_slabs(
    searchlights: Neighbourhoods,
    compute: Callable[[Neighbourhoods], T],
    kind: Callable[..., T],
    scratch: Scratch,
    *,
    what: str = "searchlights",
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
    what
        Is computed: for the progress bar, and the names of slabs.
    size
        Centres of a slab; never changes a result.

    Returns
    -------
    Scores of all centres, in their order.
    """
    size, name = size or SLAB, f"slab-{what.replace(' ', '-')}"
    slabs = list(searchlights.slabs(size))
    return join(
        [
            scratch.kept(f"{name}-{size}-{rows.start:07d}", kind, partial(compute, part))
            for rows, part in track(slabs, total=len(slabs), label=what, quiet=scratch.quiet)
        ]
    )


def join(parts: Sequence[T]) -> T:
    """Put centres side by side; of the maxima take the larger."""
    joined: dict[str, Any] = {
        name: np.concatenate([vars(part)[name] for part in parts], axis=-1)
        for name in vars(parts[0])
    }
    if "maximum" in joined:
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
