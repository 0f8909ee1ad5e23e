"""Where decoders look, whether to believe it, and how classes lie in the hidden layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bidsapp.report.emotion3d.figures.brain import Row, maps_figure, scale_of
from bidsapp.report.emotion3d.figures.colours import class_colours
from bidsapp.report.emotion3d.figures.hidden import embedding_figure, randomised_figure
from bidsapp.report.emotion3d.read import LEAKY, SpaceStudy, split_of
from bidsapp.report.figures.volume import Volume, slice_levels
from bidsapp.report.html import (
    Note,
    Notes,
    Part,
    Prose,
    Section,
    Table,
    cell,
    columns,
    number_text,
    picture,
)
from bidsapp.report.maps import Array, Maps
from bidsapp.report.projection import anatomy
from bidsapp.report.results import rows_of

_METHODS = {
    "ig": "network:\nintegr. gradients",
    "haufe": "linear:\nHaufe patterns",
    "gradcam": "network:\nGrad-CAM, coarse",
}
_N_SLICES = 7
_ALIKE = 0.5


def maps(space: SpaceStudy, suffix: str) -> Section | None:
    """Show the maps of all methods, class by class, with the checks beside them."""
    found = {stat: one for stat in _METHODS if (one := space.maps(stat)) is not None}
    parts: list[Part] = []
    if found:
        parts += [Prose(_intro(space)), *_pictures(space, found)]
    table = space.table("randomisation")
    if not table.empty:
        parts += _checks(table)
    return Section("Where decoders look", f"maps{suffix}", parts) if parts else None


def _intro(space: SpaceStudy) -> str:
    told = (
        "Maps say what a decoder uses, not where an emotion lives. Integrated gradients tell "
        "which voxels moved the network towards a class; Grad-CAM tells roughly where its last "
        "convolution looked: a few cells across the brain, drawn larger, so no single voxel of it "
        "means anything. Haufe patterns tell how voxels of the linear decoder change with a class "
        "and can be read as activation."
    )
    return told if not space.is_group else f"{told} Each participant's maps count alike."


def _pictures(space: SpaceStudy, found: dict[str, Maps]) -> list[Part]:
    first = next(iter(found.values()))
    if first.grid.affine is None:
        return [Prose("These maps are not volumes and are not drawn.")]
    background = anatomy() if space.space.is_mni else None
    extent = _volume(first, np.nan_to_num(first.values).max(axis=0))
    levels = [] if extent is None else slice_levels(extent, _N_SLICES)
    tops = {stat: scale_of(one.values) for stat, one in found.items()}
    counts = {
        stat: space.map_facts(stat).get("NumberOfVolumes") for stat in found if stat != "haufe"
    }
    parts: list[Part] = []
    for number, name in enumerate(first.names):
        rows = [
            Row(_METHODS[stat], box, tops[stat])
            for stat, one in found.items()
            if name in one.names
            and (box := _volume(one, one.values[one.names.index(name)])) is not None
            and np.isfinite(box.data).any()
        ]
        if not rows:
            parts.append(Prose(f"{name}: no map; no held-out volume was recognised."))
            continue
        caption = _caption(space, number, counts, missing=len(rows) < len(found))
        figure = maps_figure(rows, levels, background, name)
        alt = f"Axial slices of {len(rows)} maps of {name}, one method below the other."
        parts.append(picture(figure, alt=alt, caption=caption, vector=False))
    return parts


def _caption(
    space: SpaceStudy, number: int, counts: dict[str, Sequence[int] | None], *, missing: bool
) -> str:
    known = {stat: n for stat, n in counts.items() if n and number < len(n)}
    told = ""
    if space.is_group:
        n = space.map_facts("haufe").get("NumberOfMaps")
        told = f"Mean over {n} participants, each map divided by its spread. " if n else ""
    if known:
        volumes = next(iter(known.values()))
        n = int(volumes[number]) if volumes else 0
        told += f"Network: mean over {n} correctly classified held-out volumes. " if n else ""
    if missing:
        told += "No held-out volume of this class was recognised: the network has no map. "
    told += (
        "Red raises the evidence for the class, blue lowers it; each method has one scale for all "
        "classes, clipped at the 99th percentile. The left of the brain is on the left."
    )
    return told


def _volume(maps_: Maps, values: Array) -> Volume | None:
    box = maps_.grid.volume(values)
    affine = maps_.grid.affine
    return None if box is None or affine is None else Volume(box, affine)


def _checks(table: pd.DataFrame) -> list[Part]:
    layers = table[table["randomised"] != "labels"]
    told = (
        "A map that stays the same when the network's layers are made random shows the data, not "
        "what was learned. From left to right, layers are made random from the output down."
    )
    if rows_of(table, randomised="labels")["similarity"].notna().any():
        told += " Diamonds compare maps of networks trained on true and on shifted labels."
    notes = []
    for method, rows in layers.groupby("method", sort=False):
        last = float(rows["similarity"].iloc[-1])
        if np.isfinite(last) and last > _ALIKE:
            text = (
                f"With all layers random the maps of {method} still resemble those of the trained "
                f"network (rank correlation {last:.2f})."
            )
            notes.append(Note("caution", "Maps show the data.", text))
    caption = (
        "Rank correlation of absolute values of maps; 1: the same map. Layer 1 is the first that "
        "sees the volume."
    )
    parts: list[Part] = [Prose(told)]
    if notes:
        parts.append(Notes(notes))
    figure = randomised_figure(table)
    return [*parts, picture(figure, alt="Likeness of maps after randomisation.", caption=caption)]


def embedding(space: SpaceStudy, suffix: str) -> Section | None:
    """Show held-out volumes in the hidden layer, and whether classes lie apart."""
    table = space.table("embedding")
    if table.empty:
        return None
    leaky = bool("leaky" in table and (table["leaky"] == LEAKY).any())
    figure = embedding_figure(table, class_colours(space.classes), leaky=leaky)
    shares = list(space.facts.get("embedding_variance") or ())
    variance = (
        f" They hold {100 * shares[0]:.0f} % and {100 * shares[1]:.0f} % of its variance "
        "(mean over folds)."
        if len(shares) > 1
        else ""
    )
    intro = (
        "Each dot is a held-out volume, placed by the two main directions of the hidden layer of "
        f"the network that had not seen it.{variance} Directions were found without labels, and "
        "are other ones in each panel. Neighbours in time lie close together in any network, so "
        "clouds alone prove nothing; the silhouette is judged against shifted labels."
    )
    caption = "Hidden layer of held-out volumes in two dimensions, one panel per fold."
    alt = f"Scatter of {len(table)} held-out volumes in {table['fold'].nunique()} panels."
    parts: list[Part] = [Prose(intro), picture(figure, alt=alt, caption=caption)]
    return Section("Emotion clustering", f"embedding{suffix}", [*parts, *_separability(space)])


def _separability(space: SpaceStudy) -> list[Part]:
    rows = rows_of(space.scores, measure="silhouette")
    if rows.empty:
        return [Prose("Separability of the classes was not tested.")]
    heads = columns("split", "silhouette#", "with labels shifted#", "95 %", "p#", "shifts#")
    cells = [
        [
            cell(split_of(row["split"]).title),
            cell(row["value"], 3), cell(row["chance"], 3),
            cell(f"{number_text(row['low'], 3)} \u2013 {number_text(row['high'], 3)}"),
            cell(row["p"], 3), cell(row.get("n_shifts"), 0),
        ]
        for row in rows.to_dict("records")
    ]  # fmt: skip
    caption = (
        "Separability: mean silhouette over folds, 1 for tight classes far apart, 0 for none, "
        "below 0 for classes inside each other"
    )
    return [Table(heads, cells, caption)]
