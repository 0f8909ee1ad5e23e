"""Instruments made of sums of sines and of noise: note events in, waveforms out.

Every function returns one mono note as float32 at the rate asked for. Pitch is a MIDI number
(69 = 440 Hz), loudness a linear gain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Wave = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Timbre:
    """How a pitched instrument sounds.

    Attributes
    ----------
    partials
        Amplitudes of the partials, lowest first.
    attack_s, release_s
        Linear rise at the start, and fall after the written length.
    decay_s
        Time constant of the exponential decay of the first partial; infinite for sustained
        sounds. Partial n decays n times ``partial_decay`` faster.
    partial_decay
        How much faster the higher partials die (0: all alike).
    stretch
        Inharmonicity: partial n sounds at n ** (1 + stretch) times the pitch.
    vibrato
        Depth of a 5.5 Hz vibrato as a share of the pitch.
    breath
        Share of noise.
    """

    partials: tuple[float, ...]
    attack_s: float = 0.01
    release_s: float = 0.05
    decay_s: float = float("inf")
    partial_decay: float = 0.0
    stretch: float = 0.0
    vibrato: float = 0.0
    breath: float = 0.0


TIMBRES: dict[str, Timbre] = {
    "bell": Timbre((1.0, 0.6, 0.4, 0.25, 0.2), 0.003, 0.3, 0.9, 0.6, 0.13),
    "pluck": Timbre((1.0, 0.7, 0.5, 0.35, 0.25, 0.2, 0.12), 0.003, 0.05, 0.5, 0.7),
    "piano": Timbre((1.0, 0.5, 0.33, 0.2, 0.12, 0.08), 0.004, 0.12, 0.9, 0.4, 0.003),
    "strings": Timbre(tuple(1.0 / n for n in range(1, 10)), 0.25, 0.3, vibrato=0.006, breath=0.01),
    "brass": Timbre((0.7, 1.0, 0.9, 0.7, 0.5, 0.35, 0.25, 0.15), 0.06, 0.08, vibrato=0.003),
    "flute": Timbre((1.0, 0.25, 0.08), 0.08, 0.1, vibrato=0.005, breath=0.06),
    "organ": Timbre((1.0, 0.8, 0.0, 0.6, 0.0, 0.0, 0.0, 0.4), 0.02, 0.05),
    "square": Timbre(tuple(1.0 / n if n % 2 else 0.0 for n in range(1, 14)), 0.01, 0.03),
    "pad": Timbre((1.0, 0.3, 0.15, 0.1), 0.6, 0.8, vibrato=0.003),
    "bass": Timbre((1.0, 0.6, 0.25, 0.1), 0.01, 0.06, 1.2, 0.3),
}


def pitched(
    timbre: Timbre, midi: float, seconds: float, sampling_hz: int, rng: np.random.Generator
) -> Wave:
    """One note of `seconds` plus the release, peak about 1.

    Parameters
    ----------
    timbre
        What it sounds like.
    midi
        Pitch as a MIDI number.
    seconds
        Written length in s.
    sampling_hz
        Sampling rate in Hz.
    rng
        Source of the breath noise.

    Returns
    -------
    Wave
        (n,) float32.
    """
    time = np.arange(int((seconds + timbre.release_s) * sampling_hz)) / sampling_hz
    pitch = 440.0 * 2.0 ** ((midi - 69.0) / 12.0)
    wobble = timbre.vibrato * pitch * np.sin(2 * np.pi * 5.5 * time) / (2 * np.pi * 5.5)
    phase = 2 * np.pi * (pitch * time + wobble)
    wave = np.zeros_like(time)
    for number, amplitude in enumerate(timbre.partials, start=1):
        ratio = number ** (1.0 + timbre.stretch)
        if amplitude > 0 and pitch * ratio < 0.45 * sampling_hz:
            rate = (1.0 + timbre.partial_decay * (number - 1)) / timbre.decay_s
            wave += amplitude * np.sin(ratio * phase) * np.exp(-rate * time)
    wave /= sum(timbre.partials)
    if timbre.breath:
        wave += timbre.breath * rng.standard_normal(len(time))
    rise = np.clip(time / timbre.attack_s, 0, 1)
    fall = np.clip((seconds + timbre.release_s - time) / timbre.release_s, 0, 1)
    return (wave * rise * fall).astype(np.float32)


def kick(sampling_hz: int, rng: np.random.Generator) -> Wave:
    """Bass drum: a sine falling from 150 to 45 Hz."""
    time = np.arange(int(0.25 * sampling_hz)) / sampling_hz
    phase = 2 * np.pi * (45 * time + 105 * 0.04 * (1 - np.exp(-time / 0.04)))
    click = 0.05 * rng.standard_normal(len(time)) * np.exp(-time / 0.003)
    return (np.sin(phase) * np.exp(-time / 0.08) + click).astype(np.float32)


def snare(sampling_hz: int, rng: np.random.Generator) -> Wave:
    """Snare drum: noise over a 190 Hz tone."""
    time = np.arange(int(0.2 * sampling_hz)) / sampling_hz
    noise = rng.standard_normal(len(time)) * np.exp(-time / 0.06)
    tone = np.sin(2 * np.pi * 190 * time) * np.exp(-time / 0.04)
    return (0.4 * noise + 0.5 * tone).astype(np.float32)


def hat(sampling_hz: int, rng: np.random.Generator) -> Wave:
    """Hi-hat, closed: differentiated noise, 60 ms."""
    time = np.arange(int(0.06 * sampling_hz)) / sampling_hz
    noise = np.diff(rng.standard_normal(len(time) + 1))
    return (0.3 * noise * np.exp(-time / 0.015)).astype(np.float32)


def rumble(sampling_hz: int, rng: np.random.Generator) -> Wave:
    """Timpani-like low thunder: integrated noise, 0.8 s."""
    time = np.arange(int(0.8 * sampling_hz)) / sampling_hz
    noise = np.cumsum(rng.standard_normal(len(time)))
    noise -= np.linspace(noise[0], noise[-1], len(noise))
    noise /= np.abs(noise).max()
    return (noise * np.exp(-time / 0.25)).astype(np.float32)


DRUMS: dict[str, Callable[[int, np.random.Generator], Wave]] = {
    "kick": kick,
    "snare": snare,
    "hat": hat,
    "rumble": rumble,
}


def mix(track: Wave, note: Wave, start_s: float, sampling_hz: int, gain: float) -> None:
    """Add `note` to `track` in place at `start_s`; what hangs over either end is dropped."""
    first = int(start_s * sampling_hz)
    if first >= len(track) or first < 0:
        return
    length = min(len(note), len(track) - first)
    track[first : first + length] += gain * note[:length]


def darken(wave: Wave, cutoff_hz: float, sampling_hz: int) -> Wave:
    """Low-pass `wave` (first order) at `cutoff_hz`."""
    from scipy.signal import butter, lfilter

    b, a = butter(1, min(cutoff_hz, 0.49 * sampling_hz), fs=sampling_hz)
    return np.asarray(lfilter(b, a, wave), dtype=np.float32)
