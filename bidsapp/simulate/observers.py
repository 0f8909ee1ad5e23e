"""What observers write down about a film, in the form of studyforrest's segment files.

One table per run, on the clock of the run: a row for every stretch and character, and in every
column the share of observers who saw something there.

Source: Labs et al. 2015, Portrayed emotions in the movie "Forrest Gump" (F1000Research 4:92);
column names of the published files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.simulate import files
from bidsapp.simulate.film import EMOTIONS, N_OBSERVERS, Film, Scene

#: column of each class
COLUMNS = {
    "sadness": "e_sadness",
    "happiness": "e_happiness",
    "fear": "e_fear",
    "love": "e_love",
    "anger": "e_anger/rage",
}
_OTHERS = (
    *("e_admiration", "e_contempt", "e_disappointment", "e_fears_confirmed", "e_gloating"),
    *("e_gratification", "e_gratitude", "e_happy-for", "e_hate", "e_hope", "e_pity/compassion"),
    *("e_pride", "e_relief", "e_remorse", "e_resent", "e_satisfaction", "e_shame"),
)
_AROUSAL = {"sadness": -0.4, "happiness": 0.4, "fear": 0.8, "love": -0.2, "anger": 0.9}
_PLEASANT = ("happiness", "love")
_CHARACTERS = ("HERO", "FRIEND", "MOTHER", "CAPTAIN")
_SECOND, _BARELY = 0.3, 5
_UNSURE_S = 6.0


def write_observations(folder: Path, film: Film, seed: int) -> None:
    """Write ``emotions_ao_1s_events_run-<n>_events.tsv`` for every run.

    Beside the scenes there are what makes such files hard to read: now and then a second
    character feels something else at the same time (as 5 of 9 observers say; fewer than for the
    scene), and stretches on which fewer than half agree.
    """
    second = np.random.default_rng([seed, 6])
    extra = [_beside(scene, second) for scene in film.scenes if second.uniform() < _SECOND]
    unsure = [
        Scene(str(second.choice(list(EMOTIONS))), one.end_s, other.onset_s - one.end_s, 3)
        for one, other in zip(film.scenes, film.scenes[1:], strict=False)
        if other.onset_s - one.end_s >= _UNSURE_S
    ]
    everything = Film((*film.scenes, *extra, *unsure), film.starts_s, film.run_s)
    for run in range(len(film.starts_s)):
        rng = np.random.default_rng([seed, 7, run])
        scenes = sorted(everything.segment(run), key=lambda scene: scene.onset_s)
        rows = [_row(scene, rng) for scene in scenes]
        names = rows[0]
        path = folder / f"emotions_ao_1s_events_run-{run + 1}_events.tsv"
        files.write_tsv(path, {name: [row[name] for row in rows] for name in names})


def _beside(scene: Scene, rng: np.random.Generator) -> Scene:
    """Let another character feel something else in the middle of a scene."""
    others = [emotion for emotion in EMOTIONS if emotion != scene.emotion]
    third = scene.duration_s / 3
    return Scene(str(rng.choice(others)), scene.onset_s + third, third, _BARELY)


def _row(scene: Scene, rng: np.random.Generator) -> dict[str, Any]:
    pleasant = scene.emotion in _PLEASANT
    agreement = scene.n_observers / N_OBSERVERS
    character = _CHARACTERS[0] if scene.n_observers > _BARELY else rng.choice(_CHARACTERS[1:])
    row: dict[str, Any] = {
        "onset": round(scene.onset_s, 3),
        "duration": round(scene.duration_s, 3),
        "character": str(character),
        "arousal": _AROUSAL[scene.emotion],
        "valence_positive": agreement if pleasant else 0.0,
        "valence_negative": 0.0 if pleasant else agreement,
    }
    shares = {COLUMNS[scene.emotion]: agreement}
    for name in (*COLUMNS.values(), *_OTHERS):
        few = int(rng.integers(0, 3)) if rng.uniform() < 0.15 else 0
        row[name] = shares.get(name, few / N_OBSERVERS)
    return row
