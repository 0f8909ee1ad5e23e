"""Header, numbers at a glance, and what was analysed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bidsapp.report.html import (
    Note,
    Number,
    Numbers,
    Prose,
    Section,
    Table,
    cell,
    columns,
    number_text,
)
from bidsapp.report.participant_methods import n_parcels, random_weights, unit_words, weights_text
from bidsapp.report.results import (
    POSITIVE,
    ModelResults,
    Results,
    SpaceResults,
    fact,
    rows_of,
    short_run,
)


def meta(results: Results) -> list[tuple[str, str]]:
    """Names and values under the heading."""
    facts = results.facts
    made_by = (results.description.get("GeneratedBy") or [{}])[0]
    dataset = facts.get("dataset") or _source(results.description)
    items = [
        ("Dataset", dataset),
        (
            "Recipe",
            f"{facts.get('recipe', 'gradients')}, {facts.get('variant', 'variant not recorded')}",
        ),
        ("Date", results.date),
        ("Version", facts.get("version") or made_by.get("Version")),
        ("Configuration", facts.get("ConfigurationHash")),
        *(
            (f"Weights of {model.name}", weights_text(space.facts, model.name))
            for space in results.spaces[:1]
            for model in space.models
        ),
    ]
    return [(name, str(value)) for name, value in items if value]


def _source(description: Mapping[str, Any]) -> str:
    sources = description.get("SourceDatasets") or [{}]
    first = sources[0] if isinstance(sources[0], Mapping) else {}
    return str(first.get("Name") or first.get("DOI") or description.get("Name") or "")


def banners(results: Results) -> list[Note]:
    """Loud statements: simulated data, random weights."""
    return [*simulated(results.description), *_random(results)]


def simulated(description: Mapping[str, Any]) -> list[Note]:
    """Say so when the data that a description names were simulated."""
    chain = description.get("GeneratedBy") or ()
    if not any("simulate" in str(step.get("Name")) for step in chain):
        return []
    text = "No person was measured; what was planted is known and stands beside the data."
    return [Note("caution", "Simulated data", text)]


def _random(results: Results) -> list[Note]:
    models = [
        model.name
        for space in results.spaces[:1]
        for model in space.models
        if random_weights(space.facts, model.name)
    ]
    text = (
        "These results are a control: they show what the architecture alone can predict, not "
        "what a trained network represents."
    )
    return [Note("serious", f"Random weights ({', '.join(models)})", text)] if models else []


def glance(results: Results) -> Section:
    """Numbers at a glance, one row per model and space."""
    children = [
        Section(_title(space, model, results), f"glance-{space.space.anchor}-{model.name}",
                [Numbers(_numbers(space, model))])
        for space in results.spaces
        for model in space.models
    ]  # fmt: skip
    if len(children) == 1:
        return Section("At a glance", "glance", [Numbers(_amounts(results)), *children[0].parts])
    return Section("At a glance", "glance", [Numbers(_amounts(results))], children)


def _title(space: SpaceResults, model: ModelResults, results: Results) -> str:
    several = any(len(each.models) > 1 for each in results.spaces)
    return f"{model.name}, {space.space.title}" if several else space.space.title


def _amounts(results: Results) -> list[Number]:
    alignment = results.table("alignment")
    if alignment.empty:
        return []
    runs = alignment.drop_duplicates("run")
    n_rows = alignment["n_rows"].sum()
    total = runs["n_trs"].sum()
    share = f"{100 * n_rows / max(total, 1):.0f} % of all"
    return [
        Number("Runs", number_text(len(runs), 0), f"{number_text(total, 0)} volumes"),
        Number("Volumes analysed", number_text(n_rows, 0), share),
        Number("Pieces", number_text(alignment["stim_file"].nunique(), 0),
               f"{alignment['duration_s'].sum() / 60:.1f} min of sound"),
    ]  # fmt: skip


def _numbers(space: SpaceResults, model: ModelResults) -> list[Number]:
    items: list[Number] = []
    n_units = fact(space.facts, "n_units", default=space.grid.n_units if space.grid else None)
    if n_units:
        items.append(
            Number(unit_words(space)[1].capitalize(), number_text(n_units, 0), space.space.title)
        )
    scores = model.scores(POSITIVE)
    if scores is not None and np.isfinite(scores.values).any():
        layer = int(
            np.nanargmax(
                np.nanmax(np.where(np.isfinite(scores.values), scores.values, -2), axis=1)
            )
        )
        peak = float(np.nanmax(scores.values))
        items.append(Number(f"Peak r, {unit_words(space)[0]}", number_text(peak, 2),
                            f"layer {model.layers['layer'].iloc[layer]}"))  # fmt: skip
    return items + _parcel_numbers(space, model)


def _parcel_numbers(space: SpaceResults, model: ModelResults) -> list[Number]:
    parcels = rows_of(model.summary, lags=POSITIVE)
    if parcels.empty:
        return []
    passed = model.passed
    total = n_parcels(space) or len(parcels)
    items = [
        Number("Peak r, parcel", number_text(parcels["r_max"].max(), 2), "mean of a parcel"),
        Number(
            "Significant parcels", f"{len(passed)} of {total}", f"family-wise p < {model.level:g}"
        ),
    ]
    if len(passed):
        low, high = np.nanpercentile(passed["centroid"], [5, 95])
        extent = f"{low:.1f}" if len(passed) == 1 else f"{low:.1f} \u2013 {high:.1f}"
        remark = f"5th to 95th percentile, of {len(model.layers)} layers"
        items.append(Number("Centroid layer", extent, remark))
    return items


def analysed(results: Results) -> Section:
    """Tabulate runs and pieces."""
    alignment = results.table("alignment")
    if alignment.empty:
        return Section("What was analysed", "analysed", [Prose("No alignment table was written.")])
    return Section("What was analysed", "analysed", [_runs(results), _pieces(results)])


def _runs(results: Results) -> Table:
    alignment = results.table("alignment")
    confounds = {
        str(run.get("name")): run.get("n_confounds", run.get("confounds"))
        for run in results.facts.get("runs") or ()
        if isinstance(run, Mapping)
    }
    rows = []
    for name, group in alignment.groupby("run", sort=False):
        first = group.iloc[0]
        rows.append(
            [
                cell(short_run(name)), cell(first["n_trs"], 0), cell(first["tr_s"], 2),
                cell(first["scan_s"], 1), cell(float(group["stim_file"].notna().sum()), 0),
                cell(group["n_rows"].sum(), 0), cell(_count(confounds.get(str(name))), 0),
            ]
        )  # fmt: skip
    heads = columns(
        "run", "volumes#", "TR (s)#", "scan (s)#", "presentations#", "volumes used#", "confounds#"
    )
    return Table(heads, rows, "Runs")


def _count(value: Any) -> float | None:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return float(len(value))
    return float(value) if isinstance(value, int | float) else None


def _pieces(results: Results) -> Table:
    alignment = results.table("alignment")
    rows = []
    for name, group in alignment.groupby("stim_file", sort=False):
        rows.append(
            [
                cell(str(name)), cell(group["sound_s"].iloc[0], 1), cell(float(len(group)), 0),
                cell(group["duration_s"].sum(), 1), cell(group["n_rows"].sum(), 0),
            ]
        )  # fmt: skip
    heads = columns("piece", "file (s)#", "presentations#", "played (s)#", "volumes used#")
    return Table(heads, rows, "Pieces: the unit that is held out in cross-validation")
