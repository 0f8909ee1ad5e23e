"""Reasons to doubt the scores and tests of a group of `gradients`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.recipes.gradients.results import LAGS
from bidsapp.recipes.gradients.spin_tables import FIXED, KINDS, SWAPPED
from bidsapp.results.cautions import Caution
from bidsapp.results.networks import network_title

if TYPE_CHECKING:
    import pandas as pd

POSITIVE, NEGATIVE = LAGS
_MUCH_BY_BASELINE, _LITTLE_OVERLAP, _RARELY_BEST, _AS_WELL = 0.25, 0.7, 0.5, 0.5


def of_scores(
    network: str,
    scores: NDArray[np.floating[Any]],
    significant: NDArray[np.bool_] | None,
    baseline: NDArray[np.floating[Any]] | None,
) -> Iterator[Caution]:
    """Yield cautions about the scores of one network at positive lags.

    Parameters
    ----------
    network
        Name.
    scores
        (n_layers, n_units) means over participants.
    significant
        (n_units,) where a layer is significant: against displaced music, or over participants
        where nothing was displaced; None without a test.
    baseline
        (n_layers, n_units) means of the acoustic baseline; None without it.
    """
    if significant is not None and not significant.any():
        text = (
            "Best and centroid layers may be noise everywhere; a spin p can still be small, "
            "because noise that is smooth is aligned with something."
        )
        yield Caution("serious", f"Nothing is significant ({network_title(network)})", text)
    if baseline is not None and significant is not None and significant.any():
        best, other = (np.fmax.reduce(item[:, significant], axis=0) for item in (scores, baseline))
        share = float(np.mean(other >= best))
        if share >= _MUCH_BY_BASELINE:
            text = (
                f"At {share:.0%} of the significant voxels or vertices the best of the plain "
                "acoustic descriptions predicts at least as well as the best layer of "
                f"{network_title(network)}."
            )
            yield Caution("caution", "The acoustic baseline explains much of it", text)
    if len(scores) > 1:
        text = (
            f"The largest of {len(scores)} noisy means is too large on average. Family-wise "
            "p-values account for this choice, r and d do not."
        )
        yield Caution("note", "The best layer's r is optimistic", text)


def of_reliability(network: str, reliability: pd.DataFrame) -> Iterator[Caution]:
    """Yield a caution if the best layer changes with the participants.

    Parameters
    ----------
    network
        Name.
    reliability
        Rows of the table of that name.
    """
    rows = reliability.query(f"roi == 'Cortex' and structure == 'both' and lags == '{POSITIVE}'")
    if len(rows) and 0 < rows["share"].max() < _RARELY_BEST:
        top = rows.iloc[int(np.nanargmax(rows["share"]))]
        text = (
            f"Over the whole cortex the most frequent best layer, {top['layer']}, is best in only "
            f"{top['share']:.0%} of the resamples of participants. Read stages of the network "
            "(early, middle, late), not single layers."
        )
        yield Caution(
            "note", f"The best layer depends on who took part ({network_title(network)})", text
        )


def of_tests(
    network: str, tests: pd.DataFrame, over_participants: pd.DataFrame, level: float
) -> Iterator[Caution]:
    """Yield what the spin tests of one network leave open.

    Parameters
    ----------
    network
        Name.
    tests, over_participants
        Rows of the tables of spin tests, and of alignment over participants.
    level
        Of the tests.
    """
    for kind in KINDS:
        yield from _of_kind(network_title(network), kind, tests, over_participants, level)
    main = tests[(tests["hemisphere"] == "both") & (tests["direction"] == FIXED)]
    if main["overlap_min"].min() < _LITTLE_OVERLAP:
        text = (
            f"After some rotations only {main['overlap_min'].min():.0%} of the vertices of a "
            "layer map meet a defined value; correlations of fewer vertices vary more, which "
            "makes p larger than it would be for a complete map."
        )
        yield Caution("note", f"Layer maps have holes ({network_title(network)})", text)


def _of_kind(
    name: str, kind: str, tests: pd.DataFrame, over_participants: pd.DataFrame, level: float
) -> Iterator[Caution]:
    """Yield what the tests of one layer map against the first reference leave open."""
    reference = tests["reference"].iloc[0]
    of_kind = tests[tests["map"] == kind]
    of_first = of_kind[of_kind["reference"] == reference].set_index(
        ["lags", "hemisphere", "direction"]
    )

    def row(lags: str, hemisphere: str = "both", direction: str = FIXED) -> Any:
        key = (lags, hemisphere, direction)
        known = key in of_first.index and np.isfinite(of_first.loc[key, "r"])
        return of_first.loc[key] if known else None

    positive, negative = row(POSITIVE), row(NEGATIVE)
    if positive is None:
        return
    where = f"({name}, {kind} layer)"
    comparable = negative is not None and abs(negative.r) >= _AS_WELL * abs(positive.r)
    if comparable and positive.p_max <= level:
        text = (
            f"By music after the response r = {negative.r:.2f}, by music before it "
            f"r = {positive.r:.2f} (p = {positive.p:.2g}). Sound after the volume cannot "
            "have caused it: anatomy, "
            "vessels or slow trends may order the layers."
        )
        severity = "serious" if abs(negative.r) >= abs(positive.r) else "caution"
        title = f"The control is aligned with the gradient as well {where}"
        yield Caution(severity, title, text)  # type: ignore[arg-type]
    swapped = row(POSITIVE, direction=SWAPPED)
    if swapped is not None and (positive.p <= level) != (swapped.p <= level):
        text = (
            f"p = {positive.p:.2g} when the reference is rotated, p = {swapped.p:.2g} when the "
            "layer map is."
        )
        yield Caution("caution", f"The spin p depends on which map is rotated {where}", text)
    yield from _of_rivals(of_kind, positive, level, where)
    own = over_participants.query(
        f"lags == '{POSITIVE}' and map == '{kind}' and reference == '{reference}'"
    )["p"]
    if len(own) and positive.p <= level < own.iloc[0]:
        text = (
            f"The group's map is aligned (p = {positive.p:.2g}), participants' own maps are not "
            f"reliably so (p = {own.iloc[0]:.2g}): the finding is about these participants' mean."
        )
        yield Caution("caution", f"Single participants do not show it ({name})", text)
    left, right = row(POSITIVE, "L"), row(POSITIVE, "R")
    if left is not None and right is not None and (left.p <= level) != (right.p <= level):
        text = (
            f"Left r = {left.r:.2f}, p = {left.p:.2g}; right r = {right.r:.2f}, "
            f"p = {right.p:.2g}. That one passes and the other does not is no test of their "
            "difference."
        )
        yield Caution("note", f"Only one hemisphere is significant on its own {where}", text)


def _of_rivals(
    of_kind: pd.DataFrame, positive: Any, level: float, where: str
) -> Iterator[Caution]:
    rows = of_kind[
        (of_kind["lags"] == POSITIVE)
        & (of_kind["hemisphere"] == "both")
        & (of_kind["direction"] == FIXED)
    ]
    others = rows.iloc[1:].dropna(subset=["r"])
    if others.empty:
        return
    rival = others.iloc[int(np.argmax(others["r"].abs()))]
    if min(positive.p, rival.p) <= level and abs(rival.r) >= abs(positive.r):
        text = (
            f"r = {rival.r:.2f} with {rival.reference}, r = {positive.r:.2f} with "
            f"{rows['reference'].iloc[0]}."
        )
        yield Caution("caution", f"Another reference is aligned as strongly {where}", text)
