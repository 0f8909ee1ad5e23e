"""What default settings recover of a planted truth, beside an oracle that knows the design.

    OMP_NUM_THREADS=1 python benchmarks/recovery.py FOLDER [--recipe NAME ...] [--seeds 0 1 2]
        [--change LABEL ...] [--scenario plain]

For every recipe and seed a small study of the scenario ``realistic`` is simulated (`STUDIES`), the
app is run with its defaults, and `check-truth` compares both with the truth. Settings that change
no score map (numbers of permutations, parcels, untrained networks) are small. ``--change`` runs
the same studies with one default turned another way (`CHANGES`); ``all`` takes all of a recipe.
Every result is a line of FOLDER/recovery.tsv; what stands there is not computed again. Data and
features stay in FOLDER.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.cli.app import main as app
from bidsapp.cli.tools import main as tools
from bidsapp.recipes import truth_checks
from bidsapp.simulate.truth import check_truth

COLUMNS = ("recipe", "scenario", "seed", "settings", "measure", "app", "oracle", "seconds")
DEFAULTS = "defaults"


@dataclass(frozen=True)
class Study:
    """A small study and how it is analysed.

    Attributes
    ----------
    simulate
        Words for ``musicotopy-tools simulate``.
    app
        Words for ``musicotopy DATA OUT participant``.
    small
        Settings (``NAME=VALUE`` of the recipe) that change no score.
    measures
        Name of a measure, and where `check-truth` has it of the app and of the oracle.
    """

    simulate: str
    app: str
    small: tuple[str, ...]
    measures: dict[str, tuple[str, str]]


def _layers(own: str) -> dict[str, tuple[str, str]]:
    names = {
        "centroid and planted layer, r": "centroid_r",
        "best and planted layer, r": "best_layer_r",
        "score of the planted layer": "planted_layer_r",
    }
    return {title: (f"{own}{name}", f"oracle.{name}") for title, name in names.items()}


STUDIES = {
    "gradients": Study(
        "--design music --participants 1 --pieces 6 --runs 2 --tr-s 1.5 --voxel-mm 8 --snr 1.2",
        "--network vggish --weights random",
        ("n_shifts=1", "n_parcels=20", "n_beyond=0", "delay_lags_s=[]"),
        _layers(""),
    ),
    "rsa": Study(
        "--design clips --participants 1 --pieces 8 --runs 3 --tr-s 1.5 --voxel-mm 6 --snr 1.2",
        "--network resnet1d --weights random",
        ("n_permutations=1", "n_untrained=0"),
        _layers(""),
    ),
    "emotion3d": Study(
        "--design emotions --participants 2 --runs 4 --run-s 300 --tr-s 1.5 --voxel-mm 8 "
        "--snr 0.4",
        "",
        ("n_seeds=0", "n_shifts=1", "explain_per_class=0", "n_embedding_shifts=1"),
        {"balanced accuracy, new runs": ("linear", "oracle_decoder")},
    ),
    "reconstruct": Study(
        "--design genres --participants 2 --pieces 60 --runs 4 --tr-s 1.5 --voxel-mm 8 --snr 0.6",
        "--network baseline",
        (
            "n_exchanges=1",
            "curve_shifts_s=[]",
            "curve_lengths_s=[]",
            "genre_ablation=false",
            "encoding=false",
            "n_players=0",
        ),
        {"identification of held-out clips": ("identification", "oracle")},
    ),
    "harmony": Study(
        "--design music --network consonance --participants 1 --pieces 6 --runs 2 --tr-s 1.5 "
        "--voxel-mm 8 --snr 1.2",
        "--weights random",
        ("n_shifts=1", "n_parcels=20", "n_players=0"),
        _layers("recovery."),
    ),
}
"""Recipe → study."""

_CLEANING = {
    "confounds none": "--confounds none",
    "motion24+wmcsf": "--confounds motion24+wmcsf",
    "no high-pass": "--high-pass-hz 0",
    "no cleaning": "--confounds none --high-pass-hz 0",
}
CHANGES: dict[str, dict[str, str]] = {
    "gradients": _CLEANING
    | {
        "begin_s=0": "--set gradients.begin_s=0",
        "begin_s=9": "--set gradients.begin_s=9",
        "lags 4 to 6 s": "--set gradients.response=lags",
        "lags 2 to 10 s": "--set gradients.response=lags --set gradients.lags_s=[2,4,6,8,10]",
        "response 1 s late": "--start-time 1.75",
        "response 1 s early": "--start-time -0.25",
        "response 1 s late, lags": "--start-time 1.75 --set gradients.response=lags",
        "response 1 s early, lags": "--start-time -0.25 --set gradients.response=lags",
        "features not filtered": "--set gradients.filter_features=false",
        "pca_fit=all": "--set gradients.pca_fit=all",
    },
    "rsa": _CLEANING
    | {
        "no nuisance RDMs": "--set rsa.nuisance=[]",
        "clips of 30 s": "--set rsa.clip_s=30",
        "drop_s=6": "--set rsa.drop_s=6",
        "channels as they are": "--set rsa.standardise_channels=false",
        "patterns as they are": "--set rsa.centre_patterns=false",
    },
    "emotion3d": _CLEANING | {"shift_s=4": "--set emotion3d.shift_s=4"},
    "reconstruct": _CLEANING
    | {
        "folds by genre": "--set reconstruct.fold_order=genre --set reconstruct.fold_gap_s=0",
        "fold_gap_s=0": "--set reconstruct.fold_gap_s=0",
        "fold_gap_s=15": "--set reconstruct.fold_gap_s=15",
        "shift_s=4": "--set reconstruct.shift_s=4",
        "n_best=1": "--set reconstruct.n_best=1",
        "n_best=12": "--set reconstruct.n_best=12",
        "n_parcels=60": "--set reconstruct.n_parcels=60",
        "alpha by correlation": "--set reconstruct.alpha_metric=correlation",
    },
    "harmony": _CLEANING
    | {
        "begin_s=0": "--set harmony.begin_s=0",
        "lags 4 to 6 s": "--set harmony.response=lags",
    },
}
"""Recipe → label of a change → words for the app."""


def measure(folder: Path, recipe: str, scenario: str, seed: int, label: str) -> list[list[Any]]:
    """Simulate unless the study is there, analyse, compare; one row per measure."""
    study = STUDIES[recipe]
    data = folder / f"{recipe}-{scenario}-{seed}"
    out, work = folder / "out", folder / f"work-{recipe}-{seed}"
    if not (data / "dataset_description.json").exists():
        words = ["simulate", str(data), *study.simulate.split(), "--seed", str(seed)]
        words += ["--scenario", scenario, "--spaces", "MNI152NLin2009cAsym", "-w", str(work)]
        if tools(words):
            msg = f"simulation failed: {words}"
            raise SystemExit(msg)
    shutil.rmtree(out, ignore_errors=True)
    changed = [] if label == DEFAULTS else CHANGES[recipe][label].split()
    words = [str(data), str(out), "participant", "--recipe", recipe, *study.app.split(), *changed]
    for setting in study.small:
        words += ["--set", f"{recipe}.{setting}"]
    words += ["-w", str(work), "--nprocs", "1", "-q"]
    start = time.perf_counter()
    if app(words):
        msg = f"the app failed: {words}"
        raise SystemExit(msg)
    seconds = time.perf_counter() - start
    found = check_truth(data, out, {recipe: truth_checks()[recipe]}, oracle=label == DEFAULTS)
    rows = []
    for title, paths in study.measures.items():
        app_value, oracle = (mean_at(found[recipe]["participants"], path) for path in paths)
        rows.append([recipe, scenario, seed, label, title, app_value, oracle, round(seconds)])
    return rows


def mean_at(participants: list[dict[str, Any]], path: str) -> float:
    """Mean over participants of the value at a dotted path; NaN where there is none."""
    values = []
    for entry in participants:
        value: Any = entry
        if path == "linear":
            value = next(
                score["value"]
                for score in entry["scores"]
                if score["split"] == "leave_run_out" and score["decoder"] == "linear"
            )
        else:
            for name in path.split("."):
                value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            values.append(float(value))
    return round(float(np.mean(values)), 4) if values else float("nan")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows that were measured before."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def table(rows: list[dict[str, str]]) -> Iterator[str]:
    """Say per recipe, settings and measure: means over seeds and the largest difference."""
    oracles = {
        (row["recipe"], row["scenario"], row["seed"], row["measure"]): float(row["oracle"])
        for row in rows
        if row["settings"] == DEFAULTS
    }
    yield "| recipe | scenario | settings | measure | app | oracle | difference (range) | seeds |"
    yield "|---|---|---|---|---|---|---|---|"
    groups: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for row in rows:
        key = (row["recipe"], row["scenario"], row["seed"], row["measure"])
        group = (row["recipe"], row["scenario"], row["settings"], row["measure"])
        pair = (float(row["app"]), oracles.get(key, float("nan")))
        groups.setdefault(group, []).append(pair)
    for group, pairs in groups.items():
        values, known = np.array(pairs).T
        apart = values - known
        yield (
            f"| {' | '.join(group)} | {values.mean():.3f} | {known.mean():.3f} | "
            f"{apart.mean():+.3f} ({apart.min():+.3f} to {apart.max():+.3f}) | {len(pairs)} |"
        )


def main() -> None:
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe", nargs="+", choices=STUDIES, default=list(STUDIES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--scenario", default="realistic")
    parser.add_argument("--change", nargs="+", default=[DEFAULTS])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / "recovery.tsv"
    for recipe in options.recipe:
        chosen = [DEFAULTS, *CHANGES[recipe]] if options.change == ["all"] else options.change
        for seed in options.seeds:
            for label in chosen:
                known = {
                    (row["recipe"], row["scenario"], row["seed"], row["settings"])
                    for row in read_rows(path)
                }
                key = (recipe, options.scenario, str(seed), label)
                if key in known or (label != DEFAULTS and label not in CHANGES[recipe]):
                    continue
                rows = measure(options.folder, recipe, options.scenario, seed, label)
                is_new = not path.exists()
                with path.open("a", newline="") as file:
                    writer = csv.writer(file, delimiter="\t")
                    writer.writerows([COLUMNS, *rows] if is_new else rows)
                for row in rows:
                    print(*row, sep="  ", flush=True)
    print("\n".join(table(read_rows(path))))


if __name__ == "__main__":
    main()
