"""Reference maps of the cortex: functional gradients, and maps that the user gives.

``gradient1``, ``gradient2``
    come with the app (`bidsapp.resources`).
``neuromaps:SOURCE/DESC/SPACE/DENSITY``
    an annotation that neuromaps has downloaded before (`bidsapp.brain.annotations`);
    ``fcgradient01`` and ``fcgradient02`` are short for the gradients of Margulies et al. (2016).
a file
    on the mesh of the data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bidsapp import resources
from bidsapp.bids.neuromaps import PREFIX, annotation_name, annotation_paths
from bidsapp.brain.annotations import annotation_map, refuse_annotation
from bidsapp.brain.atlas import gifti_pair
from bidsapp.brain.cortex import cortex_columns, cortex_mask, find_mesh
from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.maps import read_maps
from bidsapp.errors import InputInvalidError, ResourceUnavailableError, UsageError
from bidsapp.resources import Mesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Maps that come with the app, with the number of the gradient.
GRADIENTS = {"gradient1": 1, "gradient2": 2}
#: Short names of annotations of neuromaps.
MARGULIES = ("fcgradient01", "fcgradient02")
_MAP_FILES = (".func.gii", ".shape.gii", ".dscalar.nii")


def reference_map(reference: str | Path, units: UnitSpace) -> NDArray[np.float64]:
    """Map of the cortex to compare others with.

    Parameters
    ----------
    reference
        ``gradient1``, ``gradient2``, ``fcgradient01``, ``fcgradient02``, an annotation
        ``neuromaps:SOURCE/DESC/SPACE/DENSITY``, or a file on the same mesh as the data with one
        map: ``.func.gii`` or ``.shape.gii`` (one of the pair, the other is found by its name) or
        ``.dscalar.nii``; missing is NaN.
    units
        GIFTI or CIFTI, on fsaverage5 or fsLR-32k.

    Returns
    -------
    (n_units,) array
        NaN outside cortex.

    Raises
    ------
    UsageError
        Neither a name nor a file.
    ResourceUnavailableError
        A map of neuromaps that is not on this machine.
    InputMissingError
        The other hemisphere is absent.
    InputInvalidError
        Unreadable, another mesh, several maps, or a constant one.
    """
    return _load(reference, units)[0]


def refuse_reference(reference: str | Path, spaces: Sequence[str]) -> None:
    """Refuse a reference map that cannot be read or is on another mesh than the data.

    Parameters
    ----------
    reference
        As for `reference_map`.
    spaces
        Of the data, as runs spell them. Volumes and surfaces of FreeSurfer meet references on
        fsaverage5. Without any, a file may be on either mesh.

    Raises
    ------
    AppError
        As `reference_map`, except that the content of an annotation is not read.
    """
    if str(reference) in GRADIENTS:
        return
    if str(reference) in MARGULIES:
        refuse_annotation(annotation_name(f"margulies2016/{reference}/fsLR/32k"))
    elif str(reference).startswith(PREFIX):
        refuse_annotation(annotation_name(str(reference)))
    else:
        path = _existing(reference)
        found = find_mesh(read_maps(_files(path)).units)
        on_fslr: dict[bool, Mesh] = {True: "fsLR32k", False: "fsaverage5"}
        wanted = {on_fslr[space.startswith("fsLR")] for space in spaces}
        for mesh in wanted or {found or "fsaverage5"}:
            _read_whole(path, mesh)


def reference_provenance(reference: str | Path, units: UnitSpace) -> dict[str, str]:
    """Say where a reference map is from.

    Parameters
    ----------
    reference, units
        As for `reference_map`, which raises the same.

    Returns
    -------
    dict
        Name, file, SHA-256 (of both hemispheres), source, and the correspondence of meshes if
        one was needed.
    """
    return _load(reference, units)[1]


def reference_files(reference: str | Path) -> tuple[Path, ...]:
    """List the files of a reference map that are on this machine; none for those of the app.

    Parameters
    ----------
    reference
        As for `reference_map`.
    """
    text = str(reference)
    if text in MARGULIES:
        text = f"{PREFIX}{_margulies_name(text)}"
    if text.startswith(PREFIX):
        return annotation_paths(annotation_name(text))
    path = Path(text)
    if text in GRADIENTS or not path.name.endswith(_MAP_FILES):
        return ()
    return tuple(file for file in _files(path) if file.is_file())


def _load(reference: str | Path, units: UnitSpace) -> tuple[NDArray[np.float64], dict[str, str]]:
    """`reference_map` and `reference_provenance` in one."""
    columns = cortex_columns(units)
    full: NDArray[np.floating[Any]]
    if str(reference) in GRADIENTS:
        full = resources.functional_gradient(columns.mesh, GRADIENTS[str(reference)])
        source = _shipped(str(reference), columns.mesh)
    elif str(reference) in MARGULIES:
        full, source = _margulies(str(reference), columns.mesh)
    elif str(reference).startswith(PREFIX):
        full, source = annotation_map(annotation_name(str(reference)), columns.mesh)
    else:
        path = _existing(reference)
        full = _read_whole(path, columns.mesh)
        source = _given("user", path, "given by the user")
    values = np.where(cortex_mask(units), columns.gather(full), np.nan)
    return values.astype(np.float64), source


def _shipped(name: str, mesh: Mesh) -> dict[str, str]:
    return {
        "Name": name,
        "File": f"{mesh}.npz",
        "SHA256": resources.resource_hash(f"{mesh}.npz"),
        "Source": "Vos de Wael et al. (2020), Communications Biology 3, 103 (BrainSpace)",
    }


def _margulies_name(name: str) -> str:
    return f"margulies2016/{name}/fsLR/32k"


def _margulies(name: str, mesh: Mesh) -> tuple[NDArray[np.floating[Any]], dict[str, str]]:
    try:
        full, source = annotation_map(annotation_name(_margulies_name(name)), mesh)
    except ResourceUnavailableError as error:
        msg = f"{error}, or take {next(iter(GRADIENTS))}."
        raise ResourceUnavailableError(msg) from error
    return full, source | {"Name": name}


def _given(name: str, path: Path, source: str) -> dict[str, str]:
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in _files(path)))
    return {"Name": name, "File": path.name, "SHA256": digest.hexdigest(), "Source": source}


def _existing(reference: str | Path) -> Path:
    path = Path(reference)
    if not path.is_file():
        names = ", ".join((*GRADIENTS, *MARGULIES, f"{PREFIX}SOURCE/DESC/SPACE/DENSITY"))
        msg = f"{reference} is no reference map; give one of {names}, or an existing file."
        raise UsageError(msg)
    if not path.name.endswith(_MAP_FILES):
        msg = f"{path} is no map of the cortex; give a file in {', '.join(_MAP_FILES)}."
        raise InputInvalidError(msg)
    return path


def _files(path: Path) -> tuple[Path, ...]:
    return gifti_pair(path) if path.name.endswith(".gii") else (path,)


def _read_whole(path: Path, mesh: Mesh) -> NDArray[np.floating[Any]]:
    """Whole hemispheres of the one map of a file on `mesh`."""
    maps = read_maps(_files(path))
    found = find_mesh(maps.units)
    if found != mesh:
        has = found or f"another mesh ({maps.units.n_units} values)"
        msg = (
            f"{path} is on {has}, the data on {mesh}; resample it with registered spheres first "
            "(for instance with wb_command -metric-resample)."
        )
        raise InputInvalidError(msg)
    if len(maps.values) != 1:
        msg = f"{path} has {len(maps.values)} maps; give a file with one."
        raise InputInvalidError(msg)
    full = cortex_columns(maps.units).scatter(maps.values[0])
    on_cortex = full[resources.cortex_mask(mesh)]
    finite = on_cortex[np.isfinite(on_cortex)]
    if not finite.size or finite.min() == finite.max():
        msg = f"{path} is constant or missing all over the cortex; give a map that varies."
        raise InputInvalidError(msg)
    return full
