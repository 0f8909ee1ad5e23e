"""Linear decoders and probes on the folds and volumes of the network, and their chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.linear_decoder import PreparedFold, decode
from bidsapp.progress import track
from bidsapp.stats.classification import balanced_accuracy
from bidsapp.stats.label_nulls import label_null
from bidsapp.stats.samples import Samples

_AT_ONCE = 10


@dataclass(frozen=True, eq=False)
class LinearTask:
    """A decoder whose features are projected already.

    Attributes
    ----------
    name
        Of the decoder in files.
    prepared
        Folds.
    kind
        ``logistic``, ``ridge`` or ``svm``.
    n_classes
        Number of classes.
    """

    name: str
    prepared: tuple[PreparedFold, ...]
    kind: str
    n_classes: int

    def predict(self, labels: NDArray[np.integer]) -> NDArray[np.floating]:
        """Log-probabilities (n_volumes, n_classes) of held-out volumes."""
        return decode(self.prepared, labels, self.kind, n_classes=self.n_classes).log_proba

    def score(self, labels: NDArray[np.integer]) -> float:
        """Return the balanced accuracy of the whole cross-validation."""
        return pooled_accuracy(labels, self.predict(labels))


def pooled_accuracy(labels: NDArray[np.integer], log_proba: NDArray[np.floating]) -> float:
    """Balanced accuracy of the volumes that have a label and a prediction."""
    used = (labels >= 0) & np.isfinite(log_proba).all(axis=1)
    if not used.any():
        return float("nan")
    predicted = log_proba[used].argmax(axis=1)
    return balanced_accuracy(labels[used], predicted, log_proba.shape[1])


@dataclass(frozen=True, eq=False)
class Shifts:
    """How chance is computed, and where finished refits are kept.

    Attributes
    ----------
    samples
        When each volume was measured.
    n_shifts
        Refits.
    min_shift
        In volumes.
    seed
        Of the analysis.
    folder
        For finished refits.
    label
        What the progress says.
    quiet
        Show no progress.
    """

    samples: Samples
    n_shifts: int
    min_shift: int
    seed: int
    folder: Path
    label: str
    quiet: bool

    def null(
        self, task: LinearTask, labels: NDArray[np.integer], name: str
    ) -> NDArray[np.float64]:
        """Score refits under shifted labels, going on where an earlier run has stopped.

        Parameters
        ----------
        task
            The decoder.
        labels : integer array of shape (n_volumes,)
        name
            Under which refits are kept.

        Returns
        -------
        array of shape (n_shifts,)
        """
        path = self.folder / f"null-{name}.npy"
        done = np.load(path)[: self.n_shifts] if path.is_file() else np.zeros(0)
        for first, size in self._parts(len(done), f"{self.label} {name}: chance"):
            more = label_null(
                task.score,
                labels,
                self.samples,
                size,
                min_shift=self.min_shift,
                seed=self.seed,
                first=first,
            )
            done = np.concatenate([done, more])
            save(path, done)
        return done

    def _parts(self, start: int, label: str) -> Iterator[tuple[int, int]]:
        firsts = range(start, self.n_shifts, _AT_ONCE)
        for first in track(firsts, total=len(firsts), label=label, quiet=self.quiet):
            yield first, min(_AT_ONCE, self.n_shifts - first)


def save(path: Path, values: NDArray[np.floating]) -> None:
    """Write an array so that it is there whole or not at all."""
    part = path.with_suffix(".part.npy")
    np.save(part, values)
    part.replace(path)
