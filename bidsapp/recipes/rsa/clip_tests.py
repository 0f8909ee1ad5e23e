"""Tests by permutation of clips, the same at both levels: of scores, and beyond acoustics.

Clips are permuted among the items that every clip has. The second test regresses acoustic
features out of the responses to these items, and partials out what that makes alike: a brain that
follows loudness only is like any layer that does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.recipes.rsa import results
from bidsapp.recipes.rsa.search import ClipScores, Search, permute_clips, run_slabs
from bidsapp.results.write import tidy
from bidsapp.scratch import Scratch
from bidsapp.stats.metrics import best_layer
from bidsapp.stats.rsa.acoustics import AcousticRegression
from bidsapp.stats.rsa.inference import ClipTest, clip_test

_UNITS_AT_ONCE = 5_000
Floats = NDArray[np.float64]
Patterns = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NetworkTest:
    """Test of the layers of one network.

    Attributes
    ----------
    score
        (n_layers, n_units) score of the items that are tested.
    test
        p-values of these.
    null_maximum
        (n_permutations,) largest score over searchlights and layers.
    expected
        (n_units,) mean over permutations of the largest score over layers.
    expected_each
        (n_units,) mean over participants of what their own largest is; NaN unless asked for.
    """

    score: Floats
    test: ClipTest
    null_maximum: Floats
    expected: Floats
    expected_each: Floats

    @property
    def largest(self) -> float:
        """Largest score of the tested items, what the null maxima are compared with."""
        return float(np.nanmax(self.score)) if np.isfinite(self.score).any() else float("nan")


@dataclass(frozen=True, eq=False)
class ClipTests:
    """Tests of all networks.

    Attributes
    ----------
    plain
        Of the scores; None without permutations.
    beyond
        Without acoustics; None where none can be removed.
    """

    plain: ClipScores | None = None
    beyond: ClipScores | None = None

    def of_network(
        self, number: int, family: slice, centres: NDArray[Any], n_units: int, level: float
    ) -> tuple[NetworkTest | None, NetworkTest | None]:
        """Return both tests of one network, on voxels or vertices.

        Parameters
        ----------
        number, family
            Its place among the networks, and its rows among the models.
        centres, n_units
            Places of the searchlights' centres, and how many places there are.
        level
            Family-wise error rate.
        """

        def one(tested: ClipScores | None) -> NetworkTest | None:
            if tested is None:
                return None
            spread = partial(on_units, centres=centres, n_units=n_units)
            score = spread(tested.observed[family])
            exceed = np.zeros(score.shape, dtype=np.int64)
            exceed[:, centres] = tested.exceed[family]
            null = tested.maximum[number]
            test = clip_test(score, exceed, null, level=level)
            expected = spread(tested.expected[number])
            return NetworkTest(score, test, null, expected, spread(tested.expected_each[number]))

        return one(self.plain), one(self.beyond)


def clip_tests(
    search: Search,
    lights: Neighbourhoods,
    tested: NDArray[np.bool_],
    permutations: NDArray[np.int64],
    regressions: Sequence[AcousticRegression],
    scratch: Scratch,
    *,
    centre: bool,
) -> ClipTests:
    """Permute the clips of the models, with and without acoustics in the responses.

    Parameters
    ----------
    search
        Data, models and nuisances of all items.
    lights
        Searchlights.
    tested
        (n_items,) items that every clip has.
    permutations
        (n_permutations, n_clips) orders of the clips.
    regressions
        Acoustics of the tested items, one for each data set; none for no second test.
    scratch
        Keeps patterns and finished slabs.
    centre
        Whether patterns are centred over items.
    """
    if not len(permutations):
        return ClipTests()
    data = search.datasets
    if not tested.all():
        data = [
            kept_patterns(scratch, f"tested-{n}", one[..., tested, :], centre=centre)
            for n, one in enumerate(data)
        ]
    plain = search.test(data, tested, permutations)
    first = _permuted(plain, lights, scratch, "permutations of clips")
    if not regressions or not all(item.names for item in regressions):
        return ClipTests(first)
    without = [
        kept_patterns(scratch, f"beyond-{n}", one, regression=regression, centre=centre)
        for n, (one, regression) in enumerate(zip(data, regressions, strict=True))
    ]
    nuisance = [*plain.nuisance, _mean_hat(regressions, plain.pairs)]
    beyond = replace(plain, datasets=without, nuisance=np.array(nuisance), each=False)
    return ClipTests(first, _permuted(beyond, lights, scratch, "beyond acoustics"))


def _permuted(search: Search, lights: Neighbourhoods, scratch: Scratch, what: str) -> ClipScores:
    return run_slabs(lights, partial(permute_clips, search), ClipScores, scratch, what=what)


def _mean_hat(regressions: Sequence[AcousticRegression], pairs: NDArray[np.bool_]) -> Floats:
    """Mean over participants of the ranks of what the regression makes alike, (n_pairs,)."""
    total = np.zeros(pairs.size)
    for regression in regressions:
        total[pairs] += rankdata(regression.hat_rdm[pairs])
    return total / len(regressions)


def kept_patterns(
    scratch: Scratch,
    name: str,
    patterns: Patterns,
    *,
    regression: AcousticRegression | None = None,
    centre: bool,
) -> Patterns:
    """Keep patterns on disk, without acoustics and centred if asked for, a few units at a time.

    Parameters
    ----------
    scratch, name
        Where they are kept.
    patterns
        (..., n_items, n_units).
    regression
        What is regressed out of them.
    centre
        Whether the mean over items is taken away.
    """

    def fill(out: NDArray[Any]) -> None:
        for start in range(0, patterns.shape[-1], _UNITS_AT_ONCE):
            columns = slice(start, start + _UNITS_AT_ONCE)
            part = np.asarray(patterns[..., columns])
            if regression is not None:
                part = regression.removed_from(part)
            out[..., columns] = part - part.mean(axis=-2, keepdims=True) if centre else part

    return scratch.array(name, patterns.shape, np.float32, fill)


# ------------------------------------------------------------------ maps and tables


def write_tests(
    write: Callable[..., Any],
    plain: NetworkTest | None,
    beyond: NetworkTest | None,
    *,
    level: float,
    competes: NDArray[np.bool_],
) -> None:
    """Write p-values of scores, and scores beyond acoustics with theirs.

    Parameters
    ----------
    write
        Writes a result of one network.
    plain, beyond
        Tests of this network.
    level
        Family-wise error rate.
    competes
        (n_layers,) layers that can be the best.
    """
    if plain is None:
        return
    facts = {"NumberOfPermutations": len(plain.null_maximum)}
    write(results.P, plain.test.p, **facts)
    write(results.P_FWE, plain.test.p_fwe, **facts)
    if beyond is None:
        return
    write(results.BEYOND, beyond.score)
    write(results.BEYOND_P, beyond.test.p, **facts)
    write(results.BEYOND_P_FWE, beyond.test.p_fwe, **facts)
    best = best_layer(beyond.score, mask=beyond.test.significant, competes=competes)
    write(results.BEYOND_BEST, best, note=f"Shown where family-wise p <= {level:g}.")


def null_rows(maximum: Floats) -> Any:
    """Rows of the null distribution."""
    return tidy({"max_rho": maximum}, permutation=range(1, len(maximum) + 1))


def n_passed(test: NetworkTest | None, level: float) -> list[int] | float:
    """Searchlights of each layer that pass a family-wise level; NaN without a test."""
    if test is None:
        return float("nan")
    return [int(n) for n in (test.test.p_fwe <= level).sum(axis=1)]


def families(layers: Sequence[Sequence[str]]) -> list[slice]:
    """Rows of each network among the models of all."""
    stops = np.cumsum([len(names) for names in layers])
    return [
        slice(int(stop) - len(names), int(stop)) for stop, names in zip(stops, layers, strict=True)
    ]


def mean_maxima(score: Floats, test: NetworkTest | None) -> tuple[float, float]:
    """Mean over units of the largest score over layers: observed, and with clips permuted.

    Parameters
    ----------
    score
        (n_layers, n_units) score of all items; what is tested takes its place if there is a test,
        so that both means are of the same items.
    test
        None for no test: the second mean is NaN.
    """
    if test is None:
        return mean_of(np.fmax.reduce(score, axis=0)), float("nan")
    return mean_of(np.fmax.reduce(test.score, axis=0)), mean_of(test.expected)


def on_units(values: NDArray[Any], centres: NDArray[Any], n_units: int) -> NDArray[Any]:
    """Put values of centres (..., n_centres) on voxels or vertices, NaN elsewhere."""
    out = np.full((*values.shape[:-1], n_units), np.nan, dtype=values.dtype)
    out[..., centres] = values
    return out


def mean_of(values: NDArray[np.floating[Any]]) -> float:
    """Mean of what is known; NaN if nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
