"""What the rest of the app knows of a dataset: small records, no file names to guess.

``Run``
    one BOLD acquisition of one participant in one space.
``Presentation``
    one sound played during one run. The *piece* is the sound file: repeats of a piece never
    stand on both sides of a cross-validation fold.
``Rating``
    one continuous annotation, locked to a stimulus or to a run.
``Interval``
    one labelled stretch of time, locked to a stimulus or to a run.
``Problem``
    something that was passed over, with the file, what is wrong and what to do.

Times are in seconds. Run time zero is the start of the first acquired volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ImageKind = Literal["volume", "gifti", "cifti"]
TimeReference = Literal["stimulus", "run"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was passed over while the rest went on."""

    path: Path
    what: str
    remedy: str

    def __str__(self) -> str:
        told = self.what.removeprefix(f"{self.path}: ")  # of an error that names the file, too
        return f"{self.path}: {told}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Run:
    """One BOLD acquisition in one space.

    Attributes
    ----------
    entities
        BIDS entities that name the acquisition (sub, ses, task, acq, rec, dir, run, echo), in
        BIDS order, without space, hemi, res, den and desc.
    space
        As the file name spells it (``MNI152NLin2009cAsym``, ``fsaverage5``, ``fsLR``, ``T1w``;
        ``native`` when the name has no space entity).
    resolution, density
        The ``res`` and ``den`` entities, if any.
    kind
        ``volume`` (NIfTI), ``gifti`` (left and right files) or ``cifti`` (dtseries).
    bold
        One file, or the left and the right one for GIFTI.
    mask
        Brain mask of a volume, if there is one.
    confounds
        fMRIPrep confounds table, if there is one.
    tr_s, n_trs
        Repetition time in seconds and number of volumes.
    start_time_s
        Time that the first volume stands for: fMRIPrep's ``StartTime`` when slice times were
        corrected, else the mean of the slice times, which is half the repetition time.
    preprocessed
        False for raw BOLD taken with ``--allow-raw-bold``.
    scan_start_s
        When the acquisition of the first volume began; later than 0 where volumes were left out.
    """

    entities: Mapping[str, str]
    space: str
    resolution: str | None
    density: str | None
    kind: ImageKind
    bold: tuple[Path, ...]
    mask: Path | None
    confounds: Path | None
    tr_s: float
    n_trs: int
    start_time_s: float = 0.0
    preprocessed: bool = True
    scan_start_s: float = 0.0

    @property
    def name(self) -> str:
        """``sub-01_task-happy_run-1``: the acquisition, whatever the space."""
        return "_".join(f"{key}-{value}" for key, value in self.entities.items())

    @property
    def subject(self) -> str:
        """Participant label without ``sub-``."""
        return self.entities["sub"]

    @property
    def task(self) -> str:
        """Task label without ``task-``."""
        return self.entities["task"]

    @property
    def duration_s(self) -> float:
        """Length of the scan in seconds."""
        return self.n_trs * self.tr_s

    @property
    def scan_end_s(self) -> float:
        """When the acquisition of the last volume ended, in seconds."""
        return self.scan_start_s + self.duration_s

    @property
    def volume_times_s(self) -> NDArray[np.float64]:
        """(n_trs,) time that each volume stands for, in seconds."""
        import numpy as np

        return np.asarray(self.start_time_s + self.tr_s * np.arange(self.n_trs), np.float64)


@dataclass(frozen=True, slots=True)
class Presentation:
    """One sound played during one run.

    Attributes
    ----------
    run_name
        `Run.name` of the acquisition it belongs to.
    onset_s, duration_s
        In run time.
    stim_file
        The sound as the dataset names it (POSIX path relative to the stimuli folder).
    path
        The sound on disk; None when it was not found.
    stim_start_s
        Position in the sound file at which playing started.
    source
        Where this was read from, for the alignment table.
    """

    run_name: str
    onset_s: float
    duration_s: float
    stim_file: str
    path: Path | None
    stim_start_s: float = 0.0
    source: str = ""

    @property
    def piece(self) -> str:
        """Identity used for folds: the sound file."""
        return self.stim_file


@dataclass(frozen=True, slots=True)
class Rating:
    """A continuous annotation sampled at a constant rate; missing samples are NaN.

    Attributes
    ----------
    name
        What was rated (``enjoyment``, ``valence``).
    rater
        Participant or rater label; None for an average over raters.
    reference, key
        ``stimulus`` and the `Presentation.stim_file`, or ``run`` and the `Run.name`.
    sampling_hz, start_time_s
        Rate, and time of the first sample relative to the reference.
    values
        Samples.
    source
        The file it was read from.
    """

    name: str
    rater: str | None
    reference: TimeReference
    key: str
    sampling_hz: float
    start_time_s: float
    values: tuple[float, ...] = field(repr=False)
    source: Path | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A labelled stretch of time; intervals may overlap."""

    label: str
    onset_s: float
    duration_s: float
    reference: TimeReference
    key: str
    agreement: float | None = None
    rater: str | None = None
    character: str | None = None
    source: Path | None = None
