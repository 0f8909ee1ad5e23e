"""What was analysed: runs, clips, and the order in which they were heard."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bidsapp.report.figures.style import PIECES
from bidsapp.report.html import (
    Facts,
    Part,
    Prose,
    Section,
    Table,
    cell,
    columns,
    number_text,
    picture,
    plural,
)
from bidsapp.report.results import short_run
from bidsapp.report.rsa.figures.timeline import Heard, Track, timeline_figure
from bidsapp.report.rsa.read import Study

_MOST_RUNS = 12
_DISSIMILARITIES = {
    "spearman": "1 \u2212 Spearman correlation",
    "pearson": "1 \u2212 Pearson correlation",
    "euclid": "Euclidean distance",
    "crossnobis": "crossvalidated distance (crossnobis)",
}


def analysed(study: Study) -> Section:
    """Tell what the items are, and when each clip was heard."""
    parts: list[Part] = [Prose(item_words(study))]
    table = study.table("rsaalignment")
    if not table.empty:
        parts.append(_timeline(study, table))
    parts += _tables(study, table)
    return Section("Clips and items", "items", parts)


def item_words(study: Study) -> str:
    """Say in a few sentences what the rows of the matrices are, and which pairs count."""
    facts, option = study.facts, study.own_settings
    unit = "clip" if option.get("item_unit") == "clip" else "volume of a clip"
    text = f"Each {unit} is an item"
    if option.get("average_repeats"):
        text += ", averaged over the times it was heard"
    drop_s = float(option.get("drop_s") or 0)
    if drop_s:
        text += f"; the first {drop_s:g} s of each clip are left out"
    if facts.get("n_items"):
        text += f". That makes {plural(facts['n_items'], 'item')}"
        if facts.get("n_volumes_per_clip"):
            text += (
                f", {facts['n_volumes_per_clip']} of each of {plural(facts['n_clips'], 'clip')}"
            )
    pairs = (
        "Only pairs of two clips are compared: within a clip, neighbours in time are alike in "
        "brain and sound without any coupling."
        if option.get("pairs") == "between-clip"
        else "All pairs are compared, those within clips among them."
    )
    removed = facts.get("nuisance") or ()
    told = (
        f" Partialled out by rank: dissimilarities of {', '.join(map(str, removed))}."
        if removed
        else " Nothing is partialled out."
    )
    return f"{text}. {pairs}{told}"


def _timeline(study: Study, table: pd.DataFrame) -> Part:
    names = [str(name) for name in table["stim_file"].dropna().unique()]
    colours = {name: PIECES[number % len(PIECES)] for number, name in enumerate(names)}
    drop_s = float(study.own_settings.get("drop_s") or 0)
    tracks = [
        Track(
            short_run(name),
            float(rows["scan_s"].iloc[0]),
            tuple(_played(row, drop_s) for row in rows.to_dict("records") if _heard(row)),
        )
        for name, rows in table.groupby("run", sort=False)
    ]
    shown = tracks[:_MOST_RUNS]
    caption = (
        "When each clip was heard, one colour for each"
        f"{' (colours repeat)' if len(names) > len(PIECES) else ''}."
    )
    if len(tracks) > len(shown):
        caption += f" The first {len(shown)} of {len(tracks)} runs."
    orders = study.facts.get("orders_of_runs")
    if orders and len(tracks) > 1:
        told = "the same order" if orders == 1 else f"{orders} different orders"
        caption += f" The clips came in {told} over {len(tracks)} runs."
    alt = "; ".join(f"{track.name}: {plural(len(track.heard), 'clip')}" for track in shown)
    return picture(
        timeline_figure(shown, colours),
        alt=f"Timeline. {alt}.",
        caption=caption,
        vector=sum(len(track.heard) for track in shown) <= 150,
    )


def _heard(row: dict[Any, Any]) -> bool:
    return isinstance(row["stim_file"], str) and pd.notna(row["onset_s"])


def _played(row: dict[Any, Any], drop_s: float) -> Heard:
    onset, length, tr_s = float(row["onset_s"]), float(row["duration_s"]), float(row["tr_s"])
    used = None
    if row["n_rows"] > 0 and pd.notna(row["first_volume"]):
        start = max(row["first_volume"] * tr_s, onset + drop_s)
        end = (row["last_volume"] + 1) * tr_s
        used = (start, end) if end > start else None
    return Heard(str(row["stim_file"]), onset, length, used)


def _tables(study: Study, table: pd.DataFrame) -> list[Part]:
    items = study.table("rsaitems")
    parts: list[Part] = []
    if not items.empty:
        rows = [
            [
                cell(str(name)), cell(float(len(group)), 0), cell(group["time_s"].min(), 1),
                cell(group["time_s"].max(), 1), cell(group["n_repeats"].min(), 0),
            ]
            for name, group in items.groupby("clip", sort=False)
        ]  # fmt: skip
        heads = columns("clip", "items#", "from (s)#", "to (s)#", "repeats#")
        parts.append(
            Table(heads, rows, "Clips; from and to: time of their items since they began")
        )
    if not table.empty:
        rows = []
        for name, group in table.groupby("run", sort=False):
            first = group.iloc[0]
            rows.append(
                [
                    cell(short_run(name)), cell(first["n_trs"], 0), cell(first["tr_s"], 3),
                    cell(first["scan_s"], 1), cell(float(group["stim_file"].notna().sum()), 0),
                ]
            )  # fmt: skip
        heads = columns("run", "volumes#", "TR (s)#", "scan (s)#", "clips heard#")
        parts.append(Table(heads, rows, "Runs"))
    return parts


def group_design(study: Study) -> Section:
    """Tell what the group's items are, whether the order was common, and who takes part."""
    facts = study.facts
    order = facts.get("order") or {}
    common = order.get("common")
    told = (
        "not recorded" if common is None
        else "the same for (nearly) all participants" if common
        else f"{plural(order.get('n_orders', 0), 'order')}, not common to the participants"
    )  # fmt: skip
    items = [
        ("Clips", number_text(facts.get("n_clips", 0), 0)),
        ("Items", number_text(facts.get("n_items", 0), 0)),
        ("Pairs compared", number_text(facts.get("n_pairs", 0), 0)),
        ("Order of clips", told),
        ("Dissimilarity", _DISSIMILARITIES.get(str(facts.get("dissimilarity")))),
    ]
    apart = float(facts.get("time_difference_s") or 0)
    if apart > 0:
        smallest = float(facts.get("smallest_model_correlation") or 1)
        items.append(
            ("Phase of volumes", f"up to {apart:.2g} s apart between participants; their model "
             f"matrices correlate by {smallest:.3f} or more")
        )  # fmt: skip
    shown = [(name, str(value)) for name, value in items if value]
    return Section("Clips and items", "items", [Prose(item_words(study)), Facts(shown)])


def participants(study: Study) -> Section:
    """Tabulate who takes part, and who does not and why."""
    parts: list[Part] = []
    for space in study.spaces:
        table = space.table("rsaparticipants")
        if table.empty:
            continue
        rows = [
            [
                cell(f"sub-{row['participant']}"), cell("yes" if row.get("included") else "no"),
                cell(row.get("n_trs"), 0), cell(row.get("fewest_repeats"), 0),
                cell(row.get("mean_rho"), 4), cell(_text(row.get("best_layer"))),
                cell(row.get("lag_mean_rho"), 4), cell(_text(row.get("configuration_hash"))),
                cell(_text(row.get("reason"))),
            ]
            for row in table.to_dict("records")
        ]  # fmt: skip
        heads = columns("participant", "included", "volumes#", "repeats#", "mean \u03c1#",
                        "best layer", "\u03c1 of time#", "configuration", "why not~")  # fmt: skip
        where = f" ({space.space.title})" if len(study.spaces) > 1 else ""
        caption = (
            f"Who takes part{where}. Mean \u03c1: over units and the layers of the first network; "
            "best layer: the largest mean over units; \u03c1 of time: comparison of the "
            "searchlights with the time between the items."
        )
        parts.append(Table(heads, rows, caption))
    parts = parts or [Prose("No table of participants was written.")]
    return Section("Participants", "participants", parts)


def _text(value: object) -> str:
    return value if isinstance(value, str) else "\u2013"
