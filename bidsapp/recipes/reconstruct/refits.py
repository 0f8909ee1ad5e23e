"""The regions of the ensemble fitted again, to other responses or without some clips.

Regions are gone through a few at a time: what one of them predicts is added to the mean of the
folds that take it, and only these means are held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from bidsapp.models.left_out_decoder import LeftOut, decode_without
from bidsapp.models.region_decoder import ClipRows, decode_spaces
from bidsapp.models.threads import map_single_threaded
from bidsapp.recipes.reconstruct.decode import Regions, in_parts
from bidsapp.recipes.reconstruct.settings import ReconstructSettings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def predict_other_responses(
    read: Sequence[Callable[[Ints], NDArray[np.float32]]],
    regions: Regions,
    spaces: Sequence[ClipRows],
    chosen: Sequence[NDArray[np.bool_]],
    settings: ReconstructSettings,
    *,
    label: str = "",
    quiet: bool = True,
) -> list[list[Floats]]:
    """Decode other responses by the regions that were chosen before, penalties chosen again.

    Parameters
    ----------
    read
        For each kind of response, from units to their responses (n_units, n_rows).
    regions
        What is decoded from.
    spaces
        Embeddings, blocks, folds.
    chosen
        For each embedding (n_folds, n_regions): regions whose predictions each fold averages.
    settings
        ``log10_alpha``, ``alpha_metric``.
    label, quiet
        Of the progress bar.

    Returns
    -------
    list of list of array
        For each kind of response and each embedding (n_clips, n_dimensions); NaN for clips that no
        fold holds out.
    """
    alphas = [10.0**x for x in settings.log10_alpha]
    taken = np.stack(chosen)
    means = [[_nothing(own) for own in spaces] for _ in read]

    def of_region(region: int) -> list[dict[int, Floats]]:
        wanted = taken[:, :, region]
        used = np.flatnonzero(wanted.any(axis=1)).tolist()
        units, asked = regions.units(region), [spaces[number] for number in used]
        each = []
        for responses in read:
            decodings = decode_spaces(
                responses(units).T,
                asked,
                alphas,
                metric=settings.alpha_metric,
                wanted=wanted[used],
            )
            each.append({k: own.predicted for k, own in zip(used, decodings, strict=True)})
        return each

    for part in in_parts(_taken(taken), label, quiet=quiet, at_once=torch.get_num_threads()):
        for region, each in zip(part, map_single_threaded(of_region, part), strict=True):
            for mean, of_space in zip(means, each, strict=True):
                for number, predicted in of_space.items():
                    rows, share = spaces[number], 1 / taken[number].sum(axis=1)
                    for fold in np.flatnonzero(taken[number, :, region]).tolist():
                        own = rows.fold == fold
                        mean[number][own] += share[fold] * predicted[own]
    return means


def predict_without(
    responses: NDArray[np.float32],
    regions: Regions,
    spaces: Sequence[ClipRows],
    chosen: Sequence[NDArray[np.bool_]],
    each: Sequence[LeftOut],
    settings: ReconstructSettings,
    *,
    label: str = "",
    quiet: bool = True,
) -> dict[tuple[int, int, int], Floats]:
    """Predict the held-out clips of some sets by decoders that are fitted without these clips.

    Parameters
    ----------
    responses
        (n_units, n_rows) mean responses.
    regions, spaces, chosen, settings, label, quiet
        As for `predict_other_responses`.
    each
        Sets of clips.

    Returns
    -------
    dict
        As `bidsapp.models.left_out_decoder.decode_without` returns it, the mean over regions.
    """
    alphas = [10.0**x for x in settings.log10_alpha]
    taken = np.stack(chosen)

    def of_region(region: int) -> dict[tuple[int, int, int], Floats]:
        own = np.asarray(responses[regions.units(region)]).T
        wanted = taken[:, :, region]
        return decode_without(own, spaces, each, wanted, alphas, metric=settings.alpha_metric)

    means: dict[tuple[int, int, int], Floats] = {}
    for part in in_parts(_taken(taken), label, quiet=quiet, at_once=torch.get_num_threads()):
        for predicted in map_single_threaded(of_region, part):
            for key, values in predicted.items():
                _, space, fold = key
                means[key] = means.get(key, 0.0) + values / taken[space, fold].sum()
    return means


def _taken(chosen: NDArray[np.bool_]) -> list[int]:
    """Regions that any embedding takes in any fold."""
    return np.flatnonzero(chosen.any(axis=(0, 1))).tolist()


def _nothing(rows: ClipRows) -> Floats:
    """Zeros for held-out clips and NaN for others, (n_clips, n_dimensions)."""
    held_out = rows.fold >= 0
    return np.where(held_out[:, None], np.zeros(rows.embedding.shape[2]), np.nan)
