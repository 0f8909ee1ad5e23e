"""What the recipe adds to the inputs of a participant, and what it refuses."""

from __future__ import annotations

import dataclasses
from pathlib import PurePosixPath

from bidsapp.bids.dataset import Dataset, participants
from bidsapp.bids.index import find_runs
from bidsapp.bids.presentations import find_presentations
from bidsapp.bids.stimuli import read_catalogue, stimuli_folders
from bidsapp.config import Config
from bidsapp.errors import AppError
from bidsapp.recipes.base.inputs import Inputs, query_filters
from bidsapp.recipes.reconstruct.clips import ReconstructInputs, make_clips
from bidsapp.recipes.reconstruct.folds import heard_order, make_blocks
from bidsapp.recipes.reconstruct.settings import ReconstructSettings


def prepare(
    dataset: Dataset, inputs: Inputs, settings: ReconstructSettings, config: Config
) -> ReconstructInputs:
    """Add genres and order of the sounds, and check that there are clips to decode.

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
        **fields,
        genres={name: known[name] for name in pieces if known.get(name)},
        heard=first_order(dataset, inputs, config),
    )
    make_blocks(make_clips(prepared, settings), prepared, settings)
    return prepared


def first_order(dataset: Dataset, inputs: Inputs, config: Config) -> tuple[str, ...]:
    """List the sounds in the order in which the dataset's first participant heard them.

    It is the order by which the clips of all participants are divided, so that their folds are the
    same. Participants without runs that can be used are passed over.

    Parameters
    ----------
    dataset
        For its participants.
    inputs
        Of the participant at work.
    config
        Filters, stimuli folder and adapter.
    """
    for subject in participants(dataset):
        if subject == inputs.subject:
            break
        try:
            runs, _ = find_runs(
                dataset, subject, space=inputs.space, filters=query_filters(config)
            )
            heard, _ = find_presentations(
                dataset, runs, stimuli_dir=config.stimuli_dir, adapter=config.adapter
            )
        except AppError:
            continue
        if order := heard_order(runs, heard):
            return order
    return heard_order(inputs.runs, inputs.presentations)
