"""What is taken at the door: lists, data frames, one-dimensional targets, labels of groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError

Array = npt.NDArray[np.float64]
ALPHAS = tuple(float(alpha) for alpha in 10.0 ** np.arange(0, 6.5, 0.5))
"""Default penalties: no to complete shrinkage when features have variance 1."""


def matrix(values: Any, name: str) -> Array:
    """Return values as rows x columns; a single column may come as a vector.

    Raises
    ------
    InputInvalidError
        If they are neither, or empty.
    """
    array = np.asarray(values, dtype=np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or not array.size:
        msg = f"{name} has the shape {np.shape(values)}; give rows x columns"
        raise InputInvalidError(msg)
    return array


def blocks(groups: Any, n_rows: int) -> tuple[npt.NDArray[np.int64], tuple[Any, ...]]:
    """Return the number of each row's group, in order of appearance, and the groups' names.

    Raises
    ------
    InputInvalidError
        If there is not one label for each row.
    """
    names = np.asarray(groups)
    if names.shape != (n_rows,):
        msg = f"groups has the shape {names.shape}; give one label for each of {n_rows} rows"
        raise InputInvalidError(msg)
    kinds, first, number = np.unique(names, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return rank[number].astype(np.int64), tuple(kinds[order].tolist())
