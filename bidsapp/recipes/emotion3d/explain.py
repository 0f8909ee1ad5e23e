"""Attribution maps of the networks, their sanity checks, and classes in the hidden layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.cnn3d.decoding import CrossValidated
from bidsapp.models.cnn3d.embedding import hidden_embedding, silhouette, silhouette_null
from bidsapp.models.cnn3d.explain import (
    ClassMaps,
    Randomised,
    class_maps,
    hidden_vectors,
    map_similarity,
    model_randomisation,
)
from bidsapp.models.cnn3d.volumes import Volumes
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings
from bidsapp.stats.label_nulls import Chance, chance
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import Split

METHODS = ("ig", "gradcam")
_FEW = 4
Labels = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Embedded:
    """Held-out volumes on the first two principal components of the hidden layer of each fold.

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


def network_maps(
    fitted: CrossValidated,
    shifted: CrossValidated | None,
    volumes: Volumes,
    split: Split,
    labels: Labels,
    settings: Emotion3dSettings,
    device: str,
) -> tuple[dict[str, ClassMaps], dict[str, float]]:
    """Return class maps of both methods, and their likeness to those of shifted labels.

    Parameters
    ----------
    fitted, shifted
        Networks of the true labels and of one shift of them, on the same folds.
    volumes, split, labels
        What they were trained on.
    settings
        How many volumes and baselines.
    device
        Where networks run.
    """
    tested = [fold.test for fold in split.folds]
    maps, alike = {}, {}
    for method in METHODS:
        found = [
            class_maps(
                networks.fits,
                volumes,
                tested,
                labels,
                fitted.log_proba,
                method=method,
                max_per_class=settings.explain_per_class,
                n_baselines=settings.n_baselines,
                device=device,
            )
            for networks in (fitted, shifted)
            if networks is not None
        ]
        maps[method] = found[0]
        there = found[0].n > 0
        both = len(found) > 1 and there.any()
        alike[method] = (
            map_similarity(found[0].maps[there], found[1].maps[there]) if both else float("nan")
        )
    return maps, alike


def randomisation(
    fitted: CrossValidated, volumes: Volumes, split: Split, labels: Labels, device: str
) -> dict[str, tuple[Randomised, ...]]:
    """Make layers of the first fold's first network random, and compare maps of few volumes."""
    test = split.folds[0].test
    test = test[labels[test] >= 0]
    right = test[fitted.log_proba[test].argmax(axis=1) == labels[test]]
    rows = right[np.linspace(0, len(right) - 1, min(_FEW, len(right))).astype(np.int64)]
    if not rows.size:
        return {}
    baselines = test[np.linspace(0, len(test) - 1, 2).astype(np.int64)]
    return {
        method: model_randomisation(
            fitted.fits[0][0],
            volumes,
            rows,
            labels[rows],
            baselines=baselines,
            method=method,
            device=device,
        )
        for method in METHODS
    }


def embed(
    fitted: CrossValidated,
    volumes: Volumes,
    split: Split,
    labels: Labels,
    samples: Samples,
    *,
    n_shifts: int,
    min_shift: int,
    seed: int,
    device: str,
) -> Embedded | None:
    """Project the hidden vectors of each fold's held-out volumes on two dimensions.

    Parameters
    ----------
    fitted
        Networks; the first seed of each fold is taken, hidden layers of others differ.
    volumes, split, labels, samples
        What they were tested on.
    n_shifts, min_shift, seed
        Of the null of the mean silhouette over folds.
    device
        Where networks run.
    """
    folds, rows, points, explained, silhouettes, nulls = [], [], [], [], [], []
    for number, (fold, networks) in enumerate(zip(split.folds, fitted.fits, strict=True)):
        if len(fold.test) < 3 or not (labels[fold.test] >= 0).any():
            continue
        hidden = hidden_vectors(networks[0], volumes, fold.test, device=device)
        found = hidden_embedding(hidden)
        mine, here = labels[fold.test], found.points
        folds.append(np.full(len(fold.test), number))
        rows.append(fold.test)
        points.append(here)
        explained.append(found.explained)
        silhouettes.append(silhouette(here, mine))
        own = samples.take(fold.test)
        nulls.append(silhouette_null(here, mine, own, n_shifts, min_shift=min_shift, seed=seed))
    if not rows:
        return None
    known = np.isfinite(silhouettes)
    test = None
    if known.any() and n_shifts:
        null = np.nanmean(np.stack(nulls)[known], axis=0)
        test = chance(float(np.mean(np.array(silhouettes)[known])), null[np.isfinite(null)])
    return Embedded(
        np.concatenate(folds),
        np.concatenate(rows),
        np.concatenate(points),
        np.stack(explained),
        test,
    )
