"""Responses of several participants to the same stimuli, rotated onto a common template.

Everything is fitted to the rows that are given; rows of held-out stimuli must not be among them,
and are transformed afterwards.

Source: Haxby et al. 2011, hyperalignment; Schönemann 1966 for the solution.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        Per participant: rotation (n_units, n_units).
    shared
        (n_rows, n_units) mean of the participants' transformed responses.
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
            (n, n_units).
        """
        transformed: Doubles = (responses - self.means[participant]) @ self.maps[participant]
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


def fit_rotations(responses: Sequence[Floats], n_iterations: int = 10) -> SharedSpace:
    """Rotate participants onto their common template (generalised Procrustes).

    Parameters
    ----------
    responses
        Per participant (n_rows, n_units), the same units in all (one parcel in a common space);
        the template starts as their mean.
    n_iterations
        At most; the loop ends when the error decreases by less than a millionth.

    Raises
    ------
    InputInvalidError
        Fewer than two participants, other rows or units, or values that are not finite.
    """
    _check(responses)
    sizes = {values.shape[1] for values in responses}
    if len(sizes) > 1:
        msg = (
            f"participants have {min(sizes)} to {max(sizes)} units; rotations need the same units "
            "in all"
        )
        raise InputInvalidError(msg)
    means = tuple(_mean(values) for values in responses)
    centred = [values - mean for values, mean in zip(responses, means, strict=True)]
    template: Doubles = np.mean(np.stack(centred), axis=0, dtype=np.float64)
    return _iterate(centred, means, template, n_iterations)


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


def _check(responses: Sequence[Floats]) -> None:
    """Refuse responses that cannot be aligned."""
    if len(responses) < 2:
        msg = f"{len(responses)} participants; a shared space needs two at least"
        raise InputInvalidError(msg)
    n_rows = len(responses[0])
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
