"""What is looked for and refused before anything is computed, and what that will cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from bidsapp.bids.dataset import Dataset, participants
from bidsapp.bids.index import find_runs
from bidsapp.bids.presentations import find_presentations
from bidsapp.bids.stimuli import read_catalogue, stimuli_folders
from bidsapp.config import Config
from bidsapp.errors import AppError, InputInvalidError, InputMissingError, UsageError
from bidsapp.recipes.base.inputs import Inputs, query_filters
from bidsapp.recipes.reconstruct.clips import ReconstructInputs, make_clips
from bidsapp.recipes.reconstruct.folds import heard_order, make_blocks
from bidsapp.recipes.reconstruct.settings import ReconstructSettings

if TYPE_CHECKING:
    from bidsapp.audio.networks.base import Network


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


def refuse(
    settings: ReconstructSettings, group_settings: object, config: Config, spaces: Sequence[str]
) -> None:
    """Refuse an embedding layer, a corpus or a generator that cannot serve the networks.

    Parameters
    ----------
    settings
        ``embedding_layer``, ``corpus``, ``corpus_sounds``, ``generator``, ``networks``.
    group_settings, spaces
        Not looked at.
    config
        Levels, and where the networks' weights are.

    Raises
    ------
    UsageError
        No network has the layer, or the space that the generator was trained on.
    InputMissingError
        The index of the corpus, one of its sounds, or the generator's pipeline is not there.
    InputInvalidError
        The index is damaged, or of another network, other weights or another layer; the
        generator is another pipeline.
    ResourceUnavailableError
        Weights or an optional package are not there.
    """
    wishes = settings.embedding_layer, settings.corpus, settings.generator
    if "participant" not in config.analysis_level or not any(wishes):
        return
    networks = {name: _build(name, settings.hop_s, config) for name in settings.networks}
    layers = {name: [layer.name for layer in item.layers] for name, item in networks.items()}
    refuse_layer(settings.embedding_layer, layers)
    if settings.corpus:
        _refuse_corpus(settings, networks)
    if settings.generator:
        from bidsapp.audio.generation import generator_space

        known = {name: dict(network.weights) for name, network in networks.items()}
        refuse_space(settings.generator, generator_space(Path(settings.generator)), known)


def refuse_layer(wish: str, layers: Mapping[str, Sequence[str]]) -> None:
    """Refuse an embedding layer that no network has.

    Parameters
    ----------
    wish
        Its name; empty for none.
    layers
        Network → names of its layers.

    Raises
    ------
    UsageError
        No network has the layer.
    """
    if wish and not any(wish in own for own in layers.values()):
        known = "; ".join(f"{network}: {', '.join(own)}" for network, own in layers.items())
        msg = f"reconstruct.embedding_layer={wish!r}: no network has this layer; known are {known}"
        raise UsageError(msg)


def refuse_space(generator: str, wanted: str, weights: Mapping[str, Mapping[str, object]]) -> None:
    """Refuse a generator of a space that no network has.

    Parameters
    ----------
    generator
        Its folder.
    wanted
        The embedding space that it was trained on.
    weights
        Network → what its weights are.

    Raises
    ------
    UsageError
        No network has the space.
    """
    spaces = {network: str(facts.get("space", "none")) for network, facts in weights.items()}
    if wanted not in spaces.values():
        known = ", ".join(f"{network}: {space}" for network, space in spaces.items())
        msg = (
            f"reconstruct.generator={generator!r} was trained on embeddings of space "
            f"{wanted}, the networks have {known}; run it with --network clap --weights "
            "and the CLAP of the generator (the text_encoder folder of MusicLDM)"
        )
        raise UsageError(msg)


def _build(name: str, hop_s: float, config: Config) -> Network:
    """Build a network with the weights of the run."""
    from bidsapp.audio.networks import get_network, network_weights

    return get_network(
        name,
        weights=network_weights(name, config.weights),
        weights_dir=config.weights_dir,
        seed=config.random_seed,
        hop_s=hop_s,
    )


def _refuse_corpus(settings: ReconstructSettings, networks: Mapping[str, Network]) -> None:
    """Refuse an index that is not of a network of the run, or whose sounds are not there."""
    from bidsapp.audio.corpus_index import CorpusIndex
    from bidsapp.audio.embeddings import embedding_layer

    index = CorpusIndex.open(Path(settings.corpus))
    space: Mapping[str, Any] = index.facts["space"]
    own = [network for network in networks.values() if network.name == space["network"]]
    if not own:
        msg = (
            f"reconstruct.corpus={settings.corpus!r} is an index of {space['network']}, the run "
            f"has {', '.join(networks)}; add the network, or make an index of one of these"
        )
        raise InputInvalidError(msg)
    for network in own:
        layer = embedding_layer(network.layers, settings.embedding_layer)
        index.refuse_other_space(network, layer)
    if settings.corpus_sounds:
        folder = Path(settings.corpus_sounds)
        absent = [name for name in index.files if not (folder / name).is_file()]
        if absent:
            msg = (
                f"reconstruct.corpus_sounds={settings.corpus_sounds!r} lacks {len(absent)} of "
                f"the {len(index.files)} sounds of the index, {absent[0]} among them; name the "
                "folder that the index was made of"
            )
            raise InputMissingError(msg)
