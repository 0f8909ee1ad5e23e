"""What to distrust: plain sentences about this analysis, computed from what ran."""

from __future__ import annotations

import numpy as np

from bidsapp.recipes.inputs import SoundAnalysis
from bidsapp.recipes.rsa.clips import hearings
from bidsapp.recipes.rsa.items import Items
from bidsapp.recipes.rsa.results import NetworkResult, Results
from bidsapp.recipes.rsa.settings import RsaSettings
from bidsapp.stats.rsa.clip_permutation import is_enumerated, smallest_p
from bidsapp.stats.rsa.order import OrderCheck, check_orders

_FEW_ITEMS = 16
_SAFE_BORDER_S = 12.0


def warnings(analysis: SoundAnalysis, results: Results) -> list[str]:
    """Return one sentence for each reason to read these results with care."""
    found = [*_data(analysis, results), *_design(analysis, results), *_models(analysis, results)]
    return found + [str(problem) for problem in analysis.inputs.problems]


def run_orders(analysis: SoundAnalysis, items: Items) -> OrderCheck:
    """Compare the orders of the clips in the runs of this participant."""
    names = [(clip.piece, round(clip.start_s, 2)) for clip in items.clips]
    orders: list[list[int]] = [[] for _ in analysis.inputs.runs]
    for hearing in hearings(analysis.inputs, analysis.settings.clip_s):
        if hearing.key in names:
            orders[hearing.run].append(names.index(hearing.key))
    return check_orders([[order] for order in orders if order])


def _data(analysis: SoundAnalysis, results: Results) -> list[str]:
    bold, inputs, found = results.bold, analysis.inputs, []
    missing = bold.n_constant + bold.n_nan
    if missing:
        found.append(
            f"{missing} of {bold.units.n_units} units are constant or not finite and are NaN in "
            "every map."
        )
    if not all(run.preprocessed for run in inputs.runs):
        found.append("Raw BOLD was analysed: no motion correction, no common space.")
    if analysis.config.confounds == "none":
        found.append("No confounds were regressed out: motion may carry part of the scores.")
    if "no grey-matter" in results.mask_note:
        found.append(
            "No grey-matter segmentation was found in this space: searchlights cover the whole "
            "brain mask, white matter and ventricles included."
        )
    few = int(np.sum(results.searchlights.sizes < analysis.settings.searchlight_count))
    if few and analysis.settings.searchlight_radius_mm <= 0:
        found.append(
            f"{few} of {results.searchlights.n_centres} searchlights have fewer than "
            f"{analysis.settings.searchlight_count} units: their mask has no more within reach."
        )
    found += [str(problem) for problem in bold.problems]
    found += [str(problem) for problem in bold.units.problems]
    return found


def _design(analysis: SoundAnalysis, results: Results) -> list[str]:
    settings: RsaSettings = analysis.settings
    items, found = results.items, list(results.items.left_out)
    n_clips = len(items.clips)
    if results.n_permutations:
        smallest = smallest_p(n_clips, settings.n_permutations)
        if is_enumerated(n_clips, settings.n_permutations):
            found.append(
                f"{n_clips} clips have {results.n_permutations + 1} orders: no p-value is below "
                f"{smallest:.2g}."
            )
        if smallest > settings.significance:
            found.append(
                f"No unit can be significant at {settings.significance:g} with so few clips."
            )
    else:
        found.append("No permutations were asked for: nothing was tested.")
    if items.n_trimmed:
        found.append(
            f"Clips differ in length: {items.n_trimmed} volumes of the longer ones are left out, "
            f"{items.n_volumes_per_clip} of each remain."
        )
    if items.n_items < _FEW_ITEMS:
        found.append(f"The dissimilarity matrices have {items.n_items} rows only.")
    repeats = items.n_repeats
    if repeats.max() == 1:
        found.append("Every item is one presentation: nothing averages the noise out.")
    elif repeats.min() < repeats.max():
        found.append(
            f"Clips were heard {repeats.min()} to {repeats.max()} times: their patterns differ "
            "in noise."
        )
    orders = run_orders(analysis, items)
    if orders.n_participants > 1 and orders.common:
        found.append(
            "The clips came in (nearly) the same order in all runs: drift makes clips alike that "
            "are near in time, and only the permutation of clips allows for it."
        )
    if settings.pairs == "all":
        found.append(
            "Pairs within clips take part: neighbours in time are alike in brain and sound "
            "without any coupling, which raises every score."
        )
    if settings.drop_s < _SAFE_BORDER_S and results.n_permutations:
        found.append(
            f"Only {settings.drop_s:g} s of each clip are dropped: the response to the clip "
            "before reaches into it, and permutations of clips do not reproduce that."
        )
    return found


def _models(analysis: SoundAnalysis, results: Results) -> list[str]:
    settings, found = analysis.settings, []
    if settings.nuisance and results.nuisances.left_out:
        names = ", ".join(results.nuisances.left_out)
        found.append(
            f"Not partialled out, because constant over the pairs or not to be computed: {names}."
        )
    for result in results.networks:
        bank = result.models.bank
        if bank.weights.get("source") == "random":
            found.append(
                f"{bank.network} has random weights: its layers show what the architecture does, "
                "not what was learned from sound."
            )
        empty = [
            layer
            for layer, rdm in zip(result.models.layers, result.models.rdms, strict=True)
            if not np.isfinite(rdm[results.pairs]).all() or np.ptp(rdm[results.pairs]) == 0
        ]
        if empty:
            found.append(
                f"{bank.network}: {', '.join(empty)} cannot be compared, its activations are "
                "silent or constant."
            )
        if not settings.mask_maps and results.n_permutations:
            found.append(maximum_note(result.models.bank.network, *maxima(result)))
    return found


def maxima(result: NetworkResult) -> tuple[float, float]:
    """Mean over units of the largest score over layers: observed, and expected by chance."""
    known = np.isfinite(result.score).any(axis=0)
    if not known.any():
        return float("nan"), float("nan")
    observed = float(np.fmax.reduce(result.score[:, known], axis=0).mean())
    expected = result.expected_maximum[known]
    return observed, float("nan") if result.test is None else float(np.nanmean(expected))


def maximum_note(network: str, observed: float, expected: float) -> str:
    """Say what the largest of several layers is without any effect."""
    return (
        f"{network}: the largest score over layers is {observed:.4f} on average over units; with "
        f"the clips permuted, when layers cannot explain anything, it is {expected:.4f}."
    )
