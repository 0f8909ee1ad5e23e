"""Forced choices of listeners, tested exactly.

A trial has one probe and several options, one of which is correct. Under the null hypothesis the
probe has nothing to do with the correct option: each option of a trial is equally likely to be
the correct one, whatever listeners prefer. Answers of several listeners to one trial count as one
draw, because they hear the same sounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError

Integers = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class ChoiceTest:
    """Outcome of forced choices.

    Attributes
    ----------
    n_trials, n_answers, n_correct
        Trials with an answer, answers to them, and correct ones.
    accuracy
        Share of correct answers.
    chance
        Its mean under the null hypothesis.
    p
        Probability of at least so many correct answers under the null hypothesis.
    """

    n_trials: int
    n_answers: int
    n_correct: int
    accuracy: float
    chance: float
    p: float


def choice_test(counts: Integers, correct: Integers) -> ChoiceTest:
    """Test whether correct options are chosen more often than others.

    Parameters
    ----------
    counts
        (n_trials, n_options) answers that each option got.
    correct
        (n_trials,) position of the correct option.

    Returns
    -------
    ChoiceTest
        With one answer per trial p is that of the one-sided exact binomial test with probability
        ``1 / n_options``.

    Raises
    ------
    InputInvalidError
        There is no answer, fewer than two options, or a position outside the options.

    Notes
    -----
    The distribution is exact: that of the sum over trials of the answers to an option drawn
    uniformly, by convolution.
    """
    counts = np.atleast_2d(np.asarray(counts, np.int64))
    n_options = counts.shape[1]
    answered = counts.sum(axis=1) > 0
    if not answered.any() or n_options < 2:
        msg = (
            f"{int(counts.sum())} answers to {len(counts)} trials of {n_options} options; a test "
            f"needs an answer and two options"
        )
        raise InputInvalidError(msg)
    positions = np.asarray(correct)
    if positions.shape != (len(counts),) or positions.min() < 0 or positions.max() >= n_options:
        msg = (
            f"correct options of {len(counts)} trials must be positions from 0 to {n_options - 1}"
        )
        raise InputInvalidError(msg)
    counts, positions = counts[answered], positions[answered]
    n_correct = int(counts[np.arange(len(counts)), positions].sum())
    n_answers = int(counts.sum())
    distribution = np.ones(1)
    for row in counts:
        distribution = np.convolve(distribution, np.bincount(row) / n_options)
    p = float(min(1.0, distribution[n_correct:].sum()))
    return ChoiceTest(len(counts), n_answers, n_correct, n_correct / n_answers, 1 / n_options, p)
