"""`harmony`, group level.

Scores of all participants are averaged layer by layer; parcels are tested against music displaced
alike in everybody, which leaves in place what listeners share. Sign flips of participants say how
consistent single units, and the unique contributions of harmony and acoustics, are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.maps import read_maps
from bidsapp.recipes.base.displacement import write_parcels
from bidsapp.recipes.base.group_maps import (
    GroupMapOptions,
    GroupMaps,
    group_maps,
    group_units,
    participant_maps,
)
from bidsapp.recipes.base.isc import WrittenParcels
from bidsapp.recipes.base.rating_tests import write_ratings
from bidsapp.recipes.base.stack import ScoreStack
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.harmony import cautions, results
from bidsapp.results.cautions import Caution
from bidsapp.results.write import tidy
from bidsapp.stats.metrics import fisher_z


def group(study: GroupStudy) -> None:
    """Run the group level for one space and write its results."""
    inputs, settings = study.inputs, study.settings
    first = next(iter(inputs.networks))
    units = group_units(inputs, results.SCORE, first)
    out = study.output(units, study.files(results.SCORE, network=first))
    where = WrittenParcels(inputs.at, results.PARCEL_LABELS)
    level = settings.significance
    everything: dict[str, GroupMaps] = {}
    mean_r: dict[str, Any] = {}
    doubts: list[Caution] = []
    for network, layers in inputs.networks.items():
        maps, mean_r[network] = averaged(study, network, units)
        assert maps is not None
        everything[network] = maps
        named: dict[str, Any] = {"network": network, "names": layers}
        out.write(results.MEAN, maps.mean_r, **named)
        if maps.test is not None:
            out.write(results.P_FWE, maps.test.p_fwe, **named, SmallestP=maps.test.smallest_p)
        _, _, more = write_parcels(
            study,
            units,
            network,
            where,
            results.NULL_SCORES,
            results.DISPLACEMENT,
            results.GROUP_SIGNIFICANT,
        )
        doubts += more
        out.write(results.GROUP_PROFILE, profile_rows(maps, layers, level), network=network)
        tables = results.RATINGS, results.RATINGS_NULL
        write_ratings(out, study, network, tables, results.GROUP_RATINGS)
    unique, of_each = averaged(study, "", units)
    if unique is not None:
        out.write(results.UNIQUE_MEAN, unique.mean_r)
        if unique.test is not None:
            out.write(results.UNIQUE_P, unique.test.p_fwe, SmallestP=unique.test.smallest_p)
    out.write(results.PARTICIPANTS, participant_rows(study, mean_r[first], of_each))
    tested = everything[first].test
    facts = study.summary(
        units,
        networks=inputs.network_facts,
        cautions=[*cautions.of_group(study, everything[first]), *dict.fromkeys(doubts)],
        n_flips=0 if tested is None else tested.n_flips,
        has_unique=unique is not None,
    )
    out.write(results.GROUP_SUMMARY, facts)


def averaged(
    study: GroupStudy, network: str, units: UnitSpace
) -> tuple[GroupMaps | None, np.ndarray[Any, np.dtype[np.float64]]]:
    """Average and test the scores of a network, or the unique contributions.

    Parameters
    ----------
    study
        The group.
    network
        Whose scores; empty for the unique contributions.
    units
        Of the group.

    Returns
    -------
    maps
        None where a participant has no unique contributions.
    of_each
        (n_participants, n_maps) mean over units.
    """
    inputs, settings = study.inputs, study.settings
    result = results.SCORE if network else results.UNIQUE
    names = inputs.networks[network] if network else results.UNIQUE.names
    n = len(inputs.participants)
    of_each = np.full((n, len(names)), np.nan)
    if not all(item.written(result, inputs.at, network) for item in inputs.participants):
        return None, of_each
    shape = len(names), n, units.n_units
    with ScoreStack.temporary(study.scratch / "group", shape) as stack:
        for number, participant in enumerate(inputs.participants):
            if network:
                r = participant_maps(participant, inputs, result, network, units)
            else:
                r = read_maps(participant.images(result, inputs.at), units).values
            stack.put(number, fisher_z(r))
            known = np.isfinite(r).any(axis=1)
            of_each[number, known] = np.nanmean(r[known], axis=1)
        maps = group_maps(
            stack,
            GroupMapOptions.of(settings),
            competes=inputs.competes(network) if network else None,
            seed=study.config.random_seed,
            label=f"{network or 'unique'}: flips",
            quiet=study.config.quiet,
        )
    return maps, of_each


def profile_rows(maps: GroupMaps, layers: Sequence[str], level: float) -> Iterator[dict[str, Any]]:
    """Yield one row per layer."""
    passed = np.zeros(len(layers), np.int64)
    if maps.test is not None:
        passed = (maps.test.p_fwe <= level).sum(axis=1)
    columns = {
        "layer_index": np.arange(1, len(layers) + 1),
        "mean_r": np.nanmean(maps.mean_r, axis=1),
        "max_r": np.nanmax(maps.mean_r, axis=1),
        "n_significant": passed,
    }
    yield from tidy(columns, layer=layers)


def participant_rows(
    study: GroupStudy,
    mean_r: np.ndarray[Any, np.dtype[np.float64]],
    unique: np.ndarray[Any, np.dtype[np.float64]],
) -> Iterator[dict[str, Any]]:
    """Yield one row per participant."""
    columns = {"mean_r": mean_r.mean(axis=1), "unique_harmony": unique[:, 0]}
    yield from tidy(columns, participant=study.inputs.subjects)
