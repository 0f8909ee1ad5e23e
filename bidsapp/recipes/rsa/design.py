"""What the participants of a group have in common: items, model and nuisance RDMs, patterns.

Clips begin at another phase of the volumes in each participant, so that times of items and with
them model RDMs may differ a little; then their mean is used. Nuisance RDMs (time between items,
order, motion) differ by nature: the mean over participants of their ranks describes what is left
of them in the mean of participants' normalised RDMs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from bidsapp.brain.geometry import UnitSpace, VolumeGrid, volume_units
from bidsapp.brain.images import flat_positions, open_image, take_units
from bidsapp.brain.maps import read_maps
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.rsa.results import (
    ACOUSTICS,
    ALIGNMENT,
    ITEMS,
    MODELS,
    NUISANCE,
    PATTERNS,
    SIZE,
)
from bidsapp.results.kinds import Result, Table
from bidsapp.results.read import Results, Space
from bidsapp.scratch import Scratch
from bidsapp.stats.rsa.acoustics import AcousticRegression
from bidsapp.stats.rsa.order import OrderCheck, check_orders
from bidsapp.stats.rsa.pairs import pair_mask, varying_rdms

ALIKE = 0.8
"""Smallest correlation of a participant's model RDM with the first one's."""
Floats = NDArray[np.float64]
Participants = Sequence[Results]


@dataclass(frozen=True, eq=False)
class Design:
    """What all searchlights of the group share.

    Attributes
    ----------
    clips
        Names of the clips.
    clip
        (n_items,) position in `clips`.
    tested
        (n_items,) items that every clip has.
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
    regressions
        Acoustics of each participant; none where a participant has none.
    """

    clips: tuple[str, ...]
    clip: NDArray[np.int64]
    tested: NDArray[np.bool_]
    models: Mapping[str, Floats]
    nuisance_names: tuple[str, ...]
    nuisance: Floats
    pairs: NDArray[np.bool_]
    time_difference_s: float
    smallest_correlation: float
    order: OrderCheck
    regressions: tuple[AcousticRegression, ...]

    @property
    def common_order(self) -> bool:
        """Whether several participants heard one order: drift may then pose as an effect."""
        return self.order.n_participants > 1 and self.order.common


def read_design(inputs: GroupInputs) -> Design:
    """Read items, model and nuisance RDMs of all participants.

    Parameters
    ----------
    inputs
        Participants with the same items and layers.

    Raises
    ------
    InputInvalidError
        If times of items differ by a volume or more, or model RDMs are not alike.
    """
    people, at = inputs.participants, inputs.at
    names, tested, times = _items(people, at)
    clips = tuple(dict.fromkeys(names))
    clip = np.array([clips.index(name) for name in names], dtype=np.int64)
    pairs = pair_mask(clip, between_clip=people[0].setting("pairs", at) == "between-clip")
    models, smallest = {}, 1.0
    for network, layers in inputs.networks.items():
        models[network], alike = _mean_models(people, at, network, layers, pairs)
        smallest = min(smallest, alike)
    return Design(
        clips,
        clip,
        tested,
        models,
        *_mean_nuisance(people, at, pairs),
        pairs,
        float(np.ptp(times, axis=0).max()),
        smallest,
        check_orders(presentation_orders(people)),
        tuple(_regressions(people, at, int(tested.sum()))),
    )


def _items(people: Participants, at: Space) -> tuple[list[str], NDArray[np.bool_], Floats]:
    """Clip of each item, which are tested, times (n_participants, n_items) in the clip."""
    tables = [person.table(ITEMS) for person in people]
    times = np.array([table["time_s"].to_numpy(float) for table in tables])
    for person, own in zip(people, times, strict=True):
        off = np.nanmax(np.abs(own - times[0]), initial=0)
        tr_s = float(person.facts(at)["runs"][0]["tr_s"])
        if off >= tr_s:
            msg = (
                f"{_file(person, ITEMS)}: items are up to {off:.3g} s off those of "
                f"sub-{people[0].subject}, a volume lasts {tr_s:g} s; check the onsets in its "
                "events or exclude it"
            )
            raise InputInvalidError(msg)
    tested = np.asarray(tables[0]["tested"] > 0)
    return list(tables[0]["clip"]), tested, np.nan_to_num(times)


def _mean_models(
    people: Participants, at: Space, network: str, layers: Sequence[str], pairs: NDArray[np.bool_]
) -> tuple[Floats, float]:
    """Mean model RDMs, and the smallest correlation with those of the first participant."""
    first = read_rdms(people[0], MODELS, layers, pairs.size, network)
    total, smallest = first.copy(), 1.0
    for person in people[1:]:
        own = read_rdms(person, MODELS, layers, pairs.size, network)
        total += own
        alike = _correlation(first[:, pairs], own[:, pairs])
        if alike < ALIKE:
            msg = (
                f"{_file(person, MODELS, network)}: the model RDM of a layer correlates only "
                f"{alike:.2f} with that of sub-{people[0].subject}, at least {ALIKE} is needed; "
                "check that both heard the same sounds, or exclude one"
            )
            raise InputInvalidError(msg)
        smallest = min(smallest, alike)
    return (first if smallest == 1 else total / len(people)), smallest


def _correlation(rows: Floats, others: Floats) -> float:
    """Smallest correlation of corresponding rows; 1 for equal ones."""
    smallest = 1.0
    for x, y in zip(rows, others, strict=True):
        if not np.array_equal(x, y, equal_nan=True):
            known = np.isfinite(x) & np.isfinite(y)
            varies = known.sum() > 2 and np.ptp(x[known]) > 0 and np.ptp(y[known]) > 0
            r = float(np.corrcoef(x[known], y[known])[0, 1]) if varies else 0.0
            smallest = min(smallest, r, np.nextafter(1, 0))
    return smallest


def _mean_nuisance(
    people: Participants, at: Space, pairs: NDArray[np.bool_]
) -> tuple[tuple[str, ...], Floats]:
    """Mean ranks of nuisance RDMs over the participants that have them."""
    total: dict[str, Floats] = {}
    n: dict[str, int] = {}
    for person in people:
        names = person.facts(at)["nuisance"]
        for name, values in zip(
            names, read_rdms(person, NUISANCE, names, pairs.size) if names else (), strict=True
        ):
            ranks = np.full(pairs.size, np.nan)
            ranks[pairs] = rankdata(values[pairs])
            total[name] = total.get(name, 0.0) + ranks
            n[name] = n.get(name, 0) + 1
    return varying_rdms({name: total[name] / n[name] for name in total}, pairs)


def _regressions(people: Participants, at: Space, n_tested: int) -> list[AcousticRegression]:
    """Acoustics of all participants; empty where one of them has none."""
    if not all(person.written(ACOUSTICS) for person in people):
        return []
    regressions = []
    for person in people:
        basis = person.table(ACOUSTICS).drop(columns="item")
        path = _file(person, ACOUSTICS)
        if len(basis) != n_tested:
            msg = f"{path} has {len(basis)} rows, not {n_tested}; run the participant level again"
            raise InputInvalidError(msg)
        names = tuple(person.facts(at)["acoustics"])
        regressions.append(AcousticRegression(names, (), _numbers(basis, path)))
    return regressions


def read_rdms(
    person: Results, result: Table, names: Sequence[str], n_pairs: int, network: str = ""
) -> Floats:
    """Read condensed matrices from the columns of a table.

    Parameters
    ----------
    person
        Whose.
    result
        `MODELS` or `NUISANCE`: one row per pair of items, in the order of
        ``scipy.spatial.distance.squareform``.
    names
        Columns.
    n_pairs
        Rows that there have to be.
    network
        Of the models.

    Returns
    -------
    array, (n, n_pairs)
        NaN is missing.

    Raises
    ------
    InputInvalidError
        If the table lacks a column, has another number of rows, or does not hold numbers.
    """
    frame = person.table(result, network=network)
    path = _file(person, result, network)
    missing = [name for name in names if name not in frame]
    if missing:
        msg = f"{path} has no column {missing[0]}; run the participant level with --overwrite"
        raise InputInvalidError(msg)
    if len(frame) != n_pairs:
        msg = f"{path} has {len(frame)} rows, not {n_pairs}; run the participant level again"
        raise InputInvalidError(msg)
    return np.ascontiguousarray(_numbers(frame[list(names)], path).T)


def _numbers(frame: pd.DataFrame, path: Path) -> Floats:
    try:
        return frame.to_numpy(float)
    except ValueError as error:
        msg = f"{path} is no table of numbers ({error}); run the participant level again"
        raise InputInvalidError(msg) from error


def _file(person: Results, result: Result, network: str = "") -> Path:
    return next(path for path in person.files(result, network=network) if path.suffix == ".tsv")


def presentation_orders(people: Participants) -> list[list[list[int]]]:
    """Return the sounds of each participant's runs as they came, as numbers they share."""
    numbers: dict[Any, int] = {}
    orders = []
    for person in people:
        table = person.table(ALIGNMENT).sort_values(["run", "onset_s"], kind="stable")
        sounds = zip(table["stim_file"], table["stim_start_s"].fillna(0.0), strict=True)
        table["code"] = [numbers.setdefault(sound, len(numbers)) for sound in sounds]
        orders.append([list(rows["code"]) for _, rows in table.groupby("run")])
    return orders


# ------------------------------------------------------------------ voxels or vertices, patterns


def group_units(inputs: GroupInputs) -> tuple[UnitSpace, NDArray[np.int64]]:
    """Find the voxels or vertices of the group, and how many participants have searchlights there.

    Parameters
    ----------
    inputs
        Participants on one mesh or grid.

    Returns
    -------
    units : UnitSpace
        Vertices or grayordinates; of volumes, voxels with a searchlight in any participant.
    n : (n_units,) array
        Participants with a searchlight at each.
    """
    at = inputs.at
    sizes = [person.maps(SIZE, at) for person in inputs.participants]
    units = inputs.participants[0].units(at)
    if isinstance(units.geometry, VolumeGrid):
        counts = np.zeros(units.geometry.mask.shape, dtype=np.int64)
        for person in inputs.participants:
            grid = person.units(at).geometry
            assert isinstance(grid, VolumeGrid)
            counts += grid.mask
        units = volume_units(counts > 0, units.geometry.affine, space=inputs.space)
        n = counts[counts > 0]
    else:
        values = [size.values[0] for size in sizes if size is not None]
        n = np.isfinite(np.stack(values)).sum(axis=0)
    return dataclasses.replace(units, resolution=at.res or None, density=at.den or None), n


def keep_patterns(
    person: Results,
    at: Space,
    units: UnitSpace,
    n_items: int,
    scratch: Scratch,
    *,
    memory_bytes: int,
) -> NDArray[np.float32]:
    """Copy patterns to a file that slabs of columns can be taken from.

    Parameters
    ----------
    person, at
        Whose, and in which space.
    units
        Columns.
    n_items
        Maps that there have to be.
    scratch
        Keeps the copy; one from an analysis that was stopped is used.
    memory_bytes
        Bounds how many volumes are read together.

    Returns
    -------
    array, (n_items, n_units)
        Mapped from disk; NaN where the participant has no data.

    Raises
    ------
    InputInvalidError
        If there are not `n_items` maps, or they do not fit the units.
    """
    paths = [path for path in person.files(PATTERNS, at) if path.suffix != ".json"]

    def fill(out: NDArray[np.float32]) -> None:
        if isinstance(units.geometry, VolumeGrid):
            _copy_volumes(paths[0], units.geometry, out, memory_bytes)
        else:
            values = read_maps(paths, units).values
            _check_number(paths[0], len(values), n_items)
            out[:] = values

    name = f"patterns-{person.subject}"
    return scratch.array(name, (n_items, units.n_units), np.float32, fill)


def _copy_volumes(
    path: Path, grid: VolumeGrid, out: NDArray[np.float32], memory_bytes: int
) -> None:
    """Read volumes in order, a few at a time."""
    image = open_image(path)
    _check_number(path, image.shape[3] if len(image.shape) == 4 else 1, len(out))
    positions = flat_positions(grid.mask)
    at_once = max(1, memory_bytes // (16 * grid.mask.size))
    for start in range(0, len(out), at_once):
        volumes = np.asarray(image.dataobj[..., start : start + at_once], dtype=np.float32)
        out[start : start + at_once] = take_units(volumes, positions)


def _check_number(path: Path, n_maps: int, expected: int) -> None:
    if n_maps != expected:
        msg = f"{path} holds {n_maps} maps for {expected} items; make it again with --overwrite"
        raise InputInvalidError(msg)
