"""What plain decoders that know the design get out of emotions and of clips.

They know how late the responses are, clean with the confounds that were mixed in, and learn
everything else from the training runs or clips. They share no code with the app.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsapp.results.read import read_stats
from bidsapp.simulate.oracle import clean_runs
from bidsapp.simulate.planted import Truth
from bidsapp.simulate.signals import response_matrix

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PENALTIES = np.logspace(-2, 4, 7)
_INVERSES = np.logspace(-4, 0, 5)
_N_FOLDS = 6


def decode_emotions(data_dir: Path, truth: Truth, subject: str, space: str, units: Ints) -> float:
    """Balanced accuracy of logistic regression on whole runs that were left out.

    Volumes are trained on and tested with the emotion that is planted in them; those whose
    moment of the film is in another run too are left out. The penalty is the best of five in
    leave-run-out within the training runs.

    Parameters
    ----------
    data_dir, truth
        Simulated dataset and its truth.
    subject, space
        Participant label and space.
    units
        Places in the flattened grid of the units to decode from.
    """
    runs = truth.runs(subject)
    bold = clean_runs(data_dir, runs, subject, space, units)
    labels, run_of, shared = [], [], []
    for number, run in enumerate(runs):
        name = f"task-{run.entities['task']}_run-{run.entities['run']}_truth.tsv"
        table = read_stats(truth.folder / name)
        labels += [value if isinstance(value, str) else "" for value in table["emotion"]]
        shared += list(table["in_other_run"].astype(bool))
        run_of += [number] * run.n_trs
    label = np.array(labels)
    used = (label != "") & ~np.array(shared)
    return _leave_run_out(bold[used], label[used], np.array(run_of)[used])


def _leave_run_out(x: Floats, y: npt.NDArray[np.str_], run: Ints) -> float:
    from sklearn.metrics import balanced_accuracy_score

    predicted = np.empty_like(y)
    for held_out in np.unique(run):
        train = run != held_out
        inner = [
            np.mean([_hits(x, y, train & (run != k), run == k, c) for k in np.unique(run[train])])
            for c in _INVERSES
        ]
        best = _INVERSES[int(np.argmax(inner))]
        predicted[~train] = _classifier(best).fit(x[train], y[train]).predict(x[~train])
    return float(balanced_accuracy_score(y, predicted))


def _hits(
    x: Floats,
    y: npt.NDArray[np.str_],
    train: npt.NDArray[np.bool_],
    test: npt.NDArray[np.bool_],
    inverse: float,
) -> float:
    return float(_classifier(inverse).fit(x[train], y[train]).score(x[test], y[test]))


def _classifier(inverse: float):  # type: ignore[no-untyped-def]
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=inverse, class_weight="balanced", max_iter=200)


def identify_clips(
    data_dir: Path, truth: Truth, subject: str, space: str, units: Ints, layer: int
) -> float:
    """Share of pairs of held-out clips that decoded embeddings tell apart.

    The response to a clip is the mean of the volumes weighted by the response to a constant sound
    of its length. Ridge regression predicts the standardised mean embedding of clips in six folds
    of neighbours; clips that overlap with held-out ones are not learnt from.

    Parameters
    ----------
    data_dir, truth
        Simulated dataset and its truth.
    subject, space
        Participant label and space.
    units
        Places in the flattened grid of the units that carry signal.
    layer
        Position of the planted layer.

    Returns
    -------
    float
        Mean over held-out clips of the share of other held-out clips of their fold whose embedding
        correlates less with the prediction than their own.
    """
    runs, features = truth.runs(subject), truth.features
    bold = clean_runs(data_dir, runs, subject, space, units)
    responses = [response_matrix(run.times_s, run.playing, features) for run in runs]
    n_clips = len(features.pieces)
    of_clip = (features.frame_piece[:, None] == np.arange(n_clips)).astype(np.float64)
    weights = np.clip(np.concatenate(responses) @ of_clip, 0, None)
    x = (weights / weights.sum(axis=0)).T @ bold
    channels = features.scores[layer]
    target = of_clip.T @ channels / of_clip.sum(axis=0)[:, None]
    order: list[int] = []
    for run in runs:
        order += [item.piece for item in run.playing if item.piece not in order]
    rank = np.argsort(order)
    fold = rank * _N_FOLDS // n_clips
    overlap = (weights.T @ weights) > 1e-6 * np.diag(weights.T @ weights)[:, None]
    shares = []
    for number in range(_N_FOLDS):
        test = np.flatnonzero(fold == number)
        train = np.flatnonzero((fold != number) & ~overlap[:, test].any(axis=1))
        mean, spread = target[train].mean(axis=0), target[train].std(axis=0)
        z = (target - mean) / np.where(spread > 0, spread, np.inf)
        inner = fold[train]
        errors = [
            sum(
                np.square(
                    z[train[inner == k]]
                    - _ridge(x, z, train[inner != k], train[inner == k], penalty)
                ).sum()
                for k in np.unique(inner)
            )
            for penalty in _PENALTIES
        ]
        predicted = _ridge(x, z, train, test, float(_PENALTIES[int(np.argmin(errors))]))
        r = _rows(predicted) @ _rows(z[test]).T
        own = np.diag(r)[:, None]
        others = ~np.eye(len(test), dtype=bool)
        shares += [float((r < own)[row][others[row]].mean()) for row in range(len(test))]
    return float(np.mean(shares))


def _ridge(x: Floats, y: Floats, train: Ints, test: Ints, penalty: float) -> Floats:
    """Predict rows of `y` from rows of `x` by their products."""
    centre, mean = x[train].mean(axis=0), y[train].mean(axis=0)
    a, b = x[train] - centre, x[test] - centre
    kernel = a @ a.T
    scale = penalty * np.trace(kernel) / len(train)
    weights = np.linalg.solve(kernel + scale * np.eye(len(train)), y[train] - mean)
    return np.asarray(b @ a.T @ weights + mean)


def _rows(values: Floats) -> Floats:
    centred = values - values.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))
