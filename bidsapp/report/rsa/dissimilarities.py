"""The matrices of the layers, how alike they are, dissimilarity by distance in time."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from bidsapp.report.html import Part, Prose, Section, number_text, picture
from bidsapp.report.maps import Array
from bidsapp.report.rsa.figures.lag import LagData, lag_figure
from bidsapp.report.rsa.figures.matrices import Matrices, likeness_figure, matrices_figure
from bidsapp.report.rsa.overview import number
from bidsapp.report.rsa.read import Network, SpaceStudy, Study

_KEYS = ("item_i", "item_j")
_MOST_ITEMS = 700


def dissimilarities(study: Study) -> Section:
    """Draw the matrices of each network, and the lag profile of each space."""
    networks = study.networks()
    children = [
        _network(study, network, "" if len(networks) == 1 else f"-{place}")
        for place, network in enumerate(networks, start=1)
    ]
    several = len(study.spaces) > 1
    children += [
        _lag(study, space, f"-{place}" if several else "")
        for place, space in enumerate(study.spaces, start=1)
    ]
    return Section("Dissimilarities", "dissimilarities", children=children)


def _network(study: Study, network: Network, suffix: str) -> Section:
    title, anchor = f"Matrices of the layers: {network.title}", f"matrices{suffix}"
    table = network.table("rsamodels", in_space=False)
    items = study.table("rsaitems")
    if table.empty or items.empty:
        return Section(title, anchor, [Prose("No matrices were written.")])
    clips, names = pd.factorize(items["clip"])
    if len(table) != len(items) * (len(items) - 1) // 2:
        return Section(title, anchor, [Prose("The matrices do not fit the table of items.")])
    compared = _compared(table, clips, study)
    layers = [str(name) for name in table if name not in _KEYS]
    rdms = table[layers].to_numpy(float).T
    parts: list[Part] = []
    if len(items) <= _MOST_ITEMS:
        parts.append(_matrices(layers, rdms, clips, list(map(str, names)), compared))
    parts.append(_likeness(study, network, layers, rdms, compared))
    return Section(title, anchor, parts)


def _compared(table: pd.DataFrame, clips: Array, study: Study) -> Array:
    if study.own_settings.get("pairs") != "between-clip":
        return np.ones(len(table), dtype=bool)
    first, second = (table[key].to_numpy(int) - 1 for key in _KEYS)
    return np.asarray(clips[first] != clips[second])


def _matrices(
    layers: list[str], rdms: Array, clips: Array, names: list[str], compared: Array
) -> Part:
    titles = [f"{place} {name}" for place, name in enumerate(layers, start=1)]
    figure = matrices_figure(Matrices(titles, rdms, clips, names, compared))
    pale = "" if compared.all() else " Pale: pairs within a clip, which are not compared."
    caption = (
        "Dissimilarity of each pair of items in each layer (Figure 5 of the paper), as ranks over "
        f"all pairs; rows and columns in the order of clips, white lines between clips.{pale}"
    )
    alt = f"{len(layers)} matrices of {len(clips)} items in {len(names)} clips."
    return picture(figure, alt=alt, caption=caption, vector=False)


def _likeness(
    study: Study, network: Network, layers: list[str], rdms: Array, compared: Array
) -> Part:
    nuisances = study.table("rsanuisance")
    others = [] if nuisances.empty else [str(name) for name in nuisances if name not in _KEYS]
    rows = rdms if not others else np.vstack([rdms, nuisances[others].to_numpy(float).T])
    correlations = rank_correlations(rows[:, compared])
    figure = likeness_figure([*layers, *others], correlations, len(layers))
    neighbours = np.diag(correlations[: len(layers), : len(layers)], 1)
    close = float(np.nanmedian(neighbours)) if np.isfinite(neighbours).any() else math.nan
    beside = "; beyond the line: matrices that are partialled out" if others else ""
    caption = (
        f"Rank correlation of the matrices of {network.title} with each other{beside}. Layers "
        "that are alike cannot be told apart by their scores: neighbours correlate by "
        f"{number_text(close, 2)} (median)."
    )
    return picture(figure, alt=f"Heat map. {caption}", caption=caption)


def rank_correlations(rows: Array) -> Array:
    """(n, n) Spearman correlations of (n, n_pairs) rows; NaN for rows that are not finite."""
    usable = np.isfinite(rows).all(axis=1) & (np.ptp(np.nan_to_num(rows), axis=1) > 0)
    out = np.full((len(rows), len(rows)), np.nan)
    if usable.any():
        ranked = rankdata(rows[usable], axis=1)
        out[np.ix_(usable, usable)] = np.corrcoef(ranked).reshape(usable.sum(), -1)
    return out


def _lag(study: Study, space: SpaceStudy, suffix: str) -> Section:
    where = f", {space.space.title}" if suffix else ""
    title, anchor = f"Dissimilarity by distance in time{where}", f"lag{suffix}"
    table = space.table("rsalag")
    layers = [name.removeprefix("mean_") for name in map(str, table) if name.startswith("mean_")]
    layers = [name for name in layers if name != "dissimilarity"]
    if table.empty or not layers:
        return Section(title, anchor, [Prose("No lag profile was written.")])
    data = LagData(
        table["lag_s"].to_numpy(float),
        table["n_pairs"].to_numpy(float),
        table["mean_dissimilarity"].to_numpy(float),
        table[[f"mean_{layer}" for layer in layers]].to_numpy(float).T,
        layers,
    )
    rho = number(space.facts.get("lag_model_mean_rho"))
    told = (
        f" Searchlights correlate with the time between items by {number_text(rho, 3)} on average."
        if math.isfinite(rho)
        else ""
    )
    caption = (
        "Mean over pairs of items and an even sample of searchlights (left), and over pairs in "
        "each layer of the first network (right, relative to its mean), by the mean time between "
        "the two in the runs that have both; pairs within clips are the first few seconds. If "
        "searchlights and layers both rise with time, they correlate without any coupling: the "
        f"reason for comparing pairs of two clips and for removing time.{told}"
    )
    alt = _lag_words(data)
    return Section(title, anchor, [picture(lag_figure(data), alt=alt, caption=caption)])


def _lag_words(data: LagData) -> str:
    known = np.flatnonzero(np.isfinite(data.data))
    if not known.size:
        return "Lag profile without finite dissimilarities of searchlights."
    first, last = known[0], known[-1]
    return (
        f"Dissimilarity of searchlights: {data.data[first]:.3f} at {data.lag_s[first]:g} s, "
        f"{data.data[last]:.3f} at {data.lag_s[last]:g} s."
    )
