"""A cortex to turn with the mouse: meshes and maps as small binary arrays inside the page.

Coordinates are 16-bit integers, continuous maps 16-bit codes between their extremes, labels
bytes; the largest code (labels: 0) means that there is no value. `templates/cortex.js` draws
them with WebGL and reads nothing else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bidsapp.report.figures.style import Array
from bidsapp.report.figures.surface import Look, Mesh
from bidsapp.report.html import Embedded, environment

Kind = Literal["continuous", "labels", "rgb"]
SIDES = ("L", "R")
NO_VALUE = 65535
_FULL = 32767  # largest coordinate as an integer
_N_COLOURS = 256


@dataclass(frozen=True)
class CorticalMap:
    """One entry of the list of maps.

    Attributes
    ----------
    group, title
        Heading in the list, and name.
    values
        Hemisphere → (n_vertices,), NaN undefined; (n_vertices, 3) from 0 to 1 for ``rgb``.
    scale
        Colours; None for ``rgb``.
    kind
        ``labels`` are whole numbers from 1 that are never averaged.
    names
        Of the labels.
    note
        What a reader should know when looking at it.
    series, place
        Maps of one series with a place from 1 on are the points of a profile (layers), which is
        drawn for the place that was clicked on while a map of the series is shown.
    mask
        Hemisphere → (n_vertices,), NaN where nothing is significant; None without a test.
    """

    group: str
    title: str
    values: Mapping[str, Array]
    scale: Look | None = None
    kind: Kind = "continuous"
    names: Sequence[str] = ()
    note: str = ""
    series: str = ""
    place: int = 0
    mask: Mapping[str, Array] | None = None


@dataclass(frozen=True)
class Regions:
    """Names of places: hemisphere → (n_vertices,) index into `names`, 0 for nowhere."""

    names: Sequence[str]
    index: Mapping[str, Array]


def viewer(maps: Sequence[CorticalMap], meshes: Mapping[str, Mesh], regions: Regions) -> Embedded:
    """Embed the interactive cortex.

    Parameters
    ----------
    maps
        At least one; the first is shown first.
    meshes
        Left and right hemisphere, with the same faces.
    regions
        Named when the pointer is over them.

    Raises
    ------
    ValueError
        When there is no map, or the hemispheres have different faces.
    """
    if not maps:
        msg = "the interactive cortex needs a map"
        raise ValueError(msg)
    text = json.dumps(payload(maps, meshes, regions), separators=(",", ":"), allow_nan=False)
    template = environment().get_template("cortex.html.j2")
    html = template.render(
        groups=_groups(maps),
        data=Markup(text.replace("<", "\\u003c")),
        has_series=any(each.place for each in maps),
        has_mask=any(each.mask is not None for each in maps),
    )
    return Embedded(Markup(html))


def payload(
    maps: Sequence[CorticalMap], meshes: Mapping[str, Mesh], regions: Regions
) -> dict[str, Any]:
    """Return what the script reads: numbers, names and base64 of little-endian arrays."""
    masks: list[str] = []
    entries = []
    for number, each in enumerate(maps):
        entry = _map(each, number)
        if each.mask is not None:
            packed = _packed(np.isfinite(_both(each.mask)), np.uint8)
            masks += [packed] * (packed not in masks)
            entry["mask"] = masks.index(packed)
        entries.append(entry)
    return {
        "meshes": _meshes(meshes),
        "regions": {
            "names": list(regions.names),
            "index": _packed(_both(regions.index), np.uint16),
        },
        "maps": entries,
        "masks": masks,
    }


def _groups(maps: Sequence[CorticalMap]) -> list[tuple[str, list[tuple[int, str]]]]:
    groups: dict[str, list[tuple[int, str]]] = {}
    for number, each in enumerate(maps):
        groups.setdefault(each.group, []).append((number, each.title))
    return list(groups.items())


def _meshes(meshes: Mapping[str, Mesh]) -> dict[str, Any]:
    left, right = (meshes[side] for side in SIDES)
    if not np.array_equal(left.faces, right.faces):
        msg = "the interactive cortex needs hemispheres with the same faces"
        raise ValueError(msg)
    reach = max(float(np.abs(centred(mesh)).max()) for mesh in (left, right))
    relief = {side: np.clip(_relief(meshes[side]), -1, 1) for side in SIDES}
    return {
        "n": len(left.coordinates),
        "reach": reach,
        "faces": _packed(left.faces, np.uint16),
        "points": {
            side: _packed(np.rint(centred(meshes[side]) / reach * _FULL), np.int16)
            for side in SIDES
        },
        "relief": {side: _packed(np.rint(relief[side] * 127), np.int8) for side in SIDES},
    }


def centred(mesh: Mesh) -> Array:
    """(n_vertices, 3) coordinates about the middle of the hemisphere's extent, in mm."""
    points = np.asarray(mesh.coordinates, dtype=float)
    middle: Array = points - (points.min(axis=0) + points.max(axis=0)) / 2
    return middle


def _relief(mesh: Mesh) -> Array:
    depth: Array = np.nan_to_num(mesh.depth / (np.nanstd(mesh.depth) + 1e-9))
    return depth


def _map(each: CorticalMap, number: int) -> dict[str, Any]:
    values = _both(each.values)
    entry: dict[str, Any] = {
        "id": number,
        "title": each.title,
        "group": each.group,
        "kind": each.kind,
        "note": each.note,
        "names": list(each.names),
    }
    if each.series:
        entry |= {"series": each.series, "place": each.place}  # place 0: no point of the profile
    if each.kind == "rgb":
        return entry | {"data": _packed(rgba(values), np.uint8)}
    if each.scale is None:
        msg = f"{each.title} needs a colour scale"
        raise ValueError(msg)
    entry |= _scale(each.scale, each.kind, len(each.names))
    if each.kind == "labels":
        return entry | {"data": _packed(np.nan_to_num(values), np.uint8)}
    codes, low, step = quantise(values)
    return entry | {"data": _packed(codes, np.uint16), "from": low, "step": step}


def _both(values: Mapping[str, Array]) -> Array:
    return np.concatenate([np.asarray(values[side]) for side in SIDES])


def rgba(colours: Array) -> NDArray[np.uint8]:
    """Bytes of (n, 3) colours from 0 to 1, and 255 where they are defined, else 0."""
    defined = np.isfinite(np.asarray(colours)).all(axis=1, keepdims=True)
    filled = np.where(defined, colours, 0.0)
    channels = np.rint(255 * np.clip(filled, 0, 1))
    return np.column_stack([channels, 255 * defined]).astype(np.uint8)


def quantise(values: Array) -> tuple[NDArray[np.uint16], float, float]:
    """Code values as 16-bit integers.

    Parameters
    ----------
    values
        (n,), NaN undefined.

    Returns
    -------
    codes : (n,) array
        `NO_VALUE` where undefined.
    low, step : float
        ``low + step * code`` is within half a step of the value.
    """
    values = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.full(values.shape, NO_VALUE, np.uint16), 0.0, 0.0
    low, high = float(values[finite].min()), float(values[finite].max())
    step = (high - low) / (NO_VALUE - 1)
    codes = np.zeros(values.shape) if step == 0 else (values - low) / step
    return np.where(finite, np.rint(codes), NO_VALUE).astype(np.uint16), low, step


def _scale(scale: Look, kind: Kind, n_labels: int) -> dict[str, Any]:
    count = n_labels if kind == "labels" else _N_COLOURS
    places = np.linspace(0, 1, max(count, 2))[:count]
    table = np.rint(255 * np.asarray(scale.colours(places))[:, :3])
    return {
        "low": scale.low,
        "high": scale.high,
        "label": scale.label,
        "colours": _packed(table, np.uint8),
        "ticks": list(_ticks(scale, kind)),
    }


def _ticks(scale: Look, kind: Kind) -> Iterator[tuple[float, str]]:
    """Position from 0 to 1 along the colour bar, and text."""
    half = 0.5 if kind == "labels" else 0.0  # a label fills a step of the bar
    low, high = scale.low - half, scale.high + half
    ticks = scale.ticks or _round_ticks(low, high)
    for value, text in ticks.items():
        yield (float(value) - low) / (high - low), text.replace("-", "\u2212")


def _round_ticks(low: float, high: float) -> dict[float, str]:
    places = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high)
    slack = 1e-9 * (high - low)
    inside = [place for place in places if low - slack <= place <= high + slack]
    return {float(place): f"{place:.6g}" for place in inside}


def _packed(values: Array, kind: type[np.generic]) -> str:
    little = np.dtype(kind).newbyteorder("<")
    return base64.b64encode(np.ascontiguousarray(values).astype(little).tobytes()).decode("ascii")
