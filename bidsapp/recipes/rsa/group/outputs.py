"""Write the results of the group level: maps, tables, summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.recipes.rsa.group.inputs import GroupAnalysis, models_file
from bidsapp.recipes.rsa.group.results import GroupResults, NetworkGroup
from bidsapp.recipes.rsa.group.settings import GroupSettings
from bidsapp.recipes.rsa.group.summary import summary
from bidsapp.recipes.rsa.group.tables import (
    axis_rows,
    layer_rows,
    participant_rows,
    profile_rows,
)
from bidsapp.recipes.writer import ResultWriter, group_writer


def write_results(analysis: GroupAnalysis, results: GroupResults) -> None:
    """Write everything the group level of one space has found.

    Parameters
    ----------
    analysis
        The job.
    results
        What it found.
    """
    inputs = analysis.inputs
    patterns = [path for one in inputs.participants for path in inputs.patterns(one)]
    for item in results.networks:
        models = [models_file(one, item.model) for one in inputs.participants]
        writer = group_writer(analysis, results.units, [*patterns, *models])
        _write_means(writer, item, results)
        _write_test(writer, item, results.n_permutations)
        _write_maximum(writer, item)
        _write_layers(writer, item, analysis.settings)
        _write_untrained(analysis, item, results)
        _write_tables(writer, item, analysis, results)
    writer = group_writer(analysis, results.units, patterns)
    _write_ceilings(writer, results)
    writer.maps(
        results.n.astype(np.float32),
        ["n"],
        {"stat": "n", "desc": "rsaparticipants"},
        "Participants with a searchlight at each unit.",
    )
    writer.table(
        participant_rows(analysis, results),
        {"desc": "rsaparticipants"},
        "Who takes part, and who does not and why.",
        mean_rho="score averaged over the layers of the first network and units",
        best_layer="layer of the first network with the largest mean over units",
        lag_mean_rho="comparison of searchlights with the time between items, mean over units",
    )
    writer.facts(summary(analysis, results), {"desc": "rsasummary"})


def _write_means(writer: ResultWriter, item: NetworkGroup, results: GroupResults) -> None:
    layers, model = list(item.layers), {"model": item.model}
    writer.maps(
        item.mean,
        layers,
        {**model, "stat": "rho", "desc": "rsamean"},
        "Mean over participants of the correlation of searchlights with each layer.",
        Nuisance=list(results.design.nuisance_names),
    )
    if item.t is not None:
        writer.maps(
            item.t,
            layers,
            {**model, "stat": "t", "desc": "rsa"},
            "One-sample t over participants. Describes how much they vary: what they share for "
            "other reasons than the model counts as effect, so no p is made of it.",
        )


def _write_test(writer: ResultWriter, item: NetworkGroup, n_permutations: int) -> None:
    if item.test is None:
        return
    layers = list(item.layers)
    for stat, desc, values, text in (
        ("p", "rsa", item.test.p, "uncorrected"),
        ("p", "rsafwe", item.test.p_fwe, "against the largest score over units and layers"),
        ("q", "rsafdr", item.test.q, "as false discovery rate over units and layers"),
    ):
        writer.maps(
            values,
            layers,
            {"model": item.model, "stat": stat, "desc": desc},
            "(b + 1) / (m + 1) over permutations of clips, the same for all participants, "
            f"{text}; right-sided.",
            NumberOfPermutations=n_permutations,
        )


def _write_maximum(writer: ResultWriter, item: NetworkGroup) -> None:
    """Write the paper's test and what it sees by chance."""
    test = item.faithful
    if test is None:
        return
    observed, expected = item.own_maxima
    facts: dict[str, Any] = {
        "MeanMaximum": observed,
        "ExpectedMaximumWhenClipsArePermuted": expected,
        "Threshold": test.q_threshold,
    }
    for stat, values, text in (
        ("rho", test.mean_max, "Mean over participants of their largest score over layers."),
        ("layer", test.mean_layer, "Mean over participants of the number of that layer."),
        ("t", test.t, "One-sample t of participants' largest scores over layers."),
        ("p", test.p, "Right-sided p of this t; small without any effect, see the summary."),
        ("q", test.q, "False discovery rate of this p over units."),
        (
            "expected",
            item.expected_each,
            "Mean over participants and permutations of clips of the largest score over layers.",
        ),
    ):
        entities = {"model": item.model, "stat": stat, "desc": "rsamax"}
        writer.maps(values, ["maximum"], entities, text, **facts)


def _write_layers(writer: ResultWriter, item: NetworkGroup, settings: GroupSettings) -> None:
    model = {"model": item.model}
    where = "where a layer is significant"
    if settings.ceiling_above_zero:
        where += " and the lower noise ceiling is above zero"
    is_faithful = settings.test == "maximum-t"
    how = (
        "Mean over participants of the number of their best layer"
        if is_faithful
        else "Layer with the largest mean score"
    )
    writer.labels(
        item.best,
        list(item.layers),
        {**model, "desc": "rsabestlayer"},
        f"{how}{', rounded' if is_faithful else ''}; {where}, else 0.",
    )
    centroid = how if is_faithful else "Mean layer number weighted by positive mean scores"
    writer.maps(
        item.centroid,
        ["centroid"],
        {**model, "stat": "centroid", "desc": "rsa"},
        f"{centroid}; {where}.",
    )
    if np.isfinite(item.confidence).any():
        writer.maps(
            item.confidence,
            ["confidence"],
            {**model, "stat": "confidence", "desc": "rsa"},
            "Share of bootstrap resamples of participants in which the layer with the largest "
            "mean score is the same.",
            NumberOfResamples=settings.n_bootstrap,
        )
    by = (
        f"maximum over layers, t over participants, q < {settings.significance:g} / "
        f"{len(item.layers)}"
        if is_faithful
        else f"permutation of clips, family-wise over units and layers, {settings.significance:g}"
    )
    writer.mask(
        item.significant,
        {**model, "desc": "rsasignificant"},
        f"Units with a layer that pass: {by}.",
    )


def _write_untrained(analysis: GroupAnalysis, item: NetworkGroup, results: GroupResults) -> None:
    if item.untrained is None:
        return
    inputs = analysis.inputs
    sources: list[Path] = [
        path
        for one in inputs.participants
        for desc in ("rsa", "rsauntrained")
        for path in inputs.scores(one, item.model, desc)
    ]
    writer = group_writer(analysis, results.units, sources)
    for desc, values, text in (
        ("rsauntrained", item.untrained.mean, "networks with random weights"),
        ("rsadifference", item.untrained.difference, "trained minus untrained networks"),
    ):
        entities = {"model": item.model, "stat": "rho", "desc": desc}
        description = f"Mean over participants of their own scores: {text}."
        writer.maps(values, list(item.layers), entities, description)


def _write_ceilings(writer: ResultWriter, results: GroupResults) -> None:
    if not np.isfinite(results.ceiling_lower).any():
        return
    for desc, values, text in (
        ("rsalower", results.ceiling_lower, "with the mean of the others'"),
        ("rsaupper", results.ceiling_upper, "with the mean of all participants'"),
    ):
        writer.maps(
            values,
            ["ceiling"],
            {"stat": "ceiling", "desc": desc},
            f"Mean correlation of a participant's dissimilarities {text}; no model of the sounds "
            "can be expected to do better.",
        )


def _write_tables(
    writer: ResultWriter, item: NetworkGroup, analysis: GroupAnalysis, results: GroupResults
) -> None:
    model = {"model": item.model}
    withheld = results.design.common_order
    writer.table(
        profile_rows(item, analysis),
        {**model, "desc": "rsaprofile"},
        "Scores over all searchlights, layer by layer.",
        mean_rho="mean over participants and units",
        ci_low="95 % bootstrap interval (BCa) over participants",
        ci_high="95 % bootstrap interval (BCa) over participants",
        n_best="units whose best layer this is (as in desc-rsabestlayer)",
        n_significant="units that pass in this layer, family-wise over units and layers",
        mean_untrained="participants' own scores of untrained networks",
        difference="trained minus untrained, participants' own scores",
    )
    writer.table(
        (
            {"permutation": number, "max_rho": value}
            for number, value in enumerate(item.null_maximum, start=1)
        ),
        {**model, "desc": "rsanull"},
        "Largest mean score over units and layers under each permutation of clips.",
    )
    why = "n/a: with a common order no test over participants is evidence of its own"
    writer.table(
        layer_rows(item, withheld=withheld),
        {**model, "desc": "rsalayers"},
        "Which layers the units of each hemisphere follow.",
        n="units of the group's map of best layers",
        share="of the units of the hemisphere that have a best layer",
        participant_share="mean over participants of the share in their own maps, where the "
        "lower noise ceiling is above zero; L-R: of the difference",
        p=why if withheld else "sign flips of participants, two-sided, family-wise over layers",
    )
    if item.shape.axes:
        writer.table(
            axis_rows(item),
            {**model, "desc": "rsastg"},
            "Layers along the superior temporal gyrus.",
            position="from 0 (posterior end) to 1 (anterior end)",
            centroid="mean over participants of their centroid layers",
            ci_low="95 % bootstrap interval (BCa) over participants",
            ci_high="95 % bootstrap interval (BCa) over participants",
        )
