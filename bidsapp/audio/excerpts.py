"""Short excerpts of sounds: MP3 for the players of a report, FLAC for listening tests."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile

from bidsapp.audio.io import load_audio

SAMPLING_HZ = 22_050
_FADE_S = 0.05


def excerpt_mp3(path: Path, start_s: float, length_s: float) -> bytes:
    """Cut an excerpt out of a sound.

    Parameters
    ----------
    path
        The sound.
    start_s, length_s
        Where it begins and how long it is; what lies beyond the end of the sound is left out.

    Returns
    -------
    bytes
        MP3, mono, 22,050 Hz, faded in and out over 50 ms.

    Raises
    ------
    InputMissingError, InputInvalidError
        The sound cannot be read.
    """
    return _encoded(path, start_s, length_s, "MP3")


def excerpt_flac(path: Path, start_s: float, length_s: float) -> bytes:
    """Cut an excerpt as `excerpt_mp3` does, as FLAC."""
    return _encoded(path, start_s, length_s, "FLAC")


def _encoded(path: Path, start_s: float, length_s: float, kind: str) -> bytes:
    whole = load_audio(path, SAMPLING_HZ)
    first = round(start_s * SAMPLING_HZ)
    wave = whole[first : first + round(length_s * SAMPLING_HZ)].copy()
    n = min(round(_FADE_S * SAMPLING_HZ), wave.size // 2)
    ramp = np.linspace(0, 1, n, dtype=np.float32)
    wave[:n] *= ramp
    wave[wave.size - n :] *= ramp[::-1]
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, SAMPLING_HZ, format=kind)
    return buffer.getvalue()
