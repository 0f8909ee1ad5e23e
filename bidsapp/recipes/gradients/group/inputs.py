"""What the group level of `gradients` stands on beyond participants: layers and lags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bidsapp.recipes import group_inputs
from bidsapp.recipes.group_inputs import ParticipantResult


@dataclass(frozen=True)
class GroupInputs(group_inputs.GroupInputs):
    """Participants of `gradients` in one space.

    Attributes
    ----------
    models
        Network → names of its layers, the same in all participants.
    lags
        ``positive`` and, if the control was run, ``negative``.
    """

    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lags: tuple[str, ...] = ()

    def scores(self, participant: ParticipantResult, model: str, lags: str) -> tuple[Path, ...]:
        """Return the files with a participant's layer scores."""
        entities = {"model": model, "stat": "r", "desc": lags}
        return participant.image(entities, "statmap", self.extension)

    def candidates(self) -> Iterator[Path]:
        """Yield every file the group level looks for."""
        yield from super().candidates()
        for one in self.participants:
            yield one.file({"desc": "parcelcourses"}, "stats", ".tsv")
            yield from one.image({"desc": "parcels"}, "dseg", self.label_extension)
            for model in self.models:
                ratings = {"model": model, "desc": "ratings"}
                yield one.file(ratings, "stats", ".tsv", in_space=False)
                for lags in self.lags:
                    yield from self.scores(one, model, lags)


GroupAnalysis = group_inputs.GroupAnalysis[GroupInputs]
"""The job of the group level."""
