"""What the participant level has computed, before it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.clean import BoldMatrix
from bidsapp.features.extract import FeatureBank
from bidsapp.recipes.gradients.encode import Encoding
from bidsapp.recipes.gradients.ratings import RatingScores
from bidsapp.recipes.gradients.rows import Rows
from bidsapp.recipes.gradients.summaries import Parcels, ParcelTest


@dataclass(frozen=True)
class NetworkResult:
    """What one network gives for one set of lags.

    Attributes
    ----------
    bank
        The network's frames.
    rows
        Rows, blocks and folds.
    units, parcels
        Scores of units and of parcel means.
    test
        Parcels against their temporal null.
    explained
        Variance in the components of each layer.
    ratings
        Scores of the ratings.
    """

    bank: FeatureBank
    rows: Rows
    units: Encoding
    parcels: Encoding
    test: ParcelTest
    explained: tuple[float, ...]
    ratings: tuple[RatingScores, ...]


@dataclass(frozen=True)
class Results:
    """Everything one analysis has found.

    Attributes
    ----------
    bold
        The matrix that was analysed.
    parcels
        Parcels of the subject-level test.
    parcel_means
        (n_trs_total, n_parcels) cleaned BOLD averaged over parcels.
    networks
        One result per network and set of lags.
    ceiling
        (n_units,) noise ceiling as a correlation, or None without repeats.
    significance
        Level at which a parcel counts as responding.
    device
        Where it was computed.
    """

    bold: BoldMatrix
    parcels: Parcels
    parcel_means: NDArray[np.float32]
    networks: tuple[NetworkResult, ...]
    ceiling: NDArray[np.floating[Any]] | None
    significance: float
    device: str
