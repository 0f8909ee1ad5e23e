"""The entry of a recipe in the registry: declarations, and the addresses of five functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from bidsapp.bids.records import ImageKind
from bidsapp.config import Config
from bidsapp.errors import UsageError
from bidsapp.recipes.base.settings import override
from bidsapp.results.kinds import Result, descriptions

Need = Literal["sounds", "ratings", "intervals", "grey_matter"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One recipe.

    Attributes
    ----------
    name
        As on the command line; also the name of its settings.
    question
        One line: what it answers. Subtitle of its reports.
    paper
        Key of the paper in ``references.bib``.
    variants, group_variants
        Variant name → settings of the participant and of the group level.
    results
        Everything that it writes, at both levels. The first maps define the units of a space.
    needs
        What is collected for a participant beside BOLD: ``sounds`` (presentations whose sound is
        on disk), ``ratings`` (continuous), ``intervals`` (labelled stretches of time),
        ``grey_matter`` (its probability in the space of volumes).
    kinds
        Kinds of image it can analyse.
    least_sounds
        Number of different sounds below which it has little to work on.
    least_sound_s
        Length of a sound in seconds below which several share a block of cross-validation.
    design
        Simulated design that it can be tried on (`bidsapp.simulate.dataset.DESIGNS`).
    remarks
        Rows of ``logs/fidelity.tsv`` beyond its settings.
    group_reads_inputs
        Whether the group level reads the participants' BOLD and annotations again.
    least_participants
        How many participants the group level needs.
    refuse
        ``(settings, group_settings, config, spaces) → None``: refuses files and names in the
        settings of both levels that cannot serve, once for all participants, whose spaces it is
        given; computes nothing. Empty where settings name nothing.
    prepare
        ``(dataset, inputs, settings, config) → inputs``: checks what was collected, or makes
        more of it; computes nothing. Empty when there is nothing to check.
    cost
        ``(inputs, settings, config) → Cost`` of one participant in one space.
    participant, group
        ``(ParticipantStudy) → None`` and ``(GroupStudy) → None``: analyse and write.
    group_files
        ``(inputs, settings, config) → paths``: atlases and maps on this machine that the group
        level reads beside results; a result depends on them. Empty when there are none.
    report
        ``(Results) → (Page, Methods)``: the page of a participant or of the group, and the
        methods text with its citations, from written results.
    check
        A `bidsapp.simulate.checks.shared.Check` (``module:name``): how its results on a simulated
        dataset are compared with the planted truth.
    """

    name: str
    question: str
    paper: str
    variants: Mapping[str, Any]
    group_variants: Mapping[str, Any]
    results: tuple[Result, ...] = ()
    needs: tuple[Need, ...] = ("sounds",)
    kinds: tuple[ImageKind, ...] = ("gifti", "cifti", "volume")
    least_sounds: int = 0
    least_sound_s: float = 0.0
    design: str = ""
    remarks: Sequence[Mapping[str, str]] = ()
    group_reads_inputs: bool = False
    least_participants: int = 1
    refuse: str = ""
    prepare: str = ""
    group_files: str = ""
    cost: str
    participant: str
    group: str
    report: str
    check: str = ""

    @property
    def group_table(self) -> str:
        """Name of the group level's settings in configuration files and ``--set``."""
        return f"{self.name}_group"

    def descriptions(self, networks: Iterable[str] = ()) -> dict[str, str]:
        """Return every ``desc-`` label of its files, and what it means.

        Parameters
        ----------
        networks
            Labels of the networks whose results are described.
        """
        return descriptions(self.results, networks)

    def settings(self, config: Config) -> Any:
        """Return the settings of the participant level with the user's changes.

        Raises
        ------
        UsageError
            If a setting does not exist, has the wrong type, or the recipe uses no networks.
        """
        changes = dict(config.recipe_settings.get(self.name, {}))
        default = self.variants[config.variant]
        if config.network:
            if "networks" not in {item.name for item in fields(default)}:
                msg = f"--network: {self.name} does not use networks of sounds; leave it out"
                raise UsageError(msg)
            changes.setdefault("networks", list(config.network))
        return override(default, self.name, changes)

    def group_settings(self, config: Config) -> Any:
        """Return the settings of the group level with the user's changes."""
        table = self.group_table
        changes = config.recipe_settings.get(table, {})
        return override(self.group_variants[config.variant], table, changes)
