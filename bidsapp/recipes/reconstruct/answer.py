"""One embedding in one space, as sections see it, and what was found, in a few sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.recipes.reconstruct import results as declared
from bidsapp.recipes.reconstruct.results import row_of
from bidsapp.report.html import number_text, p_text
from bidsapp.report.view import View
from bidsapp.results.inferences.base import smallest_p
from bidsapp.results.read import Results


class ReconstructView(View):
    """Results of one embedding in one space, of a participant or of the group."""

    @property
    def n_exchanges(self) -> int:
        """How often clips were exchanged."""
        return n_exchanges(self.results)

    @property
    def floor(self) -> float:
        """Smallest possible p of exchanged clips; 0 where none were exchanged."""
        return smallest_p(self.n_exchanges) if self.n_exchanges else 0.0

    @cached_property
    def decoding(self) -> pd.DataFrame:
        """The table of identification."""
        return self.table(self.by_level(declared.DECODING, declared.GROUP_DECODING))

    def p(self, row: dict[str, Any], before: str = ", ", after: str = "") -> str:
        """Write a p-value with what surrounds it; nothing where none was made."""
        if not np.isfinite(row["p"]):
            return ""
        return f"{before}{p_text(row['p'], self.n_exchanges)}{after}"


def n_exchanges(results: Results) -> int:
    """Return how often clips were exchanged; 0 where the participants' results are gone."""
    facts = results.facts()
    return int(facts["n_exchanges"] if results.is_group else results.setting("n_exchanges"))


def sentences(views: Sequence[ReconstructView]) -> Iterator[str]:
    """Yield how well clips were identified, against chance, within genres and by the genre alone.

    Parameters
    ----------
    views
        All embeddings in all spaces; more than one line is about the first.
    """
    first, *others = views
    yield from _of_network(first)
    if others:
        yield f"Other embeddings: {'; '.join(map(_in_short, others))}."


def _of_network(view: ReconstructView) -> Iterator[str]:
    overall = row_of(view.decoding, declared.ENSEMBLE, declared.ALL)
    if not overall:
        return
    embedding = f"layer {view.layers[0]} of {view.title}"
    over = "on average over participants, " if view.is_group else ""
    text = (
        f"{over}the clip that was heard is more like the one decoded from the brain ({embedding}) "
        f"than {100 * overall['identification']:.0f} % of the other held-out clips of its fold "
        f"(chance 50 %{view.p(overall)})."
    )
    if overall["p"] > view.level:
        text = f"it is not shown that clips can be told apart from brain activity: {text}"
    yield text[0].upper() + text[1:]
    within = row_of(view.decoding, declared.ENSEMBLE, declared.SAME_GENRE)
    oracle = row_of(view.decoding, declared.ORACLE, declared.ALL)
    if oracle:
        relation = "more" if oracle["identification"] < overall["identification"] else "no more"
        yield (
            f"Knowing the genre of each clip and nothing else would give "
            f"{100 * oracle['identification']:.0f} %: the accuracy is {relation} than that."
        )
    if within:
        yield (
            f"Among clips of the same genre it is {100 * within['identification']:.0f} %"
            f"{view.p(within, ' (', ')')}."
        )
    if view.is_group and np.isfinite(overall["n_significant"]):
        n = number_text(overall["n_significant"], 0)
        yield f"Significant in {n} of {view.results.n_participants} participants one by one."


def _in_short(view: ReconstructView) -> str:
    overall = row_of(view.decoding, declared.ENSEMBLE, declared.ALL)
    where = f" in {view.pair.space.title}" if len(view.results.spaces) > 1 else ""
    if not overall:
        return f"{view.title}{where} was not tested"
    return f"{view.title}{where} {100 * overall['identification']:.0f} %{view.p(overall)}"
