"""One whole participant of `rsa` or `emotion3d` at published size: CPU seconds of every step.

    OMP_NUM_THREADS=1 python benchmarks/whole_participant.py FOLDER RECIPE [--voxel-mm 4]
        [--share 1] [--set NAME=VALUE ...]

rsa
    as long as ds003085: 25 clips of 29 s with 8 s between them, TR 1 s (T 943), untrained
    resnet1d.
emotion3d
    as long as the audio movie of studyforrest: 8 runs of 450 volumes, TR 2 s.

The study is simulated once and stays in FOLDER; ``--share`` shortens it (runs, or number of
clips). One thread; steps are functions of the recipe, timed by the profiler in CPU seconds, so
that a busy machine counts little. The last line is what the dry run says before.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import shutil
import time
from pathlib import Path

from bidsapp.cli.app import main as app
from bidsapp.cli.tools import main as tools

STEPS: dict[str, dict[str, tuple[str, str]]] = {
    "rsa": {
        "acoustics of the sounds": ("rsa/participant.py", "acoustics"),
        "layers, models of untrained networks": ("rsa/participant.py", "untrained_models"),
        "layers, all models": ("rsa/layer_models.py", "layer_models"),
        "BOLD read and cleaned": ("base/study.py", "bold"),
        "patterns of items": ("rsa/participant.py", "averaged"),
        "searchlights": ("rsa/search.py", "score_participant"),
        "permutations of clips, with and without acoustics": ("rsa/search.py", "permute_clips"),
        "dissimilarity by lag": ("rsa/participant.py", "lag_rows"),
        "maps of networks written": ("rsa/participant.py", "write_network"),
        "the rest written": ("rsa/participant.py", "write_shared"),
    },
    "emotion3d": {
        "volumes cleaned and stored": ("brain/stored_volumes.py", "load_volumes"),
        "network": ("emotion3d/participant.py", "decode_network"),
        "linear decoders with null": ("emotion3d/participant.py", "decode_linear"),
        "scan of shifts": ("emotion3d/participant.py", "scan_lags"),
        "maps": ("emotion3d/participant.py", "write_maps"),
        "embedding": ("emotion3d/participant.py", "embed_volumes"),
    },
}
"""Recipe → step → end of the file's path, and name of the function."""


def study_words(recipe: str, share: float) -> list[str]:
    """Words for ``musicotopy-tools simulate``."""
    if recipe == "rsa":
        n_clips = max(3, round(25 * share))
        words = f"--design clips --pieces {n_clips} --piece-s 29 --runs 1 --tr-s 1"
    else:
        words = f"--design emotions --runs 8 --run-s {900 * share:g} --tr-s 2"
    return [*words.split(), "--participants", "1", "--spaces", "MNI152NLin2009cAsym"]


def cpu_seconds(stats: pstats.Stats, where: str, function: str) -> float:
    """CPU seconds in a function and what it calls."""
    rows = stats.stats.items()  # type: ignore[attr-defined]
    return sum(
        values[3] for (path, _, name), values in rows if name == function and path.endswith(where)
    )


def main() -> None:
    """Simulate unless it is there, run the app under the profiler, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("recipe", choices=STEPS)
    parser.add_argument("--voxel-mm", type=int, default=4)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    options = parser.parse_args()
    name = f"{options.recipe}-{options.voxel_mm}-{options.share:g}"
    data, out, work = (options.folder / f"{part}-{name}" for part in ("data", "out", "work"))
    if not (data / "dataset_description.json").exists():
        words = ["simulate", str(data), *study_words(options.recipe, options.share)]
        if tools([*words, "--voxel-mm", str(options.voxel_mm)]):
            raise SystemExit(1)
    for folder in (out, work):
        shutil.rmtree(folder, ignore_errors=True)
    words = [str(data), str(out), "participant", "--recipe", options.recipe, "-w", str(work)]
    words += ["--nprocs", "1"]
    if options.recipe == "rsa":
        words += ["--weights", "random"]
    for change in options.changes:
        words += ["--set", f"{options.recipe}.{change}"]
    profile = cProfile.Profile(time.process_time)
    start, cpu = time.perf_counter(), time.process_time()
    if profile.runcall(app, [*words, "-q"]):
        raise SystemExit(1)
    wall, total = time.perf_counter() - start, time.process_time() - cpu
    stats = pstats.Stats(profile)
    print("| step | CPU s | share |\n|---|---|---|")
    rest = total
    for step, (where, function) in STEPS[options.recipe].items():
        seconds = cpu_seconds(stats, where, function)
        if step != "layers, models of untrained networks":  # within the layers
            rest -= seconds
        print(f"| {step} | {seconds:.0f} | {seconds / total:.0%} |")
    print(f"| the rest, report included | {rest:.0f} | {rest / total:.0%} |")
    print(f"| all | {total:.0f} | {wall:.0f} s of the clock |", flush=True)
    shutil.rmtree(out)
    app([*words, "--dry-run"])


if __name__ == "__main__":
    main()
