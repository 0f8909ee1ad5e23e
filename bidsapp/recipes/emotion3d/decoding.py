"""One decoder under one split: its predictions, scores and chance, and their table rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.recipes.emotion3d.labels import LabelledVolumes
from bidsapp.recipes.emotion3d.names import LEAKY
from bidsapp.results.write import tidy
from bidsapp.stats.classification import ClassificationScores, PriorLine, score_predictions
from bidsapp.stats.label_nulls import Chance, chance
from bidsapp.stats.splits import Split

_MEASURES = ("accuracy", "macro_f1", "log_loss", "calibration_error")
NAN = float("nan")
Row = dict[str, Any]
Rows = Iterator[Row]


@dataclass(frozen=True, eq=False)
class Decoding:
    """One decoder under one split.

    Attributes
    ----------
    split
        Folds and what a score under them means.
    decoder
        Of `bidsapp.recipes.emotion3d.names.DECODERS`.
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
        """Balanced accuracy among those of shifted labels; None without a test."""
        if not len(self.null):
            return None
        return chance(self.scores.balanced_accuracy, self.null)

    def rows(self, values: dict[str, Any], **axes: Sequence[Any]) -> Rows:
        """Yield one row per cell of arrays, between the split and whether it leaks."""
        for row in tidy(values, **axes):
            yield stamped(self.split, self.decoder, row)


def make_decoding(
    split: Split,
    decoder: str,
    labels: NDArray[np.integer],
    log_proba: NDArray[np.floating],
    null: NDArray[np.floating] | None = None,
    *,
    stretch: NDArray[np.integer],
) -> Decoding:
    """Score predictions.

    Parameters
    ----------
    split, decoder, null
        As in `Decoding`; no null without a test.
    labels : integer array of shape (n_volumes,)
        -1 where there is none.
    log_proba : array of shape (n_volumes, n_classes)
        NaN where never tested.
    stretch : integer array of shape (n_volumes,)
        What is independent; see `bidsapp.stats.classification.score_predictions`.
    """
    empty: NDArray[np.float64] = np.zeros(0)
    scores = score_predictions(labels, log_proba, stretch)
    return Decoding(split, decoder, log_proba, empty if null is None else null, scores)


def split_name(split: Split) -> str:
    """Name a split in files; a leaky one is stamped."""
    return f"{split.name}-{LEAKY}" if split.leaky else split.name


def leaky(split: Split) -> str:
    """Return what stands in the column ``leaky``."""
    return LEAKY if split.leaky else "no"


def stamped(split: Split, decoder: str, row: Row) -> Row:
    """Put a row between the names of its split and decoder, and whether the split leaks."""
    return {"split": split_name(split), "decoder": decoder, **row, "leaky": leaky(split)}


def splits_of(decodings: Sequence[Decoding]) -> list[Row]:
    """Return each split's name, note and folds, for the summary."""
    return [
        {
            "name": split_name(split),
            "note": split.note,
            "folds": [fold.name for fold in split.folds],
        }
        for split in dict.fromkeys(item.split for item in decodings)
    ]


# ------------------------------------------------------------------ rows of tables


def score_rows(item: Decoding) -> Rows:
    """Yield one row per measure of a decoder under a split."""
    n = item.scores.n
    yield score_row(item, "balanced_accuracy", item.scores.balanced_accuracy, n, item.chance)
    for measure in _MEASURES:
        yield score_row(item, measure, getattr(item.scores, measure), n)


def score_row(
    item: Decoding,
    measure: str,
    value: float,
    n_volumes: int,
    test: Chance | None = None,
    decoder: str = "",
) -> Row:
    """Return the row of one score.

    Parameters
    ----------
    item
        Whose score it is.
    measure, value
        Which score.
    n_volumes
        How many volumes it is of.
    test
        The score among those of shifted labels.
    decoder
        Instead of that of `item`.
    """
    row = {
        "measure": measure,
        "value": value,
        "low": test.low if test else NAN,
        "high": test.high if test else NAN,
        "chance": test.mean if test else NAN,
        "p": test.p if test else NAN,
        "n_shifts": test.n_shifts if test else 0,
        "n_volumes": n_volumes,
    }
    return stamped(item.split, decoder or item.decoder, row)


def prior_rows(item: Decoding, line: PriorLine) -> Rows:
    """Yield the expected scores of predictions drawn from the training shares of classes."""
    for measure in ("balanced_accuracy", "accuracy"):
        yield score_row(item, measure, getattr(line, measure), item.scores.n, decoder="prior")


def recall_rows(item: Decoding, classes: Sequence[str]) -> Rows:
    """Yield the recall of each class."""
    scores = item.scores
    values = {
        "n": scores.confusion.sum(axis=1),
        "recall": scores.recall,
        "low": scores.recall_low,
        "high": scores.recall_high,
    }
    return item.rows(values, **{"class": classes})


def confusion_rows(item: Decoding, classes: Sequence[str], **more: Any) -> Rows:
    """Yield one row per true and predicted class; `more` are further columns of that shape."""
    return item.rows({"n": item.scores.confusion, **more}, true=classes, predicted=classes)


def null_rows(item: Decoding) -> Rows:
    """Yield the balanced accuracy of each shift."""
    return item.rows({"balanced_accuracy": item.null}, shift=range(1, len(item.null) + 1))


def prediction_rows(item: Decoding, labelled: LabelledVolumes, runs: Sequence[str]) -> Rows:
    """Yield the label, the predicted class and the probabilities of each held-out volume."""
    for volume in np.flatnonzero(np.isfinite(item.log_proba).all(axis=1)):
        proba = np.exp(item.log_proba[volume])
        label = int(labelled.labels[volume])
        yield {
            "run": runs[int(labelled.samples.run[volume])],
            "volume": int(labelled.volume[volume]),
            "time_s": float(labelled.samples.time_s[volume]),
            "label": labelled.classes[label] if label >= 0 else None,
            **stamped(
                item.split,
                item.decoder,
                {
                    "predicted": labelled.classes[int(proba.argmax())],
                    **{
                        f"p_{name}": round(float(value), 5)
                        for name, value in zip(labelled.classes, proba, strict=True)
                    },
                },
            ),
        }
