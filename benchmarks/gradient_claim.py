"""How often the tests of a cortical gradient of layers err, and how often they find the truth.

    OMP_NUM_THREADS=1 python benchmarks/gradient_claim.py [--sets 200] [--copies 59] [--n 8]

A world is a kind of study: N participants, three pieces, six layers
whose features become smoother with depth, one real functional gradient at 76 points of both
hemispheres. In each world the music is displaced by `stats.displacement.piece_shifts`, layers are
scored by ridge with a piece left out, and `stats.preference.gradient_claims` is asked.

noise
    participants' own autocorrelated noise.
unknown
    all participants share responses that no layer knows.
rank1
    one profile over layers whose amplitude grows along the gradient: aligned, no preference.
both
    unknown and rank1.
truth, weak
    the preferred layer changes along the gradient (planted); weak at a third of the strength.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import numpy.typing as npt
from nilearn import datasets
from scipy.stats import rankdata

from bidsapp.resources import functional_gradient
from bidsapp.stats.displacement import piece_shifts
from bidsapp.stats.preference import gradient_claims

Array = npt.NDArray[np.floating]
PIECES = (90, 120, 170)
N_LAYERS = N_FEATURES = 6
ROWS = np.split(np.arange(sum(PIECES)), np.cumsum(PIECES)[:-1])
MIN_SHIFT, RIDGE = 8, 50.0
WORLDS = ("noise", "unknown", "rank1", "both", "truth", "weak")


def autoregressive(rng: np.random.Generator, columns: int, phi: float) -> Array:
    """Draw (volumes, columns) of standard deviation 1, each piece on its own."""
    parts = []
    for n in PIECES:
        noise = rng.standard_normal((n, columns))
        for t in range(1, n):
            noise[t] = phi * noise[t - 1] + np.sqrt(1 - phi**2) * noise[t]
        parts.append(noise)
    return np.concatenate(parts)


def layers(rng: np.random.Generator) -> list[Array]:
    """Draw features: each layer keeps a part of the one before and is smoother."""
    out: list[Array] = []
    for phi in np.linspace(0.6, 0.95, N_LAYERS):
        fresh = autoregressive(rng, N_FEATURES, phi)
        out.append(0.6 * out[-1] + 0.8 * fresh if out else fresh)
    for features in out:
        for rows in ROWS:
            features[rows] -= features[rows].mean(axis=0)
    return [features / features.std(axis=0) for features in out]


def points() -> tuple[Array, Array]:
    """Return a real gradient at points of both hemispheres, and a factor of a smooth kernel."""
    n_vertices, n_kept = 10242, 42  # the icosahedron of the first division
    index = np.r_[:n_kept, n_vertices : n_vertices + n_kept]
    gradient = functional_gradient("fsaverage5", 1)[index]
    known = np.isfinite(gradient)
    sphere = datasets.load_fsaverage("fsaverage5")["sphere"].parts
    places = np.vstack([sphere[side].coordinates for side in ("left", "right")])[index][known]
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    side = np.repeat([0, 1], n_kept)[known]
    angle = np.arccos(np.clip(places @ places.T, -1, 1))
    kernel = np.exp(-((angle / 0.7) ** 2)) * (side[:, None] == side)
    return gradient[known], np.linalg.cholesky(kernel + 1e-4 * np.eye(len(kernel)))


def responses(
    rng: np.random.Generator, world: str, features: list[Array], n: int, place: tuple[Array, Array]
) -> Array:
    """Draw (n, volumes, points)."""
    gradient, smooth = place
    n_points = gradient.size
    common = np.zeros((sum(PIECES), n_points))
    if world in ("unknown", "both"):
        unknown = autoregressive(rng, n_points, 0.9) @ smooth.T
        common += 0.33 * unknown / unknown.std(axis=0)
    if world in ("rank1", "both"):
        course = np.zeros(len(common))
        for layer, x in enumerate(features):
            one = x @ rng.standard_normal(N_FEATURES)
            course += one / one.std() * np.exp(-(((layer - 1) / 1.5) ** 2))
        amplitude = 0.15 + 0.25 * (gradient - gradient.min()) / np.ptp(gradient)
        common += course[:, None] / course.std() * amplitude
    if world in ("truth", "weak"):
        centre = (rankdata(gradient) - 1) / (n_points - 1) * (N_LAYERS - 1)
        course = np.zeros_like(common)
        for layer, x in enumerate(features):
            one = x @ (rng.standard_normal((N_FEATURES, n_points)) @ smooth.T)
            course += one / one.std(axis=0) * np.exp(-(((layer - centre) / 1.2) ** 2))
        common += (0.35 if world == "truth" else 0.12) * course / course.std(axis=0)
    return np.stack([common + autoregressive(rng, n_points, 0.6) for _ in range(n)])


def fitted(features: list[Array]) -> list[list[tuple[Array, Array]]]:
    """Return, of each held-out piece and layer, what responses are multiplied with to predict it.

    Weights are ``solve @ training responses``, the prediction ``held @ weights``.
    """
    out = []
    for held in ROWS:
        rest = np.setdiff1d(np.arange(sum(PIECES)), held)
        parts = []
        for x in features:
            gram = x[rest].T @ x[rest] + RIDGE * np.eye(N_FEATURES)
            solve = np.zeros((N_FEATURES, len(x)), np.float32)
            solve[:, rest] = np.linalg.solve(gram, x[rest].T)
            parts.append((solve, (x[held] - x[held].mean(axis=0)).astype(np.float32)))
        out.append(parts)
    return out


def scored(fits: list[list[tuple[Array, Array]]], bold: Array) -> Array:
    """Return mean Fisher z (layers, points): ridge, one piece left out, over participants."""
    n, _, n_points = bold.shape
    flat = bold.transpose(1, 0, 2).reshape(len(bold[0]), -1)
    r = np.zeros((N_LAYERS, flat.shape[1]))
    for held, parts in zip(ROWS, fits, strict=True):
        measured = flat[held] - flat[held].mean(axis=0)
        measured /= np.sqrt((measured**2).sum(axis=0))
        for layer, (solve, x) in enumerate(parts):
            predicted = x @ (solve @ flat)
            length = np.sqrt((predicted**2).sum(axis=0))
            r[layer] += (predicted * measured).sum(axis=0) / length
    z = np.arctanh(np.clip(r / len(ROWS), -0.999, 0.999))
    return np.asarray(z.reshape(N_LAYERS, n, n_points).mean(axis=1))


def one_study(
    rng: np.random.Generator, world: str, n: int, n_copies: int, place: tuple[Array, Array]
) -> tuple[float, float]:
    """Return the p-values of alignment and preference in one study."""
    features = layers(rng)
    bold = responses(rng, world, features, n, place).astype(np.float32)
    fits = fitted(features)
    names = [f"piece-{k}" for k in range(len(PIECES))]
    shifts = piece_shifts(names, PIECES, MIN_SHIFT, n_copies, int(rng.integers(2**31)))
    null = []
    for shift in np.reshape(shifts, (n_copies, len(PIECES))):
        moved = [np.roll(bold[:, rows], s, axis=1) for rows, s in zip(ROWS, shift, strict=True)]
        null.append(scored(fits, np.concatenate(moved, axis=1)))
    claims = gradient_claims(scored(fits, bold), np.stack(null), place[0])
    return claims.alignment.p, claims.preference.p


def main() -> None:
    """Print a row for each world."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--copies", type=int, default=59)
    parser.add_argument("--n", type=int, default=8, help="participants")
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=WORLDS)
    args = parser.parse_args()
    rng, place = np.random.default_rng(0), points()
    print("| world | alignment, p <= .05 | preference, p <= .05 | s |\n|---|---|---|---|")
    for world in args.worlds:
        start = time.perf_counter()
        p = np.array([one_study(rng, world, args.n, args.copies, place) for _ in range(args.sets)])
        rates = " | ".join(f"{rate:.3f}" for rate in (p <= 0.05).mean(axis=0))
        print(f"| {world} | {rates} | {time.perf_counter() - start:.0f} |", flush=True)


if __name__ == "__main__":
    main()
