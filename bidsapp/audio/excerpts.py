"""Short excerpts of sounds: MP3 for the players of a report, FLAC for listening tests."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from bidsapp.audio.io import load_audio

SAMPLING_HZ = 22_050
_FADE_S = 0.05
_COMPACT = 0.9


def excerpt_mp3(path: Path, start_s: float, length_s: float, *, compact: bool = False) -> bytes:
    """Cut an excerpt out of a sound.

    Parameters
    ----------
    path
        The sound.
    start_s, length_s
        Where it begins and how long it is; what lies beyond the end of the sound is left out.
    compact
        About 28 instead of 55 kbit/s, for long excerpts in a page.

    Returns
    -------
    bytes
        MP3, mono, 22,050 Hz, faded in and out over 50 ms.

    Raises
    ------
    InputMissingError, InputInvalidError
        The sound cannot be read.
    """
    options = {"compression_level": _COMPACT, "bitrate_mode": "VARIABLE"} if compact else {}
    return _encoded(path, start_s, length_s, "MP3", **options)


def excerpt_flac(path: Path, start_s: float, length_s: float) -> bytes:
    """Cut an excerpt as `excerpt_mp3` does, as FLAC."""
    return _encoded(path, start_s, length_s, "FLAC")


def _encoded(path: Path, start_s: float, length_s: float, kind: str, **options: Any) -> bytes:
    whole = load_audio(path, SAMPLING_HZ)
    first = round(start_s * SAMPLING_HZ)
    wave = whole[first : first + round(length_s * SAMPLING_HZ)].copy()
    n = min(round(_FADE_S * SAMPLING_HZ), wave.size // 2)
    ramp = np.linspace(0, 1, n, dtype=np.float32)
    wave[:n] *= ramp
    wave[wave.size - n :] *= ramp[::-1]
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, SAMPLING_HZ, format=kind, **options)
    return buffer.getvalue()
