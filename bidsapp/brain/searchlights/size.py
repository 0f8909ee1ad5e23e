"""How large a searchlight is, and searchlights of several structures as one set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bidsapp.errors import InputInvalidError
from bidsapp.models.neighbourhoods import Neighbourhoods


@dataclass(frozen=True)
class Size:
    """Members of a searchlight, or its radius.

    Attributes
    ----------
    count
        Members, the centre among them; None with a radius.
    radius_mm
        Largest distance from the centre (mm, inclusive); None with a count.
    """

    count: int | None
    radius_mm: float | None

    @classmethod
    def of(cls, count: int | None, radius_mm: float | None) -> Size:
        """Check what was asked for; a radius takes the place of a count.

        Raises
        ------
        InputInvalidError
            Neither is given, or one is not positive.
        """
        if radius_mm is not None:
            if not 0 < radius_mm < np.inf:
                msg = f"a searchlight radius of {radius_mm} mm; give a positive number"
                raise InputInvalidError(msg)
            return cls(None, float(radius_mm))
        if count is None or count < 1:
            msg = f"searchlights of {count} units; give a count of 1 or more, or a radius in mm"
            raise InputInvalidError(msg)
        return cls(int(count), None)


def join(parts: Sequence[Neighbourhoods]) -> Neighbourhoods:
    """Put searchlights together, in the order of their centres.

    Parameters
    ----------
    parts
        Searchlights over the same units; no centre occurs twice.

    Returns
    -------
    Neighbourhoods
    """
    if len(parts) == 1 and (np.diff(parts[0].centres) > 0).all():
        return parts[0]
    empty = np.empty(0, dtype=np.int32)
    centres = np.concatenate([empty, *(part.centres for part in parts)])
    members = np.concatenate([empty, *(part.members for part in parts)])
    radius = np.concatenate([np.empty(0, np.float32), *(part.radius_mm for part in parts)])
    sizes = np.concatenate([np.empty(0, np.int64), *(part.sizes for part in parts)])
    order = np.argsort(centres, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes[order])]).astype(np.int64)
    old_starts = (np.cumsum(sizes) - sizes)[order]
    source = np.arange(members.size) + np.repeat(old_starts - starts[:-1], sizes[order])
    return Neighbourhoods(members[source], starts, centres[order], radius[order])
