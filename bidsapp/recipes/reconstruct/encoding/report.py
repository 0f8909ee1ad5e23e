"""The section of a page on encoding models, of a participant or of the group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from bidsapp.recipes.reconstruct.encoding import results as declared
from bidsapp.recipes.reconstruct.figures import (
    density_figure,
    music_figure,
    region_figure,
)
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.scales import passing
from bidsapp.report.html import Part, Prose, Section, number_text, picture
from bidsapp.report.tables import choose, table
from bidsapp.report.view import View
from bidsapp.results.kinds import Maps, Table
from bidsapp.results.networks import network_title

_N_REGIONS = 12
_SELECTED = "Regions are those with the largest mean r of any model (selected, so optimistic)."


def encoding(view: View) -> Section | None:
    """Show which embedding predicts which responses; None where no models were fitted.

    Parameters
    ----------
    view
        A space, of no network.
    """
    if not view.results.written(
        view.by_level(declared.MODELS, declared.GROUP_MODELS), view.pair.space
    ):
        return None
    intro = Prose(
        "The other way round: ridge regression predicts the responses to held-out clips from "
        "their embeddings, voxel by voxel or vertex by vertex; responses and embeddings are "
        "averaged over the windows of a clip."
    )
    children = [_models(view), _differences(view), _regions(view), _music(view)]
    shown = [section for section in children if section is not None]
    if view.is_group:  # details are folded, and not printed
        shown = [replace(section, folded=place > 0) for place, section in enumerate(shown)]
    return view.section("Encoding", "encoding", intro, children=shown)


def _maps(view: View, result: Maps, p: Maps | None = None) -> Iterator[Part]:
    """Draw all maps of a result, outlined where a participant's family-wise p is small."""
    maps = view.results.maps(result, view.pair.space)
    if maps is None:
        return
    tested = None if p is None or view.is_group else view.maps(p)
    drawn = []
    for number, (name, values) in enumerate(zip(maps.names, maps.values, strict=True)):
        mask = None if tested is None else passing(tested[number], view.level)
        title = _title(name)
        drawn.append(BrainMap.of(result, values, title=title, mask=mask, in_slices=number == 0))
    outlined = "" if tested is None else f" Outlined: FWE p \u2264 {view.level:g}."
    yield from draw(drawn, view.units, None, result.says + outlined)


def _title(score: str) -> str:
    """Name a model, a difference or a part of variance for the reader."""
    return " ".join(network_title(word) for word in score.split(" "))


def _titled(view: View, result: Table) -> pd.DataFrame:
    """Read a table of scores, with their names for the reader."""
    rows = view.table(result)
    return rows.assign(score=rows["score"].map(_title))


def _models(view: View) -> Section:
    """Show how well each model predicts, and two embeddings against each other."""
    result = view.by_level(declared.MODELS, declared.GROUP_MODELS)
    parts = list(_maps(view, result, declared.MODELS_P))
    maps = view.results.maps(result, view.pair.space)
    assert maps is not None
    embeddings = [
        k for k, name in enumerate(maps.names) if name not in (declared.JOINT, declared.GENRE)
    ]
    if len(embeddings) > 1:
        a, b = embeddings[:2]
        names = [_title(maps.names[a]), _title(maps.names[b])]
        caption = (
            "Voxels or vertices by their correlations with the predictions of two embeddings; on "
            "the line both predict alike."
        )
        alt = f"Density of voxels or vertices over correlations by {' and '.join(names)}"
        figure = density_figure(maps.values[a], maps.values[b], names)
        parts.append(picture(figure, alt=alt, caption=caption))
    if not view.is_group:
        parts.append(view.tabled(declared.SCORES, rows=_titled(view, declared.SCORES)))
        parts += view.claim(declared.FWE_KEY, declared.FDR_KEY)
    return view.section("Which embedding predicts responses", "models", *parts)


def _differences(view: View) -> Section | None:
    """Show differences of models, and unique and shared variance."""
    differences = view.by_level(declared.DIFFERENCES, declared.GROUP_DIFFERENCES)
    variance = view.by_level(declared.VARIANCE, declared.GROUP_VARIANCE)
    parts = [*_maps(view, differences, declared.DIFFERENCES_P), *_maps(view, variance)]
    if not parts:
        return None
    further = view.claim(declared.GAIN_FWE_KEY)
    return view.section("What embeddings add to each other", "variance", *parts, *further)


def _regions(view: View) -> Section:
    """Show models and differences by region."""
    result = view.by_level(declared.REGION_SCORES, declared.GROUP_REGION_SCORES)
    rows = _titled(view, result)
    models = rows[rows["kind"] == "model"]
    order = models.groupby("region")["mean"].max().sort_values(ascending=False)
    best = [str(name) for name in order.index[:_N_REGIONS]]
    chosen = pd.concat([rows[rows["region"] == name] for name in best])
    keys = (declared.GROUP_KEY, declared.GROUP_FWE_KEY) if view.is_group else (declared.KEY,)
    alt = "Mean correlation of each model in the regions that are predicted best"
    return view.section(
        "Encoding by region",
        "encodingregions",
        picture(region_figure(models, best), alt=alt, caption=_SELECTED),
        view.tabled(result, f"{result.says} {_SELECTED}", chosen),
        *view.claim(*keys),
    )


def _music(view: View) -> Section | None:
    """Show the components of the weights, and the clips on them."""
    result = view.by_level(declared.MUSIC, declared.GROUP_MUSIC)
    components = view.by_level(declared.WEIGHT_COMPONENTS, declared.GROUP_COMPONENTS)
    music = view.table(result)
    if music.empty or music["pc1"].isna().all():
        return None
    shares = view.table(components)
    first = number_text(shares["share"].iloc[0], 2)
    alt = "Clips on the first three principal components of the weights, by genre"
    caption = f"{result.says} PC1 has {first} of the variance of the weights."
    return view.section(
        "Music on the components of the weights",
        "music",
        picture(music_figure(music), alt=alt, caption=caption),
        table(shares, choose(components.columns, *shares.columns), components.says),
        *(() if view.is_group else _maps(view, declared.COMPONENTS)),
    )
