"""The null over participants: what all of them score when the music is displaced alike.

Participants keep the scores of their parcels under every displacement; copy k moves each piece by
the same time in everybody (`bidsapp.stats.displacement`), so the group's score of copy k is the
mean over participants, as for the observed alignment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.recipes.base import cautions
from bidsapp.recipes.base.isc import WrittenParcels, parcel_places, same_parcels
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.results.cautions import Caution
from bidsapp.results.inferences.base import smallest_p
from bidsapp.results.kinds import Mask, Result, Table
from bidsapp.results.read import Results
from bidsapp.results.write import Output, tidy
from bidsapp.stats.displacement import DisplacementTest, displacement_test
from bidsapp.stats.layer_sets import layer_sets
from bidsapp.stats.metrics import fisher_z

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GroupNull:
    """Mean Fisher z over participants.

    Attributes
    ----------
    labels : (n_units,)
        Parcel of each voxel or vertex from 0, -1 for none.
    observed : (n_layers, n_parcels)
        NaN where less than half of the participants have a value.
    copies : (m, n_layers, n_parcels)
        The same under each displacement.
    n : (n_parcels,)
        Participants with a value.
    """

    labels: NDArray[np.integer[Any]]
    observed: Floats
    copies: Floats
    n: NDArray[np.int64]


def group_null(
    participants: Sequence[Results],
    where: WrittenParcels,
    null: Result,
    network: str,
    units: UnitSpace,
) -> tuple[GroupNull | None, list[Caution]]:
    """Average the scores of displaced music over participants.

    Parameters
    ----------
    participants
        Those with other parcels than the first one are left out.
    where
        What they have written of their parcels.
    null
        Declared arrays ``observed`` (n_layers, n_parcels) and ``null`` (m, n_layers, n_parcels),
        correlations.
    network
        Whose layers.
    units
        Of the group.

    Returns
    -------
    GroupNull or None
        None without copies.
    list of Caution
        Who is left out and why.
    """
    kept, labels, cautions = same_parcels(participants, where, units)
    total: Floats | None = None
    count: NDArray[np.int64] = np.zeros(0, np.int64)
    for participant in kept:
        arrays = participant.arrays(null, where.at, network)
        if arrays is None or not len(arrays["null"]):
            return None, cautions
        r = np.concatenate([arrays["observed"][None], arrays["null"]]).astype(np.float64)
        z, known = fisher_z(r), np.isfinite(r).all(axis=(0, 1))
        if total is None:
            total, count = np.zeros(z.shape), np.zeros(known.shape, np.int64)
        total[..., known] += z[..., known]
        count += known
    if total is None:
        return None, cautions
    enough = count >= max(1, len(kept) / 2)
    mean = np.where(enough, total / np.maximum(count, 1), np.nan)
    return GroupNull(labels, mean[0], mean[1:], count), cautions


def parcel_rows(
    null: GroupNull,
    units: UnitSpace,
    layers: Sequence[str],
    competes: NDArray[np.bool_],
    level: float,
) -> tuple[Iterator[dict[str, Any]], NDArray[np.bool_]]:
    """Test the parcels of a group against displaced music.

    Parameters
    ----------
    null
        From `group_null`.
    units
        Of the group.
    layers, competes
        Names, and which of them may be the best one.
    level
        P-value that counts as significant.

    Returns
    -------
    rows : iterator of dict
        One per parcel and layer, as `bidsapp.recipes.base.score_results.group_parcels` declares.
    passed : boolean array of shape (n_units,)
        Units of parcels where a layer passes.
    """
    test = displacement_test(null.observed, null.copies)
    places = parcel_places(null.labels, units)
    values = columns_of(places, test, mean_r=np.tanh(test.score)) | {
        "may_be_best": layer_sets(null.observed, null.copies, level=level, competes=competes).T,
        "n": null.n[:, None],
    }
    rows = tidy(values, parcel=range(1, len(null.n) + 1), layer=layers)
    passed = np.append((test.p_fwe <= level).any(axis=0), False)[null.labels]
    return rows, passed


def columns_of(
    places: Mapping[str, Any], test: DisplacementTest, **scores: NDArray[Any]
) -> dict[str, Any]:
    """Return the columns of tested parcels: place, and scores (n_layers, n_parcels) with p."""
    values = {**scores, "effect": test.effect, "p": test.p, "p_fwe": test.p_fwe}
    return {
        "layer_index": np.arange(1, len(test.p) + 1),
        **{name: np.asarray(column, object)[:, None] for name, column in places.items()},
        **{name: column.T for name, column in values.items()},
    }


def write_parcels(
    study: GroupStudy,
    units: UnitSpace,
    network: str,
    where: WrittenParcels,
    null: Result,
    table: Table,
    mask: Mask,
) -> tuple[GroupNull | None, NDArray[np.bool_] | None, list[Caution]]:
    """Test the parcels of a group and write the table and the mask.

    Parameters
    ----------
    study, units
        The group, and its voxels or vertices.
    network
        Whose layers.
    where
        What participants have written of their parcels.
    null
        Their scores of displaced music.
    table, mask
        What is written.

    Returns
    -------
    GroupNull or None
        Group scores of the music and of displaced music; None where nothing was displaced.
    boolean array of shape (n_units,) or None
        Units of parcels where a layer passes.
    list of Caution
        Who is left out and why, and whether the test can pass.
    """
    inputs, level = study.inputs, study.settings.significance
    averaged, doubts = group_null(inputs.participants, where, null, network, units)
    if averaged is None:
        return None, None, doubts
    n, what = len(averaged.copies), "Displaced music"
    doubts += cautions.smallest_p(what, n, smallest_p(n), level, draws="displacements")
    layers, competes = inputs.networks[network], inputs.competes(network)
    rows, passed = parcel_rows(averaged, units, layers, competes, level)
    out = null_output(study, units, network, null)
    out.write(table, rows, network=network)
    out.write(mask, passed, network=network, note=f"p <= {level:g}.")
    return averaged, passed, doubts


def null_output(study: GroupStudy, units: UnitSpace, network: str, null: Result) -> Output:
    """Return the writer of what is made from the participants' scores of displaced music."""
    return study.output(units, study.files(null, network=network, sidecars=True))
