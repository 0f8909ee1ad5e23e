"""Foreign music: other sounds under the names of a study's own, to see what its tests say of them.

Whatever a study finds with music that nobody heard is false. The sounds have the names and lengths
of the study's own; tables beside them (what was played when, ratings) are copied.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from bidsapp.audio.io import audio_duration_s, load_audio
from bidsapp.bids.sounds import SOUND_EXTENSIONS, SoundLibrary
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.simulate.music import SAMPLING_HZ, compose

Music = Literal["synthetic", "reversed", "own"]
_PIECES_OF_A_SET = 1000
Wave = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def write_foreign_sounds(
    folders: Sequence[Path], out: Path, *, music: Music, number: int = 0
) -> int:
    """Write foreign sounds under the names of those in some folders.

    Parameters
    ----------
    folders
        With the study's sounds, in the order in which they are searched.
    out
        New folder for the sounds and the tables beside them.
    music
        ``synthetic``: composed pieces, others in each set; ``reversed``: the study's own sounds
        played backwards; ``own``: the sounds themselves, for a check that effects are found.
    number
        Number of the set: it chooses the pieces.

    Returns
    -------
    int
        Sounds written.

    Raises
    ------
    InputMissingError
        There is no sound in the folders.
    InputInvalidError
        A sound has a format that cannot be written.
    """
    library = SoundLibrary.open(folders)
    if not library.files:
        where = " and ".join(map(str, folders))
        msg = f"{where}: there is no sound that could be replaced; name its folder"
        raise InputMissingError(msg)
    for folder in library.folders:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and path.suffix.lower() not in SOUND_EXTENSIONS:
                _new_parent(out / name)
                if not (out / name).exists():
                    shutil.copyfile(path, out / name)
    for index, (relative, path) in enumerate(sorted(library.files.items())):
        target = _new_parent(out / relative)
        if music == "own":
            shutil.copyfile(path, target)
        else:
            _write(target, _MAKERS[music](path, number * _PIECES_OF_A_SET + index))
    return len(library.files)


def _synthetic(path: Path, seed: int) -> Wave:
    return np.asarray(compose(seed, audio_duration_s(path), seed).waveform, np.float32)


def _reversed(path: Path, _: int) -> Wave:
    return np.ascontiguousarray(load_audio(path, SAMPLING_HZ)[::-1])


_MAKERS: dict[str, Callable[[Path, int], Wave]] = {
    "synthetic": _synthetic,
    "reversed": _reversed,
}


def _new_parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write(path: Path, waveform: Wave) -> None:
    try:
        soundfile.write(path, waveform, SAMPLING_HZ)
    except (RuntimeError, TypeError, ValueError) as error:
        msg = f"{path.name}: this format cannot be written ({error}); convert the sounds to FLAC"
        raise InputInvalidError(msg) from error
