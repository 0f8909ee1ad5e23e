"""`harmony`, participant level.

The harmonic network gives each moment of each sound the probabilities of four quadrants of valence
and arousal, explained by Grad-CAM. Its layers, roughness and harmonicity, and acoustic descriptors
then predict every voxel or vertex and every rating by ridge regression, parcels are tested against
responses shifted in time, and banded ridge says what harmony adds to acoustics.

Source: Fong, Kumar and Sudhir, arXiv 2408.07113; encoding models as in the recipe `gradients`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.audio.quadrant_match import match_rows
from bidsapp.brain.parcels import parcel_means
from bidsapp.encoding.bands import BandScores, Member, join_bands, two_bands
from bidsapp.encoding.parcels import Parcels, make_parcels
from bidsapp.encoding.ratings import RatingTargets, rating_targets
from bidsapp.recipes.base.layers import network_facts
from bidsapp.recipes.base.peak import peak_rows
from bidsapp.recipes.base.quality import quality_rows
from bidsapp.recipes.base.scores import (
    Encoder,
    Scores,
    fold_rows,
    null_arrays,
    parcel_rows,
    profile_rows,
    rating_null_rows,
    rating_rows,
)
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.harmony import cautions, results
from bidsapp.recipes.harmony.listen import sound_arrays
from bidsapp.recipes.harmony.settings import HarmonySettings
from bidsapp.recipes.harmony.stimuli import (
    SoundCourse,
    agreement_rows,
    course_rows,
    gradcam_rows,
    sound_courses,
)
from bidsapp.results.write import Output, tidy

LOGGER = logging.getLogger("musicotopy")
HARMONY_LAYERS = (
    ("harmonic", "branches"),
    ("consonance", "roughness"),
    ("consonance", "harmonicity"),
)
"""Network and layer of what counts as harmony, as far as they are analysed."""
ACOUSTIC_NETWORK = "baseline"


def participant(study: ParticipantStudy) -> None:
    """Run the participant level for one participant in one space and write its results."""
    settings: HarmonySettings = study.settings
    courses = sound_courses(
        study.inputs.sounds,
        study.network("harmonic"),
        study.network("consonance"),
        label="sounds",
        quiet=study.config.quiet,
    )
    bold = study.bold
    encoder = Encoder.at(study, "positive", settings.lags_s)
    rows = encoder.rows
    parcels = make_parcels(bold.units, ~bold.invalid, settings.n_parcels, study.config.atlas)
    means = parcel_means(bold.data, parcels.labels, parcels.n_parcels)
    everything = {}
    for name in settings.networks:
        LOGGER.info("%s: %s", study.label, name)
        bank = study.features(study.network(name))
        everything[bank.network] = encoder.score(bank, parcels, means)
    out = study.output(bold.units)
    for name, scores in everything.items():
        write_network(out, name, scores, parcels, settings.significance)
        out.write(results.PEAK, peak_rows(scores, means), network=name)
    unique = unique_contributions(encoder, everything, means)
    if unique is not None:
        write_unique(out, *unique, parcels)
    names = [f"parcel{number + 1:03d}" for number in range(parcels.n_parcels)]
    out.write(results.PARCEL_LABELS, parcels.labels + 1, names=names)
    write_sounds(out, study, courses)
    out.write(results.ALIGNMENT, study.inputs.alignment)
    out.write(results.QUALITY, quality_rows(study.inputs, study.bold.tsnr))
    out.write(results.FOLDS, fold_rows(rows, study))
    networks = {
        name: network_facts(scores.bank.layers, scores.bank.weights, settings.input_layers)
        for name, scores in everything.items()
    }
    facts = study.summary(
        bold.units,
        networks=networks,
        cautions=cautions.of_participant(study, rows, everything, courses),
        confounds=bold.confounds,
        n_constant=bold.n_constant,
        n_nan=bold.n_nan,
        n_parcels=parcels.n_parcels,
        n_folds=len(rows.folds),
        n_rows=rows.n_used,
        n_sounds=len(courses),
        has_unique=unique is not None,
    )
    out.write(results.SUMMARY, facts)
    bold.remove()


def write_network(
    out: Output, network: str, scores: Scores, parcels: Parcels, level: float
) -> None:
    """Write the maps and tables of one network."""
    significant = np.append(scores.test.p_family <= level, False)[parcels.labels]
    weights = dict(scores.bank.weights)
    named: dict[str, Any] = {"network": network, "names": scores.layers}
    out.write(results.SCORE, scores.units.mean_r, **named, Weights=weights)
    if len(scores.test.null):
        out.write(results.SIGNIFICANT, significant, network=network)
    out.write(results.PARCELS, parcel_rows(scores, parcels), network=network)
    out.arrays(results.NULL_SCORES, null_arrays(scores.test.r, scores.test.null), network=network)
    out.write(results.PROFILE, profile_rows(scores, significant), network=network)
    if scores.ratings:
        out.write(results.RATINGS, rating_rows(scores), network=network)
        out.write(results.RATINGS_NULL, rating_null_rows(scores), network=network)


def unique_contributions(
    encoder: Encoder, everything: Mapping[str, Scores], means: NDArray[np.float32]
) -> tuple[BandScores, RatingTargets] | None:
    """Score harmony and acoustics together and alone, for parcels and then ratings.

    Returns
    -------
    tuple or None
        Scores with the ratings behind the parcels, and the ratings; None where one of both groups
        was not analysed.
    """
    study, run_filter = encoder.study, encoder.run_filter
    means = encoder.responses(means, run_filter)
    ratings = rating_targets(encoder.rows, study.inputs.ratings, study.inputs.runs)
    LOGGER.info("%s: unique contributions", study.label)
    scores = []
    for targets, own_filter in ((means, run_filter), (ratings.y.astype(np.float32), None)):
        stores = {name: encoder.store(item.bank, own_filter) for name, item in everything.items()}
        harmony: list[Member] = [
            (stores[name], everything[name].layers.index(layer))
            for name, layer in HARMONY_LAYERS
            if name in stores
        ]
        if not harmony or ACOUSTIC_NETWORK not in stores:
            return None
        baseline = stores[ACOUSTIC_NETWORK]
        acoustics = [(baseline, layer) for layer in range(baseline.n_layers)]
        if targets.shape[1]:
            scores.append(two_bands(harmony, acoustics, targets, encoder.scorer))
    return join_bands(scores), ratings


def write_unique(
    out: Output, scores: BandScores, ratings: RatingTargets, parcels: Parcels
) -> None:
    """Write what harmony and acoustics add to each other: map, parcels, ratings."""
    n = parcels.n_parcels
    both = np.stack([scores.unique_first[:n], scores.unique_second[:n]])
    padded = np.hstack([both, np.full((2, 1), np.nan)])
    out.write(results.UNIQUE, padded[:, parcels.labels])
    columns = {
        "r_joint": scores.joint.mean(axis=0),
        "r_harmony": scores.first.mean(axis=0),
        "r_acoustics": scores.second.mean(axis=0),
        "unique_harmony": scores.unique_first,
        "unique_acoustics": scores.unique_second,
        "share_harmony": scores.share,
    }
    of_parcels = {name: values[:n] for name, values in columns.items()}
    table = tidy({**parcels.columns, **of_parcels}, parcel=range(1, n + 1))
    out.write(results.UNIQUE_PARCELS, table)
    of_ratings = [
        {"rating": name, "rater": rater, **{key: x[n + k] for key, x in columns.items()}}
        for k, (name, rater) in enumerate(ratings.names)
    ]
    if of_ratings:
        out.write(results.UNIQUE_RATINGS, of_ratings)


def write_sounds(out: Output, study: ParticipantStudy, courses: list[SoundCourse]) -> None:
    """Write what the harmonic network says of the sounds."""
    settings: HarmonySettings = study.settings
    out.write(results.COURSES, course_rows(courses))
    out.write(results.GRADCAM, gradcam_rows(courses))
    if settings.n_players > 0 and courses:
        paths = dict(study.inputs.sounds)
        files = [paths[course.piece] for course in courses]
        arrays = sound_arrays(
            files, study.network("harmonic"), settings.n_players, settings.player_s
        )
        out.arrays(results.SOUNDS, arrays)
    agreement = list(
        agreement_rows(courses, study.inputs.ratings, settings.ratings_are, settings.hop_s)
    )
    if agreement:
        out.write(results.AGREEMENT, agreement)
    similarity = list(match_rows(courses, settings.moment_s))
    if similarity:
        out.write(results.SIMILARITY, similarity)
