"""The pages of `rsa`, of a participant and of a group, from written results only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bidsapp.recipes.rsa import RECIPE
from bidsapp.recipes.rsa import results as declared
from bidsapp.recipes.rsa.report import acoustics, items, layers, people
from bidsapp.recipes.rsa.report.view import RsaView
from bidsapp.report import sections
from bidsapp.report.brain.scales import at_largest
from bidsapp.report.brain.viewer import viewer
from bidsapp.report.html import Number, Page, Section, number_text, plural
from bidsapp.report.methods import Methods, first_participant
from bidsapp.report.timing import quality_section
from bidsapp.report.view import results_section
from bidsapp.results.read import Results

_HEADING = "Similarity of music in searchlights and layers"
_NETWORK = (
    layers.maps,
    layers.peaks,
    layers.profile,
    layers.distributions,
    layers.assignments,
    layers.delay,
    acoustics.beyond_acoustics,
    layers.null,
)
_OF_GROUP = (people.gyrus, people.hemispheres, people.confidence, people.ceilings)


def report(results: Results) -> tuple[Page, Methods]:
    """Arrange the page of a participant or of a group, and write the methods.

    Parameters
    ----------
    results
        What the recipe wrote.
    """
    views = [RsaView(results, pair) for pair in sections.pairs(results)]
    text = methods(results)
    first = _of_group(results) if results.is_group else _of_participant(results, views)
    makers = (*_NETWORK, *_OF_GROUP) if results.is_group else _NETWORK
    page = sections.standard_page(
        results,
        RECIPE.question,
        [
            *first,
            viewer([layers.group_of_maps(view) for view in views]),
            *(results_section(view, makers) for view in views),
        ],
        heading=_HEADING,
        numbers=(design(results), [(view.pair.title, list(numbers(view))) for view in views]),
        answer=sections.found(results, sentences(views[0]), layers.first_maps(views[0])),
        methods=text,
    )
    return page, text


def _of_participant(results: Results, views: Sequence[RsaView]) -> list[Section | None]:
    return [
        items.analysed(results),
        quality_section(results.table(declared.QUALITY), declared.QUALITY),
        items.dissimilarities(results, views),
        items.searchlights(results),
    ]


def _of_group(results: Results) -> list[Section]:
    caption = (
        "Who takes part. Mean \u03c1: over searchlights and the layers of the first network; best "
        "layer: the largest mean over searchlights; \u03c1 of time: comparison of the "
        "searchlights with the time between the items."
    )
    return [
        sections.participants(results, declared.PARTICIPANTS, caption),
        items.group_design(results),
    ]


# ------------------------------------------------------------------ numbers at a glance


def design(results: Results) -> list[Number]:
    """Return the numbers of the design: participants, clips, items, permutations."""
    facts = results.facts()
    n_items = facts["n_items"]
    heard = ""
    numbers = []
    if results.is_group:
        numbers.append(sections.participants_number(results))
    else:
        low, high = facts["n_repeats"]
        times = str(low) if low == high else f"{low}\u2013{high}"
        heard = f"heard {times} times"
    total = number_text(n_items * (n_items - 1) / 2, 0)
    orders = "all orders; " * facts["enumerated"]
    return [
        *numbers,
        Number("Clips", str(facts["n_clips"]), heard),
        Number(
            "Items",
            number_text(n_items, 0),
            f"{number_text(facts['n_pairs'], 0)} of {total} pairs compared",
        ),
        Number(
            "Clip permutations",
            number_text(facts["n_permutations"], 0),
            f"{orders}smallest p {facts['smallest_p']:.3g}" if facts["n_permutations"] else "",
        ),
    ]


def numbers(view: RsaView) -> Iterator[Number]:
    """Yield the numbers of one network: searchlights, scores, significance, best layer."""
    summary = view.summary
    radius = "" if view.is_group else f"median radius {summary['median_radius_mm']:.1f} mm"
    yield Number("Searchlights", number_text(summary["n_searchlights"], 0), radius)
    if peak := view.peak(view.scores, 3):
        yield Number("Peak \u03c1", peak[0], f"layer {peak[1]}")
    observed, expected = view.maxima
    chance = (
        f"permutation null: {number_text(expected, 4)}" if np.isfinite(expected) else "no null"
    )
    yield Number("Mean of max-over-layers \u03c1", number_text(observed, 4), chance)
    of = f"of {view.count(np.isfinite(view.largest))}"
    clips = f"{of}; FWE p \u2264 {view.level:g}"
    remark = f"{of}; the paper's t of the maximum" if view.by_maximum else clips
    if view.is_tested:
        count = number_text(int(view.significant.sum()), 0)
        yield Number(f"Significant {view.words}", count, remark)
    if view.by_maximum and view.passing_clips is not None:
        count = number_text(int(view.passing_clips.sum()), 0)
        yield Number(f"Significant {view.words}", count, f"permutation of clips; {clips}")
    best = view.best[np.isfinite(view.best)].astype(int)
    if best.size:
        top = int(np.bincount(best).argmax())
        share = f"{100 * np.mean(best == top):.0f} % of {plural(best.size, 'best layer')}"
        yield Number("Most frequent best layer", view.layers[top - 1], share)


# ------------------------------------------------------------------ methods


def methods(results: Results) -> Methods:
    """Write the methods of an analysis, of a participant or of a group."""
    facts, own = results.facts(), first_participant(results)
    counts = [own.network(name)["n_untrained"] for name in own.networks()] if own else []
    return sections.methods_of(
        results,
        {
            declared.CLIPS: facts["n_permutations"],
            declared.BEYOND_ACOUSTICS: facts["n_permutations"],
            declared.FDR: facts["n_permutations"],
            declared.BOOTSTRAP: facts["settings"].get("n_bootstrap", 0),
        },
        n_untrained=max(counts, default=0),
        has_gyrus=results.anywhere(declared.GYRUS),
    )


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
    if not view.is_tested:
        shown = (
            "it was not tested whether clips that layers of {0} find alike are alike in the brain "
            "(no permutations of clips)."
        )
    elif not n_passed:
        shown = (
            "it is not shown that clips that layers of {0} find alike are alike in the brain: "
            "in none of {2} ({3})."
        )
    text = whose + shown.format(view.title, number_text(n_passed, 0), n_tested, test)
    yield text[0].upper() + text[1:]
    if beyond := acoustics.found_beyond(view):
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
