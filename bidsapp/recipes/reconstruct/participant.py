"""`reconstruct`, participant level.

Responses averaged over windows of clips predict the embedding of each window by ridge regression,
region by region, in folds over clips. The predictions of the best regions, chosen in inner folds,
are averaged; held-out clips are identified by them among all held-out clips and among those of
their genre, and compared with exchanged clips. The other way round, embeddings predict responses.

Source: Denk et al. 2025, Nature Communications, Brain2Music.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bidsapp.recipes.base.quality import quality_rows
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.reconstruct import cautions, results
from bidsapp.recipes.reconstruct.classes import class_rows, telling
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.decode import Regions, make_regions
from bidsapp.recipes.reconstruct.encoding.fit import encode_spaces, write_encoding
from bidsapp.recipes.reconstruct.examples import open_generator, write_examples
from bidsapp.recipes.reconstruct.folds import are_consecutive, n_in_gaps
from bidsapp.recipes.reconstruct.inputs import refuse_layer
from bidsapp.recipes.reconstruct.retrieval import retrieve_music
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.recipes.reconstruct.space import Space, decode_networks
from bidsapp.recipes.reconstruct.tables import clip_rows, decoding_rows, fold_rows, p_of_regions
from bidsapp.recipes.reconstruct.windows import scanned_clips
from bidsapp.results.write import Output, tidy


def participant(study: ParticipantStudy) -> None:
    """Run the participant level for one participant in one space and write its results."""
    settings: ReconstructSettings = study.settings
    clips, rows_of = scanned_clips(study.inputs, settings)
    bold = study.bold
    regions = make_regions(bold.units, ~bold.invalid, settings, study.config.atlas)
    scratch = study.kept("reconstruct", bold.units.identity())
    networks = [study.network(name) for name in settings.networks]
    banks = [study.courses(network) for network in networks]
    layers = {bank.network: [layer.name for layer in bank.layers] for bank in banks}
    refuse_layer(settings.embedding_layer, layers)
    generator = open_generator(settings, banks, study.device)
    spaces = decode_networks(study, networks, banks, clips, rows_of, regions, scratch)
    out = study.output(bold.units)
    for name, space in spaces.items():
        write_space(out, name, space, clips, regions)
        retrieved = retrieve_music(study, space, clips) if settings.corpus else None
        if retrieved is not None:
            out.write(results.RETRIEVED, retrieved.rows, network=name)
            out.write(results.RETRIEVAL, retrieved.summary, network=name)
        teller = telling(networks, space.network)
        if teller is not None:
            rows = class_rows(study, space, teller, spaces[teller.name].bank, clips, retrieved)
            out.write(results.CLASSES, list(rows), network=name)
        write_examples(out, study, space, clips, retrieved, generator)
    if settings.encoding:
        encoded = encode_spaces(study, spaces, clips, regions, scratch)
        write_encoding(out, encoded, clips, regions, settings.significance)
    out.write(results.REGION_LABELS, regions.label + 1, names=regions.names)
    out.write(results.FOLDS, fold_rows(clips, next(iter(spaces.values())).judge.fold))
    out.write(results.ALIGNMENT, study.inputs.alignment)
    out.write(results.QUALITY, quality_rows(study.inputs, study.bold.tsnr))
    facts = study.summary(
        bold.units,
        networks={
            name: {
                "layers": [space.layer_name],
                "weights": dict(space.bank.weights),
                "n_dimensions": space.bank.layers[space.layer].n_channels,
                "n_dual": space.decoded.n_dual,
            }
            for name, space in spaces.items()
        },
        cautions=cautions.of_participant(study, clips, regions, spaces),
        confounds=bold.confounds,
        n_constant=bold.n_constant,
        n_nan=bold.n_nan,
        n_clips=len(clips.clips),
        n_held_out=int((next(iter(spaces.values())).judge.fold >= 0).sum()),
        n_windows=clips.n_windows,
        n_genres=len(set(clips.genre) - {""}),
        n_folds=len(rows_of.folds),
        consecutive=are_consecutive(clips, study.inputs, rows_of.block),
        n_in_gaps=n_in_gaps(rows_of),
        n_regions=len(regions.names),
        n_best=min(settings.n_best, len(regions.names)),
        n_repeats=[min(map(len, clips.hearings)), max(map(len, clips.hearings))],
    )
    out.write(results.SUMMARY, facts)
    scratch.remove()
    bold.remove()


def write_space(out: Output, network: str, space: Space, clips: Clips, regions: Regions) -> None:
    """Write the maps and tables of one embedding space."""
    write = partial(out.write, network=network)
    facts: dict[str, Any] = {"Weights": dict(space.bank.weights), "Layer": space.layer_name}
    exchange = space.regions
    accuracy = np.array([float(space.judge.identify(own).mean) for own in space.decoded.regions])
    write(results.MAP, regions.on_units(accuracy - 0.5), **facts)
    n_exchanges = len(exchange.null)
    p, p_fwe = p_of_regions(exchange)
    if n_exchanges:
        write(results.P_MAP, regions.on_units(p_fwe), NumberOfExchanges=n_exchanges)
    columns = {
        "n_units": [len(regions.units(k)) for k in range(len(regions.names))],
        "n_chosen": space.decoded.chosen.sum(axis=0),
        "inner_score": space.decoded.scores.mean(axis=0),
        "identification": accuracy,
        "p": p,
        "p_fwe": p_fwe,
    }
    write(results.REGIONS, tidy(columns, region=regions.names))
    write(results.DECODING, decoding_rows(space))
    write(results.CLIPS, clip_rows(space, clips))
    for result, rows in (
        (results.CURVE, space.curve),
        (results.ABLATION, space.ablation),
        (results.SESSIONS, space.sessions),
    ):
        if rows:
            write(result, rows)
    held_out = space.judge.fold >= 0
    moments = [space.judge.rows.training_moments(k) for k in range(len(space.judge.rows.folds))]
    arrays = {
        "ensemble": space.decoded.ensemble[held_out].astype(np.float32),
        "target": space.judge.target[held_out].astype(np.float32),
        "mean": np.stack([mean for mean, _ in moments]).astype(np.float32),
        "sd": np.stack([sd for _, sd in moments]).astype(np.float32),
        "clips": space.judge.rows.embedding.mean(axis=1).astype(np.float32),
        "inner_score": space.decoded.scores,
    }
    out.arrays(results.EMBEDDINGS, arrays, network=network)
    parts = {
        "ensemble": space.exchange,
        "within_genre": space.exchange_within,
        "regions": space.regions,
    }
    nulls = {}
    for name, part in parts.items():
        nulls[f"{name}_observed"] = part.observed
        nulls[f"{name}_null"] = part.null
    out.arrays(results.EXCHANGES, nulls, network=network)
