"""Reasons to doubt results of `reconstruct`, at both levels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.audio.networks import CONTROLS, network_entry
from bidsapp.recipes.base import cautions
from bidsapp.recipes.base.study import GroupStudy, ParticipantStudy
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.encoding.results import MOST_BANDS
from bidsapp.recipes.reconstruct.folds import likeness_of_neighbours, parted_neighbours
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.results.cautions import Caution
from bidsapp.results.networks import network_title
from bidsapp.stats.identification import n_arrangements

if TYPE_CHECKING:
    from bidsapp.recipes.reconstruct.decode import Regions
    from bidsapp.recipes.reconstruct.space import Space

_FEW_CANDIDATES, _MUCH_EDGE, _MUCH_ALIKE, _BETTER = 10, 0.5, 0.2, 0.02


def of_participant(
    study: ParticipantStudy, clips: Clips, regions: Regions, spaces: Mapping[str, Space]
) -> list[Caution]:
    """Return the cautions of one participant's analysis.

    Parameters
    ----------
    study
        The participant.
    clips
        What was decoded.
    regions
        What it was decoded from.
    spaces
        Network → its decoding.
    """
    bold = study.bold
    first = next(iter(spaces.values()))
    problems = (*bold.problems, *bold.units.problems, *study.inputs.problems, *clips.left_out)
    return [
        *cautions.random_weights({name: dict(own.bank.weights) for name, own in spaces.items()}),
        *cautions.raw_bold(study.inputs.runs),
        *cautions.no_confounds(study.config.confounds),
        *cautions.freedom(study.inputs.runs, bold.confounds),
        *cautions.without_data(
            bold.n_constant + bold.n_nan, bold.units.n_units, bold.units.kind, "units"
        ),
        *_of_design(study.settings, clips, first),
        *_of_networks(study.settings.networks, study.config.weights),
        *_of_regions(regions),
        *(item for name, own in spaces.items() for item in _of_space(network_title(name), own)),
        *of_windows(study.settings.shift_s, first.curve),
        *cautions.of_problems(problems),
    ]


def of_windows(shift_s: float, curve: Sequence[Mapping[str, Any]]) -> Iterator[Caution]:
    """Say that clips are identified better at another delay of the response window.

    Parameters
    ----------
    shift_s
        Delay that was used, in seconds.
    curve
        Rows of `results.CURVE` of the first network.
    """
    known = {
        float(row["shift_s"]): float(row["identification"])
        for row in curve
        if row["varied"] == "shift" and np.isfinite(row["identification"])
    }
    if shift_s not in known:
        return
    best_s = max(known, key=known.__getitem__)
    if known[best_s] - known[shift_s] > _BETTER:
        yield Caution(
            "caution",
            "Another delay identifies clips better",
            f"Identification is {known[best_s]:.3f} at a delay of {best_s:g} s and "
            f"{known[shift_s]:.3f} at the {shift_s:g} s that was used. A delay chosen by this "
            "curve would be biased on these data; choose it from other participants "
            "(reconstruct.shift_s).",
        )


def _of_design(settings: ReconstructSettings, clips: Clips, space: Space) -> Iterator[Caution]:
    known = space.overall.n_candidates[space.judge.fold >= 0]
    if known.min() < _FEW_CANDIDATES:
        yield Caution(
            "caution",
            f"Only {int(known.min())} candidates",
            "With so few held-out clips in a fold, identification is coarse and easily at chance.",
        )
    if not clips.has_genres:
        yield Caution(
            "caution",
            "Genres are not known",
            "Whether more than the genre of a clip is decoded cannot be told; add a column genre "
            "to stimuli.tsv.",
        )
    elif not np.isfinite(space.within.rank).any():
        yield Caution(
            "caution",
            "No genre has two clips in a fold",
            "Identification within genres is not possible; lower reconstruct.n_folds.",
        )
    parted = parted_neighbours(clips, space.judge.rows)
    if settings.fold_gap_s and parted > 0:
        yield Caution(
            "note",
            f"{100 * parted:.0f} % of held-out clips have a neighbour in training",
            f"Leaving out the clips heard within {settings.fold_gap_s:g} s of held-out ones would "
            "leave too few to learn from. A neighbour that is trained on draws predictions to "
            "itself, so that identification can be lower than it could be. It is so where clips "
            "were heard in several orders, where genres were played one after the other, and "
            "where folds are small.",
        )
    alike = likeness_of_neighbours(clips, space.judge.rows.embedding.mean(axis=1))
    if parted > 0 and alike > _MUCH_ALIKE:
        yield Caution(
            "caution",
            "Clips heard one after the other are alike",
            f"Embeddings of neighbours correlate {alike:.2f} more than those of other clips. Slow "
            "noise is alike in neighbours, too, and may pass for music where one of them is held "
            "out and the other is not.",
        )
    if settings.n_exchanges:
        yield from _of_exchanges("Identification", settings, space.judge.fold)
        if clips.has_genres and np.isfinite(space.within.rank).any():
            what = "Identification within genres"
            for caution in _of_exchanges(what, settings, space.judge.genre):
                yield replace(caution, severity="caution")
    if settings.encoding and len(settings.networks) > MOST_BANDS:
        yield Caution(
            "note",
            f"Encoding models of {MOST_BANDS} of {len(settings.networks)} networks",
            f"Variance is divided among {MOST_BANDS} embeddings at most, those of the first "
            f"networks: {', '.join(settings.networks[:MOST_BANDS])}.",
        )
    if settings.shift_s < 2:
        yield Caution(
            "note",
            f"The response window begins {settings.shift_s:g} s after the music",
            "The response to a sound peaks about 5 s later, so that it is seen in part; see the "
            "curve over response windows, or set reconstruct.shift_s.",
        )


def _of_exchanges(
    what: str, settings: ReconstructSettings, classes: NDArray[np.integer[Any]]
) -> Iterator[Caution]:
    """Say so where the clips of a class have too few orders for the test to pass."""
    drawn, orders = settings.n_exchanges, n_arrangements(classes)
    n_draws = int(min(drawn, orders - 1))
    yield from cautions.smallest_p(
        what, n_draws, 1 / (n_draws + 1), settings.significance, draws="exchanges of clips"
    )


def _of_networks(networks: Sequence[str], weights: str) -> Iterator[Caution]:
    """Say so where no network that was trained on other sounds stands beside one of music."""
    entries = {name: network_entry(name) for name in networks}
    music = [name for name, entry in entries.items() if entry.on_music]
    others = [name for name, entry in entries.items() if entry.weight_files and not entry.on_music]
    if music and not others and weights not in CONTROLS:
        yield Caution(
            "note",
            "No control network that was not trained on music",
            f"What {' and '.join(music)} learnt of music cannot be told from what any trained "
            "network of sounds would hold: add one of speech or of all sounds to --network, such "
            "as hubert-base or encodec.",
        )


def _of_regions(regions: Regions) -> Iterator[Caution]:
    if regions.n_small:
        yield Caution(
            "note",
            f"{regions.n_small} regions are too small",
            f"They have too few units with data; {len(regions.names)} regions were decoded from.",
        )


def _of_space(name: str, space: Space) -> Iterator[Caution]:
    low, high = space.decoded.edges
    if high > _MUCH_EDGE and float(space.overall.mean) > 0.6:
        yield Caution(
            "note",
            f"{name}: {100 * high:.0f} % of penalties are the largest of the grid",
            "Most dimensions are predicted by none of the regions of the ensemble, or would be "
            "with more shrinkage: widen reconstruct.log10_alpha upwards and compare.",
        )
    if low > _MUCH_EDGE:
        yield Caution(
            "caution",
            f"{name}: {100 * low:.0f} % of penalties are the smallest of the grid",
            "Regions of the ensemble shrink as little as they may, and might predict better with "
            "less: widen reconstruct.log10_alpha downwards.",
        )
    oracle = space.judge.oracle
    if oracle is not None and np.isfinite(space.within.rank).any():
        of_genre = float(space.judge.identify(oracle).mean)
        if float(space.overall.mean) < of_genre:
            yield Caution(
                "note",
                f"{name}: the genre alone would identify clips better",
                f"Identification is {float(space.overall.mean):.3f}; knowing the genre of each "
                f"clip and nothing else would give {of_genre:.3f}. Judge by identification within "
                "genres whether more than the genre was decoded.",
            )


def of_group(study: GroupStudy) -> list[Caution]:
    """Return the cautions about who takes part and what can be tested.

    Parameters
    ----------
    study
        The group.
    """
    return [
        *cautions.of_encoding_group(study.inputs, 2),
        Caution(
            "note",
            "All participants heard the same clips",
            "The test over participants holds these people fixed and draws clips: it speaks of "
            "other music for these listeners. How many other listeners would show it is the "
            "prevalence.",
        ),
        *cautions.of_problems(study.inputs.problems),
    ]
