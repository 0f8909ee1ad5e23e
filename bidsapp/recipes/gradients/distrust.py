"""What to distrust: plain sentences about this analysis, computed from what ran."""

from __future__ import annotations

from bidsapp.recipes.gradients.results import Results
from bidsapp.recipes.inputs import SoundAnalysis

_EDGE_SHARE = 0.2
_FEW_PIECES = 4
_FEW_SHIFTS = 99


def warnings(analysis: SoundAnalysis, results: Results) -> list[str]:
    """Return one sentence for each reason to read these results with care."""
    found = [*_data(analysis, results), *_design(analysis, results), *_penalties(results)]
    return found + [str(problem) for problem in analysis.inputs.problems]


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
    found += [str(problem) for problem in bold.problems]
    found += [str(problem) for problem in bold.units.problems]
    return found


def _design(analysis: SoundAnalysis, results: Results) -> list[str]:
    settings, found = analysis.settings, []
    rows = results.networks[0].rows
    n_pieces = len(rows.timeline.pieces)
    if n_pieces < _FEW_PIECES:
        found.append(
            f"Only {n_pieces} pieces: a model is trained on {n_pieces - 1} and must extrapolate "
            "to the other; read the scores piece by piece."
        )
    if rows.blocks.kind == "split":
        found.append(
            "There were too few pieces to leave whole pieces out: parts of a piece stand on "
            f"both sides of a fold, {rows.blocks.n_purged} rows between them were left out."
        )
    if settings.pca_fit == "all":
        found.append(
            "Components were fitted on all pieces, the held-out one among them, as the poster did."
        )
    if settings.centre == "train":
        found.append("Differences between the means of pieces take part in the fit.")
    if not settings.mask_maps:
        found.append(
            "Best and centroid layers are shown at every unit: where nothing responds they are "
            "biased draws."
        )
    if settings.n_shifts < _FEW_SHIFTS:
        found.append(
            f"With {settings.n_shifts} shifts no p-value is below 1/{settings.n_shifts + 1}."
        )
    untrained = (
        result.bank.network
        for result in results.networks
        if result.bank.weights.get("source") == "random"
    )
    return found + [
        f"{name} has random weights: its layers show what the architecture does, not what was "
        "learned from sound."
        for name in dict.fromkeys(untrained)
    ]


def _penalties(results: Results) -> list[str]:
    found = []
    for result in results.networks:
        if result.rows.lags != "positive":
            continue
        passed = result.test.p_family < results.significance
        for name, share in (
            ("smallest", result.parcels.edge_low),
            ("largest", result.parcels.edge_high),
        ):
            if passed.any() and share[:, passed].mean() > _EDGE_SHARE:
                found.append(
                    f"{result.bank.network}: {share[:, passed].mean():.0%} of the penalties of "
                    f"significant parcels are the {name} of the grid; widen log10_alpha."
                )
    return found
