"""What a plain analysis that knows the design gets out of the same data.

It knows the haemodynamic response, so that it needs no lags; it knows which units carry signal
and when each of them was measured; it cleans the data with the confounds that were mixed in (not
the responses: filtered together in a run, they would make its pieces depend on each other).
Beyond that: 50 components per layer, ridge, leave one piece out, penalty of each unit by an inner
loop of the same kind, correlation within each held-out presentation. It shares no code with the
app: where both recover the same, the app lost nothing; where the oracle fails, the data do not
hold more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from bidsapp.bids.names import build_path
from bidsapp.simulate.nuisance import MOTION
from bidsapp.simulate.participant import FMRIPREP
from bidsapp.simulate.planted import Truth
from bidsapp.simulate.signals import LayerFeatures, response_matrix
from bidsapp.simulate.study import ScheduledRun

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ALPHAS = np.logspace(-3, 2, 6)
_RISE_S = 5.0


def oracle_scores(data_dir: Path, truth: Truth, subject: str, space: str, units: Ints) -> Floats:
    """Score of every layer for some units of one participant.

    Parameters
    ----------
    data_dir
        Simulated dataset.
    truth
        Of this dataset.
    subject, space
        Participant label and space.
    units
        Places in the flattened grid of the space.

    Returns
    -------
    Floats
        (n_layers, n_units) mean correlation over held-out presentations.
    """
    runs = truth.runs(subject)
    bold = clean_runs(data_dir, runs, subject, space, units)
    times_s = truth.slice_times(subject, space)
    if times_s is None:
        return score_layers(truth.features, runs, bold)
    scores = np.empty((len(truth.features.layers), len(units)))
    for time_s in np.unique(times_s[units]):
        own = times_s[units] == time_s
        moved = [replace(run, start_s=float(time_s)) for run in runs]
        scores[:, own] = score_layers(truth.features, moved, bold[:, own])
    return scores


def score_layers(features: LayerFeatures, runs: Sequence[ScheduledRun], bold: Floats) -> Floats:
    """Score of every layer for clean targets.

    Parameters
    ----------
    features
        Components of the layers.
    runs
        Schedule.
    bold
        (n_trs of all runs, n_units).

    Returns
    -------
    Floats
        (n_layers, n_units).
    """
    rows, presentation, piece = music_rows(runs)
    responses = [response_matrix(run.times_s, run.playing, features) for run in runs]
    matrix = np.concatenate(responses)[rows]
    targets = _centre(bold[rows], presentation)
    with threadpool_limits(1):  # small matrices: more threads than one wait for each other
        layers = [
            _leave_piece_out(_centre(matrix @ scores, presentation), targets, presentation, piece)
            for scores in features.scores
        ]
    return np.array(layers)


def music_rows(runs: Sequence[ScheduledRun]) -> tuple[Ints, Ints, Ints]:
    """Volumes of all runs during which music has been on for 5 s.

    Returns
    -------
    rows, presentation, piece
        Volume number counted over all runs, presentation and piece, (n_rows,) each.
    """
    rows, presentations, pieces = [], [], []
    first = number = 0
    for run in runs:
        times = run.times_s
        for item in run.playing:
            since = times - item.onset_s
            found = np.flatnonzero((since >= _RISE_S) & (since < item.duration_s))
            rows.append(first + found)
            presentations.append(np.full(len(found), number))
            pieces.append(np.full(len(found), item.piece))
            number += 1
        first += run.n_trs
    return np.concatenate(rows), np.concatenate(presentations), np.concatenate(pieces)


def _leave_piece_out(x: Floats, y: Floats, presentation: Ints, piece: Ints) -> Floats:
    """Mean test correlation over pieces, (n_units,)."""
    total = np.zeros(y.shape[1])
    pieces = np.unique(piece)
    for held_out in pieces:
        train = piece != held_out
        inner = np.zeros((len(_ALPHAS), y.shape[1]))
        for validation in pieces[pieces != held_out]:
            fit, test = train & (piece != validation), piece == validation
            inner += _ridge_scores(x, y, fit, test, presentation)
        chosen = inner.argmax(axis=0)
        scores = _ridge_scores(x, y, train, ~train, presentation)
        total += np.take_along_axis(scores, chosen[None], axis=0)[0]
    return np.asarray(total / len(pieces))


def _ridge_scores(
    x: Floats,
    y: Floats,
    fit: npt.NDArray[np.bool_],
    test: npt.NDArray[np.bool_],
    presentation: Ints,
) -> Floats:
    """Correlation for every penalty and unit, (n_alphas, n_units)."""
    basis, values, loadings = np.linalg.svd(x[fit], full_matrices=False)
    projected = basis.T @ y[fit]
    probe = x[test] @ loadings.T
    power = np.sum(values**2) / len(values)
    scores = []
    for alpha in _ALPHAS:
        prediction = probe @ (projected * (values / (values**2 + alpha * power))[:, None])
        parts = [presentation[test] == number for number in np.unique(presentation[test])]
        scores.append(np.mean([_columns_r(prediction[p], y[test][p]) for p in parts], axis=0))
    return np.array(scores)


def _columns_r(one: Floats, other: Floats) -> Floats:
    a, b = one - one.mean(axis=0), other - other.mean(axis=0)
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.asarray((a * b).sum(axis=0) / np.where(scale > 0, scale, np.inf))


def _centre(data: Floats, groups: Ints) -> Floats:
    centred = data.copy()
    for group in np.unique(groups):
        centred[groups == group] -= centred[groups == group].mean(axis=0)
    return centred


def clean_runs(
    data_dir: Path, runs: Sequence[ScheduledRun], subject: str, space: str, units: Ints
) -> Floats:
    """Clean BOLD of some units.

    Parameters
    ----------
    data_dir
        Simulated dataset.
    runs
        Schedule.
    subject, space, units
        As for `oracle_scores`.

    Returns
    -------
    Floats
        (n_trs of all runs, n_units), z-scored in each run.
    """
    return np.concatenate([_clean_run(data_dir, subject, run, space, units) for run in runs])


def _clean_run(data_dir: Path, subject: str, run: ScheduledRun, space: str, units: Ints) -> Floats:
    import pandas as pd

    entities = {"sub": subject, **run.entities}
    root = data_dir / FMRIPREP
    bold = read_grid(bold_paths(root, entities, space))[units].T.astype(np.float64)
    names = build_path({**entities, "desc": "confounds"}, "timeseries", ".tsv")
    table = pd.read_table(root / names)
    columns = [*MOTION, *(f"{name}_derivative1" for name in MOTION), "csf", "white_matter"]
    columns += [name for name in table.columns if name.startswith("cosine")]
    nuisance = table[columns].fillna(0.0).to_numpy()
    nuisance = nuisance / np.maximum(nuisance.std(axis=0), 1e-12)
    basis, _ = np.linalg.qr(np.column_stack([np.ones(len(bold)), nuisance]))
    bold -= basis @ (basis.T @ bold)
    return np.asarray(bold / np.maximum(bold.std(axis=0), 1e-12))


def bold_paths(root: Path, entities: dict[str, str], space: str) -> list[Path]:
    """Return the BOLD files of one run in one space: one volume or two hemispheres."""
    if space == "fsaverage5":
        sides = [{**entities, "hemi": side, "space": space} for side in "LR"]
        return [root / build_path(side, "bold", ".func.gii") for side in sides]
    volume = {**entities, "space": space, "desc": "preproc"}
    return [root / build_path(volume, "bold", ".nii.gz")]


def read_grid(paths: Sequence[Path]) -> npt.NDArray[np.float32]:
    """Read maps or BOLD over the flattened grid: (n_grid, n_maps) float32.

    Parameters
    ----------
    paths
        One NIfTI volume, or the left and right GIFTI files.
    """
    if paths[0].name.endswith(".gii"):
        sides = [np.array([item.data for item in nib.load(path).darrays]).T for path in paths]
        return np.concatenate(sides).astype(np.float32)
    data = np.asarray(nib.load(paths[0]).dataobj, dtype=np.float32)
    return data.reshape(int(np.prod(data.shape[:3])), -1)
