"""Parcels of an atlas by its name in TemplateFlow, or from the user's file.

=================  =========================================================================
units              where labels are taken from
=================  =========================================================================
fsaverage          the atlas at the density of the data, else a finer one: a coarser mesh is
                   the first vertices of a finer one
fsLR-32k           the atlas on fsLR if there is one, else that of fsaverage, label by label
                   (`bidsapp.brain.correspondence`)
volumes            the atlas in the template of the data, at the nearest voxel
=================  =========================================================================

Nothing is downloaded: `bidsapp.bids.templateflow` finds what is on this machine.
"""

from __future__ import annotations

import csv
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bidsapp.bids.headers import vertex_counts
from bidsapp.bids.templateflow import (
    HCP_MMP,
    AtlasName,
    atlas_name,
    nearest_to_bold,
    template_files,
    templateflow_home,
)
from bidsapp.brain.atlas import (
    Atlas,
    atlas_parcels,
    gifti_pair,
    look_up_dense,
    names_table,
    number_parcels,
    read_labels,
)
from bidsapp.brain.correspondence import fsaverage5_to_fslr
from bidsapp.brain.cortex import CIFTI_SIDES
from bidsapp.brain.geometry import Grayordinates, SurfacePair, UnitSpace, VolumeGrid
from bidsapp.errors import InputInvalidError, ResourceUnavailableError
from bidsapp.resources import N_VERTICES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bidsapp.bids.records import ImageKind, Run

LOGGER = logging.getLogger("musicotopy")
POSTER_ATLASES: Final = {"surface": "Destrieux2009", "volume": "HOCPA:th25"}
"""Atlases whose labels make STG, MTG, IFG and mPFC where the user gives none."""
_DENSITIES: Final = {"3k": 2562, "10k": 10242, "41k": 40962, "164k": 163842}
_NOTE: Final = 25  # level of the log that is shown without -v


def find_parcels(atlas: Path, units: UnitSpace) -> Atlas:
    """Take parcels from what ``--atlas`` says, and log which files they come from.

    Parameters
    ----------
    atlas
        A label image (see `bidsapp.brain.atlas.atlas_parcels`), or the name of an atlas of
        TemplateFlow: ``Destrieux2009``, ``Schaefer2018:400Parcels7Networks``; ``HCP-MMP``.
    units
        Where parcels are wanted.

    Returns
    -------
    Atlas
        Labels, names, and the files.

    Raises
    ------
    ResourceUnavailableError
        TemplateFlow's folder on this machine does not hold the atlas for this space.
    InputMissingError, InputInvalidError
        As of `bidsapp.brain.atlas.atlas_parcels`.
    """
    name = atlas_name(atlas)
    parcels = atlas_parcels(atlas, units) if name is None else _named(name, units)
    files = " and ".join(map(str, parcels.files))
    LOGGER.log(_NOTE, "atlas: %d parcels of %s", len(parcels.names), files)
    for problem in parcels.problems:
        LOGGER.warning("%s", problem)
    return parcels


def poster_parcels(units: UnitSpace) -> Atlas | None:
    """Take the atlas that names the poster's four regions, if it is on this machine.

    Parameters
    ----------
    units
        Of the data.

    Returns
    -------
    Atlas or None
        None where the atlas, or a way to the space of the data, is not at hand.
    """
    kind = "volume" if isinstance(units.geometry, VolumeGrid) else "surface"
    name = atlas_name(POSTER_ATLASES[kind])
    assert name is not None
    try:
        return _named(name, units)
    except ResourceUnavailableError:
        return None


def _named(name: AtlasName, units: UnitSpace) -> Atlas:
    if isinstance(units.geometry, VolumeGrid):
        return _in_volume(name, units)
    values, tables, files = _on_surface(name, units)
    labels, names = number_parcels(values, _sides(units), tables)
    if not names:
        msg = f"{files[0]} labels none of the {units.n_units} units; fetch the atlas again."
        raise InputInvalidError(msg)
    return Atlas(labels, names, files=files)


def _sides(units: UnitSpace) -> NDArray[np.str_]:
    return np.where(np.isin(units.structure, ("L", "R")), units.structure, "")


def _in_volume(name: AtlasName, units: UnitSpace) -> Atlas:
    path = _volume_file(name, units.space)
    names = _names(units.space, {**name.volume, "desc": name.part or None}) or _names(
        units.space, {"atlas": name.atlas, "desc": None}
    )
    # HOCPA has one table of names, in one of its templates
    names = names or _names("MNI152NLin6Asym", {"atlas": name.atlas, "desc": None})
    return atlas_parcels(path, units, names=names.get("", {}))


def _volume_file(name: AtlasName, space: str) -> Path:
    if name.atlas == HCP_MMP:
        msg = f"--atlas HCP-MMP: it is an atlas of surfaces; give a label image in {space}."
        raise ResourceUnavailableError(msg)
    images = template_files(space, **name.volume, extension=".nii.gz")
    if not images:
        raise _absent(name, space)
    return nearest_to_bold(images)


def refuse_absent_atlas(atlas: Path, run: Run) -> None:
    """Refuse a named atlas that is not on this machine for the space of a run.

    Parameters
    ----------
    atlas
        What ``--atlas`` says; files pass.
    run
        A run of any kind; only its headers are read.

    Raises
    ------
    ResourceUnavailableError
        The message says how to get it.
    """
    name = atlas_name(atlas)
    if name is None:
        return
    _named_files(name, run.space, run.kind, run.bold)


def atlas_files(
    atlas: Path | None, space: str, kind: ImageKind, images: Sequence[Path]
) -> tuple[Path, ...]:
    """List the files that parcels are taken from, as far as they are on this machine.

    Parameters
    ----------
    atlas
        What ``--atlas`` says; None for the atlas of the poster's four regions.
    space, kind
        Space of the data as a `bidsapp.bids.records.Run` spells it, and kind of image.
    images
        Files of data or maps; the headers of GIFTI files are read.

    Returns
    -------
    tuple of Path
        Empty where the atlas is not at hand.
    """
    name = atlas_name(atlas or POSTER_ATLASES["volume" if kind == "volume" else "surface"])
    if name is not None:
        try:
            return _named_files(name, space, kind, images)
        except ResourceUnavailableError:
            return ()
    assert atlas is not None
    files = {atlas, names_table(atlas)}
    if kind != "volume" and atlas.name.endswith((".gii", ".annot")):
        files.update(gifti_pair(atlas))
    return tuple(sorted(path for path in files if path.is_file()))


def _named_files(
    name: AtlasName, space: str, kind: ImageKind, images: Sequence[Path]
) -> tuple[Path, ...]:
    if kind == "volume":
        return (_volume_file(name, space),)
    n = vertex_counts(images[:1])[0] if kind == "gifti" else N_VERTICES["fsLR32k"]
    return _surface_files(name, space, n)[1]


def _surface_files(
    name: AtlasName, space: str, n_vertices: int
) -> tuple[str, tuple[Path, ...], int]:
    """Template whose atlas serves a surface, its pair of files, and how many vertices are read."""
    if space == "fsLR":
        own = _pair("fsLR", name, "32k")
        if n_vertices != N_VERTICES["fsLR32k"]:
            raise _absent(name, f"fsLR with {n_vertices} vertices")
        if own:
            return "fsLR", own, n_vertices
        n_vertices = N_VERTICES["fsaverage5"]
    elif not space.startswith("fsaverage"):
        raise _absent(name, space)
    for density, size in _DENSITIES.items():
        pair = _pair("fsaverage", name, density) if size >= n_vertices else ()
        if pair:
            return "fsaverage", pair, n_vertices
    raise _absent(name, space)


def _on_surface(
    name: AtlasName, units: UnitSpace
) -> tuple[NDArray[np.int64], Mapping[str, Mapping[int, str]], tuple[Path, ...]]:
    """Values of the units, tables of names by side, and the files."""
    template, pair, n_vertices = _surface_files(name, units.space, _n_vertices(units))
    whole_sides, inside = read_labels(pair)
    tables = _tables(inside, template, name)
    dense = {side: values[:n_vertices] for side, values in whole_sides.items()}
    if template != "fsLR" and units.space == "fsLR":
        whole = np.concatenate([dense[side] for side in CIFTI_SIDES])
        carried = np.split(whole[fsaverage5_to_fslr()[0]], 2)
        dense = dict(zip(CIFTI_SIDES, carried, strict=True))
    return look_up_dense(pair[0], dense, units), tables, pair


def _n_vertices(units: UnitSpace) -> int:
    geometry = units.geometry
    if isinstance(geometry, SurfacePair):
        return max(geometry.n_left, geometry.n_right)
    assert isinstance(geometry, Grayordinates)
    sizes = [geometry.axis.nvertices.get(side, 0) for side in CIFTI_SIDES]
    return int(max(sizes))


def _pair(template: str, name: AtlasName, density: str) -> tuple[Path, ...]:
    extension = ".annot" if name.atlas == HCP_MMP else ".label.gii"
    entities: dict[str, Any] = {**name.surface, "density": density, "extension": extension}
    sides = [template_files(template, hemi=side, **entities)[:1] for side in "LR"]
    return (*sides[0], *sides[1]) if all(sides) else ()


def _tables(
    inside: Mapping[str, Mapping[int, str]], template: str, name: AtlasName
) -> Mapping[str, Mapping[int, str]]:
    """Names by side: those in the files, completed by TemplateFlow's table."""
    listed = _names(template, name.surface)
    return {
        side: {**listed.get("", {}), **listed.get(side, {}), **names}
        for side, names in inside.items()
    }


def _names(template: str, entities: Mapping[str, Any]) -> dict[str, dict[int, str]]:
    """Read the table of an atlas: side (empty for both) → number → name."""
    tables = template_files(template, **{**entities, "suffix": "dseg", "extension": ".tsv"})
    names: dict[str, dict[int, str]] = defaultdict(dict)
    if not tables:
        return names
    with tables[0].open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        for row in rows:
            names[row.get("hemi") or ""][int(row["index"])] = row["name"]
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{tables[0]} needs the columns index (integers) and name; fetch the atlas again."
        raise InputInvalidError(msg) from error
    return names


def _absent(name: AtlasName, space: str) -> ResourceUnavailableError:
    home = templateflow_home()
    filled = home.is_dir() and any(home.iterdir())
    place = f"not in {home}" if filled else f"not there: TEMPLATEFLOW_HOME {home} is empty"
    what = f"atlases {name}"
    if name.atlas == HCP_MMP:
        what = "hcp-mmp --accept-terms"
    msg = (
        f"--atlas {name}: the atlas for {space} is {place}; bring it with `musicotopy-tools fetch "
        f"{what}`, or give a file."
    )
    return ResourceUnavailableError(msg)
