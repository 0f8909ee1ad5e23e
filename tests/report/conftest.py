"""A synthetic derivative tree of one participant, as the recipe writes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bidsapp.bids.names import build_path
from bidsapp.resources import fslr_midthickness

LAYERS = [
    *("InputBatch", "conv1", "relu", "pool1", "conv2", "relu2", "pool2"),
    *("conv3_1", "relu3_1", "conv3_2", "relu3_2", "pool3"),
    *("conv4_1", "relu4_1", "conv4_2", "relu4_2", "pool4"),
    *("fc1_1", "relu5_1", "fc1_2", "relu5_2", "fc2", "EmbeddingBatch", "output"),
]
BASELINES = ["mel", "loudness", "spectral"]
PIECES = ["music/happy.wav", "music/sad_short.wav", "music/sad_long.wav"]
N_PARCELS = 60
N_SHIFTS = 99
THALAMUS_AFFINE = nib.affines.from_matvec(np.diag([4.0, 4, 4]), [-22, -30, 0])
AUDITORY = np.array([58.0, -20.0, 6.0])

SURFACE = {"space": "fsaverage", "den": "10k"}
VOLUME = {"space": "MNI152NLin2009cAsym", "res": "2"}
CIFTI = {"space": "fsLR", "den": "91k"}


def kind_of(layer: str) -> str:
    """Return the kind of a layer from its name."""
    kinds = {"In": "input", "co": "conv", "re": "relu", "po": "pool", "fc": "fc", "Em": "relu"}
    return kinds.get(layer[:2], "output")


@dataclass(frozen=True)
class Tree:
    """What to write; tests change single fields."""

    spaces: Sequence[Mapping[str, str]] = (SURFACE,)
    effect: float = 0.22
    control: float = 0.2
    pieces: Sequence[str] = tuple(PIECES)
    baseline: bool = True
    ceiling: bool = True
    ratings: bool = True
    weights: Mapping[str, Any] = field(default_factory=lambda: {"source": "random", "seed": 0})
    facts: Mapping[str, Any] = field(default_factory=dict)
    edge_low: float = 0.01
    maps: bool = True


class Writer:
    """Write one tree below `root`."""

    def __init__(self, root: Path, tree: Tree) -> None:
        self.root, self.tree = root, tree
        self.random = np.random.default_rng(0)

    def path(self, suffix: str, extension: str, **entities: str) -> Path:
        path = self.root / build_path({"sub": "01", **entities}, suffix, extension)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def table(self, rows: list[dict[str, Any]], desc: str, **entities: str) -> None:
        path = self.path("stats", ".tsv", desc=desc, **entities)
        pd.DataFrame(rows).to_csv(path, sep="\t", index=False, na_rep="n/a")
        path.with_suffix(".json").write_text("{}")

    def json(self, content: Mapping[str, Any], suffix: str, **entities: str) -> None:
        self.path(suffix, ".json", **entities).write_text(json.dumps(content))

    def write(self) -> Path:
        self.root.mkdir(parents=True, exist_ok=True)
        description = {
            "Name": "musicotopy",
            "GeneratedBy": [{"Name": "musicotopy", "Version": "0.1.0"}],
            "SourceDatasets": [{"Name": "Three pieces of film music"}],
        }
        (self.root / "dataset_description.json").write_text(json.dumps(description))
        units = self.root / "logs" / "jobs"
        units.mkdir(parents=True, exist_ok=True)
        for subject, seconds in (("01", 143.2), ("02", 999.0)):
            record = {
                "subject": subject, "recipe": "gradients", "space": "fsaverage5", "state": "done",
                "seconds": seconds, "peak_memory_bytes": 3 * 2**29,
            }  # fmt: skip
            (units / f"gradients_sub-{subject}.json").write_text(json.dumps(record))
        (self.root / "logs" / "fidelity.tsv").write_text(
            "recipe\toption\tpaper\tused\tvariant\tsource\twhy\n"
            "gradients\tpca_fit\tall pieces\ttrain\trobust\tposter\tno leak\n"
        )
        self._timing()
        for space in self.tree.spaces:
            _Space(self, space).write()
        if self.tree.ratings:
            self._ratings()
        return self.root

    def _timing(self) -> None:
        alignment, folds, waveform = [], [], []
        for number, piece in enumerate(self.tree.pieces):
            sound = [168.0, 256.0, 515.0, 90.0][number % 4]
            run = f"sub-01_task-{Path(piece).stem.replace('_', '')}"
            n_trs = int(sound) - (0 if number else -12)
            start, n_rows = (8.0, int(sound) - 8) if number == 0 else (0.0, int(sound) - 10)
            alignment.append(
                {"run": run, "n_trs": n_trs, "tr_s": 1.0, "scan_s": float(n_trs),
                 "stim_file": piece, "onset_s": start, "duration_s": min(sound, n_trs - start),
                 "stim_start_s": 0.0, "sound_s": sound + 4, "first_volume": int(start) + 6,
                 "last_volume": n_trs - 2, "n_rows": n_rows, "source": "presentations.tsv",
                 "note": "sound 4.0 s longer than the scan" if number else np.nan}
            )  # fmt: skip
            folds.append(
                {"block": number, "kind": "presentation", "fold": number, "run": run,
                 "piece": piece, "n_rows": n_rows, "first_volume": 6, "last_volume": n_trs - 2}
            )  # fmt: skip
            time = np.arange(0, sound + 4, 0.1)
            rms = 0.1 * (1 + np.sin(time / (7 + 3 * number))) + 0.05 * self.random.random(
                time.size
            )
            waveform += [
                {"piece": piece, "time_s": t, "rms": value}
                for t, value in zip(time.round(1), rms.round(4), strict=True)
            ]
        self.table(alignment, "alignment")
        self.table(folds, "folds")
        self.table(waveform, "waveform")

    def _ratings(self) -> None:
        rows = []
        for rating, peak in (("emotionality", 5), ("enjoyment", 14)):
            for lags, height in (("positive", 0.35), ("negative", 0.1)):
                for index, layer in enumerate(LAYERS, start=1):
                    r = height * np.exp(-(((index - peak) / 6) ** 2))
                    for piece in ("mean", *self.tree.pieces):
                        value = r + (0.06 * self.random.normal() if piece != "mean" else 0)
                        rows.append(
                            {"rating": rating, "rater": np.nan, "lags": lags, "layer": layer,
                             "layer_index": index, "piece": piece, "r": value,
                             "p": (0.02 if r > 0.25 else 0.4) if piece == "mean" else np.nan}
                        )  # fmt: skip
        self.table(rows, "ratings", model="vggish")


class _Space:
    """The files of one space."""

    def __init__(self, writer: Writer, entities: Mapping[str, str]) -> None:
        self.writer, self.entities = writer, dict(entities)
        self.tree, self.random = writer.tree, writer.random
        self.coordinates, self.valid = self._units()
        n = len(self.coordinates)
        ears = np.abs(self.coordinates - AUDITORY * [0, 1, 1])
        distance = np.linalg.norm((ears - [58, 0, 0]) / [1.0, 1.0, 1.0], axis=1)
        self.tuning = np.clip(6 + distance / 5, 1, 24)
        self.strength = np.exp(-((distance / 30) ** 2))
        chosen = self.random.choice(np.flatnonzero(self.valid), N_PARCELS, replace=False)
        centres = self.coordinates[chosen]
        gaps = np.stack([np.linalg.norm(self.coordinates - centre, axis=1) for centre in centres])
        self.parcel = np.where(self.valid, gaps.argmin(axis=0), -1)
        self.centres = centres
        assert n == len(self.parcel)

    def _units(self) -> tuple[Any, Any]:
        if self.entities["space"] == "fsaverage":
            from nilearn.datasets import load_fsaverage

            mesh = load_fsaverage("fsaverage5")["white_matter"]
            points = [mesh.parts[side].coordinates for side in ("left", "right")]
            coordinates = np.concatenate(points)
            return coordinates, np.abs(coordinates[:, 0]) > 3
        if self.entities["space"] == "fsLR":
            (left, _), (right, _) = fslr_midthickness()
            below = nib.affines.apply_affine(
                THALAMUS_AFFINE, np.indices((5, 5, 5)).reshape(3, -1).T
            )
            points = np.concatenate([left[::3], right[::3], below])
            return points, np.ones(len(points), dtype=bool)
        self.affine = nib.affines.from_matvec(np.diag([6.0, 6, 6]), [-78, -112, -70])
        self.shape = (27, 33, 27)
        voxels = np.indices(self.shape).reshape(3, -1).T
        points = nib.affines.apply_affine(self.affine, voxels)
        inside = (((points - [0, -18, 8]) / [68, 86, 66]) ** 2).sum(axis=1) < 1
        return points, inside

    def write(self) -> None:
        models = [("vggish", LAYERS)] + ([("baseline", BASELINES)] if self.tree.baseline else [])
        for model, layers in models:
            self._model(model, layers)
        if self.tree.ceiling:
            ceiling = 0.15 + 0.5 * self.strength[None]
            self.maps(ceiling, "statmap", stat="ceiling")
        self._summary()

    def scores(self, model: str, layers: Sequence[str], lags: str) -> Any:
        n = len(self.coordinates)
        noise = 0.025 * self.random.normal(size=(len(layers), n))
        noise = noise + 0.02 * self.random.normal(size=n)
        height = self.tree.effect * (self.tree.control if lags == "negative" else 1.0)
        if model == "baseline":
            shape = np.array([0.75, 0.35, 0.6])[:, None]
        else:
            index = np.arange(1, len(layers) + 1)[:, None]
            shape = np.exp(-(((index - self.tuning) / 9) ** 2))
        return np.where(self.valid, height * shape * self.strength + noise, np.nan)

    def _model(self, model: str, layers: Sequence[str]) -> None:
        parcels, summary, pieces, null, profile = [], [], [], [], []
        significant = np.zeros(len(self.coordinates), dtype=bool)
        for lags in ("positive", "negative"):
            r = self.scores(model, layers, lags)
            means = np.stack(
                [np.nanmean(r[:, self.parcel == k], axis=1) for k in range(N_PARCELS)]
            )
            shifts = np.abs(0.05 + 0.012 * self.random.normal(size=N_SHIFTS))
            null += [
                {
                    "shift": k,
                    "lags": lags,
                    "max_r": shifts[k],
                    "mean_r": 0.004 * self.random.normal(),
                }
                for k in range(N_SHIFTS)
            ]
            p_fwe = (1 + (shifts[:, None] >= means.max(axis=1)).sum(axis=0)) / (N_SHIFTS + 1)
            best = means.argmax(axis=1)
            for k in range(N_PARCELS):
                where = {
                    "parcel": k + 1, "structure": "L" if self.centres[k, 0] < 0 else "R",
                    **dict(zip("xyz", self.centres[k].round(1), strict=True)),
                    "n_units": int((self.parcel == k).sum()), "lags": lags,
                }  # fmt: skip
                parcels += [
                    {
                        **where,
                        "layer": layer,
                        "layer_index": i + 1,
                        "r": means[k, i],
                        "p": 0.1,
                        "q": 0.2,
                    }
                    for i, layer in enumerate(layers)
                ]
                positive = np.clip(means[k], 1e-9, None)
                summary.append(
                    {**where, "best_layer": layers[best[k]], "best_layer_index": best[k] + 1,
                     "centroid": positive @ np.arange(1, len(layers) + 1) / positive.sum(),
                     "r_max": means[k].max(), "p": p_fwe[k] / 2, "p_fwe": p_fwe[k],
                     "q": min(1, 1.5 * p_fwe[k])}
                )  # fmt: skip
                pieces += [
                    {"parcel": k + 1, "lags": lags, "layer": layer, "piece": piece,
                     "r": means[k, i] * [1.4, 0.7, 0.9, 1.0][number % 4]}
                    for i, layer in enumerate(layers)
                    for number, piece in enumerate(self.tree.pieces)
                ]  # fmt: skip
            if lags == "positive":
                significant = np.isin(self.parcel, np.flatnonzero(p_fwe < 0.05))
            profile += self._profile(r, layers, lags, significant)
            self._model_maps(r, model, layers, lags, significant)
        where = {**self.entities, "model": model}
        for rows, desc in ((parcels, "parcels"), (summary, "parcelsummary"), (pieces, "pieces"),
                           (null, "null"), (profile, "profile")):  # fmt: skip
            self.writer.table(rows, desc, **where)
        self.maps(significant[None].astype(float), "mask", model=model, desc="significant")

    def _profile(
        self, r: Any, layers: Sequence[str], lags: str, mask: Any
    ) -> list[dict[str, Any]]:
        return [
            {"lags": lags, "layer": layer, "layer_index": i + 1, "kind": kind_of(layer),
             "n_features": 128, "explained_variance": 0.4 + 0.5 * abs(i - 11) / 12,
             "mean_r": np.nanmean(r[i]), "median_r": np.nanmedian(r[i]),
             "p95_r": np.nanpercentile(r[i], 95),
             "mean_r_significant": np.nanmean(r[i][mask]) if mask.any() else np.nan,
             "n_units": int(self.valid.sum()), "n_best": 10,
             "alpha_edge_low": self.tree.edge_low, "alpha_edge_high": 0.005 * i}
            for i, layer in enumerate(layers)
        ]  # fmt: skip

    def _model_maps(self, r: Any, model: str, layers: Sequence[str], lags: str, mask: Any) -> None:
        names = {"model": model, "desc": lags}
        self.maps(r, "statmap", columns=layers, stat="r", **names)
        alpha = np.where(self.valid, self.random.normal(3, 0.7, r.shape).clip(0, 6), np.nan)
        self.maps(alpha, "statmap", columns=layers, stat="alpha", **names)
        index = np.arange(1, len(layers) + 1)[:, None]
        positive = np.clip(r, 1e-9, None)
        centroid = (positive * index).sum(axis=0) / positive.sum(axis=0)
        self.maps(np.where(mask, centroid, np.nan)[None], "statmap", stat="centroid", **names)
        best = np.where(mask, np.nan_to_num(r, nan=-9).argmax(axis=0) + 1, 0)
        self.maps(best[None], "dseg", model=model, desc=f"bestlayer{lags}")
        path = self.writer.path(
            "dseg", ".tsv", model=model, desc=f"bestlayer{lags}", **self.entities
        )
        path.write_text("index\tname\n")

    def maps(self, values: Any, suffix: str, columns: Sequence[str] = (), **entities: str) -> None:
        if not self.tree.maps:
            return
        values = values.astype(np.float32)
        for extra, extension, image in self._images(values, suffix):
            path = self.writer.path(suffix, extension, **self.entities, **extra, **entities)
            nib.save(image, path)
            self.writer.json(
                {"Columns": list(columns)}, suffix, **self.entities, **extra, **entities
            )

    def _images(self, values: Any, suffix: str) -> list[tuple[dict[str, str], str, Any]]:
        space = self.entities["space"]
        if space == "fsaverage":
            extension = ".label.gii" if suffix == "dseg" else ".func.gii"
            half = values.shape[1] // 2
            sides = (("L", values[:, :half]), ("R", values[:, half:]))
            return [({"hemi": side}, extension, _gifti(part)) for side, part in sides]
        if space == "fsLR":
            return [({}, {"dseg": ".dlabel.nii"}.get(suffix, ".dscalar.nii"), _cifti(values))]
        box = values.T.reshape(*self.shape, len(values))
        box = box[..., 0] if len(values) == 1 else box
        if suffix == "mask":
            box = box.astype(np.uint8)
        return [({}, ".nii.gz", nib.Nifti1Image(box, self.affine))]

    def _summary(self) -> None:
        facts = {
            "recipe": "gradients", "variant": "robust", "version": "0.1.0",
            "ConfigurationHash": "0badcafe", "subject": "01",
            "n_units": len(self.valid), "n_constant": int((~self.valid).sum()),
            "runs": [{"name": f"sub-01_task-{Path(piece).stem.replace('_', '')}",
                      "preprocessed": True, "confounds": [f"c{k}" for k in range(26)]}
                     for piece in self.tree.pieces],
            "settings": {
                "hop_s": 0.48, "n_components": 50, "pca_fit": "train", "lags_s": [4, 5, 6],
                "control_lags_s": [-6, -5, -4], "centre": "block", "alpha_metric": "correlation",
                "log10_alpha": [0, 1, 2, 3, 4, 5, 6], "purge_s": 18.0, "min_shift_s": 15.0,
                "n_shifts": N_SHIFTS, "mask_maps": True,
            },
            "config": {
                "confounds": "motion24+wmcsf", "high_pass_hz": 1 / 128, "smoothing_fwhm_mm": 0.0,
                "solver": "gram", "random_seed": 0, "device": "cpu",
            },
            "weights": {"vggish": self.tree.weights},
            "warnings": [
                "/data/sub-01/x_confounds.tsv: no column csf; the others were used",
                "Only 3 pieces: a model is trained on 2.",
            ],
            "python": "3.11.7",
        }  # fmt: skip
        self.writer.json({**facts, **self.tree.facts}, "stats", desc="summary", **self.entities)


def _gifti(values: Any) -> Any:
    arrays = [nib.gifti.GiftiDataArray(row, datatype="NIFTI_TYPE_FLOAT32") for row in values]
    return nib.GiftiImage(darrays=arrays)


def _cifti(values: Any) -> Any:
    models = nib.cifti2.BrainModelAxis
    sides = [
        models.from_surface(np.arange(0, 32492, 3), 32492, f"CORTEX_{side}")
        for side in ("LEFT", "RIGHT")
    ]
    below = models.from_mask(
        np.ones((5, 5, 5), bool), affine=THALAMUS_AFFINE, name="thalamus_left"
    )
    names = nib.cifti2.ScalarAxis([f"map {k}" for k in range(len(values))])
    return nib.Cifti2Image(values, header=(names, sides[0] + sides[1] + below))


@pytest.fixture(scope="session")
def make_tree(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a tree that differs from the default in the given fields; return its root."""

    def make(**changes: Any) -> Path:
        root = tmp_path_factory.mktemp("derivatives") / "out"
        return Writer(root, replace(Tree(), **changes)).write()

    return make


@pytest.fixture(scope="session")
def surface_tree(make_tree: Callable[..., Path]) -> Path:
    """One participant on fsaverage5."""
    return make_tree()
