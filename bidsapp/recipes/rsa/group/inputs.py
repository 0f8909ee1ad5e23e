"""What the group level of `rsa` stands on beyond participants: networks, layers, files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bidsapp.recipes import group_inputs
from bidsapp.recipes.group_inputs import ParticipantResult

UNTRAINED = "rsauntrained"


@dataclass(frozen=True)
class GroupInputs(group_inputs.GroupInputs):
    """Participants of `rsa` in one space.

    Attributes
    ----------
    models
        Network → names of its layers, the same in all participants.
    """

    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def patterns(self, participant: ParticipantResult) -> tuple[Path, ...]:
        """Return the files with the mean pattern of each item."""
        return participant.image({"stat": "pattern", "desc": "rsa"}, "statmap", self.extension)

    def sizes(self, participant: ParticipantResult) -> tuple[Path, ...]:
        """Return the files with the number of units in each searchlight."""
        return participant.image({"stat": "size", "desc": "rsa"}, "statmap", self.extension)

    def scores(self, participant: ParticipantResult, model: str, desc: str) -> tuple[Path, ...]:
        """Return the files with a participant's scores, ``rsa`` or ``rsauntrained``."""
        entities = {"model": model, "stat": "rho", "desc": desc}
        return participant.image(entities, "statmap", self.extension)

    def has_untrained(self, model: str) -> bool:
        """Whether all participants have scores of untrained networks."""
        return all(
            path.is_file()
            for one in self.participants
            for path in self.scores(one, model, UNTRAINED)
        )

    def candidates(self) -> Iterator[Path]:
        """Yield every file the group level looks for."""
        yield from super().candidates()
        for one in self.participants:
            yield items_file(one)
            yield alignment_file(one)
            yield nuisance_file(one)
            yield from self.patterns(one)
            yield from self.sizes(one)
            for model in self.models:
                yield models_file(one, model)
                yield from self.scores(one, model, "rsa")
                yield from self.scores(one, model, UNTRAINED)


def items_file(participant: ParticipantResult) -> Path:
    """Return the table of the rows of the dissimilarity matrices."""
    return participant.file({"desc": "rsaitems"}, "stats", ".tsv", in_space=False)


def models_file(participant: ParticipantResult, model: str) -> Path:
    """Return the table of a network's model RDMs."""
    entities = {"model": model, "desc": "rsamodels"}
    return participant.file(entities, "stats", ".tsv", in_space=False)


def nuisance_file(participant: ParticipantResult) -> Path:
    """Return the table of nuisance RDMs; absent where there are none."""
    return participant.file({"desc": "rsanuisance"}, "stats", ".tsv", in_space=False)


def alignment_file(participant: ParticipantResult) -> Path:
    """Return the table of what was heard when."""
    return participant.file({"desc": "rsaalignment"}, "stats", ".tsv", in_space=False)


GroupAnalysis = group_inputs.GroupAnalysis[GroupInputs]
"""The job of the group level."""
