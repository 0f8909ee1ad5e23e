"""What the recipe adds to the inputs of a participant, and what it refuses."""

from __future__ import annotations

import dataclasses
from pathlib import PurePosixPath

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.stimuli import read_catalogue, stimuli_folders
from bidsapp.config import Config
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.reconstruct.clips import ReconstructInputs, make_clips
from bidsapp.recipes.reconstruct.folds import make_blocks
from bidsapp.recipes.reconstruct.settings import ReconstructSettings


def prepare(
    dataset: Dataset, inputs: Inputs, settings: ReconstructSettings, config: Config
) -> ReconstructInputs:
    """Add the genres of the sounds, and check that there are clips to decode.

    Parameters
    ----------
    dataset
        For the catalogue ``stimuli.tsv``.
    inputs
        What was collected.
    settings
        How sounds become clips.
    config
        Folder of the stimuli.

    Raises
    ------
    InputInvalidError
        There are too few clips for the folds, or no run of the test task.
    """
    catalogue, problems = read_catalogue(stimuli_folders(dataset, config.stimuli_dir))
    known = {name: values[0] for name, values in catalogue.values("genre").items()}
    pieces = [name for name, _ in inputs.sounds]
    folders = {name: PurePosixPath(name).parent.name for name in pieces}
    if not known and len(set(folders.values())) > 1:
        known = folders
    fields = {item.name: getattr(inputs, item.name) for item in dataclasses.fields(Inputs)}
    fields["problems"] = (*inputs.problems, *problems)
    prepared = ReconstructInputs(
        **fields, genres={name: known[name] for name in pieces if known.get(name)}
    )
    clips = make_clips(prepared, settings)
    make_blocks(clips, prepared.runs, settings, inputs.subject)
    return prepared
