"""Annotations of neuromaps on the mesh of the data.

=================  =========================================================================
published on       how it comes to fsaverage5 or fsLR-32k
=================  =========================================================================
fsLR-32k           as it is, or by the correspondence of the meshes
fsaverage          the first vertices of a finer mesh are fsaverage5; then the correspondence
fsLR-164k          nearest vertex on TemplateFlow's spheres of fsLR, if they are at hand
MNI152             projected as volumes of data are; zero is missing there
other meshes       not: neuromaps' own transforms, which need Connectome Workbench, do that
=================  =========================================================================

The correspondence is `bidsapp.brain.correspondence`; none of the ways needs a tool or a network.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import KDTree

from bidsapp import resources
from bidsapp.bids.neuromaps import AnnotationName, annotation_facts, annotation_files
from bidsapp.bids.templateflow import template_files
from bidsapp.brain.correspondence import carry, fsaverage5_to_fslr
from bidsapp.brain.geometry import volume_units
from bidsapp.brain.images import open_image
from bidsapp.brain.meshes import read_coordinates
from bidsapp.brain.projection import volume_projection
from bidsapp.errors import InputInvalidError, ResourceUnavailableError
from bidsapp.resources import N_VERTICES, Mesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FINE = 163842
_FSLR, _FSAVERAGE5 = N_VERTICES["fsLR32k"], N_VERTICES["fsaverage5"]


def annotation_map(
    name: AnnotationName, mesh: Mesh
) -> tuple[NDArray[np.floating[Any]], dict[str, str]]:
    """Read an annotation and bring it to a mesh.

    Parameters
    ----------
    name
        Of the annotation.
    mesh
        ``fsaverage5`` or ``fsLR32k``.

    Returns
    -------
    values : (n_vertices,) array
        Over both whole hemispheres; NaN outside cortex and on a side that was not published.
    provenance : dict
        Name, files, SHA-256, source, licence, and how it came to the mesh.

    Raises
    ------
    ResourceUnavailableError
        neuromaps or the files are not there, or no way leads to the mesh.
    UsageError
        There is no such annotation.
    InputInvalidError
        A file cannot be read, or is constant over the cortex.
    """
    files = annotation_files(name)
    values, own_mesh, way = _READERS.get(name.space, _refuse)(name, files)
    if own_mesh == mesh:
        how = {"Correspondence": way}
    elif mesh == "fsaverage5":
        values, passage = carry(values)
        how = {"Correspondence": f"{way}; {passage['Correspondence']}"}
    else:
        indices, passage = fsaverage5_to_fslr()
        values = values[..., indices]
        how = {"Correspondence": f"{way}; {passage['Correspondence']}"}
    values = np.where(resources.cortex_mask(mesh), values, np.nan)
    finite = values[np.isfinite(values)]
    if not finite.size or finite.min() == finite.max():
        msg = f"{name} is constant or missing all over the cortex; choose another annotation."
        raise InputInvalidError(msg)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    facts = annotation_facts(name)
    return values, {
        "Name": name.label,
        "Title": facts["description"],
        "File": ", ".join(path.name for path in files),
        "SHA256": digest,
        "Source": f"{facts['description']}: {facts['citation']} (neuromaps)",
        "License": facts["licence"],
        **({} if how["Correspondence"] == "none" else how),
    }


def refuse_annotation(name: AnnotationName) -> None:
    """Refuse an annotation that is not on this machine, or on a mesh without a way to the data.

    Raises
    ------
    AppError
        As `annotation_map`; the content of files is not read.
    """
    files = annotation_files(name)
    if name.space not in _READERS:
        _refuse(name, files)


Read = tuple["NDArray[np.floating[Any]]", Mesh, str]


def _fslr(name: AnnotationName, files: tuple[Path, ...]) -> Read:
    left, right = _hemispheres(files)
    sizes = {side.size for side in (left, right) if side.size}
    if sizes == {_FSLR}:
        return (
            np.concatenate([_or_missing(side, _FSLR) for side in (left, right)]),
            "fsLR32k",
            "none",
        )
    if sizes != {_FINE}:
        raise _no_way(name)
    parts = []
    for side, values in zip("LR", (left, right), strict=True):
        sphere = _sphere("32k", side, _FSLR, name)
        fine = _sphere("164k", side, _FINE, name)
        parts.append(_or_missing(values, _FINE)[KDTree(fine).query(sphere)[1]])
    return np.concatenate(parts), "fsLR32k", "nearest vertex on the spheres of fsLR"


def _sphere(density: str, side: str, size: int, name: AnnotationName) -> NDArray[np.float64]:
    if density == "32k":
        return resources.fslr_spheres()["LR".index(side)]
    files = template_files("fsLR", density=density, hemi=side, suffix="sphere", space=None)
    if not files:
        msg = (
            f"{name} is on a finer mesh, whose sphere is not at hand; bring it with "
            f"`musicotopy-tools fetch templates fsLR:density={density},suffix=sphere`"
        )
        raise ResourceUnavailableError(msg)
    return read_coordinates(files[0], size)


def _fsaverage(name: AnnotationName, files: tuple[Path, ...]) -> Read:
    sides = _hemispheres(files)
    if any(0 < side.size < _FSAVERAGE5 for side in sides):
        raise _no_way(name)
    finer = any(side.size > _FSAVERAGE5 for side in sides)
    whole = np.concatenate([_or_missing(side[:_FSAVERAGE5], _FSAVERAGE5) for side in sides])
    return whole, "fsaverage5", "first vertices of the finer mesh" if finer else "none"


def _volume(name: AnnotationName, files: tuple[Path, ...]) -> Read:
    image = open_image(files[0])
    data = np.asarray(image.dataobj, dtype=np.float32)
    if data.ndim != 3:
        msg = f"{files[0]} has the shape {data.shape}, one volume is needed; fetch {name} again."
        raise InputInvalidError(msg)
    known = np.isfinite(data) & (data != 0)
    units = volume_units(known, np.asarray(image.affine), space="MNI152NLin6Asym")
    projected = volume_projection(units, mni305=True).apply(data[known][None])[0]
    return projected, "fsaverage5", "projected from MNI152 to fsaverage5"


def _refuse(name: AnnotationName, files: tuple[Path, ...]) -> Read:
    raise _no_way(name)


_READERS = {"fsLR": _fslr, "fsaverage": _fsaverage, "MNI152": _volume}


def _hemispheres(files: tuple[Path, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read left and right; empty for a side without a file."""
    sides = []
    for side in "LR":
        own = [path for path in files if f"_hemi-{side}_" in path.name]
        data = open_image(own[0]).darrays[0].data if own else []
        sides.append(np.asarray(data, dtype=np.float64))
    return sides[0], sides[1]


def _or_missing(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return values if values.size else np.full(size, np.nan)


def _no_way(name: AnnotationName) -> ResourceUnavailableError:
    msg = (
        f"{name} is on the mesh {name.space} {name.density}, from which no way leads to the data; "
        f"transform it with neuromaps.transforms (which needs wb_command) and give the file"
    )
    return ResourceUnavailableError(msg)
