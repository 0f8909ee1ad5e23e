"""What was analysed: clips and items, their dissimilarities, and the searchlights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from bidsapp.recipes.rsa import results as declared
from bidsapp.recipes.rsa.figures.items import lag_figure, likeness_figure, matrices_figure
from bidsapp.recipes.rsa.report.view import RsaView, own_settings
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.projection import has_vertices, unit_words
from bidsapp.report.figures.style import Array
from bidsapp.report.html import Facts, Part, Prose, Section, number_text, picture, plural
from bidsapp.report.tables import choose, table
from bidsapp.report.timing import short_run, timeline
from bidsapp.results.kinds import Column
from bidsapp.results.read import Results, Space

_MOST_ITEMS = 700
_PAIR = declared.MODELS.header
_DISSIMILARITIES = {
    "spearman": "1 \u2212 Spearman correlation",
    "pearson": "1 \u2212 Pearson correlation",
    "euclid": "Euclidean distance",
    "crossnobis": "crossvalidated distance (crossnobis)",
}
_CLIPS = (
    *choose(declared.ITEMS.columns, "clip"),
    Column("items", digits=0),
    Column("first", title="from", digits=1, unit="s"),
    Column("last", title="to", digits=1, unit="s"),
    Column("n_repeats", title="repeats", digits=0),
)
_RUNS = (
    *choose(declared.ALIGNMENT.columns, "run", "n_trs", "tr_s", "scan_s"),
    Column("heard", title="clips heard", digits=0),
)


def analysed(results: Results) -> Section:
    """Tell what the items are, and when each clip was heard."""
    alignment, items = results.table(declared.ALIGNMENT), results.table(declared.ITEMS)
    clips = items.groupby("clip", sort=False).agg(
        items=("item", "size"), first=("time_s", "min"), last=("time_s", "max"),
        n_repeats=("n_repeats", "min"),
    )  # fmt: skip
    runs = alignment.groupby("run", sort=False).agg(
        n_trs=("n_trs", "first"), tr_s=("tr_s", "first"), scan_s=("scan_s", "first"),
        heard=("stim_file", "count"),
    )  # fmt: skip
    runs = runs.reset_index()
    runs["run"] = runs["run"].map(short_run)
    told = "Clips; from and to: time of their items since they began"
    parts: list[Part] = [
        Prose(item_words(results)),
        _timeline(results, alignment),
        table(clips.reset_index(), _CLIPS, told),
        table(runs, _RUNS, "Runs"),
    ]
    return Section("Clips and items", "items", parts)


def item_words(results: Results) -> str:
    """Say in a few sentences what the rows of the matrices are, and which pairs count."""
    facts, option = results.facts(), own_settings(results)
    text = f"Each {'clip' if option['item_unit'] == 'clip' else 'volume of a clip'} is an item"
    text += ", averaged over the times it was heard" * option["average_repeats"]
    if option["drop_s"]:
        text += f"; the first {option['drop_s']:g} s of each clip are left out"
    text += (
        f". That makes {plural(facts['n_items'], 'item')} of {plural(facts['n_clips'], 'clip')}"
    )
    if facts["n_permutations"] and facts["n_tested"] < facts["n_items"]:
        text += f"; p-values are of the {facts['n_tested']} that every clip has"
    pairs = (
        "Only pairs of two clips are compared: within a clip, neighbours in time are alike in "
        "brain and sound without any coupling."
        if option["pairs"] == "between-clip"
        else "All pairs are compared, those within clips among them."
    )
    removed = ", ".join(facts["nuisance"])
    told = f"Partialled out by rank: dissimilarities of {removed}." * bool(removed)
    return f"{text}. {pairs} {told or 'Nothing is partialled out.'}"


def _timeline(results: Results, alignment: pd.DataFrame) -> Part:
    caption = (
        "Grey: the scan, darker the volumes that became items. Colour: when each clip was played "
        "({colours})."
    )
    n_orders, n_runs = results.facts()["orders_of_runs"], alignment["run"].nunique()
    if n_runs > 1:
        told = "the same order" if n_orders == 1 else f"{n_orders} different orders"
        caption += f" The clips came in {told} over {n_runs} runs."
    return timeline(alignment, caption, drop_s=float(own_settings(results)["drop_s"]))


def group_design(results: Results) -> Section:
    """Tell what the group's items are, and whether the order was common."""
    facts = results.facts()
    order = facts["order"]
    told = f"{plural(order['n_orders'], 'order')}, not common to the participants"
    if order["common"]:
        told = "the same for (nearly) all participants"
    shown = [
        ("Clips", number_text(facts["n_clips"], 0)),
        ("Items", number_text(facts["n_items"], 0)),
        ("Pairs compared", number_text(facts["n_pairs"], 0)),
        ("Order of clips", told),
        ("Dissimilarity in the brain", _DISSIMILARITIES[facts["dissimilarity"]]),
    ]
    apart = facts["time_difference_s"]
    if apart > 0:
        smallest = facts["smallest_model_correlation"]
        text = f"up to {apart:.2g} s apart between participants; their model matrices correlate "
        shown.append(("Phase of volumes", f"{text}by {smallest:.3f} or more"))
    return Section("Clips and items", "items", [Prose(item_words(results)), Facts(shown)])


# ------------------------------------------------------------------ dissimilarities


def dissimilarities(results: Results, views: Sequence[RsaView]) -> Section:
    """Draw the matrices of each network, and the lag profile of each space."""
    networks = list({view.pair.network: view for view in views}.values())
    children = [
        _matrices(view, f"-{place}" if len(networks) > 1 else "")
        for place, view in enumerate(networks, start=1)
    ]
    several = len(results.spaces) > 1
    children += [
        _lag(results, space, f"-{place}" if several else "")
        for place, space in enumerate(results.spaces, start=1)
    ]
    return Section("Dissimilarities", "dissimilarities", children=children)


def _matrices(view: RsaView, suffix: str) -> Section:
    frame = view.table(declared.MODELS)
    clips, names = pd.factorize(view.results.table(declared.ITEMS)["clip"])
    first, second = (frame[name].to_numpy(int) - 1 for name in ("item_i", "item_j"))
    compared = np.ones(len(frame), dtype=bool)
    if own_settings(view.results)["pairs"] == "between-clip":
        compared = np.asarray(clips[first] != clips[second])
    rdms = frame[list(view.layers)].to_numpy(float).T
    parts: list[Part] = []
    if len(clips) <= _MOST_ITEMS:
        titles = [f"{place} {name}" for place, name in enumerate(view.layers, start=1)]
        pale = "" if compared.all() else " Pale: pairs within a clip, which are not compared."
        caption = (
            "Dissimilarity of each pair of items in each layer (Figure 5 of the paper), as ranks "
            "over all pairs; rows and columns in the order of clips, white lines between "
            f"clips.{pale}"
        )
        alt = f"{len(titles)} matrices of {len(clips)} items in {len(names)} clips."
        figure = matrices_figure(titles, rdms, clips, list(map(str, names)), compared)
        parts.append(picture(figure, alt=alt, caption=caption, vector=False))
    parts.append(_likeness(view, rdms, compared))
    return Section(f"Matrices of the layers: {view.title}", f"matrices{suffix}", parts)


def _likeness(view: RsaView, rdms: Array, compared: Array) -> Part:
    nuisances = view.results.table(declared.NUISANCE)
    others = [str(name) for name in nuisances if name not in _PAIR]
    rows = np.vstack([rdms, nuisances[others].to_numpy(float).T]) if others else rdms
    correlations = rank_correlations(rows[:, compared])
    neighbours = np.diag(correlations[: len(rdms), : len(rdms)], 1)
    close = np.nanmedian(neighbours) if np.isfinite(neighbours).any() else np.nan
    beside = "; beyond the line: matrices that are partialled out" * bool(others)
    caption = (
        f"Rank correlation of the matrices of {view.title} with each other{beside}. Layers that "
        "are alike cannot be told apart by their scores: neighbours correlate by "
        f"{number_text(close, 2)} (median)."
    )
    figure = likeness_figure([*view.layers, *others], correlations, len(rdms))
    return picture(figure, alt=f"Heat map. {caption}", caption=caption)


def rank_correlations(rows: Array) -> Array:
    """(n, n) Spearman correlations of (n, n_pairs) rows; NaN for rows that are not finite."""
    usable = np.isfinite(rows).all(axis=1) & (np.ptp(np.nan_to_num(rows), axis=1) > 0)
    out = np.full((len(rows), len(rows)), np.nan)
    if usable.any():
        ranked = rankdata(rows[usable], axis=1)
        out[np.ix_(usable, usable)] = np.corrcoef(ranked).reshape(usable.sum(), -1)
    return out


def _lag(results: Results, space: Space, suffix: str) -> Section:
    frame = results.table(declared.LAG, space)
    known = declared.LAG.header
    names = [str(name) for name in frame if name not in known]
    rho = results.facts(space)["lag_model_mean_rho"] or np.nan
    caption = (
        "Mean over pairs of items and an even sample of searchlights (left), and over pairs in "
        "each layer of the first network (right, relative to its mean), by the mean time between "
        "the two in the runs that have both; pairs within clips are the first few seconds. If "
        "searchlights and layers both rise with time, they correlate without any coupling: the "
        "reason for comparing pairs of two clips and for removing time. Searchlights correlate "
        f"with the time between items by {number_text(rho, 3)} on average."
    )
    where = f", {space.title}" if suffix else ""
    figure = picture(lag_figure(frame, names), alt=_lag_words(frame), caption=caption)
    return Section(f"Dissimilarity by distance in time{where}", f"lag{suffix}", [figure])


def _lag_words(frame: pd.DataFrame) -> str:
    known = frame[np.isfinite(frame["mean_dissimilarity"])]
    if known.empty:
        return "Lag profile without finite dissimilarities of searchlights."
    first, last = (
        f"{row['mean_dissimilarity']:.3f} at {row['lag_s']:g} s"
        for row in (known.iloc[0], known.iloc[-1])
    )
    return f"Dissimilarity of searchlights: {first}, {last}."


# ------------------------------------------------------------------ searchlights


def searchlights(results: Results) -> Section:
    """Say how large searchlights are, and draw their radii, in each space."""
    children = [
        Section(space.title, f"searchlights-{place}", _sizes(results, space))
        for place, space in enumerate(results.spaces, start=1)
    ]
    parts = children.pop().parts if len(children) == 1 else []
    return Section("Searchlights", "searchlights", parts, children)


def _sizes(results: Results, space: Space) -> list[Part]:
    size, radius = (results.values(item, space)[0] for item in (declared.SIZE, declared.RADIUS))
    facts, units = results.facts(space), results.units(space)
    how = (
        "Distances are along the mesh."
        if has_vertices(units)
        else "A searchlight of a fixed number of voxels grows at the border of its mask."
    )
    low, median, high = np.nanpercentile(size, [0, 50, 100])
    words = unit_words(units)[1]
    count = f"{low:.0f} to {high:.0f} (median {median:.0f})" if low < high else f"{low:.0f}"
    text = (
        f"{number_text(facts['n_searchlights'], 0)} searchlights within {facts['mask']}; they "
        f"have {count} {words} and a radius of "
        f"{np.nanmin(radius):.1f} to {np.nanmax(radius):.1f} mm (median "
        f"{np.nanmedian(radius):.1f}). {how}"
    )
    shown = BrainMap.of(declared.RADIUS, radius)
    return [Prose(text), *draw([shown], units, projected=False)]
