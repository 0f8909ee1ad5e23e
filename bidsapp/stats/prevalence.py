"""How many people show an effect: what a second-level t test of accuracies does not say.

A group mean above chance rejects only the hypothesis that nobody shows the effect. The minimum
over participants, or the number of participants with a significant score, bounds the share of
the population that does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import beta

from bidsapp.errors import InputInvalidError
from bidsapp.stats.nulls import permutation_p

FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True)
class MinimumStatistic:
    """Result of the minimum statistic.

    Attributes
    ----------
    p_global
        Of the hypothesis that nobody shows an effect: the smallest score over participants among
        those of labels shifted alike in all of them.
    p_majority
        Of the hypothesis that at most half of the population does, participants independent.
    bound
        Largest share that can be exceeded at `alpha`; NaN where `p_global` is above `alpha`.
    smallest_p
        Smallest `p_global` that can come out.
    n_participants
        Participants.
    """

    p_global: float
    p_majority: float
    bound: float
    smallest_p: float
    n_participants: int


def minimum_statistic(
    observed: FloatArray,
    null: FloatArray,
    *,
    alpha: float = 0.05,
    n_second_level: int = 10_000,
    seed: int = 0,
) -> MinimumStatistic:
    """Bound the prevalence by the smallest score over participants.

    Parameters
    ----------
    observed : array of shape (n_participants,)
        Scores with true labels.
    null : array of shape (n_participants, n_permutations)
        Scores with shifted labels; column k has the same shifts in all participants.
    alpha
        Level of the bound.
    n_second_level
        Combinations of the participants' null scores that are drawn.
    seed
        For the draw; combination k is the same for any number of them.

    Returns
    -------
    MinimumStatistic

    Raises
    ------
    InputInvalidError
        With fewer than two participants, or shapes that do not fit.

    Notes
    -----
    The paper combines the participants' nulls at random. Participants who had the same stimulus
    share responses, so such combinations reject too often that nobody shows an effect; here
    `p_global` takes the same shift in everybody. The bound and `p_majority` follow the paper, with
    the observed scores as one of the n_second_level + 1 combinations, and the bound is given only
    where `p_global` passes.
    Source: Allefeld, Görgen & Haynes 2016, NeuroImage 141, 378-392.
    """
    observed, null = np.asarray(observed, np.float64), np.asarray(null, np.float64)
    n = len(observed)
    if n < 2 or null.shape[:1] != (n,) or null.size == 0:
        msg = (
            f"prevalence needs null scores of at least 2 participants, got scores of {n} and a "
            f"null of shape {null.shape}; run more participants with label shifts"
        )
        raise InputInvalidError(msg)
    with_true = np.concatenate([observed[:, None], null], axis=1)
    drawn = np.random.default_rng([seed, 0xA11]).integers(
        0, with_true.shape[1], (n_second_level, n)
    )
    smallest = with_true[np.arange(n), drawn].min(axis=1)
    drawn_p = float((np.count_nonzero(smallest >= observed.min()) + 1) / (n_second_level + 1))
    p = float(permutation_p(observed.min(), null.min(axis=0)))
    root, level = drawn_p ** (1 / n), alpha ** (1 / n)
    bound = (level - root) / (1 - root) if max(p, drawn_p) <= alpha and root < 1 else np.nan
    smallest_p = 1 / (null.shape[1] + 1)
    return MinimumStatistic(p, prevalence_p(drawn_p, n, 0.5), float(bound), smallest_p, n)


def prevalence_p(p_global: float, n_participants: int, share: float) -> float:
    """P value of the hypothesis that at most `share` of the population shows an effect.

    Parameters
    ----------
    p_global
        Of the global null hypothesis, from the minimum statistic.
    n_participants
        Participants.
    share
        Prevalence under the hypothesis, 0 to 1.
    """
    return float(((1 - share) * p_global ** (1 / n_participants) + share) ** n_participants)


@dataclass(frozen=True)
class BayesianPrevalence:
    """Posterior of the share of the population with a true effect.

    Attributes
    ----------
    most_probable
        Mode of the posterior.
    low, high
        Interval of highest density.
    """

    most_probable: float
    low: float
    high: float


def bayesian_prevalence(
    n_significant: int,
    n_participants: int,
    *,
    alpha: float = 0.05,
    power: float = 1.0,
    level: float = 0.95,
) -> BayesianPrevalence:
    """Infer the prevalence from the number of participants with p at most `alpha`.

    Parameters
    ----------
    n_significant, n_participants
        Counts.
    alpha
        Level of the test within participants.
    power
        Of that test in those who show the effect; 1 gives the most cautious prevalence.
    level
        Coverage of the interval.

    Returns
    -------
    BayesianPrevalence

    Raises
    ------
    InputInvalidError
        If there are more significant participants than participants, or none at all.

    Notes
    -----
    With prevalence g a participant is significant with probability a + (b - a) g; the prior of g
    is uniform, so this probability has a beta posterior cut to [a, b].
    Source: Ince, Paton, Kay & Schyns 2021, eLife 10, e62461.
    """
    if not 0 <= n_significant <= n_participants or n_participants == 0:
        msg = (
            f"{n_significant} of {n_participants} participants cannot be significant; "
            "count participants with a p value"
        )
        raise InputInvalidError(msg)
    whole = beta(n_significant + 1, n_participants - n_significant + 1)
    floor, room = float(whole.cdf(alpha)), float(whole.cdf(power) - whole.cdf(alpha))

    def share(theta: float) -> float:
        return float(np.clip((theta - alpha) / (power - alpha), 0.0, 1.0))

    def quantile(q: float) -> float:
        return float(whole.ppf(floor + q * room))

    mode = share(n_significant / n_participants)
    start = _densest(whole.pdf, quantile, level)
    return BayesianPrevalence(
        mode,
        0.0 if start == 0 else share(quantile(start)),
        share(quantile(start + level)),
    )


def _densest(pdf, quantile, level: float) -> float:  # type: ignore[no-untyped-def]
    """Lower quantile of the interval of highest density of a density with one mode."""

    def difference(q: float) -> float:
        return float(pdf(quantile(q)) - pdf(quantile(min(q + level, 1.0))))

    if difference(0.0) >= 0:
        return 0.0
    if difference(1 - level) <= 0:
        return 1 - level
    return float(brentq(difference, 0.0, 1 - level))
