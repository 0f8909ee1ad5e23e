"""False discovery rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]


def benjamini_hochberg(p: FloatArray) -> FloatArray:
    """Return adjusted p values (q) over all entries that are not NaN.

    Parameters
    ----------
    p : array of any shape

    Returns
    -------
    array of the shape of `p`
        Smallest false discovery rate at which each entry is rejected; NaN stays NaN and is
        not counted.

    Notes
    -----
    Source: Benjamini and Hochberg 1995, procedure (1), in its step-up adjusted form.
    """
    p = np.asarray(p, dtype=np.float64)
    q = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    values = p[known]
    order = np.argsort(values, kind="stable")[::-1]
    ranks = np.arange(values.size, 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(values[order] * values.size / ranks))
    q[known] = adjusted
    return q
