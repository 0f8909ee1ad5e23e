"""Encoding models of the clips one participant heard, their test, and what they share.

Responses and embeddings are averaged over the windows of a clip, so that clips are the unit of
inference. The embeddings of the first three networks are the bands of banded ridge regression;
the genre, one-hot, is a model of its own.

Source: Denk et al. 2025, encoding (section 4.2) and variance partitioning (A.1.8).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.banded import Subset, simplex_grid
from bidsapp.models.clip_encoding import BandedEncoding, band_weights, encode_clips
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.reconstruct.clips import NO_GENRE, Clips
from bidsapp.recipes.reconstruct.decode import Judge, Regions
from bidsapp.recipes.reconstruct.encoding import results
from bidsapp.recipes.reconstruct.encoding.blocks import BlockwiseModels
from bidsapp.recipes.reconstruct.encoding.components import Components, components_of
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.recipes.reconstruct.space import Space, mean_responses
from bidsapp.results.write import Output, tidy
from bidsapp.scratch import Scratch
from bidsapp.stats.encoding_exchange import EncodingExchange, exchange_scores
from bidsapp.stats.fdr import benjamini_hochberg

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_UNITS_AT_ONCE = 2_000


@dataclass(frozen=True)
class Scores:
    """What is scored: models, and differences of models.

    Attributes
    ----------
    names
        Of models, then of differences.
    n_models
        How many are models.
    contrasts
        (n_scores, n_fitted): which of the fitted models each score adds and subtracts. Fitted are
        all subsets of bands, in the order of `subsets`, and the genre.
    subsets
        Subsets of bands, the single ones first.
    """

    names: tuple[str, ...]
    n_models: int
    contrasts: Floats
    subsets: tuple[Subset, ...]

    @property
    def kinds(self) -> list[str]:
        """``model`` or ``difference`` of each score."""
        n_differences = len(self.names) - self.n_models
        return ["model"] * self.n_models + ["difference"] * n_differences


@dataclass(frozen=True, eq=False)
class EncodedClips:
    """Encoding models of one participant.

    Attributes
    ----------
    bands
        Networks whose embeddings are bands.
    scores
        What is scored.
    exchange
        Scores and their p-values on the units of the regions.
    units
        (n_modelled,) units of the regions, of all units.
    variance
        Part of the explained variance → (n_modelled,); empty with one band.
    log10_penalty
        (n_bands, n_modelled) of the model of all bands, mean over folds.
    components
        Of the weights of the first band.
    """

    bands: tuple[str, ...]
    scores: Scores
    exchange: EncodingExchange
    units: Ints
    variance: Mapping[str, Floats]
    log10_penalty: Floats
    components: Components


def scores_of(bands: Sequence[str], *, genre: bool) -> Scores:
    """List the models and the differences that are scored.

    Parameters
    ----------
    bands
        Networks.
    genre
        Whether the genre is a model.
    """
    n = len(bands)
    subsets = tuple(s for size in range(1, n + 1) for s in combinations(range(n), size))
    n_fitted = len(subsets) + genre
    everything = len(subsets) - 1
    fitted_genre = n_fitted - 1
    models = [(name, {k: 1}) for k, name in enumerate(bands)]
    if n > 1:
        models.append((results.JOINT, {everything: 1}))
    if genre:
        models.append((results.GENRE, {fitted_genre: 1}))
    differences = [
        (f"{bands[a]} − {bands[b]}", {a: 1, b: -1})  # noqa: RUF001
        for a, b in combinations(range(n), 2)
    ]
    for k in range(n if n > 1 else 0):
        rest = tuple(other for other in range(n) if other != k)
        beyond = bands[rest[0]] if n == 2 else "the others"
        name = f"{bands[k]} beyond {beyond}"
        differences.append((name, {everything: 1, subsets.index(rest): -1}))
    if genre:
        differences += [
            (f"{name} − {results.GENRE}", {k: 1, fitted_genre: -1})  # noqa: RUF001
            for k, name in enumerate(bands)
        ]
    contrasts = np.zeros((len(models) + len(differences), n_fitted))
    for row, (_, weights) in enumerate([*models, *differences]):
        for column, weight in weights.items():
            contrasts[row, column] = weight
    names = tuple(name for name, _ in [*models, *differences])
    return Scores(names, len(models), contrasts, subsets)


def one_hot(clips: Clips) -> Floats | None:
    """Return the genre of each clip as (n_clips, n_genres) of 0 and 1; None if some is unknown."""
    if not clips.has_genres or NO_GENRE in clips.genre:
        return None
    names = sorted(set(clips.genre))
    return np.array([[float(own == name) for name in names] for own in clips.genre])


def encode_responses(
    responses: NDArray[np.float32],
    embeddings: Mapping[str, Floats],
    genre: Floats | None,
    regions: Regions,
    judge: Judge,
    settings: ReconstructSettings,
    *,
    memory_bytes: int,
    device: str = "cpu",
) -> EncodedClips:
    """Fit the models of all embeddings, test them, and divide the variance.

    Parameters
    ----------
    responses
        (n_units, n_rows) mean response to each window; may be mapped from disk.
    embeddings
        Network → (n_clips, n_dimensions), at most three.
    genre
        (n_clips, n_genres) one-hot; None for no model of the genre.
    regions
        Groups of units; others are not modelled.
    judge
        For blocks, folds and exchanges, which all embedding spaces have in common.
    settings
        ``log10_alpha``, ``band_steps``, ``n_weights``.
    memory_bytes
        For predictions and temporary arrays: units are gone through in as many parts as it asks
        for.
    device
        Torch device.
    """
    bands = tuple(embeddings)
    rows = judge.rows
    units = np.flatnonzero(regions.label >= 0)
    y = clip_means(responses, units, len(rows.block))
    alphas = [10.0**x for x in settings.log10_alpha]
    train = np.stack([rows.train(number) for number in range(len(rows.folds))])
    fit = partial(
        encode_clips,
        block=rows.block,
        folds=rows.folds,
        alphas=alphas,
        train=train,
        memory_bytes=memory_bytes // 4,
        device=device,
    )
    scores = scores_of(bands, genre=genre is not None)
    label = regions.label[units]
    groups = [np.flatnonzero(label == number) for number in range(len(regions.names))]
    grid = simplex_grid(len(bands), settings.band_steps)
    models = BlockwiseModels(
        partial(_fit_responses, fit, list(embeddings.values()), grid),
        None if genre is None else partial(_fit_responses, fit, [genre], np.ones((1, 1))),
        y,
        np.concatenate(groups),
        rows.fold,
        bands,
        scores.subsets,
        memory_bytes // 2,
    )
    exchange = exchange_scores(
        models.predicted,
        y,
        rows.fold,
        judge.orders,
        scores.contrasts,
        groups,
        memory_bytes=memory_bytes // 4,
    )
    order = np.argsort(-exchange.score[0], kind="stable")[: settings.n_weights]
    band = embeddings[bands[0]]
    index = models.alpha_index[:, order]
    weights = band_weights(band, y[:, order], rows.block, rows.folds, alphas, index, train)
    components = components_of(weights, band, units[order])
    penalty = models.log10_penalty
    return EncodedClips(bands, scores, exchange, units, models.explained, penalty, components)


def clip_means(responses: NDArray[np.float32], units: Ints, n_clips: int) -> NDArray[np.float32]:
    """Average the responses of some units over the windows of each clip, a few units at a time.

    Parameters
    ----------
    responses
        (n_units, n_rows).
    units
        Of which.
    n_clips
        Each has as many rows, which follow each other.

    Returns
    -------
    array, (n_clips, len(units))
    """
    means = np.empty((n_clips, len(units)), np.float32)
    for start in range(0, len(units), _UNITS_AT_ONCE):
        part = np.asarray(responses[units[start : start + _UNITS_AT_ONCE]])
        own = part.reshape(len(part), n_clips, -1).mean(axis=2)
        means[:, start : start + len(part)] = own.T
    return means


def _fit_responses(
    fit: Callable[..., BandedEncoding],
    bands: Sequence[Floats],
    grid: NDArray[np.floating],
    responses: NDArray[np.float32],
) -> BandedEncoding:
    """Fit models of given bands to the responses (n_clips, n_units) of some units."""
    return fit(bands, responses=responses, grid=grid)


def encode_spaces(
    study: ParticipantStudy,
    spaces: Mapping[str, Space],
    clips: Clips,
    regions: Regions,
    scratch: Scratch,
) -> EncodedClips:
    """Fit the encoding models of one participant.

    Parameters
    ----------
    study
        The participant.
    spaces
        Network → its embedding space; the first three are used.
    clips
        What was heard.
    regions
        Units that are modelled.
    scratch
        Keeps responses on disk.
    """
    used = dict(list(spaces.items())[: results.MOST_BANDS])
    judge = next(iter(used.values())).judge
    return encode_responses(
        mean_responses(study, clips, scratch),
        {name: own.judge.rows.embedding.mean(axis=1) for name, own in used.items()},
        one_hot(clips),
        regions,
        judge,
        study.settings,
        memory_bytes=study.memory_bytes // 4,
        device=study.device,
    )


def write_encoding(
    out: Output, encoded: EncodedClips, clips: Clips, regions: Regions, level: float
) -> None:
    """Write maps and tables of the encoding models.

    Parameters
    ----------
    out
        Writer.
    encoded
        What was fitted.
    clips, regions
        For names.
    level
        Of significance.
    """
    scores, exchange = encoded.scores, encoded.exchange
    names, n_models = list(scores.names), scores.n_models
    n_exchanges = len(exchange.groups.null)
    q = np.stack([benjamini_hochberg(row) for row in exchange.p])
    on_units = partial(_on_units, encoded.units, out.units.n_units)
    models, differences = slice(0, n_models), slice(n_models, None)
    facts: dict[str, Any] = {"NumberOfExchanges": n_exchanges}
    out.write(results.MODELS, on_units(exchange.score[models]), names=names[models])
    if n_exchanges:
        p, shown = on_units(exchange.p_fwe[models]), names[models]
        out.write(results.MODELS_P, p, names=shown, **facts)
        out.write(results.MODELS_Q, on_units(q[models]), names=shown, **facts)
    if names[differences]:
        shown = names[differences]
        out.write(results.DIFFERENCES, on_units(exchange.score[differences]), names=shown)
        if n_exchanges:
            p = on_units(exchange.p_fwe[differences])
            out.write(results.DIFFERENCES_P, p, names=shown, **facts)
    if encoded.variance:
        values = on_units(np.stack(list(encoded.variance.values())))
        out.write(results.VARIANCE, values, names=list(encoded.variance))
        penalties = on_units(encoded.log10_penalty)
        out.write(results.PENALTIES, penalties, names=list(encoded.bands))
    columns = {
        "kind": scores.kinds,
        "n_units": len(encoded.units),
        "mean": exchange.score.mean(axis=1),
        "largest": exchange.score.max(axis=1),
        "n_fwe": _number(exchange.p_fwe, level),
        "n_fdr": _number(q, level),
    }
    out.write(results.SCORES, tidy(columns, score=names))
    groups = exchange.groups
    p = groups.p.T if n_exchanges else np.full(groups.observed.T.shape, math.nan)
    is_model = np.arange(len(names)) < n_models
    columns = {
        "kind": np.array(scores.kinds)[None],
        "mean": groups.observed.T,
        "p": np.where(is_model, p, math.nan),
        "p_difference": np.where(is_model, math.nan, p),
    }
    out.write(results.REGION_SCORES, tidy(columns, region=regions.names, score=names))
    out.arrays(
        results.EXCHANGES,
        {"observed": groups.observed, "null": groups.null.astype(np.float32)},
    )
    write_components(out, encoded.components, clips)


def write_components(out: Output, components: Components, clips: Clips) -> None:
    """Write the principal components of the weights of the first embedding."""
    values = _on_units(components.units, out.units.n_units, components.of_units.T)
    titles = [f"PC{k + 1}" for k in range(len(values))]
    out.write(results.COMPONENTS, values, names=titles)
    shares = tidy({"share": components.share}, component=range(1, 1 + len(values)))
    out.write(results.WEIGHT_COMPONENTS, shares)
    columns = {"genre": list(clips.genre)} | {
        f"pc{k + 1}": components.of_clips[:, k] for k in range(results.N_COMPONENTS)
    }
    out.write(results.MUSIC, tidy(columns, clip=[clip.name for clip in clips.clips]))
    arrays = {
        "weights": components.weights.astype(np.float32),
        "clips": components.embedding.astype(np.float32),
    }
    out.arrays(results.WEIGHTS, arrays)


def _on_units(units: Ints, n_units: int, values: NDArray[np.floating]) -> Floats:
    """Lay values (n_maps, n_modelled) on all units, NaN elsewhere."""
    full = np.full((len(values), n_units), np.nan)
    full[:, units] = values
    return full


def _number(p: NDArray[np.floating], level: float) -> Floats:
    """Count p-values at or below a level in each row; NaN where there are none."""
    return np.where(np.isnan(p).all(axis=1), np.nan, (p <= level).sum(axis=1))
