"""BOLD of one run: planted responses, structured noise, motion and drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.simulate.nuisance import Nuisance, ar1, recur
from bidsapp.simulate.spaces import BASELINE
from bidsapp.simulate.topography import Topography, smooth_fields

Floats = npt.NDArray[np.float64]
Bulk = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """Shares of the variance of the noise, and its size.

    Attributes
    ----------
    white, smooth, motion, physiology
        Standard deviations, relative to a total near 1, of noise that is independent between
        units, noise that is smooth over the brain, effects of head motion, and physiology.
    drift
        Standard deviation of drifts slower than 1/128 Hz, on the same scale.
    baseline
        Standard deviation of what is constant within a run.
    phi
        Range of AR(1) coefficients over units.
    smooth_phi
        AR(1) coefficient of the smooth noise.
    smooth_mm
        Length scale of the smooth noise.
    percent
        What 1 means in per cent of the baseline.
    shared_motion
        Share of the variance of the effects of motion over units that all runs and participants
        have in common.
    """

    white: float = 0.8
    smooth: float = 0.5
    motion: float = 0.35
    physiology: float = 0.25
    drift: float = 0.8
    baseline: float = 0.0
    phi: tuple[float, float] = (0.4, 0.6)
    smooth_phi: float = 0.5
    smooth_mm: float = 8.0
    percent: float = 1.0
    shared_motion: float = 0.0


def planted_signal(
    responses: list[Floats],
    topography: Topography,
    coordinates_mm: Floats,
    seed: int,
    weights_mm: float = 0.0,
) -> Bulk:
    """Unit-variance response of every unit; zero where nothing is planted.

    A unit mixes the courses of its layer with weights that vary smoothly over the brain. By
    default they vary over 20 mm around 1, so that neighbours do not cancel in a parcel mean.

    Parameters
    ----------
    responses
        Per layer (n_times, n_courses), over all runs; layers may have different numbers.
    topography
        What is planted where.
    coordinates_mm
        (n_units, 3).
    seed
        Of the weights.
    weights_mm
        Above 0: weights around 0 that vary over this distance, so that neighbours do cancel.

    Returns
    -------
    Bulk
        (n_times, n_units) float32, multiplied by the amplitude of the unit.
    """
    n_courses = max(response.shape[1] for response in responses)
    length_mm, n_waves, mean = (weights_mm, 600, 0.0) if weights_mm else (20.0, 100, 1.0)
    weights = mean + smooth_fields(
        coordinates_mm, n_courses, length_mm=length_mm, seed=[seed, 1], n_waves=n_waves
    )
    signal = np.zeros((len(responses[0]), len(coordinates_mm)), dtype=np.float32)
    for number, response in enumerate(responses, start=1):
        units = np.flatnonzero(topography.layer == number)
        course = response @ weights[: response.shape[1], units]
        course /= np.maximum(course.std(axis=0), 1e-12)
        signal[:, units] = topography.amplitude[units] * course
    return signal


def run_noise(
    nuisance: Nuisance,
    coordinates_mm: Floats,
    model: NoiseModel,
    seed: list[int],
) -> Bulk:
    """Noise of one run in units of its own standard deviation, (n_trs, n_units) float32.

    The smooth parts are functions of the coordinates and of `seed`, so a volume and a surface
    of the same run share motion, drift and smooth noise; the independent part differs. The first
    number of `seed` is that of what runs and participants share.
    """
    n_trs, n_units = len(nuisance.motion), len(coordinates_mm)
    shared = np.random.default_rng(seed)
    n_waves = 120
    directions = (shared.standard_normal((n_waves, 3)) / model.smooth_mm).astype(np.float32)
    phase = directions @ coordinates_mm.T.astype(np.float32)
    phase += shared.uniform(0, 2 * np.pi, n_waves).astype(np.float32)[:, None]
    courses = ar1(n_trs, n_waves, model.smooth_phi, shared) * (
        model.smooth * np.sqrt(2.0 / n_waves)
    )
    noise: Bulk = courses.astype(np.float32) @ np.cos(phase)
    parts = (
        (nuisance.motion_effect, model.motion),
        (nuisance.drift, model.drift),
        (nuisance.physiology, model.physiology),
        (np.ones((n_trs, 1)), model.baseline),
    )
    series = np.hstack([size / np.sqrt(part.shape[1]) * part for part, size in parts if size])
    fields = smooth_fields(coordinates_mm, series.shape[1], length_mm=30.0, seed=[*seed, 2])
    if model.motion and model.shared_motion:
        n_effects, share = nuisance.motion_effect.shape[1], model.shared_motion
        common = smooth_fields(coordinates_mm, n_effects, length_mm=30.0, seed=[seed[0], 12])
        fields[:n_effects] *= np.sqrt(1 - share)
        fields[:n_effects] += np.sqrt(share) * common
    noise += series.astype(np.float32) @ fields.astype(np.float32)
    own = np.random.default_rng([*seed, n_units])
    phi = own.uniform(*model.phi, n_units).astype(np.float32)
    shocks = own.standard_normal((n_trs, n_units), dtype=np.float32)
    noise += np.float32(model.white) * recur(shocks, phi)
    return noise


def assemble(
    signal: Bulk, noise: Bulk, coordinates_mm: Floats, model: NoiseModel, seed: int
) -> Bulk:
    """Signal and noise around a baseline of about 1000, (n_trs, n_units) float32."""
    tissue = 1.0 + 0.1 * np.tanh(smooth_fields(coordinates_mm, 1, length_mm=15.0, seed=seed)[0])
    baseline = (BASELINE * tissue).astype(np.float32)
    return np.asarray(baseline * (1 + 0.01 * model.percent * (signal + noise)), dtype=np.float32)
