"""The truth beside the data: what was planted, written and read back.

``derivatives/truth`` holds ``truth.json`` (options, layers, ratings), ``features.npz``
(components of every layer), for each participant the schedule (``sub-01/sub-01_truth.json``), and
for each participant and space ``sub-01/sub-01_space-X_truth.npz`` with, over the flattened grid
of the space's files (voxels in C order; left vertices, then right ones),

- ``layer``: planted layer, 1-based; 0 in planted-null tissue; -1 outside the brain or cortex;
- ``snr``: standard deviation of signal over noise (drift not counted).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputMissingError
from bidsapp.simulate import files
from bidsapp.simulate.ratings import PLANS
from bidsapp.simulate.signals import LayerFeatures, Playing
from bidsapp.simulate.spaces import Space
from bidsapp.simulate.topography import Topography
from bidsapp.simulate.tree import BIDS_VERSION, GENERATOR
from bidsapp.simulate.world import ScheduledRun, World

TRUTH = Path("derivatives") / "truth"


@dataclass(frozen=True)
class PlantedMap:
    """Truth of one participant in one space, over the flattened grid of its files.

    Attributes
    ----------
    layer
        (n_grid,) 1-based; 0 null tissue, -1 outside.
    snr
        (n_grid,).
    """

    layer: npt.NDArray[np.int64]
    snr: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """What all participants share.

    Attributes
    ----------
    folder
        Where it was read from.
    options
        As given to the simulation.
    features
        Layer components.
    ratings
        Rating to the 1-based layer that drives it.
    """

    folder: Path
    options: dict[str, Any]
    features: LayerFeatures
    ratings: dict[str, int]

    def runs(self, subject: str) -> tuple[ScheduledRun, ...]:
        """Return the schedule of one participant (label without ``sub-``)."""
        path = self.folder / f"sub-{subject}" / f"sub-{subject}_truth.json"
        return tuple(
            ScheduledRun(**{**run, "playing": tuple(Playing(**item) for item in run["playing"])})
            for run in json.loads(path.read_text())["runs"]
        )

    def maps(self) -> dict[tuple[str, str], Path]:
        """Return (participant label, space) to the file with its planted map."""
        found = {}
        for path in sorted(self.folder.glob("sub-*/sub-*_space-*_truth.npz")):
            subject, space, _ = path.name.split("_")
            found[subject.removeprefix("sub-"), space.removeprefix("space-")] = path
        return found


def write_world(folder: Path, world: World) -> None:
    """Write the part of the truth that all participants share."""
    n_layers = len(world.features.layers)
    files.write_json(
        folder / "dataset_description.json",
        {
            "Name": "Planted truth",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [GENERATOR],
        },
    )
    (folder / ".bidsignore").write_text("*_truth.*\ntruth.json\nfeatures.npz\n")
    files.write_json(
        folder / "truth.json",
        {
            "options": asdict(world.options),
            "network": world.features.network,
            "layers": list(world.features.layers),
            "pieces": list(world.features.pieces),
            "ratings": {plan.name: plan.layer_index(n_layers) + 1 for plan in PLANS},
        },
    )
    arrays: dict[str, Any] = {
        f"scores_{number:02d}": scores.astype(np.float32)
        for number, scores in enumerate(world.features.scores, start=1)
    }
    arrays["frame_piece"] = world.features.frame_piece
    arrays["frame_time_s"] = world.features.frame_time_s
    np.savez_compressed(folder / "features.npz", **arrays)


def write_person(folder: Path, label: str, runs: Sequence[ScheduledRun]) -> None:
    """Write the schedule of one participant."""
    content = {"runs": [asdict(run) for run in runs]}
    files.write_json(folder / f"sub-{label}" / f"sub-{label}_truth.json", content)


def write_map(
    folder: Path, label: str, space: Space, topography: Topography, strength: float
) -> None:
    """Write the truth of one participant in one space.

    Parameters
    ----------
    folder
        Of the truth.
    label
        Participant without ``sub-``.
    space
        Units and their places in the grid.
    topography
        What was planted.
    strength
        Signal-to-noise ratio where the amplitude is 1.
    """
    layer = np.full(space.n_grid, -1, dtype=np.int16)
    snr = np.full(space.n_grid, np.nan, dtype=np.float32)
    layer[space.index] = topography.layer
    snr[space.index] = strength * topography.amplitude
    path = folder / f"sub-{label}" / f"sub-{label}_space-{space.name}_truth.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, layer=layer, snr=snr)


def read_map(path: Path) -> PlantedMap:
    """Read what `write_map` wrote."""
    with np.load(path) as arrays:
        return PlantedMap(arrays["layer"].astype(np.int64), arrays["snr"].astype(np.float64))


def read_truth(data_dir: Path) -> Truth:
    """Read the truth of a simulated dataset.

    Raises
    ------
    InputMissingError
        The dataset has none.
    """
    folder = data_dir / TRUTH
    if not (folder / "truth.json").exists():
        msg = f"{folder / 'truth.json'}: not found; {data_dir} was not made by simulate"
        raise InputMissingError(msg)
    facts = json.loads((folder / "truth.json").read_text())
    with np.load(folder / "features.npz") as arrays:
        names = [f"scores_{number:02d}" for number in range(1, len(facts["layers"]) + 1)]
        features = LayerFeatures(
            network=facts["network"],
            layers=tuple(facts["layers"]),
            pieces=tuple(facts["pieces"]),
            frame_piece=arrays["frame_piece"],
            frame_time_s=arrays["frame_time_s"],
            scores=tuple(arrays[name].astype(np.float64) for name in names),
        )
    return Truth(folder, facts["options"], features, facts["ratings"])
