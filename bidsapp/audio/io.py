"""Sound files in, mono float32 waveforms out.

Decoding is libsndfile's (WAV, FLAC, Ogg, MP3); what it does not know (AAC in MP4) is handed to
the ``ffmpeg`` program where there is one. The resampler is pinned, because another one changes
the top bands of a log-mel spectrogram by up to 0.1.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from bidsapp.errors import InputInvalidError, InputMissingError

RESAMPLER = "HQ"
"""Quality of soxr; part of what identifies cached features."""

_READ_FRAMES = 1 << 20
_LOST = 0.01
"""Share of the promised length that may be missing: headers of MP3 are estimates."""
_HASH_BYTES = 1 << 22
#: peaks beyond this are no sound of full scale 1 (floats of loud masters reach 2 or 3)
_FULL_SCALE = 30.0
#: root mean square of a second of the loudest kind: -100 dB, below one step of 16 bits
_SILENT = 1e-5
#: share of the channels' level that the mix keeps at least: -46 dB
_CANCELLED = 0.005


def load_audio(path: Path, sampling_hz: int) -> npt.NDArray[np.float32]:
    """Decode a sound file to one channel at a given rate.

    Channels are averaged before resampling. The file is read in pieces, so memory stays near the
    size of the result.

    Parameters
    ----------
    path
        Sound file.
    sampling_hz
        Rate of the result in Hz.

    Returns
    -------
    numpy.ndarray
        Waveform (n_samples,), float32, full scale at ±1.

    Raises
    ------
    InputMissingError
        There is no such file.
    InputInvalidError
        The file is empty, cannot be decoded or holds samples that are not numbers.
    """
    with _opened(path) as sound:
        parts = list(_resampled(_mono_parts(sound), sound.samplerate, sampling_hz))
    waveform = np.concatenate(parts) if parts else np.empty(0, np.float32)
    if waveform.size == 0:
        msg = f"{path}: holds no samples; replace the file"
        raise InputInvalidError(msg)
    if not np.isfinite(waveform).all():
        msg = f"{path}: holds NaN or infinite samples; export the sound again"
        raise InputInvalidError(msg)
    return waveform


def audio_duration_s(path: Path) -> float:
    """Length of a sound file in seconds, from its header.

    Raises
    ------
    InputMissingError, InputInvalidError
        As `load_audio`.
    """
    with _opened(path) as sound:
        return float(sound.frames / sound.samplerate)


def sampling_hz(path: Path) -> int:
    """Return the sampling rate of a sound file, from its header.

    Raises
    ------
    InputMissingError, InputInvalidError
        As `load_audio`.
    """
    with _opened(path) as sound:
        return int(sound.samplerate)


def level_fault(path: Path) -> str:
    """Say why a sound carries nothing to analyse once it is one channel; empty if it does.

    It is decoded only until its level is known: one loud enough second is.

    Parameters
    ----------
    path
        Sound file.

    Raises
    ------
    InputMissingError, InputInvalidError
        As `load_audio`.
    """
    loudest_mix = loudest_channel = 0.0
    with _opened(path) as sound:
        while (part := sound.read(sound.samplerate, dtype="float32", always_2d=True)).size:
            if not np.isfinite(part).all():
                return "holds NaN or infinite samples"
            peak = float(np.abs(part).max())
            if peak > _FULL_SCALE:
                what = f"holds samples of {peak:.0f} times full scale"
                return f"{what} (integers written as floats?)"
            loudest_channel = max(loudest_channel, float(np.sqrt(np.square(part).mean())))
            loudest_mix = max(loudest_mix, float(np.sqrt(np.square(part.mean(axis=1)).mean())))
            if loudest_mix > max(_SILENT, _CANCELLED * loudest_channel):
                return ""
    if loudest_channel <= _SILENT:
        return "is silent" if sound.frames else "holds no samples"
    return "is silent as one channel: its channels cancel each other"


def leading_silence_s(path: Path) -> float:
    """Measure the silence that a sound begins with, in whole seconds; its length if all is.

    Parameters
    ----------
    path
        Sound file; it is decoded only as far as it is silent.

    Raises
    ------
    InputMissingError, InputInvalidError
        As `load_audio`.
    """
    silent_s = 0.0
    with _opened(path) as sound:
        while (part := sound.read(sound.samplerate, dtype="float32", always_2d=True)).size:
            if float(np.sqrt(np.square(part).mean())) > _SILENT:
                break
            silent_s += 1.0
    return silent_s


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hexadecimal digits.

    Raises
    ------
    InputMissingError
        There is no such file.
    """
    _require_file(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def rms_envelope(
    waveform: npt.NDArray[np.float32], sampling_hz: int, rate_hz: float = 10.0
) -> npt.NDArray[np.float64]:
    """Root mean square in consecutive windows of ``1 / rate_hz`` seconds.

    Parameters
    ----------
    waveform
        Samples (n_samples,).
    sampling_hz
        Their rate in Hz.
    rate_hz
        Windows per second; window i is centred at ``(i + 0.5) / rate_hz`` s.

    Returns
    -------
    numpy.ndarray
        (n_windows,), the last window may be shorter than the others.
    """
    step = max(1, round(sampling_hz / rate_hz))
    starts = np.arange(0, waveform.size, step)
    power = np.add.reduceat(np.square(waveform, dtype=np.float64), starts)
    return np.sqrt(power / np.diff(np.append(starts, waveform.size)))


def _require_file(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        msg = f"{path}: a link to content that is not here; fetch it (datalad get) first"
        raise InputMissingError(msg)
    if not path.is_file():
        msg = f"{path}: no such sound file; check --stimuli-dir"
        raise InputMissingError(msg)


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    _require_file(path)
    if path.stat().st_size == 0:
        msg = f"{path}: the file has 0 bytes; fetch or copy the sound again"
        raise InputInvalidError(msg)
    try:
        sound = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        with _converted(path, error) as sound:
            yield sound
        return
    with sound:
        try:
            yield sound
        except soundfile.LibsndfileError as error:
            msg = f"{path}: broken sound data ({error}); replace it"
            raise InputInvalidError(msg) from error


@contextmanager
def _converted(path: Path, error: Exception) -> Iterator[soundfile.SoundFile]:
    """Open what libsndfile refused through ffmpeg, at the file's own rate."""
    ffmpeg = shutil.which("ffmpeg")
    what = f"{path}: cannot be decoded ({error})"
    if ffmpeg is None:
        msg = f"{what}; convert it to WAV, FLAC, Ogg or MP3"
        raise InputInvalidError(msg) from error
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "sound.wav"
        command = [ffmpeg, "-v", "error", "-i", str(path), "-c:a", "pcm_f32le", str(wav)]
        done = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)
        if done.returncode or not wav.is_file():
            msg = f"{what}, nor by ffmpeg; replace the file"
            raise InputInvalidError(msg) from error
        with soundfile.SoundFile(wav) as sound:
            yield sound


def _mono_parts(sound: soundfile.SoundFile) -> Iterator[npt.NDArray[np.float32]]:
    n_read = 0
    while (part := sound.read(_READ_FRAMES, dtype="float32", always_2d=True)).size:
        n_read += len(part)
        yield part.mean(axis=1, dtype=np.float32)
    if n_read < (1 - _LOST) * sound.frames:
        msg = (
            f"{sound.name}: ends after {n_read / sound.samplerate:.2f} s, its header promises "
            f"{sound.frames / sound.samplerate:.2f} s; fetch or copy the sound again"
        )
        raise InputInvalidError(msg)


def _resampled(
    parts: Iterator[npt.NDArray[np.float32]], from_hz: int, to_hz: int
) -> Iterator[npt.NDArray[np.float32]]:
    if from_hz == to_hz:
        yield from parts
        return
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=RESAMPLER)
    for part in parts:
        yield stream.resample_chunk(part)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)
