"""What the group level stands on: finished participants in one space, and those left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.names import build_path
from bidsapp.bids.records import ImageKind, Problem
from bidsapp.bids.staging import Staging
from bidsapp.config import Config

MAP_EXTENSIONS: Mapping[ImageKind, str] = {
    "gifti": ".func.gii",
    "cifti": ".dscalar.nii",
    "volume": ".nii.gz",
}
"""Of continuous maps."""


def summary_label(recipe: str) -> str:
    """Return the ``desc-`` label of a recipe's summaries."""
    return "summary" if recipe == "gradients" else f"{recipe}summary"


@dataclass(frozen=True)
class ParticipantResult:
    """The results of one participant in one space.

    Attributes
    ----------
    subject
        Label without ``sub-``.
    output_dir
        The output folder they stand in.
    entities
        Of the space: ``{"space": "fsaverage", "den": "10k"}``.
    summary
        Content of its summary file.
    """

    subject: str
    output_dir: Path
    entities: Mapping[str, str]
    summary: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self.output_dir / f"sub-{self.subject}" / "func"

    @property
    def configuration_hash(self) -> str:
        """Hash of the settings it was made with."""
        return str(self.summary.get("ConfigurationHash", ""))

    @property
    def summary_file(self) -> Path:
        """Where its summary lies."""
        label = summary_label(str(self.summary.get("recipe", "gradients")))
        return self.file({"desc": label}, "stats", ".json")

    def file(
        self, entities: Mapping[str, str], suffix: str, extension: str, *, in_space: bool = True
    ) -> Path:
        """Return the path of one of its files, whether it exists or not."""
        space = self.entities if in_space else {}
        names = {"sub": self.subject, **space, **entities}
        return self.output_dir / build_path(names, suffix, extension)

    def image(self, entities: Mapping[str, str], suffix: str, extension: str) -> tuple[Path, ...]:
        """Return the path of an image; of GIFTI, which is told by its extension, both sides."""
        if not extension.endswith(".gii"):
            return (self.file(entities, suffix, extension),)
        return tuple(self.file({**entities, "hemi": side}, suffix, extension) for side in "LR")


@dataclass(frozen=True)
class GroupInputs:
    """The input of the group level in one space.

    Attributes
    ----------
    recipe
        Whose results these are.
    space, entities, kind
        The space as the runs spell it, as the results' names spell it, and the kind of image.
    participants
        Sorted by label.
    left_out
        (label, reason) of everyone else.
    problems
        What does not forbid the analysis but has to be said.
    """

    recipe: str
    space: str
    entities: Mapping[str, str]
    kind: ImageKind
    participants: tuple[ParticipantResult, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Labels of the participants."""
        return tuple(item.subject for item in self.participants)

    @property
    def configuration_hash(self) -> str:
        """Hash of the settings that all participants were analysed with."""
        return self.participants[0].configuration_hash

    @property
    def extension(self) -> str:
        """Of continuous maps in this space."""
        return MAP_EXTENSIONS[self.kind]

    @property
    def label_extension(self) -> str:
        """Of label images in this space."""
        return {"gifti": ".label.gii", "cifti": ".dlabel.nii", "volume": ".nii.gz"}[self.kind]

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything the group level reads, that is there."""
        return tuple(path for path in self.candidates() if path.is_file())

    def candidates(self) -> Iterator[Path]:
        """Yield every file the group level of the recipe looks for."""
        for one in self.participants:
            yield one.summary_file

    def identity(self) -> str:
        """Hash of who takes part and of all files (name, size, time of change)."""
        digest = hashlib.blake2b(digest_size=8)
        digest.update(repr((self.recipe, self.space, self.subjects, self.left_out)).encode())
        for path in self.files:
            stat = path.stat()
            digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def overview(self) -> str:
        """Say who takes part and who does not, for ``--dry-run``."""
        lines = [f"{len(self.participants)} participants: {' '.join(self.subjects)}"]
        lines += [f"left out: {subject} ({reason})" for subject, reason in self.left_out]
        return "\n".join(lines)


InputsT = TypeVar("InputsT", bound=GroupInputs)


@dataclass(frozen=True)
class GroupAnalysis(Generic[InputsT]):
    """One job of the group level, as the recipe sees it.

    Attributes
    ----------
    recipe
        Name of the recipe.
    dataset, config, settings, inputs
        What to analyse and how; `settings` are those of the group level.
    configuration_hash
        Goes into every sidecar.
    staging
        Where results are written; they appear in the output folder all at once.
    scratch
        Folder for intermediate files.
    output_dir
        Where the participants' results lie.
    """

    recipe: str
    dataset: Dataset
    config: Config
    settings: Any
    inputs: InputsT
    configuration_hash: str
    staging: Staging
    scratch: Path
    output_dir: Path
