"""Trials of a listening test: to which original a reconstruction belongs.

A trial has a probe (a retrieved or generated sound) and two or more originals, one of which it was
made from. Names of sounds and trials in the page are random, so that they tell nothing; the key
that does is a table of its own.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from bidsapp.audio.io import load_audio
from bidsapp.bids.atomic import write_tsv
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.stats.listening import ChoiceTest, choice_test

SAMPLING_HZ: Final = 24_000
KEY_COLUMNS: Final = ("trial", "condition", "clip", "correct", "options", "option_clips")
ANSWER_COLUMNS: Final = ("listener", "trial", "choice", "order", "response_time_s")
_FADE_S = 0.02
_LEVEL, _PEAK = 0.1, 0.95


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of a sound file.

    Attributes
    ----------
    path
        The file.
    start_s
        Where it begins, in seconds.
    """

    path: Path
    start_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One forced choice.

    Attributes
    ----------
    name
        Random.
    condition
        What the probe is: ``retrieved``, ``generated``, …
    clip
        What it was made from.
    probe
        The reconstruction.
    options
        Clip → original; the correct one is that of `clip`.
    """

    name: str
    condition: str
    clip: str
    probe: Excerpt
    options: Mapping[str, Excerpt]


def make_trials(
    originals: Mapping[str, Excerpt],
    reconstructions: Mapping[str, Mapping[str, Excerpt]],
    *,
    seed: int,
    n_options: int = 2,
    groups: Mapping[str, str] | None = None,
) -> list[Trial]:
    """Draw the other options of every reconstruction.

    Parameters
    ----------
    originals
        Clip → its sound.
    reconstructions
        Condition → clip → sound made from the clip.
    seed
        Of options and names.
    n_options
        Originals to choose from.
    groups
        Clip → group (genre): other options are of the same group, which makes the choice harder.

    Returns
    -------
    list of Trial
        In order of conditions and clips; the page shuffles them for each listener.

    Raises
    ------
    InputMissingError
        A clip has no original, or too few others to choose from.
    """
    trials = []
    for condition, sounds in reconstructions.items():
        for clip, probe in sounds.items():
            if clip not in originals:
                msg = f"{condition}: {clip} has no original; known are {', '.join(originals)}"
                raise InputMissingError(msg)
            rng = _rng(seed, condition, clip)
            others = [
                other
                for other in originals
                if other != clip and (groups is None or groups.get(other) == groups.get(clip))
            ]
            if len(others) < n_options - 1:
                msg = (
                    f"{condition}: {clip} has {len(others)} other originals to choose from, "
                    f"{n_options - 1} are needed; add clips or lower the number of options"
                )
                raise InputMissingError(msg)
            chosen = [clip, *rng.choice(others, n_options - 1, replace=False).tolist()]
            options = {name: originals[name] for name in sorted(chosen)}
            name = _name(seed, condition, clip)
            trials.append(Trial(name, condition, clip, probe, options))
    return trials


def excerpt_name(excerpt: Excerpt, seed: int) -> str:
    """Name a sound in the page: the same for the same excerpt and seed, and telling nothing."""
    return _name(seed, str(excerpt.path), repr(excerpt.start_s))


def encode_excerpt(excerpt: Excerpt, seconds: float) -> str:
    """Cut, level and compress a sound for the page.

    Parameters
    ----------
    excerpt
        What to cut.
    seconds
        At most so long.

    Returns
    -------
    str
        MP3 as a data address, 24 kHz, one channel; root mean square .1 unless a sample would
        exceed .95, faded over 20 ms at both ends.

    Raises
    ------
    InputMissingError, InputInvalidError
        The file cannot be read, is silent there, or ends before the excerpt begins.
    """
    sound = load_audio(excerpt.path, SAMPLING_HZ)
    first = round(excerpt.start_s * SAMPLING_HZ)
    part = sound[first : first + round(seconds * SAMPLING_HZ)]
    level = float(np.sqrt(np.mean(np.square(part, dtype=np.float64)))) if part.size else 0.0
    if level == 0.0:
        msg = f"{excerpt.path}: no sound from {excerpt.start_s:g} s on; choose another excerpt"
        raise InputInvalidError(msg)
    gain = min(_LEVEL / level, _PEAK / float(np.abs(part).max()))
    n_fade = min(round(_FADE_S * SAMPLING_HZ), part.size // 2)
    envelope = np.ones(part.size)
    envelope[:n_fade] = np.linspace(0, 1, n_fade)
    envelope[part.size - n_fade :] = np.linspace(1, 0, n_fade)
    buffer = io.BytesIO()
    soundfile.write(buffer, part * gain * envelope, SAMPLING_HZ, format="MP3")
    return f"data:audio/mpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def write_key(trials: Sequence[Trial], path: Path, seed: int) -> None:
    """Write which option of each trial is correct; listeners must not see it."""
    rows = [
        {
            "trial": trial.name,
            "condition": trial.condition,
            "clip": trial.clip,
            "correct": excerpt_name(trial.options[trial.clip], seed),
            "options": " ".join(excerpt_name(item, seed) for item in trial.options.values()),
            "option_clips": "|".join(trial.options),
        }
        for trial in trials
    ]
    write_tsv(path, rows, KEY_COLUMNS)


def score_answers(key: Path, answers: Sequence[Path]) -> dict[str, ChoiceTest]:
    """Test the answers of listeners, condition by condition.

    Parameters
    ----------
    key
        As `write_key` wrote it.
    answers
        Files that listeners saved from the page, of one or several listeners each.

    Returns
    -------
    dict
        Condition → test, in the order of the key; conditions nobody answered are left out.

    Raises
    ------
    InputMissingError
        A file is not there.
    InputInvalidError
        A file lacks columns, answers trials or options that are not in the key, or a listener
        answers a trial twice.
    """
    trials = {row["trial"]: row for row in _rows(key, KEY_COLUMNS)}
    options = {name: row["options"].split(" ") for name, row in trials.items()}
    counts = {name: np.zeros(len(items), np.int64) for name, items in options.items()}
    answered: set[tuple[str, str]] = set()
    for path in answers:
        for row in _rows(path, ANSWER_COLUMNS):
            trial, listener, choice = row["trial"], row["listener"], row["choice"]
            if choice not in options.get(trial, ()):
                msg = (
                    f"{path}: trial {trial} with choice {choice} is not in {key}; score answers "
                    f"with the key that was written with their page"
                )
                raise InputInvalidError(msg)
            if (listener, trial) in answered:
                msg = f"{path}: listener {listener} answers trial {trial} twice; keep one answer"
                raise InputInvalidError(msg)
            answered.add((listener, trial))
            counts[trial][options[trial].index(choice)] += 1
    tests = {}
    for condition in dict.fromkeys(row["condition"] for row in trials.values()):
        names = [name for name, row in trials.items() if row["condition"] == condition]
        table = np.array([counts[name] for name in names])
        correct = np.array([options[name].index(trials[name]["correct"]) for name in names])
        if table.any():
            tests[condition] = choice_test(table, correct)
    return tests


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    if not path.is_file():
        msg = f"{path}: there is no such file"
        raise InputMissingError(msg)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    missing = [name for name in columns if rows and rows[0].get(name) is None]
    if missing or not rows:
        what = f"has no column {missing[0]}" if missing else "has no row"
        msg = f"{path}: {what}; it must have the columns {', '.join(columns)}"
        raise InputInvalidError(msg)
    return rows


def _name(seed: int, *parts: str) -> str:
    return hashlib.sha256("\0".join([str(seed), *parts]).encode()).hexdigest()[:12]


def _rng(seed: int, *parts: str) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(int(_name(seed, *parts), 16)))
