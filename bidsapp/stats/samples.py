"""Volumes as a decoder meets them: of which run and participant, and when they were measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Samples:
    """When each volume was measured; arrays of shape (n_volumes,).

    Attributes
    ----------
    run
        Number of the run; the same number in two participants is the same stimulus.
    time_s
        Seconds since the run's first volume.
    participant
        Number of the participant; zeros by default.
    stimulus_s
        Position in the stimulus in s, where known (else NaN); with it, overlaps between runs
        are purged.
    stimulus
        Which stimulus `stimulus_s` counts in; zeros by default: one long piece.
    """

    run: IntArray
    time_s: FloatArray
    participant: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    stimulus_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    stimulus: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        """Fill what was left out.

        Raises
        ------
        InputInvalidError
            If lengths differ.
        """
        n = len(self.run)
        fill: dict[str, npt.NDArray[np.generic]] = {
            "participant": np.zeros(n, np.int64),
            "stimulus_s": np.full(n, np.nan),
            "stimulus": np.zeros(n, np.int64),
        }
        for name in ("run", "time_s", "participant", "stimulus_s", "stimulus"):
            values = np.asarray(getattr(self, name))
            values = fill[name] if name in fill and values.size == 0 else values
            if len(values) != n:
                msg = f"{name} has {len(values)} values for {n} volumes; give one per volume"
                raise InputInvalidError(msg)
            object.__setattr__(self, name, values)

    @property
    def n(self) -> int:
        """Number of volumes."""
        return len(self.run)

    @property
    def series(self) -> IntArray:
        """Number, from 0, of the run of a participant that each volume belongs to."""
        pairs = np.stack([self.participant, self.run], axis=1)
        number: IntArray = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
        return number

    def take(self, rows: IntArray) -> Samples:
        """Return the samples of some rows."""
        return Samples(
            self.run[rows],
            self.time_s[rows],
            self.participant[rows],
            self.stimulus_s[rows],
            self.stimulus[rows],
        )
