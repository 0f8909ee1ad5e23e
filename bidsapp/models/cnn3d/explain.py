"""Where in the brain a network looks, and whether to believe it.

Attribution maps follow the data as much as the network: a map that stays the same when the
network's weights or the labels are random says nothing about what was learned.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata
from torch import nn
from torch.nn.functional import interpolate

from bidsapp.models.cnn3d.networks import Network3d, initialise
from bidsapp.models.cnn3d.training import Fitted
from bidsapp.models.cnn3d.volumes import Volumes, gather, scatter
from bidsapp.models.gradcam import class_activation

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.floating]

_AT_ONCE = 8


def integrated_gradients(
    network: Network3d,
    volumes: Volumes,
    rows: IntArray,
    classes: IntArray,
    *,
    baselines: IntArray,
    n_steps: int = 8,
    device: str = "cpu",
) -> FloatArray:
    """Attribute the logit of a class to voxels, along the way from other volumes.

    Parameters
    ----------
    network
        From `Fitted.network`.
    volumes
        All volumes.
    rows, classes : integer arrays of shape (n,)
        Volumes, and the class whose logit is explained in each.
    baselines : integer array of shape (n_baselines,)
        Volumes at which a way begins; attributions are averaged over them. The zero volume
        cannot be one: normalised networks do not change along a ray from zero.
    n_steps
        Points on each straight way (midpoints).
    device
        Where `network` is.

    Returns
    -------
    array of shape (n, n_voxels)
        Sums to the logit less its mean over baselines, up to the steps; frames are summed.

    Notes
    -----
    Source: Sundararajan, Taly & Yan 2017, ICML; mean over baselines: Erion et al. 2021, Nat Mach
    Intell 3, 620-631.
    """
    index, out = volumes.index(device), []
    starts = volumes.values(baselines).float().to(device)
    steps = ((torch.arange(n_steps, device=device) + 0.5) / n_steps)[:, None, None]
    for row, target in zip(rows, classes, strict=True):
        values = volumes.values(np.array([row])).float().to(device)
        total = torch.zeros_like(values[0])
        for start in starts:
            way = start + steps * (values - start)
            for part in torch.split(way, _AT_ONCE):
                x = scatter(part, index, volumes.shape).requires_grad_()
                (slope,) = torch.autograd.grad(network(x)[:, int(target)].sum(), x)
                total += gather(slope, index).sum(dim=0) * (values[0] - start)
        out.append(total.sum(dim=0).cpu().numpy() / (n_steps * len(starts)))
    return np.stack(out).astype(np.float64) if out else np.zeros((0, len(index)))


def grad_cam(
    network: Network3d, volumes: Volumes, rows: IntArray, classes: IntArray, *, device: str = "cpu"
) -> FloatArray:
    """Weight the last maps of the body by the mean gradient of a class's logit.

    Parameters
    ----------
    network, volumes, rows, classes, device
        As in `integrated_gradients`.

    Returns
    -------
    array of shape (n, n_voxels)
        Not negative; as coarse as the body's last map, interpolated linearly.

    Notes
    -----
    Source: Selvaraju et al. 2017, ICCV.
    """
    index, out = volumes.index(device), []
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        x = scatter(volumes.values(rows[part]).to(device), index, volumes.shape)
        maps = network.body(x).detach().requires_grad_()
        logits = network.output(network.to_hidden(maps))
        target = torch.as_tensor(np.asarray(classes[part], np.int64), device=device)
        (slope,) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), maps)
        cam = class_activation(maps.detach(), slope)[:, None]
        fine = interpolate(cam, size=volumes.shape, mode="trilinear")
        out.append(gather(fine, index)[:, 0].cpu().numpy())
    return np.concatenate(out).astype(np.float64) if out else np.zeros((0, len(index)))


@dataclass(frozen=True, eq=False)
class ClassMaps:
    """Mean attribution per class.

    Attributes
    ----------
    maps : array of shape (n_classes, n_voxels)
        NaN for classes without a volume.
    n : integer array of shape (n_classes,)
        Volumes averaged.
    """

    maps: FloatArray
    n: IntArray


def class_maps(
    fits: Sequence[Sequence[Fitted]],
    volumes: Volumes,
    tested: Sequence[IntArray],
    labels: IntArray,
    log_proba: FloatArray,
    *,
    method: str = "ig",
    max_per_class: int = 20,
    n_baselines: int = 4,
    n_steps: int = 8,
    device: str = "cpu",
) -> ClassMaps:
    """Average attribution over correctly classified held-out volumes.

    Parameters
    ----------
    fits
        For each fold, its networks (one per seed).
    volumes
        All volumes.
    tested
        For each fold, its test rows.
    labels : integer array of shape (n_volumes,)
    log_proba : array of shape (n_volumes, n_classes)
        Held-out predictions.
    method
        ``ig`` or ``gradcam``.
    max_per_class
        Volumes per class and fold at most, evenly spread in order.
    n_baselines
        Tested volumes of the fold, evenly spread, that integrated gradients begin at.
    n_steps, device
        See `integrated_gradients`.

    Returns
    -------
    ClassMaps
    """
    n_classes = log_proba.shape[1]
    total = np.zeros((n_classes, len(volumes.mask_index)))
    count = np.zeros(n_classes, np.int64)
    for networks, test in zip(fits, tested, strict=True):
        right = test[(labels[test] >= 0) & (_winner(log_proba[test]) == labels[test])]
        rows = np.concatenate(
            [_spread(right[labels[right] == k], max_per_class) for k in range(n_classes)]
        )
        if not rows.size:
            continue
        found = np.mean(
            [
                _attribute(
                    fitted.network(device),
                    volumes,
                    rows,
                    labels[rows],
                    method,
                    _spread(test, n_baselines),
                    n_steps,
                    device,
                )
                for fitted in networks
            ],
            axis=0,
        )
        np.add.at(total, labels[rows], found)
        count += np.bincount(labels[rows], minlength=n_classes)
    maps = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], np.nan)
    return ClassMaps(maps, count)


@dataclass(frozen=True)
class Randomised:
    """Likeness of maps of a network and of the same network with layers made random.

    Attributes
    ----------
    layer
        The deepest layer made random; all layers above it are random too.
    similarity
        Mean over volumes of Spearman's correlation of absolute attributions.
    """

    layer: str
    similarity: float


def model_randomisation(
    fitted: Fitted,
    volumes: Volumes,
    rows: IntArray,
    classes: IntArray,
    *,
    baselines: IntArray,
    method: str = "ig",
    seed: int = 0,
    device: str = "cpu",
) -> tuple[Randomised, ...]:
    """Make layers random from the output down and compare maps.

    Parameters
    ----------
    fitted
        A trained network.
    volumes, rows, classes, baselines, device
        As in `integrated_gradients`.
    method
        ``ig`` or ``gradcam``.
    seed
        Of the random weights.

    Returns
    -------
    tuple of Randomised
        From the output layer to the first one.

    Notes
    -----
    Source: Adebayo et al. 2018, Sanity checks for saliency maps, NeurIPS.
    """
    network = fitted.network(device)
    reference = _attribute(network, volumes, rows, classes, method, baselines, 8, device)
    changed = copy.deepcopy(network)
    layers = [
        (name, layer)
        for name, layer in changed.named_modules()
        if isinstance(layer, nn.Conv3d | nn.Linear)
    ]
    out = []
    for depth, (name, layer) in enumerate(reversed(layers)):
        initialise(layer, seed + depth)
        found = _attribute(changed, volumes, rows, classes, method, baselines, 8, device)
        out.append(Randomised(name, map_similarity(reference, found)))
    return tuple(out)


def map_similarity(a: FloatArray, b: FloatArray) -> float:
    """Mean over rows of Spearman's correlation of absolute maps (n, n_voxels); NaN if constant.

    Compare maps of networks trained on true and on shifted labels with it: the label
    randomisation check.
    """
    x, y = (rankdata(np.abs(maps), axis=1) for maps in (np.atleast_2d(a), np.atleast_2d(b)))
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    norms = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    known = norms > 0
    return float(np.mean((x * y).sum(axis=1)[known] / norms[known])) if known.any() else np.nan


def hidden_vectors(
    fitted: Fitted, volumes: Volumes, rows: IntArray, *, device: str = "cpu"
) -> FloatArray:
    """Hidden vector of each volume, (n_rows, n_hidden); of one network: they differ by fold."""
    network, index, out = fitted.network(device), volumes.index(device), []
    with torch.no_grad():
        for start in range(0, len(rows), 32):
            values = volumes.values(rows[start : start + 32]).to(device)
            out.append(network.hidden(scatter(values, index, volumes.shape)).cpu().numpy())
    return np.concatenate(out).astype(np.float64)


def _attribute(
    network: Network3d,
    volumes: Volumes,
    rows: IntArray,
    classes: IntArray,
    method: str,
    baselines: IntArray,
    n_steps: int,
    device: str,
) -> FloatArray:
    if method == "gradcam":
        return grad_cam(network, volumes, rows, classes, device=device)
    return integrated_gradients(
        network, volumes, rows, classes, baselines=baselines, n_steps=n_steps, device=device
    )


def _winner(log_proba: FloatArray) -> IntArray:
    known = np.isfinite(log_proba).all(axis=1)
    return np.where(known, np.nan_to_num(log_proba, nan=-np.inf).argmax(axis=1), -1)


def _spread(rows: IntArray, most: int) -> IntArray:
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
