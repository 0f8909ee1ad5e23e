"""Which mel bands belong to which branch of the harmonic network, and to those of its rivals.

``pitch class``
    one of twelve, A first, as the paper names its filters: A, A#, …, G#.
``branch``
    the mel bands one filter sees; they need not be neighbours.
``octaves``, ``harmonics``, ``all``
    rules: the fundamentals of a class in every octave; their first k harmonics too; all of them.

On the default grid (22,050 Hz, 256 HTK bands) neighbouring semitones have bands of their own from
about 160 Hz on, so branches begin at E3 (164.8 Hz) and have exactly six octaves each.

Source: Fong, Kumar and Sudhir, arXiv 2408.07113 (twelve filters of non-contiguous bands; the list
of bands is not published, `benchmarks/harmony.py bands` measures the rules).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from bidsapp.errors import UsageError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rule = Literal["octaves", "harmonics", "all"]

LOWEST_NOTE = 52
"""E3: the first note whose neighbours have other mel bands on the default grid."""
N_OCTAVES = 6
ABSENT = -1
"""Fills the rows of branches that have fewer bands than others."""


def note_hz(midi: npt.ArrayLike) -> Floats:
    """Frequency in Hz of note numbers; 69 is A4, 440 Hz."""
    return 440.0 * 2.0 ** ((np.asarray(midi, np.float64) - 69.0) / 12.0)


def harmonic_bands(
    centres_hz: Floats,
    *,
    rule: Rule = "octaves",
    n_harmonics: int = 6,
    lowest_note: int = LOWEST_NOTE,
    n_octaves: int = N_OCTAVES,
) -> Ints:
    """Find the bands of the twelve pitch classes.

    Parameters
    ----------
    centres_hz
        (n_bands,) peaks of the mel bands in Hz, ascending.
    rule
        ``octaves``: fundamentals; ``harmonics``: their first `n_harmonics`; ``all``: as many as
        lie below the last band.
    n_harmonics
        Of each fundamental, with the rule ``harmonics``.
    lowest_note
        Note number of the lowest fundamental.
    n_octaves
        Octaves of fundamentals.

    Returns
    -------
    array of shape (12, n)
        Ascending positions in `centres_hz`, each once; `ABSENT` at the end of shorter rows.

    Raises
    ------
    UsageError
        A fundamental lies above the last band, or the rule is unknown.
    """
    notes = np.arange(lowest_note, lowest_note + 12 * n_octaves)
    if note_hz(notes[-1]) > centres_hz[-1]:
        msg = (
            f"{n_octaves} octaves from note {lowest_note} end at {note_hz(notes[-1]):.0f} Hz, "
            f"above the last mel band ({centres_hz[-1]:.0f} Hz); ask for fewer octaves"
        )
        raise UsageError(msg)
    if rule not in ("octaves", "harmonics", "all"):
        msg = f"rule {rule!r}: choose octaves, harmonics or all"
        raise UsageError(msg)
    most = {"octaves": 1, "harmonics": n_harmonics, "all": len(centres_hz)}[rule]
    rows = []
    for number in range(12):
        fundamentals = note_hz(notes[(notes - 69) % 12 == number])
        frequencies = np.outer(np.arange(1, most + 1), fundamentals).ravel()
        frequencies = frequencies[frequencies <= centres_hz[-1]]
        rows.append(np.unique(np.abs(centres_hz[:, None] - frequencies).argmin(axis=0)))
    longest = max(map(len, rows))
    return np.stack([np.pad(row, (0, longest - len(row)), constant_values=ABSENT) for row in rows])


def contiguous_bands(n_bands: int, harmonic: Ints) -> Ints:
    """Make twelve blocks of neighbouring bands, as many in each as a pitch class has.

    Parameters
    ----------
    n_bands
        Mel bands.
    harmonic
        (12, n), from `harmonic_bands`.

    Returns
    -------
    array of shape (12, n)
        Blocks begin at equal distances between the first and the last harmonic band.
    """
    sizes = (harmonic != ABSENT).sum(axis=1)
    used = harmonic[harmonic != ABSENT]
    last = min(int(used.max()) + 1, n_bands)
    starts = np.round(np.linspace(used.min(), last - sizes.max(), len(harmonic))).astype(np.int64)
    places = starts[:, None] + np.arange(harmonic.shape[1])
    return np.where(np.arange(harmonic.shape[1]) < sizes[:, None], places, ABSENT)


def random_bands(n_bands: int, harmonic: Ints, seed: int) -> Ints:
    """Draw bands for the branches from all between the lowest and the highest harmonic band.

    Parameters
    ----------
    n_bands
        Mel bands.
    harmonic
        (12, n), from `harmonic_bands`.
    seed
        Names the draw.

    Returns
    -------
    array of shape (12, n)
        Ascending, none twice in a branch; branches are as large as those of `harmonic`.
    """
    stream = np.random.Generator(np.random.Philox(key=[seed, 0x52414E44]))
    used = harmonic[harmonic != ABSENT]
    places = np.arange(used.min(), min(int(used.max()) + 1, n_bands))
    drawn = np.full_like(harmonic, ABSENT)
    for row, size in enumerate((harmonic != ABSENT).sum(axis=1)):
        drawn[row, :size] = np.sort(stream.choice(places, size, replace=False))
    return drawn


def dealt_bands(harmonic: Ints, seed: int) -> Ints:
    """Deal the bands of all pitch classes to the branches at random.

    Parameters
    ----------
    harmonic
        (12, n), from `harmonic_bands`.
    seed
        Names the deal.

    Returns
    -------
    array of shape (12, n)
        The same bands and sizes of branches; which bands belong together is random.
    """
    stream = np.random.Generator(np.random.Philox(key=[seed, 0x4841524D]))
    known = harmonic != ABSENT
    dealt = np.full_like(harmonic, ABSENT)
    dealt[known] = stream.permutation(harmonic[known])
    return dealt


def excitation(spectrogram: Floats, bands: Ints) -> Floats:
    """Mean level of each branch.

    Parameters
    ----------
    spectrogram
        (n, n_bands) levels of mel bands, such as dB.
    bands
        (12, k), from `harmonic_bands`.

    Returns
    -------
    array of shape (n, 12)
    """
    known = bands != ABSENT
    levels = np.where(known, spectrogram[:, np.where(known, bands, 0)], 0.0)
    return np.asarray(levels.sum(axis=2) / known.sum(axis=1))
