"""What was done, what each test licenses, and what to distrust: sentences for the report."""

from __future__ import annotations

from typing import Any

import numpy as np

from bidsapp.recipes.group_collect import EXCLUDED, NOT_ASKED
from bidsapp.recipes.rsa.group.inputs import GroupAnalysis
from bidsapp.recipes.rsa.group.results import GroupResults, NetworkGroup, mean_of
from bidsapp.recipes.rsa.group.settings import GroupSettings
from bidsapp.stats.rsa.clip_permutation import smallest_p
from bidsapp.stats.rsa.inference import maximum_of_noise

_FEW = 12
_SAFE_BORDER_S = 12.0


def banner(item: NetworkGroup, analysis: GroupAnalysis) -> str:
    """Say what the paper's statistic is without any effect; empty for the robust test.

    Parameters
    ----------
    item
        Results of a network.
    analysis
        The job.
    """
    if analysis.settings.test != "maximum-t":
        return ""
    observed, expected = item.own_maxima
    n_layers, n = len(item.layers), len(item.rho)
    noise = maximum_of_noise(n_layers, n, correlation=0.5)
    text = (
        f"{item.model}: the largest score over {n_layers} layers is {observed:.4f} on average "
        "over participants and units"
    )
    if np.isfinite(expected):
        text += (
            f"; with the clips permuted, when no layer can explain anything, it is {expected:.4f}"
        )
    return (
        f"{text}. A maximum of several scores is above zero without any effect, and more "
        f"participants make that more certain: for {n_layers} layers whose scores correlate by .5 "
        f"and {n} participants the expected t is {noise.t:.1f}. Judge by the permutation of clips "
        "(stat-p_desc-rsafwe)."
    )


def licences(analysis: GroupAnalysis, results: GroupResults) -> dict[str, str]:
    """Return, for each table or map of tests, the one sentence that it licenses."""
    found = {}
    if results.n_permutations:
        found["clip_permutation"] = (
            "p-FWE below the level at a unit and layer: the dissimilarities of clips in this "
            "searchlight, averaged over these participants, follow those of the layer more than "
            "they follow the layer with its clips exchanged; participants are taken as given, so "
            "nothing is said about others, and clips are drawn, so it holds for music like theirs."
        )
        found["fdr"] = (
            "q below a level: of all units and layers that pass, at most this share is expected "
            "to be false; it says nothing about a single unit."
        )
    found["significant"] = (
        "The mask marks units where at least one layer passes; it does not say that layers differ."
    )
    found["best_layer"] = (
        "The confidence says how stable the best layer is over listeners; it is not a probability "
        "that the layer is the true one."
    )
    found["t"] = (
        "t over participants shows how much they vary; with what they share for other reasons "
        "(autocorrelation, order, drift) it is large without any effect, so it is no test here."
    )
    if analysis.settings.test == "maximum-t":
        found["maximum"] = (
            "The paper's test, made to reproduce its maps: the maximum of several correlations is "
            "above zero without any effect, so that passing it licenses nothing by itself."
        )
    if results.design.common_order:
        found["signflip"] = (
            "Hemispheres and the axis of the superior temporal gyrus are described, not tested: "
            "participants heard the clips in one order, so that a test over participants alone "
            "would take drift for an effect."
        )
    else:
        found["signflip"] = (
            "A small p: in the population of listeners the layers of the hemispheres differ, or "
            "change along the superior temporal gyrus; it says nothing about single units."
        )
    if any(item.untrained is not None for item in results.networks):
        found["difference"] = (
            "Trained minus untrained: what learning adds to the architecture; it is not tested."
        )
    if np.isfinite(results.ceiling_lower).any():
        found["ceiling"] = (
            "The noise ceilings bound what any model can reach given how alike participants are; "
            "drift and order that they share raise them, too."
        )
    return found


def methods(analysis: GroupAnalysis, results: GroupResults) -> list[str]:
    """Return what was done, as sentences of a methods section."""
    settings: GroupSettings = analysis.settings
    own: dict[str, Any] = analysis.inputs.participants[0].summary.get("settings", {})
    n, design = len(analysis.inputs.participants), results.design
    radius = float(own.get("searchlight_radius_mm", 0))
    size = f"{radius:g} mm" if radius > 0 else f"{own.get('searchlight_count', 100)} units"
    removed = ", ".join(design.nuisance_names)
    text = [
        f"Patterns of {n} participant{'s' * (n != 1)} were compared in searchlights of {size} "
        f"wherever at least {settings.min_share:.0%} of them had one: dissimilarities "
        f"({results.dissimilarity}) of {design.n_items} items of {len(design.clips)} clips with "
        "those of each layer, over "
        f"{'pairs of two clips' if own.get('pairs') == 'between-clip' else 'all pairs'}"
        f"{f', given {removed} (ranks, mean over participants)' if removed else ''}.",
    ]
    if results.n_permutations:
        text.append(
            "The mean over participants was tested against "
            f"{results.n_permutations} permutations of the clips of the models, the same for all "
            "participants; p = (b + 1) / (m + 1), family-wise against the largest score over "
            "units and layers, and as false discovery rate over both."
        )
    if settings.test == "maximum-t":
        text.append(
            "As in the paper, each participant's largest score over layers was tested by a "
            f"one-sample right-sided t, with a false discovery rate of {settings.significance:g} "
            "divided by the number of layers; layer maps are mean layer numbers where it passes."
        )
    else:
        ceiling = " and the lower noise ceiling is above zero" * settings.ceiling_above_zero
        text.append(
            "Best and centroid layer are those of the mean scores, where a layer is significant"
            f"{ceiling if n > 1 else ''}."
        )
    if n > 1:
        text.append(
            "Noise ceilings are correlations of each participant's dissimilarities with the mean "
            "of the others' (lower) and of all (upper); the confidence of the best layer is from "
            f"{settings.n_bootstrap} bootstrap resamples of participants."
        )
    if any(item.shape.axes for item in results.networks):
        text.append(
            "The superior temporal gyrus is a slab of 20 mm in MNI coordinates, from (|x| 40 to "
            "72, y -48) to y 16 mm, falling by two thirds of a millimetre per millimetre through "
            "z = 16 at y = -38; its axis is the first principal axis of its units."
        )
    return text


def warnings(analysis: GroupAnalysis, results: GroupResults) -> list[str]:
    """Return one sentence for each reason to read these results with care."""
    found = [*_people(analysis, results), *_design(analysis, results), *_layers(analysis, results)]
    return [*found, *results.notes, *map(str, analysis.inputs.problems)]


def _people(analysis: GroupAnalysis, results: GroupResults) -> list[str]:
    inputs, found = analysis.inputs, []
    n = len(inputs.participants)
    if n == 1:
        found.append(
            "Only one participant: no noise ceiling, no t, no confidence; nothing can be said "
            "about other listeners."
        )
    elif n < _FEW:
        found.append(f"Only {n} participants: intervals and the bootstrap are coarse.")
    missing = [label for label, reason in inputs.left_out if reason not in (EXCLUDED, NOT_ASKED)]
    if missing:
        names = ", ".join(f"sub-{label}" for label in missing)
        found.append(f"Left out, without or with unfinished results: {names}.")
    if n > 1 and mean_of(results.ceiling_lower) <= 0:
        found.append(
            "The lower noise ceiling is not above zero on average: participants' dissimilarities "
            "do not agree, and no model can explain them."
        )
    return found


def _design(analysis: GroupAnalysis, results: GroupResults) -> list[str]:
    settings: GroupSettings = analysis.settings
    design, found = results.design, []
    n_clips, own = len(design.clips), analysis.inputs.participants[0].summary.get("settings", {})
    if not results.n_permutations:
        found.append("No permutations were asked for: nothing was tested by them.")
    elif smallest_p(n_clips, settings.n_permutations) > settings.significance:
        found.append(
            f"{n_clips} clips have {results.n_permutations + 1} orders: no unit can be "
            f"significant at {settings.significance:g}."
        )
    if design.common_order:
        found.append(
            "All participants heard the clips in (nearly) one order: drift makes clips alike that "
            "are near in time, in all of them; only the permutation of clips allows for it, and "
            "p-values over participants are withheld."
        )
    if own.get("pairs") == "all":
        found.append(
            "Pairs within clips take part: neighbours in time are alike in brain and sound "
            "without any coupling, which raises every score and the ceilings."
        )
    drop_s = float(own.get("drop_s", _SAFE_BORDER_S))
    if drop_s < _SAFE_BORDER_S and results.n_permutations:
        found.append(
            f"Only {drop_s:g} s of each clip were dropped: the response to the clip before "
            "reaches into it, and permutations of clips do not reproduce that."
        )
    if design.smallest_correlation < 1:
        found.append(
            "Model dissimilarities differ between participants, as clips began at other phases of "
            f"the volumes (up to {design.time_difference_s:.2g} s; smallest correlation "
            f"{design.smallest_correlation:.3f}): their mean was used."
        )
    if own.get("dissimilarity") == "crossnobis":
        found.append(
            "Participants were analysed with crossnobis distances, the group with Euclidean "
            "distances: patterns are averaged over repetitions here."
        )
    return found


def _layers(analysis: GroupAnalysis, results: GroupResults) -> list[str]:
    found = []
    weights = analysis.inputs.participants[0].summary.get("weights", {})
    for item in results.networks:
        text = banner(item, analysis)
        if text:
            found.append(text)
        facts = weights.get(item.model)
        if isinstance(facts, dict) and facts.get("source") == "random":
            found.append(
                f"{item.model} has random weights: its layers show what the architecture does, "
                "not what was learned from sound."
            )
        empty = [
            layer
            for layer, mean in zip(item.layers, item.mean, strict=True)
            if not np.isfinite(mean).any()
        ]
        if empty:
            found.append(f"{item.model}: no score of {', '.join(empty)}, silent or constant.")
        if not item.shape.axes:
            found.append(
                f"{item.model}: no profile along the superior temporal gyrus, the space has no "
                "units there or no MNI coordinates."
            )
    return found
