"""One inference as data."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Inference:
    """One way to a p-value or an interval.

    Attributes
    ----------
    key
        Name in declarations.
    title
        Name for a reader: ``Clip permutation``.
    draws
        What is drawn for the null or resampled: ``permutations of clips``.
    method
        Sentences for the methods text; may use ``{n_draws}``, ``{level}``.
    shows
        What a small p-value (or the interval) permits to say.
    does_not_show
        What it does not permit to say.
    cites
        Keys of ``references.bib``.
    gives
        ``p`` or ``interval``.
    holds
        Whether it holds its error rate; False for the test of a paper that is made to reproduce
        its maps.
    calibrate
        ``module:function`` of ``(rng, n_sets) → array``: p-values (n_sets,) on null data, or for
        an interval (n_sets,) truth values of whether it covers; made by the functions that the
        recipes call. Empty for the function named `key` in the module of `calibrations` that is
        called as the entry's own.
    """

    key: str
    title: str
    draws: str
    method: str
    shows: str
    does_not_show: str
    cites: tuple[str, ...] = ()
    gives: str = "p"
    holds: bool = True
    calibrate: str = ""

    @property
    def claim(self) -> str:
        """What the test does and does not show."""
        return f"{self.shows} {self.does_not_show}".strip()

    def load_calibration(self) -> Callable[..., Any]:
        """Import the calibration."""
        module, _, name = self.calibrate.partition(":")
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return function


def smallest_p(n_draws: int, *, exact: bool = False) -> float:
    """Return the smallest p-value that a number of draws can give.

    Parameters
    ----------
    n_draws
        Draws of the null without the observed arrangement; for an exact test all arrangements.
    exact
        Whether every arrangement was computed, the observed one among them.
    """
    return 1 / n_draws if exact else 1 / (n_draws + 1)
