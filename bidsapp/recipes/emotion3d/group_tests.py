"""Statistics over participants: scores less their own chance, prevalence, paired differences.

Scores of participants are not tested against 1 / K but against each participant's own mean score
with shifted labels. A group mean above chance says that somebody shows the effect; how many do is
the prevalence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.emotion3d.names import LABELS_ONLY, LEAKY
from bidsapp.recipes.emotion3d.results import NULL, SCORES
from bidsapp.recipes.emotion3d.settings import GroupSettings
from bidsapp.results.inferences.base import smallest_p
from bidsapp.results.write import tidy
from bidsapp.stats.nulls import permutation_p
from bidsapp.stats.prevalence import bayesian_prevalence, minimum_statistic
from bidsapp.stats.signflip import sign_flip_test

BALANCED = "balanced_accuracy"
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Scored:
    """Balanced accuracy of each participant with one decoder.

    Attributes
    ----------
    level
        ``within`` participants (their own results) or ``across`` (trained on others).
    split, decoder, leaky
        As in files.
    subjects
        Labels.
    observed : array of shape (n_participants,)
    null : array of shape (n_participants, n_shifts)
        With labels shifted; without columns where there is none.
    """

    level: str
    split: str
    decoder: str
    leaky: str
    subjects: tuple[str, ...]
    observed: NDArray[np.float64]
    null: NDArray[np.float64]

    @property
    def has_null(self) -> bool:
        """Whether chance is known for every participant."""
        return self.null.shape[1] > 0 and bool(np.isfinite(self.null).any(axis=1).all())

    @property
    def tested(self) -> bool:
        """Whether its scores are tested: no leak, a brain, and chance known."""
        return self.leaky != LEAKY and self.decoder not in LABELS_ONLY and self.has_null

    @property
    def chance(self) -> NDArray[np.float64]:
        """Mean score of each participant with shifted labels."""
        if not self.has_null:
            return np.full(len(self.observed), np.nan)
        return np.asarray(np.nanmean(self.null, axis=1))

    @property
    def p(self) -> NDArray[np.float64]:
        """One-sided p of each participant, (b + 1) / (m + 1)."""
        if not self.has_null:
            return np.full(len(self.observed), np.nan)
        pairs = zip(self.observed, self.null, strict=True)
        return np.array([float(permutation_p(np.asarray(value), null)) for value, null in pairs])


def within(inputs: GroupInputs) -> list[Scored]:
    """Read the scores and nulls that the participant level has written.

    Parameters
    ----------
    inputs
        Participants.

    Returns
    -------
    list of Scored
        Decoders that all participants have, nulls cut to the same number of shifts.
    """
    tables = [participant.table(SCORES, inputs.at) for participant in inputs.participants]
    scores = [table[table["measure"] == BALANCED] for table in tables]
    nulls = [participant.table(NULL, inputs.at) for participant in inputs.participants]
    scored = []
    for row in scores[0].to_dict("records"):
        key = {name: row[name] for name in ("split", "decoder")}
        values = [_of(table, key)["value"].to_numpy(float) for table in scores]
        if not all(map(len, values)):
            continue
        shifted = [_of(table, key)[BALANCED].to_numpy(float) for table in nulls]
        n = min(map(len, shifted))
        scored.append(
            Scored(
                "within",
                key["split"],
                key["decoder"],
                row["leaky"],
                inputs.subjects,
                np.concatenate(values),
                np.stack([null[:n] for null in shifted]),
            )
        )
    return scored


def _of(table: pd.DataFrame, key: Mapping[str, str]) -> pd.DataFrame:
    return table[(table["split"] == key["split"]) & (table["decoder"] == key["decoder"])]


def participant_rows(scored: Sequence[Scored]) -> Iterator[Row]:
    """Yield one row per participant and decoder."""
    for item in scored:
        values: dict[str, Any] = {
            "level": item.level,
            "split": item.split,
            "decoder": item.decoder,
            "balanced_accuracy": item.observed,
            "chance": item.chance,
            "above_chance": item.observed - item.chance,
            "p": item.p,
            "leaky": item.leaky,
        }
        yield from tidy(values, participant=item.subjects)


def group_rows(scored: Sequence[Scored], settings: GroupSettings, seed: int) -> Iterator[Row]:
    """Yield the tests of the group: each decoder above chance, and network less linear decoder.

    Copy k of the null moves the labels alike in all participants, so that responses they share
    stay shared; the mean over participants is compared with that of each copy.

    Parameters
    ----------
    scored
        Decoders; those that leak, know the labels only or have no chance are not tested.
    settings
        Number of sign flips.
    seed
        Of the flips.
    """
    for item in scored:
        if not item.tested:
            continue
        means = np.nanmean(item.null, axis=0)
        yield _test(
            item, item.observed - item.chance, f"{item.decoder} > chance", settings, seed
        ) | {
            "mean": float(item.observed.mean()),
            "chance": float(item.chance.mean()),
            "p": float(permutation_p(np.asarray(item.observed.mean()), means)),
            "smallest_p": smallest_p(len(means)),
        }
    for item in scored:
        others = (
            other
            for other in scored
            if (other.level, other.split, other.decoder) == (item.level, item.split, "linear")
        )
        other = next(others, None)
        if item.decoder == "cnn" and item.tested and other is not None and other.tested:
            yield _difference(item, other, settings, seed)


def _difference(item: Scored, other: Scored, settings: GroupSettings, seed: int) -> Row:
    """Test scores above own chance of two decoders against each other, two-sided."""
    n_copies = min(item.null.shape[1], other.null.shape[1])
    values = (item.observed - item.chance) - (other.observed - other.chance)
    copies = np.nanmean(item.null[:, :n_copies] - other.null[:, :n_copies], axis=0)
    observed = float((item.observed - other.observed).mean())
    centre = np.median(np.append(copies, observed))
    p = permutation_p(np.abs(observed - centre), np.abs(copies - centre))
    row = _test(item, values, f"{item.decoder} - {other.decoder}", settings, seed, two_sided=True)
    return row | {"mean": observed, "p": float(p), "smallest_p": smallest_p(n_copies)}


def _test(
    item: Scored,
    values: NDArray[np.float64],
    name: str,
    settings: GroupSettings,
    seed: int,
    *,
    two_sided: bool = False,
) -> Row:
    """Return the row of a test with the sign flips of participants (n_participants,)."""
    test = sign_flip_test(
        values[:, None],
        n_permutations=settings.n_flips,
        seed=seed,
        alternative="two-sided" if two_sided else "greater",
    )
    nan = float("nan")
    return {
        "level": item.level,
        "split": item.split,
        "test": name,
        "n": int(test.n[0]),
        "mean": nan,
        "chance": nan,
        "difference": float(np.nanmean(values)),
        "t": float(test.t[0]),
        "p": nan,
        "smallest_p": nan,
        "p_flip": float(test.p[0]),
        "alternative": "two-sided" if two_sided else "greater",
    }


def prevalence_rows(scored: Sequence[Scored], alpha: float, seed: int) -> Iterator[Row]:
    """Yield what is known of the share of people who show the effect.

    Parameters
    ----------
    scored
        As in `group_rows`.
    alpha
        Level of the tests within participants and of the bound.
    seed
        Of the draws of the minimum statistic.

    Yields
    ------
    dict
        Values are NaN where the labels were shifted too few times for any participant to pass.
    """
    for item in scored:
        if not item.tested:
            continue
        n_copies, nan = item.null.shape[1], float("nan")
        row: Row = {
            "level": item.level,
            "split": item.split,
            "decoder": item.decoder,
            "n": len(item.subjects),
            **dict.fromkeys(
                ("n_significant", "prevalence", "low", "high", "p_global", "p_majority", "bound"),
                nan,
            ),
        }
        if smallest_p(n_copies) <= alpha:
            least = minimum_statistic(item.observed, item.null, alpha=alpha, seed=seed)
            n_significant = int((item.p <= alpha).sum())
            share = bayesian_prevalence(n_significant, len(item.subjects), alpha=alpha)
            row |= {
                "n_significant": n_significant,
                "prevalence": share.most_probable,
                "low": share.low,
                "high": share.high,
                "p_global": least.p_global,
                "p_majority": least.p_majority,
                "bound": least.bound,
            }
        yield row
