"""Participants of `gradients` whose results the real writer wrote, and group analyses of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace
from bidsapp.config import Config
from bidsapp.recipes import RECIPES
from bidsapp.recipes.base.group import GroupInputs, collect_group
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.gradients import results
from bidsapp.recipes.gradients.group import group
from bidsapp.recipes.gradients.settings import GradientsGroupSettings, GradientsSettings
from bidsapp.results.write import Output

LAYERS = ("conv1", "conv2", "pool1", "conv3", "fc1", "fc2")
Scores = Mapping[tuple[str, str], np.ndarray]


def write_participant(
    output: Path,
    subject: str,
    units: UnitSpace,
    scores: Scores,
    *,
    layers: tuple[str, ...] = LAYERS,
) -> None:
    """Write what the group level reads of one participant.

    `scores` maps (network, lags) to r (n_layers, n_units).
    """
    networks = dict.fromkeys(network for network, _ in scores)
    lags = list(dict.fromkeys(label for _, label in scores))
    with Staging(output, f"gradients_sub-{subject}") as staging:
        common = {"ConfigurationHash": "aaaa1111"}
        out = Output(staging, units, subject=subject, common=common)
        for (network, label), r in scores.items():
            out.write(results.SCORE.of(label), r, network=network, names=layers)
        out.write(results.PARCEL_LABELS, np.ones(units.n_units, int), names=["parcel001"])
        heard = {"piece": "a.wav", "repeat": 1, "parcel001": 0.0}
        out.write(results.COURSES, [{**heard, "stim_time_s": time} for time in range(3)])
        content = {
            "space": units.space,
            "variant": "robust",
            "version": "0.1.0",
            "settings": asdict(GradientsSettings(networks=tuple(networks))),
            "config": {"random_seed": 0, "confounds": "none"},
            "networks": {
                name: {"layers": list(layers), "weights": {"source": "random", "seed": 0}}
                for name in networks
            },
            "conditions": lags,
            "n_rows": dict.fromkeys(lags, 384),
            "runs": [
                {"name": f"sub-{subject}_task-music", "n_trs": 248, "tr_s": 2.0, "confounds": []}
            ],
        }
        out.write(results.SUMMARY, content)
        staging.publish()


def collect(output: Path, **config: Any) -> GroupInputs:
    """Collect the one group of an output folder."""
    dataset = Dataset(bids_dir=output, root=output, fmriprep=None, layout="raw")
    chosen = Config(bids_dir=output, output_dir=output, analysis_level=("group",), **config)
    (inputs,) = collect_group(RECIPES["gradients"], dataset, (), chosen)
    return inputs


def analyse(
    inputs: GroupInputs, target: Path, settings: GradientsGroupSettings, **config: Any
) -> Path:
    """Analyse a group and return the folder of its results."""
    output = inputs.participants[0].root
    chosen = Config(
        bids_dir=output,
        output_dir=output,
        analysis_level=("group",),
        device="cpu",
        nprocs=1,
        quiet=True,
        **config,
    )
    dataset = Dataset(bids_dir=output, root=output, fmriprep=None, layout="raw")
    with Staging(target, "gradients_group") as staging:
        work = target / ".work"
        group(
            GroupStudy("gradients", dataset, chosen, settings, inputs, "cafe0001", staging, work)
        )
        staging.publish()
    return target / "group"
