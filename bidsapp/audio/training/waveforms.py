"""All clips of a corpus decoded once: 16-bit samples at 16 kHz in one file.

Twenty-five thousand clips of 29 s take 24 GB on disk; pages are read when touched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsapp.audio.io import RESAMPLER, load_audio
from bidsapp.audio.mel import SAMPLING_HZ
from bidsapp.progress import track

Floats = npt.NDArray[np.float32]

_FULL_SCALE = 32_767
_AHEAD = 32


class Waveforms:
    """Decoded clips.

    Parameters
    ----------
    samples
        (n_samples,) int16, the clips one after the other.
    starts
        (n_clips + 1,) where each begins.
    """

    def __init__(self, samples: npt.NDArray[np.int16], starts: npt.NDArray[np.int64]) -> None:
        self._samples, self._starts = samples, starts

    def length(self, clip: int) -> int:
        """Count the samples of a clip."""
        return int(self._starts[clip + 1] - self._starts[clip])

    def clip(self, clip: int) -> Floats:
        """Waveform (n_samples,) of a clip, full scale at ±1."""
        return self._read(int(self._starts[clip]), int(self._starts[clip + 1]))

    def excerpt(self, clip: int, where: float, n_samples: int) -> Floats:
        """Cut an excerpt (n_samples,) out of a clip.

        Parameters
        ----------
        clip
            Position in the corpus.
        where
            From 0 (the first possible excerpt) to 1 (the last).
        n_samples
            Its length; clips that are shorter are continued by silence.
        """
        spare = max(0, self.length(clip) - n_samples)
        start = int(self._starts[clip]) + round(where * spare)
        end = min(start + n_samples, int(self._starts[clip + 1]))
        sound = self._read(start, end)
        return np.pad(sound, (0, n_samples - len(sound)))

    def _read(self, start: int, end: int) -> Floats:
        return self._samples[start:end].astype(np.float32) / np.float32(_FULL_SCALE)


def decode_clips(
    paths: Sequence[Path], folder: Path, *, n_threads: int = 1, quiet: bool = False
) -> Waveforms:
    """Decode clips, or open what an earlier call has decoded.

    Parameters
    ----------
    paths
        Sound files.
    folder
        Where ``waveforms.int16`` and ``waveforms.json`` go.
    n_threads
        Decoders at work at once.
    quiet
        Show no progress.

    Raises
    ------
    InputInvalidError
        A clip cannot be decoded.
    """
    data, index = folder / "waveforms.int16", folder / "waveforms.json"
    key = _key(paths)
    if not (index.is_file() and json.loads(index.read_text())["key"] == key):
        folder.mkdir(parents=True, exist_ok=True)
        index.unlink(missing_ok=True)
        starts = _decode(paths, data, n_threads, quiet)
        index.write_text(json.dumps({"key": key, "sampling_hz": SAMPLING_HZ, "starts": starts}))
    starts = json.loads(index.read_text())["starts"]
    return Waveforms(np.memmap(data, np.int16, "r"), np.array(starts, dtype=np.int64))


def _decode(paths: Sequence[Path], data: Path, n_threads: int, quiet: bool) -> list[int]:
    starts = [0]
    portions = [paths[start : start + _AHEAD] for start in range(0, len(paths), _AHEAD)]
    with data.open("wb") as file, ThreadPoolExecutor(n_threads) as pool:
        for portion in track(portions, total=len(portions), label="Decoding", quiet=quiet):
            for samples in pool.map(_decoded, portion):
                file.write(samples.tobytes())
                starts.append(starts[-1] + samples.size)
    return starts


def _decoded(path: Path) -> npt.NDArray[np.int16]:
    waveform = np.clip(load_audio(path, SAMPLING_HZ), -1.0, 1.0)
    return np.rint(waveform * _FULL_SCALE).astype(np.int16)


def _key(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256(RESAMPLER.encode())
    for path in paths:
        status = path.stat()
        digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
