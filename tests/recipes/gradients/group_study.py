"""Participants of `gradients` whose tuning follows gradient 1, and the real group level on them.

Participants are written by the real writer, with the declared results that the group needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.bids.atomic import write_json, write_tsv
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace, surface_units, volume_units
from bidsapp.brain.references import reference_map
from bidsapp.config import Config
from bidsapp.recipes import RECIPES
from bidsapp.recipes.base.group import collect_group
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.group import group
from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.results.cautions import Caution, to_json
from bidsapp.results.read import Results
from bidsapp.results.write import Output

LAYERS = (
    *("InputBatch", "conv1", "relu", "pool1", "conv2", "relu2", "pool2"),
    *("conv3_1", "relu3_1", "conv3_2", "relu3_2", "pool3"),
    *("conv4_1", "relu4_1", "conv4_2", "relu4_2", "pool4"),
    *("fc1_1", "relu5_1", "fc1_2", "relu5_2", "fc2", "EmbeddingBatch", "output"),
)
BASELINE = ("mel", "loudness", "spectral")
RECIPE = RECIPES["gradients"]
N_PARCELS = 30
N_ROWS, N_COPIES = 240, 99
EARS = np.array([52.0, -20.0, 8.0])
SMALL = {"n_rotations": 199, "n_swapped_rotations": 49, "n_bootstrap": 100, "n_flips": 64}


def fsaverage5() -> UnitSpace:
    """Vertices of fsaverage5."""
    return surface_units(10242, 10242, space="fsaverage5", density="10k")


def mni() -> UnitSpace:
    """Coarse voxels (6 mm) of an ellipsoid the size of a brain."""
    affine = np.diag([6.0, 6.0, 6.0, 1.0])
    affine[:3, 3] = [-78, -112, -70]
    places = np.indices((27, 33, 27)).reshape(3, -1).T * 6.0 + affine[:3, 3]
    inside = (((places - [0, -18, 8]) / [72, 90, 70]) ** 2).sum(axis=1) < 1
    return volume_units(inside.reshape(27, 33, 27), affine, space="MNI152NLin2009cAsym")


class Participants:
    """Writes what the group level reads of participants."""

    def __init__(self, output: Path, units: UnitSpace, *, effect: float, ratings: bool) -> None:
        self.output, self.units = output, units
        self.effect, self.ratings = effect, ratings
        self.points = np.nan_to_num(units.coordinates_mm())
        beside = np.abs(self.points) * [1, 0, 0] + self.points * [0, 1, 1] - EARS
        distance = np.linalg.norm(beside, axis=1)
        self.strength = 0.25 + np.exp(-((distance / 45) ** 2))
        if units.kind == "gifti":
            gradient = reference_map("gradient1", units)
            self.known = np.isfinite(gradient)
            rank = np.nan_to_num(gradient).argsort().argsort() / len(gradient)
        else:
            self.known = np.ones(units.n_units, bool)
            rank = np.clip(distance / 110, 0, 1)
        self.tuning = 2 + 20 * rank
        centres = self.points[self.known][:: max(1, int(self.known.sum()) // N_PARCELS)]
        gaps = np.stack([np.linalg.norm(self.points - centre, axis=1) for centre in centres])
        self.parcels = np.where(self.known, gaps.argmin(axis=0) + 1, 0)
        self.shared = np.random.default_rng(99).standard_normal((N_ROWS, len(centres)))

    def write(self, subject: str) -> None:
        """Write one participant."""
        random = np.random.default_rng(int(subject))
        common = {"ConfigurationHash": "aaaa1111", "Recipe": "gradients"}
        with Staging(self.output, f"gradients_sub-{subject}") as staging:
            out = Output(staging, self.units, subject=subject, common=common)
            for network, layers in (("vggish", LAYERS), ("baseline", BASELINE)):
                for lags in declared.LAGS:
                    scores = self._scores(network, layers, lags, random)
                    out.write(declared.SCORE.of(lags), scores, network=network, names=layers)
                    if lags == "positive":
                        displaced = self._displaced(scores, random)
                        out.arrays(declared.NULL_SCORES, displaced, network=network)
                        if network != "baseline":
                            out.arrays(declared.BEYOND_SCORES, displaced, network=network)
            names = [f"parcel{number:03d}" for number in range(1, self.shared.shape[1] + 1)]
            out.write(declared.PARCEL_LABELS, self.parcels, names=names)
            out.write(declared.COURSES, list(self._courses(names, random)))
            out.write(declared.ALIGNMENT, [self._heard()])
            for network, layers in (("vggish", LAYERS), ("baseline", BASELINE)):
                profile = [dict.fromkeys(_names(declared.PROFILE), np.nan) | {
                    "lags": "positive", "layer": layer, "layer_index": number, "kind": "conv",
                    "explained_variance": 0.8,
                } for number, layer in enumerate(layers, start=1)]  # fmt: skip
                out.write(declared.PROFILE, profile, network=network)
            if self.ratings:
                out.write(declared.RATINGS, list(self._ratings(subject, random)), network="vggish")
                displaced_ratings = list(self._ratings_null(subject, random))
                out.write(declared.RATINGS_NULL, displaced_ratings, network="vggish")
            out.write(declared.SUMMARY, self._summary(subject))
            staging.publish()

    def _scores(
        self, network: str, layers: tuple[str, ...], lags: str, random: np.random.Generator
    ) -> np.ndarray[Any, Any]:
        index = np.arange(1, len(layers) + 1)[:, None] * (1 if network == "vggish" else 4)
        shape = np.exp(-(((index - self.tuning - random.normal(0, 1.5)) / 8) ** 2))
        height = self.effect * (lags == "positive")
        noise = random.normal(0, 0.03, (len(layers), self.units.n_units))
        noise += random.normal(0, 0.02, self.units.n_units)
        r = np.where(self.known, height * shape * self.strength + noise, np.nan)
        return r.astype(np.float32)

    def _displaced(
        self, scores: np.ndarray[Any, Any], random: np.random.Generator
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Scores of parcels, and of the same with the music displaced: noise."""
        numbers = range(1, self.shared.shape[1] + 1)
        means = [np.nanmean(scores[:, self.parcels == number], axis=1) for number in numbers]
        observed = np.stack(means, axis=1).astype(np.float32)
        null = random.normal(0, 0.03, (N_COPIES, *observed.shape))
        return {"observed": observed, "null": null.astype(np.float16)}

    def _courses(self, names: list[str], random: np.random.Generator) -> Iterator[dict[str, Any]]:
        noise = random.standard_normal(self.shared.shape) * np.linspace(1, 4, len(names))
        for number, row in enumerate(self.shared + noise):
            place = {"piece": "happy.wav", "repeat": 1, "stim_time_s": float(number)}
            yield place | dict(zip(names, map(float, row), strict=True))

    def _heard(self) -> dict[str, Any]:
        known = {"run": "task-happy", "stim_file": "happy.wav", "duration_s": 168.0, "tr_s": 1.0}
        known |= {"sound_s": 168.0, "n_trs": 180, "scan_s": 180.0, "n_rows": 158}
        return dict.fromkeys(_names(declared.ALIGNMENT), np.nan) | known

    def _ratings(self, subject: str, random: np.random.Generator) -> Iterator[dict[str, Any]]:
        for rating, peak in (("emotionality", 5), ("enjoyment", 14)):
            for lags, height in (("positive", 0.35), ("negative", 0.02)):
                own = random.normal(0, 0.08)
                for number, layer in enumerate(LAYERS, start=1):
                    r = height * np.exp(-(((number - peak) / 6) ** 2)) + own
                    yield {"lags": lags, "rating": rating, "rater": f"sub-{subject}",
                           "layer": layer, "layer_index": number, "piece": "mean", "r": r,
                           "p": 0.1}  # fmt: skip

    def _ratings_null(self, subject: str, random: np.random.Generator) -> Iterator[dict[str, Any]]:
        for rating in ("emotionality", "enjoyment"):
            for copy, shared in enumerate(np.linspace(-0.25, 0.25, 39), start=1):
                own = random.normal(shared, 0.05, len(LAYERS))
                for number, (layer, r) in enumerate(zip(LAYERS, own, strict=True), start=1):
                    yield {"lags": "positive", "rating": rating, "rater": f"sub-{subject}",
                           "copy": copy, "layer": layer, "layer_index": number,
                           "r": float(r)}  # fmt: skip

    def _summary(self, subject: str) -> dict[str, Any]:
        settings = vars(RECIPE.variants["robust"])
        weights = {"vggish": {"source": "random", "seed": 0}, "baseline": {"source": "none"}}
        layers = {"vggish": LAYERS, "baseline": BASELINE}
        runs = (("happy", 180), ("sadshort", 256), ("sadlong", 515))
        random = Caution("serious", "Random weights (vggish)", "The network is untrained.")
        return {
            "recipe": "gradients", "variant": "robust", "version": "0.1.0", "level": "participant",
            "subject": subject,
            "space": "fsaverage5" if self.units.kind == "gifti" else self.units.space,
            "settings": settings,
            "config": {"random_seed": 0, "high_pass_hz": 1 / 128, "smoothing_fwhm_mm": 0.0,
                       "confounds": "none", "solver": "gram"},
            "networks": {name: {"layers": layers[name], "weights": weights[name]}
                         for name in layers},
            "n_units": self.units.n_units, "n_folds": 3, "block_kind": "presentation",
            "units_hash": self.units.identity(),
            "n_rows": {"positive": 911, "negative": 911},
            "runs": [{"name": f"task-{name}", "n_trs": n_trs, "tr_s": 1.0, "confounds": [],
                      "preprocessed": True} for name, n_trs in runs],
            "cautions": to_json([random]),
        }  # fmt: skip


def _names(result: Any) -> list[str]:
    return [column.name for column in result.columns]


def analyse_group(
    root: Path,
    *,
    n: int = 6,
    units: UnitSpace | None = None,
    effect: float = 0.12,
    ratings: bool = True,
    left_out: bool = True,
    **settings: Any,
) -> Results:
    """Write participants, run the group level on them, and open its results.

    Parameters
    ----------
    root
        Empty folder.
    n
        Number of participants.
    units
        fsaverage5 when None.
    effect
        Height of the planted scores.
    ratings, left_out
        Whether there are ratings, and a participant who could not be analysed.
    **settings
        Of the group level.
    """
    output = root / "out"
    people = Participants(output, units or fsaverage5(), effect=effect, ratings=ratings)
    for number in range(1, n + 1):
        people.write(f"{number:02d}")
    write_json(output / "dataset_description.json", {"SourceDatasets": [{"Name": "Three pieces"}]})
    option = {"recipe": "gradients", "level": "group", "option": "spin_statistic",
              "paper": "not stated", "used": "spearman", "source": "Figure 5",
              "why": "layers are ordinal"}  # fmt: skip
    write_tsv(output / "logs" / "fidelity.tsv", [option], list(option))
    dataset = Dataset(bids_dir=output, root=output, fmriprep=None, layout="raw")
    config = Config(
        bids_dir=root, output_dir=output, analysis_level=("group",), device="cpu", nprocs=1,
        quiet=True,
    )  # fmt: skip
    chosen = GradientsGroupSettings(**{**SMALL, **settings})
    subjects = ["99"] if left_out else []
    for inputs in collect_group(RECIPE, dataset, subjects, config):
        with Staging(output, "gradients_group") as staging:
            scratch = root / "scratch"
            group(
                GroupStudy(
                    "gradients", dataset, config, chosen, inputs, "cafe0001", staging, scratch
                )
            )
            staging.publish()
    return Results(output, "gradients", RECIPE.results)
