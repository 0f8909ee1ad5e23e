"""Sign-flip tests of group means, with the maximum over tests for family-wise error.

Under the null hypothesis that values are symmetric around zero, flipping the sign of all values
of a participant changes nothing. With values y (participants), flips e and N participants,

    s = sum e y,   t = s sqrt((N - 1) / (N sum y² - s²)),

and sum y² does not change, so t grows with s and only sums are needed (`bidsapp.stats.signsums`).
Units come in chunks (`SignFlips.add`), the maximum of each flip is kept, and memory does not grow
with units.

Source: Nichols & Holmes (2002), Hum Brain Mapp 15, 1-25; Winkler et al. (2014), NeuroImage 92,
381-397. p counts the observed signs: all 2^N of them, or (b + 1) / (m + 1) for m random ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bidsapp.stats.fdr import benjamini_hochberg
from bidsapp.stats.signsums import SignTables

Alternative = Literal["two-sided", "greater", "less"]
_TIE = 1e-9


@dataclass(frozen=True, eq=False)
class UnitTests:
    """Tests of one chunk of units, arrays of shape (n_units,); NaN where not testable.

    Attributes
    ----------
    t
        One-sample t; its sign is that of the mean.
    p
        Uncorrected.
    n
        Participants with a value.
    """

    t: NDArray[np.float64]
    p: NDArray[np.float64]
    n: NDArray[np.int64]


class SignFlips:
    """Sign-flip test that takes units in chunks.

    Parameters
    ----------
    n_participants
        Rows of every chunk, always in the same order.
    n_permutations
        All 2^n flips are used when they are not more than this, else this many random ones.
    seed
        Names the sequence of random flips; flip k is the same for any number of them.
    alternative
        ``two-sided``, or the side on which a mean counts.
    min_participants
        Units with fewer values are not tested.
    n_families
        Families with a maximum of their own.

    Raises
    ------
    ValueError
        With fewer than two participants.

    Attributes
    ----------
    exact
        Whether all flips are used.
    largest : ndarray, shape (n_flips, n_families)
        Largest t (of the alternative's sign, or in size) of each flip so far.
    """

    def __init__(
        self,
        n_participants: int,
        *,
        n_permutations: int = 10_000,
        seed: int = 0,
        alternative: Alternative = "two-sided",
        min_participants: int = 2,
        n_families: int = 1,
    ) -> None:
        if n_participants < 2:
            msg = f"a sign-flip test needs at least 2 participants, not {n_participants}"
            raise ValueError(msg)
        self.exact = n_participants < 63 and 2**n_participants <= n_permutations
        self.signs = (
            _all_signs(n_participants)
            if self.exact
            else _random_signs(n_participants, n_permutations, seed)
        )
        self.alternative = alternative
        self.min_participants = max(min_participants, 2)
        self.largest = np.full((len(self.signs), n_families), -np.inf)
        self._tables = SignTables(self.signs)

    @property
    def smallest_p(self) -> float:
        """Smallest p that can come out, whatever the data."""
        if not self.exact:
            return 1 / (len(self.signs) + 1)
        return (2 if self.alternative == "two-sided" else 1) / len(self.signs)

    def add(self, values: NDArray[np.floating[Any]], *, family: int = 0) -> UnitTests:
        """Test a chunk of units and keep the largest t of each flip.

        Parameters
        ----------
        values : ndarray, shape (n_participants, n_units)
            NaN where missing.
        family
            The family these units belong to.

        Returns
        -------
        UnitTests
        """
        values = np.asarray(values, np.float64)
        present = np.isfinite(values)
        filled = np.where(present, values, 0.0)
        n, squares = present.sum(axis=0), (filled**2).sum(axis=0)
        testable = (n >= self.min_participants) & (squares > 0)
        unit = filled[:, testable] / np.sqrt(squares[testable])
        total, n_tested = unit.sum(axis=0), n[testable]
        count = self._tables.tally(
            -unit if self.alternative == "less" else unit,
            n_tested,
            self._sided(total) - _TIE * np.sqrt(n_tested),
            self.largest[:, family],
            two_sided=self.alternative == "two-sided",
        )
        t, p = np.full(len(n), np.nan), np.full(len(n), np.nan)
        t[testable] = t_from_sum(total, n_tested)
        p[testable] = (count + (not self.exact)) / (len(self.signs) + (not self.exact))
        return UnitTests(t, p, n)

    def family_wise(self, t: NDArray[np.float64], *, family: int = 0) -> NDArray[np.float64]:
        """P-values against the largest t of each flip, once all units have been added.

        Parameters
        ----------
        t : ndarray of any shape
            From `UnitTests.t`.
        family
            Their family.

        Returns
        -------
        ndarray, shape of `t`
        """
        ordered = np.sort(self.largest[:, family])
        bound = self._sided(np.asarray(t, np.float64))
        bound = bound - _TIE * np.abs(np.where(np.isfinite(bound), bound, 0))
        reached = len(ordered) - np.searchsorted(ordered, bound)
        p = (reached + (not self.exact)) / (len(ordered) + (not self.exact))
        return np.where(np.isnan(t), np.nan, p)

    def _sided(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn `values` so that large means against the null."""
        if self.alternative == "two-sided":
            return np.abs(values)
        return values if self.alternative == "greater" else -values


@dataclass(frozen=True, eq=False)
class GroupTest:
    """Sign-flip test of all units at once; arrays have the shape of one participant's values.

    Attributes
    ----------
    t, p, n
        See `UnitTests`.
    p_fwe
        Family-wise, against the largest t over all units (or over the units of each layer).
    q
        False discovery rate (Benjamini-Hochberg) over all units.
    smallest_p, exact
        Smallest p possible, and whether all sign patterns were used.
    """

    t: NDArray[np.float64]
    p: NDArray[np.float64]
    p_fwe: NDArray[np.float64]
    q: NDArray[np.float64]
    n: NDArray[np.int64]
    smallest_p: float
    exact: bool


def sign_flip_test(
    values: NDArray[np.floating[Any]],
    *,
    n_permutations: int = 10_000,
    seed: int = 0,
    alternative: Alternative = "two-sided",
    min_participants: int = 2,
    family_per_layer: bool = False,
    units_at_once: int = 4096,
) -> GroupTest:
    """Test the mean of each unit (of each layer) against zero.

    Parameters
    ----------
    values : ndarray, shape (n_participants, n_units) or (n_participants, n_layers, n_units)
        Symmetric around zero under the null hypothesis (Fisher z of correlations, say); NaN
        where missing.
    n_permutations, seed, alternative, min_participants
        See `SignFlips`.
    family_per_layer
        Whether each layer is a family of its own; otherwise layers and units are one.
    units_at_once
        Size of a chunk; changes memory, not results.

    Returns
    -------
    GroupTest
    """
    layers = np.asarray(values)
    layers = layers.reshape(len(layers), -1 if layers.ndim > 2 else 1, layers.shape[-1])
    flips = SignFlips(
        len(layers),
        n_permutations=n_permutations,
        seed=seed,
        alternative=alternative,
        min_participants=min_participants,
        n_families=layers.shape[1] if family_per_layer else 1,
    )
    t, p = np.empty(layers.shape[1:]), np.empty(layers.shape[1:])
    n = np.empty(layers.shape[1:], np.int64)
    for layer in range(layers.shape[1]):
        for start in range(0, layers.shape[2], units_at_once):
            part = slice(start, start + units_at_once)
            tests = flips.add(layers[:, layer, part], family=layer * family_per_layer)
            t[layer, part], p[layer, part], n[layer, part] = tests.t, tests.p, tests.n
    p_fwe = np.stack(
        [flips.family_wise(row, family=k * family_per_layer) for k, row in enumerate(t)]
    )
    shape = np.shape(values)[1:]
    return GroupTest(
        t.reshape(shape),
        p.reshape(shape),
        p_fwe.reshape(shape),
        np.asarray(benjamini_hochberg(p), np.float64).reshape(shape),
        n.reshape(shape),
        flips.smallest_p,
        flips.exact,
    )


def _all_signs(n: int) -> NDArray[np.int8]:
    """Every sign pattern, shape (2^n, n); the first is all +1."""
    bits = np.arange(2**n, dtype=np.int64)[:, None] >> np.arange(n)
    return (1 - 2 * (bits & 1)).astype(np.int8)


def _random_signs(n: int, n_flips: int, seed: int) -> NDArray[np.int8]:
    """Random sign patterns, shape (n_flips, n), from the raw bits of a Philox generator."""
    n_words = -(-n // 64)
    generator = np.random.Philox(key=np.array([seed, 0x51675], np.uint64))
    words = np.asarray(generator.random_raw((n_flips, n_words)), np.uint64)
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little")
    return (1 - 2 * bits[:, :n].astype(np.int8)).astype(np.int8)


def t_from_sum(total: NDArray[np.float64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    """One-sample t of values whose squares sum to 1, from their sum and number."""
    room = np.maximum(n - total**2, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = total * np.sqrt((n - 1) / room)
    return np.where(room > _TIE * n, t, np.copysign(np.inf, total))
