"""False discovery rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control

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
    q[known] = false_discovery_control(p[known])
    return q
