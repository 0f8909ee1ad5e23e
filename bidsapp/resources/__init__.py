"""Small tables that come with the app: cortex, gradients, parcels, fsLR geometry.

Where each comes from, its licence and its accuracy is in ``README.md`` beside this file;
``tools/build_resources.py`` rebuilds all of them. Units are the vertices of the left, then of
the right hemisphere. Everything here needs numpy only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Mesh = Literal["fsaverage5", "fsLR32k"]
N_VERTICES: dict[Mesh, int] = {"fsaverage5": 10242, "fsLR32k": 32492}


@dataclass(frozen=True, slots=True)
class Parcel:
    """One Schaefer-400 parcel: label, name, hemisphere (``L`` or ``R``) and network."""

    index: int
    name: str
    hemisphere: str
    network: str


def cortex_mask(mesh: Mesh) -> NDArray[np.bool_]:
    """Which vertices are cortex, that is, not medial wall.

    Parameters
    ----------
    mesh
        ``fsaverage5`` (20,484 vertices in all) or ``fsLR32k`` (64,984).

    Returns
    -------
    ndarray of bool, shape (n_units,)
    """
    return np.asarray(_load(mesh, "cortex"), dtype=np.bool_)


def functional_gradient(mesh: Mesh, number: int) -> NDArray[np.float64]:
    """First or second gradient of functional connectivity.

    Parameters
    ----------
    mesh
        ``fsaverage5`` or ``fsLR32k``.
    number
        1: rises from sensory and motor (unimodal) to default-mode (transmodal) cortex.
        2: rises from sensorimotor to visual cortex.

    Returns
    -------
    ndarray, shape (n_units,)
        Arbitrary units; NaN outside cortex.

    Raises
    ------
    ValueError
        If there is no such gradient.

    Notes
    -----
    Source: Vos de Wael et al. (2018), PNAS 115, 10154-10159 (data) and (2020), Commun Biol 3,
    103 (BrainSpace); the axes are those of Margulies et al. (2016), PNAS 113, 12574-12579.
    """
    if number not in (1, 2):
        msg = f"there are functional gradients 1 and 2, not {number}"
        raise ValueError(msg)
    return np.asarray(_load(mesh, "gradients")[number - 1], dtype=np.float64)


def schaefer400(mesh: Mesh) -> NDArray[np.int64]:
    """Schaefer parcel of each vertex.

    Parameters
    ----------
    mesh
        ``fsaverage5`` or ``fsLR32k``.

    Returns
    -------
    ndarray of int, shape (n_units,)
        `Parcel.index`, 1 to 200 left and 201 to 400 right; 0 for none.

    Notes
    -----
    Source: Schaefer et al. (2018), Cereb Cortex 28, 3095-3114.
    """
    return np.asarray(_load(mesh, "schaefer400"), dtype=np.int64)


def schaefer400_parcels() -> tuple[Parcel, ...]:
    """Names, hemispheres and networks (Vis, SomMot, …, Default) of the parcels, 1 to 400."""
    lines = (files(__name__) / "schaefer400.tsv").read_text("utf-8").splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return tuple(Parcel(int(index), *rest) for index, *rest in rows)


def fslr_spheres() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Left and right sphere of fsLR-32k, each of shape (32492, 3) and radius 100.

    They are mirror images, and in register with each other, but NOT with fsaverage's spheres.
    """
    left = np.asarray(_load("fsLR32k", "sphere_left"), dtype=np.float64)
    return left, left * [-1.0, 1.0, 1.0]


def fslr_midthickness() -> tuple[
    tuple[NDArray[np.float64], NDArray[np.int64]], tuple[NDArray[np.float64], NDArray[np.int64]]
]:
    """Average cortical surface of fsLR-32k.

    Returns
    -------
    left, right
        Each the coordinates in mm, shape (32492, 3), and the triangles, shape (64980, 3).
    """
    points = _load("fsLR32k_midthickness", "hundredths_mm") / 100.0
    faces = np.asarray(_load("fsLR32k_midthickness", "faces_left"), dtype=np.int64)
    return (points[0], faces), (points[1], np.ascontiguousarray(faces[:, ::-1]))


def fslr_to_fsaverage5() -> NDArray[np.int64]:
    """Vertex of fsLR-32k that corresponds to each vertex of fsaverage5.

    Returns
    -------
    ndarray of int, shape (20484,)
        Into both hemispheres of fsLR-32k: ``on_fsaverage5 = on_fslr[fslr_to_fsaverage5()]``.
        Nothing is interpolated, so labels stay labels.
    """
    return np.asarray(_load("fsLR32k_to_fsaverage5", "indices"), dtype=np.int64)


def resource_hash(name: str) -> str:
    """SHA-256 of a resource file, to record with results.

    Parameters
    ----------
    name
        File name without folder, for instance ``fsaverage5.npz``.

    Returns
    -------
    str
        Hexadecimal digest.
    """
    return hashlib.sha256((files(__name__) / name).read_bytes()).hexdigest()


def _load(name: str, array: str) -> NDArray[Any]:
    with (files(__name__) / f"{name}.npz").open("rb") as file, np.load(file) as table:
        return np.asarray(table[array])
