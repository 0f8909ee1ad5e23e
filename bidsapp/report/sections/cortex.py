"""Maps on the cortex and, for volumes, in slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from matplotlib.colors import Normalize

from bidsapp.brain.meshes import find_meshes
from bidsapp.report.figures import style
from bidsapp.report.figures.surface import CortexMap, Mesh, cortex_figure, layer_norm
from bidsapp.report.figures.volume import Overlay, Volume, at_cortex, mosaic, slice_levels
from bidsapp.report.html import Part, Prose, Section, picture
from bidsapp.report.maps import Array
from bidsapp.report.results import NEGATIVE, POSITIVE, ModelResults, SpaceResults

_AIR = 0.08  # share of an anatomy's brightness below which there is no brain


@dataclass(frozen=True)
class Canvas:
    """Meshes to draw on, and the surfaces between which volumes are sampled."""

    meshes: Mapping[str, Mesh]
    inner: Mapping[str, Array]
    outer: Mapping[str, Array]


@dataclass(frozen=True)
class Layer:
    """A map before it is projected: (n_units,) values and how to draw them."""

    title: str
    values: Array
    ordinal: bool
    scale: str
    label: str


def maps(space: SpaceResults, model: ModelResults, suffix: str) -> Section:
    """Largest score, best layer, centroid layer and the control."""
    title, anchor = "Maps", f"maps{suffix}"
    scores = model.scores(POSITIVE)
    if scores is None or space.grid is None:
        return Section(title, anchor, [Prose("No score maps were written.")])
    layers = _layers(model)
    parts = [*_cortex(space, model, layers), *_slices(space, model, layers)]
    return Section(title, anchor, parts or [Prose("No mesh of this space is at hand.")])


def _layers(model: ModelResults) -> list[Layer]:
    found = []
    for lags, words in ((POSITIVE, ""), (NEGATIVE, ", negative lags (control)")):
        scores = model.scores(lags)
        if scores is not None:
            found.append(
                Layer(f"Largest score over layers{words}", _max(scores.values), False, "r", "r")
            )
    best = model.maps("dseg", stat=None, desc=f"bestlayer{POSITIVE}")
    centroid = model.maps(stat="centroid", desc=POSITIVE)
    if best is not None:
        values = np.where(best.values[0] > 0, best.values[0], np.nan)
        found.insert(1, Layer("Best layer", values, True, "layer", "layer"))
    if centroid is not None:
        found.insert(2, Layer("Centroid layer", centroid.values[0], False, "layer", "layer"))
    return [layer for layer in found if np.isfinite(layer.values).any()]


def _max(values: Array) -> Array:
    with np.errstate(invalid="ignore"):
        largest = np.where(np.isfinite(values), values, -np.inf).max(axis=0)
    return np.where(np.isfinite(largest), largest, np.nan)


def _scale(layer: Layer, top: float, model: ModelResults) -> dict[str, Any]:
    names = [str(name) for name in model.layers["layer"]]
    if layer.scale == "r":
        return {"colours": style.score_colours(), "norm": Normalize(0, top), "label": layer.label}
    wanted = np.unique(np.linspace(1, len(names), min(len(names), 7)).round().astype(int))
    ticks = {float(number): f"{number} {names[number - 1]}" for number in wanted}
    colours = style.layer_colours(len(names))
    norm = layer_norm(len(names)) if layer.ordinal else Normalize(0.5, len(names) + 0.5)
    return {"colours": colours, "norm": norm, "label": layer.label, "ticks": ticks}


def _top(layers: list[Layer], mask: Array | None) -> float:
    """Return the upper end of the score scale: the 99.5th percentile of the first map."""
    values = layers[0].values
    finite = values[np.isfinite(values)]
    return max(float(np.percentile(finite, 99.5)), 0.02) if finite.size else 1.0


def _cortex(space: SpaceResults, model: ModelResults, layers: list[Layer]) -> list[Part]:
    canvas = load_canvas(space)
    if canvas is None:
        return [Prose(_no_mesh(space))]
    mask = model.significant
    top = _top(layers, mask)
    emphasis = None
    if mask is not None:
        emphasis = {
            side: np.nan_to_num(values) > 0
            for side, values in project(space, canvas, mask.astype(float), ordinal=True).items()
        }
    rows = [
        CortexMap(
            layer.title,
            project(space, canvas, layer.values, ordinal=layer.ordinal),
            ordinal=layer.ordinal,
            graded=layer.scale == "r",
            emphasis=emphasis,
            **_scale(layer, top, model),
        )
        for layer in layers
    ]
    figure = cortex_figure(rows, canvas.meshes)
    return [picture(figure, alt=_words(layers, mask), caption=_caption(space, mask), vector=False)]


def _caption(space: SpaceResults, mask: Array | None) -> str:
    where = (
        "Outlined and in full colour: parcels with family-wise p < .05 at positive lags; "
        "elsewhere colours fade with the score, none is cut off. "
        if mask is not None and mask.any()
        else "No parcel is significant: scores are pale, and best and centroid layers, where the "
        "variant leaves them undefined outside significant parcels, are not drawn. "
    )
    scale = "Scores are clipped at zero and their 99.5th percentile, on one scale for all lags. "
    source = "Inflated surface of the template."
    if space.grid is not None and not space.grid.is_surface:
        source = (
            "Voxels between the white and the pial surface of fsaverage5 (taken as MNI) were "
            "averaged, for the best layer the most frequent one taken; use the volumes for "
            "exact places."
        )
    return where + scale + source


def _words(layers: list[Layer], mask: Array | None) -> str:
    first = layers[0].values
    share = "" if mask is None else f"; {mask.mean():.0%} of the units are in significant parcels"
    peak = f"{np.nanmax(first):.2f}" if np.isfinite(first).any() else "undefined"
    titles = ", ".join(layer.title.lower() for layer in layers)
    return f"Both hemispheres, lateral and medial: {titles}. Largest score {peak}{share}."


def _no_mesh(space: SpaceResults) -> str:
    if space.grid is not None and space.grid.is_surface:
        return (
            f"No mesh of {space.space.title} is at hand (fill TEMPLATEFLOW_HOME with tpl-fsLR to "
            "see these maps here); the files open in Connectome Workbench."
        )
    return f"{space.space.title} is no template of which a cortical surface is at hand."


def load_canvas(space: SpaceResults) -> Canvas | None:
    """Find meshes for a space: shipped fsaverage5, or a filled TemplateFlow folder for fsLR."""
    grid = space.grid
    if grid is None:
        return None
    if not grid.is_surface:
        return _fsaverage5() if space.space.is_mni else None
    sizes = {side: size for side, (_, _, size) in grid.vertices.items()}
    if set(sizes) != {"L", "R"}:
        return None
    found = find_meshes(space.space.space, (sizes["L"], sizes["R"]))
    if isinstance(found, str):
        return _fsaverage5()
    return None if found is None else Canvas(_read_meshes(found), {}, {})


def _fsaverage5() -> Canvas:
    from nilearn.datasets import load_fsaverage, load_fsaverage_data

    surfaces = load_fsaverage("fsaverage5")
    depth = load_fsaverage_data("fsaverage5", data_type="sulcal")
    sides = {"L": "left", "R": "right"}

    def points(name: str) -> dict[str, Array]:
        return {key: surfaces[name].parts[side].coordinates for key, side in sides.items()}

    meshes = {
        key: Mesh(
            surfaces["inflated"].parts[side].coordinates,
            surfaces["inflated"].parts[side].faces,
            np.asarray(depth.data.parts[side], dtype=float).ravel(),
        )
        for key, side in sides.items()
    }
    return Canvas(meshes, points("white_matter"), points("pial"))


def _read_meshes(paths: tuple[Path, Path]) -> dict[str, Mesh]:
    meshes = {}
    for side, path in zip("LR", paths, strict=True):
        image: Any = nib.load(path)
        coordinates, faces = image.agg_data(("pointset", "triangle"))
        meshes[side] = Mesh(coordinates, faces, np.zeros(len(coordinates)))
    return meshes


def project(
    space: SpaceResults, canvas: Canvas, values: Array, *, ordinal: bool
) -> dict[str, Array]:
    """Bring (n_units,) values to the vertices of each mesh."""
    grid = space.grid
    if grid is None:
        return {}
    if grid.is_surface:
        return grid.hemispheres(values)
    box = grid.volume(values)
    if box is None or grid.affine is None:
        return {}
    volume = Volume(box, grid.affine)
    return {
        side: at_cortex(volume, canvas.inner[side], canvas.outer[side], ordinal=ordinal)
        for side in canvas.meshes
    }


def _slices(space: SpaceResults, model: ModelResults, layers: list[Layer]) -> list[Part]:
    grid = space.grid
    if grid is None or grid.affine is None or grid.columns is None:
        return []
    mask = model.significant
    boxes = {"mask": None if mask is None else grid.volume(mask.astype(float))}
    emphasis = None if boxes["mask"] is None else Volume(boxes["mask"], grid.affine)
    top = _top(layers, mask)
    background = _anatomy() if space.space.is_mni or space.space.space == "fsLR" else None
    parts: list[Part] = []
    for layer in [item for item in layers if "control" not in item.title][:2]:
        box = grid.volume(layer.values)
        if box is None or not np.isfinite(box).any():
            continue
        volume = Volume(box, grid.affine)
        scale = _scale(layer, top, model)
        overlay = Overlay(volume, graded=layer.scale == "r", emphasis=emphasis, **scale)
        figure = mosaic(background, overlay, slice_levels(volume), layer.title)
        parts.append(
            picture(
                figure,
                alt=f"Axial slices: {layer.title.lower()}.",
                caption="Axial slices, the left of the brain on the left.",
                vector=False,
            )
        )
    return parts


def _anatomy() -> Volume:
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=2)
    data = np.asarray(image.dataobj, dtype=np.float32)
    return Volume(np.where(data > _AIR * data.max(), data, np.nan), image.affine)
