"""What the analysis of one participant, or of a group, works with: inputs, settings, output."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bidsapp import __version__
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.staging import Staging
from bidsapp.config import Config
from bidsapp.models.devices import resolve_device
from bidsapp.recipes.base.group import GroupInputs
from bidsapp.results.cautions import Caution, to_json
from bidsapp.scratch import Scratch

if TYPE_CHECKING:
    from bidsapp.audio.networks.base import Network
    from bidsapp.brain.clean import BoldMatrix
    from bidsapp.brain.geometry import UnitSpace
    from bidsapp.features.courses import CourseBank
    from bidsapp.features.extract import FeatureBank
    from bidsapp.results.kinds import Result, Table
    from bidsapp.results.write import Output

_LIBRARIES = (
    "numpy",
    "scipy",
    "torch",
    "numba",
    "nibabel",
    "nilearn",
    "pybids",
    "librosa",
    "soxr",
)


@dataclass(frozen=True, eq=False)
class Study:
    """One job, as the recipe sees it.

    Attributes
    ----------
    recipe
        Name of the recipe.
    dataset
        The opened dataset.
    config, settings
        Of the run, and of the recipe at this level.
    inputs
        What was collected.
    configuration_hash
        Hash of everything that changes results; goes into every sidecar.
    staging
        Where results are written; they appear in the output folder all at once.
    scratch
        Folder for intermediate files, which jobs share.
    """

    recipe: str
    dataset: Dataset
    config: Config
    settings: Any
    inputs: Any
    configuration_hash: str
    staging: Staging
    scratch: Path

    @property
    def output_dir(self) -> Path:
        """Output folder."""
        return self.config.output_dir

    @property
    def level(self) -> str:
        """``participant`` or ``group``."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """Name in messages."""
        raise NotImplementedError

    @cached_property
    def device(self) -> str:
        """Torch device."""
        return resolve_device(self.config.device)

    @property
    def memory_bytes(self) -> int:
        """Allowed by ``--mem``."""
        return self.config.memory_bytes

    def kept(self, kind: str, *parts: object) -> Scratch:
        """Return the folder of intermediates of these inputs, configuration and `parts`."""
        known = self.configuration_hash, self.inputs.identity()
        return Scratch.of(self.scratch, kind, *known, *parts, quiet=self.config.quiet)

    @property
    def _common(self) -> dict[str, Any]:
        return {
            "ConfigurationHash": self.configuration_hash,
            "Recipe": self.recipe,
            "Variant": self.config.variant,
            "MusicotopyVersion": __version__,
        }

    def summary(
        self,
        units: UnitSpace,
        *,
        networks: Mapping[str, Mapping[str, Any]],
        cautions: Iterable[Caution],
        **more: Any,
    ) -> dict[str, Any]:
        """Return the content of the summary: what a reader needs to audit this analysis.

        Parameters
        ----------
        units
            Of the maps.
        networks
            Network (feature space) → ``layers``, ``weights`` and whatever the recipe counts.
        cautions
            Reasons to doubt.
        **more
            Further content, JSON values.
        """
        config = self.config
        return {
            "recipe": self.recipe,
            "variant": config.variant,
            "version": __version__,
            "level": self.level,
            "space": self.inputs.space,
            "settings": asdict(self.settings),
            "config": {
                "confounds": config.confounds,
                "high_pass_hz": config.high_pass_hz,
                "smoothing_fwhm_mm": config.smoothing_fwhm_mm,
                "solver": config.solver,
                "atlas": config.atlas,
                "random_seed": config.random_seed,
                "device": self.device,
                "mem": config.mem,
            },
            "networks": {name: dict(content) for name, content in networks.items()},
            "n_units": units.n_units,
            "units_hash": units.identity(),
            **more,
            "cautions": to_json(cautions),
            "python": platform.python_version(),
            "versions": versions_here(),
        }


class ParticipantStudy(Study):
    """The analysis of one participant in one space."""

    @property
    def level(self) -> str:
        """The level."""
        return "participant"

    @property
    def label(self) -> str:
        """``sub-01 fsaverage5``."""
        return f"sub-{self.inputs.subject} {self.inputs.space}"

    @cached_property
    def bold(self) -> BoldMatrix:
        """Cleaned time × units matrix of all runs; remove it when done."""
        from bidsapp.brain.clean import Cleaning, load_bold
        from bidsapp.brain.units import unit_space

        config = self.config
        return load_bold(
            self.inputs.runs,
            unit_space(self.inputs.runs),
            Cleaning(config.confounds, config.high_pass_hz, config.smoothing_fwhm_mm),
            self.scratch / "bold",
            memory_bytes=self.memory_bytes // 3,
            quiet=config.quiet,
        )

    def network(self, name: str, weights: str = "", seed: int | None = None) -> Network:
        """Load a network of sounds.

        Parameters
        ----------
        name
            Registered name.
        weights
            Instead of ``--weights``.
        seed
            Of random weights, instead of ``--random-seed``.
        """
        from bidsapp.audio.networks import get_network, network_weights

        return get_network(
            name,
            weights=weights or network_weights(name, self.config.weights),
            weights_dir=self.config.weights_dir,
            seed=self.config.random_seed if seed is None else seed,
            hop_s=self.settings.hop_s,
        )

    def features(self, network: Network) -> FeatureBank:
        """Frames and Gram matrices of each layer, over all sounds this participant heard."""
        from bidsapp.features.extract import extract

        return extract(self.inputs.sounds, network, self.scratch / "features", **self._resources)

    def courses(self, network: Network) -> CourseBank:
        """Channel courses of each layer, over all sounds this participant heard."""
        from bidsapp.features.courses import extract_courses

        folder = self.scratch / "features"
        return extract_courses(self.inputs.sounds, network, folder, **self._resources)

    @property
    def _resources(self) -> dict[str, Any]:
        return {
            "memory_bytes": self.memory_bytes // 2,
            "device": self.device,
            "quiet": self.config.quiet,
        }

    def output(self, units: UnitSpace) -> Output:
        """Return the writer of this participant's results.

        Parameters
        ----------
        units
            Voxels or vertices of the maps.
        """
        from bidsapp.results.write import Output

        sources = self.dataset.bids_uris(self.inputs.files, self.config.stimuli_dir)
        return Output(
            self.staging, units, subject=self.inputs.subject, common=self._common, sources=sources
        )

    def summary(
        self, units: UnitSpace, *, confounds: Sequence[Sequence[str]] = (), **content: Any
    ) -> dict[str, Any]:
        """Return the content of the summary, with the runs.

        Parameters
        ----------
        units, **content
            As in `Study.summary`.
        confounds
            Names of the regressors of each run.
        """
        names = confounds or [()] * len(self.inputs.runs)
        runs = [
            {
                "name": run.name,
                "n_trs": run.n_trs,
                "tr_s": run.tr_s,
                "confounds": list(regressors),
                "preprocessed": run.preprocessed,
            }
            for run, regressors in zip(self.inputs.runs, names, strict=True)
        ]
        return super().summary(units, subject=self.inputs.subject, runs=runs, **content)


class GroupStudy(Study):
    """The analysis of a group in one space."""

    inputs: GroupInputs

    @property
    def level(self) -> str:
        """The level."""
        return "group"

    @property
    def label(self) -> str:
        """``group fsaverage5``."""
        return f"group {self.inputs.space}"

    def output(self, units: UnitSpace, sources: Iterable[Path] = (), **fields: Any) -> Output:
        """Return the writer of the group's results.

        Parameters
        ----------
        units
            Voxels or vertices of the maps.
        sources
            Files of the output folder that the results are made from.
        **fields
            Further fields of every sidecar.
        """
        from bidsapp.results.write import Output

        common = {**self._common, "NumberOfParticipants": len(self.inputs.participants), **fields}
        uris = [f"bids::{path.relative_to(self.output_dir).as_posix()}" for path in sources]
        return Output(self.staging, units, subject="", common=common, sources=uris)

    def files(self, *wanted: Result, network: str = "", sidecars: bool = False) -> list[Path]:
        """Return the files of results of all participants, participant by participant."""
        return [
            path
            for person in self.inputs.participants
            for result in wanted
            for path in person.files(result, self.inputs.at, network)
            if sidecars or path.suffix != ".json"
        ]

    def summary(self, units: UnitSpace, **content: Any) -> dict[str, Any]:
        """Return the content of the summary, with who takes part; arguments as in `Study`."""
        inputs, first = self.inputs, self.inputs.participants[0].facts(self.inputs.at)
        return super().summary(
            units,
            participants=list(inputs.subjects),
            n_participants=len(inputs.participants),
            left_out=[{"participant": label, "reason": why} for label, why in inputs.left_out],
            participant_settings=first["settings"],
            participant_config=first["config"],
            **content,
        )

    def participant_rows(
        self, declared: Table, further: Iterable[Mapping[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        """Yield one row per participant, those left out and why at the end.

        Parameters
        ----------
        declared
            The table.
        further
            What it says of each participant beyond the configuration and number of volumes.
        """
        for person, own in zip(self.inputs.participants, further, strict=True):
            facts = person.facts(self.inputs.at)
            yield {
                "participant": person.subject,
                "included": True,
                "reason": None,
                "configuration_hash": facts["ConfigurationHash"],
                "n_trs": sum(int(run["n_trs"]) for run in facts["runs"]),
                **own,
            }
        for subject, reason in self.inputs.left_out:
            row = {"participant": subject, "included": False, "reason": reason}
            yield dict.fromkeys(declared.header) | row


def versions_here() -> dict[str, str]:
    """Return versions of the libraries that decide numbers, as far as they are installed."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
