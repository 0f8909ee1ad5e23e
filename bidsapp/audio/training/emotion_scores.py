"""Tables of a cross-validation: scores with intervals and chance, comparisons, brightness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.audio.emotion_corpora import RatedCorpus
from bidsapp.audio.training.emotion import EmotionSettings, Predictions
from bidsapp.audio.training.windows import RatedWindows
from bidsapp.models.harmonic.names import QUADRANTS
from bidsapp.stats.bootstrap import resample_counts
from bidsapp.stats.by_song import (
    MEASURES,
    chance_scores,
    compare,
    measures,
    permuted_labels,
    song_confusions,
    song_intervals,
)
from bidsapp.stats.classification import calibration_error
from bidsapp.stats.nulls import permutation_p
from bidsapp.stats.quadrants import concordance, panel_agreement, r_squared

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Row = dict[str, object]

N_CLASSES = len(QUADRANTS)
COLUMNS = (*MEASURES, *(f"recall_{name}" for name in QUADRANTS))
N_BINS = 10


def confusions(windows: RatedWindows, predictions: Predictions) -> Floats:
    """Confusion matrix of each song, (n_songs, 4, 4)."""
    return song_confusions(windows.quadrant, predictions.quadrant, windows.song, N_CLASSES)


def score_row(windows: RatedWindows, predictions: Predictions, settings: EmotionSettings) -> Row:
    """Score one model.

    Parameters
    ----------
    windows
        Rated windows.
    predictions
        Held-out predictions of all of them.
    settings
        Numbers of resamples and permutations.

    Returns
    -------
    dict
        Each of `COLUMNS` with its 95 % interval over songs; R² and concordance of valence and
        arousal; calibration; macro F1 with labels of other songs, and p.
    """
    tables = confusions(windows, predictions)
    values = measures(tables.sum(axis=0))
    low, high = song_intervals(tables, settings.n_resamples, settings.seed)
    null = chance_scores(
        windows.quadrant,
        predictions.quadrant,
        windows.song,
        predictions.fold if settings.by_song else np.zeros_like(predictions.fold),
        N_CLASSES,
        settings.n_permutations,
        settings.seed,
    )[:, 0]
    row: Row = {
        "model": predictions.model,
        "n_parameters": predictions.n_parameters,
        "n_windows": len(windows.quadrant),
        "n_songs": windows.n_songs,
    }
    for position, name in enumerate(COLUMNS):
        row |= {
            name: float(values[position]),
            f"{name}_low": float(low[position]),
            f"{name}_high": float(high[position]),
        }
    for position, name in enumerate(("valence", "arousal")):
        pair = windows.ratings[:, position], predictions.ratings[:, position]
        row |= {f"r2_{name}": r_squared(*pair), f"ccc_{name}": concordance(*pair)}
    true = predictions.log_proba[np.arange(len(windows.quadrant)), windows.quadrant]
    proba = np.exp(predictions.log_proba)
    return row | {
        "log_loss": float(-true.mean()),
        "calibration_error": calibration_error(windows.quadrant, proba),
        "chance_macro_f1": float(null.mean()),
        "p_macro_f1": float(permutation_p(np.asarray(values[0]), null)),
    }


def comparison_rows(
    windows: RatedWindows, models: Sequence[Predictions], settings: EmotionSettings
) -> list[Row]:
    """Compare the first model with each other one, on the same windows and folds.

    Returns
    -------
    list of dict
        Difference of macro F1 and of balanced accuracy with its interval and p.
    """
    first, rows = models[0], []
    for other in models[1:]:
        for position in (0, 1):
            result = compare(
                confusions(windows, first),
                confusions(windows, other),
                settings.n_resamples,
                settings.seed,
                measure=position,
            )
            rows.append(
                {
                    "first": first.model,
                    "second": other.model,
                    "measure": MEASURES[position],
                    "difference": result.difference,
                    "difference_low": result.low,
                    "difference_high": result.high,
                    "p": result.p,
                }
            )
    return rows


def confusion_rows(windows: RatedWindows, models: Sequence[Predictions]) -> list[Row]:
    """Count true by predicted quadrant for each model."""
    rows: list[Row] = []
    for predictions in models:
        table = confusions(windows, predictions).sum(axis=0)
        for true, counts in zip(QUADRANTS, table, strict=True):
            row: Row = {"model": predictions.model, "quadrant": true}
            rows.append(row | {name: int(n) for name, n in zip(QUADRANTS, counts, strict=True)})
    return rows


def calibration_rows(windows: RatedWindows, models: Sequence[Predictions]) -> list[Row]:
    """Share of right predictions in equal bins of the winning probability."""
    rows: list[Row] = []
    for predictions in models:
        confidence = np.exp(predictions.log_proba).max(axis=1)
        right = predictions.quadrant == windows.quadrant
        bins = np.minimum((confidence * N_BINS).astype(np.int64), N_BINS - 1)
        rows += [
            {
                "model": predictions.model,
                "n_windows": int((bins == k).sum()),
                "confidence": float(confidence[bins == k].mean()),
                "accuracy": float(right[bins == k].mean()),
            }
            for k in np.unique(bins)
        ]
    return rows


def prediction_rows(
    corpus: RatedCorpus, windows: RatedWindows, models: Sequence[Predictions]
) -> list[Row]:
    """List every window with its rating and the probabilities of each model."""
    rows: list[Row] = []
    for n in range(len(windows.quadrant)):
        sound = corpus.sounds[int(windows.sound[n])]
        row: Row = {
            "sound": sound.path.name,
            "song": sound.song,
            "start_s": float(windows.start_s[n]),
            "fold": int(models[0].fold[n]),
            "valence": float(windows.ratings[n, 0]),
            "arousal": float(windows.ratings[n, 1]),
            "quadrant": QUADRANTS[windows.quadrant[n]],
        }
        for predictions in models:
            probabilities = np.exp(predictions.log_proba[n])
            row |= {
                f"{predictions.model}_{name}": float(p)
                for name, p in zip(QUADRANTS, probabilities, strict=True)
            }
        rows.append(row)
    return rows


@dataclass(frozen=True)
class Brightness:
    """Brightness of Grad-CAM maps by predicted quadrant.

    Attributes
    ----------
    means, n
        Of each quadrant: mean over windows (NaN without one), and windows.
    difference, low, high
        Q4 minus Q2 after the mean of each fold was removed, with its 95 % bootstrap interval over
        songs.
    p
        Two-sided, predicted quadrants exchanged between songs of a fold, (b + 1) / (m + 1). NaN
        where Q2 or Q4 is never predicted.
    """

    means: tuple[float, ...]
    n: tuple[int, ...]
    difference: float
    low: float
    high: float
    p: float


def brightness_test(
    brightness: Floats, quadrant: Ints, songs: Ints, folds: Ints, n_draws: int, seed: int
) -> Brightness:
    """Compare the brightness of maps of two quadrants, as the paper expects Q4 above Q2.

    Parameters
    ----------
    brightness, quadrant, songs, folds
        (n,) of each window; quadrants as predicted. Each fold has a network of its own, whose
        maps can be brighter and whose predictions can favour a quadrant: folds are compared
        within themselves.
    n_draws, seed
        Permutations and resamples; their name.

    Returns
    -------
    Brightness
    """
    fold = np.unique(folds, return_inverse=True)[1]
    centred = brightness - (np.bincount(fold, weights=brightness) / np.bincount(fold))[fold]

    def difference(classes: Ints) -> float:
        if not ((classes == 3).any() and (classes == 1).any()):
            return float("nan")
        return float(centred[classes == 3].mean() - centred[classes == 1].mean())

    n = tuple(int((quadrant == k).sum()) for k in range(N_CLASSES))
    means = tuple(
        float(brightness[quadrant == k].mean()) if n[k] else float("nan") for k in range(N_CLASSES)
    )
    observed = difference(quadrant)
    if not np.isfinite(observed):
        return Brightness(means, n, observed, np.nan, np.nan, np.nan)
    streams = [np.random.Generator(np.random.Philox(key=[seed, k])) for k in range(n_draws)]
    null = [difference(permuted_labels(quadrant, songs, folds, stream)) for stream in streams]
    p = float(permutation_p(np.abs(np.asarray(observed)), np.abs(np.asarray(null))))
    numbers = np.unique(songs, return_inverse=True)[1]
    counts = resample_counts(int(numbers.max()) + 1, n_draws, seed)
    sums = np.stack(
        [
            np.bincount(numbers, weights=w * (quadrant == k), minlength=counts.shape[1])
            for k in (3, 1)
            for w in (centred, np.ones_like(centred))
        ]
    )
    four, n_four, two, n_two = sums @ counts.T
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = np.nanquantile(four / n_four - two / n_two, [0.025, 0.975])
    return Brightness(means, n, observed, float(low), float(high), p)


def rater_agreement(corpus: RatedCorpus, windows: RatedWindows) -> float:
    """Share of windows that a second panel of raters would put into the same quadrant."""
    sounds = [corpus.sounds[int(position)] for position in windows.sound]
    spreads = np.array([sound.spread for sound in sounds]).reshape(-1, 2)
    raters = np.array([sound.n_raters or np.nan for sound in sounds], np.float64)
    return panel_agreement(windows.ratings, spreads, raters, corpus.thresholds)
