"""Write the results of the participant level: tables, maps, summary."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp import __version__
from bidsapp.recipes.emotion3d.distrust import warnings
from bidsapp.recipes.emotion3d.inputs import EmotionAnalysis
from bidsapp.recipes.emotion3d.results import DECODERS, LEAKY, Decoding, Results, split_name
from bidsapp.recipes.writer import ResultWriter, participant_writer
from bidsapp.stats.splits import Split

_LIBRARIES = ("numpy", "scipy", "torch", "scikit-learn", "nibabel", "nilearn")
_MEASURES = ("accuracy", "macro_f1", "log_loss", "calibration_error")
_PREDICTED = ("cnn", "linear")
_MAPS = {
    "ig": "Integrated gradients of the network, averaged over correctly classified held-out "
    "volumes.",
    "gradcam": "Grad-CAM of the network, averaged over correctly classified held-out volumes.",
    "haufe": "Activation patterns of the linear decoder (Haufe et al. 2014), averaged over folds.",
}
_SPLIT = f"how volumes were divided; {LEAKY} where scores say nothing about the brain"
_LEAKY = f"{LEAKY}: training and test volumes are neighbours; no: they are not"
Row = dict[str, Any]


def write_results(analysis: EmotionAnalysis, results: Results) -> None:
    """Write everything one analysis has found.

    Parameters
    ----------
    analysis
        The job.
    results
        What it found.
    """
    writer = participant_writer(analysis, results.stored.units)
    classes = analysis.inputs.classes
    write_scores(writer, results.decodings, classes, [*prior_rows(results), *_silhouette(results)])
    _write_labels(writer, analysis, results)
    _write_network(writer, analysis, results)
    _write_maps(writer, analysis, results)
    writer.facts(_summary(analysis, results), {"desc": "emotion3dsummary"})


def leaky(split: Split) -> str:
    """Return what stands in the column ``leaky``."""
    return LEAKY if split.leaky else "no"


def write_scores(
    writer: ResultWriter, decodings: Iterable[Decoding], classes: tuple[str, ...], more: list[Row]
) -> None:
    """Write scores, recalls, confusions and nulls.

    Parameters
    ----------
    writer
        Of a participant or a group.
    decodings
        Every split and decoder.
    classes
        Names.
    more
        Further rows of the scores.
    """
    decodings = list(decodings)
    common: dict[str, Any] = {
        "split": _SPLIT,
        "decoder": "; ".join(f"{k}: {v}" for k, v in DECODERS.items()),
    }
    writer.table(
        [*(row for item in decodings for row in score_rows(item)), *more],
        {"desc": "emotion3dscores"},
        "Scores of held-out volumes, pooled over folds.",
        measure="balanced_accuracy is the mean recall of the classes that occur",
        value="the score",
        low="lower end of the central 95 % of the scores with labels shifted in time",
        high="upper end",
        chance="mean score with labels shifted in time",
        p="(b + 1) / (m + 1) over shifts, one-sided",
        n_shifts="number of shifts, each with all folds fitted again",
        leaky=_LEAKY,
        **common,
    )
    writer.table(
        (row for item in decodings for row in recall_rows(item, classes)),
        {"desc": "emotion3drecall"},
        "Share of the volumes of each class that were recognised.",
        low="Wilson's 95 % interval, which takes volumes as independent",
        leaky=_LEAKY,
        **common,
    )
    writer.table(
        (row for item in decodings for row in confusion_rows(item, classes)),
        {"desc": "emotion3dconfusion"},
        "Volumes of each true class by predicted class.",
        leaky=_LEAKY,
        **common,
    )
    writer.table(
        (row for item in decodings for row in null_rows(item)),
        {"desc": "emotion3dnull"},
        "Balanced accuracy with labels shifted in time and everything fitted again.",
        leaky=_LEAKY,
        **common,
    )


def score_rows(item: Decoding) -> Iterator[Row]:
    """Yield one row per measure of a decoder under a split."""
    test, nan = item.chance, float("nan")
    start = {"split": split_name(item.split), "decoder": item.decoder}
    yield {
        **start,
        "measure": "balanced_accuracy",
        "value": item.scores.balanced_accuracy,
        "low": test.low if test else nan,
        "high": test.high if test else nan,
        "chance": test.mean if test else nan,
        "p": test.p if test else nan,
        "n_shifts": test.n_shifts if test else 0,
        "n_volumes": item.scores.n,
        "leaky": leaky(item.split),
    }
    for measure in _MEASURES:
        yield _row(item.split, item.decoder, measure, getattr(item.scores, measure), item.scores.n)


def _row(split: Split, decoder: str, measure: str, value: float, n_volumes: int) -> Row:
    nan = float("nan")
    return {
        "split": split_name(split),
        "decoder": decoder,
        "measure": measure,
        "value": value,
        "low": nan,
        "high": nan,
        "chance": nan,
        "p": nan,
        "n_shifts": 0,
        "n_volumes": n_volumes,
        "leaky": leaky(split),
    }


def prior_rows(results: Results) -> Iterator[Row]:
    """Yield the expected scores of drawing predictions from the training shares."""
    for item in results.decodings:
        if item.decoder == "majority":
            line = results.priors[item.split.name]
            for measure in ("balanced_accuracy", "accuracy"):
                yield _row(item.split, "prior", measure, getattr(line, measure), item.scores.n)


def _silhouette(results: Results) -> Iterator[Row]:
    found, network = results.embedding, results.find("cnn")
    if found is None or found.separability is None or network is None:
        return
    test = found.separability
    n_volumes = int((results.labelled.labels[found.rows] >= 0).sum())
    row = _row(network.split, "cnn", "silhouette", test.observed, n_volumes)
    row |= {"low": test.low, "high": test.high, "chance": test.mean, "p": test.p}
    yield row | {"n_shifts": test.n_shifts}


def recall_rows(item: Decoding, classes: tuple[str, ...]) -> Iterator[Row]:
    """Yield the recall of each class."""
    scores = item.scores
    for k, label in enumerate(classes):
        yield {
            "split": split_name(item.split),
            "decoder": item.decoder,
            "class": label,
            "n": int(scores.confusion[k].sum()),
            "recall": scores.recall[k],
            "low": scores.recall_low[k],
            "high": scores.recall_high[k],
            "leaky": leaky(item.split),
        }


def confusion_rows(item: Decoding, classes: tuple[str, ...]) -> Iterator[Row]:
    """Yield one row per true and predicted class."""
    for true, counts in zip(classes, item.scores.confusion, strict=True):
        for predicted, n in zip(classes, counts, strict=True):
            yield {
                "split": split_name(item.split),
                "decoder": item.decoder,
                "true": true,
                "predicted": predicted,
                "n": int(n),
                "leaky": leaky(item.split),
            }


def null_rows(item: Decoding) -> Iterator[Row]:
    """Yield one row per shift."""
    for number, value in enumerate(item.null, start=1):
        yield {
            "split": split_name(item.split),
            "decoder": item.decoder,
            "shift": number,
            "balanced_accuracy": value,
            "leaky": leaky(item.split),
        }


def _write_labels(writer: ResultWriter, analysis: EmotionAnalysis, results: Results) -> None:
    inputs = analysis.inputs
    writer.table(
        inputs.count_rows(),
        {"desc": "emotion3dlabels"},
        "Labelled volumes of each run and class, and the contiguous stretches they form.",
    )
    names = [run.name for run in inputs.runs]
    writer.table(
        prediction_rows(results, names),
        {"desc": "emotion3dpredictions"},
        "Predictions of held-out volumes, also of those without a label.",
        time_s="acquisition in the time of the run",
        label="class of the volume; n/a without",
        leaky=_LEAKY,
    )
    if results.lags:
        writer.table(
            (vars(row) | {"leaky": leaky(results.decodings[0].split)} for row in results.lags),
            {"desc": "emotion3dlags"},
            "Linear decoding over hemodynamic shifts: whether labels and volumes meet. Not for "
            "choosing the shift.",
        )


def prediction_rows(results: Results, runs: list[str]) -> Iterator[Row]:
    """Yield one row per held-out volume, split and decoder (network and linear)."""
    found = results.labelled
    for item in results.decodings:
        if item.decoder not in _PREDICTED:
            continue
        tested = np.isfinite(item.log_proba).all(axis=1)
        for row in np.flatnonzero(tested):
            proba = np.exp(item.log_proba[row])
            label = int(found.labels[row])
            yield {
                "run": runs[int(found.samples.run[row])],
                "volume": int(found.volume[row]),
                "time_s": float(found.samples.time_s[row]),
                "label": found.classes[label] if label >= 0 else None,
                "split": split_name(item.split),
                "decoder": item.decoder,
                "predicted": found.classes[int(proba.argmax())],
                **{
                    f"p_{name}": round(float(value), 5)
                    for name, value in zip(found.classes, proba, strict=True)
                },
                "leaky": leaky(item.split),
            }


def _write_network(writer: ResultWriter, analysis: EmotionAnalysis, results: Results) -> None:
    if results.curves:
        writer.table(
            curve_rows(results),
            {"desc": "emotion3dcurves"},
            "Learning curves: losses in nats on augmented training volumes and on the inner "
            "held-out part, by which training stops.",
            kept="1 for the epoch whose weights are used",
            leaky=_LEAKY,
        )
    explanation, embedding = results.explanation, results.embedding
    if explanation and explanation.maps:
        writer.table(
            _randomisation_rows(results),
            {"desc": "emotion3drandomisation"},
            "Rank correlation of absolute attributions with those after layers were made random "
            "(from the output down), or labels were shifted. Near 1: the map shows the data, "
            "not what was learned.",
        )
    if embedding is not None:
        runs = [run.name for run in analysis.inputs.runs]
        found = results.labelled
        split = results.decodings[0].split
        rows = zip(embedding.fold, embedding.rows, embedding.points, strict=True)
        writer.table(
            (
                {
                    "split": split_name(split),
                    "fold": split.folds[fold].name,
                    "run": runs[int(found.samples.run[row])],
                    "volume": int(found.volume[row]),
                    "label": found.classes[found.labels[row]] if found.labels[row] >= 0 else None,
                    "x": x,
                    "y": y,
                    "leaky": leaky(split),
                }
                for fold, row, (x, y) in rows
            ),
            {"desc": "emotion3dembedding"},
            "Hidden layer of held-out volumes on its first two principal components; axes differ "
            "between folds, whose networks differ.",
        )


def curve_rows(results: Results) -> Iterator[Row]:
    """Yield one row per epoch of every network."""
    for curve in results.curves:
        for record in curve.history:
            yield {
                "split": split_name(curve.split),
                "fold": curve.fold,
                "seed": curve.seed,
                "epoch": record.epoch,
                "loss": record.loss,
                "accuracy": record.accuracy,
                "val_loss": record.val_loss,
                "val_accuracy": record.val_accuracy,
                "learning_rate": record.learning_rate,
                "kept": int(record.epoch == curve.best_epoch),
                "leaky": leaky(curve.split),
            }


def _randomisation_rows(results: Results) -> Iterator[Row]:
    assert results.explanation is not None
    for method, steps in results.explanation.randomised.items():
        for step in steps:
            yield {"method": method, "randomised": step.layer, "similarity": step.similarity}
    for method, value in results.explanation.label_similarity.items():
        yield {"method": method, "randomised": "labels", "similarity": value}


def _write_maps(writer: ResultWriter, analysis: EmotionAnalysis, results: Results) -> None:
    if results.explanation is None:
        return
    classes = list(analysis.inputs.classes)
    split = split_name(results.decodings[0].split)
    maps: dict[str, NDArray[np.floating]] = {"haufe": results.explanation.haufe}
    counts: dict[str, list[int]] = {}
    for method, found in results.explanation.maps.items():
        maps[method], counts[method] = found.maps, found.n.tolist()
    for stat, values in maps.items():
        shown = np.where(results.stored.constant, np.nan, values)
        extra = {"NumberOfVolumes": counts[stat]} if stat in counts else {}
        entities = {"stat": stat, "desc": "emotion3d"}
        writer.maps(shown, classes, entities, _MAPS[stat], Split=split, **extra)


def _summary(analysis: EmotionAnalysis, results: Results) -> Row:
    inputs, config, stored = analysis.inputs, analysis.config, results.stored
    samples = results.labelled.samples
    return {
        "recipe": analysis.recipe,
        "variant": config.variant,
        "version": __version__,
        "subject": inputs.subject,
        "space": inputs.space,
        "settings": vars(analysis.settings),
        "config": {
            "confounds": config.confounds,
            "high_pass_hz": config.high_pass_hz,
            "smoothing_fwhm_mm": config.smoothing_fwhm_mm,
            "random_seed": config.random_seed,
            "device": results.device,
            "mem": config.mem,
        },
        "weights": {},
        "n_units": stored.units.n_units,
        "units_hash": stored.units.identity(),
        "n_constant": int(stored.constant.sum()),
        "classes": list(inputs.classes),
        "label_map": inputs.label_map.name,
        "modality": inputs.modality,
        "n_volumes": len(results.labelled.labels),
        "n_labelled": int((results.labelled.labels >= 0).sum()),
        "stimulus_times_known": bool(np.isfinite(samples.stimulus_s).any()),
        "splits": [
            {
                "name": split_name(split),
                "leaky": split.leaky,
                "note": split.note,
                "folds": [fold.name for fold in split.folds],
            }
            for split in dict.fromkeys(item.split for item in results.decodings)
        ],
        "scores": [
            {
                "split": split_name(item.split),
                "decoder": item.decoder,
                "balanced_accuracy": item.scores.balanced_accuracy,
                "chance": item.chance.mean if item.chance else None,
                "p": item.chance.p if item.chance else None,
                "leaky": leaky(item.split),
            }
            for item in results.decodings
        ],
        "embedding_variance": (
            results.embedding.explained.mean(axis=0).tolist() if results.embedding else None
        ),
        "runs": [
            {
                "name": run.name,
                "n_trs": run.n_trs,
                "tr_s": run.tr_s,
                "confounds": list(names),
                "preprocessed": run.preprocessed,
            }
            for run, names in zip(inputs.runs, stored.confounds, strict=True)
        ],
        "warnings": warnings(analysis, results),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _LIBRARIES},
    }
