"""Named results in one space, of a participant or a group: every file with its sidecar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp import __version__
from bidsapp.bids.atomic import write_image, write_json, write_tsv, write_tsv_gz
from bidsapp.bids.describe import sidecar
from bidsapp.bids.names import build_path, space_entities
from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.maps import MapImage, label_images, mask_images, to_images
from bidsapp.recipes.analysis import Analysis
from bidsapp.recipes.group_inputs import GroupAnalysis


class ResultWriter:
    """Writes maps and tables into a staging folder, each with its sidecar.

    Parameters
    ----------
    staging
        Where they are written.
    units
        The space of the maps.
    subject
        ``{"sub": label}``, or empty for the group.
    common
        Fields of every sidecar.
    sources
        BIDS URIs of what the results are made from.
    """

    def __init__(
        self,
        staging: Staging,
        units: UnitSpace,
        subject: Mapping[str, str],
        common: Mapping[str, Any],
        sources: Sequence[str],
    ) -> None:
        self.staging, self.units, self.subject = staging, units, dict(subject)
        self.space = space_entities(units.space, units.resolution, units.density)
        self._common, self._sources = dict(common), list(sources)

    def maps(
        self,
        values: NDArray[Any],
        columns: Sequence[str],
        entities: Mapping[str, str],
        description: str,
        **extra: Any,
    ) -> None:
        """Write continuous maps (n_maps, n_units); NaN is missing."""
        images = to_images(values, self.units, columns)
        self._images(images, entities, "statmap", description, Columns=list(columns), **extra)

    def labels(
        self,
        values: NDArray[np.integer],
        names: Sequence[str],
        entities: Mapping[str, str],
        description: str,
    ) -> None:
        """Write labels (n_units,), 0 undefined, and the table of their names."""
        images = label_images(values, self.units, names, map_name=entities["desc"])
        self._images(images, entities, "dseg", description)
        rows = [{"index": index, "name": name} for index, name in enumerate(names, start=1)]
        self._write_rows(rows, {**self.space, **entities}, "dseg", description)

    def mask(self, values: NDArray[np.bool_], entities: Mapping[str, str], text: str) -> None:
        """Write a mask (n_units,)."""
        self._images(mask_images(values, self.units), entities, "mask", text, Type="ROI")

    def table(
        self,
        rows: Iterable[Mapping[str, Any]],
        entities: Mapping[str, str],
        description: str,
        *,
        in_space: bool = True,
        **columns: str,
    ) -> None:
        """Write a table of results; keywords describe its columns."""
        space = self.space if in_space else {}
        self._write_rows(list(rows), {**space, **entities}, "stats", description, **columns)

    def facts(self, values: Mapping[str, Any], entities: Mapping[str, str]) -> None:
        """Write a JSON file of facts."""
        path = build_path({**self.subject, **self.space, **entities}, "stats", ".json")
        write_json(self.staging.path(path), {**self._common, **values})

    def recording(
        self,
        run: Mapping[str, str],
        label: str,
        columns: Sequence[str],
        values: NDArray[Any],
        timing: tuple[float, float],
        description: str,
    ) -> None:
        """Write regressors on a run's volumes as a continuous recording.

        Parameters
        ----------
        run
            Entities of the run.
        label
            Recording label.
        columns
            Names of the columns.
        values
            (n_trs, n_columns); NaN where nothing was played.
        timing
            Sampling frequency in Hz and start time in s.
        description
            For the sidecar.
        """
        entities = {**run, "recording": label}
        path = self.staging.path(build_path(entities, "stim", ".tsv.gz"))
        write_tsv_gz(path, values)
        write_json(
            self.staging.path(build_path(entities, "stim", ".json")),
            {
                **self._common,
                "Description": description,
                "SamplingFrequency": timing[0],
                "StartTime": timing[1],
                "Columns": list(columns),
            },
        )

    def _images(
        self,
        images: Sequence[MapImage],
        entities: Mapping[str, str],
        suffix: str,
        description: str,
        **extra: Any,
    ) -> None:
        for item in images:
            names = {**self.subject, **self.space, **entities, **item.entities}
            write_image(self.staging.path(build_path(names, suffix, item.extension)), item.image)
            write_json(
                self.staging.path(build_path(names, suffix, ".json")),
                sidecar(
                    description,
                    sources=self._sources,
                    space=self.units.space,
                    resolution=self.units.resolution,
                    density=self.units.density,
                    **self._common,
                    **extra,
                ),
            )

    def _write_rows(
        self,
        rows: Sequence[Mapping[str, Any]],
        entities: Mapping[str, str],
        suffix: str,
        description: str,
        **columns: str,
    ) -> None:
        names = {**self.subject, **entities}
        write_tsv(self.staging.path(build_path(names, suffix, ".tsv")), rows)
        described = {name: {"Description": text} for name, text in columns.items()}
        if suffix == "stats":
            path = self.staging.path(build_path(names, suffix, ".json"))
            write_json(path, {"Description": description, **self._common, **described})


def participant_writer(analysis: Analysis[Any], units: UnitSpace) -> ResultWriter:
    """Return the writer of one participant's results.

    Parameters
    ----------
    analysis
        The job.
    units
        The space of the maps.
    """
    bold = [path for run in analysis.inputs.runs for path in run.bold]
    sources = analysis.dataset.bids_uris(bold, analysis.config.stimuli_dir)
    subject = {"sub": analysis.inputs.subject}
    return ResultWriter(analysis.staging, units, subject, _common(analysis), sources)


def group_writer(
    analysis: GroupAnalysis[Any],
    units: UnitSpace,
    sources: Iterable[Path],
    facts: Mapping[str, Any] | None = None,
) -> ResultWriter:
    """Return the writer of a group's results.

    Parameters
    ----------
    analysis
        The job.
    units
        The space of the maps.
    sources
        Files of the output folder that the results are made from.
    facts
        Further fields of every sidecar.
    """
    common = {
        **_common(analysis),
        "NumberOfParticipants": len(analysis.inputs.participants),
        **(facts or {}),
    }
    uris = [f"bids::{path.relative_to(analysis.output_dir).as_posix()}" for path in sources]
    return ResultWriter(analysis.staging, units, {}, common, uris)


def _common(analysis: Analysis[Any] | GroupAnalysis[Any]) -> dict[str, Any]:
    return {
        "ConfigurationHash": analysis.configuration_hash,
        "Recipe": analysis.recipe,
        "Variant": analysis.config.variant,
        "MusicotopyVersion": __version__,
    }
