"""Write the results of the group level: maps, tables, summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.recipes.gradients.group.inputs import GroupAnalysis
from bidsapp.recipes.gradients.group.isc import isc_rows
from bidsapp.recipes.gradients.group.profiles import pca_rows, profile_rows, reliability_rows
from bidsapp.recipes.gradients.group.ratings import rating_rows
from bidsapp.recipes.gradients.group.results import Condition, GroupResults
from bidsapp.recipes.gradients.group.spin_tables import null_rows, spin_rows
from bidsapp.recipes.gradients.group.subjects import subject_rows, subject_test_rows
from bidsapp.recipes.gradients.group.summary import coverage, summary
from bidsapp.recipes.writer import ResultWriter, group_writer
from bidsapp.stats.bootstrap import resample_counts
from bidsapp.stats.layer_pca import LayerPca, layer_pca
from bidsapp.stats.tfce import EXTENT, HEIGHT

Row = dict[str, Any]


def _score_files(analysis: GroupAnalysis, item: Condition) -> list[Path]:
    """List the participants' score maps of one network and set of lags."""
    inputs = analysis.inputs
    return [
        path for one in inputs.participants for path in inputs.scores(one, item.model, item.lags)
    ]


def write_results(analysis: GroupAnalysis, results: GroupResults) -> None:
    """Write everything the group level of one space has found.

    Parameters
    ----------
    analysis
        The job.
    results
        What it found.
    """
    first = results.conditions[0]
    pcas = {}
    for item in results.conditions:
        writer = group_writer(analysis, results.units, _score_files(analysis, item))
        _write_maps(writer, item, analysis)
        pcas[item.model, item.lags] = _components(item, analysis.settings.n_pcs)
        _write_components(writer, item, pcas[item.model, item.lags])
    writer = group_writer(analysis, results.units, _score_files(analysis, first))
    if results.cortex is not None and results.cortex.is_projected:
        _write_projected(analysis, results)
    if results.cortex is not None:
        _write_given_references(analysis, results)
    for model in results.models:
        _write_tables(writer, model, analysis, results, pcas)
        _write_gradient_tables(writer, model, analysis, results)
    writer.maps(
        first.maps.n.astype(np.float32),
        ["n"],
        {"stat": "n", "desc": "participants"},
        "Participants with a value at each unit.",
    )
    writer.table(
        _participant_rows(analysis, first),
        {"desc": "participants"},
        "Who takes part, and who does not and why.",
        mean_r="score at positive lags, averaged over the layers of the first network and units",
    )
    if results.isc is not None:
        writer.table(
            isc_rows(results.isc, results.units),
            {"desc": "isc"},
            "Correlation of each participant with the mean of the others, parcel by parcel: what "
            "a model of the sound can reach at most.",
            isc="mean over participants (Fisher z)",
            n="participants",
        )
    writer.facts(summary(analysis, results), {"desc": "summary"})


def _write_maps(writer: ResultWriter, item: Condition, analysis: GroupAnalysis) -> None:
    lags, model, layers = item.lags, item.model, item.layers
    settings, maps = analysis.settings, item.maps
    writer.maps(
        maps.mean_r,
        layers,
        {"model": model, "stat": "r", "desc": f"{lags}mean"},
        "Mean correlation over participants (Fisher z, back-transformed); NaN where less than "
        f"{settings.min_share:.0%} of the participants have a value.",
    )
    writer.maps(
        maps.centroid,
        ["centroid"],
        {"model": model, "stat": "centroid", "desc": lags},
        "Mean layer number of the group profile, weighted by positive scores; NaN where no "
        "layer's mean score is positive.",
        Coverage=coverage(maps.centroid),
    )
    writer.labels(
        maps.best.astype(np.int64),
        layers,
        {"model": model, "desc": f"bestlayer{lags}"},
        "Layer with the largest mean score; 0 where none is positive."
        if settings.best_layer == "positive"
        else "Layer with the largest mean score, whatever its sign (argmax at each unit).",
    )
    if maps.test is None:
        return
    facts = {
        "NumberOfSignFlips": maps.test.n_flips,
        "AllSignFlips": maps.test.exact,
        "SmallestP": maps.test.smallest_p,
        "Alternative": settings.alternative,
    }
    for stat, desc, values, text in (
        ("t", lags, maps.test.t, "One-sample t of Fisher z over participants."),
        ("d", lags, maps.test.d, "Cohen's d of Fisher z over participants."),
        (
            "p",
            f"{lags}fwe",
            maps.test.p_fwe,
            "Sign-flip p, corrected over units and layers by the largest t.",
        ),
        (
            "q",
            f"{lags}fdr",
            maps.test.q,
            "False discovery rate (Benjamini-Hochberg) of the sign-flip p over units and layers.",
        ),
    ):
        entities = {"model": model, "stat": stat, "desc": desc}
        writer.maps(values, layers, entities, text, **facts)
    if maps.clusters is not None:
        writer.maps(
            maps.clusters.p,
            layers,
            {"model": model, "stat": "p", "desc": f"{lags}tfce"},
            "Sign-flip p of threshold-free cluster enhancement, corrected over units and layers.",
            NumberOfSignFlips=maps.clusters.n_flips,
            AllSignFlips=maps.clusters.exact,
            Extent=EXTENT,
            Height=HEIGHT,
            Alternative=settings.alternative,
        )
    if lags == "positive":
        writer.mask(
            maps.significant(settings.significance),
            {"model": model, "desc": "significant"},
            f"Units where any layer passes p < {settings.significance} at positive lags, "
            "family-wise over units and layers (sign flips of participants).",
        )


def _components(item: Condition, n_pcs: int) -> LayerPca | None:
    complete = int(np.isfinite(item.maps.mean_r).all(axis=0).sum())
    n = min(n_pcs, len(item.layers), complete)
    return layer_pca(item.maps.mean_r, n) if n > 0 else None


def _write_components(writer: ResultWriter, item: Condition, pca: LayerPca | None) -> None:
    if pca is None:
        return
    writer.maps(
        pca.topographies,
        [f"pc{number + 1}" for number in range(len(pca.topographies))],
        {"model": item.model, "stat": "pc", "desc": item.lags},
        "Principal components of mean scores, layers as variables, units as observations.",
        ExplainedVariance=list(pca.explained),
    )


def _origin(results: GroupResults) -> dict[str, str]:
    """Name the volumes behind maps of the surface, so that two templates write two files."""
    if results.cortex is None or not results.cortex.is_projected:
        return {}
    return {"label": f"{results.units.space}{results.units.resolution or ''}"}


def _write_given_references(analysis: GroupAnalysis, results: GroupResults) -> None:
    """Keep the reference maps that the user gave, as they were compared."""
    cortex = results.cortex
    assert cortex is not None
    for item in results.references:
        if not item.name.startswith("user"):
            continue
        writer = group_writer(analysis, cortex.units, [], {"Reference": dict(item.provenance)})
        writer.maps(
            item.values[None].astype(np.float32),
            [item.name],
            {"stat": "reference", **_origin(results), "desc": item.name},
            "Reference map given by the user.",
        )


def _write_projected(analysis: GroupAnalysis, results: GroupResults) -> None:
    """Write what volumes look like on the surface on which they were spun."""
    cortex = results.cortex
    assert cortex is not None
    facts = {"Projection": dict(cortex.provenance), "ProjectedFrom": analysis.inputs.space}
    origin = _origin(results)
    for item in results.conditions:
        writer = group_writer(analysis, cortex.units, _score_files(analysis, item), facts)
        assert item.surface_r is not None
        assert item.surface_centroid is not None
        assert item.surface_best is not None
        model, lags = item.model, item.lags
        text = "of each layer's mean score map, projected from the volume."
        writer.maps(
            item.surface_r,
            item.layers,
            {"model": model, "stat": "r", **origin, "desc": f"{lags}meanprojected"},
            "Mean correlation over participants, projected from the volume layer by layer.",
        )
        writer.maps(
            item.surface_centroid,
            ["centroid"],
            {"model": model, "stat": "centroid", **origin, "desc": f"{lags}projected"},
            f"Centroid layer {text}",
        )
        writer.labels(
            item.surface_best.astype(np.int64),
            item.layers,
            {"model": model, **origin, "desc": f"bestlayer{lags}projected"},
            f"Best layer {text}",
        )


def _write_tables(
    writer: ResultWriter,
    model: str,
    analysis: GroupAnalysis,
    results: GroupResults,
    pcas: Mapping[tuple[str, str], LayerPca | None],
) -> None:
    settings, seed = analysis.settings, analysis.config.random_seed
    counts = resample_counts(len(analysis.inputs.participants), settings.n_bootstrap, seed)
    conditions = list(results.of(model).values())

    def gather(rows: Any) -> list[Row]:
        return [row for item in conditions for row in rows(item)]

    if conditions[0].profiles.names:
        writer.table(
            gather(lambda x: profile_rows(x.profiles, counts, x.layers, x.lags)),
            {"model": model, "desc": "profile"},
            "Mean score of each layer in each region.",
            ci_low="95 % bootstrap interval (BCa) over participants",
            ci_high="95 % bootstrap interval (BCa) over participants",
        )
        writer.table(
            gather(lambda x: reliability_rows(x.profiles, counts, x.layers, x.lags)),
            {"model": model, "desc": "reliability"},
            "How often each layer is the best of a region when participants are redrawn.",
            share="share of the resamples in which the layer is best",
        )
    components = [
        row
        for item in conditions
        if (pca := pcas[model, item.lags]) is not None
        for row in pca_rows(pca, item.layers, item.lags)
    ]
    if components:
        writer.table(
            components,
            {"model": model, "desc": "pca"},
            "Loadings of the components of mean scores (layers by units).",
        )
    ratings = list(rating_rows(analysis.inputs, model, settings, seed))
    if ratings:
        writer.table(
            ratings,
            {"model": model, "desc": "ratings"},
            "Prediction of continuous ratings by each layer, over raters.",
            in_space=False,
            n="raters",
            p="sign flips of raters; not corrected over layers",
        )


def _write_gradient_tables(
    writer: ResultWriter, model: str, analysis: GroupAnalysis, results: GroupResults
) -> None:
    spins, settings = results.spins, analysis.settings
    if spins is None:
        return
    writer.table(
        spin_rows(spins, model, settings),
        {"model": model, "desc": "spin"},
        "Correlation of layer maps with reference maps, against rotations.",
        lags="positive-negative: difference of the correlations under the same rotations",
        p="two-sided, (b + 1) / (n + 1)",
        p_low="95 % Monte Carlo interval of p",
        p_high="95 % Monte Carlo interval of p",
        p_max="against the largest correlation over the network's maps",
        n_units="units at which both maps are defined",
    )
    writer.table(
        null_rows(spins, model),
        {"model": model, "desc": "spinnull"},
        "Correlations after each rotation of the reference.",
    )
    names = [item.name for item in results.references]
    correlations = {
        lags: item.correlations
        for lags, item in results.of(model).items()
        if item.correlations is not None
    }
    subjects = analysis.inputs.subjects
    writer.table(
        (
            row
            for lags, values in correlations.items()
            for row in subject_rows(values, subjects, lags, names)
        ),
        {"model": model, "desc": "subjects"},
        "Correlation of each participant's layer maps with reference maps.",
    )
    seed = analysis.config.random_seed
    writer.table(
        subject_test_rows(correlations, names, settings, seed),
        {"model": model, "desc": "subjecttest"},
        "Test of these correlations over participants by sign flips.",
        p="two-sided",
        p_max="corrected over lags and kinds of map, for each reference",
    )


def _participant_rows(analysis: GroupAnalysis, first: Condition) -> Iterator[Row]:
    """Yield one row per participant, those left out at the end."""
    for one, mean_r in zip(analysis.inputs.participants, first.mean_r, strict=True):
        summary = one.summary
        yield {
            "participant": one.subject,
            "included": True,
            "reason": None,
            "configuration_hash": one.configuration_hash,
            "n_trs": sum(int(run["n_trs"]) for run in summary.get("runs", ())),
            "n_rows": summary.get("n_rows", {}).get("positive"),
            "mean_r": mean_r,
        }
    for subject, reason in analysis.inputs.left_out:
        yield {
            "participant": subject,
            "included": False,
            "reason": reason,
            **dict.fromkeys(("configuration_hash", "n_trs", "n_rows", "mean_r")),
        }
