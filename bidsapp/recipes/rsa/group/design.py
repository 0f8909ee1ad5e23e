"""The dissimilarities that participants' searchlights are compared with, read back from files.

Clips begin at another phase of the volumes in each participant, so that times of items and with
them model RDMs may differ a little; then their mean is used. Nuisance RDMs (time between items,
order, motion) differ by nature: the mean over participants of their ranks describes what is left
of them in the mean of participants' normalised RDMs.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bidsapp.bids.tables import Table, number, read_table
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.group_inputs import ParticipantResult
from bidsapp.recipes.rsa.group.inputs import (
    GroupInputs,
    alignment_file,
    items_file,
    models_file,
    nuisance_file,
)
from bidsapp.stats.rsa.order import OrderCheck, check_orders
from bidsapp.stats.rsa.pairs import pair_mask, varying_rdms

ALIKE = 0.8
"""Smallest correlation of a participant's model RDM with the first one's."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Design:
    """What all searchlights of the group share.

    Attributes
    ----------
    clips
        Names of the clips.
    clip
        (n_items,) position in `clips`.
    layers
        Network → names of its layers.
    models
        Network → (n_layers, n_pairs) model RDMs.
    nuisance_names, nuisance
        (n_nuisance, n_pairs) nuisance RDMs.
    pairs
        (n_pairs,) those that are compared.
    time_difference_s
        Largest difference between participants in the time of an item.
    smallest_correlation
        Smallest correlation of a participant's model RDM with the first one's; 1 where they are
        the same.
    order
        Whether participants heard the clips in one order.
    """

    clips: tuple[str, ...]
    clip: NDArray[np.int64]
    layers: Mapping[str, tuple[str, ...]]
    models: Mapping[str, Floats]
    nuisance_names: tuple[str, ...]
    nuisance: Floats
    pairs: NDArray[np.bool_]
    time_difference_s: float
    smallest_correlation: float
    order: OrderCheck

    @property
    def common_order(self) -> bool:
        """Whether several participants heard one order: drift may then pose as an effect."""
        return self.order.n_participants > 1 and self.order.common

    @property
    def n_items(self) -> int:
        """Rows of the matrices."""
        return self.clip.size


def read_design(inputs: GroupInputs) -> Design:
    """Read items, model and nuisance RDMs of all participants.

    Parameters
    ----------
    inputs
        Checked by `bidsapp.recipes.rsa.group.collect`.

    Returns
    -------
    Design

    Raises
    ------
    InputInvalidError
        If times of items differ by a volume or more, or model RDMs are not alike.
    """
    people = inputs.participants
    names, times = _items(people)
    clips = tuple(dict.fromkeys(names))
    clip = np.array([clips.index(name) for name in names], dtype=np.int64)
    settings = people[0].summary.get("settings", {})
    pairs = pair_mask(clip, between_clip=settings.get("pairs", "between-clip") == "between-clip")
    models, smallest = {}, 1.0
    for model, layers in inputs.models.items():
        models[model], alike = _mean_models(people, model, layers, pairs)
        smallest = min(smallest, alike)
    nuisance_names, nuisance = _mean_nuisance(people, pairs)
    return Design(
        clips,
        clip,
        inputs.models,
        models,
        nuisance_names,
        nuisance,
        pairs,
        float(np.ptp(times, axis=0).max()),
        smallest,
        check_orders(presentation_orders(people)),
    )


def _items(people: Sequence[ParticipantResult]) -> tuple[list[str], Floats]:
    """Clip of each item, and times (n_participants, n_items) since the clip began."""
    tables = [_table(items_file(one)).rows for one in people]
    names = [row["clip"] for row in tables[0]]
    times = np.array([[number(row.get("time_s")) for row in rows] for rows in tables])
    for one, here in zip(people, times, strict=True):
        off = np.nanmax(np.abs(here - times[0]), initial=0)
        tr_s = float(one.summary["runs"][0]["tr_s"])
        if off >= tr_s:
            msg = (
                f"{items_file(one)}: items are up to {off:.3g} s off those of "
                f"sub-{people[0].subject}, a volume lasts {tr_s:g} s; check the onsets in its "
                "events or exclude it"
            )
            raise InputInvalidError(msg)
    return names, np.nan_to_num(times)


def _mean_models(
    people: Sequence[ParticipantResult],
    model: str,
    layers: Sequence[str],
    pairs: NDArray[np.bool_],
) -> tuple[Floats, float]:
    """Mean model RDMs, and the smallest correlation with those of the first participant."""
    first = read_rdms(models_file(people[0], model), layers, pairs.size)
    total, smallest = first.copy(), 1.0
    for one in people[1:]:
        path = models_file(one, model)
        here = read_rdms(path, layers, pairs.size)
        total += here
        alike = _correlation(first[:, pairs], here[:, pairs])
        if alike < ALIKE:
            msg = (
                f"{path}: the model RDM of a layer correlates only {alike:.2f} with that of "
                f"sub-{people[0].subject}, at least {ALIKE} is needed; check that both heard the "
                "same sounds, or exclude one"
            )
            raise InputInvalidError(msg)
        smallest = min(smallest, alike)
    same = smallest == 1
    return (first if same else total / len(people)), smallest


def _correlation(one: Floats, other: Floats) -> float:
    """Smallest correlation of corresponding rows; 1 for equal ones."""
    smallest = 1.0
    for x, y in zip(one, other, strict=True):
        if not np.array_equal(x, y, equal_nan=True):
            known = np.isfinite(x) & np.isfinite(y)
            varies = known.sum() > 2 and np.ptp(x[known]) > 0 and np.ptp(y[known]) > 0
            r = float(np.corrcoef(x[known], y[known])[0, 1]) if varies else 0.0
            smallest = min(smallest, r, np.nextafter(1, 0))
    return smallest


def _mean_nuisance(
    people: Sequence[ParticipantResult], pairs: NDArray[np.bool_]
) -> tuple[tuple[str, ...], Floats]:
    """Mean ranks of nuisance RDMs over the participants that have them."""
    total: dict[str, Floats] = {}
    n: dict[str, int] = {}
    for one in people:
        path = nuisance_file(one)
        if not path.is_file():
            continue
        names = [name for name in _table(path).columns if name not in {"item_i", "item_j"}]
        for name, values in zip(names, read_rdms(path, names, pairs.size), strict=True):
            ranks = np.full(pairs.size, np.nan)
            ranks[pairs] = rankdata(values[pairs])
            total[name] = total.get(name, 0.0) + ranks
            n[name] = n.get(name, 0) + 1
    return varying_rdms({name: total[name] / n[name] for name in total}, pairs)


def read_rdms(path: Path, names: Sequence[str], n_pairs: int) -> Floats:
    """Read condensed matrices from the columns of a table.

    Parameters
    ----------
    path
        One row per pair of items, in the order of ``scipy.spatial.distance.squareform``.
    names
        Columns.
    n_pairs
        Rows that there have to be.

    Returns
    -------
    array, (n, n_pairs)
        NaN is missing.

    Raises
    ------
    InputInvalidError
        If the table is missing, lacks a column or has another number of rows.
    """
    table = _table(path)
    missing = [name for name in names if name not in table.columns]
    if missing:
        msg = f"{path} has no column {missing[0]}; run the participant level with --overwrite"
        raise InputInvalidError(msg)
    cells = io.StringIO(table.body.replace("n/a", "nan"))
    wanted = [table.header.index(name) for name in names]
    try:
        values = np.loadtxt(cells, delimiter="\t", usecols=wanted, ndmin=2)
    except ValueError as error:
        msg = f"{path} is no table of numbers ({error}); run the participant level again"
        raise InputInvalidError(msg) from error
    if len(values) != n_pairs:
        msg = f"{path} has {len(values)} rows, not {n_pairs}; run the participant level again"
        raise InputInvalidError(msg)
    return np.ascontiguousarray(values.T)


def presentation_orders(people: Sequence[ParticipantResult]) -> list[list[list[int]]]:
    """Return the sounds of each participant's runs as they came, as numbers they share."""
    numbers: dict[tuple[str, str], int] = {}
    orders = []
    for one in people:
        heard: dict[str, list[tuple[float, int]]] = {}
        for row in _table(alignment_file(one)).rows:
            sound = row["stim_file"], row.get("stim_start_s", "")
            code = numbers.setdefault(sound, len(numbers))
            heard.setdefault(row["run"], []).append((number(row["onset_s"]), code))
        orders.append([[code for _, code in sorted(heard[run])] for run in sorted(heard)])
    return orders


def _table(path: Path) -> Table:
    table = read_table(path)
    if not isinstance(table, Table):
        raise InputInvalidError(str(table))
    return table
