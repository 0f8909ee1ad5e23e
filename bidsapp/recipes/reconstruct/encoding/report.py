"""The section of a page on encoding models, of a participant or of the group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from bidsapp.recipes.reconstruct.encoding import results as declared
from bidsapp.recipes.reconstruct.encoding.figures import (
    density_figure,
    music_figure,
    profile_figure,
)
from bidsapp.report import sections
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.scales import passing
from bidsapp.report.html import Part, Prose, Section, number_text, picture
from bidsapp.report.methods import network_title
from bidsapp.report.tables import choose, table
from bidsapp.results.kinds import Maps, Table
from bidsapp.results.read import Results, Space

_N_REGIONS = 12
_SELECTED = "Regions are those with the largest mean r of any model (selected, so optimistic)."


@dataclass(frozen=True)
class _Level:
    """What one level has written."""

    models: Maps
    differences: Maps
    variance: Maps
    regions: Table
    components: Table
    music: Table


_PARTICIPANT = _Level(
    declared.MODELS,
    declared.DIFFERENCES,
    declared.VARIANCE,
    declared.REGION_SCORES,
    declared.WEIGHT_COMPONENTS,
    declared.MUSIC,
)
_GROUP = _Level(
    declared.GROUP_MODELS,
    declared.GROUP_DIFFERENCES,
    declared.GROUP_VARIANCE,
    declared.GROUP_REGION_SCORES,
    declared.GROUP_COMPONENTS,
    declared.GROUP_MUSIC,
)


def encoding(results: Results, space: Space, suffix: str) -> Section | None:
    """Show which embedding predicts which responses; None where no models were fitted.

    Parameters
    ----------
    results
        Of a participant or of the group.
    space
        Of the maps.
    suffix
        Of the links.
    """
    level = _GROUP if results.is_group else _PARTICIPANT
    if not results.written(level.models, space):
        return None
    children = [
        _models(results, space, suffix, level),
        _differences(results, space, suffix, level),
        _regions(results, space, suffix, level),
        _music(results, space, suffix, level),
    ]
    intro = Prose(
        "The other way round: ridge regression predicts the responses to held-out clips from "
        "their embeddings, voxel by voxel or vertex by vertex; responses and embeddings are "
        "averaged over the windows of a clip."
    )
    shown = [section for section in children if section is not None]
    if results.is_group:  # details are folded, and not printed
        shown = [replace(section, folded=place > 0) for place, section in enumerate(shown)]
    return Section("Encoding", f"encoding{suffix}", [intro], shown)


def _maps(
    results: Results, result: Maps, p: Maps | None, space: Space, caption: str
) -> Iterator[Part]:
    """Draw all maps of a result, outlined where a family-wise p is small."""
    maps = results.maps(result, space)
    if maps is None:
        return
    tested = results.maps(p, space) if p is not None else None
    threshold = results.setting("significance", space)
    drawn = []
    for number, (name, values) in enumerate(zip(maps.names, maps.values, strict=True)):
        mask = None if tested is None else passing(tested.values[number], threshold)
        title = _title(name)
        drawn.append(BrainMap.of(result, values, title=title, mask=mask, in_slices=number == 0))
    if tested is not None:
        caption += f" Outlined: FWE p \u2264 {threshold:g}."
    yield from draw(drawn, maps.units, None, caption)


def _title(score: str) -> str:
    """Name a model, a difference or a part of variance for the reader."""
    return " ".join(network_title(word) for word in score.split(" "))


def _titled(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(score=rows["score"].map(_title))


def _models(results: Results, space: Space, suffix: str, level: _Level) -> Section:
    """Show how well each model predicts, and two embeddings against each other."""
    tested = None if results.is_group else declared.MODELS_P
    parts = list(_maps(results, level.models, tested, space, level.models.says))
    maps = results.maps(level.models, space)
    assert maps is not None
    embeddings = [
        k for k, name in enumerate(maps.names) if name not in (declared.JOINT, declared.GENRE)
    ]
    if len(embeddings) > 1:
        a, b = embeddings[:2]
        names = [_title(maps.names[a]), _title(maps.names[b])]
        parts.append(
            picture(
                density_figure(maps.values[a], maps.values[b], names),
                alt=f"Density of voxels or vertices over correlations by {' and '.join(names)}",
                caption="Voxels or vertices by their correlations with the predictions of two "
                "embeddings; on the line both predict alike.",
            )
        )
    if not results.is_group:
        rows = _titled(results.table(declared.SCORES, space))
        parts.append(table(rows, declared.SCORES.columns, declared.SCORES.says))
        parts += sections.claim(results, declared.FWE_KEY, declared.FDR_KEY)
    return Section("Which embedding predicts responses", f"models{suffix}", parts)


def _differences(results: Results, space: Space, suffix: str, level: _Level) -> Section | None:
    """Show differences of models, and unique and shared variance."""
    tested = None if results.is_group else declared.DIFFERENCES_P
    parts = list(_maps(results, level.differences, tested, space, level.differences.says))
    parts += _maps(results, level.variance, None, space, level.variance.says)
    if not parts:
        return None
    parts += sections.claim(results, declared.GAIN_FWE_KEY)
    return Section("What embeddings add to each other", f"variance{suffix}", parts)


def _regions(results: Results, space: Space, suffix: str, level: _Level) -> Section:
    """Show models and differences by region."""
    rows = _titled(results.table(level.regions, space))
    models = rows[rows["kind"] == "model"]
    order = models.groupby("region")["mean"].max().sort_values(ascending=False)
    best = [str(name) for name in order.index[:_N_REGIONS]]
    chosen = pd.concat([rows[rows["region"] == name] for name in best])
    keys = (declared.GROUP_KEY, declared.GROUP_FWE_KEY) if results.is_group else (declared.KEY,)
    parts = [
        picture(
            profile_figure(models, best),
            alt="Mean correlation of each model in the regions that are predicted best",
            caption=_SELECTED,
        ),
        table(chosen, level.regions.columns, f"{level.regions.says} {_SELECTED}"),
        *sections.claim(results, *keys),
    ]
    return Section("Encoding by region", f"encodingregions{suffix}", parts)


def _music(results: Results, space: Space, suffix: str, level: _Level) -> Section | None:
    """Show the components of the weights, and the clips on them."""
    music = results.table(level.music, space)
    if music.empty or music["pc1"].isna().all():
        return None
    shares = results.table(level.components, space)
    first = shares["share"].iloc[0]
    parts: list[Part] = [
        picture(
            music_figure(music),
            alt="Clips on the first three principal components of the weights, by genre",
            caption=f"{level.music.says} PC1 has {number_text(first, 2)} of the variance of the "
            "weights.",
        ),
        table(shares, choose(level.components.columns, *shares.columns), level.components.says),
    ]
    if not results.is_group:
        parts += _maps(results, declared.COMPONENTS, None, space, declared.COMPONENTS.says)
    return Section("Music on the components of the weights", f"music{suffix}", parts)
