"""How many untrained networks `rsa` needs: the spread of "trained - untrained" over their seeds.

    OMP_NUM_THREADS=1 python benchmarks/untrained_controls.py DATA OUT WORK WEIGHTS [--seeds 10]

DATA is a study of the design ``clips``. The app compares searchlights with trained musicnn and
with as many untrained ones as asked for. With k controls the difference of mean scores has, over
draws of the controls, the standard deviation of one seed divided by the square root of k.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from bidsapp.cli.app import main as app
from bidsapp.recipes.rsa import results as declared
from bidsapp.results.read import Results
from bidsapp.simulate.planted import read_truth

NETWORK, COUNTS = "musicnn", (1, 2, 3, 5, 10)


def main() -> None:
    """Run the app unless results are there, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("data", "out", "work", "weights"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    words = [str(options.data), str(options.out), "participant", "--recipe", "rsa", "-q"]
    words += ["-w", str(options.work), "--weights-dir", str(options.weights), "--nprocs", "1"]
    words += ["--network", NETWORK, "--set", f"rsa.n_untrained={options.seeds}"]
    if app([*words, "--set", "rsa.n_permutations=1"]):
        raise SystemExit(1)
    banks = [path for path in (options.work / "features").rglob("*.json") if NETWORK in str(path)]
    print(f"feature banks of {NETWORK}: {len(banks)}")
    subjects = sorted({subject for subject, _ in read_truth(options.data).maps()})
    tables = []
    for subject in subjects:
        results = Results(options.out, "rsa", declared.RESULTS, subject)
        (space,) = results.spaces
        tables.append(results.table(declared.PROFILE, space, results.networks(space)[0]))
    table = pd.concat(tables)
    table["difference"] = table["mean_rho"] - table["mean_untrained"]
    by_layer = table.groupby("layer_index")[["mean_rho", "difference", "sd_untrained"]].mean()
    people = table.groupby("layer_index")["difference"].std()
    print(by_layer.assign(sd_participants=people).round(4).to_string())
    print("| controls | standard deviation of the difference, mean of layers | largest layer |")
    print("|---|---|---|")
    for count in COUNTS:
        spread = by_layer["sd_untrained"] / np.sqrt(count)
        print(f"| {count} | {spread.mean():.4f} | {spread.max():.4f} |")


if __name__ == "__main__":
    main()
