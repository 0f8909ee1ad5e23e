"""What the recipe finds: predictions, scores and chance of each split and decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.cnn3d.explain import ClassMaps, Randomised
from bidsapp.models.cnn3d.training import EpochRecord
from bidsapp.recipes.emotion3d.labels import LabelledVolumes
from bidsapp.recipes.emotion3d.volumes import StoredVolumes
from bidsapp.stats.classification import ClassificationScores, PriorLine, score_predictions
from bidsapp.stats.label_nulls import Chance, chance
from bidsapp.stats.splits import Split

LEAKY = "LEAKY"
DECODERS = {
    "cnn": "network on volumes",
    "linear": "linear decoder on principal components of the voxels",
    "parcels": "linear support vector machine on parcels",
    "confounds": "logistic regression on motion and the global signal: no brain pattern",
    "time": "logistic regression on the time in the run: no brain",
    "run": "logistic regression on which run it is: no brain",
    "majority": "the most frequent class of the training volumes",
}
"""Names of decoders, and what they see."""


@dataclass(frozen=True, eq=False)
class Decoding:
    """One decoder under one split.

    Attributes
    ----------
    split
        Folds and what a score under them means.
    decoder
        Of `DECODERS`.
    log_proba : array of shape (n_volumes, n_classes)
        Of held-out volumes; NaN where never tested.
    null : array of shape (n_shifts,)
        Balanced accuracy under shifted labels; empty without a test.
    scores
        Of the labelled volumes.
    """

    split: Split
    decoder: str
    log_proba: NDArray[np.floating]
    null: NDArray[np.floating]
    scores: ClassificationScores

    @property
    def chance(self) -> Chance | None:
        """Balanced accuracy among those of shifted labels."""
        if not len(self.null):
            return None
        return chance(self.scores.balanced_accuracy, self.null)


def make_decoding(
    split: Split,
    decoder: str,
    labels: NDArray[np.integer],
    log_proba: NDArray[np.floating],
    null: NDArray[np.floating] | None = None,
) -> Decoding:
    """Score predictions."""
    empty: NDArray[np.float64] = np.zeros(0)
    scores = score_predictions(labels, log_proba)
    return Decoding(split, decoder, log_proba, empty if null is None else null, scores)


def split_name(split: Split) -> str:
    """Name a split in files; a leaky one is stamped."""
    return f"{split.name}-{LEAKY}" if split.leaky else split.name


@dataclass(frozen=True)
class Curve:
    """Learning curve of one network: split, fold, seed, epochs, the epoch that was kept."""

    split: Split
    fold: str
    seed: int
    history: tuple[EpochRecord, ...]
    best_epoch: int


@dataclass(frozen=True, eq=False)
class Embedded:
    """Held-out volumes in the two main directions of the hidden layer of their fold's network.

    Attributes
    ----------
    fold : array of shape (n,)
        Number of the fold.
    rows : integer array of shape (n,)
        Volumes.
    points : array of shape (n, 2)
    explained : array of shape (n_folds, 2)
        Shares of variance.
    separability
        Mean silhouette over folds among those of shifted labels; None without classes to compare.
    """

    fold: NDArray[np.integer]
    rows: NDArray[np.integer]
    points: NDArray[np.floating]
    explained: NDArray[np.floating]
    separability: Chance | None


@dataclass(frozen=True)
class LagScore:
    """Linear decoding with another hemodynamic shift."""

    lag_s: float
    n_volumes: int
    balanced_accuracy: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where the decoders look.

    Attributes
    ----------
    maps
        ``ig``, ``gradcam`` → mean attribution of each class.
    haufe : array of shape (n_classes, n_units)
        Activation patterns of the linear decoder.
    randomised
        Method → likeness of maps when layers of the network are made random.
    label_similarity
        Method → likeness of class maps of networks trained on true and on shifted labels; NaN if
        there are none.
    """

    maps: Mapping[str, ClassMaps]
    haufe: NDArray[np.floating]
    randomised: Mapping[str, tuple[Randomised, ...]] = field(default_factory=dict)
    label_similarity: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Results:
    """Everything one analysis has found.

    Attributes
    ----------
    labelled, stored
        Labels and volumes.
    decodings
        Every split and decoder; those of the first split come first.
    priors
        Split → drawing predictions from the training shares.
    curves, lags, explanation, embedding
        See their classes; None where not asked for.
    has_motion
        Whether the confound decoder knew motion.
    device
        That networks were trained on.
    """

    labelled: LabelledVolumes
    stored: StoredVolumes
    decodings: tuple[Decoding, ...]
    priors: Mapping[str, PriorLine]
    curves: tuple[Curve, ...]
    lags: tuple[LagScore, ...]
    explanation: Explanation | None
    embedding: Embedded | None
    has_motion: bool
    device: str

    def find(self, decoder: str, *, leaky: bool = False) -> Decoding | None:
        """Return a decoder under the split that counts, or under the leaky one."""
        found = [d for d in self.decodings if d.decoder == decoder and d.split.leaky == leaky]
        return found[0] if found else None
