"""One whole participant, and a group, of a recipe at published size: seconds of every step.

    OMP_NUM_THREADS=1 python benchmarks/study.py FOLDER RECIPE [--nprocs 2] [--group N]
        [--warm] [--voxel-mm 4] [--share 1] [--set NAME=VALUE ...] [--group-set NAME=VALUE ...]

gradients, harmony
    as long as ds003085: three pieces of 313 s, TR 1 s (T 939), 20,484 vertices of fsaverage5;
    vggish and acoustic descriptors, or consonance and harmonic, untrained.
rsa
    as long as ds003085: 25 clips of 29 s with 8 s between them, TR 1 s (T 943), untrained
    resnet1d.
emotion3d
    as long as the audio movie of studyforrest: 8 runs of 450 volumes, TR 2 s.

(`reconstruct` at the size of ds003720: ``benchmarks/reconstruct_study.py``.) The study is
simulated once and stays in FOLDER; ``--share`` shortens it (runs, pieces or number of clips), and
``--warm`` keeps what an earlier call left in the work folder: features of the sounds. The recipe's
defaults are run; what the dry run says of it is printed first.

With ``--group N`` the group level is timed, too. Results of the participant are copied under the
names of N participants, which changes no step's cost; `emotion3d`, which reads volumes again, has
N simulated participants of its own, analysed without networks and with ten shifts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from stopwatch import Stopwatch

from bidsapp.cli.app import main as app
from bidsapp.cli.tools import main as tools

_SHARED = {
    "BOLD read": "brain.clean:_read_all",
    "BOLD cleaned": "brain.clean:_clean_all",
    "page": "engine.reports:write_reports",
}
_ENCODING = _SHARED | {
    "features of the sounds": "recipes.base.study:ParticipantStudy.features",
    "designs": "recipes.base.scores:Encoder.store",
    "vertices": "recipes.base.scores:encode",
    "null of parcels": "recipes.base.scores:encode_with_null",
    "ratings": "recipes.base.scores:rating_scores",
}
STEPS: dict[str, dict[str, str]] = {
    "gradients": _ENCODING
    | {
        "beyond acoustics": "recipes.gradients.participant:write_beyond",
        "single lags": "recipes.gradients.participant:delay_rows",
        "maps and tables": "recipes.gradients.participant:write_network",
    },
    "harmony": _ENCODING
    | {
        "sounds looked at": "recipes.harmony.participant:sound_courses",
        "unique contributions": "recipes.harmony.participant:unique_contributions",
        "maps and tables": "recipes.harmony.participant:write_network",
    },
    "rsa": _SHARED
    | {
        "acoustics of the sounds": "recipes.rsa.participant:acoustics",
        "layers of untrained networks": "recipes.rsa.participant:untrained_models",
        "layers": "recipes.rsa.participant:layer_models",
        "patterns of items": "recipes.rsa.participant:averaged",
        "searchlights": "recipes.rsa.participant:score_participant",
        "permutations of clips": "recipes.rsa.clip_tests:permute_clips",
        "dissimilarity by lag": "recipes.rsa.participant:lag_rows",
        "maps of networks written": "recipes.rsa.participant:write_network",
        "the rest written": "recipes.rsa.participant:write_shared",
    },
    "emotion3d": _SHARED
    | {
        "volumes cleaned and stored": "recipes.emotion3d.participant:load_volumes",
        "network": "recipes.emotion3d.participant:decode_network",
        "linear decoders with null": "recipes.emotion3d.participant:decode_linear",
        "scan of shifts": "recipes.emotion3d.participant:scan_lags",
        "maps": "recipes.emotion3d.participant:write_maps",
        "embedding": "recipes.emotion3d.participant:embed_volumes",
    },
}
"""Recipe → title of a step → functions."""
GROUP_STEPS: dict[str, dict[str, str]] = {
    "gradients": {
        "maps read and averaged": "recipes.gradients.group:GradientsGroup.condition",
        "sign flips": "recipes.gradients.group:group_maps",
        "spins": "recipes.gradients.group:GradientsGroup.write_spins",
        "displacement of parcels": "recipes.gradients.group:write_parcels",
        "beyond acoustics": "recipes.gradients.group:write_group_beyond",
        "gradient claims": "recipes.gradients.group:write_claims",
    },
    "harmony": {"displacement of parcels": "recipes.harmony.group:write_parcels"},
    "rsa": {"searchlights and tests": "recipes.rsa.group:network_group"},
    "emotion3d": {
        "volumes opened": "recipes.emotion3d.group:group_volumes",
        "decoders": "recipes.emotion3d.group:decode",
        "tests": "recipes.emotion3d.group:group_rows",
        "mean maps": "recipes.emotion3d.group:write_mean_maps",
    },
}
_ONLY_OF_ITS_OWN = (
    "n_seeds=0",
    "n_shifts=10",
    "explain_per_class=0",
    "n_embedding_shifts=1",
    "scan_lags_s=[]",
)
"""Settings of a participant of `emotion3d` whose group is timed."""


def study_words(recipe: str, share: float) -> list[str]:
    """Words for ``musicotopy-tools simulate``."""
    if recipe in ("gradients", "harmony"):
        words = f"--design music --pieces 3 --piece-s {313 * share:g} --runs 3 --tr-s 1"
        words += " --spaces fsaverage5" + " --network consonance" * (recipe == "harmony")
        return words.split()
    if recipe == "rsa":
        n_clips = max(3, round(25 * share))
        words = f"--design clips --pieces {n_clips} --piece-s 29 --runs 1 --tr-s 1"
    else:
        words = f"--design emotions --runs 8 --run-s {900 * share:g} --tr-s 2"
    return [*words.split(), "--spaces", "MNI152NLin2009cAsym"]


def timed(title: str, steps: dict[str, str], words: Sequence[str]) -> None:
    """Run the app with the clock around its steps, and print the table."""
    watch = Stopwatch()
    watch.attach(steps)
    with watch:
        failed = app([*words, "-q"])
    if failed:
        sys.exit(f"the app failed: {failed}")
    print(f"\n{title}")
    print("\n".join(watch.table()), flush=True)


def copy_results(out: Path, n_participants: int) -> None:
    """Copy results and records of sub-01 under the names of others."""
    for number in range(2, n_participants + 1):
        label = f"sub-{number:02d}"
        for source in [*out.glob("sub-01/**/*"), *out.glob("logs/**/*sub-01*.json")]:
            relative = str(source.relative_to(out)).replace("sub-01", label)
            target = out / relative
            if source.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.suffix in (".json", ".tsv"):
                text = source.read_text()
                text = text.replace("sub-01", label).replace('"01"', f'"{number:02d}"')
                target.write_text(text)
            else:
                target.hardlink_to(source)


def main() -> None:
    """Simulate unless it is there, run the levels with the clock, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("recipe", choices=STEPS)
    parser.add_argument("--voxel-mm", type=int, default=4)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--nprocs", type=int, default=1)
    parser.add_argument("--group", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--group-set", action="append", default=[], dest="group_changes")
    options = parser.parse_args()
    recipe = options.recipe
    several = options.group if recipe == "emotion3d" and options.group else 1
    name = f"{recipe}-{options.voxel_mm}-{options.share:g}-{several}"
    data, out, work = (options.folder / f"{part}-{name}" for part in ("data", "out", "work"))
    if not (data / "dataset_description.json").exists():
        words = ["simulate", str(data), *study_words(recipe, options.share)]
        words += ["--participants", str(several), "--voxel-mm", str(options.voxel_mm)]
        if tools(words):
            sys.exit(1)
    for folder in (out,) if options.warm else (out, work):
        shutil.rmtree(folder, ignore_errors=True)
    end = ["--recipe", recipe, "-w", str(work), "--nprocs", str(options.nprocs)]
    if recipe != "emotion3d":
        end += ["--weights", "random"]
    for change in [*options.changes, *_ONLY_OF_ITS_OWN * (several > 1)]:
        end += ["--set", f"{recipe}.{change}"]
    words = [str(data), str(out), "participant", *end]
    app([*words, "--dry-run"])
    timed(f"{recipe}, participant level", STEPS[recipe], words)
    if not options.group:
        return
    if several == 1:
        copy_results(out, options.group)
    for change in options.group_changes:
        end += ["--set", f"{recipe}_group.{change}"]
    group = [str(data), str(out), "group", *end]
    timed(f"{recipe}, {options.group} participants", GROUP_STEPS[recipe] | _SHARED, group)


if __name__ == "__main__":
    main()
