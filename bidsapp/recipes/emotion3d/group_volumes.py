"""Volumes of all participants as one matrix: common voxels, runs, sounds and classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace, VolumeGrid, volume_units
from bidsapp.brain.stored_volumes import load_volumes
from bidsapp.brain.working_grid import network_shape
from bidsapp.errors import InputInvalidError
from bidsapp.models.cnn3d.volumes import Volumes, frame_stacks
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.emotion3d.inputs import EmotionInputs, treatment
from bidsapp.recipes.emotion3d.labels import RunKey, run_key, run_title
from bidsapp.stats.samples import Samples


class SharedVoxels:
    """Rows of several participants' arrays, at the voxels they share, without a copy of all.

    Parameters
    ----------
    parts
        Arrays (n_i, n_voxels of the participant).
    columns
        For each part, where the shared voxels are.
    """

    def __init__(
        self, parts: Sequence[NDArray[np.floating]], columns: Sequence[NDArray[np.intp]]
    ) -> None:
        self.parts, self.columns = tuple(parts), tuple(columns)
        self.starts = np.cumsum([0, *(len(part) for part in parts)])
        self.shape = (int(self.starts[-1]), len(columns[0]))

    def __getitem__(self, rows: NDArray[np.integer]) -> NDArray[np.floating]:
        """Rows as an array (n, n_voxels)."""
        rows = np.asarray(rows)
        part = np.searchsorted(self.starts, rows, side="right") - 1
        out = np.empty((rows.size, self.shape[1]), self.parts[0].dtype)
        for k in np.unique(part):
            here = part == k
            out[here] = self.parts[k][rows[here] - self.starts[k]][:, self.columns[k]]
        return out


@dataclass(frozen=True, eq=False)
class GroupVolumes:
    """Everything cross-participant decoding works on.

    Attributes
    ----------
    classes
        Names of the classes of any participant, in the order of the label map.
    volumes
        All volumes, participant after participant.
    units
        Shared voxels.
    labels : integer array of shape (n_volumes,)
    samples
        Participant, run, time and place in the stimulus of each volume.
    run_names
        Names of run numbers.
    """

    classes: tuple[str, ...]
    volumes: Volumes
    units: UnitSpace
    labels: NDArray[np.int64]
    samples: Samples
    run_names: tuple[str, ...]


def group_volumes(study: GroupStudy) -> GroupVolumes:
    """Open the volumes of all participants; what is no longer in the scratch folder is read again.

    Parameters
    ----------
    study
        The job.

    Raises
    ------
    InputInvalidError
        Working grids of participants differ, or no voxel is shared.
    """
    members: list[EmotionInputs] = [study.inputs.members[name] for name in study.inputs.subjects]
    config = study.inputs.participants[0].facts(study.inputs.at)["config"]
    stored = [
        load_volumes(
            member.runs,
            treatment(member.settings, config),
            study.scratch,
            memory_bytes=study.memory_bytes,
            quiet=study.config.quiet,
        )
        for member in members
    ]
    units, columns = _shared([item.units for item in stored], study.inputs.subjects)
    parts = [run for item in stored for run in item.runs]
    columns_of_parts = [
        places for item, places in zip(stored, columns, strict=True) for _ in item.runs
    ]
    classes = classes_of(members)
    labels, samples, names = _samples(members, classes)
    n_frames = members[0].settings.n_frames
    series = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    shape, index_in_grid = network_shape(units)
    frames = frame_stacks(series, n_frames) if n_frames > 1 else None
    volumes = Volumes(SharedVoxels(parts, columns_of_parts), index_in_grid, shape, frames)
    return GroupVolumes(classes, volumes, units, labels, samples, names)


def classes_of(members: Sequence[EmotionInputs]) -> tuple[str, ...]:
    """Return the classes of any participant, in the order of the label map."""
    known = {name for member in members for name in member.classes}
    return tuple(name for name in members[0].label_map.classes(known) if name in known)


def _shared(
    spaces: Sequence[UnitSpace], subjects: Sequence[str]
) -> tuple[UnitSpace, list[NDArray[np.intp]]]:
    """Voxels in the masks of all participants, and their places in each."""
    first = spaces[0].geometry
    assert isinstance(first, VolumeGrid)
    masks = []
    for space, subject in zip(spaces, subjects, strict=True):
        grid = space.geometry
        assert isinstance(grid, VolumeGrid)
        same = grid.mask.shape == first.mask.shape and np.allclose(
            grid.affine, first.affine, atol=0.01
        )
        if not same:
            msg = (
                f"the working grid of sub-{subject} is {grid.mask.shape}, that of "
                f"sub-{subjects[0]} {first.mask.shape}, or lies elsewhere; use one template and "
                "resolution for all"
            )
            raise InputInvalidError(msg)
        masks.append(grid.mask)
    common = np.logical_and.reduce(masks)
    units = volume_units(
        common, first.affine, space=spaces[0].space, resolution=spaces[0].resolution
    )
    return units, [np.flatnonzero(common[mask]) for mask in masks]


def _samples(
    members: Sequence[EmotionInputs], classes: tuple[str, ...]
) -> tuple[NDArray[np.int64], Samples, tuple[str, ...]]:
    """Label all volumes with numbers of runs, sounds and classes that participants share."""
    spelled: dict[RunKey, RunKey] = {}
    for run in (run for member in members for run in member.runs):
        own = tuple(pair for pair in run.entities.items() if pair[0] != "sub")
        spelled.setdefault(run_key(run), own)
    keys = sorted(spelled, key=lambda key: spelled[key])
    numbers = {key: index for index, key in enumerate(keys)}
    pieces = sorted({piece for member in members for piece in member.pieces})
    labelled = [
        member.labelled(run_numbers=numbers, pieces=pieces, classes=classes, participant=number)
        for number, member in enumerate(members)
    ]
    columns = [
        np.concatenate([getattr(item.samples, name) for item in labelled])
        for name in ("run", "time_s", "participant", "stimulus_s", "stimulus")
    ]
    labels = np.concatenate([item.labels for item in labelled])
    return labels, Samples(*columns), tuple(map(run_title, keys))
