"""Error rates of searchlight RSA tests on data without coupling, and the find of a planted layer.

    python benchmarks/rsa_null.py [--draws N] [--permutations M]

A session is one row of clips. Brains are noise: white, autocorrelated (AR .5 per volume), or
autocorrelated with a random walk; in one condition they also answer to sounds that the models do
not know. Models are autocorrelated features whose clip means grow with depth, convolved with the
haemodynamic response. Every draw has new sounds; rates are over draws and searchlights, their
standard errors over draws. Designs whose inflation is plain get a third of the draws.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import gamma, ttest_1samp

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import rdm
from bidsapp.models.searchlight import clip_null, searchlight_rsa
from bidsapp.stats.fdr import benjamini_hochberg
from bidsapp.stats.metrics import best_layer, fisher_z
from bidsapp.stats.nulls import max_statistic_p
from bidsapp.stats.rsa.clip_permutation import clip_permutations
from bidsapp.stats.rsa.inference import faithful_test
from bidsapp.stats.rsa.pairs import difference_rdm, pair_items, pair_mask
from bidsapp.stats.signflip import sign_flip_test

Array = NDArray[np.float64]
TR_S = 2.0
BORDER_S = 12.0


@dataclass(frozen=True)
class Design:
    """What is simulated, and which pairs are compared."""

    noise: str = "ar"  # white, ar, drift
    same_order: bool = True
    pairs: str = "between"  # all, lag, between, trimmed
    unknown_sounds: float = 0.0
    partial_lag: bool = False
    planted_layer: int | None = None
    n_subjects: int = 8
    n_clips: int = 12
    n_volumes: int = 16
    n_layers: int = 10
    n_voxels: int = 50
    n_spheres: int = 2

    @property
    def name(self) -> str:
        """Cells of the table: noise, order, pairs."""
        noise = {"white": "white", "ar": "AR .5", "drift": "AR .5 + drift"}[self.noise]
        order = "same order" if self.same_order else "order per participant"
        sounds = ", answers to unknown sounds" if self.unknown_sounds else ""
        lag = ", lag partialled out" if self.partial_lag else ""
        return f"{noise}{sounds} | {order} | {self.pairs}{lag}"


def autocorrelated(rng: np.random.Generator, n: int, k: int, phi: float) -> Array:
    return np.asarray(lfilter([1.0], [1.0, -phi], rng.standard_normal((n + 50, k)), axis=0)[50:])


def hrf() -> Array:
    time = np.arange(0, 30, TR_S) + TR_S / 2
    response = gamma.pdf(time, 6) - gamma.pdf(time, 16) / 6
    return np.asarray(response / response.sum())


def sounds(rng: np.random.Generator, design: Design, depth: float, n_channels: int = 30) -> Array:
    """Features of each clip, (n_clips, n_volumes, n_channels)."""
    n, t = design.n_clips, design.n_volumes
    course = autocorrelated(rng, n * t, n_channels, 0.7).reshape(n, t, n_channels)
    return course + 2 * depth * rng.standard_normal((n, 1, n_channels))


def responses(features: Array, order: NDArray[np.int64]) -> Array:
    """Convolve features as the clips came, and put the clips back in their own order."""
    n, t, k = features.shape
    heard = lfilter(hrf(), [1.0], features[order].reshape(n * t, k), axis=0)
    return np.asarray(heard.reshape(n, t, k)[np.argsort(order)])


def participant(
    rng: np.random.Generator, design: Design, order: NDArray[np.int64], driven: Array | None
) -> Array:
    """Patterns in the clips' own order, (n_clips, n_volumes, n_voxels * n_spheres)."""
    n, t = design.n_clips, design.n_volumes
    n_units = design.n_voxels * design.n_spheres
    data = autocorrelated(rng, n * t, n_units, 0.0 if design.noise == "white" else 0.5)
    if design.noise == "drift":
        data += 0.2 * rng.standard_normal(data.shape).cumsum(axis=0)
    data = data.reshape(n, t, n_units)[np.argsort(order)]
    if driven is not None:
        weights = rng.standard_normal((driven.shape[2], n_units))
        data = data + responses(driven, order) @ weights
    return data


@dataclass(frozen=True)
class Draw:
    """Data and models of one draw, items of all clips in a row."""

    data: list[NDArray[np.float32]]
    models: Array
    clip: NDArray[np.int64]
    pairs: NDArray[np.bool_]
    nuisance: Array | None
    spheres: Neighbourhoods


def draw(design: Design, seed: int) -> Draw:
    rng = np.random.default_rng([seed, 4])
    n, t = design.n_clips, design.n_volumes
    features = [
        sounds(rng, design, depth / design.n_layers) for depth in range(1, design.n_layers + 1)
    ]
    driven = None
    if design.unknown_sounds:
        driven = design.unknown_sounds * sounds(rng, design, 0.5, 10)
    if design.planted_layer is not None:
        driven = 0.5 * features[design.planted_layer - 1]
    orders = [
        np.arange(n) if design.same_order else rng.permutation(n) for _ in range(design.n_subjects)
    ]
    time = np.tile(np.arange(t) * TR_S, n)
    keep = time >= (BORDER_S if design.pairs == "trimmed" else 0.0)
    clip = np.repeat(np.arange(n), t)
    data = [
        participant(rng, design, order, driven).reshape(n * t, -1)[keep].astype(np.float32)
        for order in orders
    ]
    models = np.array(
        [rdm(responses(f, np.arange(n)).reshape(n * t, -1)[keep], "spearman") for f in features]
    )
    session_s = np.arange(n * t) * TR_S
    nuisance = difference_rdm(session_s[keep])[None] if design.partial_lag else None
    pairs = choose_pairs(design, clip[keep])
    return Draw(data, models, clip[keep], pairs, nuisance, blocks(design))


def choose_pairs(design: Design, clip: NDArray[np.int64]) -> NDArray[np.bool_]:
    if design.pairs in ("between", "trimmed"):
        return pair_mask(clip)
    first, second = pair_items(clip.size)
    return (second - first) >= (6 if design.pairs == "lag" else 1)


def blocks(design: Design) -> Neighbourhoods:
    size, n = design.n_voxels, design.n_spheres
    members = np.arange(size * n).reshape(n, size)
    return Neighbourhoods.from_lists(members, members[:, 0], np.full(n, np.nan))


@dataclass(frozen=True)
class Outcome:
    """Rejections at .05 of each searchlight of one draw; NaN where a test does not apply."""

    rho: Array  # (n_subjects, n_layers, n_spheres)
    one_layer: Array
    fdr: Array
    faithful: Array
    sign_flip: Array
    clip: Array
    own_clip: Array
    best: NDArray[np.int64]


def scores(made: Draw, data: NDArray[np.float32]) -> Array:
    """(Partial) correlations of one participant, (n_layers, n_spheres)."""
    found = searchlight_rsa(
        data, made.spheres, made.models, pairs=made.pairs, nuisance=made.nuisance
    )
    return found.rho if found.partial is None else found.partial


def analyse(design: Design, seed: int, n_permutations: int) -> Outcome:
    made = draw(design, seed)
    rho = np.stack([scores(made, data) for data in made.data])
    z = fisher_z(rho)
    middle = design.n_layers // 2
    p_one = ttest_1samp(z[:, middle], 0, alternative="greater").pvalue
    all_p = ttest_1samp(z, 0, alternative="greater").pvalue
    flips = [
        sign_flip_test(z[:, :, [s]], alternative="greater").p_fwe.min()
        for s in range(design.n_spheres)
    ]
    mean = z.mean(axis=0)
    return Outcome(
        rho,
        np.asarray(p_one <= 0.05, float),
        np.asarray(benjamini_hochberg(all_p[middle]) <= 0.05 / design.n_layers, float),
        np.asarray(faithful_test(rho).p <= 0.05, float),
        np.asarray(np.array(flips) <= 0.05, float),
        clip_rejections(design, made, seed, n_permutations),
        clip_rejections(design, made, seed, n_permutations, own=True),
        best_layer(mean).astype(np.int64),
    )


def clip_rejections(
    design: Design, made: Draw, seed: int, n_permutations: int, *, own: bool = False
) -> Array:
    """Clip permutation with the maximum over layers; `own`: others for each participant."""
    if design.pairs not in ("between", "trimmed") or (own and design.same_order):
        return np.full(design.n_spheres, np.nan)
    n, m = design.n_subjects, n_permutations
    orders = clip_permutations(design.n_clips, n * m if own else m, seed)
    if own:
        orders = orders.reshape(n, m, design.n_clips)
    rejected = []
    for _, sphere in made.spheres.slabs(1):
        null = clip_null(
            made.data,
            sphere,
            made.models,
            made.clip,
            orders,
            pairs=made.pairs,
            nuisance=made.nuisance,
        )
        rejected.append(float(max_statistic_p(null.observed.max(), null.maximum)) <= 0.05)
    return np.array(rejected, np.float64)


NULL_DESIGNS = (
    Design("white", pairs="all"),
    Design("ar", pairs="all"),
    Design("ar", pairs="lag"),
    Design("ar", pairs="between"),
    Design("ar", pairs="trimmed"),
    Design("drift", pairs="all"),
    Design("drift", pairs="lag"),
    Design("drift", pairs="between"),
    Design("drift", pairs="trimmed"),
    Design("drift", pairs="trimmed", partial_lag=True),
    Design("drift", same_order=False, pairs="between"),
    Design("drift", same_order=False, pairs="trimmed"),
    Design("drift", same_order=False, pairs="trimmed", unknown_sounds=0.3),
    Design("drift", pairs="trimmed", unknown_sounds=0.3),
)


def rate(outcomes: list[Array]) -> str:
    """Rejections over draws and searchlights, and the standard error over draws."""
    per_draw = np.array([np.mean(found) for found in outcomes])
    if np.isnan(per_draw).any():
        return "-"
    return f"{per_draw.mean():.3f} (± {per_draw.std() / np.sqrt(per_draw.size):.3f})"


def row(design: Design, n_draws: int, n_permutations: int) -> str:
    outcomes = [analyse(design, seed, n_permutations) for seed in range(n_draws)]
    mean = np.mean([found.rho.mean() for found in outcomes])
    columns = ("one_layer", "fdr", "faithful", "sign_flip", "clip", "own_clip")
    rates = [rate([getattr(found, name) for found in outcomes]) for name in columns]
    return f"| {design.name} | {mean:+.4f} | " + " | ".join(rates) + " |"


def planted(n_draws: int, n_permutations: int) -> str:
    found = []
    base = Design("drift", same_order=False, pairs="trimmed")
    for seed in range(n_draws):
        layer = seed % base.n_layers + 1
        outcome = analyse(replace(base, planted_layer=layer), seed, n_permutations)
        found.append([np.mean(outcome.best == layer), np.mean(outcome.clip)])
    right, detected = np.mean(found, axis=0)
    return f"planted layer right {right:.3f}, found by clip permutation {detected:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=120)
    parser.add_argument("--permutations", type=int, default=199)
    options = parser.parse_args()
    print(
        "| noise | order | pairs | mean rho | t, one layer | BH q = .005 | t on maximum ", end=""
    )
    print("| sign flips, max over layers | clip permutation, max over layers ", end="")
    print("| the same, other permutations for each participant |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for design in NULL_DESIGNS:
        n_draws = options.draws if design.pairs == "trimmed" else -(-options.draws // 3)
        print(row(design, n_draws, options.permutations), flush=True)
    print(planted(min(options.draws, 30), options.permutations))


if __name__ == "__main__":
    main()
