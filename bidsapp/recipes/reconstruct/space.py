"""Embedding spaces: decoded from every region, judged, and with other response windows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from bidsapp.recipes.reconstruct.decode import (
    Decoded,
    Judge,
    Regions,
    decode,
    decode_chosen,
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
        rows.append(ClipRows(embedding, rows_of.block, rows_of.folds))
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
    )
    LOGGER.info(
        "%s: %d regions, %d in the dual form",
        study.label,
        len(regions.names),
        decoded[0].n_dual,
    )
    return {
        bank.network: judge_space(study, network, bank, own, part, clips, regions, responses)
        for network, bank, own, part in zip(networks, banks, rows, decoded, strict=True)
    }


def judge_space(
    study: ParticipantStudy,
    network: Network,
    bank: CourseBank,
    rows: ClipRows,
    decoded: Decoded,
    clips: Clips,
    regions: Regions,
    responses: NDArray[np.float32],
) -> Space:
    """Compare the predictions of one embedding with clips, exchanged clips and other decoders.

    Parameters
    ----------
    study
        The participant.
    network, bank
        The network and its frames.
    rows, decoded
        The embedding of each window, and its predictions.
    clips, regions
        Clips; what was decoded from.
    responses
        (n_units, n_rows).
    """
    settings: ReconstructSettings = study.settings
    judge = make_judge(rows, clips, settings, study.config.random_seed)
    ablation: list[dict[str, Any]] = []
    if settings.genre_ablation:
        ablation = list(ablation_rows(responses, regions, clips, judge, decoded, settings))
    return Space(
        network,
        bank,
        embedding_layer(bank.layers, settings.embedding_layer),
        judge,
        decoded,
        judge.identify(decoded.ensemble),
        judge.identify(decoded.ensemble, within_genre=True),
        judge.exchange(decoded.ensemble),
        judge.exchange(decoded.ensemble, within_genre=True),
        region_exchange(judge, decoded),
        list(curve_rows(study, clips, rows, regions, decoded, judge)),
        ablation,
        list(session_rows(study, clips, rows, regions, decoded)),
    )


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


def curve_rows(
    study: ParticipantStudy,
    clips: Clips,
    rows: ClipRows,
    regions: Regions,
    decoded: Decoded,
    judge: Judge,
) -> Iterator[dict[str, Any]]:
    """Yield the identification accuracy of other response windows.

    Regions are those that the ensemble took in the same folds; penalties are chosen again.
    """
    settings: ReconstructSettings = study.settings
    window_s = settings.embedding_window_s
    wanted = [("shift", shift_s, window_s) for shift_s in settings.curve_shifts_s]
    wanted += [("length", settings.shift_s, length_s) for length_s in settings.curve_lengths_s]
    taken = np.flatnonzero(decoded.chosen.any(axis=0))
    units = [regions.units(int(region)) for region in taken]
    data = np.asarray(study.bold.data[:, np.concatenate(units)]) if wanted else None
    ends = np.cumsum([len(own) for own in units])[:-1]
    for varied, shift_s, length_s in wanted:
        window = response_window(settings, shift_s, length_s)
        weights = response_weights(clips, study.inputs.runs, **window)
        accuracy = np.nan
        if np.diff(weights.indptr).min() > 0:
            parts = np.split((weights.astype(np.float32) @ data).T, ends)
            predicted = decode_chosen(parts, decoded.chosen[:, taken], rows, settings)
            accuracy = float(judge.identify(predicted).mean)
        yield {
            "varied": varied,
            "shift_s": shift_s,
            "length_s": length_s,
            "identification": accuracy,
        }
