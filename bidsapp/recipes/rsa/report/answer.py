"""What `rsa` found, in a few sentences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bidsapp.recipes.rsa.report.acoustics import found_beyond
from bidsapp.recipes.rsa.report.view import RsaView
from bidsapp.report.brain.scales import at_largest
from bidsapp.report.html import number_text, plural


def sentences(view: RsaView) -> Iterator[str]:
    """Yield where searchlights are like a layer, which layer, and what training adds.

    Parameters
    ----------
    view
        Results of one network in one space.
    """
    n_tested, n_passed = view.count(np.isfinite(view.largest)), int(view.significant.sum())
    whose = f"Over {plural(view.results.n_participants, 'listener')}, " if view.is_group else ""
    test = (
        "the paper's t of the maximum, which does not hold its error rate"
        if view.by_maximum
        else f"family-wise p \u2264 {view.level:g}, permutation of clips"
    )
    shown = "clips that layers of {0} find alike are alike in {1} of {2} ({3})."
    if not n_passed:
        shown = (
            "it is not shown that clips that layers of {0} find alike are alike in the brain: "
            "in none of {2} ({3})."
        )
    text = whose + shown.format(view.title, number_text(n_passed, 0), n_tested, test)
    yield text[0].upper() + text[1:]
    if beyond := found_beyond(view):
        yield beyond
    if peak := view.peak(view.scores, 3):
        yield f"The largest score is \u03c1 = {peak[0]}, in layer {peak[1]}."
    yield _training(view)


def _training(view: RsaView) -> str:
    if view.is_random:
        return "The network ran with random weights: a control, not a finding about music."
    if view.gain is None:
        return ""
    gain = at_largest(view.gain, view.scores)
    chosen = view.significant if view.significant.any() else np.isfinite(gain)
    where = f"significant {view.words}" if view.significant.any() else f"all {view.words}"
    mean = float(np.nanmean(gain[chosen])) if np.isfinite(gain[chosen]).any() else np.nan
    if not np.isfinite(mean):
        return ""
    return (
        f"Training of the network adds {number_text(mean, 3)} to \u03c1 on average over {where} "
        "(against the same network with random weights)."
    )
