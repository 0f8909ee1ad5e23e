"""What a participant of `reconstruct` costs at the size of ds003720, step by step, by the app.

    python benchmarks/reconstruct_study.py TREE WORK [--mem 8G] [--nprocs 2] [--set NAME=VALUE ...]

TREE holds the event files of ds003720: 12 training and 6 test runs of 410 volumes, 540 clips in
ten genres. BOLD of sub-001 is made on a 3 mm grid (--voxels 60000 of the template's brain)
and carries a table of 512 dimensions around the auditory cortices; the table and the acoustic
descriptors of simple sounds are the two embeddings, as many as the recipe's default has. The app
then runs with the recipe's defaults (six folds, 150 regions, encoding models, 1,000 exchanges).
Printed are wall-clock and processor seconds of each step, the largest resident memory while it
ran, and the identification accuracy. A step does not hold the time of steps within it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from ds003720 import LABEL, TRACK_S, read_runs, write_fmriprep
from stopwatch import Stopwatch

from bidsapp.cli.app import main as app
from bidsapp.recipes import RECIPES
from bidsapp.recipes.reconstruct import results as declared
from bidsapp.results.read import Results
from bidsapp.simulate import files
from bidsapp.simulate.genres import GenresOptions, GenresStudy
from bidsapp.simulate.signals import LayerFeatures
from bidsapp.simulate.spaces import VolumeSpace, mni_space

N_DIMENSIONS, HOP_S, FRAME_S = 512, 1.5, 3.0
SOUND_HZ = 8_000
TABLE = "embedding.npz"
STEPS = {
    "sounds to embeddings": "recipes.base.study:ParticipantStudy.courses",
    "BOLD read": "brain.clean:_read_all",
    "BOLD cleaned": "brain.clean:_clean_all",
    "responses of windows": "recipes.reconstruct.windows:fill_responses",
    "decoding: other": "recipes.reconstruct.participant:decode_networks",
    "decoding: regions": "recipes.reconstruct.decode:decode_regions",
    "decoding: all regions together": "recipes.reconstruct.decode:decode_whole",
    "decoding: genres left out": "recipes.reconstruct.space:ablation_rows",
    "decoding: response windows": "recipes.reconstruct.space:curve_rows",
    "decoding: exchanges of regions": "recipes.reconstruct.space:region_exchange",
    "encoding: other": "recipes.reconstruct.participant:encode_spaces",
    "encoding: models": "recipes.reconstruct.encoding.fit:encode_clips",
    "encoding: exchanges": "recipes.reconstruct.encoding.fit:exchange_scores",
    "encoding: variance divided": "recipes.reconstruct.encoding.blocks:divided",
    "writing": "recipes.reconstruct.participant:write_encoding",
    "page": "engine.reports:write_reports",
}
"""Title → function below `bidsapp`, where its caller looks it up."""


# ------------------------------------------------------------------ the study


def tone(rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a sound of a few partials that swell, (n_samples,)."""
    time_s = np.arange(round(TRACK_S * SOUND_HZ)) / SOUND_HZ
    sound = np.zeros_like(time_s)
    for pitch_hz in 110 * 2 ** (rng.integers(0, 48, 4) / 12):
        swell = 1 + np.sin(2 * np.pi * rng.uniform(0.1, 4) * time_s)
        sound += swell * np.sin(2 * np.pi * pitch_hz * time_s)
    return 0.05 * sound


def write_embedding(names: list[str], path: Path) -> LayerFeatures:
    """Write a table of embeddings: genres, tracks and what changes within them."""
    rng = np.random.default_rng(3)
    times_s = FRAME_S / 2 + HOP_S * np.arange(1 + int((TRACK_S - FRAME_S) / HOP_S))
    mixing = rng.standard_normal((60, N_DIMENSIONS))
    genres = sorted({name.split("/")[0] for name in names})
    of_genre = {genre: rng.standard_normal(60) for genre in genres}
    arrays, values = {}, []
    for name in names:
        own = of_genre[name.split("/")[0]] + rng.standard_normal(60)
        within = np.cumsum(rng.standard_normal((len(times_s), 60)), axis=0) / 3
        frames = (own + within) @ mixing + rng.standard_normal((len(times_s), N_DIMENSIONS))
        arrays[f"{name}/time"], arrays[f"{name}/embedding"] = times_s, frames.astype(np.float32)
        values.append(frames)
    np.savez(path, **arrays)
    stacked = np.concatenate(values)
    return LayerFeatures(
        network="table",
        layers=("embedding",),
        pieces=tuple(names),
        frame_piece=np.repeat(np.arange(len(names)), len(times_s)),
        frame_time_s=np.tile(times_s, len(names)),
        scores=(stacked - stacked.mean(axis=0),),
    )


def brain(n_voxels: int) -> VolumeSpace:
    """Voxels of the template's brain on a 3 mm grid, its lowest parts left out."""
    space = mni_space(3)
    kept = np.argwhere(space.mask)
    order = np.argsort(kept[:, 2], kind="stable")[::-1][:n_voxels]
    mask = np.zeros_like(space.mask)
    mask[tuple(kept[order].T)] = True
    return VolumeSpace(space.name, mask, space.affine)


def write_study(options: argparse.Namespace, data: Path) -> None:
    """Write events, sounds, the table and BOLD."""
    files.write_json(
        data / "dataset_description.json", {"Name": "Size of ds003720", "BIDSVersion": "1.8.0"}
    )
    rows = read_runs(options.tree, 12, data)
    heard = {
        (genre.strip("'"), int(track)) for own in rows.values() for _, _, genre, track, _, _ in own
    }
    names = [f"{genre}/{genre}.{number:05d}.wav" for genre, number in sorted(heard)]
    rng = np.random.default_rng(2)
    for name in names:
        (data / "stimuli" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(data / "stimuli" / name, tone(rng), SOUND_HZ)
    features = write_embedding(names, options.work / TABLE)
    study = GenresStudy(GenresOptions(n_participants=1, snr=options.snr), features, ())
    write_fmriprep(study, rows, names, brain(options.voxels), data)


def main() -> None:
    """Write the study unless it is there, run the app, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("tree", "work"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--voxels", type=int, default=60_000)
    parser.add_argument("--snr", type=float, default=1.0)
    parser.add_argument("--mem", default="8G")
    parser.add_argument("--nprocs", default="2")
    parser.add_argument("--only-write", action="store_true")
    parser.add_argument("--set", action="append", default=[], dest="changes")
    options = parser.parse_args()
    data, out = options.work / "data", options.work / "out"
    if not (data / "derivatives" / "fmriprep" / "dataset_description.json").exists():
        start = time.perf_counter()
        write_study(options, data)
        print(f"study written in {time.perf_counter() - start:.0f} s", flush=True)
    if options.only_write:
        return
    words = [str(data), str(out), "participant", "--recipe", "reconstruct", "--overwrite"]
    words += ["--adapter", "ds003720", "-w", str(options.work / "scratch"), "--mem", options.mem]
    words += ["--nprocs", options.nprocs]
    words += ["--network", f"features:{options.work / TABLE}", "baseline"]
    for change in options.changes:
        words += ["--set", f"reconstruct.{change}"]
    watch = Stopwatch()
    watch.attach(STEPS)
    with watch:
        failed = app(words)
    if failed:
        sys.exit("the app failed")
    print("\n".join(watch.table()))
    results = Results(out, "reconstruct", RECIPES["reconstruct"].results, LABEL)
    (space,) = results.spaces
    facts = results.facts(space)
    print({name: facts[name] for name in ("n_units", "n_clips", "n_windows", "n_regions")})
    for network in results.networks(space):
        rows = results.table(declared.DECODING, space, network)
        print(network, rows[["decoder", "candidates", "identification", "p"]].round(4).to_string())


if __name__ == "__main__":
    main()
