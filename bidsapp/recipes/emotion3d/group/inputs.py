"""What the group level stands on: finished participants, and their runs and labels once more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bidsapp.recipes import group_inputs
from bidsapp.recipes.emotion3d.inputs import EmotionInputs
from bidsapp.recipes.group_inputs import ParticipantResult

STATISTICS = ("haufe", "ig", "gradcam")
"""Of the participants' maps."""
TABLES = ("emotion3dscores", "emotion3dnull", "emotion3drecall")


@dataclass(frozen=True)
class GroupInputs(group_inputs.GroupInputs):
    """Participants of `emotion3d` in one space.

    Attributes
    ----------
    members
        Label → runs and labels, collected with the settings the participant was analysed with.
    """

    members: Mapping[str, EmotionInputs] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of any participant, in the order of the label map."""
        member = next(iter(self.members.values()))
        found = {name for item in self.members.values() for name in item.classes}
        names = member.label_map.classes(found)
        return tuple(name for name in names if name in found)

    def map_file(self, participant: ParticipantResult, stat: str) -> Path:
        """Return where a participant's maps of a statistic lie, if there are any."""
        entities = {"stat": stat, "desc": "emotion3d"}
        return participant.image(entities, "statmap", self.extension)[0]

    def table_file(self, participant: ParticipantResult, label: str) -> Path:
        """Return where a participant's table lies."""
        return participant.file({"desc": label}, "stats", ".tsv")

    def candidates(self) -> Iterator[Path]:
        """Yield every file the group level looks for."""
        yield from super().candidates()
        for one in self.participants:
            yield from (self.table_file(one, label) for label in TABLES)
            yield from (self.map_file(one, stat) for stat in STATISTICS)
            yield from self.members[one.subject].files

    def overview(self) -> str:
        """Say who takes part and how many volumes of each class they have."""
        lines = [super().overview()]
        for subject, member in self.members.items():
            counts = member.counts()[-1]
            cells = ", ".join(f"{name} {counts[name]}" for name in member.classes)
            lines.append(f"sub-{subject}: {len(member.runs)} runs; {cells}")
        return "\n".join(lines)


GroupAnalysis = group_inputs.GroupAnalysis[GroupInputs]
"""The job of the group level."""
