"""The raw side of a simulated dataset: descriptions, stimuli, events, tiny BOLD."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bidsapp import __version__
from bidsapp.bids.names import build_path
from bidsapp.simulate import files
from bidsapp.simulate.conditions import slice_timing
from bidsapp.simulate.music import Piece
from bidsapp.simulate.study import ScheduledRun, Study

BIDS_VERSION = "1.10.0"
GENERATOR: dict[str, Any] = {
    "Name": "musicotopy-tools simulate",
    "Version": __version__,
    "Description": "Simulated data with a planted truth; no person was measured.",
}

_README = """# {title}

Made by `musicotopy-tools simulate`: {about} No person was measured. The raw BOLD files are
stand-ins with true headers; the data to analyse, in the shape of fMRIPrep's output, are in
derivatives/fmriprep, and what was planted is in derivatives/truth.
"""


def write_root(out_dir: Path, study: Study) -> None:
    """Write the descriptions that stand at the root of the dataset."""
    options, task = study.options, study.task
    untimed = options.conditions.slice_times
    files.write_json(
        out_dir / "dataset_description.json",
        {
            "Name": task.title,
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "raw",
            "License": "CC0",
            "Authors": ["musicotopy"],
            "GeneratedBy": [GENERATOR],
        },
    )
    (out_dir / "README").write_text(_README.format(title=task.title, about=task.about))
    rng = np.random.default_rng([options.seed, 2])
    n = options.n_participants
    files.write_tsv(
        out_dir / "participants.tsv",
        {
            "participant_id": [f"sub-{number:02d}" for number in range(1, n + 1)],
            "age": [int(age) for age in rng.integers(20, 40, n)],
            "sex": [str(sex) for sex in rng.choice(["F", "M"], n)],
            "years_of_training": [int(years) for years in rng.integers(0, 15, n)],
        },
    )
    files.write_json(
        out_dir / "participants.json",
        {
            "age": {"Description": "Invented", "Units": "year"},
            "sex": {"Description": "Invented", "Levels": {"F": "female", "M": "male"}},
            "years_of_training": {"Description": "Invented; musical training", "Units": "year"},
        },
    )
    files.write_json(
        out_dir / f"task-{task.label}_bold.json",
        {
            "TaskName": task.label,
            "RepetitionTime": options.tr_s,
            "Instructions": task.instructions,
            **({"SliceTiming": slice_timing(options.tr_s)} if untimed else {}),
        },
    )
    files.write_json(
        out_dir / f"task-{task.label}_events.json",
        {
            "trial_type": {
                "Description": "What is played",
                "Levels": {task.trial_type: task.meaning},
            },
            "stim_file": {"Description": "Sound file below /stimuli"},
            "stim_start": {"Description": "Position at which playing starts", "Units": "s"},
        },
    )


def write_catalogue(folder: Path, pieces: Sequence[Piece]) -> None:
    """Write ``stimuli.tsv`` and the emotion intervals of each piece."""
    names = [f"{piece.name}.flac" for piece in pieces]
    columns: dict[str, Sequence[Any]] = {
        "stim_file": names,
        "type": ["audio"] * len(pieces),
        "duration": [piece.seconds for piece in pieces],
        "genre": [piece.style.genre for piece in pieces],
        "tags": ["|".join(piece.style.tags) for piece in pieces],
        "caption": [piece.style.caption for piece in pieces],
        "caption_source": ["composer"] * len(pieces),
        "emotion": [piece.style.emotion for piece in pieces],
        "valence": [piece.style.valence for piece in pieces],
        "arousal": [piece.style.arousal for piece in pieces],
        "license": ["CC0"] * len(pieces),
        "sha256": [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names],
    }
    files.write_tsv(folder / "stimuli.tsv", columns)
    files.write_json(
        folder / "stimuli.json",
        {
            "duration": {"Units": "s"},
            "tags": {"Description": "Words about the sound", "Delimiter": "|"},
            "valence": {"Description": "-1 unpleasant to 1 pleasant"},
            "arousal": {"Description": "-1 calm to 1 excited"},
        },
    )
    for piece in pieces:
        _write_moods(folder / "annotations" / f"{piece.name}_annot-emotion_events.tsv", piece)


def _write_moods(path: Path, piece: Piece) -> None:
    style, sections = piece.style, piece.sections
    sign = [-0.5 if section.contrasting else 1.0 for section in sections]
    files.write_tsv(
        path,
        {
            "onset": [section.onset_s for section in sections],
            "duration": [section.duration_s for section in sections],
            "trial_type": [section.emotion for section in sections],
            "agreement": [0.8 if section.contrasting else 0.9 for section in sections],
            "valence": [style.valence * value for value in sign],
            "arousal": [style.arousal * value for value in sign],
        },
    )


def write_raw_run(out_dir: Path, label: str, run: ScheduledRun, study: Study) -> None:
    """Write events and a stand-in BOLD of one run of one participant."""
    entities = {"sub": label, **run.entities}
    seed = (study.options.seed, int(label))
    bold = out_dir / build_path(entities, "bold", ".nii.gz")
    files.write_tiny_bold(bold, run.n_trs, run.tr_s, seed)
    files.write_tsv(
        out_dir / build_path(entities, "events", ".tsv"),
        {
            "onset": [item.onset_s for item in run.playing],
            "duration": [item.duration_s for item in run.playing],
            "trial_type": [study.task.trial_type] * len(run.playing),
            "stim_file": [study.sounds[item.piece] for item in run.playing],
            "stim_start": [item.stim_start_s for item in run.playing],
        },
    )
