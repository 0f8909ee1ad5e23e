"""From scores of a group's searchlights to maps of layers: tests, best layers, confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.rsa.clip_tests import ClipTests, NetworkTest, mean_maxima, mean_of, on_units
from bidsapp.recipes.rsa.gyrus import Shape, find_shape
from bidsapp.recipes.rsa.results import SCORE, UNTRAINED
from bidsapp.recipes.rsa.search import GroupScores
from bidsapp.recipes.rsa.settings import GroupSettings
from bidsapp.stats.bootstrap import best_layer_confidence, resample_counts
from bidsapp.stats.group import GroupMean
from bidsapp.stats.metrics import best_layer, centroid_layer
from bidsapp.stats.rsa.inference import FaithfulTest, faithful_test

_CHUNK_BYTES = 64 << 20
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Untrained:
    """The same participants with untrained networks; scores are those of the participant level.

    Attributes
    ----------
    mean, difference
        (n_layers, n_units) mean of untrained networks over participants, and of trained minus
        untrained.
    participants
        (n_participants, n_layers) difference averaged over units.
    """

    mean: Floats
    difference: Floats
    participants: Floats


@dataclass(frozen=True, eq=False)
class NetworkGroup:
    """One network; maps are over the group's units, NaN where there is no searchlight.

    Attributes
    ----------
    name, layers
        Of the network, and of its layers.
    rho
        (n_participants, n_layers, n_units) scores given the nuisance RDMs.
    mean
        (n_layers, n_units) mean over participants.
    t
        (n_layers, n_units) one-sample t over participants; None with one participant.
    test, beyond
        By permutation of clips, None without permutations; and beyond acoustics, None where none
        can be removed.
    faithful
        Test of each participant's maximum over layers; None unless asked for and possible.
    is_tested
        Whether the test that was asked for was made: not without permutations, nor by the maximum
        of one participant.
    significant
        (n_units,) searchlights that pass it; none without a test.
    best, centroid, confidence
        (n_units,) best layer (0 undefined), centroid layer, and share of the bootstrap samples
        of participants with the same best layer; NaN where no layer is shown.
    untrained
        None where participants have no untrained networks.
    shape
        Hemispheres, and the superior temporal gyrus.
    """

    name: str
    layers: tuple[str, ...]
    rho: NDArray[np.float32]
    mean: Floats
    t: Floats | None
    test: NetworkTest | None
    beyond: NetworkTest | None
    faithful: FaithfulTest | None
    is_tested: bool
    significant: Mask
    best: NDArray[np.int64]
    centroid: Floats
    confidence: Floats
    untrained: Untrained | None
    shape: Shape

    @property
    def maxima(self) -> tuple[float, float]:
        """Mean over units of the largest score over layers, observed and under the null.

        Of each participant's own largest score where these are tested, else of mean scores.
        """
        test = self.test
        if self.faithful is None:
            return mean_maxima(self.mean, test)
        expected = float("nan") if test is None else mean_of(test.expected_each)
        return mean_of(np.fmax.reduce(self.rho, axis=1)), expected


def network_group(
    inputs: GroupInputs,
    units: UnitSpace,
    settings: GroupSettings,
    *,
    name: str,
    number: int,
    family: slice,
    scores: GroupScores,
    tests: ClipTests,
    centres: NDArray[np.integer],
    seed: int,
) -> NetworkGroup:
    """Test one network and find its layers.

    Parameters
    ----------
    inputs, units, settings
        Of the group level.
    name, number, family
        Of the network, its place among the networks, and its rows among the models.
    scores, tests
        Of all centres.
    centres
        (n_centres,) their places among the units.
    seed
        Names bootstrap samples and sign flips.
    """

    def spread(values: NDArray[np.floating]) -> Floats:
        return on_units(values, centres, units.n_units)

    competes = inputs.competes(name)
    rho: NDArray[np.float32] = spread(scores.rho[:, family])  # type: ignore[assignment]
    mean, lower = spread(scores.mean[family]), spread(scores.lower)
    several = len(rho) > 1
    faithful = None
    test, beyond = tests.of_network(number, family, centres, units.n_units, settings.significance)
    if settings.test == "maximum-t" and several:
        faithful = faithful_test(
            np.where(competes[:, None], rho, np.nan), level=settings.significance
        )
    of_clips = None if test is None else test.test
    passed = faithful if settings.test == "maximum-t" else of_clips
    significant = np.zeros(units.n_units, np.bool_) if passed is None else passed.significant
    shown = significant
    if settings.ceiling_above_zero and several:
        shown = significant & (lower > 0)
    best, centroid = _layers(mean, shown, competes, faithful)
    agree = np.asarray(lower > 0 if several else np.isfinite(mean).any(axis=0))
    return NetworkGroup(
        name=name,
        layers=inputs.networks[name],
        rho=rho,
        mean=mean,
        t=_student_t(rho) if several else None,
        test=test,
        beyond=beyond,
        faithful=faithful,
        is_tested=passed is not None,
        significant=significant,
        best=best,
        centroid=centroid,
        confidence=_confidence(rho, best > 0, competes, settings.n_bootstrap, seed),
        untrained=_untrained(inputs, units, name),
        shape=find_shape(rho, best, agree, competes, units, settings, seed),
    )


def _layers(
    mean: Floats, shown: Mask, competes: Mask, faithful: FaithfulTest | None
) -> tuple[NDArray[np.int64], Floats]:
    """Best and centroid layer where they are shown; the paper's averages layer numbers."""
    if faithful is None:
        best = np.asarray(best_layer(mean, mask=shown, competes=competes), np.int64)
        return best, np.asarray(centroid_layer(mean, mask=shown, competes=competes), np.float64)
    centroid = np.where(shown, faithful.mean_layer, np.nan)
    return np.where(shown, np.rint(np.nan_to_num(centroid)), 0).astype(np.int64), centroid


def _student_t(rho: NDArray[np.float32]) -> Floats:
    """One-sample t over participants, (n_layers, n_units)."""
    group = GroupMean(rho.shape[1:])
    for participant in rho:
        group.add(participant)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(group.mean / group.sd * np.sqrt(group.n))


def _confidence(
    rho: NDArray[np.float32], shown: Mask, competes: Mask, n_samples: int, seed: int
) -> Floats:
    """How often redrawn participants have the best layer of the mean, where it is shown."""
    n_participants, n_layers, n_units = rho.shape
    out = np.full(n_units, np.nan)
    if n_participants < 2 or n_samples < 1:
        return out
    counts = resample_counts(n_participants, n_samples, seed)
    units = np.flatnonzero(shown)
    at_once = max(1, _CHUNK_BYTES // (8 * n_samples * n_layers))
    for start in range(0, units.size, at_once):
        part = units[start : start + at_once]
        out[part] = best_layer_confidence(rho[:, :, part], counts, competes)[1]
    return out


def _untrained(inputs: GroupInputs, units: UnitSpace, network: str) -> Untrained | None:
    """Average participants' own scores of untrained networks."""
    people, at = inputs.participants, inputs.at
    if not all(person.written(UNTRAINED, at, network) for person in people):
        return None
    shape = len(inputs.networks[network]), units.n_units
    mean, difference, participants = GroupMean(shape), GroupMean(shape), []
    for person in people:
        trained, untrained = (
            person.values(item, at, network, units) for item in (SCORE, UNTRAINED)
        )
        mean.add(untrained)
        difference.add(trained - untrained)
        participants.append([mean_of(row) for row in trained - untrained])
    return Untrained(mean.mean, difference.mean, np.array(participants))
