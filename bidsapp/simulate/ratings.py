"""Continuous ratings: what a listener's slider does while a layer is played."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsapp.bids.names import build_path
from bidsapp.simulate import files, signals
from bidsapp.simulate.nuisance import ar1
from bidsapp.simulate.study import ScheduledRun
from bidsapp.simulate.world import World

Floats = npt.NDArray[np.float64]

RATING_HZ = 10.0
_PHI = 0.97  # at 10 Hz: the slider's own wandering decays with 3 s


@dataclass(frozen=True, slots=True)
class RatingPlan:
    """A rating and the relative depth (0 to 1) of the layer that drives it."""

    name: str
    depth: float
    description: str

    def layer_index(self, n_layers: int) -> int:
        """Return the 0-based layer that drives the rating."""
        return round(self.depth * (n_layers - 1))


#: Source: poster, R2: felt emotionality peaks in superficial, enjoyment in middle layers.
PLANS = (
    RatingPlan("emotionality", 0.1, "Felt emotionality while listening"),
    RatingPlan("enjoyment", 0.5, "Enjoyment while listening"),
)


def rating_course(
    world: World, run: ScheduledRun, plan: RatingPlan, rng: np.random.Generator
) -> Floats:
    """Slider (0 to 100) over one run at 10 Hz; NaN while nothing is played.

    Parameters
    ----------
    world
        Features and planted directions.
    run
        What is played.
    plan
        Which layer drives it.
    rng
        Source of the listener's noise.

    Returns
    -------
    Floats
        (n_samples,).
    """
    times = np.arange(0, run.duration_s, 1 / RATING_HZ)
    index = plan.layer_index(len(world.features.layers))
    matrix = signals.response_matrix(times, run.playing, world.features, signals.rating_kernel)
    course = (matrix @ world.features.scores[index] @ world.weights[index]).sum(axis=1)
    heard = np.zeros(len(times), dtype=bool)
    for item in run.playing:
        heard |= (times >= item.onset_s) & (times < item.onset_s + item.duration_s)
    course /= max(float(course[heard].std()), 1e-12)
    noise = ar1(len(times), 1, _PHI, rng)[:, 0] / world.options.rating_snr
    slider = np.clip(50 + 12 * (course + noise), 0, 100)
    return np.where(heard, slider, np.nan)


def rate(out_dir: Path, label: str, world: World, rng: np.random.Generator) -> None:
    """Write the ratings of one participant, one recording per rating and run."""
    for run in world.runs:
        for plan in PLANS:
            entities = {"sub": label, **run.entities, "recording": plan.name}
            course = rating_course(world, run, plan, rng)
            path = out_dir / build_path(entities, "stim", ".tsv.gz")
            files.write_tsv_gz(path, np.round(course, 2)[:, None])
            metadata = {
                "SamplingFrequency": RATING_HZ,
                "StartTime": 0.0,
                "Columns": [plan.name],
                plan.name: {
                    "Description": plan.description,
                    "Minimum": 0,
                    "Maximum": 100,
                },
            }
            files.write_json(out_dir / build_path(entities, "stim", ".json"), metadata)
