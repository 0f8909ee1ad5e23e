"""A small recipe's results, written by the real writer: what the report library is tested with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.bids.atomic import write_json, write_tsv
from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace, surface_units, volume_units
from bidsapp.results.cautions import Caution, to_json
from bidsapp.results.kinds import (
    P_VALUE,
    Column,
    Labels,
    Maps,
    Mask,
    Result,
    Table,
    summary,
)
from bidsapp.results.read import Results
from bidsapp.results.write import Output

LAYERS = ("conv1", "pool1", "fc1")
SCORE = Maps(desc="toyscore", title="Score", says="Score of each layer.", stat="r", level="both")
P = Maps(desc="toyfwe", title="Family-wise p", says="p of each layer.", stat="p", scale=P_VALUE,
         level="group", by="sign_flip")  # fmt: skip
BEST = Labels(desc="toybest", title="Best layer", says="Layer with the largest score.")
PASSED = Mask(desc="toypassed", title="Significant", says="Units that pass.", by="circular_shift")
PARCELS = Table(
    desc="toyparcels",
    title="Parcels",
    says="One row per parcel.",
    columns=(
        Column("parcel", "name", text=True),
        Column("layer_index", digits=0),
        Column("layer", "best layer", title="best layer", text=True),
        Column("r", "largest score"),
        Column("p_fwe", "family-wise p", title="p family-wise", by="circular_shift"),
        Column("radius_mm", "radius", title="radius", digits=1, unit="mm"),
        Column("note", "remark", prose=True),
    ),
)
PARTICIPANTS = Table(
    desc="toyparticipants",
    title="Participants",
    says="Who takes part.",
    level="group",
    by_network=False,
    columns=(
        Column("participant", text=True),
        Column("included"),
        Column("n_trs", title="volumes", digits=0),
        Column("reason", title="why not", prose=True),
    ),
)
CATALOGUE: tuple[Result, ...] = (
    SCORE,
    P,
    BEST,
    PASSED,
    PARCELS,
    PARTICIPANTS,
    summary("toy", "participant"),
    summary("toy", "group"),
)
ROWS = pd.DataFrame(
    {
        "parcel": ["NA", "A1", "V1"],
        "layer_index": [3, 1, np.nan],
        "layer": ["fc1", "conv1", None],
        "r": [0.125, -0.05, np.nan],
        "p_fwe": [0.0025, 0.25, np.nan],
        "radius_mm": [6.25, 7.0, np.nan],
        "note": ["a < b", "", None],
    }
)
RANDOM = Caution("serious", "Random weights", "The network is untrained.")
FEW = Caution("caution", "Few pieces", "Only 3 pieces.")
LONG = Caution("note", "Similar layers", "Neighbours correlate at 0.95.")


def volume() -> UnitSpace:
    """The brain on 8 mm voxels."""
    affine = np.array([[8.0, 0, 0, -76], [0, 8, 0, -108], [0, 0, 8, -68], [0, 0, 0, 1]])
    shape = (20, 24, 20)
    middle = np.array(shape) / 2
    voxels = np.indices(shape).reshape(3, -1).T
    inside = (((voxels - middle) / (middle - 1)) ** 2).sum(axis=1) < 1
    return volume_units(inside.reshape(shape), affine, space="MNI152NLin2009cAsym", resolution="2")


def surface() -> UnitSpace:
    """fsaverage5."""
    return surface_units(10242, 10242, space="fsaverage5")


def scores_of(units: UnitSpace) -> np.ndarray[Any, Any]:
    """(3, n_units) scores, high in the front; NaN at the first unit."""
    y = units.coordinates_mm()[:, 1]
    scores = np.stack([0.1 * np.tanh((y - shift) / 30) for shift in (-40, 0, 40)])
    scores[:, 0] = np.nan
    return scores.astype(np.float32)


def write_toy(
    root: Path,
    spaces: Sequence[UnitSpace],
    *,
    subject: str = "01",
    cautions: Sequence[Sequence[Caution]] = ((RANDOM, FEW),),
    networks: Sequence[str] = ("vggish",),
    tested: bool = True,
) -> Results:
    """Write results of one participant, or of a group of two (no subject), and open them.

    `cautions` are those of each space, the last ones of all further spaces.
    """
    level = "participant" if subject else "group"
    for number, units in enumerate(spaces):
        with Staging(root, f"toy_{level}_{number}") as staging:
            common = {"Recipe": "toy", "ConfigurationHash": "abc123"}
            out = Output(staging, units, subject=subject, common=common)
            scores = scores_of(units)
            for network in networks:
                out.write(SCORE, scores, network=network, names=LAYERS)
                if not subject:
                    out.write(P, np.full_like(scores, 0.01), network=network, names=LAYERS)
                    continue
                best = np.where(np.isfinite(scores).all(axis=0), 1, 0)
                out.write(BEST, best, network=network, names=LAYERS)
                if tested:
                    out.write(PASSED, scores[0] > 0.05, network=network)
                rows = ROWS if tested else ROWS.assign(p_fwe=np.nan)
                out.write(PARCELS, rows, network=network)
            if not subject:
                rows = [
                    {"participant": "01", "included": True, "n_trs": 100, "reason": None},
                    {"participant": "02", "included": True, "n_trs": 90, "reason": None},
                    {"participant": "03", "included": False, "n_trs": None, "reason": "no layers"},
                ]
                out.write(PARTICIPANTS, rows)
            out.write(summary("toy", level), _summary(units, subject, networks, cautions, number))
            staging.publish()
    write_json(root / "dataset_description.json", {"Name": "toy study"})
    options = [
        {"recipe": "toy", "level": "participant", "option": "n_layers", "paper": "24",
         "used": "3", "source": "Methods", "why": "a toy"},
        {"recipe": "other", "level": "participant", "option": "alien", "paper": "1",
         "used": "1", "source": "Methods", "why": ""},
    ]  # fmt: skip
    write_tsv(root / "logs" / "fidelity.tsv", options, list(options[0]))
    return Results(root, "toy", CATALOGUE, subject)


def _summary(
    units: UnitSpace,
    subject: str,
    networks: Sequence[str],
    cautions: Sequence[Sequence[Caution]],
    number: int,
) -> dict[str, Any]:
    weights = {"source": "random", "seed": 0}
    of_level: dict[str, Any] = (
        {
            "subject": subject,
            "runs": [
                {"name": "task-a_run-1", "n_trs": 100, "tr_s": 2.0, "confounds": ["a", "b"],
                 "preprocessed": True},
            ],
        }
        if subject
        else {
            "participants": ["01", "02"],
            "left_out": [{"participant": "03", "reason": "no layers"}],
        }
    )  # fmt: skip
    return {
        "recipe": "toy",
        "variant": "robust",
        "version": "0.1",
        "level": "participant" if subject else "group",
        "space": units.space,
        "n_units": units.n_units,
        "settings": {"n_shifts": 99},
        "config": {"confounds": "none", "high_pass_hz": 0.01, "smoothing_fwhm_mm": 0.0,
                   "random_seed": 7, "device": "cpu"},
        "networks": {name: {"layers": LAYERS, "weights": weights} for name in networks},
        "cautions": to_json(cautions[min(number, len(cautions) - 1)]),
        **of_level,
    }  # fmt: skip
