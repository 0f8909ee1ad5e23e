"""Write declared results: file name, sidecar and content follow from the declaration."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bidsapp.bids.atomic import write_bytes, write_image, write_json, write_tsv, write_tsv_gz
from bidsapp.bids.describe import sidecar
from bidsapp.bids.names import build_path, space_entities
from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.maps import MapImage, label_images, mask_images, to_images
from bidsapp.results.inferences import INFERENCES
from bidsapp.results.kinds import Column, Facts, Labels, Maps, Mask, Result, Table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

Row = Mapping[str, Any]


class Output:
    """Writes the results of one analysis into its staging folder.

    Parameters
    ----------
    staging
        Where they are written; they appear in the output folder all at once.
    units
        Voxels or vertices of the maps.
    subject
        Participant label; empty for the group.
    common
        Fields of every sidecar.
    sources
        BIDS URIs of what the results are made from.
    """

    def __init__(
        self,
        staging: Staging,
        units: UnitSpace,
        *,
        subject: str,
        common: Mapping[str, Any],
        sources: Sequence[str] = (),
    ) -> None:
        self.staging, self.units, self.subject = staging, units, subject
        self._common, self._sources = dict(common), list(sources)

    def on(
        self,
        units: UnitSpace | None = None,
        *,
        sources: Sequence[str] | None = None,
        **fields: Any,
    ) -> Output:
        """Return an output on other units, from other sources, or with more sidecar fields.

        Parameters
        ----------
        units
            Voxels or vertices; None for the same.
        sources
            BIDS URIs; None for the same.
        **fields
            Further fields of every sidecar.
        """
        return Output(
            self.staging,
            units or self.units,
            subject=self.subject,
            common={**self._common, **fields},
            sources=self._sources if sources is None else sources,
        )

    def write(
        self,
        result: Result,
        values: ArrayLike | Iterable[Row] | pd.DataFrame | Row,
        *,
        network: str = "",
        names: Sequence[str] = (),
        note: str = "",
        entities: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> None:
        """Write one result with its sidecar.

        Parameters
        ----------
        result
            Declared result; its placeholder must be filled (`Result.of`).
        values
            Maps: (n_maps, n_units) or (n_units,), NaN where missing. Labels: (n_units,) integers,
            0 where there is none. Mask: (n_units,). Table: a data frame or rows. Facts: a mapping.
        network
            Of results by network.
        names
            Of the maps, or of labels 1, 2, …; those of the declaration when empty.
        note
            Sentence for the sidecar that depends on this study; follows `Result.says`.
        entities
            Further entities of the name.
        **fields
            Further fields of the sidecar.

        Raises
        ------
        ValueError
            Shapes or columns are not those declared, or the network is missing.
        """
        where = self._entities(result, network, entities or {})
        says = f"{result.says} {note}".strip()
        if isinstance(result, Maps):
            maps = np.atleast_2d(np.asarray(values))
            chosen = list(names or result.names or [result.stat])
            images = to_images(maps, self.units, chosen)
            self._images(result, images, where, says, Columns=chosen, **fields)
        elif isinstance(result, Labels):
            images = label_images(np.asarray(values), self.units, names, map_name=where["desc"])
            self._images(result, images, where, says, **fields)
            rows = [{"index": index, "name": name} for index, name in enumerate(names, start=1)]
            path = self._path(where, result.suffix, ".tsv", result.datatype)
            write_tsv(path, rows, ["index", "name"])
        elif isinstance(result, Mask):
            images = mask_images(np.asarray(values), self.units)
            self._images(result, images, where, says, Type="ROI", **fields)
        elif isinstance(result, Table):
            self._table(result, values, where, says, fields)
        elif isinstance(result, Facts):
            content = {"Description": says, **self._common, **fields, **dict(values)}  # type: ignore[arg-type]
            write_json(self._path(where, result.suffix, ".json"), content)

    def arrays(
        self, result: Result, values: Mapping[str, ArrayLike], *, network: str = "", note: str = ""
    ) -> None:
        """Write named arrays that are neither maps nor tables, compressed (``.npz``).

        Parameters
        ----------
        result
            Declared as a plain `Result`.
        values
            Name → array.
        network
            Of results by network.
        note
            As in `write`.
        """
        where = self._entities(result, network, {})
        buffer = io.BytesIO()
        named: dict[str, Any] = {name: np.asarray(array) for name, array in values.items()}
        np.savez_compressed(buffer, **named)
        write_bytes(self._path(where, result.suffix, ".npz"), buffer.getvalue())
        content = {"Description": f"{result.says} {note}".strip(), **self._common}
        content |= {"Arrays": {name: list(np.shape(array)) for name, array in values.items()}}
        write_json(self._path(where, result.suffix, ".json"), content)

    def folder(self, result: Result, network: str = "") -> Path:
        """Return the folder of a result that is sounds for other programs to open.

        Parameters
        ----------
        result
            Declared as a plain `Result`.
        network
            Of results by network.

        Returns
        -------
        Path
            ``sounds/sub-01_..._desc-LABEL``, to be written into.
        """
        where = self._entities(result, network, {})
        name = Path(build_path(where, result.suffix, ".json")).stem.removesuffix("_stats")
        marker = self.staging.path(f"sounds/{name}/any")
        return marker.parent

    def recording(
        self,
        run: Mapping[str, str],
        label: str,
        columns: Sequence[str],
        values: ArrayLike,
        timing: tuple[float, float],
        description: str,
    ) -> None:
        """Write regressors on a run's volumes as a continuous recording.

        Parameters
        ----------
        run
            Entities of the run.
        label
            ``recording-`` label.
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
        write_tsv_gz(self._path(entities, "stim", ".tsv.gz"), np.asarray(values))
        content = {
            **self._common,
            "Description": description,
            "SamplingFrequency": timing[0],
            "StartTime": timing[1],
            "Columns": list(columns),
        }
        write_json(self._path(entities, "stim", ".json"), content)

    def _entities(
        self, result: Result, network: str, further: Mapping[str, str]
    ) -> dict[str, str]:
        if "{" in result.desc:
            msg = f"{result.desc}: fill the placeholder with Result.of() first"
            raise ValueError(msg)
        if result.by_network and not network:
            msg = f"{result.desc}: belongs to a network, none was given"
            raise ValueError(msg)
        entities = {"sub": self.subject} if self.subject else {}
        if result.by_space:
            entities |= space_entities(self.units.space, self.units.resolution, self.units.density)
        return {**entities, **result.entities(network), **further}

    def _path(
        self, entities: Mapping[str, str], suffix: str, extension: str, datatype: str = "func"
    ) -> Path:
        return self.staging.path(build_path(entities, suffix, extension, datatype=datatype))

    def _images(
        self,
        result: Result,
        images: Sequence[MapImage],
        where: Mapping[str, str],
        says: str,
        **fields: Any,
    ) -> None:
        content = sidecar(
            says,
            sources=self._sources,
            space=self.units.space,
            resolution=self.units.resolution,
            density=self.units.density,
            **self._common,
            **inference_fields(result.by),
            **fields,
        )
        if isinstance(result, Labels):  # of the table of names, which both hemispheres share
            write_json(self._path(where, result.suffix, ".json", result.datatype), content)
        for item in images:
            names = {**where, **item.entities}
            kind = (result.suffix, item.extension, result.datatype)
            write_image(self._path(names, *kind), item.image)
            write_json(self._path(names, result.suffix, ".json", result.datatype), content)

    def _table(
        self,
        result: Table,
        values: Any,
        where: Mapping[str, str],
        says: str,
        fields: Mapping[str, Any],
    ) -> None:
        records = getattr(values, "to_dict", None)
        rows: list[Row] = list(values) if records is None else records(orient="records")
        header = list(rows[0]) if rows else result.header
        if records is not None:
            header = list(values.columns)
        header = ordered_columns(result, header)
        write_tsv(self._path(where, result.suffix, ".tsv"), rows, header)
        described = {column.name: column_fields(column) for column in result.columns}
        known = set(described)
        described |= {
            name: {"Description": result.further} for name in header if name not in known
        }
        content = {"Description": says, **self._common, **fields, **described}
        write_json(self._path(where, result.suffix, ".json"), content)


def ordered_columns(result: Table, header: Sequence[str]) -> list[str]:
    """Return the columns of a table in the order in which they are declared.

    Columns that depend on the study (`Table.further`) follow, in the order in which they come.

    Raises
    ------
    ValueError
        A declared column is missing, or there is one that is not declared.
    """
    declared = result.header
    more = [name for name in header if name not in set(declared)]
    if set(declared) - set(header) or (more and not result.further):
        msg = f"{result.desc}: columns {list(header)} are not those declared, {declared}"
        raise ValueError(msg)
    return declared + more


def column_fields(column: Column) -> dict[str, Any]:
    """Return what a table's sidecar says of a column."""
    fields: dict[str, Any] = {"Description": column.says or column.head}
    if column.unit:
        fields["Units"] = column.unit
    return fields | inference_fields(column.by)


def inference_fields(key: str) -> dict[str, str]:
    """Return what a sidecar says of the inference behind a value; empty without one."""
    return {"Inference": INFERENCES[key].draws} if key else {}


def tidy(values: Mapping[str, ArrayLike], **axes: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield one row per cell of arrays that share their axes.

    Parameters
    ----------
    values
        Column → array of the shape of the axes, or one that broadcasts to it.
    **axes
        Column → coordinates along that axis, in the order of the arrays' axes.

    Yields
    ------
    dict
        Coordinates, then values; the last axis runs fastest.

    Examples
    --------
    >>> rows = list(tidy({"r": [[0.5, 1.0]]}, layer=["a"], parcel=[7, 8]))
    >>> [(row["layer"], row["parcel"], float(row["r"])) for row in rows]
    [('a', 7, 0.5), ('a', 8, 1.0)]
    """
    shape = tuple(len(coordinates) for coordinates in axes.values())
    columns = {name: np.broadcast_to(np.asarray(x), shape) for name, x in values.items()}
    flat = {name: list(array.reshape(-1)) for name, array in columns.items()}
    for number, coordinates in enumerate(product(*axes.values())):
        row = dict(zip(axes, coordinates, strict=True))
        yield row | {name: column[number] for name, column in flat.items()}
