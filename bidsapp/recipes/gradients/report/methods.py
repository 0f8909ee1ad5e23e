"""Methods text of `gradients`, of a participant and of a group."""

from __future__ import annotations

from typing import Any

from bidsapp.brain.references import GRADIENTS
from bidsapp.recipes.base import score_results
from bidsapp.recipes.gradients import group_results as of_group
from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.report.view import BASELINE, reference_title
from bidsapp.report.methods import Methods, enumerated, first_participant, lag_text
from bidsapp.report.sections import methods_of
from bidsapp.results.kinds import Table
from bidsapp.results.read import Results


def methods(results: Results) -> Methods:
    """Write the methods of an analysis; a group's contain those of its participants."""
    own = first_participant(results)
    context = {"ratings": _rated(results)} | ({} if own is None else _participant(own))
    if results.is_group:
        context |= _group(results)
    return methods_of(results, _draws(results), **context)


def _participant(own: Results) -> dict[str, Any]:
    """Return what the blocks about data, features and encoding models may say."""
    alignment = own.table(declared.ALIGNMENT)
    grid = own.setting("log10_alpha")
    baseline = own.layers(BASELINE) if BASELINE in own.networks() else ()
    return {
        "sounds": _sounds(alignment),
        "explained": {name: _explained(own, name) for name in own.networks() if name != BASELINE},
        "baselines": list(baseline),
        "baseline": BASELINE,
        "folds": {"n": own.facts()["n_folds"], "kind": own.facts()["block_kind"]},
        "alphas": (min(grid), max(grid), len(grid)),
        "lags": lag_text(own.setting("lags_s")),
        "control_lags": lag_text(own.setting("control_lags_s")),
        "has_ceiling": own.anywhere(declared.CEILING),
    }


def _sounds(alignment: Any) -> str:
    presentations = int(alignment["stim_file"].notna().sum())
    pieces = alignment["stim_file"].nunique()
    minutes = alignment["duration_s"].sum() / 60
    return (
        f"{presentations} presentation{'s' * (presentations != 1)} of {pieces} "
        f"piece{'s' * (pieces != 1)} ({minutes:.1f} min)"
    )


def _explained(own: Results, network: str) -> tuple[float, float] | None:
    """Smallest and largest percentage of a layer's variance that its components keep."""
    values = own.table(declared.PROFILE, own.spaces[0], network)["explained_variance"].dropna()
    return (100 * values.min(), 100 * values.max()) if len(values) else None


def _rated(results: Results) -> list[str]:
    """Names of the ratings that were predicted."""
    table: Table = of_group.RATINGS if results.is_group else declared.RATINGS
    names = {
        str(name)
        for network in results.networks()
        for name in results.table(table, None, network)["rating"]
    }
    return sorted(names)


def _group(results: Results) -> dict[str, Any]:
    facts = results.facts()
    spins = [spin for space in results.spaces if (spin := results.facts(space)["spin"])]
    names = [str(item["name"]) for item in facts["references"]]
    used = results.table(of_group.PARTICIPANTS, results.spaces[0])["n_rows"].dropna()
    return {
        "volumes": " to ".join(dict.fromkeys(f"{end:.0f}" for end in (used.min(), used.max()))),
        "flips": facts["sign_flips"],
        "has_regions": results.anywhere(of_group.REGIONS),
        "has_components": results.anywhere(of_group.LOADINGS),
        "has_isc": results.anywhere(of_group.ISC),
        "spin": spins[0] if spins else None,
        "references": enumerated([reference_title(name) for name in names]) if names else "",
        "shipped": any(name in GRADIENTS for name in names),
        "projected": any(
            space.is_mni and results.facts(space)["spin"] for space in results.spaces
        ),
    }


def _draws(results: Results) -> dict[str, object]:
    """Return the numbers of draws for the sentences about inferences."""
    facts, settings = results.facts(), results.facts()["settings"]
    if not results.is_group:
        shifts = dict.fromkeys(
            (score_results.SHIFT, score_results.SHIFT_FDR), settings["n_shifts"]
        )
        return {**shifts, declared.BEYOND_ACOUSTICS: settings["n_beyond"]}
    of_participants = facts["participant_settings"]
    displaced = score_results.RATERS, score_results.DISPLACED, declared.DISPLACED_ALONG
    rotated = declared.SPIN, declared.ANNOTATION, declared.MONTE_CARLO
    flips = (facts["sign_flips"] or {"n_flips": 0})["n_flips"]
    return {
        **dict.fromkeys((declared.FLIP, declared.FLIP_FDR), flips),
        declared.TFCE: settings["n_tfce_flips"],
        **dict.fromkeys(displaced, of_participants["n_shifts"]),
        **dict.fromkeys((score_results.BOOTSTRAP, declared.SHARE), settings["n_bootstrap"]),
        declared.BEYOND_ACOUSTICS: of_participants["n_beyond"],
        **dict.fromkeys(rotated, (facts["spin"] or {"n_rotations": 0})["n_rotations"]),
        declared.SECOND_NULL: settings["n_second_null"],
        **dict.fromkeys((declared.SPIN_PEOPLE, declared.EFFECT), settings["n_flips"]),
    }
