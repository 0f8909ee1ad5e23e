"""Nuisance RDMs: what makes items alike beside the features of the music.

``position``
    time since the clip began.
``lag``
    time between the volumes, averaged over the runs that have both items.
``order``
    number of clips between them, averaged likewise.
``run``
    share of their runs that they do not have in common.
``motion``
    framewise displacement while the volumes were taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.errors import UsageError
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.base.quality import framewise_displacement
from bidsapp.recipes.rsa.items import Items
from bidsapp.stats.rsa.pairs import difference_rdm, different_rdms, pair_items, varying_rdms

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Nuisances:
    """Nuisance RDMs that can be partialled out.

    Attributes
    ----------
    names
        Of the RDMs.
    rdms
        (n, n_pairs).
    left_out
        Those asked for that are constant, cannot be computed, or order the pairs as one before
        them does.
    lag_s
        (n_pairs,) time between items, NaN where no run has both.
    """

    names: tuple[str, ...]
    rdms: Floats
    left_out: tuple[str, ...]
    lag_s: Floats


def nuisances(
    inputs: Inputs,
    items: Items,
    wanted: tuple[str, ...],
    pairs: NDArray[np.bool_],
) -> Nuisances:
    """Compute nuisance RDMs.

    Parameters
    ----------
    inputs
        Sounds and confounds tables.
    items
        What the rows are.
    wanted
        Names.
    pairs
        (n_pairs,) those that are compared.

    Raises
    ------
    UsageError
        A name is not known.
    """
    check_names("nuisance", wanted, MAKERS)
    made = {name: MAKERS[name](inputs, items) for name in wanted}
    known = {name: values for name, values in made.items() if values is not None}
    names, rdms = different_rdms(*varying_rdms(known, pairs), pairs)
    left_out = tuple(name for name in wanted if name not in names)
    return Nuisances(names, rdms, left_out, lag_rdm(items))


def check_names(option: str, wanted: Sequence[str], known: Collection[str]) -> None:
    """Refuse names that an option of this recipe does not know.

    Raises
    ------
    UsageError
        With the known ones.
    """
    unknown = [name for name in wanted if name not in known]
    if unknown:
        msg = f"rsa.{option}: {unknown[0]!r} is not known; choose from {', '.join(known)}"
        raise UsageError(msg)


def lag_rdm(items: Items) -> Floats:
    """Time between items (s), (n_pairs,): the mean over runs that have both, NaN for none."""
    return difference_rdm(items.by_run(items.run_time_s.mean(axis=2)))


def _order_rdm(_: Inputs, items: Items) -> Floats:
    place = np.where(items.place >= 0, items.place, np.nan)
    return difference_rdm(items.by_run(place))


def run_rdm(items: Items) -> Floats:
    """Share of two items' runs that only one of them has, (n_pairs,)."""
    n_runs = int(items.run.max()) + 1
    present = np.zeros((items.n_items, n_runs))
    item, hearing = np.nonzero(items.run >= 0)
    present[item, items.run[item, hearing]] = 1
    first, second = pair_items(items.n_items)
    both = present @ present.T
    n = present.sum(axis=1)
    shared = both[first, second]
    return np.asarray(1 - shared / (n[first] + n[second] - shared))


def _motion_rdm(inputs: Inputs, items: Items) -> Floats | None:
    """None where a run has no table, or it lacks the column."""
    columns = [framewise_displacement(run) for run in inputs.runs]
    if any(column is None for column in columns):
        return None
    moved = np.append(np.concatenate([c for c in columns if c is not None]), np.nan)
    here = np.nan_to_num(moved[items.row])
    there = items.row >= 0
    mean = here.sum(axis=(1, 2)) / there.sum(axis=(1, 2))
    return difference_rdm(mean)


MAKERS: Mapping[str, Callable[[Inputs, Items], Floats | None]] = {
    "position": lambda _, items: difference_rdm(items.time_s),
    "lag": lambda _, items: lag_rdm(items),
    "order": _order_rdm,
    "run": lambda _, items: run_rdm(items),
    "motion": _motion_rdm,
}
