"""Responses of several participants to the same stimuli, brought into one space.

``shared response model``
    X_i ≈ S W_iᵀ with W_iᵀ W_i = I: one time course S for all, one orthonormal map per participant.
``generalised Procrustes``
    the same with as many features as units: rotations onto a common template.

Everything is fitted to the rows that are given; rows of held-out stimuli must not be among them,
and are transformed afterwards.

Source: Chen et al. 2015, A reduced-dimension fMRI shared response model, §3 (deterministic model);
Haxby et al. 2011, hyperalignment, for the rotations; Schönemann 1966 for their solution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg

from bidsapp.errors import InputInvalidError

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]

_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class SharedSpace:
    """One space and the way of each participant into it.

    Attributes
    ----------
    means
        Per participant: mean response of each unit over the fitted rows, (n_units,).
    maps
        Per participant: orthonormal map (n_units, n_features).
    shared
        (n_rows, n_features) mean of the participants' transformed responses.
    errors
        Sum of squared residuals after each iteration; never increases.
    """

    means: tuple[Doubles, ...]
    maps: tuple[Doubles, ...]
    shared: Doubles
    errors: tuple[float, ...]

    def transform(self, participant: int, responses: Floats) -> Doubles:
        """Bring responses of a participant into the space.

        Parameters
        ----------
        participant
            Position among those the space was fitted to.
        responses
            (n, n_units), any rows.

        Returns
        -------
        numpy.ndarray
            (n, n_features).
        """
        return to_space(responses, self.means[participant], self.maps[participant])

    def join(self, responses: Floats) -> tuple[Doubles, Doubles]:
        """Find the way into the space for a participant who had no part in it.

        Parameters
        ----------
        responses
            (n_rows, n_units) responses to the stimuli of `shared`, in its order.

        Returns
        -------
        mean
            (n_units,).
        map
            (n_units, n_features), for `to_space`.
        """
        _check([responses], len(self.shared), at_least=1)
        mean = _mean(responses)
        return mean, orthonormal_map(responses - mean, self.shared)


def to_space(responses: Floats, mean: Doubles, mapping: Doubles) -> Doubles:
    """Subtract a mean and apply a map: (n, n_units) → (n, n_features)."""
    transformed: Doubles = (responses - mean) @ mapping
    return transformed


def orthonormal_map(source: Floats, target: Floats) -> Doubles:
    """Find the map W with orthonormal columns (or rows) that minimises ‖source W − target‖.

    Parameters
    ----------
    source
        (n_rows, n_units), centred.
    target
        (n_rows, n_features), centred; the same rows.

    Returns
    -------
    numpy.ndarray
        (n_units, n_features). A rotation where both are equal; with fewer features than units the
        exact minimiser of ‖source − target Wᵀ‖.

    Source: Schönemann 1966, the orthogonal Procrustes problem: polar factor of sourceᵀ target.
    """
    product = np.asarray(source, np.float64).T @ np.asarray(target, np.float64)
    left, _, right = linalg.svd(product, full_matrices=False)
    rotation: Doubles = left @ right
    return rotation


def fit_shared_responses(
    responses: Sequence[Floats], n_features: int, n_iterations: int = 20
) -> SharedSpace:
    """Fit the deterministic shared response model.

    Maps and shared responses are updated in turn, each the exact minimiser given the other. The
    start is the leading eigenvectors of the sum of the participants' Gram matrices, so that no
    random number is needed; memory stays at one (n_rows, n_rows) matrix beyond the data.

    Parameters
    ----------
    responses
        Per participant (n_rows, n_units); rows are the same stimuli in the same order, units may
        differ.
    n_features
        Dimensions of the space: below the number of rows, and at most that of the units.
    n_iterations
        At most; the loop ends when the error decreases by less than a millionth.

    Raises
    ------
    InputInvalidError
        Fewer than two participants, other rows, values that are not finite, or too many features.

    Source: Chen et al. 2015, §3.1, equations 2 and 3.
    """
    _check(responses, len(responses[0]) if responses else 0, n_features)
    means = tuple(_mean(values) for values in responses)
    centred = [values - mean for values, mean in zip(responses, means, strict=True)]
    return _iterate(centred, means, _leading(centred, n_features), n_iterations)


def fit_rotations(responses: Sequence[Floats], n_iterations: int = 10) -> SharedSpace:
    """Rotate participants onto their common template (generalised Procrustes).

    Parameters
    ----------
    responses
        Per participant (n_rows, n_units), the same units in all (one parcel in a common space);
        the template starts as their mean.
    n_iterations
        At most, as for `fit_shared_responses`.

    Raises
    ------
    InputInvalidError
        As `fit_shared_responses`, or units differ in number.
    """
    _check(responses, len(responses[0]) if responses else 0)
    sizes = {values.shape[1] for values in responses}
    if len(sizes) > 1:
        msg = (
            f"participants have {min(sizes)} to {max(sizes)} units; rotations need the same units "
            f"in all, the shared response model does not"
        )
        raise InputInvalidError(msg)
    means = tuple(_mean(values) for values in responses)
    centred = [values - mean for values, mean in zip(responses, means, strict=True)]
    template: Doubles = np.mean(np.stack(centred), axis=0, dtype=np.float64)
    return _iterate(centred, means, template, n_iterations)


def fit_parcels(
    responses: Sequence[Floats],
    parcels: Sequence[npt.NDArray[np.integer]],
    fit: Callable[[Sequence[Floats]], SharedSpace],
) -> dict[int, SharedSpace]:
    """Fit one space for each parcel.

    Parameters
    ----------
    responses
        Per participant (n_rows, n_units).
    parcels
        Per participant (n_units,) number of each unit's parcel; 0 is left out, and so are parcels
        that some participant lacks.
    fit
        Takes the responses of one parcel: `fit_rotations`, or `fit_shared_responses` with its
        number of features.

    Returns
    -------
    dict
        Parcel → space, in order of the numbers.
    """
    common = set.intersection(*(set(np.unique(labels).tolist()) for labels in parcels)) - {0}
    return {
        parcel: fit(
            [
                values[:, labels == parcel]
                for values, labels in zip(responses, parcels, strict=True)
            ]
        )
        for parcel in sorted(common)
    }


def transform_parcels(
    spaces: dict[int, SharedSpace],
    participant: int,
    responses: Floats,
    parcels: npt.NDArray[np.integer],
) -> Doubles:
    """Bring responses into the spaces of all parcels, side by side.

    Parameters
    ----------
    spaces
        From `fit_parcels`.
    participant
        Position among those the spaces were fitted to.
    responses
        (n, n_units) of this participant, any rows.
    parcels
        (n_units,) parcel of each unit, as it was fitted.

    Returns
    -------
    numpy.ndarray
        (n, n_features of all parcels).
    """
    return np.hstack(
        [
            space.transform(participant, responses[:, parcels == parcel])
            for parcel, space in spaces.items()
        ]
    )


def _iterate(
    centred: Sequence[Floats], means: tuple[Doubles, ...], shared: Doubles, n_iterations: int
) -> SharedSpace:
    """Update maps and shared responses in turn, from a first guess of the shared responses."""
    total = sum(float(np.square(values, dtype=np.float64).sum()) for values in centred)
    errors: list[float] = []
    maps: list[Doubles] = []
    for _ in range(n_iterations):
        maps = [orthonormal_map(values, shared) for values in centred]
        transformed = (values @ mapping for values, mapping in zip(centred, maps, strict=True))
        shared = sum(transformed, np.zeros_like(shared)) / len(centred)
        errors.append(total - len(centred) * float(np.square(shared).sum()))
        if len(errors) > 1 and errors[-2] - errors[-1] <= _TOLERANCE * total:
            break
    return SharedSpace(means, tuple(maps), shared, tuple(errors))


def _mean(responses: Floats) -> Doubles:
    """Mean of each unit, (n_units,)."""
    mean: Doubles = np.mean(responses, axis=0, dtype=np.float64)
    return mean


def _leading(centred: Sequence[Floats], n_features: int) -> Doubles:
    """Leading eigenvectors of the sum of Gram matrices, (n_rows, n_features), signs fixed."""
    n_rows = len(centred[0])
    gram = np.zeros((n_rows, n_rows))
    for values in centred:
        gram += np.asarray(values @ values.T, np.float64)
    _, vectors = linalg.eigh(gram, subset_by_index=(n_rows - n_features, n_rows - 1))
    vectors = vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    signed: Doubles = vectors * np.sign(vectors[largest, np.arange(n_features)])
    return signed


def _check(
    responses: Sequence[Floats], n_rows: int, n_features: int = 0, at_least: int = 2
) -> None:
    """Refuse responses that cannot be aligned."""
    if len(responses) < at_least:
        msg = f"{len(responses)} participants; a shared space needs two at least"
        raise InputInvalidError(msg)
    for number, values in enumerate(responses, start=1):
        if values.ndim != 2 or len(values) != n_rows:
            msg = (
                f"participant {number} of {len(responses)} has responses of shape {values.shape}; "
                f"all need the same {n_rows} rows (the stimuli that everybody heard, in one order)"
            )
            raise InputInvalidError(msg)
        if not np.isfinite(values).all():
            msg = f"participant {number}: responses hold NaN or infinite values; leave units out"
            raise InputInvalidError(msg)
        if n_features and not 0 < n_features < n_rows:
            msg = f"{n_features} shared features from {n_rows} rows; choose 1 to {n_rows - 1}"
            raise InputInvalidError(msg)
        if n_features > values.shape[1]:
            msg = (
                f"participant {number} has {values.shape[1]} units, fewer than {n_features} "
                f"shared features; choose fewer features or larger parcels"
            )
            raise InputInvalidError(msg)
