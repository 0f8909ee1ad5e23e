"""Random rotations of the sphere, each a pure function of (seed, number).

Rotation ``k`` of seed ``s`` is the same matrix whoever draws it, in whatever chunk, on whatever
thread. It comes from the raw output of the Philox counter generator keyed by ``(s, k)``, so it
does not depend on how a numpy version turns random bits into normal deviates either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MIRROR = np.diag([-1.0, 1.0, 1.0])


def haar_rotations(seed: int, start: int, stop: int) -> NDArray[np.float64]:
    """Rotations number `start` to `stop` - 1 of the sequence named by `seed`.

    Each is uniform on SO(3) (Haar measure): three uniform deviates give a unit quaternion that is
    uniform on the 3-sphere.

    Parameters
    ----------
    seed
        Non-negative integer below 2**64.
    start, stop
        Range of rotation numbers, non-negative.

    Returns
    -------
    ndarray, shape (stop - start, 3, 3)
        Orthogonal matrices of determinant +1.

    Raises
    ------
    ValueError
        If the seed or the range is negative.

    Notes
    -----
    Source: Shoemake (1992), Uniform random rotations, Graphics Gems III; for the nulls that need
    uniform rotations, Alexander-Bloch et al. (2018), NeuroImage 178, 540-551.
    """
    if seed < 0 or start < 0 or stop < start:
        msg = f"seed {seed} and rotation range {start}..{stop} must be non-negative and ordered"
        raise ValueError(msg)
    bits = np.array([_raw_bits(seed, index) for index in range(start, stop)], dtype=np.uint64)
    uniform = (bits.reshape(-1, 3) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return _quaternion_to_matrix(_uniform_quaternions(uniform))


def mirrored(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """``M R M`` with ``M = diag(-1, 1, 1)``: what `rotations` are for the other hemisphere.

    The left and the right sphere are mirror images across the plane x = 0, so a rotation that
    moves both hemispheres in an anatomically equal way is mirrored for the right one.

    Parameters
    ----------
    rotations : ndarray, shape (n_rotations, 3, 3)

    Returns
    -------
    ndarray, shape (n_rotations, 3, 3)
    """
    return _MIRROR @ rotations @ _MIRROR


def _raw_bits(seed: int, index: int) -> NDArray[np.uint64]:
    bits = np.random.Philox(key=np.array([seed, index], dtype=np.uint64)).random_raw(3)
    return np.asarray(bits, dtype=np.uint64)


def _uniform_quaternions(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    radius, first, second = uniform.T
    first, second = 2 * np.pi * first, 2 * np.pi * second
    near, far = np.sqrt(1 - radius), np.sqrt(radius)
    return np.stack(
        [far * np.cos(second), near * np.sin(first), near * np.cos(first), far * np.sin(second)],
        axis=1,
    )


def _quaternion_to_matrix(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    w, x, y, z = quaternions.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)
