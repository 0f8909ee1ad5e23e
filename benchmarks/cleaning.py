"""What cleaning costs and what it protects from: confounds, high-pass, features filtered or not.

    OMP_NUM_THREADS=1 python benchmarks/cleaning.py [--sets 12] [--participants 6] [--copies 39]

A set is a study: participants who hear four pieces in four runs of 120, 300 or 900 volumes (TR
1.5 s), four layers whose features become smoother with depth, units that respond to one layer
each and units that respond to nothing. Every unit has slow drifts, breathing and autocorrelated
noise. Worlds differ in the head:

still
    no effect of motion on the signal; motion is recorded all the same.
moves
    motion, its derivative and its square disturb every unit, independently of the music; half of
    the weights are common to participants.
follows
    as `moves`, and two of the six parameters follow the loudness of the music in everybody.

For each cleaning: regressors per run and their share of the volumes; mean r of the planted layer
and Spearman's rho of best and planted layer over the units that respond (mean over participants,
as in the maps of a group); share of unresponsive units and layers with p <= .05 when the music is
displaced alike in everybody (before it is filtered), and the same for parcels of one participant.
With ``--rdms N`` instead: how often permutation of clips rejects when model RDMs of noise are
compared with RDMs of cleaned noise, the courses behind the models filtered or not.
Ridge has one fixed penalty: scores of all copies come from products of blocks.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve
from scipy.stats import rankdata, spearmanr

from bidsapp.brain.confounds import cosine_basis, orthonormal_basis
from bidsapp.features.hrf import hrf
from bidsapp.models.run_filter import make_run_filter
from bidsapp.simulate.nuisance import ar1, draw_nuisance
from bidsapp.stats.displacement import displacement_test, piece_shifts
from bidsapp.stats.metrics import fisher_z
from bidsapp.stats.nulls import permutation_p, shifted_rows

Array = npt.NDArray[np.floating]
TR_S, N_RUNS, N_LAYERS, N_FEATURES, N_UNITS = 1.5, 4, 4, 6, 24
LENGTHS = (120, 300, 900)
WORLDS = ("still", "moves", "follows")
STRATEGIES = ("none", "motion6", "motion6+wmcsf", "motion24+wmcsf", "motion6+compcor")
HIGH_PASS_HZ = (0.0, 1 / 256, 1 / 128)
RIDGE, MIN_SHIFT_S = 0.1, 15.0
_SIGNAL, _ARTEFACT, _DRIFT, _BREATH = 0.2, 0.5, 0.5, 0.35
_FOLLOWS = 0.7


@dataclass(frozen=True)
class Music:
    """What everybody hears: features (n_rows, layers, features) and loudness (n_rows,)."""

    features: Array
    loudness: Array


@dataclass(frozen=True)
class Person:
    """BOLD (n_rows, units) of all runs, and confounds of each run by kind."""

    bold: Array
    confounds: list[dict[str, Array]]


def standard(x: Array) -> Array:
    """Z-score columns."""
    return np.asarray((x - x.mean(axis=0)) / x.std(axis=0))


def make_music(rng: np.random.Generator, n: int) -> Music:
    """Draw features, as the response would have them; the first of each layer holds loudness."""
    response = hrf(TR_S)[:, None]
    features, loudness = [], []
    for _ in range(N_RUNS):
        loud = ar1(n + 30, 1, 0.9, rng)
        columns = []
        for phi in np.linspace(0.6, 0.97, N_LAYERS):
            own = ar1(n + 30, N_FEATURES, float(phi), rng)
            own[:, :1] = 0.7 * own[:, :1] + 0.7 * loud
            columns.append(standard(fftconvolve(own, response, axes=0)[30 : n + 30]))
        features.append(np.stack(columns, axis=1))
        loudness.append(standard(loud[30:, 0]))
    return Music(np.concatenate(features), np.concatenate(loudness))


def ar_mean(x: Array) -> Array:
    """Loudness as the head follows it: some seconds late and smooth."""
    late = fftconvolve(np.concatenate([np.repeat(x[:1], 4), x]), np.full(5, 0.2))
    return np.asarray(late[4 : 4 + len(x)])


def make_person(
    rng: np.random.Generator, music: Music, world: str, n: int, common: Array
) -> Person:
    """Draw one participant; the first half of the units responds, unit u to layer u mod 4.

    Motion disturbs a unit as it does in everybody (`common`, (18, units)), and in an own way.
    """
    rows = np.split(np.arange(N_RUNS * n), N_RUNS)
    bold, confounds = [], []
    weights = rng.standard_normal((N_FEATURES, N_UNITS))
    artefact, drifts, breath = (rng.standard_normal((k, 2 * N_UNITS)) for k in (18, 1, 2))
    artefact = artefact + common
    roi = rng.standard_normal((18, 60))
    for own in rows:
        nuisance = draw_nuisance(n, TR_S, rng)
        motion = standard(nuisance.motion)
        if world == "follows":
            heard = standard(ar_mean(music.loudness[own]))[:, None]
            motion[:, :2] = standard(motion[:, :2] + _FOLLOWS * heard)
        change = np.vstack([np.zeros(6), np.diff(motion, axis=0)])
        moved = np.hstack([motion, change / change.std(axis=0), standard(motion**2)])
        moved[:, 12:] *= 0.5
        slow = nuisance.drift @ rng.standard_normal((nuisance.drift.shape[1], 2 * N_UNITS))
        y = ar1(n, 2 * N_UNITS, 0.5, rng) + _DRIFT * standard(slow) * drifts
        y += _BREATH * nuisance.physiology @ breath / np.sqrt(2)
        if world != "still":
            y += _ARTEFACT * standard(moved @ artefact)
        for unit in range(N_UNITS):
            heard = music.features[own, unit % N_LAYERS] @ weights[:, unit]
            y[:, unit] += _SIGNAL * heard / heard.std()
        bold.append(y)
        tissue = ar1(n, 60, 0.5, rng) + nuisance.physiology @ rng.standard_normal((2, 60))
        if world != "still":
            tissue += standard(moved @ roi)
        left, singular, _ = np.linalg.svd(standard(tissue), full_matrices=False)
        measured = motion + 0.05 * rng.standard_normal(motion.shape)
        rate = np.vstack([np.zeros(6), np.diff(measured, axis=0)])
        six_and_rate = np.hstack([measured, rate])
        confounds.append(
            {
                "motion6": measured,
                "motion24": np.hstack([six_and_rate, six_and_rate**2]),
                "wmcsf": nuisance.physiology + 0.3 * rng.standard_normal((n, 2)),
                "compcor": left[:, :5] * singular[:5],
            }
        )
    return Person(np.concatenate(bold), confounds)


def bases_of(person: Person, strategy: str, high_pass_hz: float, n: int) -> list[Array]:
    """Nuisance basis of each run, as the app makes it."""
    slow = cosine_basis(n, TR_S, high_pass_hz) if high_pass_hz else np.empty((n, 0))
    names = [] if strategy == "none" else strategy.split("+")
    return [
        orthonormal_basis(np.hstack([slow, *(table[name] for name in names)]))
        for table in person.confounds
    ]


def scores(
    music: Music, person: Person, bases: list[Array], both: bool, shifts: Array, n: int
) -> Array:
    """Scores (copies + 1, layers, units): the music as it is, then displaced."""
    label = np.repeat(np.arange(N_RUNS), n)
    volume = np.tile(np.arange(n), N_RUNS)
    keep = make_run_filter(label, volume, label, bases, [f"run {r}" for r in range(N_RUNS)])
    centre = make_run_filter(label, volume, label, [np.empty((n, 0))] * N_RUNS, [""] * N_RUNS)
    still = np.zeros((1, N_RUNS), dtype=np.int64)
    moved = [music.features[shifted_rows(label, -shift)] for shift in np.vstack([still, shifts])]
    x = np.stack(moved, axis=1).reshape(len(label), -1)
    x, y = (keep if both else centre)(x.astype(np.float32)), keep(person.bold.astype(np.float32))
    y = y / np.linalg.norm(y.reshape(N_RUNS, n, -1), axis=1).repeat(n, axis=0)
    shape = (N_RUNS, n, len(moved) * N_LAYERS, N_FEATURES)
    blocks, targets = x.reshape(shape), y.reshape(N_RUNS, n, -1)
    by_copy = np.ascontiguousarray(blocks.transpose(0, 2, 3, 1))
    gram = np.matmul(by_copy, by_copy.transpose(0, 1, 3, 2)).astype(np.float64)
    by_copy = np.matmul(x.reshape(N_RUNS, n, -1).transpose(0, 2, 1), targets)
    cross = by_copy.reshape(N_RUNS, len(moved) * N_LAYERS, N_FEATURES, -1)
    penalty = RIDGE * n * (N_RUNS - 1) * np.eye(N_FEATURES)
    r = 0.0
    for run in range(N_RUNS):
        w = np.linalg.solve(gram.sum(axis=0) - gram[run] + penalty, cross.sum(axis=0) - cross[run])
        covariance = (w * cross[run]).sum(axis=1)
        power = (w * np.matmul(gram[run], w)).sum(axis=1)
        r = r + covariance / np.sqrt(power) / N_RUNS
    return np.asarray(r).reshape(len(moved), N_LAYERS, -1)


def measure(world: str, n: int, args: argparse.Namespace) -> None:
    """Print one row for each cleaning."""
    cells = list(itertools.product(STRATEGIES, HIGH_PASS_HZ, (False, True)))
    found: dict[tuple[str, float, bool], list[list[float]]] = {cell: [] for cell in cells}
    planted = np.arange(N_UNITS) % N_LAYERS
    for number in range(args.sets):
        rng = np.random.default_rng([args.seed, number, n])
        music = make_music(rng, n)
        common = rng.standard_normal((18, 2 * N_UNITS))
        people = [make_person(rng, music, world, n, common) for _ in range(args.participants)]
        shifts = piece_shifts(
            [f"piece {r}" for r in range(N_RUNS)],
            [n] * N_RUNS,
            round(MIN_SHIFT_S / TR_S),
            args.copies,
            number,
        )
        for cell in cells:
            strategy, high_pass_hz, both = cell
            each, rank = [], 0
            for person in people:
                bases = bases_of(person, strategy, high_pass_hz, n)
                rank = max(basis.shape[1] for basis in bases)
                each.append(scores(music, person, bases, both, shifts, n))
            z = fisher_z(np.mean([fisher_z(r) for r in each], axis=0))
            test = displacement_test(z[0], z[1:])
            own = [permutation_p(r[0], r[1:])[:, N_UNITS:] <= 0.05 for r in each]
            mean = np.mean([r[0] for r in each], axis=0)[:, :N_UNITS]
            found[cell].append(
                [
                    rank,
                    float(mean[planted, np.arange(N_UNITS)].mean()),
                    float(spearmanr(mean.argmax(axis=0), planted)[0]),
                    float(np.mean(own)),
                    float((test.p[:, N_UNITS:] <= 0.05).mean()),
                ]
            )
    for (strategy, high_pass_hz, both), values in found.items():
        rank, r, rho, own_p, group_p = np.nanmean(values, axis=0)
        print(
            f"| {world} | {n} | {strategy} | {1 / high_pass_hz if high_pass_hz else 0:.0f} | "
            f"{'both' if both else 'data'} | {rank:.0f} ({rank / n:.0%}) | {r:.3f} | {rho:.2f} | "
            f"{own_p:.3f} | {group_p:.3f} |",
            flush=True,
        )


def rdm_test(rng: np.random.Generator, n_motion: int, both: bool, n_copies: int = 39) -> bool:
    """Whether RDMs of noise agree by permutation of clips: one run, 8 clips of 20 volumes."""
    n_clips, n_volumes = 8, 20
    n = n_clips * n_volumes
    x = np.concatenate([ar1(n_volumes, 30, 0.9, rng) for _ in range(n_clips)])
    walks = np.cumsum(rng.standard_normal((n, n_motion)), axis=0)
    label = np.zeros(n, dtype=np.int64)
    basis = orthonormal_basis(np.hstack([cosine_basis(n, TR_S, 1 / 128), walks]))
    keep = make_run_filter(label, np.arange(n), label, [basis], ["run"])
    rdm_y = -np.corrcoef(keep(ar1(n, 100, 0.6, rng)))
    rdm_x = -np.corrcoef(keep(x) if both else x)
    clip = np.repeat(np.arange(n_clips), n_volumes)
    first, second = np.triu_indices(n, 1)
    between = clip[first] != clip[second]
    first, second = first[between], second[between]
    target = standard(rankdata(rdm_y[first, second]))
    scores = []
    for copy in range(n_copies + 1):
        order = rng.permutation(n_clips) if copy else np.arange(n_clips)
        rows = np.arange(n).reshape(n_clips, n_volumes)[order].ravel()
        model = rankdata(rdm_x[rows[first], rows[second]])
        scores.append(float(target @ standard(model)))
    return bool(permutation_p(np.array(scores[0]), np.array(scores[1:])) <= 0.05)


def measure_rdms(n_sets: int) -> None:
    """Print how often clip permutation rejects noise with the model RDMs filtered or not."""
    print("| motion regressors | filtered | p <= .05 |\n|---|---|---|")
    for n_motion, both in itertools.product((6, 24), (False, True)):
        rejected = [
            rdm_test(np.random.default_rng(seed), n_motion, both) for seed in range(n_sets)
        ]
        print(
            f"| {n_motion} | {'both' if both else 'data'} | {np.mean(rejected):.3f} |", flush=True
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", type=int, default=12)
    parser.add_argument("--participants", type=int, default=6)
    parser.add_argument("--copies", type=int, default=39)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--worlds", nargs="+", default=WORLDS)
    parser.add_argument("--rdms", type=int, default=0, help="sets of the test of RDMs, instead")
    args = parser.parse_args()
    if args.rdms:
        measure_rdms(args.rdms)
        return
    print(
        "| head | volumes | confounds | high-pass (s) | filtered | regressors (share) | "
        "r, planted | best layer, rho | p <= .05, participants | p <= .05, group |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    start = time.monotonic()
    for world, n in itertools.product(args.worlds, args.lengths):
        measure(world, n, args)
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
