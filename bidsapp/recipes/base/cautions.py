"""Reasons to doubt a result that several recipes have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bidsapp.bids.records import Problem
from bidsapp.recipes.base.group import EXCLUDED, NOT_ASKED, GroupInputs, names_of
from bidsapp.results.cautions import Caution

if TYPE_CHECKING:
    from bidsapp.brain.clean import BoldMatrix
    from bidsapp.recipes.base.study import ParticipantStudy

FEW_PARTICIPANTS = 12
"""Participants below which intervals over them are coarse."""


def data_cautions(study: ParticipantStudy, bold: BoldMatrix) -> Iterator[Caution]:
    """Yield cautions about the BOLD of a participant, and problems of all its inputs.

    Parameters
    ----------
    study
        Runs and configuration.
    bold
        The cleaned data.
    """
    missing = bold.n_constant + bold.n_nan
    if missing:
        text = (
            f"{missing} of {bold.units.n_units} voxels or vertices are constant or not finite and "
            "are NaN in every map."
        )
        yield Caution("note", "No data in some places", text)
    if not all(run.preprocessed for run in study.inputs.runs):
        text = "Raw BOLD was analysed: no motion correction, no common space."
        yield Caution("serious", "Raw BOLD", text)
    if study.config.confounds == "none":
        text = "No confounds were regressed out: motion may carry part of the scores."
        yield Caution("caution", "No confounds", text)
    yield from problem_cautions([*study.inputs.problems, *bold.problems, *bold.units.problems])


def problem_cautions(problems: Iterable[Problem]) -> Iterator[Caution]:
    """Yield one caution for each problem of the inputs that does not forbid the analysis."""
    for problem in problems:
        yield Caution("caution", "Problem in the input", f"{problem}.")


def random_weights(networks: Mapping[str, Mapping[str, Any]]) -> Iterator[Caution]:
    """Yield one caution for each network that ran with random weights.

    Parameters
    ----------
    networks
        Network → record of its weights, with ``source``.
    """
    for network, weights in networks.items():
        if weights.get("source") == "random":
            text = (
                f"{network} has random weights: its layers are a control. They show what the "
                "architecture does to sound, not what was learned from sound."
            )
            yield Caution("serious", "Random weights", text)


def participant_cautions(inputs: GroupInputs) -> Iterator[Caution]:
    """Yield cautions about who takes part in a group, and problems of its inputs.

    Parameters
    ----------
    inputs
        Of the group.
    """
    n = len(inputs.participants)
    if n == 1:
        text = "Only one participant: nothing can be said about other listeners."
        yield Caution("serious", "One participant", text)
    elif n < FEW_PARTICIPANTS:
        text = f"Only {n} participants: intervals and the bootstrap are coarse."
        yield Caution("caution", "Few participants", text)
    missing = [label for label, reason in inputs.left_out if reason not in (EXCLUDED, NOT_ASKED)]
    if missing:
        text = f"Left out, without or with unfinished results: {names_of(missing)}."
        yield Caution("caution", "Participants left out", text)
    yield from problem_cautions(inputs.problems)
