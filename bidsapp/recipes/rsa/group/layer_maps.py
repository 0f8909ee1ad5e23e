"""From scores of searchlights to maps of layers: tests, best layers and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.maps import read_maps
from bidsapp.recipes.rsa.group.inputs import UNTRAINED, GroupInputs
from bidsapp.recipes.rsa.group.results import NetworkGroup, Untrained, mean_of
from bidsapp.recipes.rsa.group.search import GroupFound
from bidsapp.recipes.rsa.group.settings import GroupSettings
from bidsapp.recipes.rsa.group.shape import find_shape
from bidsapp.stats.bootstrap import best_layer_confidence, resample_counts
from bidsapp.stats.group import GroupMean
from bidsapp.stats.metrics import best_layer, centroid_layer
from bidsapp.stats.rsa.inference import FaithfulTest, clip_test, faithful_test

_CHUNK_BYTES = 64 << 20
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LayerMaps:
    """Turns scores of centres into the results of networks.

    Attributes
    ----------
    inputs
        Participants and networks.
    units
        Of the group.
    centres
        (n_centres,) units.
    settings, seed
        Of the group level.
    """

    inputs: GroupInputs
    units: UnitSpace
    centres: NDArray[np.integer]
    settings: GroupSettings
    seed: int

    def on_units(self, values: NDArray[np.floating]) -> Floats:
        """Spread values (..., n_centres) over the units, NaN elsewhere."""
        out = np.full((*values.shape[:-1], self.units.n_units), np.nan, dtype=values.dtype)
        out[..., self.centres] = values
        return out

    def network(self, model: str, number: int, family: slice, found: GroupFound) -> NetworkGroup:
        """Test one network and find its layers.

        Parameters
        ----------
        model
            Its name.
        number, family
            Its place among the networks, and its rows among the models.
        found
            Scores of all centres.
        """
        settings = self.settings
        rho: NDArray[np.float32] = self.on_units(found.rho[:, family])  # type: ignore[assignment]
        mean = self.on_units(found.observed[family])
        lower = self.on_units(found.ceiling_lower)
        n_people = len(rho)
        test = None
        if found.maximum.shape[1]:
            exceed = np.zeros(mean.shape, dtype=np.int64)
            exceed[:, self.centres] = found.exceed[family]
            test = clip_test(mean, exceed, found.maximum[number], level=settings.significance)
        is_faithful = settings.test == "maximum-t"
        faithful = None
        if is_faithful and n_people > 1:
            faithful = faithful_test(rho, level=settings.significance)
        significant = np.zeros(mean.shape[1], dtype=np.bool_)
        passed = faithful if is_faithful else test
        if passed is not None:
            significant = passed.significant
        shown = significant
        if settings.ceiling_above_zero and n_people > 1:
            shown = significant & (lower > 0)
        best, centroid = _layers(mean, shown, faithful)
        agree = np.asarray(lower > 0 if n_people > 1 else np.isfinite(mean).any(axis=0))
        return NetworkGroup(
            model=model,
            layers=self.inputs.models[model],
            rho=rho,
            mean=mean,
            t=_student_t(rho) if n_people > 1 else None,
            test=test,
            null_maximum=found.maximum[number],
            expected=self.on_units(found.expected[number]),
            faithful=faithful,
            expected_each=self.on_units(found.expected_each[number]),
            significant=significant,
            best=best,
            centroid=centroid,
            confidence=self._confidence(rho, best > 0),
            untrained=self._untrained(model),
            shape=find_shape(rho, best, agree, self.units, settings, self.seed),
        )

    def _confidence(self, rho: NDArray[np.float32], shown: Mask) -> Floats:
        """How often redrawn participants have the best layer of the mean, where it is shown."""
        n_people, n_layers, n_units = rho.shape
        out = np.full(n_units, np.nan)
        n_resamples = self.settings.n_bootstrap
        if n_people < 2 or n_resamples < 1:
            return out
        counts = resample_counts(n_people, n_resamples, self.seed)
        units = np.flatnonzero(shown)
        at_once = max(1, _CHUNK_BYTES // (8 * n_resamples * n_layers))
        for start in range(0, units.size, at_once):
            here = units[start : start + at_once]
            out[here] = best_layer_confidence(rho[:, :, here], counts)[1]
        return out

    def _untrained(self, model: str) -> Untrained | None:
        """Average participants' own scores of untrained networks."""
        if not self.inputs.has_untrained(model):
            return None
        shape = len(self.inputs.models[model]), self.units.n_units
        mean, difference, participants = GroupMean(shape), GroupMean(shape), []
        for one in self.inputs.participants:
            trained, untrained = (
                read_maps(self.inputs.scores(one, model, desc), self.units).values
                for desc in ("rsa", UNTRAINED)
            )
            mean.add(untrained)
            difference.add(trained - untrained)
            participants.append([mean_of(row) for row in trained - untrained])
        return Untrained(mean.mean, difference.mean, np.array(participants))


def _layers(
    mean: Floats, shown: Mask, faithful: FaithfulTest | None
) -> tuple[NDArray[np.int64], Floats]:
    """Best and centroid layer where they are shown; the paper's averages layer numbers."""
    if faithful is None:
        best = np.asarray(best_layer(mean, mask=shown), np.int64)
        return best, np.asarray(centroid_layer(mean, mask=shown), np.float64)
    centroid = np.where(shown, faithful.mean_layer, np.nan)
    return np.where(shown, np.rint(np.nan_to_num(centroid)), 0).astype(np.int64), centroid


def _student_t(rho: NDArray[np.float32]) -> Floats:
    """One-sample t over participants, (n_layers, n_units)."""
    group = GroupMean(rho.shape[1:])
    for one in rho:
        group.add(one)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(group.mean / group.sd * np.sqrt(group.n))
