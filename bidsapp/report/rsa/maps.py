"""Maps on the cortex and in slices, with the units that pass outlined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.colors import Colormap, Normalize

from bidsapp.report.figures import style
from bidsapp.report.figures.surface import CortexMap, cortex_figure, layer_norm
from bidsapp.report.figures.volume import Overlay, Volume, mosaic, slice_levels
from bidsapp.report.html import Part, Prose, Section, picture
from bidsapp.report.maps import Array
from bidsapp.report.projection import anatomy, cortex, how_projected, to_cortex
from bidsapp.report.results import SpaceResults
from bidsapp.report.rsa.read import Network, SpaceStudy, over_layers

_LEAST = 0.005


@dataclass(frozen=True)
class Shown:
    """A map to show.

    Attributes
    ----------
    title
        Heading.
    values
        (n_units,), NaN undefined.
    colours, norm, label, ticks
        Scale.
    ordinal
        Labels, never averaged.
    graded
        Colours fade with the value outside the units that pass.
    in_slices
        Whether it is also worth slices.
    """

    title: str
    values: Array
    colours: Colormap
    norm: Normalize
    label: str
    ticks: Mapping[float, str] = field(default_factory=dict)
    ordinal: bool = False
    graded: bool = False
    in_slices: bool = True


def maps(space: SpaceStudy, network: Network, suffix: str) -> Section:
    """Largest score, best layer, centroid layer, and what learning adds."""
    title, anchor = "Maps", f"maps{suffix}"
    shown = list(_maps(network))
    if not shown:
        return Section(title, anchor, [Prose("No score maps were written.")])
    return Section(title, anchor, brain(space.within, shown, network.significant, _words(network)))


def _words(network: Network) -> str:
    mask = network.significant
    by_t = network.by_maximum
    test = "the paper's t of the maximum" if by_t else "family-wise over units and layers"
    if mask is None or not mask.any():
        return f"No unit passes ({test}): scores are pale, and layers may be undefined. "
    return f"Outlined and in full colour: units that pass ({test}); elsewhere colours fade. "


def _maps(network: Network) -> Iterator[Shown]:
    largest = network.largest
    if largest is None or not np.isfinite(largest).any():
        return
    top = upper(largest)
    mean = "mean " if network.is_group else ""
    title = f"Largest {mean}score over layers"
    yield Shown(title, largest, style.score_colours(), Normalize(0, top), "\u03c1", graded=True)
    yield from layer_maps(network)
    logged = smallest_p(network) if network.by_maximum else None
    if logged is not None:
        limit = max(2.0, float(np.nanmax(logged)))
        title = "Permutation of clips: smallest family-wise p over layers"
        scale = Normalize(0, limit)
        yield Shown(title, logged, style.score_colours(), scale, "\u2212log10 p", graded=True)
    gain = gain_of_best(network)
    if gain is not None and np.isfinite(gain).any():
        limit = max(float(np.percentile(np.abs(gain[np.isfinite(gain)]), 99.5)), _LEAST)
        title = f"{gain_title(network)}, in the layer of the largest score"
        yield Shown(title, gain, style.signed_colours(), Normalize(-limit, limit),
                    "\u0394\u03c1", in_slices=False)  # fmt: skip


def layer_maps(network: Network) -> Iterator[Shown]:
    """Yield best and centroid layer, if they are defined anywhere."""
    n = len(network.layers)
    ticks = layer_ticks(network)
    colours = style.layer_colours(n)
    if network.best is not None and np.isfinite(network.best).any():
        title = "Participants' best layers, mean rounded" if network.by_maximum else "Best layer"
        yield Shown(title, network.best, colours, layer_norm(n), "layer", ticks, ordinal=True)
    if network.centroid is not None and np.isfinite(network.centroid).any():
        title = "Participants' best layers, mean" if network.by_maximum else "Centroid layer"
        yield Shown(title, network.centroid, style.layer_colours(256),
                    Normalize(0.5, n + 0.5), "layer", ticks, in_slices=False)  # fmt: skip


def layer_ticks(network: Network, most: int = 5) -> dict[float, str]:
    """Return layer numbers and names for a colour bar."""
    names = network.layers
    wanted = {round(place) for place in np.linspace(1, len(names), min(len(names), most))}
    return {float(place): f"{place} {names[place - 1]}" for place in sorted(wanted)}


def smallest_p(network: Network) -> Array | None:
    """(n_units,) -log10 of the smallest family-wise p over layers; None without a test."""
    p = network.p_fwe
    if p is None or not np.isfinite(p).any():
        return None
    return over_layers(-np.log10(p))


def gain_title(network: Network) -> str:
    """Name the difference from networks with random weights."""
    return f"{'These weights' if network.is_random else 'Trained'} minus untrained"


def gain_of_best(network: Network) -> Array | None:
    """(n_units,) trained minus untrained score in the layer with the largest score."""
    gain, scores = network.gain, network.scores
    if gain is None or scores is None:
        return None
    best = np.argmax(np.where(np.isfinite(scores), scores, -np.inf), axis=0)
    found: Array = np.take_along_axis(gain, best[None], axis=0)[0]
    return np.where(np.isfinite(scores).any(axis=0), found, np.nan)


def upper(values: Array, percentile: float = 99.5) -> float:
    """Return the upper end of a scale: a percentile of the finite values."""
    finite = values[np.isfinite(values)]
    return max(float(np.percentile(finite, percentile)), _LEAST) if finite.size else 1.0


def brain(
    within: SpaceResults,
    shown: Sequence[Shown],
    mask: Array | None,
    words: str = "",
    *,
    projected: bool = True,
) -> list[Part]:
    """Draw maps on the cortex, and in slices where there are voxels.

    Parameters
    ----------
    within
        Where the units lie.
    shown
        What to draw.
    mask
        (n_units,) bool: outlined; None for no outline.
    words
        Beginning of the caption.
    projected
        Whether voxels are drawn on a cortex, too.
    """
    shown = [each for each in shown if np.isfinite(each.values).any()]
    if not shown:
        return []
    slices = list(_slices(within, shown, mask))
    on_mesh = within.grid is not None and within.grid.is_surface
    surface = _cortex(within, shown, mask, words) if on_mesh or projected else None
    if surface is None and not slices:
        return [Prose(f"Maps in {within.space.title} cannot be drawn on a template's cortex.")]
    return [*([surface] if surface else []), *slices]


def _cortex(
    within: SpaceResults, shown: Sequence[Shown], mask: Array | None, words: str
) -> Part | None:
    region = None if mask is None else to_cortex(within, mask.astype(float), ordinal=True)
    emphasis = region and {side: values > 0 for side, values in region.items()}
    rows = []
    for each in shown:
        values = to_cortex(within, each.values, ordinal=each.ordinal)
        if values is None:
            return None
        rows.append(
            CortexMap(
                each.title, values, each.colours, each.norm, ordinal=each.ordinal,
                emphasis=emphasis, graded=each.graded, label=each.label, ticks=each.ticks,
            )
        )  # fmt: skip
    alt = "Both hemispheres, lateral and medial: " + "; ".join(map(_described, shown)) + "."
    return picture(
        cortex_figure(rows, cortex().meshes),
        alt=alt,
        caption=words + how_projected(within),
        vector=False,
    )


def _described(each: Shown) -> str:
    low, high = np.nanmin(each.values), np.nanmax(each.values)
    return f"{each.title.lower()}, {low:.3g} to {high:.3g}"


def _slices(within: SpaceResults, shown: Sequence[Shown], mask: Array | None) -> Iterator[Part]:
    grid = within.grid
    if grid is None or grid.affine is None:
        return
    affine = grid.affine

    def volume(values: Array | None) -> Volume | None:
        box = None if values is None else grid.volume(values)
        return None if box is None else Volume(box, affine)

    extent = volume(np.ones(grid.n_units))
    background = anatomy() if within.space.is_mni or within.space.space == "fsLR" else None
    for each in shown:
        box = volume(each.values)
        if extent is None or box is None or not each.in_slices or np.isnan(box.data).all():
            continue
        overlay = Overlay(
            box, each.colours, each.norm, each.label, each.graded,
            volume(None if mask is None else mask.astype(float)), each.ticks,
        )  # fmt: skip
        figure = mosaic(background, overlay, slice_levels(extent), each.title)
        yield picture(
            figure,
            alt=f"Axial slices: {_described(each)}.",
            caption="Axial slices, the left of the brain on the left.",
            vector=False,
        )
