"""Write the results of the participant level: maps, tables, summary."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp import __version__
from bidsapp.recipes.inputs import SoundAnalysis
from bidsapp.recipes.rsa.distrust import maxima, maximum_note, run_orders, warnings
from bidsapp.recipes.rsa.items import Items
from bidsapp.recipes.rsa.results import NetworkResult, Results
from bidsapp.recipes.rsa.settings import RsaSettings
from bidsapp.recipes.writer import ResultWriter, participant_writer
from bidsapp.stats.rsa.clip_permutation import is_enumerated, smallest_p
from bidsapp.stats.rsa.pairs import pair_items

_LIBRARIES = ("numpy", "scipy", "torch", "numba", "nibabel", "nilearn", "soxr")
_DIGITS = 6
_HIGH = 95
Row = dict[str, Any]


def write_results(analysis: SoundAnalysis, results: Results) -> None:
    """Write everything one analysis has found.

    Parameters
    ----------
    analysis
        The job.
    results
        What it found.
    """
    writer = participant_writer(analysis, results.bold.units)
    for result in results.networks:
        _write_maps(writer, result, results, analysis.settings)
        _write_tables(writer, result, analysis.settings)
    _write_shared(writer, analysis, results)
    writer.facts(_summary(analysis, results), {"desc": "rsasummary"})


def _write_maps(
    writer: ResultWriter, result: NetworkResult, results: Results, settings: RsaSettings
) -> None:
    bank, layers = result.models.bank, list(result.models.layers)
    model = {"model": bank.network}
    rho = {**model, "stat": "rho"}
    facts: dict[str, Any] = {"Weights": dict(bank.weights), "Pairs": settings.pairs}
    removed = list(results.nuisances.names)
    text = (
        f"{settings.comparison.capitalize()} correlation of the dissimilarities in each "
        "searchlight with those of a layer"
    )
    given = f", given {', '.join(removed)}" if removed else ""
    entities = {**rho, "desc": "rsa"}
    writer.maps(result.score, layers, entities, f"{text}{given}.", Nuisance=removed, **facts)
    entities = {**rho, "desc": "rsaraw"}
    writer.maps(result.raw, layers, entities, f"{text}; nothing removed.", **facts)
    if len(result.untrained):
        writer.maps(
            result.untrained.mean(axis=0),
            layers,
            {**rho, "desc": "rsauntrained"},
            f"{text}{given}; mean over networks with random weights.",
            NumberOfSeeds=len(result.untrained),
            Nuisance=removed,
        )
    if result.test is not None:
        _write_p(writer, result, results.n_permutations)
    masked = settings.mask_maps
    where = "0 where no layer is significant" if masked else "0 where no score is positive"
    writer.labels(
        result.best(mask_maps=masked),
        layers,
        {**model, "desc": "rsabestlayer"},
        f"Layer with the largest positive score; {where}.",
    )
    writer.maps(
        result.centroid(mask_maps=masked),
        ["centroid"],
        {**model, "stat": "centroid", "desc": "rsa"},
        "Mean layer number weighted by positive scores; undefined where no layer is shown.",
        **facts,
    )
    writer.mask(
        result.significant(),
        {**model, "desc": "rsasignificant"},
        "Units with a layer that passes the permutation of clips, family-wise over units and "
        f"layers, at {settings.significance:g}.",
    )


def _write_p(writer: ResultWriter, result: NetworkResult, n_permutations: int) -> None:
    assert result.test is not None
    entities = {"model": result.models.bank.network, "stat": "p"}
    layers = list(result.models.layers)
    for values, desc, text in (
        (result.test.p, "rsa", "uncorrected"),
        (result.test.p_fwe, "rsafwe", "against the largest score over units and layers"),
    ):
        writer.maps(
            values,
            layers,
            {**entities, "desc": desc},
            f"(b + 1) / (m + 1) over permutations of clips, {text}; right-sided.",
            NumberOfPermutations=n_permutations,
        )


def _write_tables(writer: ResultWriter, result: NetworkResult, settings: RsaSettings) -> None:
    model = {"model": result.models.bank.network}
    writer.table(
        profile_rows(result, settings),
        {**model, "desc": "rsaprofile"},
        "Scores over all searchlights, layer by layer.",
        mean_rho="mean over units",
        p95_rho="95th percentile over units",
        n_best="units whose best layer this is (as in desc-rsabestlayer)",
        n_significant="units that pass in this layer, family-wise over units and layers",
        mean_untrained="mean over units and random weights",
        sd_untrained="standard deviation over random weights of the mean over units",
    )
    if len(result.null_maximum):
        writer.table(
            (
                {"permutation": number, "max_rho": value}
                for number, value in enumerate(result.null_maximum, start=1)
            ),
            {**model, "desc": "rsanull"},
            "Largest score over units and layers under each permutation of clips.",
        )
    writer.table(
        rdm_rows(result.models.rdms, result.models.layers),
        {**model, "desc": "rsamodels"},
        "Dissimilarity of each pair of items in each layer.",
        in_space=False,
        item_i="row of desc-rsaitems, from 1",
        item_j="row of desc-rsaitems, from 1",
    )


def profile_rows(result: NetworkResult, settings: RsaSettings) -> Iterator[Row]:
    """Yield one row per layer."""
    best = result.best(mask_maps=settings.mask_maps)
    for index, layer in enumerate(result.models.bank.layers):
        score = result.score[index]
        known = score[np.isfinite(score)]
        passed = result.test.p_fwe[index] <= settings.significance if result.test else False
        means = [float(np.nanmean(seed[index])) for seed in result.untrained if known.size]
        yield {
            "layer": layer.name,
            "layer_index": index + 1,
            "n_channels": layer.n_channels,
            "mean_rho": known.mean() if known.size else np.nan,
            "p95_rho": np.percentile(known, _HIGH) if known.size else np.nan,
            "n_best": int(np.sum(best == index + 1)),
            "n_significant": int(np.sum(passed)),
            "mean_untrained": np.mean(means) if means else np.nan,
            "sd_untrained": np.std(means, ddof=1) if len(means) > 1 else np.nan,
        }


def rdm_rows(rdms: NDArray[np.float64], names: tuple[str, ...]) -> Iterator[Row]:
    """Yield one row per pair of items.

    Parameters
    ----------
    rdms
        (n, n_pairs).
    names
        Column of each.
    """
    n_items = int(np.ceil(np.sqrt(2 * rdms.shape[1])))
    first, second = pair_items(n_items)
    for i, j, values in zip(first + 1, second + 1, rdms.T.round(_DIGITS), strict=True):
        yield {"item_i": i, "item_j": j, **dict(zip(names, values, strict=True))}


def _write_shared(writer: ResultWriter, analysis: SoundAnalysis, results: Results) -> None:
    """Write what does not depend on the network."""
    items = results.items
    writer.table(
        item_rows(items),
        {"desc": "rsaitems"},
        "Rows of the dissimilarity matrices.",
        in_space=False,
        time_s="mean time of the volumes since the clip began",
        n_repeats="presentations that are averaged",
    )
    writer.maps(
        results.patterns,
        [f"{items.clips[clip].name}|{time:.3f}" for clip, time in item_times(items)],
        {"stat": "pattern", "desc": "rsa"},
        "Mean clean BOLD of each item, z-scored run by run; in the order of desc-rsaitems.",
    )
    radius = np.full(results.bold.units.n_units, np.nan)
    radius[results.searchlights.centres] = results.searchlights.radius_mm
    writer.maps(
        radius,
        ["radius"],
        {"stat": "radius", "desc": "rsa"},
        "Distance from each centre to the farthest unit of its searchlight (mm).",
    )
    writer.maps(
        results.n_members,
        ["size"],
        {"stat": "size", "desc": "rsa"},
        "Units with data in each searchlight.",
    )
    if results.nuisances.names:
        writer.table(
            rdm_rows(results.nuisances.rdms, results.nuisances.names),
            {"desc": "rsanuisance"},
            "Dissimilarity of each pair of items beside the layers; partialled out.",
            in_space=False,
        )
    writer.table(
        lag_rows(results),
        {"desc": "rsalag"},
        "Dissimilarity by distance in time: how far autocorrelation reaches.",
        mean_dissimilarity="mean over an even sample of searchlights",
    )
    writer.table(
        analysis.inputs.alignment,
        {"desc": "rsaalignment"},
        "Which sound meets which volumes.",
        in_space=False,
    )


def item_times(items: Items) -> list[tuple[int, float]]:
    """Clip and time (s) of each item."""
    return [(int(c), float(t)) for c, t in zip(items.clip, items.time_s, strict=True)]


def item_rows(items: Items) -> Iterator[Row]:
    """Yield one row per item."""
    for number, (clip, time_s) in enumerate(item_times(items)):
        yield {
            "item": number + 1,
            "clip": items.clips[clip].name,
            "time_s": round(time_s, 4),
            "n_repeats": int(items.n_repeats[number]),
        }


def lag_rows(results: Results) -> Iterator[Row]:
    """Yield one row per distance in time."""
    lag, layers = results.lag, results.networks[0].models.layers
    for index, lag_s in enumerate(lag.lag_s):
        values = zip(layers, lag.models[:, index], strict=True)
        yield {
            "lag_s": lag_s,
            "n_pairs": int(lag.n_pairs[index]),
            "mean_dissimilarity": lag.data[index],
            **{f"mean_{layer}": value for layer, value in values},
        }


def _summary(analysis: SoundAnalysis, results: Results) -> Row:
    inputs, bold, config = analysis.inputs, results.bold, analysis.config
    settings: RsaSettings = analysis.settings
    items = results.items
    orders = run_orders(analysis, items)
    return {
        "recipe": analysis.recipe,
        "variant": config.variant,
        "version": __version__,
        "subject": inputs.subject,
        "space": inputs.space,
        "settings": vars(settings),
        "config": {
            "confounds": config.confounds,
            "high_pass_hz": config.high_pass_hz,
            "smoothing_fwhm_mm": config.smoothing_fwhm_mm,
            "random_seed": config.random_seed,
            "device": results.device,
            "mem": config.mem,
        },
        "weights": {
            result.models.bank.network: dict(result.models.bank.weights)
            for result in results.networks
        },
        "n_units": bold.units.n_units,
        "units_hash": bold.units.identity(),
        "n_constant": bold.n_constant,
        "n_nan": bold.n_nan,
        "mask": results.mask_note,
        "n_searchlights": results.searchlights.n_centres,
        "median_size": float(np.nanmedian(results.n_members)),
        "median_radius_mm": float(np.median(results.searchlights.radius_mm)),
        "n_items": items.n_items,
        "n_clips": len(items.clips),
        "n_volumes_per_clip": items.n_volumes_per_clip,
        "n_repeats": [int(items.n_repeats.min()), int(items.n_repeats.max())],
        "n_pairs": int(results.pairs.sum()),
        "nuisance": list(results.nuisances.names),
        "n_permutations": results.n_permutations,
        "enumerated": is_enumerated(len(items.clips), settings.n_permutations),
        "smallest_p": smallest_p(len(items.clips), max(settings.n_permutations, 0)),
        "orders_of_runs": orders.n_orders,
        "same_order_in_all_runs": orders.n_participants > 1 and orders.common,
        "lag_model_mean_rho": _mean(results.lag_score),
        "networks": [_network_facts(result) for result in results.networks],
        "runs": [
            {
                "name": run.name,
                "n_trs": run.n_trs,
                "tr_s": run.tr_s,
                "confounds": list(names),
                "preprocessed": run.preprocessed,
            }
            for run, names in zip(inputs.runs, bold.confounds, strict=True)
        ],
        "warnings": warnings(analysis, results),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _LIBRARIES},
    }


def _network_facts(result: NetworkResult) -> Row:
    observed, expected = maxima(result)
    network = result.models.bank.network
    return {
        "network": network,
        "layers": list(result.models.layers),
        "dissimilarities": list(result.models.dissimilarities),
        "mean_maximum_over_layers": observed,
        "expected_maximum_over_layers": expected,
        "maximum_note": maximum_note(network, observed, expected) if result.test else "",
        "n_untrained": len(result.untrained),
        "n_significant": int(result.significant().sum()),
    }


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
