"""What the group level of one space has found, before it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.recipes.rsa.group.design import Design
from bidsapp.recipes.rsa.group.shape import Shape
from bidsapp.stats.rsa.inference import ClipTest, FaithfulTest

Floats = NDArray[np.float64]


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
    model, layers
        Name, and names of its layers.
    rho
        (n_participants, n_layers, n_units) scores given the nuisance RDMs.
    mean
        (n_layers, n_units) mean over participants.
    t
        (n_layers, n_units) one-sample t over participants; None with one participant.
    test
        By permutation of clips; None without permutations.
    null_maximum
        (n_permutations,) largest score over units and layers.
    expected
        (n_units,) mean over permutations of the largest mean score over layers.
    faithful
        Test of each participant's maximum over layers; None unless asked for and possible.
    expected_each
        (n_units,) mean over participants of their expected maximum under permutations.
    significant
        (n_units,) units that pass the test that was asked for.
    best, centroid, confidence
        (n_units,) best layer (0 undefined), centroid layer, and share of the bootstrap resamples
        of participants with the same best layer; NaN where no layer is shown.
    untrained
        None where participants have no untrained networks.
    shape
        Hemispheres, and the superior temporal gyrus.
    """

    model: str
    layers: tuple[str, ...]
    rho: NDArray[np.float32]
    mean: Floats
    t: Floats | None
    test: ClipTest | None
    null_maximum: Floats
    expected: Floats
    faithful: FaithfulTest | None
    expected_each: Floats
    significant: NDArray[np.bool_]
    best: NDArray[np.int64]
    centroid: Floats
    confidence: Floats
    untrained: Untrained | None
    shape: Shape

    @property
    def maxima(self) -> tuple[float, float]:
        """Mean over units of the largest mean score over layers, observed and under the null."""
        return mean_of(np.fmax.reduce(self.mean, axis=0)), mean_of(self.expected)

    @property
    def own_maxima(self) -> tuple[float, float]:
        """The same of each participant's own maximum, averaged over participants."""
        largest = np.fmax.reduce(self.rho, axis=1)
        return mean_of(largest), mean_of(self.expected_each)


@dataclass(frozen=True, eq=False)
class GroupResults:
    """Everything that is written for one space.

    Attributes
    ----------
    units
        Of the group.
    n
        (n_units,) participants with a searchlight at each unit.
    design
        Items, model and nuisance RDMs.
    n_searchlights
        Centres.
    ceiling_lower, ceiling_upper
        (n_units,) noise ceilings; NaN with one participant.
    networks
        One result each.
    n_permutations
        Done.
    dissimilarity
        Of the patterns.
    notes
        What has to be said: sentences.
    """

    units: UnitSpace
    n: NDArray[np.int64]
    design: Design
    n_searchlights: int
    ceiling_lower: Floats
    ceiling_upper: Floats
    networks: tuple[NetworkGroup, ...]
    n_permutations: int
    dissimilarity: str
    notes: tuple[str, ...] = field(default=())


def mean_of(values: NDArray[np.floating[Any]]) -> float:
    """Mean of what is known; NaN if nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
