"""Statistics over participants: scores less their own chance, prevalence, paired differences.

Scores of participants are not tested against 1 / K but against each participant's own mean score
with shifted labels. A group mean above chance says that somebody shows the effect; how many do is
the prevalence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bidsapp.recipes.emotion3d.group.cross import CrossDecoding
from bidsapp.recipes.emotion3d.group.inputs import GroupInputs
from bidsapp.recipes.emotion3d.group.settings import GroupSettings
from bidsapp.recipes.emotion3d.outputs import leaky
from bidsapp.recipes.emotion3d.results import LEAKY, split_name
from bidsapp.stats.nulls import permutation_p
from bidsapp.stats.prevalence import bayesian_prevalence, minimum_statistic
from bidsapp.stats.signflip import sign_flip_test

_LEAST = 2
_LABELS_ONLY = ("time", "run", "majority", "prior")  # the same in everybody who had the same runs
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
        return self.leaky != LEAKY and self.decoder not in _LABELS_ONLY and self.has_null

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
        return np.array([float(permutation_p(np.asarray(one), null)) for one, null in pairs])


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
    scores = [_table(inputs, one, "emotion3dscores") for one in inputs.participants]
    nulls = [_table(inputs, one, "emotion3dnull") for one in inputs.participants]
    found = []
    first = scores[0][scores[0].measure == "balanced_accuracy"]
    for split, decoder, stamp in zip(first.split, first.decoder, first.leaky, strict=True):
        values = [_pick(table, split, decoder) for table in scores]
        if any(value is None for value in values):
            continue
        shifted = [_null(table, split, decoder) for table in nulls]
        n = min(len(one) for one in shifted)
        found.append(
            Scored(
                "within",
                str(split),
                str(decoder),
                str(stamp),
                inputs.subjects,
                np.array(values, np.float64),
                np.stack([one[:n] for one in shifted]),
            )
        )
    return found


def across(inputs: GroupInputs, decodings: Sequence[CrossDecoding]) -> list[Scored]:
    """Take the scores of participants whom the decoders were not trained on."""
    return [
        Scored(
            "across",
            split_name(one.decoding.split),
            one.decoding.decoder,
            leaky(one.decoding.split),
            inputs.subjects,
            one.own,
            one.own_null.T,
        )
        for one in decodings
    ]


def _table(inputs: GroupInputs, one: Any, label: str) -> pd.DataFrame:
    path = inputs.table_file(one, label)
    if path.stat().st_size < _LEAST:
        return pd.DataFrame(columns=["split", "decoder", "measure", "balanced_accuracy"])
    return pd.read_table(path, na_values="n/a")


def _pick(table: pd.DataFrame, split: str, decoder: str) -> float | None:
    chosen = table[
        (table.split == split)
        & (table.decoder == decoder)
        & (table.measure == "balanced_accuracy")
    ]
    return float(chosen.value.iloc[0]) if len(chosen) else None


def _null(table: pd.DataFrame, split: str, decoder: str) -> NDArray[np.float64]:
    chosen = table[(table.split == split) & (table.decoder == decoder)]
    return np.asarray(chosen.balanced_accuracy, np.float64)


def participant_rows(scored: Sequence[Scored]) -> Iterator[Row]:
    """Yield one row per participant and decoder."""
    for one in scored:
        columns = zip(one.subjects, one.observed, one.chance, one.p, strict=True)
        for subject, value, chance, p in columns:
            yield {
                "participant": subject,
                "level": one.level,
                "split": one.split,
                "decoder": one.decoder,
                "balanced_accuracy": value,
                "chance": chance,
                "above_chance": value - chance,
                "p": p,
                "leaky": one.leaky,
            }


def group_rows(scored: Sequence[Scored], settings: GroupSettings, seed: int) -> Iterator[Row]:
    """Yield the tests of the group: each decoder above chance, and network less linear decoder.

    Parameters
    ----------
    scored
        Decoders; those that leak, know the labels only or have no chance are not tested.
    settings
        Number of sign flips.
    seed
        Of the flips.
    """
    for one in scored:
        if not one.tested:
            continue
        row = _flip(one, one.observed - one.chance, f"{one.decoder} > chance", settings, seed)
        means = np.nanmean(one.null, axis=0)
        row["mean"], row["chance"] = float(one.observed.mean()), float(one.chance.mean())
        row["p_shift"] = float(permutation_p(np.asarray(one.observed.mean()), means))
        yield row
    for one in scored:
        other = [
            item
            for item in scored
            if (item.level, item.split, item.decoder) == (one.level, one.split, "linear")
        ]
        if one.decoder == "cnn" and other and one.leaky != LEAKY:
            difference = one.observed - other[0].observed
            row = _flip(one, difference, "cnn - linear", settings, seed, two_sided=True)
            yield row | {"mean": float(difference.mean())}


def _flip(
    one: Scored,
    values: NDArray[np.float64],
    name: str,
    settings: GroupSettings,
    seed: int,
    *,
    two_sided: bool = False,
) -> Row:
    """Sign-flip test of a mean over participants."""
    test = sign_flip_test(
        values[:, None],
        n_permutations=settings.n_flips,
        seed=seed,
        alternative="two-sided" if two_sided else "greater",
    )
    nan = float("nan")
    return {
        "level": one.level,
        "split": one.split,
        "test": name,
        "n": int(test.n[0]),
        "mean": nan,
        "chance": nan,
        "difference": float(np.nanmean(values)),
        "t": float(test.t[0]),
        "p": float(test.p[0]),
        "smallest_p": test.smallest_p,
        "p_shift": nan,
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
    """
    for one in scored:
        if not one.tested:
            continue
        least = minimum_statistic(one.observed, one.null, alpha=alpha, seed=seed)
        n_significant = int((one.p <= alpha).sum())
        share = bayesian_prevalence(n_significant, len(one.subjects), alpha=alpha)
        yield {
            "level": one.level,
            "split": one.split,
            "decoder": one.decoder,
            "n": len(one.subjects),
            "n_significant": n_significant,
            "prevalence": share.most_probable,
            "low": share.low,
            "high": share.high,
            "p_global": least.p_global,
            "p_majority": least.p_majority,
            "bound": least.bound,
        }
