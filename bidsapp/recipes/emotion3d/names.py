"""Names that tables hold, and what they mean for a reader: decoders, splits, the LEAKY stamp."""

from __future__ import annotations

from dataclasses import dataclass

LEAKY = "LEAKY"
"""Stamp on whatever comes from a split whose training and test volumes are neighbours in time."""


@dataclass(frozen=True)
class Decoder:
    """How a decoder is called, and what it sees.

    Attributes
    ----------
    title
        In tables and figures.
    sees
        One phrase, for the sidecars.
    called
        In sentences.
    """

    title: str
    sees: str
    called: str


DECODERS = {
    "cnn": Decoder("3D network", "network on volumes", "the network"),
    "linear": Decoder(
        "Linear, voxels",
        "linear decoder on principal components of the voxels",
        "the linear decoder",
    ),
    "parcels": Decoder(
        "Linear, parcels", "linear decoder on means of parcels", "the decoder of parcels"
    ),
    "confounds": Decoder(
        "Motion, global signal",
        "linear decoder on motion and the global signal: no brain pattern",
        "motion and the global signal",
    ),
    "time": Decoder(
        "Time in the run",
        "linear decoder on the time in the run: no brain",
        "the time in the run",
    ),
    "run": Decoder(
        "Run identity (control)",
        "linear decoder on which run it is: no brain",
        "the identity of the run",
    ),
    "majority": Decoder(
        "Most frequent class",
        "the most frequent class of the training volumes",
        "the most frequent class",
    ),
    "prior": Decoder(
        "Draw from class shares",
        "expected score of predictions drawn from the class shares of the training volumes",
        "the class shares",
    ),
}
"""Name in tables → decoder, in the order in which they are shown."""
BRAIN = ("cnn", "linear", "parcels")
"""Decoders that see the brain."""
CONTROLS = ("confounds", "time", "run")
"""Decoders that see no brain pattern."""
LABELS_ONLY = ("time", "run", "majority", "prior")
"""Decoders with the same predictions in everybody who had the same runs."""
PREDICTED = ("cnn", "linear")
"""Decoders whose predictions of single volumes are written."""

_SPLITS = {
    "leave_run_out": "Runs left out",
    "blocked": "Blocks left out",
    "leave_participant_out": "Participants left out, same stimulus",
    "leave_participant_and_run_out": "Participants and runs left out, new stimulus",
    "shuffled": "Shuffled volumes",
}
_SHORT = {
    "leave_participant_out": "same stimulus",
    "leave_participant_and_run_out": "new stimulus",
}


@dataclass(frozen=True)
class SplitInfo:
    """How volumes were divided, as tables and the summary say it.

    Attributes
    ----------
    name
        In files; a leaky one is stamped.
    note
        What a score under it means.
    folds
        Names; the methods text counts them.
    """

    name: str
    note: str = ""
    folds: tuple[str, ...] = ()

    @property
    def leaky(self) -> bool:
        """Whether its scores say nothing about the brain."""
        return self.name.endswith(LEAKY)

    @property
    def title(self) -> str:
        """Name for a reader."""
        title = _SPLITS[self._plain]
        return f"{LEAKY}: {title.lower()}" if self.leaky else title

    @property
    def short(self) -> str:
        """Name for a narrow place."""
        return self.title if self.leaky else _SHORT.get(self._plain, self.title.lower())

    @property
    def anchor(self) -> str:
        """Name for a link."""
        return self.name.replace("_", "-").lower()

    @property
    def _plain(self) -> str:
        return self.name.removesuffix(f"-{LEAKY}")
