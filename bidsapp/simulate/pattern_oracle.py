"""What a plain searchlight analysis that knows the design gets out of clips.

It knows which units carry signal (spheres hold no others), the haemodynamic response, and that
patterns are as far apart as responses of standardised channels are; it cleans with the confounds
that were mixed in, keeps every volume of every clip from 12 s on, and removes nothing else. It
shares no code with the app.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.stats import rankdata

from bidsapp.simulate.oracle import clean_runs
from bidsapp.simulate.patterns import principal_courses
from bidsapp.simulate.planted import Truth
from bidsapp.simulate.signals import response_matrix
from bidsapp.simulate.spaces import Space
from bidsapp.simulate.study import ScheduledRun

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_DROP_S = 12.0
_N_NEAR = 100
_N_COMPONENTS = 50


def pattern_scores(
    data_dir: Path, truth: Truth, subject: str, space: Space, units: Ints, centres: Ints
) -> Floats:
    """Rank correlation of searchlights and layers.

    Parameters
    ----------
    data_dir
        Simulated dataset.
    truth
        Of this dataset.
    subject, space
        Participant label and space.
    units
        (n_planted,) places in the flattened grid of all units that carry signal.
    centres
        (n_centres,) positions within `units` of the searchlights' centres.

    Returns
    -------
    Floats
        (n_layers, n_centres) Spearman correlation over pairs of volumes of different clips.
    """
    runs = truth.runs(subject)
    bold = clean_runs(data_dir, runs, subject, space.name, units)
    averaging, clip = clip_volumes(runs)
    first, second = np.triu_indices(len(clip), 1)
    between = clip[first] != clip[second]
    pairs = first[between], second[between]
    features = truth.features
    responses = [response_matrix(run.times_s, run.playing, features) for run in runs]
    matrix = averaging @ np.concatenate(responses)
    models = np.array(
        [
            _ranks(matrix @ principal_courses(channels, _N_COMPONENTS), pairs)
            for channels in features.scores
        ]
    )
    patterns = averaging @ bold
    places = np.full((space.n_grid, 3), np.nan)
    places[space.index] = space.coordinates_mm
    near = min(_N_NEAR, len(units))
    members = cKDTree(places[units]).query(places[units[centres]], k=near)[1]
    return np.array([models @ _ranks(patterns[:, own], pairs) for own in members]).T


def clip_volumes(runs: Sequence[ScheduledRun]) -> tuple[Floats, Ints]:
    """Average volumes that are equally late in the same clip.

    Returns
    -------
    averaging : Floats
        (n_items, n_trs of all runs) weights; rows sum to 1.
    clip : Ints
        (n_items,) clip of each item.
    """
    places: dict[tuple[int, int], list[int]] = {}
    n_before = 0
    for run in runs:
        for item in run.playing:
            since = run.times_s - item.onset_s
            for volume in np.flatnonzero((since >= _DROP_S) & (since < item.duration_s)):
                late = int((since[volume] - _DROP_S) / run.tr_s)
                places.setdefault((item.piece, late), []).append(n_before + int(volume))
        n_before += run.n_trs
    averaging = np.zeros((len(places), n_before))
    for row, key in enumerate(sorted(places)):
        averaging[row, places[key]] = 1 / len(places[key])
    return averaging, np.array([piece for piece, _ in sorted(places)])


def _ranks(patterns: Floats, pairs: tuple[Ints, Ints]) -> Floats:
    """Standardised ranks of dissimilarity, (n_pairs,): 1 - cosine around the mean over items."""
    centred = patterns - patterns.mean(axis=0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    ranks = rankdata(-(centred @ centred.T)[pairs])
    ranks -= ranks.mean()
    return np.asarray(ranks / np.linalg.norm(ranks))
