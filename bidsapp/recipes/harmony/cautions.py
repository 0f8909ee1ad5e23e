"""Reasons to doubt results of `harmony`, at both levels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bidsapp.encoding.rows import Rows
from bidsapp.recipes.base import cautions
from bidsapp.recipes.base.group_maps import GroupMaps
from bidsapp.recipes.base.scores import Scores
from bidsapp.recipes.base.study import GroupStudy, ParticipantStudy
from bidsapp.recipes.harmony.settings import HarmonySettings
from bidsapp.recipes.harmony.stimuli import SoundCourse
from bidsapp.results.cautions import Caution

_UNSURE_BITS = 1.8


def of_participant(
    study: ParticipantStudy,
    rows: Rows,
    networks: Mapping[str, Scores],
    courses: Sequence[SoundCourse],
) -> list[Caution]:
    """Return the cautions of one participant's analysis.

    Parameters
    ----------
    study
        The participant.
    rows
        Rows and folds.
    networks
        Network → its scores.
    courses
        What the harmonic network says of the sounds.
    """
    bold = study.bold
    weights = {name: scores.bank.weights for name, scores in networks.items()}
    if "harmonic" not in weights:
        weights["harmonic"] = study.network("harmonic").weights
    problems = (*bold.problems, *bold.units.problems, *study.inputs.problems)
    return [
        *cautions.of_encoded_bold(study, weights),
        *cautions.of_pieces(rows, study.settings.purge_s),
        *cautions.few_shifts(study.settings.n_shifts),
        *cautions.of_ratings(study, rows),
        *_of_emotion(study, courses),
        *cautions.of_problems(problems),
    ]


def _of_emotion(study: ParticipantStudy, courses: Sequence[SoundCourse]) -> Iterator[Caution]:
    settings: HarmonySettings = study.settings
    short = len(study.inputs.sounds) - len(courses)
    if short:
        yield Caution(
            "caution",
            "Sounds shorter than 6 s",
            f"{short} of {len(study.inputs.sounds)} sounds are shorter than one window of the "
            "harmonic network and have no predicted emotion.",
        )
    if courses:
        mean = float(np.mean(np.concatenate([course.uncertainty for course in courses])))
        if mean > _UNSURE_BITS:
            yield Caution(
                "caution",
                "The harmonic network is unsure",
                f"The entropy of its probabilities is {mean:.2f} bits on average; 2 bits are no "
                "knowledge at all.",
            )
    named = {rating.name.lower() for rating in study.inputs.ratings} & {"valence", "arousal"}
    if named and settings.ratings_are != "perceived":
        yield Caution(
            "note",
            "Felt and perceived emotion may differ",
            "The network learns from what listeners heard expressed (DEAM, Soundtracks); the "
            f"ratings of this study are of emotion that was {_kind(settings)}. Say which "
            "with harmony.ratings_are.",
        )


def _kind(settings: HarmonySettings) -> str:
    return "felt" if settings.ratings_are == "felt" else "felt or perceived (not stated)"


def of_group(study: GroupStudy, maps: GroupMaps) -> list[Caution]:
    """Return the cautions about who takes part and what can be tested.

    Parameters
    ----------
    study
        The group.
    maps
        Of the first network.
    """
    inputs, level = study.inputs, study.settings.significance
    return [
        *cautions.of_encoding_group(inputs, 2, maps.test, level),
        *cautions.of_problems(inputs.problems),
    ]
