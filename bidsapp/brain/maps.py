"""Values per unit become images, and images become values per unit again.

=========  =====================  ======================================  =================
kind       maps                   labels                                  masks
=========  =====================  ======================================  =================
volume     NIfTI float32          NIfTI int16                             NIfTI uint8
gifti      func.gii per side      label.gii per side, with label table    func.gii per side
cifti      dscalar.nii            dlabel.nii, with label table            dscalar.nii
=========  =====================  ======================================  =================

Missing is NaN in maps, 0 in labels. Names of maps are kept in the image: as GIFTI and CIFTI do,
and in NIfTI as a JSON comment extension.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np

from bidsapp.brain.geometry import (
    Grayordinates,
    SurfacePair,
    UnitSpace,
    VolumeGrid,
    cifti_units,
    surface_units,
    volume_units,
)
from bidsapp.brain.images import flat_positions, open_image, take_units, unreadable
from bidsapp.errors import AppError, InputInvalidError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_COMMENT = 6  # NIfTI extension code of plain text
_NAMES_KEY = "MapNames"
_SIDES = {"L": "CortexLeft", "R": "CortexRight"}


@dataclass(frozen=True, eq=False)
class MapImage:
    """One file to be written.

    Attributes
    ----------
    entities
        What its name has beyond the others of the set: ``{"hemi": "L"}`` for GIFTI, else empty.
    extension
        ``.nii.gz``, ``.func.gii``, ``.label.gii``, ``.dscalar.nii`` or ``.dlabel.nii``.
    image
        The nibabel image.
    """

    entities: Mapping[str, str]
    extension: str
    image: Any = field(repr=False)


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps that were read.

    Attributes
    ----------
    values
        (n_maps, n_units) float32; NaN is missing.
    names
        One per map; empty strings where the file has none.
    units
        The columns.
    """

    values: NDArray[np.float32]
    names: tuple[str, ...]
    units: UnitSpace


def to_images(values: ArrayLike, units: UnitSpace, map_names: Sequence[str]) -> list[MapImage]:
    """Make images of continuous maps.

    Parameters
    ----------
    values
        (n_maps, n_units) or (n_units,); NaN is missing.
    units
        The columns.
    map_names
        One per map, any characters.

    Returns
    -------
    list of MapImage
        One image (3D for one map, else 4D), or the left and the right one for GIFTI.

    Raises
    ------
    ValueError
        Shapes do not fit.
    """
    maps = np.atleast_2d(np.asarray(values, dtype=np.float32))
    _check_shape(maps, units, map_names)
    if isinstance(units.geometry, VolumeGrid):
        return [_nifti(maps, units, map_names, np.nan)]
    if isinstance(units.geometry, SurfacePair):
        return _gifti_pair(maps, units, map_names)
    axes = (nib.cifti2.ScalarAxis(list(map_names)), units.geometry.axis)
    return [MapImage({}, ".dscalar.nii", nib.Cifti2Image(maps, axes))]


def mask_images(mask: ArrayLike, units: UnitSpace, name: str = "mask") -> list[MapImage]:
    """Make images of a mask.

    Parameters
    ----------
    mask
        (n_units,) of truth values.
    units
        The columns.
    name
        Of the map.

    Returns
    -------
    list of MapImage
        1 and 0: uint8 in volumes (0 outside the brain), float32 otherwise.
    """
    values = np.asarray(mask, dtype=bool)[np.newaxis]
    if isinstance(units.geometry, VolumeGrid):
        return [_nifti(values.astype(np.uint8), units, (name,), 0)]
    return to_images(values.astype(np.float32), units, (name,))


def label_images(
    labels: ArrayLike, units: UnitSpace, names: Sequence[str], *, map_name: str = "labels"
) -> list[MapImage]:
    """Make images of labels.

    Parameters
    ----------
    labels
        (n_units,) integers 0..len(names); 0 is undefined.
    units
        The columns.
    names
        Of label 1, 2, …
    map_name
        Of the map.

    Returns
    -------
    list of MapImage
        With a table of names and colours where the format has one.

    Raises
    ------
    ValueError
        A label is out of range, or shapes do not fit.
    """
    values = np.atleast_2d(np.asarray(labels))
    _check_shape(values, units, (map_name,))
    if values.size and not 0 <= values.min() <= values.max() <= len(names):
        msg = f"labels must lie in 0..{len(names)}, not {values.min()}..{values.max()}"
        raise ValueError(msg)
    if isinstance(units.geometry, VolumeGrid):
        return [_nifti(values.astype(np.int16), units, (map_name,), 0)]
    table = label_table(names)
    if isinstance(units.geometry, SurfacePair):
        return _gifti_pair(values.astype(np.int32), units, (map_name,), table)
    axes = (nib.cifti2.LabelAxis([map_name], [table]), units.geometry.axis)
    return [MapImage({}, ".dlabel.nii", nib.Cifti2Image(values.astype(np.float32), axes))]


def label_table(names: Sequence[str]) -> dict[int, tuple[str, tuple[float, float, float, float]]]:
    """Names and colours of labels.

    Parameters
    ----------
    names
        Of label 1, 2, …

    Returns
    -------
    dict
        Label to (name, RGBA in 0..1): ``viridis`` from first to last; 0 is transparent ``???``,
        as Connectome Workbench calls it.
    """
    from matplotlib import colormaps

    colours = colormaps["viridis"](np.linspace(0, 1, max(len(names), 1)))
    table = {0: ("???", (0.0, 0.0, 0.0, 0.0))}
    for index, (name, (r, g, b, a)) in enumerate(zip(names, colours, strict=False), start=1):
        table[index] = (name, (float(r), float(g), float(b), float(a)))
    return table


def _check_shape(maps: NDArray[Any], units: UnitSpace, map_names: Sequence[str]) -> None:
    if maps.shape != (len(map_names), units.n_units):
        msg = f"maps of shape {maps.shape} for {len(map_names)} names and {units.n_units} units"
        raise ValueError(msg)


def _nifti(
    maps: NDArray[Any], units: UnitSpace, map_names: Sequence[str], fill: float
) -> MapImage:
    grid = units.geometry
    assert isinstance(grid, VolumeGrid)
    volume = np.full((*grid.mask.shape, len(maps)), fill, dtype=maps.dtype)
    volume[grid.mask] = maps.T
    image = nib.Nifti1Image(volume[..., 0] if len(maps) == 1 else volume, grid.affine)
    image.header.set_xyzt_units("mm", "unknown")
    image.set_sform(grid.affine, code=units.xform_code)
    image.set_qform(grid.affine, code=units.xform_code)
    comment = json.dumps({_NAMES_KEY: list(map_names)}).encode()
    image.header.extensions.append(nib.nifti1.Nifti1Extension(_COMMENT, comment))
    return MapImage({}, ".nii.gz", image)


def _gifti_pair(
    maps: NDArray[Any],
    units: UnitSpace,
    map_names: Sequence[str],
    table: Mapping[int, tuple[str, tuple[float, float, float, float]]] | None = None,
) -> list[MapImage]:
    intent = "NIFTI_INTENT_NONE" if table is None else "NIFTI_INTENT_LABEL"
    images = []
    for side, structure in _SIDES.items():
        arrays = [
            nib.gifti.GiftiDataArray(
                np.ascontiguousarray(row[units.structure == side]),
                intent=intent,
                datatype="NIFTI_TYPE_INT32" if table else "NIFTI_TYPE_FLOAT32",
                meta={"Name": name},
            )
            for row, name in zip(maps, map_names, strict=True)
        ]
        image = nib.gifti.GiftiImage(
            darrays=arrays, meta=nib.gifti.GiftiMetaData(AnatomicalStructurePrimary=structure)
        )
        if table is not None:
            image.labeltable = _gifti_table(table)
        extension = ".func.gii" if table is None else ".label.gii"
        images.append(MapImage({"hemi": side}, extension, image))
    return images


def _gifti_table(
    table: Mapping[int, tuple[str, tuple[float, float, float, float]]],
) -> Any:
    labels = nib.gifti.GiftiLabelTable()
    for key, (name, (red, green, blue, alpha)) in table.items():
        label = nib.gifti.GiftiLabel(key, red, green, blue, alpha)
        label.label = name
        labels.labels.append(label)
    return labels


def read_maps(paths: Sequence[Path], units: UnitSpace | None = None, *, space: str = "") -> Maps:
    """Read maps that `to_images`, `label_images` or `mask_images` made.

    Parameters
    ----------
    paths
        One file, or the left and the right one for GIFTI.
    units
        The columns to read; None to take them from the files: voxels that are finite in any
        map, all vertices, all grayordinates.
    space
        Their BIDS space when `units` is None.

    Returns
    -------
    Maps
        Values, names, units.

    Raises
    ------
    InputMissingError, InputInvalidError
        A file is absent, unreadable, or does not fit `units`.
    """
    images = [open_image(path) for path in paths]
    try:
        if isinstance(images[0], nib.gifti.GiftiImage):
            return _read_pair(paths, images, units, space)
        if isinstance(images[0], nib.Cifti2Image):
            return _read_cifti(paths[0], images[0], units, space)
        return _read_nifti(paths[0], images[0], units, space)
    except AppError:
        raise
    except Exception as error:  # data that end early, or a header of another kind of file
        raise unreadable(paths[0], error) from error


def _read_pair(
    paths: Sequence[Path], images: Sequence[Any], units: UnitSpace | None, space: str
) -> Maps:
    sides = [np.stack([array.data for array in image.darrays]) for image in images]
    if len(sides) != 2 or len(sides[0]) != len(sides[1]):
        msg = f"{paths[0]} needs its other hemisphere with as many maps; give both files."
        raise InputInvalidError(msg)
    sizes = tuple(side.shape[1] for side in sides)
    units = units or surface_units(sizes[0], sizes[1], space=space)
    pair = units.geometry
    if not isinstance(pair, SurfacePair) or sizes != (pair.n_left, pair.n_right):
        msg = f"{paths[0]} and its pair have {sizes} vertices, not those of {units.space}."
        raise InputInvalidError(msg)
    names = tuple(str(array.meta.get("Name", "")) for array in images[0].darrays)
    return Maps(np.hstack(sides).astype(np.float32), names, units)


def _read_cifti(path: Path, image: Any, units: UnitSpace | None, space: str) -> Maps:
    axis = image.header.get_axis(1)
    units = units or cifti_units(axis, space=space)
    if not isinstance(units.geometry, Grayordinates) or units.geometry.axis != axis:
        msg = f"{path} has {len(axis)} grayordinates, not those of the data; make it again."
        raise InputInvalidError(msg)
    names = tuple(str(name) for name in image.header.get_axis(0).name)
    return Maps(np.asarray(image.dataobj, dtype=np.float32), names, units)


def _read_nifti(path: Path, image: Any, units: UnitSpace | None, space: str) -> Maps:
    volume = np.asarray(image.dataobj, dtype=np.float32).reshape(*image.shape[:3], -1)
    if units is None:
        mask = np.asarray(np.isfinite(volume).any(axis=-1))
        units = volume_units(mask, image.affine, space=space)
    grid = units.geometry
    if not (
        isinstance(grid, VolumeGrid)
        and grid.mask.shape == volume.shape[:3]
        and np.allclose(grid.affine, image.affine, atol=1e-3)
    ):
        msg = f"{path} lies on another voxel grid than the data; resample it first."
        raise InputInvalidError(msg)
    values = take_units(volume, flat_positions(grid.mask))
    return Maps(values, _nifti_names(image, len(values)), units)


def _nifti_names(image: Any, n_maps: int) -> tuple[str, ...]:
    for extension in image.header.extensions:
        try:
            names = json.loads(extension.get_content().decode().rstrip("\0"))[_NAMES_KEY]
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
        return tuple(str(name) for name in names)
    return ("",) * n_maps
