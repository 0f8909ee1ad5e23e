"""Windows of rated sounds: where they lie, how they are rated, what is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsapp.audio.emotion_corpora import RatedCorpus, RatedSound
from bidsapp.audio.io import RESAMPLER, audio_duration_s, load_audio
from bidsapp.audio.networks.harmonic import GRID, SAMPLES, WINDOW_S, window_mel_db
from bidsapp.audio.training.descriptors import NAMES, describe_windows
from bidsapp.errors import InputInvalidError
from bidsapp.progress import track
from bidsapp.scratch import Scratch
from bidsapp.stats.quadrants import MISSING, TIE, quadrants

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_RATED = 0.5
"""Share of a window that must be rated, of ratings that follow the music."""


@dataclass(frozen=True, eq=False)
class RatedWindows:
    """Windows of 6 s with one rating each.

    Attributes
    ----------
    sound, start_s
        (n,) position in the corpus, and start in seconds from the start of the file.
    song
        (n,) numbers from 0.
    ratings
        (n, 2) valence and arousal.
    quadrant
        (n,) 0 to 3.
    n_ties, n_missing
        Windows left out: on a threshold, and without a rating.
    """

    sound: Ints
    start_s: Floats
    song: Ints
    ratings: Floats
    quadrant: Ints
    n_ties: int
    n_missing: int

    @property
    def n_songs(self) -> int:
        """Number of songs with a window."""
        return len(np.unique(self.song))


def rate_windows(corpus: RatedCorpus, hop_s: float = WINDOW_S) -> RatedWindows:
    """Cut rated sounds into windows; only headers of sound files are read.

    Parameters
    ----------
    corpus
        Sounds and ratings.
    hop_s
        Seconds between the starts of two windows.

    Returns
    -------
    RatedWindows
        The rating of a window is the mean of the ratings within it.

    Raises
    ------
    InputInvalidError
        No window has a quadrant, or all have the same.
    """
    names = sorted({sound.song for sound in corpus.sounds})
    numbers = {name: number for number, name in enumerate(names)}
    rows = [
        (position, start, numbers[sound.song], valence, arousal)
        for position, sound in enumerate(corpus.sounds)
        for start, valence, arousal in _windows(sound, hop_s)
    ]
    table = np.array(rows, np.float64).reshape(-1, 5)
    classes = quadrants(table[:, 3], table[:, 4], corpus.thresholds)
    kept = classes >= 0
    if len(np.unique(classes[kept])) < 2:
        msg = (
            f"corpus {corpus.name}: {int(kept.sum())} windows of {WINDOW_S:g} s have a quadrant, "
            f"all the same; check the ratings and the middle of their scale {corpus.thresholds}"
        )
        raise InputInvalidError(msg)
    return RatedWindows(
        sound=table[kept, 0].astype(np.int64),
        start_s=table[kept, 1],
        song=table[kept, 2].astype(np.int64),
        ratings=table[kept, 3:],
        quadrant=classes[kept],
        n_ties=int((classes == TIE).sum()),
        n_missing=int((classes == MISSING).sum()),
    )


def _windows(sound: RatedSound, hop_s: float) -> Iterator[tuple[float, float, float]]:
    """Yield start, valence and arousal of each window of a sound."""
    duration_s = audio_duration_s(sound.path)
    static = not sound.times_s.size
    first = 0.0 if static else float(sound.times_s[0])
    step_s = 0.0 if static else float(np.median(np.diff(sound.times_s, append=np.nan)[:-1]))
    n = max(0, int((duration_s - first - WINDOW_S) / hop_s + 1e-6) + 1)
    for start in first + hop_s * np.arange(n):
        if static:
            yield float(start), float(sound.valence[0]), float(sound.arousal[0])
            continue
        inside = (sound.times_s >= start - 1e-6) & (sound.times_s < start + WINDOW_S - 1e-6)
        rated = inside.sum() * step_s >= LEAST_RATED * WINDOW_S if np.isfinite(step_s) else True
        if not inside.any() or not rated:
            yield float(start), np.nan, np.nan
            continue
        yield (
            float(start),
            float(sound.valence[inside].mean()),
            float(sound.arousal[inside].mean()),
        )


@dataclass(frozen=True, eq=False)
class WindowContents:
    """What is in the windows.

    Attributes
    ----------
    mel_db
        (n, 256, 259) float16, mapped from a file.
    descriptors
        (n, n_descriptors), columns `bidsapp.audio.training.descriptors.NAMES`.
    """

    mel_db: npt.NDArray[np.float16]
    descriptors: Floats


def decode_windows(
    corpus: RatedCorpus, windows: RatedWindows, folder: Path, *, quiet: bool = False
) -> WindowContents:
    """Decode all windows, or open what an earlier call has decoded.

    Parameters
    ----------
    corpus, windows
        From `rate_windows`.
    folder
        Where the spectrograms are kept: 133 kB for each window.
    quiet
        Show no progress.

    Raises
    ------
    InputInvalidError
        A sound cannot be decoded.
    """
    stats = [sound.path.stat() for sound in corpus.sounds]
    files = [
        (s.path.name, x.st_size, x.st_mtime_ns) for s, x in zip(corpus.sounds, stats, strict=True)
    ]
    grid = json.dumps([GRID.sampling_hz, GRID.n_fft, GRID.hop, GRID.n_bands, RESAMPLER, NAMES])
    kept = Scratch.of(folder, "windows", files, windows.sound, windows.start_s, grid)
    paths = [kept.path(name) for name in ("mel.npy", "descriptors.npy")]
    if not paths[1].is_file():
        kept.folder.mkdir(parents=True, exist_ok=True)
        shape = len(windows.sound), GRID.n_bands, GRID.n_times(SAMPLES)
        mel = np.lib.format.open_memmap(paths[0], "w+", np.float16, shape)
        described = np.empty((len(windows.sound), len(NAMES)))
        sounds = np.unique(windows.sound)
        for position in track(sounds, total=len(sounds), label="Decoding", quiet=quiet):
            rows = np.flatnonzero(windows.sound == position)
            waveform = load_audio(corpus.sounds[int(position)].path, GRID.sampling_hz)
            starts = np.round(windows.start_s[rows] * GRID.sampling_hz).astype(np.int64)
            cut = np.stack([_window(waveform, int(start)) for start in starts])
            spectrograms = window_mel_db(cut)
            mel[rows] = spectrograms
            described[rows] = describe_windows(cut, spectrograms)
        mel.flush()
        part = paths[1].with_suffix(".part.npy")
        np.save(part, described)
        part.replace(paths[1])
    return WindowContents(np.load(paths[0], mmap_mode="r"), np.load(paths[1]))


def _window(waveform: npt.NDArray[np.float32], start: int) -> npt.NDArray[np.float32]:
    """Cut a window; what a header promised beyond the end of the sound is silence."""
    part = waveform[start : start + SAMPLES]
    return np.pad(part, (0, SAMPLES - len(part)))
