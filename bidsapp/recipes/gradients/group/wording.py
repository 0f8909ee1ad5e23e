"""What was done, what each test licenses, and what to distrust: sentences for the report."""

from __future__ import annotations

from typing import Any

import numpy as np

from bidsapp.recipes.gradients.group.inputs import GroupAnalysis
from bidsapp.recipes.gradients.group.results import GroupResults
from bidsapp.recipes.gradients.group.settings import GroupSettings
from bidsapp.recipes.group_collect import EXCLUDED, NOT_ASKED
from bidsapp.stats.tfce import EXTENT, HEIGHT

_LOW_COVERAGE = 0.5
_FEW = 12


def licences(analysis: GroupAnalysis, results: GroupResults) -> dict[str, str]:
    """Return, for each table or map of tests, the one sentence that it licenses."""
    settings: GroupSettings = analysis.settings
    found = {}
    if results.conditions[0].maps.test is not None:
        found["signflip"] = (
            "p-FWE below the level at a unit and layer: in the population of listeners that the "
            "participants stand for, this layer predicts this unit better than chance for these "
            "pieces of music; the pieces are fixed, so nothing is said about other music."
        )
        found["fdr"] = (
            "q below a level: of all units and layers that pass, at most this share is expected "
            "to be false; it says nothing about a single unit."
        )
        if results.conditions[0].maps.clusters is not None:
            found["tfce"] = (
                "p-TFCE below the level at a unit and layer: somewhere in the clusters that "
                "support this unit the layer predicts better than chance; the extent of a cluster "
                "is not tested, and a single unit in it may be null."
            )
        found["significant"] = (
            "The mask marks units where at least one layer predicts; it does not say that layers "
            "differ."
        )
    if results.spins is not None:
        found["spin"] = (
            "A small p: the alignment of the group's layer map with the reference is stronger "
            "than that of a reference placed at random on the cortex, so smoothness alone does "
            "not explain it; the group map is taken as given, so nothing is said about other "
            "participants."
        )
        if "negative" in analysis.inputs.lags:
            found["spin_control"] = (
                "Negative lags are no null: music a few seconds later resembles the music now, so "
                "a weaker copy of the alignment is expected there. Judge the finding by the "
                "difference of the two under the same rotations, and single maps by p over maps."
            )
        found["spin_difference"] = (
            "A small p of positive - negative: the alignment is stronger (or weaker) with the "
            "sound before the response than after it, beyond what smoothness explains."
        )
        if results.spins.swapped is not None:
            found["spin_swapped"] = (
                "Sensitivity only: the same correlation with the layer map rotated; a very "
                "different p means that the result hangs on which map is taken as fixed."
            )
        found["subjecttest"] = (
            "A small p: in the population of listeners, participants' layer maps align with the "
            "reference; the smoothness of the maps does not enter, and neither does the "
            "possibility that any smooth map would align as well, which the spin test addresses."
        )
    found["profile"] = (
        "Intervals are for the mean of one region and layer over listeners, one at a time."
    )
    found["reliability"] = (
        "The share says how stable the best layer is over listeners; it is not a probability "
        "that the layer is the true one."
    )
    if results.isc is not None:
        found["isc"] = (
            "Inter-subject correlation bounds what any model of the sound can predict of the "
            "shared response; it does not test a model."
        )
    if settings.thresholded == "significant":
        found["threshold"] = "The spin test concerns significant units only."
    return found


def methods(analysis: GroupAnalysis, results: GroupResults) -> list[str]:
    """Return what was done, as sentences of a methods section."""
    settings: GroupSettings = analysis.settings
    n = len(analysis.inputs.participants)
    text = [
        f"Scores of {n} participant{'s' * (n != 1)} were averaged as Fisher z at each unit where "
        f"at least {settings.min_share:.0%} of them had a value.",
        "The best layer of a unit is the layer with the largest mean score"
        + (
            ", where that is positive; "
            if settings.best_layer == "positive"
            else ", at every unit; "
        )
        + "the centroid is the mean layer number weighted by positive mean scores.",
    ]
    test = results.conditions[0].maps.test
    if test is not None:
        how = f"all {test.n_flips}" if test.exact else f"{test.n_flips} random"
        text.append(
            f"Means were tested by {how} sign flips of participants ({settings.alternative}), "
            "corrected over units and layers by the largest t."
        )
    spins, cortex = results.spins, results.cortex
    if spins is not None and cortex is not None:
        names = " and ".join(item.name for item in results.references)
        kind = settings.spin_statistic.capitalize()
        text.append(
            f"Layer maps were correlated ({kind}) with {names} on {cortex.mesh_name} and compared "
            f"with {spins.null.done} random rotations of the reference, the right hemisphere "
            "mirrored, the same for all maps; p = (b + 1) / (n + 1), two-sided, also against the "
            "largest correlation over maps; vertices without data are left out of every rotation."
        )
        if "negative" in analysis.inputs.lags:
            text.append(
                "Positive and negative lags were compared through the difference of their "
                "correlations under the same rotations, because features are autocorrelated and "
                "a weaker alignment at negative lags is to be expected."
            )
        if cortex.is_projected:
            text.append(
                "Volumes were projected to fsaverage5 layer by layer before best and centroid "
                "layers were determined: " + str(cortex.provenance.get("Method", "")) + "."
            )
        if n > 1:
            text.append(
                "The same correlations were computed in each participant, and their Fisher z "
                "tested over participants by sign flips (two-sided)."
            )
    if n > 1:
        text.append(
            f"Intervals are from {settings.n_bootstrap} bootstrap resamples of participants."
        )
    if results.isc is not None:
        text.append(
            "Inter-subject correlation is that of each participant's parcels with the mean of the "
            f"others over {results.isc.n_rows} moments of sound that all heard, repeats averaged."
        )
    clusters = results.conditions[0].maps.clusters
    if clusters is not None:
        how = f"all {clusters.n_flips}" if clusters.exact else f"{clusters.n_flips} random"
        text.append(
            f"Maps of t were enhanced by threshold-free cluster enhancement (E = {EXTENT:g}, H = "
            f"{HEIGHT:g}, exact integral; neighbours share a face of a voxel or an edge of the "
            f"mesh), and tested by {how} sign flips, corrected over units and layers by "
            "the largest value."
        )
    return text


def warnings(analysis: GroupAnalysis, results: GroupResults) -> list[str]:
    """Return one sentence for each reason to read these results with care."""
    settings: GroupSettings = analysis.settings
    inputs = analysis.inputs
    n = len(inputs.participants)
    found = []
    if n == 1:
        found.append("Only one participant: nothing can be said about other listeners.")
    test = results.conditions[0].maps.test
    if test is not None and test.smallest_p > settings.significance:
        found.append(
            f"With {n} participants no sign-flip p is below {test.smallest_p:.3g}: no unit can be "
            "significant."
        )
    elif 1 < n < _FEW:
        found.append(f"Only {n} participants: intervals and sign-flip tests are coarse.")
    missing = [label for label, reason in inputs.left_out if reason not in (EXCLUDED, NOT_ASKED)]
    if missing:
        names = ", ".join(f"sub-{label}" for label in missing)
        found.append(f"Left out, without or with unfinished results: {names}.")
    if results.cortex is None:
        found.append(
            f"Space {inputs.space} has no cortical sphere here: no spin tests, no networks."
        )
    elif results.cortex.is_projected:
        found.append(
            "Volumes were projected to an average surface after averaging: places are blurred "
            "relative to data sampled on each participant's own cortex."
        )
    found += _coverage_warnings(results)
    found += _spin_warnings(results, settings)
    found += _weight_warnings(inputs.participants[0].summary.get("weights", {}))
    if settings.best_layer == "everywhere":
        found.append(
            "Best layers are shown at every vertex, as in the poster: where nothing responds "
            "they are biased draws."
        )
    return [*found, *results.notes, *map(str, inputs.problems)]


def _coverage_warnings(results: GroupResults) -> list[str]:
    found = []
    for item in results.conditions:
        if results.cortex is None or item.surface_centroid is None:
            continue
        share = float(np.isfinite(item.surface_centroid[results.cortex.mask]).mean())
        if share < _LOW_COVERAGE:
            found.append(
                f"{item.model}, {item.lags} lags: a layer's mean score is positive in only "
                f"{share:.0%} of the cortex, and the layer maps end there."
            )
    return found


def _spin_warnings(results: GroupResults, settings: GroupSettings) -> list[str]:
    spins = results.spins
    if spins is None:
        return []
    found = []
    if spins.null.done < 999:
        found.append(f"With {spins.null.done} rotations no p is below 1/{spins.null.done + 1}.")
    unknown = [
        f"{item.model} {item.lags} {item.kind}"
        for index, item in enumerate(spins.maps)
        if not np.isfinite(spins.null.observed[..., index]).any()
    ]
    if unknown:
        found.append(f"No spin test of constant or empty maps: {', '.join(unknown)}.")
    refused = (spins.null.overlap < settings.overlap_floor).mean(axis=0)[:, : len(spins.maps)]
    small = [
        f"{item.model} {item.lags} {item.kind} ({refused[:, index].max():.0%})"
        for index, item in enumerate(spins.maps)
        if refused[:, index].max() > 0
    ]
    if small:
        found.append(
            f"Rotations that left less than {settings.overlap_floor:.0%} of a map were refused: "
            f"{', '.join(small)}."
        )
    if any(item.model == "baseline" for item in spins.maps):
        found.append(
            "The layers of the baseline are not ordered by depth: its best and centroid layers "
            "are a yardstick for the tests, no gradient of abstraction."
        )
    return found


def _weight_warnings(weights: Any) -> list[str]:
    return [
        f"{model} has random weights: its layers show what the architecture does, not what was "
        "learned from sound."
        for model, facts in weights.items()
        if isinstance(facts, dict) and facts.get("source") == "random"
    ]
