"""Encoding models of a simulated brain: audio only, text only, both, and what they share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.base.clips import Clip
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.decode import Regions, make_judge
from bidsapp.recipes.reconstruct.encoding.components import agreement, components_of
from bidsapp.recipes.reconstruct.encoding.fit import (
    EncodedClips,
    encode_responses,
    one_hot,
    scores_of,
)
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.stats.folds import nested_folds

N_CLIPS, N_FOLDS, N_UNITS, N_DIMENSIONS = 120, 4, 12, 8
PLANTED = ("audio", "text", "both", "shared", "genre", "nothing")
GENRES = tuple(f"g{k // 4 % 4}" for k in range(N_CLIPS))
SETTINGS = ReconstructSettings(n_exchanges=199, log10_alpha=(0.0, 1.0, 2.0, 3.0), n_weights=24)
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def encoded() -> EncodedClips:
    """Regions that carry one embedding, the other, both, what both hold, and genres."""
    rng = np.random.default_rng(1)
    common = rng.standard_normal((N_CLIPS, N_DIMENSIONS))
    own = [rng.standard_normal((N_CLIPS, N_DIMENSIONS)) for _ in range(2)]
    audio, text = (np.hstack([part, common]) for part in own)
    genre = one_hot(clips())
    assert genre is not None

    def carries(*parts: Array) -> Array:
        signals = [part @ rng.standard_normal((part.shape[1], N_UNITS)) for part in parts]
        total = sum(signal / signal.std(axis=0) for signal in signals)
        return total / np.sqrt(len(parts)) + 0.5 * rng.standard_normal((N_CLIPS, N_UNITS))

    y = np.hstack(
        [
            carries(own[0]),
            carries(own[1]),
            carries(own[0], own[1]),
            carries(common),
            carries(genre),
            rng.standard_normal((N_CLIPS, N_UNITS)),
        ]
    )
    regions = Regions(PLANTED, np.repeat(np.arange(len(PLANTED)), N_UNITS), 0)
    block = np.arange(N_CLIPS) % N_FOLDS
    rows = ClipRows(audio[:, None], block, nested_folds(np.arange(N_FOLDS)))
    judge = make_judge(rows, clips(), SETTINGS, seed=5)
    return encode_responses(
        y.T.astype(np.float32),
        {"audio": audio, "text": text},
        genre,
        regions,
        judge,
        SETTINGS,
        memory_bytes=1 << 28,
    )


def clips() -> Clips:
    """Clips of four genres."""
    names = tuple(Clip(f"c{k}", f"c{k}", 0.0) for k in range(N_CLIPS))
    return Clips(names, GENRES, ((),) * N_CLIPS, np.zeros(1), ())


def of_region(values: Array, name: str) -> float:
    """Mean over the units of a region."""
    start = PLANTED.index(name) * N_UNITS
    return float(values[start : start + N_UNITS].mean())


def test_planted_variance_is_divided_as_planted(encoded: EncodedClips) -> None:
    only = {
        name: {planted: of_region(encoded.variance[name], planted) for planted in PLANTED}
        for name in encoded.variance
    }
    assert list(only) == ["all embeddings", "only audio", "only text", "shared by audio and text"]
    assert only["only audio"]["audio"] > 0.6
    assert only["only text"]["text"] > 0.6
    assert only["only audio"]["both"] > 0.2
    assert only["only text"]["both"] > 0.2
    assert only["shared by audio and text"]["shared"] > 0.5
    for name, planted in (
        ("only audio", "text"),
        ("only text", "audio"),
        ("only audio", "shared"),
        ("only text", "shared"),
        ("shared by audio and text", "audio"),
        ("shared by audio and text", "text"),
        ("all embeddings", "nothing"),
    ):
        assert abs(only[name][planted]) < 0.1, (name, planted)
    parts = sum(values for name, values in encoded.variance.items() if name != "all embeddings")
    np.testing.assert_allclose(parts, encoded.variance["all embeddings"], atol=1e-9)


def test_models_and_differences_are_significant_where_planted(encoded: EncodedClips) -> None:
    names, p = list(encoded.scores.names), encoded.exchange.p_fwe
    share = {
        name: {planted: of_region(p[k] <= 0.05, planted) for planted in PLANTED}
        for k, name in enumerate(names)
    }
    assert share["audio"]["audio"] == share["text"]["text"] == 1
    assert share["audio beyond text"]["audio"] == share["text beyond audio"]["text"] == 1
    of_regions = dict(zip(names, encoded.exchange.groups.p, strict=True))
    both = PLANTED.index("both")
    assert (
        of_regions["audio beyond text"][both] == of_regions["text beyond audio"][both] == 1 / 200
    )
    assert share["genre"]["genre"] > 0.8
    assert share["audio − genre"]["audio"] == 1  # noqa: RUF001
    for name, planted in (
        ("audio", "text"),
        ("audio", "genre"),
        ("audio beyond text", "shared"),
        ("text beyond audio", "audio"),
        ("audio − text", "shared"),  # noqa: RUF001
        ("audio − genre", "genre"),  # noqa: RUF001
        *((name, "nothing") for name in names),
    ):
        assert share[name][planted] <= 1 / N_UNITS, (name, planted)


def test_weights_of_the_best_units_have_the_components_that_units_share() -> None:
    rng = np.random.default_rng(6)
    axes = np.linalg.qr(rng.standard_normal((10, 2)))[0]
    band = rng.standard_normal((40, 10)) * np.linspace(1, 5, 10)
    sd = band.std(axis=0)
    loadings = rng.standard_normal((30, 2)) * [3.0, 1.0]
    components = components_of(loadings @ axes.T / sd, band, np.arange(30))
    assert components.share[:2].sum() == pytest.approx(1)
    assert np.isnan(components.share[2])
    assert np.isnan(components.of_clips[:, 2]).all()
    first = components.weights.T @ components.of_units[:, :2]
    assert np.linalg.matrix_rank(np.hstack([first, axes]), tol=1e-8) == 2


def test_participants_agree_on_components_of_one_brain_and_not_on_noise() -> None:
    rng = np.random.default_rng(7)
    clips_on = rng.standard_normal((200, 3))
    rotations = [np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(4)]
    own = [clips_on @ rotation + 0.2 * rng.standard_normal((200, 3)) for rotation in rotations]
    assert agreement(own, clips_on).min() > 0.9
    noise = [rng.standard_normal((200, 3)) for _ in range(4)]
    assert np.abs(agreement(noise, clips_on)).max() < 0.2
    assert np.isnan(agreement(own[:1], clips_on)).all()


def test_three_embeddings_are_compared_with_each_other_and_with_the_rest() -> None:
    scores = scores_of(("a", "b", "c"), genre=True)
    assert scores.names[:5] == ("a", "b", "c", "all embeddings", "genre")
    assert scores.n_models == 5
    rows = dict(zip(scores.names, scores.contrasts, strict=True))
    without_a = scores.subsets.index((1, 2))
    expected = np.zeros(8)
    expected[[6, without_a]] = 1, -1
    np.testing.assert_array_equal(rows["a beyond the others"], expected)
    alone = scores_of(("a",), genre=False)
    assert alone.names == ("a",)


def test_the_genre_is_no_model_where_some_clip_has_none() -> None:
    genre = one_hot(clips())
    assert genre is not None
    assert genre.sum(axis=0).tolist() == [32, 32, 28, 28]
    assert one_hot(replace(clips(), genre=("", *GENRES[1:]))) is None
