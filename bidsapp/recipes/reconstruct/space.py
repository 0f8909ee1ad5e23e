"""Embedding spaces: decoded from every region, judged, and with other response windows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.audio.embeddings import embedding_layer
from bidsapp.audio.networks.base import Network
from bidsapp.features.courses import CourseBank
from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.reconstruct.ablation import ablation_rows
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.curve import curve_rows
from bidsapp.recipes.reconstruct.decode import (
    Decoded,
    Judge,
    Regions,
    decode,
    make_judge,
    region_exchange,
)
from bidsapp.recipes.reconstruct.sessions import session_rows
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.recipes.reconstruct.windows import (
    fill_responses,
    response_weights,
    response_window,
    window_embeddings,
)
from bidsapp.scratch import Scratch
from bidsapp.stats.clip_exchange import Exchange
from bidsapp.stats.identification import Identification

LOGGER = logging.getLogger("musicotopy")


@dataclass(frozen=True, eq=False)
class Space:
    """Decoding of one embedding space.

    Attributes
    ----------
    network
        The network.
    bank, layer
        Its frames, and the position of the layer that is the embedding.
    judge
        True embeddings, and how predictions are compared with them.
    decoded
        Predictions.
    overall, within
        Identification by the ensemble, among all clips and within genres.
    exchange, exchange_within, regions
        Their null distributions, and those of the regions; None without exchanges.
    curve
        Rows of the table of response windows.
    ablation
        Rows of the table of genres left out of training.
    sessions
        Rows of the table of sessions.
    """

    network: Network
    bank: CourseBank
    layer: int
    judge: Judge
    decoded: Decoded
    overall: Identification
    within: Identification
    exchange: Exchange
    exchange_within: Exchange
    regions: Exchange
    curve: list[dict[str, Any]]
    ablation: list[dict[str, Any]]
    sessions: list[dict[str, Any]]

    @property
    def layer_name(self) -> str:
        """Name of the embedding layer."""
        return self.bank.layers[self.layer].name


def decode_networks(
    study: ParticipantStudy,
    networks: Sequence[Network],
    banks: Sequence[CourseBank],
    clips: Clips,
    rows_of: ClipRows,
    regions: Regions,
    scratch: Scratch,
) -> dict[str, Space]:
    """Decode the embeddings of all networks from every region, and judge the predictions.

    Parameters
    ----------
    study
        The participant.
    networks, banks
        The networks and their frames.
    clips, rows_of
        Clips; blocks and folds.
    regions
        What is decoded from.
    scratch
        Keeps responses on disk.

    Returns
    -------
    dict
        Network → its space.
    """
    settings: ReconstructSettings = study.settings
    window_s = settings.embedding_window_s
    rows = []
    for bank in banks:
        layer = embedding_layer(bank.layers, settings.embedding_layer)
        embedding = window_embeddings(bank, layer, clips, window_s)
        rows.append(replace(rows_of, embedding=embedding))
    responses = mean_responses(study, clips, scratch)
    decoded = decode(
        responses,
        regions,
        rows,
        settings,
        memory_bytes=study.memory_bytes // 4,
        device=study.device,
        label=f"{study.label}: regions",
        quiet=study.config.quiet,
        room=scratch.room,
    )
    LOGGER.info(
        "%s: %d regions, %d in the dual form",
        study.label,
        len(regions.names),
        decoded[0].n_dual,
    )
    judges = [make_judge(own, clips, settings, study.config.random_seed) for own in rows]
    ablations: list[list[dict[str, Any]]] = [[] for _ in judges]
    if settings.genre_ablation:
        ablations = ablation_rows(
            responses,
            regions,
            clips,
            judges,
            decoded,
            settings,
            label=f"{study.label}: genres left out",
            quiet=study.config.quiet,
        )
    curves = curve_rows(study, clips, regions, decoded, judges)
    return {
        bank.network: Space(
            network,
            bank,
            embedding_layer(bank.layers, settings.embedding_layer),
            judge,
            own,
            judge.identify(own.ensemble),
            judge.identify(own.ensemble, within_genre=True),
            judge.exchange(own.ensemble),
            judge.exchange(own.ensemble, within_genre=True),
            region_exchange(judge, own),
            curve,
            ablation,
            list(session_rows(study, clips, judge.rows, regions, own, scratch, f"space{number}")),
        )
        for number, (network, bank, judge, own, curve, ablation) in enumerate(
            zip(networks, banks, judges, decoded, curves, ablations, strict=True)
        )
    }


def mean_responses(study: ParticipantStudy, clips: Clips, scratch: Scratch) -> NDArray[np.float32]:
    """Average the volumes of each window, or read them if that was done before.

    Returns
    -------
    array, (n_units, n_clips * n_windows)
        Mapped from disk.
    """
    settings: ReconstructSettings = study.settings
    weights = response_weights(clips, study.inputs.runs, **response_window(settings))
    shape = (study.bold.units.n_units, weights.shape[0])
    fill = partial(fill_responses, weights, study.bold.data)
    return scratch.array("responses", shape, np.float32, fill)
