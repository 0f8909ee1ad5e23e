"""What `reconstruct` found, in a few sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.recipes.reconstruct import results as declared
from bidsapp.report.html import number_text, p_text
from bidsapp.report.methods import network_title
from bidsapp.results.read import Results, Space


def sentences(results: Results) -> Iterator[str]:
    """Yield how well clips were identified, against chance, within genres and by the genre alone.

    Parameters
    ----------
    results
        Of a participant or of the group.
    """
    (first, *others) = [
        (space, network) for space in results.spaces for network in results.networks(space)
    ]
    yield from _of_network(results, *first)
    if others:
        yield f"Other embeddings: {'; '.join(_in_short(results, *other) for other in others)}."


def row_of(rows: pd.DataFrame, decoder: str, candidates: str) -> dict[str, Any]:
    """Return one row of a table of identification; nothing where there is none.

    Parameters
    ----------
    rows
        The table.
    decoder, candidates
        What it is a row of.
    """
    chosen = rows[(rows["decoder"] == decoder) & (rows["candidates"] == candidates)]
    return {} if chosen.empty else {str(key): value for key, value in chosen.iloc[0].items()}


def n_exchanges(results: Results) -> int:
    """Return how often clips were exchanged; 0 where the participants' results are gone."""
    facts = results.facts()
    return int(facts["n_exchanges"] if results.is_group else results.setting("n_exchanges"))


def _of_network(results: Results, space: Space, network: str) -> Iterator[str]:
    result = declared.GROUP_DECODING if results.is_group else declared.DECODING
    rows = results.table(result, space, network)
    overall = row_of(rows, declared.ENSEMBLE, declared.ALL)
    if not overall:
        return
    embedding = f"layer {results.layers(network, space)[0]} of {network_title(network)}"
    over = "on average over participants, " if results.is_group else ""
    found = (
        f"the clip that was heard is more like the one decoded from the brain ({embedding}) than "
        f"{100 * overall['identification']:.0f} % of the other held-out clips of its fold (chance "
        f"50 %{_p(overall, results)})."
    )
    text = over + found
    if overall["p"] > results.setting("significance", space):
        text = f"it is not shown that clips can be told apart from brain activity: {text}"
    yield text[0].upper() + text[1:]
    within = row_of(rows, declared.ENSEMBLE, declared.SAME_GENRE)
    oracle = row_of(rows, declared.ORACLE, declared.ALL)
    if oracle:
        relation = "more" if oracle["identification"] < overall["identification"] else "no more"
        yield (
            f"Knowing the genre of each clip and nothing else would give "
            f"{100 * oracle['identification']:.0f} %: the accuracy is {relation} than that."
        )
    if within:
        yield (
            f"Among clips of the same genre it is {100 * within['identification']:.0f} %"
            f"{_p(within, results, ' (', ')')}."
        )
    if results.is_group and np.isfinite(overall["n_significant"]):
        n = number_text(overall["n_significant"], 0)
        yield f"Significant in {n} of {results.n_participants} participants one by one."


def _in_short(results: Results, space: Space, network: str) -> str:
    result = declared.GROUP_DECODING if results.is_group else declared.DECODING
    overall = row_of(results.table(result, space, network), declared.ENSEMBLE, declared.ALL)
    where = f" in {space.title}" if len(results.spaces) > 1 else ""
    if not overall:
        return f"{network_title(network)}{where} was not tested"
    share = f"{100 * overall['identification']:.0f} %{_p(overall, results)}"
    return f"{network_title(network)}{where} {share}"


def _p(row: dict[str, Any], results: Results, before: str = ", ", after: str = "") -> str:
    """Write a p-value with what surrounds it; nothing where none was made."""
    if not np.isfinite(row["p"]):
        return ""
    return f"{before}{p_text(row['p'], n_exchanges(results))}{after}"
