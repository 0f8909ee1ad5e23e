"""Fill a real metadata tree, whose images are placeholders, with synthetic BOLD of true shape.

The tree is a folder with ``bids`` and ``fmriprep`` inside (each with its text files as they were
published), or a BIDS dataset with ``derivatives/fmriprep``. Text files are copied as they are.
What is filled: BOLD of the chosen participants and spaces, brain masks of volumes, confounds, and
a small raw BOLD with the true number of volumes. All other placeholders stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bidsapp.bids.names import build_path
from bidsapp.progress import track
from bidsapp.simulate import files, planted
from bidsapp.simulate.features import FeatureSource, vggish_features
from bidsapp.simulate.grayordinates import CiftiSpace
from bidsapp.simulate.like_sounds import write_sounds
from bidsapp.simulate.participant import (
    FMRIPREP,
    draw_person,
    participant_bold,
    plant_for,
    run_namer,
    summary_of,
    write_confounds,
)
from bidsapp.simulate.placeholders import find_tree
from bidsapp.simulate.spaces import Space, fsaverage5_space, template_space
from bidsapp.simulate.world import SimulationOptions, World, build_world


@dataclass(frozen=True, slots=True)
class LikeOptions:
    """What to fill.

    Attributes
    ----------
    tree
        The metadata tree.
    participants
        Labels; all that have fMRIPrep derivatives by default.
    spaces
        ``fsaverage5``, ``fsLR`` (91k CIFTI) and ``MNI152NLin2009cAsym`` (2 mm: half a GB on disk
        and four of memory).
    sounds
        Folder with sounds to play; by default a piece is composed for each task, 15 s shorter
        than its run.
    snr, radius_mm, hop_s, seed
        As in `SimulationOptions`; a radius of 0 plants nothing.
    """

    tree: Path
    participants: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ("fsaverage5",)
    sounds: Path | None = None
    snr: float = 1.2
    radius_mm: float = 55.0
    hop_s: float = 0.48
    seed: int = 0


def simulate_like(
    out_dir: Path,
    options: LikeOptions,
    *,
    features: FeatureSource | None = None,
    cache_dir: Path | None = None,
    quiet: bool = False,
) -> Path:
    """Write a filled copy of a metadata tree.

    Parameters
    ----------
    out_dir
        Root of the new raw dataset; derivatives, stimuli and truth go inside.
    options
        What to fill.
    features, cache_dir, quiet
        As in `bidsapp.simulate.dataset.simulate`.

    Returns
    -------
    Path
        Folder of the truth.

    Raises
    ------
    InputMissingError
        The tree has no fMRIPrep derivatives of a participant, or no sizes of its CIFTI files.
    InputInvalidError
        A size fits no whole number of volumes, or repetition times differ between runs.
    """
    tree = find_tree(options.tree)
    labels = options.participants or tree.participants()
    runs = {label: tree.runs(label) for label in labels}
    tree.copy(out_dir, labels)
    every_run = [run for own in runs.values() for run in own]
    playlist = write_sounds(out_dir / "stimuli", every_run, options.sounds, options.seed)
    stimuli = playlist.stimuli
    heard = {
        label: tuple(
            replace(run, playing=playlist.played.get(run.entities["task"], ())) for run in own
        )
        for label, own in runs.items()
    }
    if features is None:
        layers = vggish_features(stimuli, hop_s=options.hop_s, cache_dir=cache_dir, quiet=quiet)
    else:
        layers = features(stimuli)
    settings = SimulationOptions(
        n_participants=len(labels),
        n_pieces=len(stimuli),
        tr_s=every_run[0].tr_s,
        spaces=options.spaces,
        snr=options.snr,
        radius_mm=options.radius_mm,
        hop_s=options.hop_s,
        seed=options.seed,
    )
    world = build_world(settings, layers, heard[labels[0]])
    planted.write_world(out_dir / planted.TRUTH, world)
    spaces = [_space(name) for name in options.spaces]
    people = list(enumerate(labels, start=1))
    for number, label in track(people, total=len(people), label="Participants", quiet=quiet):
        _fill(out_dir, replace(world, runs=heard[label]), spaces, label, number)
    return out_dir / planted.TRUTH


def _space(name: str) -> Space:
    if name == "fsaverage5":
        return fsaverage5_space()
    return CiftiSpace() if name == "fsLR" else template_space(name)


def _fill(out_dir: Path, world: World, spaces: Sequence[Space], label: str, number: int) -> None:
    """Fill the images and confounds of one participant."""
    person = draw_person(world, label, number)
    rng = np.random.default_rng([*person.seed, 7])
    root = out_dir / FMRIPREP
    planted.write_person(out_dir / planted.TRUTH, label, world.runs)
    for position, space in enumerate(spaces):
        topography = plant_for(world, space, person)
        planted.write_map(out_dir / planted.TRUTH, label, space, topography, person.strength)
        series = participant_bold(world, space, topography, person)
        for run, nuisance, data in zip(world.runs, person.nuisances, series, strict=True):
            namer = run_namer(root, label, run)
            space.save(data, run.tr_s, namer)
            if position == 0:
                write_confounds(namer, nuisance, summary_of(data), run.tr_s, rng)
    for run in world.runs:
        raw = out_dir / build_path({"sub": label, **run.entities}, "bold", ".nii.gz")
        files.write_tiny_bold(raw, run.n_trs, run.tr_s, person.seed)
