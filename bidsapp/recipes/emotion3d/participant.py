"""`emotion3d`, participant level.

A three-dimensional convolutional network learns the emotion of single volumes. It is tested on
runs it has not seen, against linear decoders on the same folds and volumes, against decoders that
see no brain, and against labels shifted in time.

Source: Tanemura et al., poster.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.named_atlas import find_parcels
from bidsapp.brain.parcels import parcel_means, standard_parcels
from bidsapp.brain.stored_volumes import StoredVolumes, load_volumes
from bidsapp.models.cnn3d.decoding import CrossValidated
from bidsapp.models.cnn3d.volumes import Volumes
from bidsapp.models.linear_decoder import decode, haufe_patterns, prepare, run_probe, time_probe
from bidsapp.models.rows import RowSource
from bidsapp.recipes.base.quality import quality_rows
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.emotion3d import cautions
from bidsapp.recipes.emotion3d import results as declared
from bidsapp.recipes.emotion3d.confounds import confound_features
from bidsapp.recipes.emotion3d.decoders import DecodingData, LinearTask, training_settings
from bidsapp.recipes.emotion3d.decoding import (
    Decoding,
    Row,
    confusion_rows,
    leaky,
    make_decoding,
    null_rows,
    prediction_rows,
    prior_rows,
    recall_rows,
    score_row,
    score_rows,
    split_name,
    splits_of,
)
from bidsapp.recipes.emotion3d.explain import Embedded, embed, network_maps, randomisation
from bidsapp.recipes.emotion3d.inputs import EmotionInputs, treatment
from bidsapp.recipes.emotion3d.labels import LabelledVolumes, make_splits, run_key, run_title
from bidsapp.recipes.emotion3d.names import PREDICTED
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings
from bidsapp.results.write import Output
from bidsapp.stats.classification import label_stretches, majority_line, prior_line
from bidsapp.stats.splits import Split

LOGGER = logging.getLogger("musicotopy")
Maps = dict[str, NDArray[np.floating]]


def participant(study: ParticipantStudy) -> None:
    """Decode the emotion of single volumes of one participant in one space.

    Parameters
    ----------
    study
        The job.
    """
    data = Data(study)
    out = study.output(data.stored.units)
    decodings: list[Decoding] = []
    scores: list[Row] = []
    curves: list[Row] = []
    first: tuple[LinearTask, CrossValidated | None, CrossValidated | None] | None = None
    for split in data.splits:
        LOGGER.info("%s: %s, %d folds", study.label, split_name(split), len(split.folds))
        tasks, fitted, shifted = data.linear_tasks(split), None, None
        if data.settings.n_seeds:
            networks, fitted, shifted = decode_network(data, split)
            decodings.append(networks)
            curves += curve_rows(split, fitted)
        decodings += decode_linear(data, split, tasks)
        scores += prior_rows(decodings[-1], prior_line(data.labels, split, data.n_classes))
        first = first or (tasks[0], fitted, shifted)
    assert first is not None
    linear, fitted, shifted = first
    lags = list(scan_lags(data, linear))
    checks = write_maps(out, data, linear, fitted, shifted)
    embedding = None if fitted is None else embed_volumes(data, fitted)
    write_decodings(out, data, decodings, [*scores, *silhouette_rows(data, decodings, embedding)])
    out.write(declared.QUALITY, quality_rows(data.inputs, data.stored.tsnr))
    if lags:
        out.write(declared.LAGS, lags)
    if curves:
        out.write(declared.CURVES, curves)
    if embedding is not None:
        out.write(declared.EMBEDDING, embedding_rows(data, embedding))
    write_summary(out, data, decodings, lags, checks, embedding)
    data.scratch.remove()


class Data(DecodingData):
    """What is decoded: volumes, labels, folds, and how labels are shifted for the null.

    Parameters
    ----------
    study
        The job.
    """

    def __init__(self, study: ParticipantStudy) -> None:
        self.config = study.config
        self.inputs: EmotionInputs = study.inputs
        self.settings: Emotion3dSettings = study.settings
        #: volumes on disk; they stay there for the group level
        self.stored: StoredVolumes = load_volumes(
            self.inputs.runs,
            treatment(self.settings, vars(self.config)),
            study.scratch,
            memory_bytes=study.memory_bytes,
            quiet=self.config.quiet,
        )
        self.volumes: Volumes = self.stored.volumes(self.settings.n_frames)
        self.labelled: LabelledVolumes = self.inputs.labelled()
        super().__init__(
            study,
            f"sub-{self.inputs.subject}",
            self.labelled.labels,
            self.labelled.samples,
            self.inputs.classes,
            min_shift_s=self.settings.min_shift_s,
            tr_s=self.inputs.runs[0].tr_s,
            run_names=[run_title(run_key(run)) for run in self.inputs.runs],
        )
        self.stretches = label_stretches(self.labels, self.labelled.samples.series)
        self.splits = make_splits(self.labelled, len(self.inputs.runs), self.settings, self.seed)

    @cached_property
    def confounds(self) -> tuple[NDArray[np.float64], bool]:
        """Motion and global signal, (n_volumes, n_columns), and whether motion is among them."""
        return confound_features(self.inputs.runs, self.stored, self.settings.drop_volumes)

    @cached_property
    def parcels(self) -> NDArray[np.float64]:
        """(n_volumes, n_parcels) means over voxels."""
        units = self.stored.units
        n_parcels = min(self.settings.n_parcels, units.n_units)
        labels = (
            standard_parcels(units, n_parcels)
            if self.config.atlas is None
            else find_parcels(self.config.atlas, units).labels
        )
        n_parcels = int(labels.max()) + 1
        means = np.concatenate(
            [parcel_means(run, labels, n_parcels) for run in self.stored.runs]
        ).astype(np.float64)
        return means[:, np.isfinite(means).all(axis=0)]

    def linear_tasks(self, split: Split) -> list[LinearTask]:
        """Project the features of each linear decoder by the training volumes of each fold."""
        samples, kind = self.labelled.samples, self.settings.linear
        features: list[tuple[str, RowSource, int | None]] = [
            ("linear", self.volumes.data, self.settings.n_components),
            ("parcels", self.parcels, None),
            ("confounds", self.confounds[0], None),
            ("time", time_probe(samples), None),
            ("run", run_probe(samples), None),
        ]
        return [
            LinearTask(name, prepare(x, split, n_components=n, seed=0), kind, self.n_classes)
            for name, x, n in features
        ]


# ------------------------------------------------------------------ decoding


def decode_linear(data: Data, split: Split, tasks: list[LinearTask]) -> Iterator[Decoding]:
    """Decode with each linear decoder, and with the labels shifted; last by the majority."""
    for task in tasks:
        null = task.null(data.shifts, split, data.settings.n_shifts)
        predicted = task.predict(data.labels)
        yield make_decoding(split, task.name, data.labels, predicted, null, stretch=data.stretches)
    lines = majority_line(data.labels, split, data.n_classes)
    yield make_decoding(split, "majority", data.labels, lines, stretch=data.stretches)


def decode_network(
    data: Data, split: Split
) -> tuple[Decoding, CrossValidated, CrossValidated | None]:
    """Train networks on each fold; also return them, and those of the first shift of labels."""
    training = training_settings(data.settings)
    networks = data.networks(data.volumes, split, training, data.settings.n_seeds)
    fitted = networks.fit(data.labels, "true")
    n_shifts = 0 if split.leaky else data.settings.n_cnn_shifts
    null, shifted = networks.null(data.shifts, n_shifts)
    decoding = make_decoding(
        split, "cnn", data.labels, fitted.log_proba, null, stretch=data.stretches
    )
    return decoding, fitted, shifted


def scan_lags(data: Data, task: LinearTask) -> Iterator[Row]:
    """Decode with other hemodynamic shifts."""
    for lag_s in data.settings.scan_lags_s:
        labels = data.inputs.labelled(lag_s).labels
        yield {
            "lag_s": lag_s,
            "n_volumes": int((labels >= 0).sum()),
            "balanced_accuracy": task.score(labels),
            "leaky": leaky(data.splits[0]),
        }


def embed_volumes(data: Data, fitted: CrossValidated) -> Embedded | None:
    """Project the hidden layer of held-out volumes on its first two principal components."""
    return embed(
        fitted,
        data.volumes,
        data.splits[0],
        data.labels,
        data.labelled.samples,
        n_shifts=data.settings.n_embedding_shifts,
        min_shift=data.min_shift,
        seed=data.seed,
        device=data.study.device,
    )


# ------------------------------------------------------------------ what is written


def write_maps(
    out: Output,
    data: Data,
    task: LinearTask,
    fitted: CrossValidated | None,
    shifted: CrossValidated | None,
) -> list[Row]:
    """Write activation patterns and attribution maps; return their sanity checks.

    Parameters
    ----------
    out
        Where to.
    data
        Volumes and labels.
    task
        The linear decoder of the first split.
    fitted, shifted
        Networks of the first split, trained on true and on shifted labels.
    """
    split, settings = data.splits[0], data.settings
    decoded = decode(task.prepared, data.labels, task.kind, n_classes=data.n_classes)
    maps: Maps = {"haufe": haufe_patterns(task.prepared, decoded)}
    counts: dict[str, list[int]] = {}
    checks: list[Row] = []
    if fitted is not None and settings.explain_per_class:
        device = data.study.device
        attributions, alike = network_maps(
            fitted, shifted, data.volumes, split, data.labels, settings, device
        )
        for method, attribution in attributions.items():
            maps[method], counts[method] = attribution.maps, attribution.n.tolist()
        randomised = randomisation(fitted, data.volumes, split, data.labels, device)
        checks = [
            {"method": method, "randomised": step.layer, "similarity": step.similarity}
            for method, steps in randomised.items()
            for step in steps
        ]
        checks += [
            {"method": method, "randomised": "labels", "similarity": value}
            for method, value in alike.items()
        ]
        out.write(declared.RANDOMISATION, checks)
    for method, values in maps.items():
        defined = np.where(data.stored.constant, np.nan, values)
        extra: dict[str, Any] = {"NumberOfVolumes": counts[method]} if method in counts else {}
        names = list(data.inputs.classes)
        out.write(declared.MAPS[method], defined, names=names, Split=split_name(split), **extra)
    return checks


def write_decodings(
    out: Output, data: Data, decodings: list[Decoding], further: list[Row]
) -> None:
    """Write scores, recalls, confusions, nulls, counts of labels and predictions."""
    classes = data.inputs.classes
    scores = [row for item in decodings for row in score_rows(item)]
    out.write(declared.SCORES, [*scores, *further])
    out.write(declared.RECALL, [row for item in decodings for row in recall_rows(item, classes)])
    out.write(
        declared.CONFUSION, [row for item in decodings for row in confusion_rows(item, classes)]
    )
    out.write(declared.NULL, [row for item in decodings for row in null_rows(item)])
    out.write(declared.LABELS, data.inputs.count_rows())
    runs = [run.name for run in data.inputs.runs]
    predicted = [item for item in decodings if item.decoder in PREDICTED]
    rows = [row for item in predicted for row in prediction_rows(item, data.labelled, runs)]
    out.write(declared.PREDICTIONS, rows)


def silhouette_rows(
    data: Data, decodings: list[Decoding], embedding: Embedded | None
) -> Iterator[Row]:
    """Yield how far classes lie apart in the hidden layer."""
    if embedding is None or embedding.separability is None:
        return
    network = next(item for item in decodings if item.decoder == "cnn")
    test = embedding.separability
    n_volumes = int((data.labels[embedding.rows] >= 0).sum())
    yield score_row(network, "silhouette", test.observed, n_volumes, test)


def curve_rows(split: Split, fitted: CrossValidated) -> Iterator[Row]:
    """Yield one row per epoch of every network."""
    for fold, networks in zip(split.folds, fitted.fits, strict=True):
        for number, network in enumerate(networks):
            for record in network.history:
                yield {
                    "split": split_name(split),
                    "fold": fold.name,
                    "seed": number,
                    **vars(record),
                    "kept": int(record.epoch == network.best_epoch),
                    "leaky": leaky(split),
                }


def embedding_rows(data: Data, embedding: Embedded) -> Iterator[Row]:
    """Yield the place of each held-out volume in the hidden layer."""
    labelled, split = data.labelled, data.splits[0]
    for fold, volume, (x, y) in zip(embedding.fold, embedding.rows, embedding.points, strict=True):
        label = labelled.labels[volume]
        yield {
            "split": split_name(split),
            "fold": split.folds[fold].name,
            "run": data.inputs.runs[int(labelled.samples.run[volume])].name,
            "volume": int(labelled.volume[volume]),
            "label": labelled.classes[label] if label >= 0 else None,
            "x": x,
            "y": y,
            "leaky": leaky(split),
        }


def write_summary(
    out: Output,
    data: Data,
    decodings: list[Decoding],
    lags: list[Row],
    checks: list[Row],
    embedding: Embedded | None,
) -> None:
    """Write settings, counts and cautions: the last file, which makes the space complete."""
    inputs, stored = data.inputs, data.stored
    stimulus_times_known = bool(np.isfinite(data.labelled.samples.stimulus_s).any())
    doubts = [
        *cautions.of_decodings(decodings, data.n_classes, has_motion=data.confounds[1]),
        *cautions.of_labels(inputs),
        *cautions.of_timing(inputs, lags, stimulus_times_known=stimulus_times_known),
        *cautions.of_maps(checks),
        *cautions.of_data(inputs, stored, data.config.confounds),
    ]
    summary = data.study.summary(
        stored.units,
        networks={},
        cautions=doubts,
        confounds=stored.confounds,
        classes=list(inputs.classes),
        label_map=inputs.label_map.name,
        modality=inputs.modality,
        n_volumes=len(data.labels),
        n_labelled=int((data.labels >= 0).sum()),
        splits=splits_of(decodings),
        embedding_variance=(
            None if embedding is None else embedding.explained.mean(axis=0).tolist()
        ),
    )
    out.write(declared.SUMMARY, summary)
