"""Whether participants' maps lie on the same units."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bidsapp.bids.records import ImageKind
from bidsapp.brain.images import gifti_vertices, open_image
from bidsapp.brain.units import check_grid
from bidsapp.errors import InputInvalidError


def check_same_units(maps: Sequence[tuple[Path, ...]], kind: ImageKind) -> None:
    """Refuse participants on another mesh, grid or set of grayordinates than the first.

    Brain masks of volumes may differ: participants are counted voxel by voxel.

    Parameters
    ----------
    maps
        The files of one map, for each participant.
    kind
        Of image.

    Raises
    ------
    InputInvalidError
        Names the participant's file and the numbers.
    """
    expected, *others = maps
    for files in others:
        for path, reference in zip(files, expected, strict=True):
            _compare(path, reference, kind)


def _compare(path: Path, reference: Path, kind: ImageKind) -> None:
    if kind == "volume":
        check_grid(path, open_image(path), reference, open_image(reference))
        return
    if kind == "gifti":
        here, there = gifti_vertices(path), gifti_vertices(reference)
        same, what = here == there, f"{here} vertices, not {there}"
    else:
        one, other = (open_image(file).header.get_axis(1) for file in (path, reference))
        same, what = one == other, f"{len(one)} grayordinates that are not the {len(other)}"
    if not same:
        msg = f"{path} has {what} of {reference}; analyse both in one space or exclude one"
        raise InputInvalidError(msg)
