"""Sounds on disk: what the dataset calls a sound, and where it lies."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bidsapp.bids.headers import content_problem
from bidsapp.bids.names import relative_path
from bidsapp.bids.records import Problem
from bidsapp.errors import InputInvalidError

#: extensions of files that hold sound, films included
SOUND_EXTENSIONS = frozenset(
    {
        *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au"),
        *(".m4a", ".aac", ".wma", ".mp4", ".mkv", ".webm", ".mov", ".avi"),
    }
)


@dataclass(frozen=True, slots=True)
class SoundLibrary:
    """The sounds below some folders, looked up by the names that events use.

    Attributes
    ----------
    folders
        Searched in this order: ``--stimuli-dir``, then the ``stimuli`` folders of the dataset.
    files
        Path relative to its folder to path on disk.
    """

    folders: tuple[Path, ...]
    files: dict[str, Path]
    _stems: dict[str, list[str]] = field(default_factory=dict, repr=False)
    _composed: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folders: Iterable[Path]) -> SoundLibrary:
        """List the sounds below `folders`; of two with the same name the first counts."""
        existing = tuple(folder for folder in dict.fromkeys(folders) if folder.is_dir())
        files: dict[str, Path] = {}
        for folder in existing:
            for path in _walk(folder):
                files.setdefault(path.relative_to(folder).as_posix(), path)
        stems: dict[str, list[str]] = defaultdict(list)
        for relative in files:
            name = PurePosixPath(relative)
            stems[name.with_suffix("").as_posix()].append(relative)
            if name.parent.parts:
                stems[name.stem].append(relative)
        return cls(existing, files, dict(stems), {_compose(name): name for name in files})

    def find(self, stim_file: str) -> tuple[Path | None, Problem | None]:
        """Return where a sound lies.

        The exact path comes first, in any Unicode form (macOS decomposes umlauts); then the same
        path with another extension, then the same file name in any folder, each if there is only
        one. Both are None when there is no such sound.

        Parameters
        ----------
        stim_file
            Clean relative path, see `relative_path`.
        """
        found = self.place(stim_file)
        if found is None:
            matches = self._same_stem(stim_file)
            if len(matches) > 1:
                what = f"several sounds match {stim_file!r} ({', '.join(matches[:4])})"
                where = self.files[matches[0]]
                return None, Problem(where, what, "name one with its folder and extension")
            return None, None
        problem = content_problem(found)
        return (None, problem) if problem else (found, None)

    def place(self, stim_file: str) -> Path | None:
        """Return where a sound lies, as `find` does, whether or not its content is there."""
        found = self.files.get(stim_file) or self.files.get(
            self._composed.get(_compose(stim_file), "")
        )
        matches = self._same_stem(stim_file) if found is None else []
        return self.files[matches[0]] if len(matches) == 1 else found

    def with_id(self, stim_id: str) -> str | None:
        """Return the relative path of ``stim-<id>_audio.*`` (BEP044), if there is just one."""
        prefix = stim_id if stim_id.startswith("stim-") else f"stim-{stim_id}"
        matches = [
            relative
            for relative in self.files
            if (stem := PurePosixPath(relative).stem) == prefix or stem.startswith(f"{prefix}_")
        ]
        return matches[0] if len(matches) == 1 else None

    def _same_stem(self, stim_file: str) -> list[str]:
        path = PurePosixPath(stim_file)
        is_sound = path.suffix.lower() in SOUND_EXTENSIONS
        stem = path.with_suffix("") if is_sound else path
        return self._stems.get(stem.as_posix()) or self._stems.get(stem.name, [])


def _compose(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _walk(folder: Path) -> Iterable[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if Path(name).suffix.lower() in SOUND_EXTENSIONS and not name.startswith("."):
                yield Path(parent, name)


def sound_duration_s(path: Path) -> float | None:
    """Return the length of a sound in seconds from its header; None if it has none."""
    import soundfile

    try:
        return float(soundfile.info(str(path)).duration)
    except (RuntimeError, OSError):
        return None


def clean_stim_file(text: str, table: Path) -> str | Problem:
    """Return a ``stim_file`` cell as a clean path, or the `Problem` with it."""
    try:
        return relative_path(text)
    except InputInvalidError as error:
        return Problem(table, str(error), "the presentation is left out")
