"""The truth beside the data: what was planted, written and read back.

``derivatives/truth`` holds ``truth.json`` (design, options and what else the design has to say),
``features.npz`` (features of every layer, where a network is planted), for each participant the
schedule (``sub-01/sub-01_truth.json``), and for each participant and space
``sub-01/sub-01_space-X_truth.npz`` with, over the flattened grid of the space's files (voxels in C
order; left vertices, then right ones),

- ``layer``: planted layer, 1-based; 0 in planted-null tissue; -1 outside the brain or cortex;
- ``snr``: standard deviation of signal over noise (drift not counted);
- ``slice_time_s``: time of the unit's slice since its volume began, where slice times are not
  corrected.

A design that plants no layers has ``planted`` (1, 0, -1) in the place of ``layer``, and maps of
its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputMissingError
from bidsapp.simulate import files
from bidsapp.simulate.signals import LayerFeatures, Playing
from bidsapp.simulate.spaces import Space
from bidsapp.simulate.study import ScheduledRun, Study
from bidsapp.simulate.tree import BIDS_VERSION, GENERATOR

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
    facts
        Content of ``truth.json``.
    """

    folder: Path
    facts: dict[str, Any]

    @property
    def design(self) -> str:
        """What was simulated."""
        return str(self.facts["design"])

    @property
    def options(self) -> dict[str, Any]:
        """As given to the simulation."""
        return dict(self.facts["options"])

    @property
    def ratings(self) -> dict[str, int]:
        """Rating to the 1-based layer that drives it."""
        return dict(self.facts.get("ratings", {}))

    @cached_property
    def features(self) -> LayerFeatures:
        """Layer features, of a design that plants a network."""
        return _read_features(self.folder, self.facts)

    def runs(self, subject: str) -> tuple[ScheduledRun, ...]:
        """Return the schedule of one participant (label without ``sub-``)."""
        path = self.folder / f"sub-{subject}" / f"sub-{subject}_truth.json"
        return tuple(
            ScheduledRun(**{**run, "playing": tuple(Playing(**item) for item in run["playing"])})
            for run in json.loads(path.read_text())["runs"]
        )

    def slice_times(self, subject: str, space: str) -> npt.NDArray[np.float64] | None:
        """Return (n_grid,) s since the volume began; None where slice times are corrected."""
        with np.load(self.maps()[subject, space]) as arrays:
            return arrays["slice_time_s"].astype(np.float64) if "slice_time_s" in arrays else None

    def maps(self) -> dict[tuple[str, str], Path]:
        """Return (participant label, space) to the file with its planted map."""
        found = {}
        for path in sorted(self.folder.glob("sub-*/sub-*_space-*_truth.npz")):
            subject, space, _ = path.name.split("_")
            found[subject.removeprefix("sub-"), space.removeprefix("space-")] = path
        return found


def write_study(folder: Path, study: Study) -> None:
    """Write the part of the truth that all participants share."""
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
    options = {
        "design": study.options.design,
        "options": asdict(study.options),
        "conditions": asdict(study.options.conditions),
    }
    files.write_json(folder / "truth.json", options | study.facts())


def feature_facts(features: LayerFeatures) -> dict[str, Any]:
    """Say for ``truth.json`` which network is planted."""
    return {
        "network": features.network,
        "layers": list(features.layers),
        "pieces": list(features.pieces),
    }


def write_features(folder: Path, features: LayerFeatures) -> None:
    """Write what was planted of every layer."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {
        f"scores_{number:02d}": scores.astype(np.float32)
        for number, scores in enumerate(features.scores, start=1)
    }
    arrays["frame_piece"] = features.frame_piece
    arrays["frame_time_s"] = features.frame_time_s
    np.savez_compressed(folder / "features.npz", **arrays)


def write_person(folder: Path, label: str, runs: Sequence[ScheduledRun]) -> None:
    """Write the schedule of one participant."""
    content = {"runs": [asdict(run) for run in runs]}
    files.write_json(folder / f"sub-{label}" / f"sub-{label}_truth.json", content)


def write_maps(
    folder: Path, label: str, space: Space, maps: Mapping[str, npt.NDArray[Any]]
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
    maps
        Name to (n_units,) or (n_maps, n_units): integers or floats.
    """
    whole: dict[str, Any] = {}
    for name, values in maps.items():
        is_float = np.issubdtype(values.dtype, np.floating)
        grid = np.full((*values.shape[:-1], space.n_grid), np.nan if is_float else -1)
        grid[..., space.index] = values
        whole[name] = grid.astype(np.float32 if is_float else np.int16)
    path = folder / f"sub-{label}" / f"sub-{label}_space-{space.name}_truth.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **whole)


def read_map(path: Path) -> PlantedMap:
    """Read the map of planted layers."""
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
    return Truth(folder, json.loads((folder / "truth.json").read_text()))


def _read_features(folder: Path, facts: Mapping[str, Any]) -> LayerFeatures:
    path = folder / "features.npz"
    if not path.exists():
        msg = f"{path}: not found; the design {facts['design']} plants no network"
        raise InputMissingError(msg)
    with np.load(path) as arrays:
        names = [f"scores_{number:02d}" for number in range(1, len(facts["layers"]) + 1)]
        return LayerFeatures(
            network=facts["network"],
            layers=tuple(facts["layers"]),
            pieces=tuple(facts["pieces"]),
            frame_piece=arrays["frame_piece"],
            frame_time_s=arrays["frame_time_s"],
            scores=tuple(arrays[name].astype(np.float64) for name in names),
        )
