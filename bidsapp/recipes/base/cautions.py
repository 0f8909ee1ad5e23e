"""Reasons to doubt that several recipes share: data, design, networks, small groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bidsapp.audio.networks import CONTROLS
from bidsapp.bids.records import Problem, Run
from bidsapp.results.cautions import Caution
from bidsapp.results.networks import network_title
from bidsapp.text import counted

if TYPE_CHECKING:
    from bidsapp.encoding.rows import Rows
    from bidsapp.recipes.base.group import GroupInputs
    from bidsapp.recipes.base.group_maps import SignFlipMaps
    from bidsapp.recipes.base.study import ParticipantStudy

MUCH_WITHOUT_DATA = 0.02
"""Share of units without data that is worth a caution; on surfaces beside the medial wall."""
MUCH_CLEANING = 0.15
"""Share of the degrees of freedom of a run that is worth a caution."""
MEDIAL_WALL = 0.09
"""Share of the vertices of a hemisphere that is no cortex."""
_FEW_SHIFTS, _FEW_PIECES = 99, 6


def of_problems(problems: Iterable[object]) -> Iterator[Caution]:
    """Turn what was passed over into cautions, one for each.

    Parameters
    ----------
    problems
        `Problem`s of inputs, units and cleaning, or sentences.
    """
    for problem in problems:
        if isinstance(problem, Problem):
            text = f"{problem.path.name}: {problem.what}; {problem.remedy}."
            yield Caution("caution", "Input passed over", text)
        else:
            yield Caution("caution", "Input passed over", str(problem))


def raw_bold(runs: Sequence[Run]) -> Iterator[Caution]:
    """Say that images were not preprocessed."""
    if not all(run.preprocessed for run in runs):
        yield Caution(
            "serious",
            "Raw BOLD was analysed",
            "No motion correction, no registration to a template: maps are in scanner space.",
        )


def no_confounds(confounds: str, *, regressed: bool = True) -> Iterator[Caution]:
    """Say that no confounds were regressed out.

    Parameters
    ----------
    confounds
        ``--confounds``.
    regressed
        Whether the recipe regresses confounds at all.
    """
    if confounds == "none" or not regressed:
        yield Caution(
            "caution",
            "No confounds were regressed out",
            "Motion and physiological noise may carry part of the scores.",
        )


def freedom(runs: Sequence[Run], regressors: Sequence[Sequence[str]]) -> Iterator[Caution]:
    """Say what cleaning took of the degrees of freedom, from 15 % on.

    Parameters
    ----------
    runs
        The runs.
    regressors
        Names of what was removed from each.
    """
    shares = [len(names) / run.n_trs for run, names in zip(runs, regressors, strict=True)]
    worst = max(range(len(shares)), key=shares.__getitem__, default=None)
    if worst is None or shares[worst] < MUCH_CLEANING:
        return
    run, n = runs[worst], len(regressors[worst])
    yield Caution(
        "caution",
        f"Cleaning took {100 * shares[worst]:.0f} % of the degrees of freedom",
        f"{counted(n, 'regressor')} in {run.n_trs} volumes ({run.name}; from "
        f"{100 * min(shares):.0f} to {100 * max(shares):.0f} % over {counted(len(runs), 'run')}). "
        "What is slow in the music is lost with them; a smaller --confounds or a lower "
        "--high-pass-hz keeps more.",
    )


def without_data(n_missing: int, n_units: int, kind: str, units: str) -> Iterator[Caution]:
    """Say how many units are constant or not finite.

    Parameters
    ----------
    n_missing, n_units
        Units without data, and all.
    kind
        Of image; half of the vertices of the medial wall are expected on surfaces.
    units
        Their name: ``voxels``, ``vertices``, ``grayordinates``.
    """
    usual = MEDIAL_WALL if kind == "gifti" else 0.0
    if n_units and n_missing / n_units >= usual + MUCH_WITHOUT_DATA:
        yield Caution(
            "note",
            f"{100 * n_missing / n_units:.1f} % of the {units} have no data",
            f"{n_missing} of {n_units} {units} are constant or missing in at least one run and "
            "are undefined (NaN) in every map: check the field of view and the registration.",
        )


def random_weights(weights: Mapping[str, Mapping[str, Any]]) -> Iterator[Caution]:
    """Say which networks were not trained.

    Parameters
    ----------
    weights
        Network → provenance of its weights.
    """
    for network, record in weights.items():
        if record.get("source") in CONTROLS:
            yield Caution(
                "serious",
                f"{network_title(network)} has {record['source']} weights",
                "Layers of an untrained network still differ in size, smoothness and receptive "
                "field, so they can predict the brain. Nothing here is evidence about learned "
                "features; compare with a run that has trained weights.",
            )


def of_encoded_bold(
    study: ParticipantStudy, weights: Mapping[str, Mapping[str, Any]]
) -> Iterator[Caution]:
    """Yield what the BOLD and the networks of an encoding model give reason to doubt.

    Parameters
    ----------
    study
        The participant.
    weights
        Network → where its weights come from.
    """
    bold, runs = study.bold, study.inputs.runs
    yield from random_weights(weights)
    yield from raw_bold(runs)
    yield from no_confounds(study.config.confounds)
    yield from freedom(runs, bold.confounds)
    n_missing = bold.n_constant + bold.n_nan
    yield from without_data(n_missing, bold.units.n_units, bold.units.kind, "units")


def of_pieces(rows: Rows, purge_s: float) -> Iterator[Caution]:
    """Say that there are few pieces to generalise from, and that pieces were split.

    Parameters
    ----------
    rows
        Used volumes and folds.
    purge_s
        Left out between parts of one piece.
    """
    n_pieces = len(rows.used_pieces)
    if n_pieces < _FEW_PIECES:
        yield Caution(
            "caution",
            f"Only {n_pieces} piece{'s' * (n_pieces != 1)}",
            f"Each model was trained on at most {max(n_pieces - 1, 1)} of {n_pieces} pieces and "
            "had to generalise to one that it never heard. Read the scores of the single pieces, "
            "not only their mean; nothing can be said about music in general.",
        )
    if rows.blocks.kind == "split":
        yield Caution(
            "caution",
            "Pieces were split for cross-validation",
            "Too few pieces were there to hold out whole ones. Parts of one piece share themes, "
            "instruments and mood, so training has heard something like the test, although "
            f"{purge_s:g} s between them ({rows.blocks.n_purged} volumes) were removed.",
        )


def few_shifts(n_shifts: int) -> Iterator[Caution]:
    """Caution where a null of parcels has no displacements, or so few that p-values are coarse."""
    if n_shifts < 1:
        yield Caution("serious", "No test", "No shifts were asked for: nothing was tested.")
    elif n_shifts < _FEW_SHIFTS:
        text = f"With {counted(n_shifts, 'shift')} no p-value is below 1/{n_shifts + 1}."
        yield Caution("caution", "Low p-value resolution", text)


def smallest_p(
    what: str, n_draws: int, smallest: float, level: float, *, draws: str
) -> Iterator[Caution]:
    """Say that a test cannot reach its level, or barely.

    Parameters
    ----------
    what
        What is tested.
    n_draws
        Draws of the null.
    smallest
        Smallest possible p-value.
    level
        Level of the test.
    draws
        What is drawn, in the plural.
    """
    if smallest > level:
        yield Caution(
            "serious",
            f"{what} cannot be significant",
            f"With {n_draws} {draws} the smallest possible p is {smallest:.3g}, above {level:g}.",
        )


def of_ratings(study: ParticipantStudy, rows: Rows) -> Iterator[Caution]:
    """Yield cautions about ratings: left out, constant, with extreme values, or slow.

    Parameters
    ----------
    study
        The participant.
    rows
        Of the models.
    """
    from bidsapp.encoding import ratings

    targets = ratings.rating_targets(rows, study.inputs.ratings, study.inputs.runs)
    if targets.left_out:
        yield Caution(
            "caution",
            "Ratings left out",
            f"{', '.join(targets.left_out)}: no value for more than a tenth of the volumes of a "
            "presentation that is used.",
        )
    if not targets.names:
        return
    extreme = ratings.extreme_ratings(targets, rows)
    constant = ratings.constant_ratings(targets, rows)
    if names := [name for name in constant if name not in extreme]:
        yield Caution(
            "caution",
            "Ratings that do not vary",
            f"{', '.join(names)}: the same value all through a presentation, which has no score.",
        )
    if extreme:
        yield Caution(
            "serious",
            "Ratings with extreme values",
            f"{', '.join(extreme)}: a few values lie more than fifty times as far from the median "
            "as nine in ten values spread, and make the scores alone; check the table.",
        )
    if names := ratings.slow_ratings(targets, rows):
        yield Caution(
            "caution",
            "Ratings change slowly",
            f"{', '.join(names)}: within a piece the course hardly comes back to its mean. Music "
            "displaced in time is then less different from music in place, and tests pass in "
            ".06 to .07 of the cases instead of .05 (docs/calibration.md).",
        )


def left_out(excluded: Sequence[tuple[str, str]]) -> Iterator[Caution]:
    """Say which participants do not take part in a group and why.

    Parameters
    ----------
    excluded
        (label, reason).
    """
    if excluded:
        listed = "; ".join(f"sub-{label}: {reason}" for label, reason in excluded)
        yield Caution("caution", "Participants left out", f"{listed}.")


def of_encoding_group(
    inputs: GroupInputs, least: int, test: SignFlipMaps | None = None, level: float = 0.05
) -> Iterator[Caution]:
    """Yield who takes part in a group of encoding scores, and what its sign flips can show.

    Parameters
    ----------
    inputs
        The group.
    least
        Participants from which its tests can pass.
    test
        Sign flips over participants; None without.
    level
        Of the test.
    """
    yield from few_participants(len(inputs.participants), least)
    yield from left_out(inputs.not_chosen)
    yield from random_weights(
        {name: facts["weights"] for name, facts in inputs.network_facts.items()}
    )
    if test is not None:
        what = "Consistency over participants"
        yield from smallest_p(what, test.n_flips, test.smallest_p, level, draws="sign flips")


def few_participants(n: int, least: int) -> Iterator[Caution]:
    """Say that a group is too small for inference over participants.

    Parameters
    ----------
    n
        Participants.
    least
        Number from which the group's tests can pass.
    """
    if n == 1:
        text = "Maps are those of one participant; nothing was tested over participants."
        yield Caution("serious", "Only one participant", text)
    elif n < least:
        text = f"{n} participants: tests over participants need at least {least} to pass."
        yield Caution("caution", f"Only {n} participants", text)
