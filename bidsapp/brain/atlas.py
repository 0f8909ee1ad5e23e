"""Parcels from a label image that the user gives.

Volumes are looked up at the nearest voxel, so that another resolution of the same space will do.
Surfaces are looked up vertex by vertex: the mesh must be the same. A label found on both
hemispheres of a surface makes two parcels; in a volume it stays one, as the atlas wants it. Each
hemisphere has a table of names of its own, for atlases may number them apart; what a table calls
unknown, medial wall, corpus callosum or background is no parcel.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine

from bidsapp.bids.records import Problem
from bidsapp.brain.geometry import Grayordinates, UnitSpace, VolumeGrid
from bidsapp.brain.images import open_image, read_slab
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.text import some_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CORTEX = {"L": "CIFTI_STRUCTURE_CORTEX_LEFT", "R": "CIFTI_STRUCTURE_CORTEX_RIGHT"}
_OTHER_SIDE = (("hemi-L", "hemi-R"), ("lh.", "rh."), (".L.", ".R."), ("left.", "right."))
_ANNOTATION = ".annot"
_NO_PARCEL = re.compile(
    r"(?:.*[_+ .-])?(?:unknown|\?+|medial[_ .-]?wall|corpus[_ .-]?callosum|background)"
    r"(?:[_ .-](?:lh?|rh?|left|right))?",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?:^|.* )label-(\d+)$")
_FEW = 5
#: side (``L``, ``R``, or empty where there are none) to number to name
Tables = Mapping[str, Mapping[int, str]]


@dataclass(frozen=True, eq=False)
class Atlas:
    """Parcels of an atlas in a unit space.

    Attributes
    ----------
    labels
        (n_units,) 0, 1, …; -1 where the atlas has no label.
    names
        One per parcel; only parcels that have units.
    problems
        What deserves a line in the log (another grid, another template, labels without a name).
    files
        Which files the labels were read from, both hemispheres of a pair.
    """

    labels: NDArray[np.int32]
    names: tuple[str, ...]
    problems: tuple[Problem, ...] = field(default=(), repr=False)
    files: tuple[Path, ...] = ()


def atlas_parcels(
    path: Path, units: UnitSpace, *, names: Mapping[int, str] | None = None
) -> Atlas:
    """Take parcels from a label image.

    Parameters
    ----------
    path
        NIfTI for volumes; ``.label.gii``, FreeSurfer's ``.annot`` or ``.dlabel.nii`` for
        surfaces and CIFTI. Of a pair one is named, the other found by its name
        (``hemi-L``/``hemi-R``, ``lh.``/``rh.``, ``.L.``/``.R.``, ``left.``/``right.``). A table
        ``index``, ``name`` with the name of a NIfTI and ``.tsv`` is read if there is one.
    units
        Where parcels are wanted. Label 0 means none.
    names
        Names of the labels of a volume, instead of such a table.

    Returns
    -------
    Atlas
        Labels, names and files.

    Raises
    ------
    InputMissingError
        A file is absent.
    InputInvalidError
        Labels are not integers, the mesh differs, the kind of file does not fit, or no unit has
        a label.
    """
    image = None if path.suffix == _ANNOTATION else open_image(path)
    _refuse_kind(path, image, "volume" if isinstance(units.geometry, VolumeGrid) else units.kind)
    problems: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = (path,)
    if isinstance(units.geometry, VolumeGrid):
        values, problems = _volume(path, image, units)
        tables: Tables = {"": _tsv_names(path) if names is None else names}
        sides = np.full(units.n_units, "")
    else:
        values, tables, files = _surfaces(path, image, units)
        sides = np.where(np.isin(units.structure, ("L", "R")), units.structure, "")
    labels, found = number_parcels(values, sides, tables)
    if not found:
        where = units.space or "the space of the data"
        msg = f"{path} labels none of the {units.n_units} units; give an atlas in {where}."
        raise InputInvalidError(msg)
    if any(tables.values()):
        problems += _nameless(path, found)
    return Atlas(labels, found, problems, files)


def refuse_atlas(path: Path, kind: str, n_vertices: int = 0) -> None:
    """Refuse a label image that cannot be read or does not fit a kind of BOLD.

    Parameters
    ----------
    path
        As `atlas_parcels` takes it.
    kind
        Of the runs: ``volume``, ``gifti`` or ``cifti``.
    n_vertices
        Of a hemisphere of the runs; 0 if not known, and for volumes.

    Raises
    ------
    InputMissingError, InputInvalidError
        As `atlas_parcels`.
    """
    image = None if path.suffix == _ANNOTATION else open_image(path)
    _refuse_kind(path, image, kind)
    if image is None:
        _refuse_dense(path, _annotations(gifti_pair(path))[0], n_vertices)
    elif isinstance(image, nib.gifti.GiftiImage):
        _refuse_dense(path, read_dense(gifti_pair(path)), n_vertices)


def _refuse_dense(path: Path, dense: Mapping[str, NDArray[np.int64]], n_vertices: int) -> None:
    """Refuse the labels of two hemispheres that are on another mesh, or all none."""
    for name, labels in dense.items():
        if n_vertices and labels.size != n_vertices:
            raise _other_mesh(path, name, labels.size, n_vertices)
    if not any((labels > 0).any() for labels in dense.values()):
        msg = f"{path} has no label but 0, which means none; give an atlas."
        raise InputInvalidError(msg)


def _other_mesh(path: Path, name: str, size: int, expected: int) -> InputInvalidError:
    what = f"has {size} places in {name}, the data have {expected}"
    return InputInvalidError(f"{path} {what}; give the atlas on the mesh of the data.")


def _refuse_kind(path: Path, image: Any, kind: str) -> None:
    """Refuse surfaces for volumes and the other way round; `image` is None for annotations."""
    if kind == "volume":
        if not isinstance(image, nib.Nifti1Pair) or len(image.shape) != 3:
            what = "" if image is None or not hasattr(image, "shape") else f" ({image.shape})"
            msg = f"{path} is no 3D label volume{what}; give one for volumes."
            raise InputInvalidError(msg)
    elif image is not None and not isinstance(image, nib.gifti.GiftiImage | nib.Cifti2Image):
        msg = f"{path} is a volume, the data are {kind}; give a .label.gii or .dlabel.nii."
        raise InputInvalidError(msg)


def _nameless(path: Path, names: tuple[str, ...]) -> tuple[Problem, ...]:
    """Say which labels of an atlas its table of names lacks."""
    lacking = [name for name in names if _LABEL.search(name)]
    if not lacking:
        return ()
    some = some_of([_LABEL.sub(r"\1", name) for name in lacking], _FEW)
    what = f"{len(lacking)} of its {len(names)} labels have no name ({some})"
    return (Problem(path, what, "they are called label-NUMBER; complete its table of names"),)


def number_parcels(
    values: NDArray[np.int64], sides: NDArray[np.str_], tables: Tables
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Give each (side, value) pair that occurs a number and a name; equal names get their side.

    Parameters
    ----------
    values, sides
        (n_units,) labels (0 for none), and ``L``, ``R`` or empty.
    tables
        Names of the labels of each side.

    Returns
    -------
    labels : (n_units,) array
        0, 1, …; -1 for no parcel.
    names : tuple of str
        One per parcel; ``label-NUMBER`` where the tables have none.
    """
    pairs = sorted(set(zip(sides.tolist(), values.tolist(), strict=True)))
    known = {
        (side, value): tables.get(side, {}).get(value) or f"label-{value}"
        for side, value in pairs
        if value > 0
    }
    pairs = [pair for pair, name in known.items() if not _NO_PARCEL.fullmatch(name.strip())]
    numbers = {pair: number for number, pair in enumerate(pairs)}
    labels = [numbers.get(pair, -1) for pair in zip(sides.tolist(), values.tolist(), strict=True)]
    plain = [known[pair] for pair in pairs]
    names = (
        f"{side} {name}".strip() if plain.count(name) > 1 else name
        for (side, _), name in zip(pairs, plain, strict=True)
    )
    return np.array(labels, dtype=np.int32), tuple(names)


def _volume(
    path: Path, image: Any, units: UnitSpace
) -> tuple[NDArray[np.int64], tuple[Problem, ...]]:
    shape = image.shape[:3]
    atlas = _integers(path, read_slab(path, image.dataobj, dtype=np.float64))
    voxels = apply_affine(np.linalg.inv(image.affine), units.coordinates_mm())
    nearest = np.floor(voxels + 0.5).astype(int)
    inside = ((nearest >= 0) & (nearest < shape)).all(axis=1)
    values = np.zeros(units.n_units, dtype=np.int64)
    values[inside] = atlas[tuple(nearest[inside].T)]
    return values, _volume_problems(path, image, units)


def _volume_problems(path: Path, image: Any, units: UnitSpace) -> tuple[Problem, ...]:
    grid = units.geometry
    assert isinstance(grid, VolumeGrid)
    problems = []
    if image.shape != grid.mask.shape or not np.allclose(image.affine, grid.affine, atol=1e-3):
        what = f"a grid of {image.shape} where the data have {grid.mask.shape}"
        problems.append(Problem(path, what, "labels were taken from the nearest voxel"))
    parts = dict(part.split("-", 1) for part in path.name.split("_") if "-" in part)
    space = parts.get("space", parts.get("tpl"))
    if space not in (None, units.space):
        what = f"an atlas in {space}, while the data are in {units.space}"
        problems.append(Problem(path, what, "check that the two templates agree well enough"))
    return tuple(problems)


def names_table(path: Path) -> Path:
    """Return where the names of the labels of a NIfTI would stand."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".tsv")


def _tsv_names(path: Path) -> dict[int, str]:
    table = names_table(path)
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        return {int(row["index"]): row["name"] for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{table} needs the columns index (integers) and name; repair or remove it."
        raise InputInvalidError(msg) from error


def _surfaces(
    path: Path, image: Any, units: UnitSpace
) -> tuple[NDArray[np.int64], Tables, tuple[Path, ...]]:
    files: tuple[Path, ...] = (path,)
    tables: Tables
    if image is None or isinstance(image, nib.gifti.GiftiImage):
        files = gifti_pair(path)
        dense, tables = read_labels(files)
    else:
        dense = _dense_structures(path, image)
        tables = dict.fromkeys(("", "L", "R"), _cifti_names(image))
    return look_up_dense(path, dense, units), tables, files


def read_dense(pair: Sequence[Path]) -> dict[str, NDArray[np.int64]]:
    """Read the labels of both hemispheres from GIFTI: CIFTI's name of the side → (n_vertices,).

    Raises
    ------
    InputMissingError, InputInvalidError
        A file is absent, unreadable, or holds no integers.
    """
    dense = {}
    for side, file in zip("LR", pair, strict=True):
        arrays = open_image(file).darrays
        if not arrays:
            msg = f"{file} holds no labels; get the file again."
            raise InputInvalidError(msg)
        dense[_CORTEX[side]] = _integers(file, arrays[0].data)
    return dense


def label_tables(pair: Sequence[Path]) -> dict[str, dict[int, str]]:
    """Read the names in a pair of GIFTI files: side → number → name."""
    return {side: _gifti_names(open_image(file)) for side, file in zip("LR", pair, strict=True)}


def read_labels(
    pair: Sequence[Path],
) -> tuple[dict[str, NDArray[np.int64]], dict[str, dict[int, str]]]:
    """Read both hemispheres of an atlas, GIFTI or FreeSurfer's annotations.

    Returns
    -------
    dense : dict
        CIFTI's name of the side → (n_vertices,) labels.
    tables : dict
        Side → number → name.

    Raises
    ------
    InputMissingError, InputInvalidError
        A file is absent, unreadable, or holds no integers.
    """
    if pair[0].suffix == _ANNOTATION:
        return _annotations(pair)
    return read_dense(pair), label_tables(pair)


def _annotations(
    pair: Sequence[Path],
) -> tuple[dict[str, NDArray[np.int64]], dict[str, dict[int, str]]]:
    """Read FreeSurfer's annotations; the first entry, unknown or medial wall, is no label."""
    dense: dict[str, NDArray[np.int64]] = {}
    tables: dict[str, dict[int, str]] = {}
    for side, path in zip("LR", pair, strict=True):
        if not path.is_file():
            msg = f"{path} is absent; put both hemispheres of the atlas into one folder."
            raise InputMissingError(msg)
        try:
            labels, _, names = nib.freesurfer.read_annot(path)
        except (OSError, ValueError, IndexError) as error:
            msg = f"{path} cannot be read as an annotation ({error}); get the file again."
            raise InputInvalidError(msg) from error
        dense[_CORTEX[side]] = np.maximum(labels, 0).astype(np.int64)
        tables[side] = {number: name.decode() for number, name in enumerate(names)}
    return dense, tables


def gifti_pair(path: Path) -> tuple[Path, Path]:
    """Return the left and the right file of a pair, of which one is given."""
    for left, right in _OTHER_SIDE:
        if left in path.name:
            return path, path.with_name(path.name.replace(left, right))
        if right in path.name:
            return path.with_name(path.name.replace(right, left)), path
    msg = f"{path} does not say its hemisphere; name the pair with hemi-L and hemi-R."
    raise InputInvalidError(msg)


def _gifti_names(image: Any) -> dict[int, str]:
    return {int(key): str(name) for key, name in image.labeltable.get_labels_as_dict().items()}


def _cifti_names(image: Any) -> dict[int, str]:
    axis = image.header.get_axis(0)
    if not isinstance(axis, nib.cifti2.LabelAxis):
        return {}
    return {int(key): str(entry[0]) for key, entry in axis.label[0].items()}


def _dense_structures(path: Path, image: Any) -> dict[str, NDArray[np.int64]]:
    """Spread a CIFTI row over whole structures: by vertex, or by position in the volume."""
    row = _integers(path, read_slab(path, image.dataobj, dtype=np.float64)[0])
    axis = image.header.get_axis(1)
    dense = {}
    for name, where, model in axis.iter_structures():
        size = axis.nvertices.get(name) or int(np.prod(axis.volume_shape))
        full = np.zeros(size, dtype=np.int64)
        full[_positions(model, name)] = row[where]
        dense[str(name)] = full
    return dense


def _positions(model: Any, name: str) -> NDArray[np.intp]:
    if name in model.nvertices:
        return np.asarray(model.vertex)
    return np.asarray(np.ravel_multi_index(tuple(model.voxel.T), model.volume_shape))


def look_up_dense(
    path: Path, dense: Mapping[str, NDArray[np.int64]], units: UnitSpace
) -> NDArray[np.int64]:
    """Take the labels of units from those of whole structures.

    Parameters
    ----------
    path
        For the message.
    dense
        CIFTI's name of a structure → labels of all its vertices or voxels.
    units
        GIFTI or CIFTI.

    Returns
    -------
    (n_units,) array
        0 in structures that `dense` lacks.

    Raises
    ------
    InputInvalidError
        A structure has another size.
    """
    values = np.zeros(units.n_units, dtype=np.int64)
    for name, size, here, positions in _unit_structures(units):
        if name not in dense:
            continue
        if dense[name].size != size:
            raise _other_mesh(path, name, dense[name].size, size)
        values[here] = dense[name][positions]
    return values


def _unit_structures(
    units: UnitSpace,
) -> list[tuple[str, int, NDArray[np.intp], NDArray[np.intp]]]:
    """List structure, its full size, the units in it and their places in it."""
    if not isinstance(units.geometry, Grayordinates):
        sides = [(name, np.flatnonzero(units.structure == side)) for side, name in _CORTEX.items()]
        return [(name, here.size, here, np.arange(here.size)) for name, here in sides]
    axis = units.geometry.axis
    parts = []
    for name, where, model in axis.iter_structures():
        size = axis.nvertices.get(name) or int(np.prod(axis.volume_shape))
        here = np.arange(len(axis))[where]
        parts.append((str(name), size, here, _positions(model, name)))
    return parts


def _integers(path: Path, values: NDArray[Any]) -> NDArray[np.int64]:
    filled = np.nan_to_num(np.asarray(values, dtype=np.float64))
    if not (filled == np.round(filled)).all():
        msg = f"{path} holds values that are no integers; give labels, not a probability map."
        raise InputInvalidError(msg)
    return filled.astype(np.int64)
