"""What one participant's analysis has found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.clean import BoldMatrix
from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.recipes.rsa.items import Items
from bidsapp.recipes.rsa.layer_models import LayerModels
from bidsapp.recipes.rsa.nuisances import Nuisances
from bidsapp.stats.metrics import best_layer, centroid_layer
from bidsapp.stats.rsa.inference import ClipTest

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NetworkResult:
    """Scores of one network; maps are (n_layers, n_units), NaN where there is no searchlight.

    Attributes
    ----------
    models
        Its model RDMs.
    score
        Comparison given the nuisance RDMs, if there are any.
    raw
        Comparison without them.
    untrained
        (n_seeds, n_layers, n_units) the score of networks with random weights; no seeds if the
        network has no weights or none were asked for.
    test
        By permutation of clips; None without permutations.
    null_maximum
        (n_permutations,) largest score over units and layers.
    expected_maximum
        (n_units,) mean over permutations of the largest score over layers.
    """

    models: LayerModels
    score: Floats
    raw: Floats
    untrained: NDArray[np.float32]
    test: ClipTest | None
    null_maximum: Floats
    expected_maximum: Floats

    def significant(self) -> NDArray[np.bool_]:
        """(n_units,) units that pass; none without a test."""
        return self.test.significant if self.test else np.zeros(self.score.shape[1], np.bool_)

    def shown(self, *, mask_maps: bool) -> NDArray[np.bool_] | None:
        """Units whose best layer is shown: all without a mask."""
        return self.significant() if mask_maps else None

    def best(self, *, mask_maps: bool) -> NDArray[np.int64]:
        """(n_units,) best layer from 1, 0 where it is not shown."""
        mask = self.shown(mask_maps=mask_maps)
        return np.asarray(best_layer(self.score, mask=mask), np.int64)

    def centroid(self, *, mask_maps: bool) -> Floats:
        """(n_units,) centroid layer, NaN where it is not shown."""
        mask = self.shown(mask_maps=mask_maps)
        return np.asarray(centroid_layer(self.score, mask=mask), np.float64)


@dataclass(frozen=True, eq=False)
class LagProfile:
    """Dissimilarity by distance in time.

    Attributes
    ----------
    lag_s, n_pairs
        (n_bins,) centre of the bin in s, and pairs in it.
    data
        (n_bins,) mean over searchlights.
    models
        (n_layers, n_bins) of the first network.
    """

    lag_s: Floats
    n_pairs: NDArray[np.int64]
    data: Floats
    models: Floats


@dataclass(frozen=True, eq=False)
class Results:
    """Everything that is written.

    Attributes
    ----------
    bold
        Clean BOLD.
    items, nuisances
        Rows of the matrices, and nuisance RDMs.
    pairs
        (n_pairs,) those that are compared.
    patterns
        (n_items, n_units).
    searchlights
        Centres and members.
    n_members
        (n_units,) members of the searchlight with data, NaN where there is none.
    mask_note
        Which mask was used.
    networks
        One result each.
    lag
        Lag profile.
    lag_score
        (n_units,) comparison of the searchlights with the time between items.
    n_permutations
        Done.
    device
        Where it was computed.
    """

    bold: BoldMatrix
    items: Items
    nuisances: Nuisances
    pairs: NDArray[np.bool_]
    patterns: NDArray[np.float32]
    searchlights: Neighbourhoods
    n_members: Floats
    mask_note: str
    networks: tuple[NetworkResult, ...]
    lag: LagProfile
    lag_score: Floats
    n_permutations: int
    device: str
