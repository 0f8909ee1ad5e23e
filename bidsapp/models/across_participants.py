r"""Decode one participant's held-out clips by a decoder learnt from others, region by region.

Responses to clips are centred and scaled in each participant by the training clips, and reduced to
the leading principal components of all participants' training responses together, the same for
everybody. Four decoders predict the held-out clips of each participant:

``within``
    learnt from the participant's own training clips;
``anatomical``
    learnt from the training clips of the others, unit by unit in the common space;
``aligned``
    the same after rotations of all participants onto a common template, which are fitted to
    training clips only;
``pooled``
    learnt from the aligned training clips of the others and of the participant.

All of them work with the same components, so that they differ in nothing but what is said here.

Source: Denk et al. 2025, appendix on generalisation across participants; Haxby et al. 2011, for
the rotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from bidsapp.errors import InputInvalidError
from bidsapp.models.alignment import fit_rotations
from bidsapp.models.block_ridge import Metric
from bidsapp.models.region_decoder import ClipRows, decode_region

Floats = NDArray[np.float64]
Source = Literal["within", "anatomical", "aligned", "pooled"]
SOURCES: Final[tuple[Source, ...]] = ("within", "anatomical", "aligned", "pooled")


def decode_across(
    responses: Sequence[NDArray[np.floating]],
    rows: ClipRows,
    fold: int,
    alphas: Sequence[float],
    *,
    n_components: int,
    metric: Metric = "mse",
) -> dict[Source, Floats]:
    """Predict the held-out clips of one fold in every participant by the four decoders.

    Parameters
    ----------
    responses
        Per participant (n_clips, n_units) of one region: mean response to each clip, the same
        clips and units in all, finite.
    rows
        Embeddings (n_clips, 1, n_dimensions), blocks and folds, the same for all participants.
    fold
        Number of the outer fold.
    alphas
        Regularisations, for responses of mean variance 1.
    n_components
        Components of the region, at most; fewer where there are fewer units or training clips.
    metric
        As for `decode_region`.

    Returns
    -------
    dict
        Source → (n_participants, n_test, n_dimensions) predictions of the held-out clips in the
        order of the clips, in standard deviations of the training clips.

    Raises
    ------
    InputInvalidError
        Fewer than two participants, or responses of different shapes.
    """
    shapes = {np.shape(values) for values in responses}
    if len(responses) < 2 or len(shapes) > 1:
        msg = (
            f"{len(responses)} participants with responses of shapes {sorted(shapes)}; decoding "
            "across participants needs two at least, with the same clips and units"
        )
        raise InputInvalidError(msg)
    train = rows.train(fold)
    plain = _components([_scaled(values, train) for values in responses], train, n_components)
    space = fit_rotations([values[train] for values in plain])
    aligned = [space.transform(number, values) for number, values in enumerate(plain)]
    predicted: dict[Source, list[Floats]] = {source: [] for source in SOURCES}
    for target in range(len(responses)):
        others = [number for number in range(len(responses)) if number != target]
        training = {
            "within": (plain, [target]),
            "anatomical": (plain, others),
            "aligned": (aligned, others),
            "pooled": (aligned, [*others, target]),
        }
        for source in SOURCES:
            values, teachers = training[source]
            predicted[source].append(
                _predict(
                    [values[number] for number in teachers],
                    values[target],
                    rows,
                    fold,
                    alphas,
                    metric,
                )
            )
    return {source: np.stack(each) for source, each in predicted.items()}


def _scaled(responses: NDArray[np.floating], train: NDArray[np.bool_]) -> Floats:
    """Centre units, and scale a region to a mean variance of 1, by the training clips."""
    values = np.asarray(responses, np.float64)
    centred = values - values[train].mean(axis=0)
    size = float(np.sqrt(np.square(centred[train]).mean()))
    return np.asarray(centred / size if size > 0 else centred)


def _components(
    responses: Sequence[Floats], train: NDArray[np.bool_], n_components: int
) -> list[Floats]:
    """Reduce all clips to the leading components of everybody's training responses.

    No more than the training clips determine, so that rotations are determined by them as well.
    """
    n_units = responses[0].shape[1]
    n = min(n_components, n_units, int(train.sum()) - 1)
    stacked = np.concatenate([values[train] for values in responses])
    if len(stacked) < n_units:
        _, _, right = linalg.svd(stacked, full_matrices=False)
        basis = right[:n].T
    else:
        covariance = stacked.T @ stacked
        basis = linalg.eigh(covariance, subset_by_index=(n_units - n, n_units - 1))[1]
    return [values @ basis for values in responses]


def _predict(
    teachers: Sequence[Floats],
    responses: Floats,
    rows: ClipRows,
    fold: int,
    alphas: Sequence[float],
    metric: Metric,
) -> Floats:
    """Learn from the training clips of some participants, and predict the test clips of one."""
    test, train = rows.fold == fold, rows.train(fold)
    stacked = np.concatenate([values[train] for values in teachers] + [responses[test]])
    order = np.concatenate([np.flatnonzero(train)] * len(teachers) + [np.flatnonzero(test)])
    near = None if rows.near is None else rows.near[:, order]
    learnt = ClipRows(rows.embedding[order], rows.block[order], (rows.folds[fold],), near)
    decoded = decode_region(stacked, learnt, alphas, metric=metric)
    return decoded.predicted[-int(test.sum()) :]
