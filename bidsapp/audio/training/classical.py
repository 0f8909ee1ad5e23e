"""Classical models of music emotion: logistic regression over hand-crafted descriptors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from bidsapp.audio.training.descriptors import GROUPS, NAMES
from bidsapp.models.harmonic.names import QUADRANTS
from bidsapp.stats.by_song import measures
from bidsapp.stats.song_folds import SongFold

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


def fit_classical(
    model: str, classes: Ints, descriptors: Floats, fold: SongFold
) -> Callable[[Floats], Floats]:
    """Fit a multinomial logistic regression to descriptors.

    Parameters
    ----------
    model
        Of `GROUPS`.
    classes
        (n,) quadrants.
    descriptors
        (n, n_descriptors).
    fold
        Its training rows are learned from, its validation rows choose the penalty.

    Returns
    -------
    callable
        From descriptors (m, n_descriptors) to log-probabilities (m, 4).
    """
    columns = [NAMES.index(name) for name in GROUPS[model]]
    both = np.concatenate([fold.train, fold.validation])
    scores = []
    for penalty in _PENALTIES:
        predict = _logistic(classes[fold.train], descriptors[fold.train][:, columns], penalty)
        guess = predict(descriptors[fold.validation][:, columns]).argmax(axis=1)
        scores.append(macro_f1(classes[fold.validation], guess))
    final = _logistic(
        classes[both], descriptors[both][:, columns], _PENALTIES[int(np.argmax(scores))]
    )
    return lambda values: final(values[:, columns])


def _logistic(classes: Ints, x: Floats, penalty: float) -> Callable[[Floats], Floats]:
    scaler = StandardScaler().fit(x)
    classifier = LogisticRegression(C=penalty, class_weight="balanced", max_iter=2000)
    classifier.fit(scaler.transform(x), classes)

    def predict(values: Floats) -> Floats:
        out = np.full((len(values), len(QUADRANTS)), -30.0)
        out[:, classifier.classes_] = classifier.predict_log_proba(scaler.transform(values))
        return out

    return predict


def macro_f1(true: Ints, predicted: Ints) -> float:
    """Mean F1 over the quadrants that occur, of classes (n,)."""
    n = len(QUADRANTS)
    table = np.bincount(true * n + predicted, minlength=n * n).reshape(n, n)
    return float(measures(table.astype(np.float64))[0])
