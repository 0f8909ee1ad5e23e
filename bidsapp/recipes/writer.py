"""Named results of one participant in one space: every file with its sidecar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp import __version__
from bidsapp.bids.describe import sidecar
from bidsapp.bids.names import build_path, space_entities
from bidsapp.bids.write import write_image, write_json, write_tsv, write_tsv_gz
from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.maps import MapImage, label_images, mask_images, to_images
from bidsapp.recipes.analysis import Analysis


class ResultWriter:
    """Writes the maps and tables of one analysis into its staging folder.

    Parameters
    ----------
    analysis
        The unit of work.
    units
        The space of the maps.
    """

    def __init__(self, analysis: Analysis, units: UnitSpace) -> None:
        self.analysis, self.units = analysis, units
        self.subject = {"sub": analysis.inputs.subject}
        self.space = space_entities(units.space, units.resolution, units.density)
        self._common = {
            "ConfigurationHash": analysis.configuration_hash,
            "Recipe": analysis.config.recipe[0],
            "Variant": analysis.config.variant,
            "MusicotopyVersion": __version__,
        }
        bold = [path for run in analysis.inputs.runs for path in run.bold]
        self._sources = analysis.dataset.bids_uris(bold, analysis.config.stimuli_dir)

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
        write_json(self.analysis.staging.path(path), {**self._common, **values})

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
        path = self.analysis.staging.path(build_path(entities, "stim", ".tsv.gz"))
        write_tsv_gz(path, values)
        write_json(
            self.analysis.staging.path(build_path(entities, "stim", ".json")),
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
            staging = self.analysis.staging
            write_image(staging.path(build_path(names, suffix, item.extension)), item.image)
            write_json(
                staging.path(build_path(names, suffix, ".json")),
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
        staging = self.analysis.staging
        write_tsv(staging.path(build_path(names, suffix, ".tsv")), rows)
        described = {name: {"Description": text} for name, text in columns.items()}
        if suffix == "stats":
            path = staging.path(build_path(names, suffix, ".json"))
            write_json(path, {"Description": description, **self._common, **described})
