"""What a decoder could know without the brain: motion and the global signal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.records import Run
from bidsapp.bids.tables import Table, number, read_table
from bidsapp.brain.stored_volumes import StoredVolumes

MOTION = tuple(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz")


def confound_features(
    runs: tuple[Run, ...], stored: StoredVolumes, drop: int
) -> tuple[NDArray[np.float64], bool]:
    """Return motion, its differences and the global signal, z-scored by run.

    Parameters
    ----------
    runs
        In the order of `stored`.
    stored
        For the global signal.
    drop
        First volumes that are left out.

    Returns
    -------
    features : array of shape (n_volumes, 13), or (n_volumes, 1) without motion
    has_motion
        Whether all runs have the six parameters.
    """
    motion = [_motion(run) for run in runs]
    has_motion = all(found is not None for found in motion)
    parts = []
    for found, whole in zip(motion, stored.global_signal, strict=True):
        columns = [np.asarray(whole, np.float64)[:, None]]
        if has_motion and found is not None:
            changes = np.diff(found, axis=0, prepend=found[:1])
            columns += [found[drop:], changes[drop:]]
        parts.append(_standard(np.hstack(columns)))
    return np.concatenate(parts), has_motion


def _motion(run: Run) -> NDArray[np.float64] | None:
    table = read_table(run.confounds) if run.confounds is not None else None
    if not isinstance(table, Table) or not set(MOTION) <= set(table.columns):
        return None
    values = np.array([[number(row[name]) for name in MOTION] for row in table.rows])
    return values if values.shape == (run.n_trs, len(MOTION)) else None


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.nan_to_num(values - np.nanmean(values, axis=0))
    spread = values.std(axis=0)
    standard: NDArray[np.float64] = values / np.where(spread > 0, spread, 1.0)
    return standard
