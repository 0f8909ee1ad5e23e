"""Nuisance time courses of a run, and the fMRIPrep confounds table that records them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
_HIGH_PASS_S = 128.0
_HEAD_RADIUS_MM = 50.0


@dataclass(frozen=True)
class Nuisance:
    """What disturbs the BOLD of one run, each column of unit variance.

    Attributes
    ----------
    motion
        (n_trs, 6) translations in mm and rotations in rad (not scaled).
    motion_effect
        (n_trs, 12) parameters and their derivatives, standardised: what moves the signal.
    drift
        (n_trs, n_drifts) slow cosines and a line.
    physiology
        (n_trs, 2) breathing-like courses of CSF and white matter.
    """

    motion: Floats
    motion_effect: Floats
    drift: Floats
    physiology: Floats


def ar1(n_samples: int, n_series: int, phi: float | Floats, rng: np.random.Generator) -> Floats:
    """Stationary AR(1) noise of unit variance, (n_samples, n_series).

    Parameters
    ----------
    n_samples, n_series
        Shape.
    phi
        Lag-one correlation, one for all or (n_series,).
    rng
        Source of the shocks.
    """
    return np.asarray(recur(rng.standard_normal((n_samples, n_series)), phi))


def recur(shocks: npt.NDArray[Any], phi: Any) -> npt.NDArray[Any]:
    """Turn unit-variance shocks into AR(1) series of unit variance, in place, and return them."""
    shocks[1:] *= np.sqrt(1 - np.square(phi))
    for row in range(1, len(shocks)):
        shocks[row] += phi * shocks[row - 1]
    return shocks


def draw_nuisance(n_trs: int, tr_s: float, rng: np.random.Generator) -> Nuisance:
    """Draw the nuisance of one run: a head that drifts, breathes and now and then jerks."""
    steps = rng.standard_normal((n_trs, 6)) * 0.008
    jerks = rng.choice(n_trs, size=max(1, n_trs // 150), replace=False)
    steps[jerks] += rng.standard_normal((len(jerks), 6)) * 0.15
    motion = np.cumsum(steps, axis=0)
    motion -= np.linspace(0, 1, n_trs)[:, None] * 0.7 * motion[-1]
    motion[:, 3:] /= _HEAD_RADIUS_MM
    time = np.arange(n_trs) * tr_s
    slow = cosines(n_trs, tr_s)
    drift = np.column_stack([np.linspace(-1, 1, n_trs), slow])
    breath = np.sin(2 * np.pi * (0.31 * time + np.cumsum(rng.normal(0, 0.03, n_trs))))
    physiology = np.column_stack([breath, breath]) + ar1(n_trs, 2, 0.6, rng)
    return Nuisance(motion, _effect(motion), standard(drift), standard(physiology))


def motion_nuisance(nuisance: Nuisance, motion: Floats) -> Nuisance:
    """Give a run other motion, (n_trs, 6), and the effect that follows from it."""
    return replace(nuisance, motion=motion, motion_effect=_effect(motion))


def _effect(motion: Floats) -> Floats:
    return standard(np.hstack([motion, _derivative(motion, fill=0.0)]))


def cosines(n_trs: int, tr_s: float) -> Floats:
    """Discrete cosines slower than 1/128 Hz without the constant, (n_trs, n).

    Source: fMRIPrep's ``cosine_XX`` columns (SPM's high-pass basis).
    """
    order = int(np.floor(2 * n_trs * tr_s / _HIGH_PASS_S))
    phase = np.pi * (np.arange(n_trs)[:, None] + 0.5) / n_trs
    basis: Floats = np.sqrt(2.0 / n_trs) * np.cos(phase * np.arange(1, order + 1))
    return basis


def confounds(
    nuisance: Nuisance, global_signal: Floats, dvars: Floats, tr_s: float, rng: np.random.Generator
) -> tuple[dict[str, Floats], dict[str, dict[str, Any]]]:
    """Columns and metadata of a ``desc-confounds_timeseries`` table as fMRIPrep 22 writes it.

    Parameters
    ----------
    nuisance
        Of the run.
    global_signal
        (n_trs,) mean of the brain.
    dvars
        (n_trs - 1,) root mean square of the volume-to-volume change.
    tr_s
        Repetition time.
    rng
        Source of measurement noise.

    Returns
    -------
    columns
        Name to (n_trs,); NaN where a derivative has no value.
    metadata
        Content of the JSON beside it, as ``nilearn.interfaces.fmriprep`` needs it.
    """
    n_trs = len(global_signal)
    columns: dict[str, Floats] = {}
    tissue = 500.0 + 2.0 * nuisance.physiology + 0.2 * rng.standard_normal((n_trs, 2))
    for name, series in (
        ("global_signal", global_signal),
        ("csf", tissue[:, 0]),
        ("white_matter", tissue[:, 1]),
    ):
        columns |= _expand(name, series)
    columns["csf_wm"] = tissue.mean(axis=1)
    displacement = np.abs(np.diff(nuisance.motion, axis=0)) * ([1.0] * 3 + [_HEAD_RADIUS_MM] * 3)
    columns["std_dvars"] = _led(dvars / max(float(np.median(dvars)), 1e-9))
    columns["dvars"] = _led(dvars)
    columns["framewise_displacement"] = _led(displacement.sum(axis=1))
    columns["rmsd"] = _led(np.sqrt((displacement**2).mean(axis=1)))
    components, metadata = _components(nuisance, tr_s, rng)
    columns |= components
    for number, cosine in enumerate(cosines(n_trs, tr_s).T):
        columns[f"cosine{number:02d}"] = cosine
    for number, name in enumerate(MOTION):
        columns |= _expand(name, nuisance.motion[:, number])
    columns |= _outliers(columns["framewise_displacement"], columns["std_dvars"])
    for name in ("csf", "csf_wm", "white_matter", "global_signal"):
        metadata[name] = {"Method": "Mean"}
    return columns, metadata


def _components(
    nuisance: Nuisance, tr_s: float, rng: np.random.Generator
) -> tuple[dict[str, Floats], dict[str, dict[str, Any]]]:
    """CompCor columns: orthogonal mixtures of physiology, motion and noise."""
    columns: dict[str, Floats] = {}
    metadata: dict[str, dict[str, Any]] = {}
    n_trs = len(nuisance.physiology)
    families = (
        ("a", "combined", 6, nuisance.physiology),
        ("c", "CSF", 5, nuisance.physiology[:, :1]),
        ("w", "WM", 5, nuisance.physiology[:, 1:]),
        ("t", None, 3, nuisance.motion_effect[:, :3]),
    )
    for letter, mask, n_kept, sources in families:
        voxels = 3.0 * sources @ rng.standard_normal((sources.shape[1], 40))
        voxels += rng.standard_normal((n_trs, 40))
        slow = cosines(n_trs, tr_s)
        voxels -= voxels.mean(axis=0) + slow @ (slow.T @ voxels)
        basis, values, _ = np.linalg.svd(voxels, full_matrices=False)
        shares = values**2 / np.sum(values**2)
        for number in range(n_kept):
            name = f"{letter}_comp_cor_{number:02d}"
            columns[name] = basis[:, number]
            metadata[name] = {
                "CumulativeVarianceExplained": float(shares[: number + 1].sum()),
                **({"Mask": mask} if mask else {}),
                "Method": "tCompCor" if letter == "t" else "aCompCor",
                "Retained": True,
                "SingularValue": float(values[number]),
                "VarianceExplained": float(shares[number]),
            }
    return columns, metadata


def _outliers(displacement: Floats, std_dvars: Floats) -> dict[str, Floats]:
    """One-hot columns for volumes beyond fMRIPrep's default limits (0.5 mm, 1.5)."""
    bad = np.flatnonzero((displacement > 0.5) | (std_dvars > 1.5))
    return {
        f"motion_outlier{number:02d}": (np.arange(len(displacement)) == row).astype(float)
        for number, row in enumerate(bad)
    }


def _expand(name: str, series: Floats) -> dict[str, Floats]:
    change = _derivative(series, fill=np.nan)
    return {
        name: series,
        f"{name}_derivative1": change,
        f"{name}_power2": series**2,
        f"{name}_derivative1_power2": change**2,
    }


def _derivative(series: Floats, fill: float) -> Floats:
    change = np.full_like(series, fill)
    change[1:] = np.diff(series, axis=0)
    return change


def _led(values: Floats) -> Floats:
    """Put the missing first volume in front."""
    return np.concatenate([[np.nan], values])


def standard(data: Floats) -> Floats:
    """Give every column mean 0 and variance 1."""
    spread = data.std(axis=0)
    return np.asarray((data - data.mean(axis=0)) / np.where(spread > 0, spread, 1.0))
