"""Classes of what is reconstructed against those of what was heard: genres, instruments, moods.

What is reconstructed is the training clip, or the piece of a corpus, that is most like the decoded
embedding. Its most probable classes, as a network tells them from the sound, are compared with
those of the clip that was heard.

Source: Denk et al. 2025, top-n class agreement (appendix A.1.5 and A.1.6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.audio.class_groups import class_groups
from bidsapp.audio.embeddings import window_means
from bidsapp.audio.networks.base import Network
from bidsapp.features.courses import CourseBank, extract_courses
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.retrieval import Retrieved
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.recipes.reconstruct.space import Space
from bidsapp.recipes.reconstruct.tables import null_columns
from bidsapp.recipes.reconstruct.windows import window_embeddings
from bidsapp.stats.class_agreement import exchange_agreements, overlaps, top_classes
from bidsapp.stats.clip_exchange import Exchange
from bidsapp.stats.identification import row_correlations

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NEAREST, NEAREST_OWN = "training clip, decoded", "training clip, own embedding"
RETRIEVED, RETRIEVED_OWN = "corpus, decoded", "corpus, own embedding"
RANDOM = "corpus, random"
_OF_CORPUS = {RETRIEVED: "decoded", RETRIEVED_OWN: "oracle", RANDOM: "random"}
_TESTED = (NEAREST, RETRIEVED)


def telling(networks: Sequence[Network], preferred: Network) -> Network | None:
    """Return the network that tells classes: the preferred one, or the first that does."""
    able = [item for item in networks if class_groups(item.classes)]
    return preferred if preferred in able else next(iter(able), None)


def class_rows(
    study: ParticipantStudy,
    space: Space,
    network: Network,
    bank: CourseBank,
    clips: Clips,
    retrieved: Retrieved | None,
) -> Iterator[dict[str, Any]]:
    """Yield the agreement of classes by group and by what is reconstructed.

    Parameters
    ----------
    study
        The participant.
    space
        Decoded embeddings.
    network, bank
        Which tells the classes, and its frames of the clips.
    clips
        What was heard.
    retrieved
        From a corpus, whose sounds are read where ``corpus_sounds`` is given.
    """
    settings: ReconstructSettings = study.settings
    last = len(network.layers) - 1
    heard = window_embeddings(bank, last, clips, settings.embedding_window_s).mean(axis=1)
    judge = space.judge
    told: dict[str, Floats] = {
        NEAREST: heard[nearest_training(space, judge.compared(space.decoded.ensemble))],
        NEAREST_OWN: heard[nearest_training(space, judge.compared(judge.target))],
    }
    if retrieved is not None and settings.corpus_sounds:
        told |= of_corpus(study, network, clips, retrieved)
    for group in class_groups(network.classes):
        columns = list(group.columns)
        true = top_classes(heard[:, columns], group.n)
        for source, values in told.items():
            known = np.isfinite(values).all(axis=1) & (judge.fold >= 0)
            if not known.any():
                continue
            made = top_classes(values[:, columns], group.n)
            # exchanges are drawn for all held-out clips of a fold: one without a piece stands out
            whole = bool(known[judge.fold >= 0].all())
            orders = judge.orders if whole else judge.orders[:0]
            fold = np.where(known, judge.fold, -1)
            exchange = exchange_agreements(made, true, fold, orders)
            if source not in _TESTED:
                exchange = Exchange(exchange.observed, exchange.null[:0])
            share = overlaps(made, true)
            yield {
                "classes_by": network.name,
                "group": group.name,
                "n": group.n,
                "source": source,
                "n_clips": int(known.sum()),
                "agreement": float(exchange.observed),
                "overlap": float(np.diagonal(share)[known].mean()),
                **null_columns(exchange),
            }


def nearest_training(space: Space, wanted: Floats) -> Ints:
    """Find the training clip of its fold whose embedding each held-out clip's is most like.

    Parameters
    ----------
    space
        Embeddings and folds.
    wanted
        (n_clips, n_dimensions) embeddings, as they are compared.

    Returns
    -------
    array, (n_clips,)
        0 for clips that no fold holds out.
    """
    judge = space.judge
    nearest = np.zeros(len(judge.fold), np.int64)
    for number in range(len(judge.rows.folds)):
        test = np.flatnonzero(judge.fold == number)
        train = np.flatnonzero(judge.rows.train(number))
        values = judge.rows.standardised(number)
        if judge.raw:
            values = judge.rows.embedding.mean(axis=1)
        nearest[test] = train[row_correlations(wanted[test], values[train]).argmax(axis=1)]
    return nearest


def of_corpus(
    study: ParticipantStudy, network: Network, clips: Clips, retrieved: Retrieved
) -> dict[str, Floats]:
    """Tell the classes of the pieces of the corpus that were retrieved.

    Returns
    -------
    dict
        Source → (n_clips, n_classes); NaN where nothing was retrieved for a clip, or the piece is
        shorter than a window of the network.
    """
    folder = Path(study.settings.corpus_sounds)
    first = {
        source: [retrieved.first(clip.name, kind) for clip in clips.clips]
        for source, kind in _OF_CORPUS.items()
    }
    pieces = sorted({row["piece"] for rows in first.values() for row in rows if row})
    bank = extract_courses(
        [(piece, folder / piece) for piece in pieces],
        network,
        study.scratch / "features",
        memory_bytes=study.memory_bytes // 4,
        device=study.device,
        quiet=study.config.quiet,
    )
    course = bank.course(len(bank.layers) - 1)
    n_classes = len(network.classes)

    def values(row: Mapping[str, Any] | None) -> Floats:
        if row is None:
            return np.full(n_classes, np.nan)
        frames = np.flatnonzero(bank.frame_piece == bank.pieces.index(row["piece"]))
        starts = np.array([row["start_s"]], np.float64)
        where = course[frames], bank.frame_time_s[frames], bank.window_s
        means: Floats = window_means(*where, starts, retrieved.window_s)[0]
        return means

    return {source: np.stack([values(row) for row in rows]) for source, rows in first.items()}
