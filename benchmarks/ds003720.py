"""The design of ds003720 with real music and synthetic BOLD, through the app.

``python benchmarks/ds003720.py TREE MUSIC WEIGHTS WORK [--voxel-mm MM] [--runs N] [--snr R]
[--clap] [--set KEY=VALUE ...]``

TREE has the real event files of ds003720 (folder ``bids``), MUSIC sounds of any kind, WEIGHTS the
networks of ``musicotopy-tools fetch musicnn``; with ``--clap`` it also has a folder of CLAP
(``larger_clap_music``), a second embedding instead of acoustic descriptors. Each track that the
events name becomes 30 s of a recording of its own; recordings are dealt to genres, so that clips
of a genre have something in common. BOLD of sub-001 carries the penultimate layer of
``musicnn-mtt`` around the auditory cortices (topography and noise of the design ``genres``). The
app then runs with the paper's split (clips of the test runs held out), and the script prints what
it found, seconds, and peak memory.
"""

from __future__ import annotations

import argparse
import csv
import resource
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from bidsapp.audio.networks import get_network
from bidsapp.cli.app import main as app
from bidsapp.features.courses import extract_courses
from bidsapp.recipes import RECIPES
from bidsapp.recipes.reconstruct import results as declared
from bidsapp.recipes.reconstruct.encoding import results as encoding
from bidsapp.results.read import Results
from bidsapp.simulate import files
from bidsapp.simulate.genres import GenresOptions, GenresStudy
from bidsapp.simulate.participant import (
    FMRIPREP,
    participant_bold,
    run_namer,
    summary_of,
    write_bold,
    write_confounds,
)
from bidsapp.simulate.signals import LayerFeatures, Playing
from bidsapp.simulate.spaces import VolumeSpace, mni_space
from bidsapp.simulate.study import ScheduledRun, draw_person

LABEL, NETWORK, LAYER = "001", "musicnn-mtt", "penultimate"
HOP_S = 3.0
"""Windows of the network follow each other, which is cheaper than the recipe's .5 s."""
TR_S, N_TRS, RATE, TRACK_S = 1.5, 410, 16_000, 30.0
Track = tuple[str, int]


def stretches(music: Path) -> Iterator[tuple[Path, float]]:
    """Yield recordings in turn and where the next 30 s of each begin."""
    paths = sorted(path for path in music.rglob("*") if path.suffix in {".ogg", ".opus", ".flac"})
    rounds = 0
    while True:
        start_s, left = rounds * TRACK_S, False
        for path in paths:
            if soundfile.info(path).duration >= start_s + TRACK_S:
                left = True
                yield path, start_s
        if not left:
            return
        rounds += 1


def write_tracks(tracks: set[Track], music: Path, folder: Path) -> None:
    """Cut a stretch of music for every track; recordings of one genre are neighbours by name."""
    found = sorted(stretches(music))
    if len(found) < len(tracks):
        sys.exit(f"{music} holds {len(found)} stretches of 30 s, {len(tracks)} are needed")
    kept = np.linspace(0, len(found) - 1, len(tracks)).astype(int)
    for (genre, number), place in zip(sorted(tracks), kept, strict=True):
        path, start_s = found[place]
        target = folder / genre / f"{genre}.{number:05d}.wav"
        if target.exists():
            continue
        rate = soundfile.info(path).samplerate
        first = round(start_s * rate)
        values, _ = soundfile.read(path, start=first, frames=round(TRACK_S * rate), always_2d=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        mono = soxr.resample(values.mean(axis=1), rate, RATE)
        soundfile.write(target, mono, RATE)


def read_runs(tree: Path, n_runs: int, out: Path) -> dict[tuple[str, str], list[list[str]]]:
    """Copy the event files of the runs and return their rows."""
    rows = {}
    for task, most in (("Training", n_runs), ("Test", 6)):
        for number in range(1, most + 1):
            name = f"sub-{LABEL}_task-{task}_run-{number:02d}"
            source = tree / "bids" / f"sub-{LABEL}" / "func" / f"{name}_events.tsv"
            target = out / f"sub-{LABEL}" / "func" / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            with target.open(newline="") as file:
                rows[task, f"{number:02d}"] = list(csv.reader(file, delimiter="\t"))[1:]
            files.write_tiny_bold(
                target.with_name(f"{name}_bold.nii.gz"), N_TRS, TR_S, [number, len(task)]
            )
            files.write_json(
                target.with_name(f"{name}_bold.json"),
                {"RepetitionTime": TR_S, "TaskName": task},
            )
    return rows


def write_study(options: argparse.Namespace, data: Path) -> None:
    """Write events, music and BOLD."""
    description = {"Name": "Music Genre fMRI Dataset", "BIDSVersion": "1.8.0"}
    files.write_json(data / "dataset_description.json", description)
    rows = read_runs(options.tree, options.runs, data)
    clips: dict[Track, set[float]] = defaultdict(set)
    for own in rows.values():
        for _, _, genre, track, start, _ in own:
            clips[genre.strip("'"), int(track)].add(float(start))
    write_tracks(set(clips), options.music, data / "stimuli")
    names = [f"{genre}/{genre}.{number:05d}.wav" for genre, number in sorted(clips)]
    network = get_network(
        NETWORK, weights=NETWORK, weights_dir=options.weights, seed=0, hop_s=HOP_S
    )
    stimuli = [(name, data / "stimuli" / name) for name in names]
    bank = extract_courses(
        stimuli, network, options.work / "scratch" / "features", memory_bytes=1 << 30
    )
    layer = [item.name for item in bank.layers].index(LAYER)
    features = LayerFeatures(
        network=NETWORK,
        layers=(LAYER,),
        pieces=bank.pieces,
        frame_piece=np.asarray(bank.frame_piece, np.int64),
        frame_time_s=np.asarray(bank.frame_time_s, np.float64),
        scores=(np.array(bank.course(layer), np.float64),),
    )
    study = GenresStudy(GenresOptions(n_participants=1, snr=options.snr), features, ())
    write_fmriprep(study, rows, names, mni_space(options.voxel_mm), data)


def write_fmriprep(
    study: GenresStudy,
    rows: dict[tuple[str, str], list[list[str]]],
    names: list[str],
    space: VolumeSpace,
    data: Path,
) -> None:
    """Write BOLD that carries the study's layer, and confounds, as fMRIPrep names them."""
    runs = tuple(
        ScheduledRun({"task": task, "run": number}, N_TRS, TR_S, TR_S / 2, playing(own, names))
        for (task, number), own in rows.items()
    )
    person = draw_person(study.options, LABEL, 1, runs)
    print(f"{len(space.coordinates_mm):,} voxels, {len(runs)} runs", flush=True)
    planting = study.plant(space, person)
    rng = np.random.default_rng(1)
    series = participant_bold(planting.signal, space, person, study)
    for run, nuisance, values in zip(runs, person.nuisances, series, strict=True):
        write_bold(data / FMRIPREP, LABEL, run, space, values)
        namer = run_namer(data / FMRIPREP, LABEL, run)
        write_confounds(namer, nuisance, summary_of(values), TR_S, rng)
    files.write_json(
        data / FMRIPREP / "dataset_description.json",
        {
            "Name": "fMRIPrep",
            "BIDSVersion": "1.8.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "fMRIPrep"}],
        },
    )


def playing(rows: list[list[str]], names: list[str]) -> tuple[Playing, ...]:
    """Say what a run plays; a track is heard from the second that the events name."""
    place = {Path(name).stem: number for number, name in enumerate(names)}
    return tuple(
        Playing(
            place[f"{genre.strip(chr(39))}.{int(track):05d}"],
            float(onset),
            float(duration),
            float(start),
        )
        for onset, duration, genre, track, start, _ in rows
    )


def show(out: Path) -> None:
    """Print what was found."""
    results = Results(out, "reconstruct", RECIPES["reconstruct"].results, LABEL)
    (space,) = results.spaces
    facts = results.facts(space)
    print({name: facts[name] for name in ("n_units", "n_clips", "n_held_out", "n_regions")})
    columns = ["decoder", "candidates", "n_clips", "identification", "null_low", "null_high", "p"]
    for network in results.networks(space):
        print(network)
        print(results.table(declared.DECODING, space, network)[columns].round(3).to_string())
        for result in (declared.ABLATION, declared.CLASSES, declared.SESSIONS, declared.CURVE):
            rows = results.table(result, space, network)
            if not rows.empty:
                print(rows.round(3).to_string())
    print(results.table(encoding.SCORES, space).round(3).to_string())


def main() -> None:
    """Write the study unless it is there, run the app, print results and cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("tree", "music", "weights", "work"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--voxel-mm", type=int, default=8)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--snr", type=float, default=1.0)
    parser.add_argument("--clap", action="store_true")
    parser.add_argument("--set", action="append", default=[], dest="changes")
    options = parser.parse_args()
    data, out = options.work / "data", options.work / "out"
    if not (data / FMRIPREP / "dataset_description.json").exists():
        start = time.perf_counter()
        write_study(options, data)
        print(f"study written in {time.perf_counter() - start:.0f} s", flush=True)
    words = [str(data), str(out), "participant", "--recipe", "reconstruct", "-q"]
    words += ["--adapter", "ds003720", "-w", str(options.work / "scratch"), "--mem", "8G"]
    words += ["--weights-dir", str(options.weights), "--network", NETWORK, "baseline"]
    if options.clap:
        words[-1:] = ["clap"]
    for change in ("test_task=Test", f"hop_s={HOP_S}", *options.changes):
        words += ["--set", f"reconstruct.{change}"]
    start, cpu = time.perf_counter(), time.process_time()
    if app(words):
        sys.exit("the app failed")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = time.process_time() - cpu + children.ru_utime
    peak = max(usage.ru_maxrss, children.ru_maxrss) / 2**20
    print(f"{time.perf_counter() - start:.0f} s, {spent:.0f} s of processors, peak {peak:.2f} GiB")
    show(out)


if __name__ == "__main__":
    main()
