"""Toy results of `emotion3d`, written by the project's own writers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bidsapp.recipes.emotion3d.group.settings import GroupSettings
from bidsapp.recipes.emotion3d.group.statistics import (
    Scored,
    group_rows,
    participant_rows,
    prevalence_rows,
)
from bidsapp.recipes.emotion3d.outputs import leaky, null_rows, score_rows, write_scores
from numpy.typing import NDArray

from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace, volume_units
from bidsapp.recipes.emotion3d.results import Decoding, make_decoding, split_name
from bidsapp.recipes.writer import ResultWriter
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import SPLITTERS, Split

CLASSES = ("happiness", "fear", "sadness", "love", "anger")
SKILL = {"cnn": 1.2, "linear": 1.8, "parcels": 1.5, "confounds": 0.5, "time": 0.1, "run": 0.0}
N_RUNS, N_VOLUMES, TR_S = 4, 60, 2.0
N_SHIFTS = 40
SPACE = "MNI152NLin2009cAsym"


@dataclass(frozen=True)
class Toy:
    """What to write; tests change single fields."""

    shuffled: bool = False
    network: bool = True
    maps: bool = True
    variant: str = "robust"
    settings: dict[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = (
        "Chance is measured, not 1/5 = 0.20: with the labels shifted in time the linear decoder "
        "scores a balanced accuracy of 0.15 on average.",
        "love has 4 separate stretches: that few independent samples.",
        "anger has 6 separate stretches: that few independent samples.",
        "The network (0.48) does not beat the linear decoder (0.61) on the same folds.",
        "Something nobody foresaw.",
    )


def units() -> UnitSpace:
    """Coarse voxels (12 mm) of an ellipsoid the size of a brain."""
    affine = np.diag([12.0, 12.0, 12.0, 1.0])
    affine[:3, 3] = [-78, -112, -70]
    places = np.indices((14, 17, 14)).reshape(3, -1).T * 12.0 + affine[:3, 3]
    inside = (((places - [0, -18, 8]) / [72, 90, 70]) ** 2).sum(axis=1) < 1
    return volume_units(inside.reshape(14, 17, 14), affine, space=SPACE)


def samples(participants: int = 1) -> Samples:
    """Runs of one length; every participant heard the same."""
    run = np.tile(np.repeat(np.arange(N_RUNS), N_VOLUMES), participants)
    time_s = np.tile(np.arange(N_VOLUMES) * TR_S, N_RUNS * participants)
    who = np.repeat(np.arange(participants), N_RUNS * N_VOLUMES)
    return Samples(run, time_s, who)


def blocks(random: np.random.Generator) -> NDArray[np.int64]:
    """Stretches of classes, and of no class, in each run."""
    labels = np.full(N_RUNS * N_VOLUMES, -1)
    for start in range(0, len(labels), 10):
        labels[start : start + 8] = random.integers(len(CLASSES))
    return labels


def log_proba(labels: NDArray[np.int64], skill: float, seed: int) -> NDArray[np.float64]:
    """Noisy evidence; `skill` is what the true class has more."""
    random = np.random.default_rng(seed)
    evidence = random.normal(size=(len(labels), len(CLASSES)))
    there = labels >= 0
    evidence[there, labels[there]] += skill
    return np.asarray(evidence - np.log(np.exp(evidence).sum(axis=1, keepdims=True)))


def decodings(split: Split, labels: NDArray[np.int64], toy: Toy) -> Iterator[Decoding]:
    """Every decoder under a split."""
    random = np.random.default_rng(1)
    for number, (name, skill) in enumerate(SKILL.items()):
        if name == "cnn" and not toy.network:
            continue
        null = 0.15 + 0.03 * random.normal(size=N_SHIFTS if name != "cnn" else 12)
        found = log_proba(labels, skill + 2 * split.leaky, number)
        yield make_decoding(split, name, labels, found, null)
    lines = np.tile(np.log([0.3, 0.2, 0.2, 0.2, 0.1]), (len(labels), 1))
    yield make_decoding(split, "majority", labels, lines)


class Writer:
    """Writes one participant's, or a group's, toy results below `root`."""

    def __init__(self, root: Path, toy: Toy) -> None:
        self.root, self.toy = root, toy
        self.units = units()
        self.random = np.random.default_rng(0)
        root.mkdir(parents=True, exist_ok=True)
        description = {
            "Name": "musicotopy",
            "GeneratedBy": [{"Name": "musicotopy", "Version": "0.1.0"}],
            "SourceDatasets": [{"Name": "A film that is heard"}],
        }
        (root / "dataset_description.json").write_text(json.dumps(description))
        logs = root / "logs"
        logs.mkdir(exist_ok=True)
        (logs / "fidelity.tsv").write_text(
            "recipe\toption\tpaper\tused\tvariant\tsource\twhy\n"
            "emotion3d\tsplit\tshuffled\tleave_run_out\trobust\tposter\tno leak\n"
            "gradients\tpca_fit\tall pieces\ttrain\trobust\tposter\tother recipe\n"
        )

    def splits(self) -> list[Split]:
        """Runs left out, and if asked for the leaky one."""
        names = ["leave_run_out", *(["shuffled"] if self.toy.shuffled else [])]
        return [SPLITTERS[name](samples()) for name in names]

    def participant(self, subject: str) -> None:
        """Write what the participant level writes."""
        labels = blocks(np.random.default_rng(5))
        found = [one for split in self.splits() for one in decodings(split, labels, self.toy)]
        with Staging(self.root, f"toy-{subject}") as staging:
            writer = ResultWriter(staging, self.units, {"sub": subject}, {}, [])
            more = [
                {"split": "leave_run_out", "decoder": "cnn", "measure": "silhouette",
                 "value": 0.02, "low": -0.1, "high": 0.0, "chance": -0.05, "p": 0.01,
                 "n_shifts": 100, "n_volumes": 100, "leaky": "no"},
                {"split": "leave_run_out", "decoder": "prior", "measure": "balanced_accuracy",
                 "value": 0.2, "n_volumes": 100, "leaky": "no"},
            ]  # fmt: skip
            write_scores(writer, found, CLASSES, more if self.toy.network else more[1:])
            self._tables(writer, found, labels, subject)
            if self.toy.maps:
                self._maps(writer)
            writer.facts(self._facts(subject), {"desc": "emotion3dsummary"})
            staging.publish()

    def _tables(
        self, writer: ResultWriter, found: list[Decoding], labels: NDArray[np.int64], subject: str
    ) -> None:
        run, time_s = samples().run, samples().time_s
        names = [f"sub-{subject}_task-film_run-{k + 1}" for k in range(N_RUNS)]
        counts = [
            {"run": names[k], "class": name, "n_blocks": int((labels[run == k] == j).any()),
             "n_volumes": int((labels[run == k] == j).sum())}
            for k in range(N_RUNS)
            for j, name in enumerate(CLASSES)
        ]  # fmt: skip
        writer.table(counts, {"desc": "emotion3dlabels"}, "Counts.")
        rows = []
        for one in found:
            if one.decoder not in ("cnn", "linear"):
                continue
            for k, proba in enumerate(np.exp(one.log_proba)):
                rows.append(
                    {"run": names[run[k]], "volume": k % N_VOLUMES, "time_s": time_s[k],
                     "label": CLASSES[labels[k]] if labels[k] >= 0 else None,
                     "split": split_name(one.split), "decoder": one.decoder,
                     "predicted": CLASSES[int(proba.argmax())],
                     **{f"p_{name}": p for name, p in zip(CLASSES, proba, strict=True)},
                     "leaky": leaky(one.split)}
                )  # fmt: skip
        writer.table(rows, {"desc": "emotion3dpredictions"}, "Predictions.")
        lags = [{"lag_s": s, "n_volumes": 200, "balanced_accuracy": 0.6 - 0.03 * abs(s - 4),
                 "leaky": "no"} for s in (0.0, 2.0, 4.0, 6.0, 8.0)]  # fmt: skip
        writer.table(lags, {"desc": "emotion3dlags"}, "Lags.")
        if self.toy.network:
            self._network(writer, found, labels, names)

    def _network(
        self, writer: ResultWriter, found: list[Decoding], labels: NDArray[np.int64],
        names: list[str],
    ) -> None:  # fmt: skip
        splits = list(dict.fromkeys(one.split for one in found))
        curves = [
            {"split": split_name(split), "fold": fold.name, "seed": seed, "epoch": epoch,
             "loss": 1.6 / epoch + 0.1 * seed, "accuracy": 1 - 0.8 / epoch,
             "val_loss": 1.6 / epoch + 0.3, "val_accuracy": 0.6 - 0.4 / epoch,
             "learning_rate": 1e-3, "kept": int(epoch == 5), "leaky": leaky(split)}
            for split in splits
            for fold in split.folds
            for seed in range(2)
            for epoch in range(1, 7)
        ]  # fmt: skip
        writer.table(curves, {"desc": "emotion3dcurves"}, "Curves.")
        checks = [
            {"method": method, "randomised": layer, "similarity": 0.9 - 0.2 * k}
            for method in ("ig", "gradcam")
            for k, layer in enumerate(("output", "body.6", "body.3", "body.0", "labels"))
        ]
        writer.table(checks, {"desc": "emotion3drandomisation"}, "Checks.")
        run = samples().run
        points = self.random.normal(size=(len(run), 2)) + labels[:, None]
        embedding = [
            {"split": "leave_run_out", "fold": f"run {run[k]}", "run": names[run[k]],
             "volume": k % N_VOLUMES, "label": CLASSES[labels[k]] if labels[k] >= 0 else None,
             "x": x, "y": y, "leaky": "no"}
            for k, (x, y) in enumerate(points)
        ]  # fmt: skip
        writer.table(embedding, {"desc": "emotion3dembedding"}, "Embedding.")

    def _maps(self, writer: ResultWriter) -> None:
        values = self.random.normal(size=(len(CLASSES), self.units.n_units))
        entities = {"desc": "emotion3d"}
        writer.maps(values, list(CLASSES), {"stat": "haufe", **entities}, "Haufe.")
        if not self.toy.network:
            return
        n = [12, 5, 7, 3, 0]
        values[-1] = np.nan
        for stat, shown in (("ig", 0.01 * values), ("gradcam", np.abs(values))):
            writer.maps(
                shown, list(CLASSES), {"stat": stat, **entities}, "Maps.", NumberOfVolumes=n
            )

    def _facts(self, subject: str) -> dict[str, Any]:
        labelled = int((blocks(np.random.default_rng(5)) >= 0).sum())
        return {
            "recipe": "emotion3d", "variant": self.toy.variant, "version": "0.1.0",
            "subject": subject, "space": SPACE, "ConfigurationHash": "0123abcd",
            "settings": {
                "label_source": "annotations", "shift_s": 4.0, "voxel_mm": 4.0, "network": "small",
                "n_seeds": 2 if self.toy.network else 0, "epochs": 6, "learning_rate": 3e-3,
                "batch_size": 16, "patience": 8, "max_shift_voxels": 1, "noise": 0.1, "scale": 0.1,
                "normalise": "run", "n_components": 100, "linear": "logistic", "n_frames": 1,
                **self.toy.settings,
            },
            "config": {"confounds": "motion24+wmcsf", "high_pass_hz": 1 / 128, "random_seed": 0},
            "n_units": self.units.n_units, "classes": list(CLASSES), "modality": "audio",
            "label_map": "five-emotions", "n_volumes": N_RUNS * N_VOLUMES, "n_labelled": labelled,
            "splits": self._splits(self.splits()), "embedding_variance": [0.41, 0.2],
            "runs": [{"name": f"sub-{subject}_task-film_run-{k + 1}", "tr_s": TR_S,
                      "n_trs": N_VOLUMES, "preprocessed": True} for k in range(N_RUNS)],
            "warnings": list(self.toy.warnings), "python": "3.12", "versions": {"numpy": "2"},
        }  # fmt: skip

    def _splits(self, splits: list[Split]) -> list[dict[str, Any]]:
        return [
            {"name": split_name(split), "leaky": split.leaky, "note": split.note,
             "folds": [fold.name for fold in split.folds]}
            for split in splits
        ]  # fmt: skip

    def group(self, subjects: tuple[str, ...]) -> None:
        """Write what the group level writes, after all participants."""
        for subject in subjects:
            self.participant(subject)
        n = len(subjects)
        labels = np.tile(blocks(np.random.default_rng(5)), n)
        names = ("leave_participant_out", "leave_participant_and_run_out")
        splits = [SPLITTERS[name](samples(n)) for name in names]
        random = np.random.default_rng(2)
        found, scored = [], []
        for split in splits:
            for name in ("cnn", "linear"):
                proba = log_proba(labels, SKILL[name] - 0.4, 7)
                null = 0.15 + 0.03 * random.normal(size=20)
                found.append(make_decoding(split, name, labels, proba, null))
                own = 0.15 + 0.4 * random.random(n)
                scored.append(
                    Scored("across", split_name(split), name, "no", subjects, own,
                           0.15 + 0.03 * random.normal(size=(n, 20)))
                )  # fmt: skip
        within = ["leave_run_out", *(["shuffled-LEAKY"] if self.toy.shuffled else [])]
        for split_label in within:
            stamp = "LEAKY" if "LEAKY" in split_label else "no"
            for name in ("cnn", "linear", "confounds"):
                own = 0.3 + 0.3 * random.random(n)
                null = 0.15 + 0.03 * random.normal(size=(n, 20))
                scored.append(Scored("within", split_label, name, stamp, subjects, own, null))
        with Staging(self.root, "toy-group") as staging:
            self._group(ResultWriter(staging, self.units, {}, {}, []), found, scored, subjects)
            staging.publish()

    def _group(
        self, writer: ResultWriter, found: list[Decoding], scored: list[Scored],
        subjects: tuple[str, ...],
    ) -> None:  # fmt: skip
        tables = {
            "scores": [row for one in found for row in score_rows(one)],
            "null": [row for one in found for row in null_rows(one)],
            "participants": list(participant_rows(scored)),
            "group": list(group_rows(scored, GroupSettings(n_flips=100), 0)),
            "prevalence": list(prevalence_rows(scored, 0.05, 0)),
        }
        recall, confusion = [], []
        for one in found:
            start = {"split": split_name(one.split), "decoder": one.decoder, "leaky": "no"}
            for who in (None, *subjects):
                counts = self.random.integers(1, 20, (5, 5)) + 20 * np.eye(5, dtype=int)
                share = counts / counts.sum(axis=1, keepdims=True)
                for i, true in enumerate(CLASSES):
                    recall.append(
                        {
                            **start,
                            "participant": who,
                            "class": true,
                            "low": 0.1,
                            "n": counts[i].sum(),
                            "recall": share[i, i],
                            "high": 0.9,
                        }
                    )
                    confusion += [
                        {**start, "participant": who, "true": true, "predicted": other,
                         "n": counts[i, j], "share": share[i, j],
                         "share_of_others": None if who is None else 0.2}
                        for j, other in enumerate(CLASSES)
                    ]  # fmt: skip
        for name, rows in {**tables, "recall": recall, "confusion": confusion}.items():
            writer.table(rows, {"desc": f"emotion3d{name}"}, "Toy.")
        self._maps(writer)
        writer.facts(self._group_facts(found, subjects), {"desc": "emotion3dsummary"})

    def _group_facts(self, found: list[Decoding], subjects: tuple[str, ...]) -> dict[str, Any]:
        splits = list(dict.fromkeys(one.split for one in found))
        return {
            "recipe": "emotion3d", "variant": self.toy.variant, "version": "0.1.0", "space": SPACE,
            "participants": list(subjects), "left_out": {"09": "not finished"},
            "classes": list(CLASSES), "settings": {"n_flips": 100}, "n_units": self.units.n_units,
            "n_volumes": 720, "n_labelled": 500, "runs": ["run-1", "run-2"],
            "splits": self._splits(splits), "versions": {"numpy": "2"},
            "warnings": [
                "leave_participant_out: SAME STIMULUS: the left-out participant heard what the "
                "others were trained on.",
                "Chance of the linear decoder under leave_participant_out is 0.15, not 1/5.",
            ],
        }  # fmt: skip


@pytest.fixture(scope="session")
def emotion_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One participant, honest and leaky split."""
    root = tmp_path_factory.mktemp("emotion3d") / "out"
    Writer(root, Toy(shuffled=True)).participant("01")
    return root


@pytest.fixture(scope="session")
def emotion_group(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three participants and their group."""
    root = tmp_path_factory.mktemp("emotion3d-group") / "out"
    Writer(root, Toy(shuffled=True)).group(("01", "02", "03"))
    return root


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Path]:
    """Write a tree of one participant with other choices."""

    def write(**changes: Any) -> Path:
        Writer(tmp_path / "out", Toy(**changes)).participant("01")
        return tmp_path / "out"

    return write
