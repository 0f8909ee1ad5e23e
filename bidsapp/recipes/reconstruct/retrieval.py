"""Music of a corpus that is most like what was decoded.

Source: Denk et al. 2025, music retrieval and music reconstruction (section 3.3): cosine between
the decoded embedding and those of a corpus; oracle and random pieces beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.audio.corpus_index import CorpusIndex
from bidsapp.models.retrieval import Nearest, cosines, retrieve
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.space import Space
from bidsapp.stats.identification import identify

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Retrieved:
    """Rows of both tables of retrieved music, and the length of the corpus' windows in seconds."""

    rows: list[dict[str, Any]]
    summary: list[dict[str, Any]]
    window_s: float

    def first(self, clip: str, source: str) -> dict[str, Any] | None:
        """Return the row of the nearest piece of a clip by decoded, oracle or random."""
        rows = (row for row in self.rows if row["clip"] == clip and row["source"] == source)
        return next((row for row in rows if row["place"] == 1), None)


def retrieve_music(study: ParticipantStudy, space: Space, clips: Clips) -> Retrieved | None:
    """Retrieve the pieces of the corpus nearest to the decoded embeddings.

    Parameters
    ----------
    study
        The participant; its setting ``corpus`` is the folder of the index.
    space
        The embedding space.
    clips
        The clips.

    Returns
    -------
    Retrieved or None
        None where the index is of another network.

    Raises
    ------
    InputMissingError, InputInvalidError
        The index is not there, is damaged, or of other weights or another layer.
    """
    settings = study.settings
    index = CorpusIndex.open(Path(settings.corpus))
    network = space.network
    if index.facts["space"]["network"] != network.name:
        return None
    index.refuse_other_space(network, space.layer)
    judge = space.judge
    held_out = np.flatnonzero(judge.fold >= 0)
    own = judge.rows.embedding.mean(axis=1)[held_out]
    decoded = unstandardised(space)[held_out]
    stems = [PurePosixPath(name).stem for name in index.files]
    heard = {PurePosixPath(clip.piece).stem for clip in clips.clips}
    excluded = [k for k, stem in enumerate(stems) if stem in heard]
    sources = retrieve(
        decoded,
        own,
        index.embeddings,
        index.pieces,
        excluded=[excluded] * len(held_out),
        seed=study.config.random_seed,
        n_nearest=settings.n_retrieved,
        memory_bytes=study.memory_bytes // 8,
    )
    found = {"decoded": sources.decoded, "oracle": sources.oracle, "random": sources.random}
    rows = [
        {
            "clip": clips.clips[clip].name,
            "genre": clips.genre[clip],
            "source": source,
            "place": place + 1,
            "piece": index.files[index.pieces[item]],
            "start_s": float(index.starts_s[item]),
            "cosine": float(nearest.similarity[number, place]),
        }
        for source, nearest in found.items()
        for number, clip in enumerate(held_out)
        for place, item in enumerate(nearest.items[number])
        if item >= 0
    ]
    summary = list(_summary(found, index, own, judge.fold[held_out]))
    return Retrieved(rows, summary, float(index.facts["window_s"]))


def unstandardised(space: Space) -> Floats:
    """Return the decoded embeddings (n_clips, n_dimensions) in the units of the network."""
    judge = space.judge
    out = np.full_like(space.decoded.ensemble, np.nan)
    for number in range(len(judge.rows.folds)):
        mean, sd = judge.rows.training_moments(number)
        test = judge.fold == number
        out[test] = space.decoded.ensemble[test] * sd + mean
    return out


def _summary(
    found: dict[str, Nearest], index: CorpusIndex, own: Floats, fold: NDArray[np.int64]
) -> Iterator[dict[str, Any]]:
    """Yield how much the nearest pieces are like the clips, source by source."""
    for source, nearest in found.items():
        first = nearest.items[:, :1]
        known = first[:, 0] >= 0
        if not known.any():
            continue
        retrieved = np.asarray(index.embeddings[first[known, 0]], np.float64)
        result = identify(retrieved, own[known], fold[known])
        yield {
            "source": source,
            "n_clips": int(known.sum()),
            "cosine": float(cosines(own, index.embeddings, first)[known].mean()),
            "identification": float(result.mean),
        }
