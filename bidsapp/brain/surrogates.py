"""Surrogates of a parcellated map by the spatial nulls of neuromaps: a second opinion.

``vasa``, ``hungarian``
    rotate the centres of the parcels and match them again, nearest first or with the least cost.
``burt2020``
    reproduces the map's variogram (needs the package brainsmash).
``moran``
    keeps the map's spatial autocorrelation by Moran spectral randomisation (needs brainspace).

Spheres and distances come from the app, so that neuromaps downloads nothing: distances between
parcels are great circles between their centres on the sphere.

Source: Markello and Misic (2021), NeuroImage 236, 118052; Váša et al. (2018), Cereb Cortex 28,
281-294; Burt et al. (2020), NeuroImage 220, 117038; Wagner and Dray (2015), Methods Ecol Evol 6,
1169-1178.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import nibabel as nib
import numpy as np

from bidsapp.errors import ResourceUnavailableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SecondNull = Literal["vasa", "hungarian", "burt2020", "moran"]
_NEEDS = {"burt2020": "brainsmash", "moran": "brainspace"}


def require(method: SecondNull) -> Any:
    """Import what a method needs.

    Parameters
    ----------
    method
        Of neuromaps.

    Returns
    -------
    module
        `neuromaps.nulls`.

    Raises
    ------
    ResourceUnavailableError
        neuromaps, or the package that the method needs, is not installed.
    """
    needed = _NEEDS.get(method, "")
    try:
        from neuromaps import nulls

        if needed:
            __import__(needed)
    except ImportError as error:
        extra = f" and {needed}" if needed else ""
        msg = (
            f"gradients_group.second_null = {method}: needs the package neuromaps{extra} "
            f"({error}); pip install musicotopy[neuromaps] {needed}".rstrip()
        )
        raise ResourceUnavailableError(msg) from error
    return nulls


def surrogates(
    maps: NDArray[np.floating[Any]],
    labels: Sequence[NDArray[np.integer[Any]]],
    spheres: Sequence[NDArray[np.floating[Any]]],
    method: SecondNull,
    *,
    n_draws: int,
    seed: int,
) -> NDArray[np.float64]:
    """Draw surrogates of parcellated maps.

    Parameters
    ----------
    maps
        (n_maps, n_parcels) finite; the parcels of the left hemisphere first.
    labels
        Left, right: (n_vertices,) parcel number from 1 over both sides, 0 for none.
    spheres
        Left, right: (n_vertices, 3) coordinates on the sphere.
    method
        One of neuromaps' nulls.
    n_draws
        How many.
    seed
        Names the rotations or random numbers, the same for all maps.

    Returns
    -------
    ndarray, shape (n_draws, n_maps, n_parcels)
        NaN nowhere.

    Raises
    ------
    ResourceUnavailableError
        As `require`.
    ValueError
        The method is none of them.
    """
    if method not in get_args(SecondNull):
        msg = f"second null {method!r}: choose one of {', '.join(get_args(SecondNull))}"
        raise ValueError(msg)
    draw = getattr(require(method), method)
    values: NDArray[np.float64] = np.asarray(maps, dtype=np.float64)
    images = tuple(_parcellation(side) for side in labels)
    common = {"parcellation": images, "n_perm": n_draws, "seed": seed}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        if method in ("vasa", "hungarian"):  # one resampling of parcels serves all maps
            surfaces = tuple(_sphere(points) for points in spheres)
            order = np.asarray(draw(None, surfaces=surfaces, **common), dtype=np.int64)
            return np.moveaxis(values[:, order], 2, 0)
        distances = tuple(_distances(*pair) for pair in zip(spheres, labels, strict=True))
        drawn = [draw(row, distmat=distances, **common) for row in values]
    return np.stack([np.asarray(surrogate, dtype=np.float64).T for surrogate in drawn], axis=1)


def _parcellation(labels: NDArray[np.integer[Any]]) -> Any:
    """Label image whose 0 neuromaps leaves out."""
    data = nib.gifti.GiftiDataArray(labels.astype(np.int32), "NIFTI_INTENT_LABEL")
    image = nib.gifti.GiftiImage(darrays=[data])
    for number in np.unique(labels):
        label = nib.gifti.GiftiLabel(int(number))
        label.label = f"parcel{number}" if number else "unknown"
        image.labeltable.labels.append(label)
    return image


def _sphere(points: NDArray[np.floating[Any]]) -> Any:
    """Surface of a sphere; triangles are not asked for by these nulls."""
    arrays = (
        nib.gifti.GiftiDataArray(points.astype(np.float32), "NIFTI_INTENT_POINTSET"),
        nib.gifti.GiftiDataArray(np.zeros((1, 3), np.int32), "NIFTI_INTENT_TRIANGLE"),
    )
    return nib.gifti.GiftiImage(darrays=list(arrays))


def _distances(
    points: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Great circles between the centres of the parcels of one side, in units of the radius."""
    numbers = np.unique(labels[labels > 0])
    centres = np.stack([points[labels == number].mean(axis=0) for number in numbers])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return np.asarray(np.arccos(np.clip(centres @ centres.T, -1.0, 1.0)))
