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
from bidsapp.simulate.features import FeatureSource, Source
from bidsapp.simulate.grayordinates import CiftiSpace
from bidsapp.simulate.like_sounds import write_sounds
from bidsapp.simulate.music_study import MusicStudy, music_features
from bidsapp.simulate.participant import (
    FMRIPREP,
    participant_bold,
    run_namer,
    summary_of,
    write_confounds,
)
from bidsapp.simulate.placeholders import find_tree
from bidsapp.simulate.spaces import Space, fsaverage5_space, template_space
from bidsapp.simulate.study import Person, draw_person
from bidsapp.simulate.world import MusicOptions, build_world


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
        As in `MusicOptions`; a radius of 0 plants nothing.
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
    with files.whole_or_absent(out_dir) as folder:
        tree.copy(folder, labels)
        every_run = [run for own in runs.values() for run in own]
        playlist = write_sounds(folder / "stimuli", every_run, options.sounds, options.seed)
        stimuli = playlist.stimuli
        heard = {
            label: tuple(
                replace(run, playing=playlist.played.get(run.entities["task"], ())) for run in own
            )
            for label, own in runs.items()
        }
        settings = MusicOptions(
            n_participants=len(labels),
            n_pieces=len(stimuli),
            tr_s=every_run[0].tr_s,
            spaces=options.spaces,
            snr=options.snr,
            radius_mm=options.radius_mm,
            hop_s=options.hop_s,
            seed=options.seed,
        )
        source = Source(features, cache_dir, quiet=quiet)
        layers = music_features(source, settings)(stimuli)
        study = MusicStudy(build_world(settings, layers, heard[labels[0]]))
        planted.write_features(folder / planted.TRUTH, layers)
        planted.write_study(folder / planted.TRUTH, study)
        spaces = [_space(name) for name in options.spaces]
        people = list(enumerate(labels, start=1))
        for number, label in track(people, total=len(people), label="Participants", quiet=quiet):
            _fill(folder, study, spaces, draw_person(settings, label, number, heard[label]))
    return out_dir / planted.TRUTH


def _space(name: str) -> Space:
    if name == "fsaverage5":
        return fsaverage5_space()
    return CiftiSpace() if name == "fsLR" else template_space(name)


def _fill(out_dir: Path, study: MusicStudy, spaces: Sequence[Space], person: Person) -> None:
    """Fill the images and confounds of one participant."""
    rng = np.random.default_rng([*person.seed, 7])
    truth, label = out_dir / planted.TRUTH, person.label
    planted.write_person(truth, label, person.runs)
    for position, space in enumerate(spaces):
        planting = study.plant(space, person)
        planted.write_maps(truth, label, space, planting.maps)
        series = participant_bold(planting.signal, space, person, study)
        for run, nuisance, data in zip(person.runs, person.nuisances, series, strict=True):
            namer = run_namer(out_dir / FMRIPREP, label, run)
            space.save(data, run.tr_s, namer)
            if position == 0:
                write_confounds(namer, nuisance, summary_of(data), run.tr_s, rng)
    for run in person.runs:
        raw = out_dir / build_path({"sub": label, **run.entities}, "bold", ".nii.gz")
        files.write_tiny_bold(raw, run.n_trs, run.tr_s, person.seed)
