"""What is played during the runs of a filled tree: given sounds, or composed ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.audio.io import audio_duration_s
from bidsapp.errors import InputMissingError
from bidsapp.simulate import files
from bidsapp.simulate.music import compose, write_piece
from bidsapp.simulate.signals import Playing
from bidsapp.simulate.study import ScheduledRun

_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
_SILENT_TASK = "rest"
_AFTER_S, _GAP_S, _SHORTEST_S = 15.0, 8.0, 10.0


@dataclass(frozen=True, slots=True)
class Playlist:
    """Sounds of a filled tree.

    Attributes
    ----------
    stimuli
        (stim_file, path) of every sound that is played, sorted by name.
    played
        Task to its presentations, numbered as `stimuli`. Resting tasks have none.
    """

    stimuli: tuple[tuple[str, Path], ...]
    played: Mapping[str, tuple[Playing, ...]]


def write_sounds(
    folder: Path, runs: Iterable[ScheduledRun], sounds: Path | None, seed: int
) -> Playlist:
    """Write the sounds and ``presentations.tsv``.

    Given sounds are dealt out in turn, longest sounds and longest tasks first, each to one task,
    and played one after the other from the first volume on. Without any, one piece is composed
    for each task, 15 s shorter than its run. Tasks called ``rest`` stay silent.

    Parameters
    ----------
    folder
        ``stimuli`` of the new dataset.
    runs
        Of all participants.
    sounds
        Folder with sounds, or None.
    seed
        Of the composer.

    Raises
    ------
    InputMissingError
        The folder holds no sound.
    """
    lengths = _task_lengths(runs)
    folder.mkdir(parents=True, exist_ok=True)
    composed = {} if sounds else _compose_each(folder, lengths, seed)
    by_task = _deal(sounds, list(lengths)) if sounds else composed
    timed = {task: _in_sequence(paths, lengths[task]) for task, paths in by_task.items()}
    for path in (path for items in timed.values() for path, _, _ in items):
        if path.parent != folder:
            shutil.copyfile(path, folder / path.name)
    names = sorted(path.name for items in timed.values() for path, _, _ in items)
    _write_presentations(folder / "presentations.tsv", timed)
    return Playlist(
        tuple((name, folder / name) for name in names),
        {
            task: tuple(Playing(names.index(path.name), *timing) for path, *timing in items)
            for task, items in timed.items()
        },
    )


def _task_lengths(runs: Iterable[ScheduledRun]) -> dict[str, float]:
    """Shortest scan of each task over participants, in s, longest task first; without rest."""
    lengths: dict[str, float] = {}
    for run in runs:
        task = run.entities["task"]
        if not task.startswith(_SILENT_TASK):
            lengths[task] = min(run.duration_s, lengths.get(task, np.inf))
    return dict(sorted(lengths.items(), key=lambda item: (-item[1], item[0])))


def _compose_each(folder: Path, lengths: Mapping[str, float], seed: int) -> dict[str, list[Path]]:
    composed = {}
    for number, (task, seconds) in enumerate(lengths.items()):
        piece = compose(number, max(_SHORTEST_S, seconds - _AFTER_S), seed)
        composed[task] = [write_piece(replace(piece, name=task), folder)]
    return composed


def _deal(source: Path, tasks: Sequence[str]) -> dict[str, list[Path]]:
    found = [path for path in source.rglob("*") if path.suffix.lower() in _SUFFIXES]
    if not found:
        msg = f"{source}: holds no sounds ({', '.join(_SUFFIXES)})"
        raise InputMissingError(msg)
    found.sort(key=lambda path: (-audio_duration_s(path), path.name))
    return {task: found[place :: len(tasks)] for place, task in enumerate(tasks)}


def _in_sequence(paths: Sequence[Path], scan_s: float) -> list[tuple[Path, float, float]]:
    """Sound, onset and duration in s, as far as the scan reaches."""
    timed, onset = [], 0.0
    for path in paths:
        duration = min(audio_duration_s(path), scan_s - onset)
        if duration >= _SHORTEST_S:
            timed.append((path, onset, duration))
            onset += duration + _GAP_S
    return timed


def _write_presentations(
    path: Path, timed: Mapping[str, Sequence[tuple[Path, float, float]]]
) -> None:
    rows = [(task, *item) for task, items in timed.items() for item in items]
    columns: dict[str, list[Any]] = {
        "task": [task for task, _, _, _ in rows],
        "onset": [onset for _, _, onset, _ in rows],
        "duration": [duration for _, _, _, duration in rows],
        "stim_file": [sound.name for _, sound, _, _ in rows],
    }
    files.write_tsv(path, columns)
