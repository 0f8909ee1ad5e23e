"""A BIDS dataset with fMRIPrep derivatives and a planted truth, after one of several designs.

``music``
    pieces of music, ratings, and a gradient of layers: for the recipe ``gradients``.
``clips``
    short clips that come back in every run, and local patterns that carry the dissimilarities of
    a layer: for ``rsa``.
``genres``
    many clips of several genres, each heard once, and one embedding of them in the auditory
    cortices: for ``reconstruct``.
``emotions``
    a film in overlapping segments, labels by observers, and a pattern for each emotion: for
    ``emotion3d``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bidsapp.progress import track
from bidsapp.simulate import files, planted
from bidsapp.simulate.clips import ClipsOptions, clips_study
from bidsapp.simulate.emotions import EmotionsOptions, emotions_study
from bidsapp.simulate.features import FeatureSource, Source
from bidsapp.simulate.genres import GenresOptions, genres_study
from bidsapp.simulate.music_study import music_study
from bidsapp.simulate.participant import FMRIPREP, write_participant
from bidsapp.simulate.spaces import open_space
from bidsapp.simulate.study import Study, StudyOptions
from bidsapp.simulate.tree import BIDS_VERSION, GENERATOR, write_root
from bidsapp.simulate.world import MusicOptions

__all__ = ["DESIGNS", "Design", "MusicOptions", "simulate"]


@dataclass(frozen=True, slots=True)
class Design:
    """How a dataset is made.

    Attributes
    ----------
    options
        What can be asked for.
    study
        Writes the sounds below a root, and says what is heard and planted.
    """

    options: type[StudyOptions]
    study: Callable[[Path, Any, Source], Study]


DESIGNS: dict[str, Design] = {
    "music": Design(MusicOptions, music_study),
    "clips": Design(ClipsOptions, clips_study),
    "genres": Design(GenresOptions, genres_study),
    "emotions": Design(EmotionsOptions, emotions_study),
}


def simulate(
    out_dir: Path,
    options: StudyOptions,
    *,
    features: FeatureSource | None = None,
    cache_dir: Path | None = None,
    weights_dir: Path | None = None,
    quiet: bool = False,
) -> Path:
    """Write a simulated dataset.

    Parameters
    ----------
    out_dir
        Root of the new dataset.
    options
        What to simulate; their class is that of a design.
    features
        Where layer features come from; a network with random weights by default.
    cache_dir
        Folder in which the network's features are kept for later runs of the app.
    weights_dir
        Folder with the weights of a trained network.
    quiet
        Show no progress.

    Returns
    -------
    Path
        Folder of the truth.

    Raises
    ------
    UsageError
        The options ask for nothing.
    """
    options.check()
    design = DESIGNS[options.design]
    study = design.study(out_dir, options, Source(features, cache_dir, weights_dir, quiet))
    write_root(out_dir, study)
    study.write_shared(out_dir)
    _describe_derivatives(out_dir / FMRIPREP)
    planted.write_study(out_dir / planted.TRUTH, study)
    spaces = [open_space(name, options.voxel_mm) for name in options.spaces]
    people = range(1, options.n_participants + 1)
    for number in track(people, total=len(people), label="Participants", quiet=quiet):
        write_participant(out_dir, study, spaces, number)
    return out_dir / planted.TRUTH


def _describe_derivatives(folder: Path) -> None:
    files.write_json(
        folder / "dataset_description.json",
        {
            "Name": "Simulated BOLD in the shape of fMRIPrep 22 output",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [GENERATOR],
            "DatasetLinks": {"raw": "../.."},
        },
    )
